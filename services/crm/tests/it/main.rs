//! The inbox behind its doors: what its tables show of facts, and what it records of facts of others.

mod inbox;
mod received;
mod settled;

use std::sync::Arc;

use crm::{app::Crm, projections::Inbox};
use crm_domain::{
    Citizen, CitizenEvent, Ticket, TicketEvent,
    body::{Body, Kind},
};
use meydan_event_log::{
    Actor, Clock, EventLog, Meta, ProjectionRunner, Source, Target, prepare_database,
};
use meydan_keyring::{KeyFile, Keyring, Sealed};
use meydan_testkit::{given::Given, servers};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const CAMPAIGN: Uuid = Uuid::from_u128(1);
const SARA: Uuid = Uuid::from_u128(2);
const TICKET: Uuid = Uuid::from_u128(3);
const BOT: Uuid = Uuid::from_u128(5);
const MEMBER: Uuid = Uuid::from_u128(9);

/// An aggregate of the campaign.
fn of(id: Uuid) -> Target {
    Target { tenant: CAMPAIGN, id }
}

fn sealed<T>() -> Sealed<T> {
    "s1.00000000000000000000000000000007.AAAA".parse().expect("it has the form of one")
}

fn at(minute: i64) -> OffsetDateTime {
    NOON + Duration::minutes(minute)
}

/// The name of a message.
fn message(number: i64) -> Uuid {
    Uuid::from_u128(100 + u128::try_from(number).expect("positive"))
}

fn received(number: i64) -> TicketEvent {
    let body: Sealed<Body> = sealed();
    TicketEvent::MessageReceived {
        message_id: message(number),
        channel_message_id: number,
        from: None,
        body,
        album: None,
        at: at(number),
    }
}

fn written(number: i64) -> TicketEvent {
    TicketEvent::ReplyWritten {
        message_id: message(number),
        citizen_id: SARA,
        body: sealed(),
        author: MEMBER,
        author_name: sealed(),
        at: at(number),
    }
}

fn met() -> CitizenEvent {
    CitizenEvent::Met { person: sealed(), fingerprint: "sara".to_owned(), at: NOON }
}

/// Sara has written, and a member has answered.
fn conversation() -> Given {
    let opened =
        TicketEvent::Opened { citizen_id: SARA, subject: sealed(), kind: Kind::Text, at: at(1) };
    Given::nothing()
        .fact::<Citizen>(of(SARA), &met())
        .fact::<Ticket>(of(TICKET), &opened)
        .fact::<Ticket>(of(TICKET), &received(1))
        .fact::<Ticket>(of(TICKET), &written(2))
}

/// A database of the inbox's own.
async fn database() -> String {
    crm::migrate(servers::postgres(), &servers::prefix()).await.expect("it migrates")
}

/// An inbox at noon, its log, and the folder with its key.
async fn inbox_of_its_own() -> (EventLog, Crm, tempfile::TempDir) {
    let log = EventLog::open("crm", &database().await, 4).await.expect("the log opens");
    let secrets = servers::folder();
    let keys = format!("{}keys", servers::prefix());
    let keys = prepare_database(servers::postgres(), &keys, &[&meydan_keyring::MIGRATOR]).await;
    let keys = PgPool::connect(&keys.expect("it can be made")).await.expect("it answers");
    let platform = KeyFile::open(&secrets.path().join("platform.key")).expect("a key");
    let keyring = Keyring::new(keys, Arc::new(platform));
    let inbox = Inbox { nats: None, pool: log.pool().clone() };
    let source = Source::Log(log.clone(), 0);
    let shown = ProjectionRunner::new(inbox, source, log.pool().clone()).progress();
    let crm = Crm::new(log.clone(), keyring, shown, Clock::new(|| NOON));
    (log, crm, secrets)
}

fn origin(command: u128) -> Meta {
    Meta::new(Uuid::from_u128(command), Actor::Service { name: "test".to_owned() })
}
