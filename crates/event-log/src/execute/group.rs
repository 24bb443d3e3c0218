//! Commands to several aggregates: all of them change, or none; and, where a service changes rows of its own with
//! them, those too.

use std::{any::Any, error::Error as StdError, sync::Arc};

use cqrs_es::Aggregate;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::{ExecuteError, Of, Part, Way, again, carry_out, keep, reach};
use crate::{
    append::{Committed, UniqueKey},
    codec::Event,
    envelope::Meta,
    log::{EventLog, Target},
};

/// Why one of several aggregates said no: the refusal of its own type, to be downcast.
pub type Refusal = Box<dyn StdError + Send + Sync>;

/// A command to several aggregates: all of them change, or none.
pub struct Group<'a> {
    log: &'a EventLog,
    tenant: Uuid,
    parts: Vec<Box<dyn Part>>,
}

impl std::fmt::Debug for Group<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

impl EventLog {
    /// Begins a command that changes several aggregates, mostly of one tenant: all of them, or none.
    #[must_use]
    pub const fn group(&self, tenant: Uuid) -> Group<'_> {
        Group { log: self, tenant, parts: Vec::new() }
    }
}

impl Group<'_> {
    /// Adds what one aggregate of the tenant is asked. Asked several times, it answers in that order.
    #[must_use]
    pub fn ask<A>(mut self, id: Uuid, command: A::Command) -> Self
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send,
        A::Error: Send + Sync + 'static,
        A::Event: Event,
    {
        self.add::<A>(Target { tenant: self.tenant, id }, command, (&[], None));
        self
    }

    /// Adds keys to take, for the aggregate that was added first.
    #[must_use]
    pub fn take(mut self, keys: &[UniqueKey]) -> Self {
        if let Some(first) = self.parts.first_mut() {
            first.take(keys);
        }
        self
    }

    /// Adds what an aggregate of any tenant is asked, with keys that it takes; `from` says where its facts come from,
    /// under the id of the same command, if not from where the group does.
    ///
    /// # Panics
    ///
    /// If the tenant's facts lie in another partition than those of who was added before.
    pub fn add<A>(
        &mut self,
        target: Target,
        command: A::Command,
        (keys, from): (&[UniqueKey], Option<&Meta>),
    ) where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send,
        A::Error: Send + Sync + 'static,
        A::Event: Event,
    {
        if let Some(first) = self.parts.first() {
            let parts = [first.target(), target].map(|one| self.log.part_of(one.tenant));
            assert_eq!(parts[0], parts[1], "a group lies in one partition");
        }
        let meta = from.map(|from| {
            let text = serde_json::to_string(from).expect("an origin is plain data");
            Arc::<str>::from(text)
        });
        let asked = self.parts.iter_mut().find_map(|part| {
            let part: &mut dyn Any = &mut **part;
            part.downcast_mut::<Of<A>>().filter(|part| part.target == target)
        });
        match asked {
            Some(part) => {
                part.ask(command, meta);
                part.take(keys);
            }
            None => {
                let mut part = Of::<A>::new(target);
                part.ask(command, meta);
                part.take(keys);
                self.parts.push(Box::new(part));
            }
        }
    }

    /// Carries it out.
    ///
    /// # Errors
    ///
    /// See [`ExecuteError`]; refused with the words of the first aggregate that refuses.
    pub async fn execute(mut self, meta: &Meta) -> Result<Committed, ExecuteError<Refusal>> {
        let turn = self.log.hot().turn(self.targets()).await;
        let done = carry_out(self.log, turn, &mut borrowed(&mut self.parts), meta).await;
        done.map_err(|error| self.refused(error))
    }

    /// Carries it out in `rows`, a transaction of the log's own database, and commits that: the facts and the rows come
    /// to be together, or neither does. When it changes nothing, the rows are committed alone.
    ///
    /// A command that was carried out before is answered as it was, and the transaction rolled back with whatever was
    /// changed in it now.
    ///
    /// The rows come first and this last, because the partition's lock is held from the append to the commit. Nobody
    /// who waits for a row may hold it: whoever changes rows with facts does it in this order.
    ///
    /// # Errors
    ///
    /// See [`ExecuteError`]; the transaction is rolled back. [`ExecuteError::Unavailable`] may also say that it is not
    /// known whether it was committed: the id of the command tells, when it comes again.
    #[tracing::instrument(name = "log.commit", skip_all, fields(context = self.log.context()))]
    pub async fn commit(
        mut self,
        mut rows: Transaction<'_, Postgres>,
        meta: &Meta,
    ) -> Result<Committed, ExecuteError<Refusal>> {
        let log = self.log;
        // After the rows: who has a turn waits for the log alone, and so never in a circle.
        let turn = log.hot().turn(self.targets()).await;
        let mut parts = borrowed(&mut self.parts);
        let reached = reach(log, &mut parts, &mut Way::Within(&mut rows), meta).await;
        let done = match reached {
            Ok(done) if done.repeated => {
                rows.rollback().await?;
                drop(turn);
                again(log, &parts, meta, done).await
            }
            Ok(done) => {
                rows.commit().await?;
                if let Some(first) = parts.first() {
                    log.reached(log.part_of(first.target().tenant), done.position);
                }
                keep(log, &mut parts, done);
                Ok(done)
            }
            Err(error) => Err(error),
        };
        done.map_err(|error| self.refused(error))
    }

    fn targets(&self) -> Vec<Target> {
        self.parts.iter().map(|part| part.target()).collect()
    }

    fn refused(&mut self, error: ExecuteError<()>) -> ExecuteError<Refusal> {
        let refusal = self.parts.iter_mut().find_map(|part| part.refusal());
        error.refused(|| refusal.expect("a part that refused says why"))
    }
}

fn borrowed(parts: &mut [Box<dyn Part>]) -> Vec<&mut dyn Part> {
    parts.iter_mut().map(|part| &mut **part).collect()
}
