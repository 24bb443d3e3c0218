//! What changes the inbox. Everything personal is sealed before a command reaches the log.

use crm_domain::{
    Body, Citizen, CitizenCommand, CitizenRefusal, Person, Ticket, TicketCommand, TicketRefusal,
    TicketStatus,
    ticket::{Answer, DeliveryFailure, Incoming},
};
use meydan_event_log::{Committed, ExecuteError, Meta, Target, UniqueKey};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AppError, Crm, place};
use crate::projections::tickets;

/// Longest subject, in characters.
const SUBJECT: usize = 80;
/// How often a message looks for its ticket again, when the one it found has just ended.
const ATTEMPTS: u32 = 5;
/// Which tickets a citizen has: citizen, then the ordinal, so that the greatest key is the newest.
const TICKETS: &str = "citizen.ticket";
/// Which ticket holds a message: citizen, then bot, then its number in the chat with that bot.
const MESSAGES: &str = "citizen.message";

/// How a citizen showed themselves.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What they are called now.
    pub person: Person,
    /// Their number, if they have just shared it; else empty.
    pub phone: String,
    /// The link through which they have just come; else empty.
    pub source: String,
}

/// A citizen's message.
#[derive(Debug, Clone)]
pub struct IncomingMessage {
    /// Who wrote it.
    pub citizen_id: Uuid,
    /// How they showed themselves.
    pub shown: Shown,
    /// What it holds.
    pub body: Body,
    /// Through which bot it came, and its number in the chat with that bot.
    pub channel: (Uuid, i64),
    /// Which album it is a part of.
    pub album: Option<String>,
    /// When it was written.
    pub at: OffsetDateTime,
}

/// A member's answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// To which ticket.
    pub number: i64,
    /// What it says.
    pub text: String,
    /// Who wrote it.
    pub author: Uuid,
    /// What they are called.
    pub author_name: String,
    /// When it was written.
    pub at: OffsetDateTime,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Telegram accepted it.
    Sent,
    /// It did not arrive, and will not.
    Failed(DeliveryFailure),
    /// Nobody knows.
    InDoubt,
}

type Result<T, R> = std::result::Result<T, AppError<R>>;

impl Crm {
    /// A citizen wrote: opens a ticket, joins the open one, or reopens one resolved not long ago.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn receive(
        &self,
        tenant: Uuid,
        message: &IncomingMessage,
        meta: &Meta,
    ) -> Result<(Uuid, Committed), TicketRefusal> {
        self.meet((tenant, message.citizen_id), &message.shown, true, message.at, meta)
            .await
            .map_err(AppError::without_rule)?;
        let citizen = message.citizen_id;
        for _ in 0..ATTEMPTS {
            let newest = self.log.last_holder(tenant, TICKETS, citizen.as_bytes()).await;
            let newest = newest.map_err(ExecuteError::from)?;
            if let Some((_, ticket)) = &newest {
                match self.put(tenant, *ticket, message, None, meta).await {
                    Err(AppError::Log(ExecuteError::Refused(TicketRefusal::Ended))) => {}
                    // It came before, when another ticket was the newest.
                    Err(AppError::Log(ExecuteError::CommandIdTaken(first))) => {
                        return Ok((first.aggregate_id, first.committed));
                    }
                    done => return Ok((*ticket, done?)),
                }
            }
            let ordinal = newest.map_or(1, |(key, _)| ordinal(&key) + 1);
            let ticket = ticket_id(citizen, ordinal);
            match self.put(tenant, ticket, message, Some(ordinal), meta).await {
                Err(AppError::Log(ExecuteError::KeyTaken)) => {}
                done => return Ok((ticket, done?)),
            }
        }
        Err(ExecuteError::Conflict.into())
    }

    /// Puts a message into a ticket; `ordinal` when the ticket is new.
    async fn put(
        &self,
        tenant: Uuid,
        ticket: Uuid,
        message: &IncomingMessage,
        ordinal: Option<u64>,
        meta: &Meta,
    ) -> Result<Committed, TicketRefusal> {
        let citizen = message.citizen_id;
        let sealer = self.keyring.sealer(tenant, citizen).await?;
        let number = channel_number(message.channel);
        let message_id = Uuid::new_v5(&citizen, &number);
        let incoming = Incoming {
            message_id,
            citizen_id: citizen,
            bot_id: message.channel.0,
            channel_message_id: message.channel.1,
            body: sealer.seal(&place::body(tenant, message_id), &message.body),
            kind: message.body.kind,
            subject: sealer
                .seal(&place::subject(tenant, ticket), &message.body.first_words(SUBJECT)),
            album: message.album.clone(),
            at: message.at,
        };
        let mut keys = vec![message_key(tenant, citizen, message.channel)];
        keys.extend(ordinal.map(|ordinal| ticket_key(tenant, citizen, ordinal)));
        let target = Target { tenant, id: ticket };
        let command = TicketCommand::Receive(incoming);
        Ok(self.log.execute_with::<Ticket>(target, command, meta, &keys).await?)
    }

    /// A citizen changed a message.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; [`AppError::NotFound`] for a message that never came here.
    pub async fn edit(
        &self,
        tenant: Uuid,
        citizen: Uuid,
        (channel, body): ((Uuid, i64), &Body),
        at: OffsetDateTime,
        meta: &Meta,
    ) -> Result<Committed, TicketRefusal> {
        let number = channel_number(channel);
        let holder = self.log.holder(&message_key(tenant, citizen, channel)).await;
        let ticket = holder.map_err(ExecuteError::from)?.ok_or(AppError::NotFound)?;
        let sealer = self.keyring.sealer(tenant, citizen).await?;
        let message_id = Uuid::new_v5(&citizen, &number);
        let body = sealer.seal(&place::body(tenant, message_id), body);
        let command = TicketCommand::Edit { message_id, body, at };
        Ok(self.log.execute::<Ticket>(Target { tenant, id: ticket }, command, meta).await?)
    }

    /// A citizen showed themselves, perhaps under another name; `wrote` when they did so with a message.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn meet(
        &self,
        (tenant, citizen): (Uuid, Uuid),
        shown: &Shown,
        wrote: bool,
        at: OffsetDateTime,
        meta: &Meta,
    ) -> Result<(), CitizenRefusal> {
        let Shown { person, phone, source } = shown;
        let target = Target { tenant, id: citizen };
        let sealer = self.keyring.sealer(tenant, citizen).await?;
        let plain = serde_json::to_vec(person).expect("a person is plain data");
        let command = CitizenCommand::Meet {
            person: sealer.seal(&place::person(tenant, citizen), person),
            fingerprint: hex(&sealer.fingerprint("citizen.person", &plain)),
            wrote,
            at,
        };
        self.log.execute::<Citizen>(target, command, &step(meta, "meet")).await?;
        if !phone.is_empty() {
            let command = CitizenCommand::SharePhone {
                phone: sealer.seal(&place::phone(tenant, citizen), phone),
                fingerprint: hex(&sealer.fingerprint("citizen.phone", phone.as_bytes())),
                at,
            };
            self.log.execute::<Citizen>(target, command, &step(meta, "phone")).await?;
        }
        if !source.is_empty() {
            let command = CitizenCommand::ComeFrom {
                source: sealer.seal(&place::source(tenant, citizen), source),
                fingerprint: hex(&sealer.fingerprint("citizen.source", source.as_bytes())),
                at,
            };
            self.log.execute::<Citizen>(target, command, &step(meta, "source")).await?;
        }
        Ok(())
    }

    /// A citizen blocked the bot, or came back.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn set_blocked(
        &self,
        tenant: Uuid,
        citizen: Uuid,
        blocked: bool,
        at: OffsetDateTime,
        meta: &Meta,
    ) -> Result<Committed, CitizenRefusal> {
        let command = CitizenCommand::SetBlocked { blocked, at };
        Ok(self.log.execute::<Citizen>(Target { tenant, id: citizen }, command, meta).await?)
    }

    /// A member answers. Returns the name of the message.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn reply(
        &self,
        tenant: Uuid,
        reply: &Reply,
        meta: &Meta,
    ) -> Result<(Uuid, Committed), TicketRefusal> {
        let target = self.ticket(tenant, reply.number).await?;
        let ticket = self.log.load::<Ticket>(target).await?.aggregate;
        let citizen = ticket.citizen().ok_or(AppError::NotFound)?;
        let known = self.log.load::<Citizen>(Target { tenant, id: citizen }).await?;
        let message_id = Uuid::new_v5(&meta.command_id, b"reply");
        let body = Body::text(reply.text.clone());
        let author_name = self
            .keyring
            .sealer(tenant, reply.author)
            .await?
            .seal(&place::author(tenant, message_id), &reply.author_name);
        let answer = Answer {
            message_id,
            body: self
                .keyring
                .sealer(tenant, citizen)
                .await?
                .seal(&place::body(tenant, message_id), &body),
            author: reply.author,
            author_name,
            blocked: known.aggregate.is_blocked(),
            at: reply.at,
        };
        let command = TicketCommand::Reply(answer);
        let committed = self.log.execute::<Ticket>(target, command, meta).await?;
        Ok((message_id, committed))
    }

    /// A member moves a ticket.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn change_status(
        &self,
        tenant: Uuid,
        number: i64,
        to: TicketStatus,
        at: OffsetDateTime,
        meta: &Meta,
    ) -> Result<Committed, TicketRefusal> {
        let target = self.ticket(tenant, number).await?;
        let command = TicketCommand::ChangeStatus { to, at };
        Ok(self.log.execute::<Ticket>(target, command, meta).await?)
    }

    /// Notes what became of an answer of `ticket`.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn settle(
        &self,
        target: Target,
        message_id: Uuid,
        settled: Settled,
        at: OffsetDateTime,
        meta: &Meta,
    ) -> Result<Committed, TicketRefusal> {
        let command = match settled {
            Settled::Sent => TicketCommand::RecordSent { message_id, at },
            Settled::Failed(failure) => TicketCommand::RecordFailed { message_id, failure, at },
            Settled::InDoubt => TicketCommand::RecordInDoubt { message_id, at },
        };
        Ok(self.log.execute::<Ticket>(target, command, meta).await?)
    }

    async fn ticket(&self, tenant: Uuid, number: i64) -> Result<Target, TicketRefusal> {
        let row = tickets::by_number(self.log.pool(), tenant, number).await;
        let row = row.map_err(ExecuteError::from)?.ok_or(AppError::NotFound)?;
        Ok(Target { tenant, id: row.ticket_id })
    }
}

impl<R: std::error::Error> AppError<R> {
    /// The same failure for a command of another aggregate. A citizen refuses nothing here but being
    /// unknown, which is *not found* to a ticket.
    fn without_rule<S: std::error::Error>(self) -> AppError<S> {
        match self {
            Self::NotFound | Self::Log(ExecuteError::Refused(_)) => AppError::NotFound,
            Self::Keys(error) => AppError::Keys(error),
            Self::Log(ExecuteError::Conflict) => ExecuteError::Conflict.into(),
            Self::Log(ExecuteError::KeyTaken) => ExecuteError::KeyTaken.into(),
            Self::Log(ExecuteError::CommandIdTaken(first)) => {
                ExecuteError::CommandIdTaken(first).into()
            }
            Self::Log(ExecuteError::TooLarge) => ExecuteError::TooLarge.into(),
            Self::Log(ExecuteError::Unavailable(error)) => ExecuteError::Unavailable(error).into(),
            Self::Log(ExecuteError::Damaged(error)) => ExecuteError::Damaged(error).into(),
        }
    }
}

/// A command that is a part of another one, with an id of its own that follows from it.
fn step(meta: &Meta, name: &str) -> Meta {
    Meta { command_id: Uuid::new_v5(&meta.command_id, name.as_bytes()), ..meta.clone() }
}

/// The ticket of a citizen with this ordinal.
pub(super) fn ticket_id(citizen: Uuid, ordinal: u64) -> Uuid {
    Uuid::new_v5(&citizen, &ordinal.to_be_bytes())
}

pub(super) fn ticket_key(tenant: Uuid, citizen: Uuid, ordinal: u64) -> UniqueKey {
    key(tenant, TICKETS, citizen, &ordinal.to_be_bytes())
}

pub(super) fn message_key(tenant: Uuid, citizen: Uuid, channel: (Uuid, i64)) -> UniqueKey {
    key(tenant, MESSAGES, citizen, &channel_number(channel))
}

fn key(tenant: Uuid, scope: &'static str, citizen: Uuid, rest: &[u8]) -> UniqueKey {
    UniqueKey { tenant, scope, key: [citizen.as_bytes().as_slice(), rest].concat() }
}

/// Names a message among those of a citizen.
fn channel_number((bot, number): (Uuid, i64)) -> Vec<u8> {
    [bot.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}

fn ordinal(key: &[u8]) -> u64 {
    key.last_chunk().copied().map_or(0, u64::from_be_bytes)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
