//! When a citizen did something in the bot, the inbox hears of it.

use bot_hub_domain::{
    DialogueEvent, Did,
    telegram::{Content, File, Message, Person},
};
use meydan_event_log::{Meta, Outcome, Policy, Recorded};
use meydan_keyring::{KeyError, Sealed};
use meydan_rpc::{form::timestamp, pb::crm};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::{BotHub, place},
    clients::crm::{Crm, Report},
};

/// The policy.
#[derive(Debug)]
pub struct WhenCitizenActedTellCrm {
    /// Opens what was sealed.
    pub hub: BotHub,
    /// Whom to tell.
    pub crm: Crm,
}

/// Who did it, through which bot, by which update.
struct Act {
    bot: Uuid,
    update: i64,
    person: crm::Person,
    at: OffsetDateTime,
}

impl Policy for WhenCitizenActedTellCrm {
    const NAME: &'static str = "when_citizen_acted_tell_crm";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, meta: Meta) -> Outcome {
        if event.event_type != "dialogue.citizen_acted" {
            return Outcome::Ignored;
        }
        let fact = match event.decode_one::<DialogueEvent>() {
            Ok(Some(DialogueEvent::CitizenActed { bot_id, update_id, person, did, at })) => {
                (bot_id, update_id, person, did, at)
            }
            Ok(_) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        match self.report(event, fact).await {
            // The citizen was erased meanwhile: there is nothing left to tell.
            Ok(None) => Outcome::Done,
            Ok(Some(report)) => self.crm.tell(event.tenant, &meta, report).await,
            Err(KeyError::Unavailable(error)) => Outcome::Retry(error.to_string()),
            Err(error) => Outcome::Park(error.to_string()),
        }
    }
}

impl WhenCitizenActedTellCrm {
    async fn report(
        &self,
        event: &Recorded,
        (bot, update, person, did, at): (Uuid, i64, Sealed<Person>, Did, OffsetDateTime),
    ) -> Result<Option<Report>, KeyError> {
        let tenant = event.tenant;
        let who = place::person(tenant, bot, update);
        let Some(person) = self.hub.keyring.reveal(&person, tenant, &who).await? else {
            return Ok(None);
        };
        let act = Act { bot, update, person: person_out(person), at };
        let citizen_id = event.aggregate_id.to_string();
        Ok(match did {
            Did::Write { message } => {
                let Some(message) = self.open::<Message>(tenant, &act, &message).await? else {
                    return Ok(None);
                };
                Some(Report::Message(written(citizen_id, act, message)))
            }
            Did::Edit { message } => {
                let Some(message) = self.open::<Message>(tenant, &act, &message).await? else {
                    return Ok(None);
                };
                Some(Report::Edit(crm::EditMessageRequest {
                    citizen_id,
                    bot_id: act.bot.to_string(),
                    channel_message_id: message.message_id.into(),
                    edited_at: Some(timestamp(at)),
                    body: Some(body(message)),
                }))
            }
            Did::Start { payload } => {
                let mut person = act.person.clone();
                if let Some(payload) = payload {
                    person.source =
                        self.open::<String>(tenant, &act, &payload).await?.unwrap_or_default();
                }
                Some(reachability(citizen_id, person, false, at))
            }
            Did::Block => Some(reachability(citizen_id, act.person, true, at)),
            Did::Unblock => Some(reachability(citizen_id, act.person, false, at)),
            Did::Press { .. } => None,
        })
    }

    async fn open<T: DeserializeOwned>(
        &self,
        tenant: Uuid,
        act: &Act,
        sealed: &Sealed<T>,
    ) -> Result<Option<T>, KeyError> {
        let at = place::update(tenant, act.bot, act.update);
        self.hub.keyring.reveal(sealed, tenant, &at).await
    }
}

fn reachability(
    citizen_id: String,
    person: crm::Person,
    blocked: bool,
    at: OffsetDateTime,
) -> Report {
    let person = Some(person);
    let at = Some(timestamp(at));
    Report::Reachability(crm::RecordReachabilityRequest { citizen_id, person, blocked, at })
}

fn written(citizen_id: String, act: Act, message: Message) -> crm::ReceiveMessageRequest {
    let mut person = act.person;
    if let Content::Contact { phone, own: true, .. } = &message.content {
        person.phone.clone_from(phone);
    }
    crm::ReceiveMessageRequest {
        citizen_id,
        person: Some(person),
        bot_id: act.bot.to_string(),
        channel_message_id: message.message_id.into(),
        sent_at: Some(timestamp(act.at)),
        album: message.album.clone().unwrap_or_default(),
        body: Some(body(message)),
    }
}

fn person_out(person: Person) -> crm::Person {
    crm::Person {
        first_name: person.first_name,
        last_name: person.last_name.unwrap_or_default(),
        username: person.username.unwrap_or_default(),
        language: person.language.unwrap_or_default(),
        phone: String::new(),
        source: String::new(),
    }
}

fn body(message: Message) -> crm::Body {
    let mut body = crm::Body { text: message.text.unwrap_or_default(), ..crm::Body::default() };
    let mut with_file = |kind: crm::Kind, file: File| {
        body.kind = kind.into();
        body.file = Some(file_out(file));
    };
    match message.content {
        Content::Text => body.kind = crm::Kind::Text.into(),
        Content::Photo(file) => with_file(crm::Kind::Photo, file),
        Content::Voice(file) => with_file(crm::Kind::Voice, file),
        Content::Video(file) | Content::VideoNote(file) | Content::Animation(file) => {
            with_file(crm::Kind::Video, file);
        }
        Content::Audio(file) => with_file(crm::Kind::Audio, file),
        Content::Document(file) => with_file(crm::Kind::Document, file),
        Content::Sticker { file, emoji } => {
            with_file(crm::Kind::Sticker, file);
            body.label = emoji.unwrap_or_default();
        }
        Content::Location { latitude, longitude } => {
            (body.latitude, body.longitude) = (latitude, longitude);
            body.kind = crm::Kind::Location.into();
        }
        Content::Venue { latitude, longitude, title, address } => {
            (body.latitude, body.longitude) = (latitude, longitude);
            body.kind = crm::Kind::Location.into();
            body.label = format!("{title}، {address}");
        }
        Content::Contact { phone, first_name, last_name, .. } => {
            body.kind = crm::Kind::Contact.into();
            body.contact_name = format!("{first_name} {}", last_name.unwrap_or_default());
            body.contact_name.truncate(body.contact_name.trim_end().len());
            body.contact_phone = phone;
        }
    }
    body
}

fn file_out(file: File) -> crm::File {
    crm::File {
        file_id: file.file_id,
        name: file.name.unwrap_or_default(),
        mime_type: file.mime.unwrap_or_default(),
        size: file.size.unwrap_or_default(),
        seconds: file.seconds.unwrap_or_default(),
        width: file.width.unwrap_or_default(),
        height: file.height.unwrap_or_default(),
    }
}
