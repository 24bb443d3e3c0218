//! Given facts of the bot hub, when the policy takes them, then facts of the ticket.

use crm::policies::when_reply_settled_record::WhenReplySettledRecord;
use crm_domain::{
    Citizen, Ticket, TicketCommand,
    body::Kind,
    citizen::CitizenCommand,
    ticket::{Answer, Incoming},
};
use meydan_event_log::{EventLog, Outcome};
use meydan_testkit::given::Given;
use serde_json::{Value, json};

use crate::{BOT, MEMBER, NOON, SARA, TICKET, at, inbox_of_its_own, message, of, origin, sealed};

/// An inbox in which Sara has written and a member has answered, and the policy that records the answer's fate.
struct Desk {
    log: EventLog,
    policy: WhenReplySettledRecord,
    _secrets: tempfile::TempDir,
}

impl Desk {
    async fn answered() -> Self {
        let (log, crm, secrets) = inbox_of_its_own().await;
        let desk = Self { log, policy: WhenReplySettledRecord::new(crm), _secrets: secrets };
        desk.write().await;
        desk
    }

    async fn write(&self) {
        let meet = CitizenCommand::Meet {
            person: sealed(),
            fingerprint: "sara".to_owned(),
            wrote: true,
            at: NOON,
        };
        let met = self.log.execute::<Citizen>(of(SARA), meet, &origin(1)).await;
        met.expect("she may write");
        let receive = TicketCommand::Receive(Incoming {
            message_id: message(1),
            citizen_id: SARA,
            bot_id: BOT,
            channel_message_id: 1,
            body: sealed(),
            kind: Kind::Text,
            subject: sealed(),
            album: None,
            at: at(1),
        });
        let reply = TicketCommand::Reply(Answer {
            message_id: message(2),
            body: sealed(),
            author: MEMBER,
            author_name: sealed(),
            blocked: false,
            at: at(2),
        });
        for (number, command) in (2..).zip([receive, reply]) {
            let done = self.log.execute::<Ticket>(of(TICKET), command, &origin(number)).await;
            done.expect("it is taken");
        }
    }

    /// Kinds of facts that were caused by another one.
    async fn caused(&self) -> Vec<String> {
        let facts = self.log.after(0, 0, 100).await.expect("it can be read");
        let caused = facts.into_iter().filter(|fact| fact.meta.causation_id.is_some());
        caused.map(|fact| fact.event_type).collect()
    }
}

/// A fact of the dialogue with Sara.
fn told(event_type: &str, more: &Value) -> Given {
    let mut payload = json!({
        "type": event_type,
        "ticket_id": TICKET,
        "message_id": message(2),
        "at": "2026-11-21T12:03:00Z",
    });
    if let (Some(payload), Some(more)) = (payload.as_object_mut(), more.as_object()) {
        payload.extend(more.clone());
    }
    Given::nothing().told(of(SARA), "dialogue", (event_type, 1), &payload)
}

#[tokio::test]
async fn an_answer_that_arrived_is_recorded_once_and_leads_back_to_its_cause() {
    let desk = Desk::answered().await;

    let said = told("dialogue.reply_sent", &json!({})).answered_by(&desk.policy).await;

    assert_eq!(said, [Outcome::Done]);
    assert_eq!(desk.caused().await, ["ticket.reply_sent"], "told twice, recorded once");
}

#[tokio::test]
async fn who_blocked_the_bot_is_known_to_have_done_so_besides() {
    let desk = Desk::answered().await;

    let given = told("dialogue.reply_failed", &json!({"failure": "blocked"}));
    let said = given.answered_by(&desk.policy).await;

    assert_eq!(said, [Outcome::Done]);
    assert_eq!(desk.caused().await, ["citizen.blocked_bot", "ticket.reply_failed"]);
}

#[tokio::test]
async fn facts_of_no_concern_are_ignored_and_those_that_cannot_be_read_are_kept_aside() {
    let desk = Desk::answered().await;

    let of_no_concern = told("dialogue.begun", &json!({})).answered_by(&desk.policy).await;
    let unreadable = told("dialogue.reply_failed", &json!({"failure": "a flood"}));
    let unreadable = unreadable.answered_by(&desk.policy).await;

    assert_eq!(of_no_concern, [Outcome::Ignored]);
    assert!(matches!(unreadable[..], [Outcome::Park(_)]), "{unreadable:?}");
    assert!(desk.caused().await.is_empty());
}
