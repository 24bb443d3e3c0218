//! Answers out, from a ledger. A row is claimed, and that is committed, before Telegram hears of it; after a
//! crash a claimed row is *in doubt*, because the Bot API has no way to ask whether a message arrived. So
//! nothing is sent twice, and nothing is lost silently.

mod ledger;
mod own;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bot_hub_domain::ReplyFailure;
use meydan_event_log::{Actor, ExecuteError, Meta, Target};
use meydan_keyring::{Place, Sealed};
use meydan_telegram::{ApiFailure, Telegram};
use serde::Deserialize;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use self::ledger::Due;
pub use self::{
    ledger::{Planned, PlannedOwn, plan, plan_own},
    own::Own,
};
use crate::{
    app::{AppError, BotHub, place},
    projections::{bots, dialogues},
};

/// Longest time that an answer is tried.
const PATIENCE: time::Duration = time::Duration::hours(24);
/// Messages on their way at a time.
const AT_ONCE: usize = 64;
/// How long to wait for a wake-up before looking for due rows.
const LOOK: Duration = Duration::from_millis(100);

/// Sends what is due.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The hub.
    pub hub: BotHub,
    /// The Bot API.
    pub telegram: Telegram,
    /// Told when something was planned.
    pub planned: Arc<tokio::sync::Notify>,
}

/// What became of one piece.
enum Sent {
    Accepted(i64),
    Failed(ReplyFailure),
    InDoubt,
    Later(Duration),
}

/// A message that is ready to be sent.
struct Prepared {
    /// Names the token, should Telegram refuse it.
    hook_id: String,
    token: secrecy::SecretString,
    chat: i64,
    text: String,
}

/// What is on its way.
#[derive(Default)]
struct Work {
    tasks: JoinSet<()>,
    /// Which row each task carries.
    rows: HashMap<Id, Due>,
}

impl Work {
    /// A task that broke has sent its row, or has not: nobody knows.
    fn ended(&mut self, sender: &Arc<Sender>, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(broke) => broke.id(),
        };
        let row = self.rows.remove(&id);
        if let (Err(broke), Some(row)) = (ended, row) {
            tracing::error!(%broke, message = %row.message_id, "the sending of an answer broke");
            let doubt = sender.clone().note(row.clone(), Sent::InDoubt);
            self.rows.insert(self.tasks.spawn(doubt).id(), row);
        }
    }
}

impl Sender {
    /// Sends until `stop`, then waits for what is on its way.
    pub async fn run(self, stop: CancellationToken) {
        let sender = Arc::new(self);
        let mut work = Work::default();
        let mut recovered = false;
        while !stop.is_cancelled() {
            let taken = match sender.take(&mut work, &mut recovered).await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::warn!(%error, "the ledger cannot be used");
                    0
                }
            };
            // Where something was sent, more may be due as soon as Telegram's limits allow.
            let look = if taken > 0 { ledger::PER_BOT } else { LOOK };
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = work.tasks.join_next_with_id() => work.ended(&sender, ended),
                () = sender.planned.notified() => {}
                () = tokio::time::sleep(look) => {}
            }
        }
        while let Some(ended) = work.tasks.join_next_with_id().await {
            work.ended(&sender, ended);
        }
    }

    /// Takes on what may be sent now, and at first what was on its way when the last hub ended: that may
    /// have arrived, and is said to be in doubt, for a person to decide.
    async fn take(self: &Arc<Self>, work: &mut Work, recovered: &mut bool) -> sqlx::Result<usize> {
        if !*recovered {
            for row in ledger::claimed(&self.hub).await? {
                let doubt = self.clone().note(row.clone(), Sent::InDoubt);
                work.rows.insert(work.tasks.spawn(doubt).id(), row);
            }
            *recovered = true;
        }
        let room = AT_ONCE.saturating_sub(work.tasks.len());
        let due = if room == 0 { vec![] } else { ledger::claim(&self.hub, room).await? };
        let taken = due.len();
        for row in due {
            let carry = self.clone().carry(row.clone());
            work.rows.insert(work.tasks.spawn(carry).id(), row);
        }
        Ok(taken)
    }

    async fn carry(self: Arc<Self>, row: Due) {
        let span = tracing::info_span!("outbound.send", message = %row.message_id);
        if let Some(parent) = &row.traceparent {
            meydan_telemetry::set_parent_from(&span, parent);
        }
        let work = async {
            let sent = self.send(&row).await;
            metrics::counter!("telegram_sends", "outcome" => sent.name()).increment(1);
            self.note(row, sent).await;
        };
        work.instrument(span).await;
    }

    /// Records an outcome, however often it has to be tried: a row that stays claimed blocks every later
    /// answer to its citizen.
    async fn note(self: Arc<Self>, row: Due, sent: Sent) {
        let mut pause = Duration::from_millis(50);
        while let Err(error) = self.record(&row, &sent).await {
            tracing::warn!(%error, "the outcome of an answer is not recorded yet");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    async fn send(&self, row: &Due) -> Sent {
        let prepared = match self.prepare(row).await {
            Ok(prepared) => prepared,
            Err(failure) => return Sent::Failed(failure),
        };
        let Some(Prepared { hook_id, token, chat, text }) = prepared else {
            let young = self.hub.now() - row.planned_at < PATIENCE;
            return if young { Sent::Later(LOOK * 10) } else { Sent::Failed(ReplyFailure::GaveUp) };
        };
        match self.telegram.send_text(&token, chat, &text).await {
            Ok(id) => Sent::Accepted(id),
            Err(ApiFailure::RetryAfter(pause)) => {
                if let Err(error) = ledger::pause(&self.hub, row.tenant_id, pause).await {
                    tracing::warn!(%error, "a pause of Telegram was not noted");
                }
                Sent::Later(pause)
            }
            Err(ApiFailure::Unreachable) if self.hub.now() - row.planned_at < PATIENCE => {
                Sent::Later(Duration::from_secs(1 << row.attempts.clamp(0, 9)))
            }
            Err(failure) => match failure {
                ApiFailure::Unauthorized => {
                    if let Err(error) = self.hub.revoke(row.tenant_id, &hook_id).await {
                        tracing::warn!(%error, "a revoked token was not recorded");
                    }
                    Sent::Failed(ReplyFailure::BotRevoked)
                }
                ApiFailure::Blocked => Sent::Failed(ReplyFailure::Blocked),
                ApiFailure::ChatNotFound => Sent::Failed(ReplyFailure::ChatNotFound),
                ApiFailure::Rejected | ApiFailure::Conflict => Sent::Failed(ReplyFailure::Rejected),
                ApiFailure::Unreachable | ApiFailure::RetryAfter(_) => {
                    Sent::Failed(ReplyFailure::GaveUp)
                }
                ApiFailure::AnswerLost => Sent::InDoubt,
            },
        }
    }

    /// What is needed to send; `None` while a store is away, or the bot is being connected.
    async fn prepare(&self, row: &Due) -> Result<Option<Prepared>, ReplyFailure> {
        let pool = self.hub.log.pool();
        let Ok(bot) = bots::of_campaign(pool, row.tenant_id).await else { return Ok(None) };
        let bot = bot.filter(|bot| bot.state != "revoked").ok_or(ReplyFailure::BotRevoked)?;
        if bot.bot_id.is_none() {
            // A bot that the campaign does not hold may be another campaign's.
            let coming = bot.state == "connecting" || bot.problem.as_deref() == Some("unreachable");
            return if coming { Ok(None) } else { Err(ReplyFailure::BotRevoked) };
        }
        let Ok(token) = self.hub.token(&bot).await else { return Ok(None) };
        let token = token.ok_or(ReplyFailure::BotRevoked)?;
        let found = match &row.own {
            Some(own) => self.own(row, own).await?,
            None => self.answer(row).await?,
        };
        Ok(found.map(|(chat, text)| Prepared { hook_id: bot.hook_id, token, chat, text }))
    }

    /// Whom a word of the hub's own is for, and what it says; `None` while a store is away.
    async fn own(&self, row: &Due, own: &str) -> Result<Option<(i64, String)>, ReplyFailure> {
        let own = Own::named(own).ok_or(ReplyFailure::Rejected)?;
        let chat = row.chat_sealed.as_deref().and_then(|chat| chat.parse::<Sealed<i64>>().ok());
        let chat = chat.ok_or(ReplyFailure::ChatNotFound)?;
        let at = place::told(row.tenant_id, row.message_id);
        let Ok(chat) = self.hub.keyring.reveal(&chat, row.tenant_id, &at).await else {
            return Ok(None);
        };
        Ok(Some((chat.ok_or(ReplyFailure::ChatNotFound)?, own.text().to_owned())))
    }

    /// Whom an answer is for, and what it says; `None` while a store is away.
    async fn answer(&self, row: &Due) -> Result<Option<(i64, String)>, ReplyFailure> {
        let pool = self.hub.log.pool();
        // Whatever it waited for, its campaign or the hub itself: nobody gets an old answer without somebody looking at
        // it again.
        if self.hub.now() - row.planned_at > PATIENCE {
            return Err(ReplyFailure::GaveUp);
        }
        let Ok(chat) = dialogues::chat(pool, row.tenant_id, row.citizen_id).await else {
            return Ok(None);
        };
        let chat = chat.and_then(|chat| chat.parse::<Sealed<i64>>().ok());
        let chat = chat.ok_or(ReplyFailure::ChatNotFound)?;
        let at = place::chat(row.tenant_id, row.citizen_id);
        let Ok(chat) = self.hub.keyring.reveal(&chat, row.tenant_id, &at).await else {
            return Ok(None);
        };
        let chat = chat.ok_or(ReplyFailure::ChatNotFound)?;
        let sealed = row.body_sealed.as_deref().ok_or(ReplyFailure::ChatNotFound)?;
        let Ok(text) = text(&self.hub, row.tenant_id, row.message_id, sealed).await else {
            return Ok(None);
        };
        let text = text.ok_or(ReplyFailure::ChatNotFound)?;
        let pieces = bot_hub_domain::telegram::split_message(&text);
        let piece = usize::try_from(row.piece).ok().and_then(|piece| pieces.get(piece).cloned());
        Ok(Some((chat, piece.ok_or(ReplyFailure::Rejected)?)))
    }

    /// Records an outcome: first the fact, whose command id makes it one fact however often this runs, then
    /// the ledger.
    async fn record(&self, row: &Due, sent: &Sent) -> Result<(), RecordError> {
        if row.own.is_none()
            && let Some(outcome) = ledger::outcome(&self.hub, row, sent).await?
        {
            let id = Uuid::new_v5(&row.message_id, format!("{outcome:?}").as_bytes());
            let actor = Actor::Service { name: crate::NAME.to_owned() };
            let meta = Meta {
                correlation_id: row.correlation,
                causation_id: Some(row.causation),
                ..Meta::new(id, actor)
            };
            let target = Target { tenant: row.tenant_id, id: row.citizen_id };
            match self.hub.settle(target, (row.ticket_id, row.message_id), outcome, &meta).await {
                Ok(_) | Err(AppError::Log(ExecuteError::Refused(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(ledger::settle(&self.hub, row, sent).await?)
    }
}

#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    App(#[from] AppError<bot_hub_domain::DialogueRefusal>),
}

impl Sent {
    const fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Failed(_) => "failed",
            Self::InDoubt => "in_doubt",
            Self::Later(_) => "later",
        }
    }
}

/// The body of an answer as crm seals it, in our own words.
#[derive(Debug, Deserialize)]
struct Body {
    text: String,
}

/// What an answer says; `None` when its key was destroyed.
///
/// # Errors
///
/// Fails if the keys cannot be had.
pub(crate) async fn text(
    hub: &BotHub,
    tenant: Uuid,
    message: Uuid,
    sealed: &str,
) -> Result<Option<String>, meydan_keyring::KeyError> {
    let at = Place::new(tenant, "ticket.message", message, "body");
    let Ok(sealed) = sealed.parse::<Sealed<Body>>() else { return Ok(None) };
    let body: Option<Body> = hub.keyring.reveal(&sealed, tenant, &at).await?;
    Ok(body.map(|body| body.text))
}
