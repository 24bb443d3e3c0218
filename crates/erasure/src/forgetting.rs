//! What each context does when it hears that a person is erased.

use cqrs_es::Aggregate;
use meydan_event_log::{Clock, EventLog, ExecuteError, Meta, Outcome, Progress, Recorded, Target};
use meydan_keyring::{Acknowledgement, KeyError, Keyring};

use crate::{
    OWNER,
    subject::{Subject, SubjectCommand, SubjectEvent},
};

/// How long the context's tables may take to let go of a person before it is tried again.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// A context that can forget people.
#[derive(Debug, Clone)]
pub struct Forgetting {
    /// Its log.
    pub log: EventLog,
    /// How far its tables have come.
    pub tables: Progress,
    /// The keys, and the ledger beside them.
    pub keyring: Keyring,
    /// Tells the time.
    pub clock: Clock,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Log(#[from] ExecuteError<std::convert::Infallible>),
    #[error("the log cannot be read")]
    Unread(#[from] sqlx::Error),
    #[error("the log lacks the fact by which the person was forgotten")]
    Lost,
    #[error("the tables have not let go of the person yet")]
    Behind,
}

impl Forgetting {
    /// Answers a fact of identity, on behalf of the context's policy. `meta` is the origin of its command.
    pub async fn react(&self, event: &Recorded, meta: &Meta) -> Outcome {
        if event.event_type != "subject.erased" {
            return Outcome::Ignored;
        }
        let at = match event.decode_one() {
            Ok(Some(SubjectEvent::Erased { at })) => at,
            Ok(None) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        match self.forget(event, at, meta).await {
            Ok(()) => Outcome::Done,
            // Nothing of this may be left undone; what is damaged is tried until somebody repairs it.
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }

    async fn forget(
        &self,
        event: &Recorded,
        at: time::OffsetDateTime,
        meta: &Meta,
    ) -> Result<(), Failure> {
        let (tenant, subject) = (event.tenant, event.aggregate_id);
        // Whoever asked may have been killed before the keys were destroyed.
        let asked_by = serde_json::to_string(&event.meta.actor).expect("an actor is plain data");
        self.keyring.erase(tenant, subject, (&asked_by, at)).await?;
        let position = if self.log.context() == OWNER {
            event.position
        } else {
            let target = Target { tenant, id: subject };
            let command = SubjectCommand::Erase { at };
            let committed = self.log.execute::<Subject>(target, command, meta).await?;
            match committed.position {
                // The fact is older than this command.
                0 => self.log.last_of(target, Subject::TYPE).await?.ok_or(Failure::Lost)?,
                position => position,
            }
        };
        if !self.tables.wait_for(position, PATIENCE).await {
            return Err(Failure::Behind);
        }
        let context = self.log.context().to_owned();
        let acknowledgement = Acknowledgement { context, position, at: self.clock.now() };
        Ok(self.keyring.acknowledge(tenant, subject, &acknowledgement).await?)
    }
}
