//! A subject: whoever has a key of their own, such as a citizen, an account or a bot. Its id is theirs.

use std::convert::Infallible;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

/// A subject, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Subject {
    erased: bool,
}

/// What may be asked of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectCommand {
    /// Be forgotten.
    Erase {
        /// When it was asked for.
        at: OffsetDateTime,
    },
}

/// A fact about a subject. It holds nothing personal: it stays when all else is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SubjectEvent {
    /// They are erased: their keys are destroyed, and their rows go.
    #[serde(rename = "subject.erased")]
    Erased {
        /// When it was asked for.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for SubjectEvent {}

impl DomainEvent for SubjectEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Erased { .. } => "subject.erased",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Subject {
    const TYPE: &'static str = "subject";

    type Command = SubjectCommand;
    type Event = SubjectEvent;
    /// Nobody is refused to be forgotten.
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        command: SubjectCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        let SubjectCommand::Erase { at } = command;
        if !self.erased {
            sink.write(SubjectEvent::Erased { at }, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: SubjectEvent) {
        match event {
            SubjectEvent::Erased { .. } => self.erased = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use time::macros::datetime;

    use super::{Subject, SubjectCommand, SubjectEvent};

    const NOON: time::OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    #[test]
    fn a_subject_is_erased_once() {
        let erase = || SubjectCommand::Erase { at: NOON };
        let erased = vec![SubjectEvent::Erased { at: NOON }];

        let subjects = TestFramework::<Subject>::with(());
        subjects.given_no_previous_events().when(erase()).then_expect_events(erased.clone());
        TestFramework::<Subject>::with(()).given(erased).when(erase()).then_expect_events(vec![]);
    }

    #[test]
    fn the_stored_fact_is_this_one() {
        let stored = r#"{"type":"subject.erased","at":"2026-11-21T12:00:00Z"}"#;

        let fact = SubjectEvent::Erased { at: NOON };

        assert_eq!(meydan_event_log::golden::pin(stored, &[fact]), Ok(()));
    }
}
