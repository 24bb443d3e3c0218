//! `--demo`: plays a month of two invented campaigns through the services, as if it had happened.
//!
//! Every act is a command whose id follows from its place in the script, so a demo that was interrupted is
//! completed by the next start and never doubled.

mod script;

use std::collections::HashMap;

use anyhow::{Context, Result};
use meydan_rpc::{
    caller::Caller,
    client::Dial,
    form::timestamp,
    pb::{
        crm::{self, intake_client::IntakeClient, tickets_client::TicketsClient},
        identity::{
            self as identity_pb, CreateCampaignRequest, InviteMemberRequest,
            campaigns_client::CampaignsClient, members_client::MembersClient,
        },
    },
};
use meydan_settings::Settings;
use time::OffsetDateTime;
use tonic::transport::Channel;
use uuid::Uuid;

use self::script::{DemoCampaign, DemoCitizen, DemoContent, DemoDelivery, DemoFailure, DemoStep};
use crate::platform::Platform;

/// From which the script is made. Another seed tells of other people.
const SEED: u64 = 1405;
/// The number before a campaign's first ticket.
const FIRST: i64 = 1000;

/// Plays the demo, unless it was played here before. Returns the candidates' one-time links.
pub(crate) async fn play(
    settings: &Settings,
    platform: &Platform,
    progress: impl Fn(&str),
) -> Result<Vec<(String, String)>> {
    let done = settings.data_dir.join("demo.done");
    if done.exists() {
        return Ok(vec![]);
    }
    progress("playing a month of two campaigns");
    let began = settings.data_dir.join("demo.began");
    let now = began_at(&began)?;
    let mut links = Vec::new();
    for campaign in script::script(SEED, now).campaigns {
        let (id, link) = found(platform, &campaign).await?;
        links.push((campaign.candidate_name.clone(), link));
        Player::new(platform.crm.clone(), id).play(&campaign, &progress).await?;
    }
    std::fs::write(&done, "").with_context(|| done.display().to_string())?;
    Ok(links)
}

/// When the demo was begun: the same moment after an interruption, so that the script is the same.
fn began_at(file: &std::path::Path) -> Result<OffsetDateTime> {
    if let Ok(text) = std::fs::read_to_string(file)
        && let Ok(at) = text.trim().parse()
    {
        return Ok(OffsetDateTime::from_unix_timestamp(at)?);
    }
    let now = OffsetDateTime::now_utc();
    std::fs::write(file, now.unix_timestamp().to_string())
        .with_context(|| file.display().to_string())?;
    Ok(now)
}

/// Creates a campaign with its team; returns its id, and its owner's one-time link.
async fn found(platform: &Platform, campaign: &DemoCampaign) -> Result<(Uuid, String)> {
    let dial = &platform.identity;
    let owner = campaign.members.first().context("a campaign has an owner")?;
    let command = Uuid::new_v5(&Uuid::nil(), campaign.slug.as_bytes());
    let message = CreateCampaignRequest {
        slug: campaign.slug.clone(),
        candidate_name: campaign.candidate_name.clone(),
        office: campaign.office.clone(),
        constituency: campaign.constituency.clone(),
        locale: "fa".to_owned(),
        home_region: campaign.home_region.clone(),
        owner_name: owner.name.clone(),
        owner_email: owner.email.clone(),
    };
    let request = dial.command(&Caller::service("demo", None), command, message);
    let created = CampaignsClient::new(dial.channel()).create_campaign(request).await?.into_inner();
    let id = Uuid::try_parse(&created.campaign_id)?;
    let caller = Caller::service("demo", Some(id));
    for member in &campaign.members[1..] {
        let message = InviteMemberRequest {
            email: member.email.clone(),
            display_name: member.name.clone(),
            role: identity_pb::Role::Staff.into(),
        };
        let command = Uuid::new_v5(&id, member.email.as_bytes());
        let request = dial.command(&caller, command, message);
        MembersClient::new(dial.channel()).invite_member(request).await?;
    }
    Ok((id, created.invitation_token))
}

/// Plays one campaign's tickets.
struct Player {
    dial: Dial,
    intake: IntakeClient<Channel>,
    tickets: TicketsClient<Channel>,
    campaign: Uuid,
    caller: Caller,
    /// How many messages each citizen has sent.
    sent: HashMap<usize, i64>,
    /// The chat's number of each citizen's step, for edits.
    numbers: HashMap<(usize, usize), i64>,
    /// Number, id and last position of each ticket.
    opened: HashMap<usize, (i64, String, i64)>,
}

impl Player {
    fn new(dial: Dial, campaign: Uuid) -> Self {
        Self {
            intake: IntakeClient::new(dial.channel()),
            tickets: TicketsClient::new(dial.channel()),
            caller: Caller::service("demo", Some(campaign)),
            dial,
            campaign,
            sent: HashMap::new(),
            numbers: HashMap::new(),
            opened: HashMap::new(),
        }
    }

    /// Plays every step of every ticket, in the order of time.
    async fn play(mut self, campaign: &DemoCampaign, progress: &impl Fn(&str)) -> Result<()> {
        let mut steps = Vec::new();
        for (ticket, of) in campaign.tickets.iter().enumerate() {
            steps.extend(of.steps.iter().enumerate().map(|(place, step)| (ticket, place, step)));
        }
        steps.sort_by_key(|(_, _, step)| step.at());
        let many = steps.len();
        for (done, (ticket, place, step)) in steps.into_iter().enumerate() {
            if done % 250 == 0 {
                progress(&format!("{}: {done} of {many} acts", campaign.candidate_name));
            }
            self.act(campaign, (ticket, place), step).await?;
        }
        Ok(())
    }

    fn command(&self, (ticket, place): (usize, usize), part: u8) -> Uuid {
        Uuid::new_v5(&self.campaign, format!("{ticket}/{place}/{part}").as_bytes())
    }

    /// The bot through which invented people write.
    fn bot(&self) -> String {
        Uuid::new_v5(&self.campaign, b"demo bot").to_string()
    }

    fn citizen(&self, citizen: &DemoCitizen) -> String {
        Uuid::new_v5(&self.campaign, &citizen.user_id.to_be_bytes()).to_string()
    }

    async fn act(
        &mut self,
        campaign: &DemoCampaign,
        at_step: (usize, usize),
        step: &DemoStep,
    ) -> Result<()> {
        let who = campaign.tickets[at_step.0].citizen;
        let citizen = &campaign.citizens[who];
        match step {
            DemoStep::Citizen { at, text, content } => {
                self.write(at_step, (who, citizen), *at, (text.as_deref(), content)).await
            }
            DemoStep::Answer { at, member, text, delivery } => {
                let author = &campaign.members[*member].name;
                self.answer(at_step, *at, (author, text)).await?;
                self.deliver(at_step, *at, delivery, citizen).await
            }
            DemoStep::Status { at, to, .. } => self.change_status(at_step, *at, to).await,
            DemoStep::Edit { at, of, text } => self.edit(at_step, *at, (*of, text), citizen).await,
        }
    }

    async fn write(
        &mut self,
        at_step: (usize, usize),
        (who, citizen): (usize, &DemoCitizen),
        at: OffsetDateTime,
        (text, content): (Option<&str>, &DemoContent),
    ) -> Result<()> {
        let parts = if let DemoContent::Album { photos } = content { *photos } else { 1 };
        for part in 0..parts {
            let number = self.sent.entry(who).or_default();
            *number += 1;
            let number = *number;
            if part == 0 {
                self.numbers.insert(at_step, number);
            }
            let message = crm::ReceiveMessageRequest {
                citizen_id: self.citizen(citizen),
                person: Some(person(citizen)),
                body: Some(body(if part == 0 { text } else { None }, content)),
                bot_id: self.bot(),
                channel_message_id: number,
                sent_at: Some(timestamp(at)),
                album: if parts > 1 {
                    format!("{}-{}", at_step.0, at_step.1)
                } else {
                    String::new()
                },
            };
            let request = self.dial.command(&self.caller, self.command(at_step, part), message);
            let received = self.intake.receive_message(request).await?.into_inner();
            let next = FIRST + 1 + i64::try_from(self.opened.len())?;
            let entry = self.opened.entry(at_step.0).or_insert((next, String::new(), 0));
            entry.1 = received.ticket_id;
            entry.2 = received.position;
        }
        Ok(())
    }

    async fn edit(
        &mut self,
        at_step: (usize, usize),
        at: OffsetDateTime,
        (of, text): (usize, &str),
        citizen: &DemoCitizen,
    ) -> Result<()> {
        let number = self.numbers.get(&(at_step.0, of)).copied();
        let message = crm::EditMessageRequest {
            citizen_id: self.citizen(citizen),
            body: Some(body(Some(text), &DemoContent::Text)),
            bot_id: self.bot(),
            channel_message_id: number.context("an edit names an earlier step")?,
            edited_at: Some(timestamp(at)),
        };
        let request = self.dial.command(&self.caller, self.command(at_step, 0), message);
        self.intake.edit_message(request).await?;
        Ok(())
    }

    /// A ticket's number, once the inbox shows its last fact.
    async fn number(&mut self, ticket: usize) -> Result<i64> {
        let (number, _, position) =
            self.opened.get(&ticket).context("a ticket begins with a message")?;
        let (number, position) = (*number, *position);
        let message = crm::GetTicketRequest { number, min_position: position };
        self.tickets.get_ticket(self.dial.ask(&self.caller, message)).await?;
        Ok(number)
    }

    async fn answer(
        &mut self,
        at_step: (usize, usize),
        at: OffsetDateTime,
        (author, text): (&str, &str),
    ) -> Result<()> {
        let message = crm::ReplyRequest {
            number: self.number(at_step.0).await?,
            text: text.to_owned(),
            author_name: author.to_owned(),
            at: Some(timestamp(at)),
        };
        let request = self.dial.command(&self.caller, self.command(at_step, 0), message);
        self.tickets.reply(request).await?;
        Ok(())
    }

    async fn deliver(
        &mut self,
        at_step: (usize, usize),
        at: OffsetDateTime,
        delivery: &DemoDelivery,
        citizen: &DemoCitizen,
    ) -> Result<()> {
        let ticket_id = self.opened.get(&at_step.0).map(|(_, id, _)| id.clone());
        let (delivery, blocked) = match delivery {
            DemoDelivery::Sent => (crm::Delivery::Sent, false),
            DemoDelivery::Failed(DemoFailure::Blocked) => (crm::Delivery::Failed, true),
        };
        let message = crm::RecordDeliveryRequest {
            ticket_id: ticket_id.unwrap_or_default(),
            // The name that crm gives to the answer of a command.
            message_id: Uuid::new_v5(&self.command(at_step, 0), b"reply").to_string(),
            delivery: delivery.into(),
            at: Some(timestamp(at + time::Duration::seconds(1))),
        };
        let request = self.dial.command(&self.caller, self.command(at_step, 1), message);
        self.intake.record_delivery(request).await?;
        if blocked {
            let message = crm::RecordReachabilityRequest {
                citizen_id: self.citizen(citizen),
                person: Some(person(citizen)),
                blocked,
                at: Some(timestamp(at)),
            };
            let request = self.dial.command(&self.caller, self.command(at_step, 2), message);
            self.intake.record_reachability(request).await?;
        }
        Ok(())
    }

    async fn change_status(
        &mut self,
        at_step: (usize, usize),
        at: OffsetDateTime,
        to: &str,
    ) -> Result<()> {
        let status = match to {
            "in_progress" => crm::TicketStatus::InProgress,
            "waiting" => crm::TicketStatus::Waiting,
            "resolved" => crm::TicketStatus::Resolved,
            _ => crm::TicketStatus::Closed,
        };
        let message = crm::ChangeStatusRequest {
            number: self.number(at_step.0).await?,
            status: status.into(),
            at: Some(timestamp(at)),
        };
        let request = self.dial.command(&self.caller, self.command(at_step, 0), message);
        self.tickets.change_status(request).await?;
        Ok(())
    }
}

fn person(citizen: &DemoCitizen) -> crm::Person {
    crm::Person {
        first_name: citizen.first_name.clone(),
        last_name: citizen.last_name.clone().unwrap_or_default(),
        username: citizen.username.clone().unwrap_or_default(),
        language: citizen.language.clone().unwrap_or_default(),
        phone: citizen.phone.clone().unwrap_or_default(),
        source: citizen.source.clone().unwrap_or_default(),
    }
}

fn body(text: Option<&str>, content: &DemoContent) -> crm::Body {
    let text = text.unwrap_or_default().to_owned();
    let mut body = crm::Body { text, ..crm::Body::default() };
    let file = crm::File::default();
    let kind = match content {
        DemoContent::Text => crm::Kind::Text,
        DemoContent::Photo | DemoContent::Album { .. } => {
            body.file = Some(file);
            crm::Kind::Photo
        }
        DemoContent::Voice { seconds } => {
            body.file = Some(crm::File { seconds: *seconds, ..file });
            crm::Kind::Voice
        }
        DemoContent::Video { seconds } => {
            body.file = Some(crm::File { seconds: *seconds, ..file });
            crm::Kind::Video
        }
        DemoContent::Document { name, mime } => {
            body.file = Some(crm::File { name: name.clone(), mime_type: mime.clone(), ..file });
            crm::Kind::Document
        }
        DemoContent::Location { latitude, longitude } => {
            (body.latitude, body.longitude) = (*latitude, *longitude);
            crm::Kind::Location
        }
        DemoContent::Contact { name, phone } => {
            (body.contact_name, body.contact_phone) = (name.clone(), phone.clone());
            crm::Kind::Contact
        }
        DemoContent::Sticker { emoji } => {
            body.label.clone_from(emoji);
            crm::Kind::Sticker
        }
    };
    body.kind = kind.into();
    body
}
