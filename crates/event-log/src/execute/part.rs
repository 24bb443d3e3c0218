//! One aggregate's part of a command: what it knows, decides and remembers, whatever its type.

use std::{any::Any, sync::Arc};

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use futures::future::BoxFuture;
use uuid::Uuid;

use super::Refusal;
use crate::{
    append::{Committed, NewEvent, NewEvents, UniqueKey},
    codec::Event,
    load::LoadError,
    log::{EventLog, Loaded, Target},
    snapshot::{Snapshot, is_due, state_version},
};

/// What an aggregate says to its part of a command.
pub(super) enum Verdict {
    /// It changes by these, or by none.
    Events(Vec<NewEvent>),
    Refused,
}

/// One aggregate's part of a command, whatever its type.
pub(super) trait Part: Any + Send {
    fn target(&self) -> Target;
    fn aggregate_type(&self) -> &'static str;
    /// Remembers what the cache has, once it is one's turn.
    fn recall(&mut self, log: &EventLog);
    /// Whether it is worth judging at once: the aggregate is known, or commands like this begin theirs.
    fn is_guess_good(&self, log: &EventLog) -> bool;
    /// Has the aggregate take keys, if it changes or another one does.
    fn take(&mut self, keys: &[UniqueKey]);
    /// The aggregate's turn.
    fn change(&self, events: Vec<NewEvent>) -> NewEvents;
    fn judge(&mut self) -> BoxFuture<'_, Verdict>;
    /// Asks the log for what is not known yet; the first answer, if the command was carried out before.
    fn look<'a>(
        &'a mut self,
        log: &'a EventLog,
        command: Uuid,
    ) -> BoxFuture<'a, Result<Option<Committed>, LoadError>>;
    /// Remembers the state after the command.
    fn keep(&mut self, log: &EventLog);
    /// How many events the aggregate has, as far as is known.
    fn sequence(&self) -> i64;
    /// Why it said no.
    fn refusal(&mut self) -> Option<Refusal>;
}

/// The part of an `A`.
pub(super) struct Of<A: Aggregate> {
    pub(super) target: Target,
    /// What it is asked, in order, and where that comes from if not from where the group does.
    commands: Vec<(A::Command, Option<Arc<str>>)>,
    keys: Vec<UniqueKey>,
    known: Loaded<A>,
    /// Whether the cache did not know the aggregate, and what it is has not been learnt from yet.
    is_strange: bool,
    decided: Option<Loaded<A>>,
    pub(super) refusal: Option<A::Error>,
}

impl<A> Of<A>
where
    A: Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send,
    A::Event: Event,
{
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            commands: Vec::new(),
            keys: Vec::new(),
            known: Loaded::default(),
            is_strange: true,
            decided: None,
            refusal: None,
        }
    }

    /// Asks it for one thing more.
    pub(super) fn ask(&mut self, command: A::Command, meta: Option<Arc<str>>) {
        self.commands.push((command, meta));
    }

    /// What it is asked first, by which it is guessed whether the aggregate begins.
    fn first(&self) -> Option<&A::Command> {
        self.commands.first().map(|(command, _)| command)
    }

    /// Lets the next command of this kind profit from what this one met.
    fn learn(&mut self, log: &EventLog) {
        if std::mem::take(&mut self.is_strange)
            && let Some(first) = self.first()
        {
            log.hot().learn::<A>(first, self.known.sequence == 0);
        }
    }
}

impl<A> Part for Of<A>
where
    A: Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send,
    A::Error: Send + Sync + 'static,
    A::Event: Event,
{
    fn target(&self) -> Target {
        self.target
    }

    fn aggregate_type(&self) -> &'static str {
        A::TYPE
    }

    fn recall(&mut self, log: &EventLog) {
        if let Some(known) = log.hot().get(self.target) {
            (self.known, self.is_strange) = (known, false);
        }
    }

    fn is_guess_good(&self, log: &EventLog) -> bool {
        !self.is_strange || self.first().is_some_and(|first| log.hot().begins::<A>(first))
    }

    fn take(&mut self, keys: &[UniqueKey]) {
        self.keys.extend_from_slice(keys);
    }

    fn change(&self, events: Vec<NewEvent>) -> NewEvents {
        NewEvents {
            tenant: self.target.tenant,
            aggregate_type: A::TYPE,
            aggregate_id: self.target.id,
            expected: self.known.sequence,
            keys: self.keys.clone(),
            events,
        }
    }

    fn judge(&mut self) -> BoxFuture<'_, Verdict> {
        Box::pin(async move {
            // What was decided in a race that was lost never came to be.
            self.decided = None;
            let mut after = self.known.clone();
            let mut events = Vec::new();
            for (command, meta) in self.commands.clone() {
                let sink = EventSink::default();
                if let Err(refusal) = after.aggregate.handle(command, &(), &sink).await {
                    self.refusal = Some(refusal);
                    return Verdict::Refused;
                }
                let decided = sink.collect().await;
                let decided = decided.iter().map(new_event);
                events.extend(decided.map(|event| NewEvent { meta: meta.clone(), ..event }));
            }
            if !events.is_empty() {
                after.sequence += i64::try_from(events.len()).expect("a command has few events");
                self.decided = Some(after);
            }
            Verdict::Events(events)
        })
    }

    fn look<'a>(
        &'a mut self,
        log: &'a EventLog,
        command: Uuid,
    ) -> BoxFuture<'a, Result<Option<Committed>, LoadError>> {
        Box::pin(async move {
            let known = std::mem::take(&mut self.known);
            let (known, first_answer) = log.catch_up(self.target, known, command).await?;
            self.known = known;
            if first_answer.is_none() {
                self.learn(log);
            }
            Ok(first_answer)
        })
    }

    fn keep(&mut self, log: &EventLog) {
        self.learn(log);
        let Some(decided) = self.decided.take() else { return };
        if is_due(self.known.sequence, decided.sequence) {
            log.snapshots().offer(Snapshot {
                target: self.target,
                aggregate_type: A::TYPE,
                sequence: decided.sequence,
                state_version: state_version::<A>(),
                state: serde_json::to_string(&decided.aggregate).expect("a state is plain data"),
            });
        }
        log.hot().put(self.target, decided);
    }

    fn sequence(&self) -> i64 {
        self.known.sequence
    }

    fn refusal(&mut self) -> Option<Refusal> {
        self.refusal.take().map(Into::into)
    }
}

pub(crate) fn new_event<E: DomainEvent>(event: &E) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        kind: event.event_type(),
        version: event.event_version().parse().expect("versions are small whole numbers"),
        payload: serde_json::to_string(event).expect("events are plain data"),
        meta: None,
    }
}
