//! An act: what is done to an account or a place, the rows beside the log that change with it, and the letters that
//! tell of it. All of that comes to be in one transaction, or nothing does.
//!
//! Whatever takes its time comes before: passwords are hashed, letters sealed and tables read while nothing is held.
//! An open act holds a session of the pool and its accounts, so it asks the pool for nothing more: those who wait for
//! the same account may have all the other sessions.
//!
//! Locks are taken in one order, by everybody, so that nobody waits in a circle: the accounts, in the order of their
//! keys; rows of theirs; looks, in the order of sessions; the turns at aggregates; the log's partition, which is held
//! to the commit. Whoever changes several rows of an account takes the account first ([`hold`]), which is also why
//! two acts on one account come one after the other, and the second sees what the first has left.

use cqrs_es::Aggregate;
use identity_domain::{Account, AccountCommand, AccountEvent};
use meydan_event_log::{
    Committed, Event, ExecuteError, Group, Meta, PLATFORM, Refusal, Target, UniqueKey,
};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Identity, Result, letters::Addressee, login::person};
use crate::letters::{self, Content, Letter, Notice, Written};

/// The first of the two numbers that a lock on an account is called.
const ACCOUNTS: i32 = 7_106;

/// What is done, and not yet committed. Dropped, it never was.
pub(super) struct Act<'a> {
    identity: &'a Identity,
    rows: Transaction<'static, Postgres>,
    group: Group<'a>,
    meta: Meta,
    /// When it happens.
    pub(super) at: OffsetDateTime,
    has_letters: bool,
}

impl Identity {
    /// Begins an act of `meta` on accounts, each of which it has to itself from here on.
    pub(super) async fn act(&self, meta: Meta, accounts: &[Uuid]) -> Result<Act<'_>> {
        let begin = format!("BEGIN; {}", hold(accounts));
        let rows = self.log.pool().begin_with(AssertSqlSafe(begin)).await?;
        let (group, at) = (self.log.group(PLATFORM), self.clock.now());
        Ok(Act { identity: self, rows, group, meta, at, has_letters: false })
    }

    /// Begins an act of an account's holder on it.
    pub(super) async fn act_of(&self, account: Uuid) -> Result<Act<'_>> {
        self.act(person(account, Uuid::now_v7()), &[account]).await
    }

    /// The same of a holder who is not in yet, and comes from an address.
    pub(super) async fn act_from(&self, account: Uuid, address: &str) -> Result<Act<'_>> {
        let meta = self.person_from(account, Uuid::now_v7(), address).await?;
        self.act(meta, &[account]).await
    }
}

impl Act<'_> {
    /// The rows beside the log.
    pub(super) fn db(&mut self) -> &mut PgConnection {
        &mut self.rows
    }

    /// Puts a letter into the ledger; `false` when one of its name is there.
    pub(super) async fn letter(&mut self, letter: &Written) -> Result<bool> {
        let written = letters::write(&mut self.rows, letter).await?;
        self.has_letters |= written;
        Ok(written)
    }

    /// Tells the holder of an account what the act does to it.
    pub(super) async fn tell(&mut self, to: Addressee, notice: Notice) -> Result<()> {
        let Addressee { account, email, locale, sealer } = to;
        let names = (Uuid::now_v7(), account);
        let content = Content { to: email, locale, letter: Letter::Notice(notice) };
        let letter = Written::seal(&sealer, names, &content, self.at);
        self.letter(&letter).await?;
        Ok(())
    }

    /// The same of letters of names that are new.
    pub(super) async fn letters(&mut self, letters: &[Written]) -> Result<()> {
        for letter in letters {
            self.letter(letter).await?;
        }
        Ok(())
    }

    /// Asks an aggregate, when the act is done.
    pub(super) fn ask<A>(&mut self, target: Target, command: A::Command)
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send,
        A::Error: Send + Sync + 'static,
        A::Event: Event,
    {
        self.group.add::<A>(target, command, (&[], None));
    }

    /// Asks an aggregate that also takes a key; `from` says who asks, if not who acts.
    pub(super) fn ask_with<A>(
        &mut self,
        target: Target,
        command: A::Command,
        key: UniqueKey,
        from: Option<&Meta>,
    ) where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send,
        A::Error: Send + Sync + 'static,
        A::Event: Event,
    {
        self.group.add::<A>(target, command, (&[key], from));
    }

    /// Notes what happened to an account.
    pub(super) fn record(&mut self, account: Uuid, fact: AccountEvent) {
        let target = Target { tenant: PLATFORM, id: account };
        self.ask::<Account>(target, AccountCommand::Record(fact));
    }

    /// Notes that sessions of an account have ended; whoever looked with one of them looks no more.
    pub(super) async fn ended(&mut self, account: Uuid, sessions: Vec<Uuid>) -> Result<()> {
        let at = self.at;
        for session_id in &sessions {
            self.record(account, AccountEvent::LoggedOut { session_id: *session_id, at });
        }
        if sessions.is_empty() {
            return Ok(());
        }
        self.end_looks(Looks { sessions: Some(sessions), ..Looks::default() }).await
    }

    /// Ends looks, and notes those that end before their time.
    pub(super) async fn end_looks(&mut self, looks: Looks) -> Result<()> {
        let ended = sqlx::query!(
            r#"
            DELETE FROM impersonations WHERE session_id IN (
              SELECT session_id FROM impersonations
              WHERE ($1::uuid[] IS NULL OR session_id = ANY ($1)) AND ($2::uuid IS NULL OR subject_id = $2)
                AND ($3::uuid IS NULL OR campaign_id = $3)
              ORDER BY session_id FOR UPDATE)
            RETURNING subject_id, ends_at
            "#,
            looks.sessions.as_deref(),
            looks.subject,
            looks.campaign,
        )
        .fetch_all(&mut *self.rows)
        .await?;
        let at = self.at;
        for look in ended.into_iter().filter(|look| at < look.ends_at) {
            let from = Meta { on_behalf_of: Some(look.subject_id), ..self.meta.clone() };
            let target = Target { tenant: PLATFORM, id: look.subject_id };
            let fact = AccountCommand::Record(AccountEvent::ImpersonationEnded { at });
            self.group.add::<Account>(target, fact, (&[], Some(&from)));
        }
        Ok(())
    }

    /// Commits it. When its command was carried out before, the answer is that of then, and nothing is changed now.
    pub(super) async fn done(self) -> std::result::Result<Committed, ExecuteError<Refusal>> {
        let done = self.group.commit(self.rows, &self.meta).await?;
        if self.has_letters && !done.repeated {
            self.identity.written.notify_one();
        }
        Ok(done)
    }
}

/// Which looks, as far as they are named.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// With one of these sessions.
    pub(super) sessions: Option<Vec<Uuid>>,
    /// As the holder of this account.
    pub(super) subject: Option<Uuid>,
    /// At this campaign.
    pub(super) campaign: Option<Uuid>,
}

/// The SQL that has a transaction take accounts, in one order. It holds until the transaction ends.
pub(crate) fn hold(accounts: &[Uuid]) -> String {
    let key = |account: &Uuid| {
        let [.., a, b, c, d] = account.into_bytes();
        i32::from_be_bytes([a, b, c, d])
    };
    let mut keys = accounts.iter().map(key).collect::<Vec<_>>();
    keys.sort_unstable();
    keys.dedup();
    let lock = |key| format!("SELECT pg_advisory_xact_lock({ACCOUNTS}, {key});");
    keys.into_iter().map(lock).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_taken_in_one_order_and_each_once() {
        let [one, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];

        assert_eq!(hold(&[other, one, other]), hold(&[one, other]));
        assert_eq!(hold(&[one]), "SELECT pg_advisory_xact_lock(7106, 1);");
        assert_eq!(hold(&[]), "");
    }
}
