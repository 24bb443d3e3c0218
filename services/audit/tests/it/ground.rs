//! A database of the audit, and facts to put into it.

use audit::record::{reached, record};
use meydan_event_log::{Actor, Meta, Recorded, service_pool};
use meydan_testkit::servers::{postgres, prefix};
use serde_json::{Value, json, value::to_raw_value};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

pub(crate) const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
pub(crate) const TEHRAN: Uuid = Uuid::from_u128(0x7e);
pub(crate) const ISFAHAN: Uuid = Uuid::from_u128(0x15);
pub(crate) const OWNER: Uuid = Uuid::from_u128(0xa);
pub(crate) const CITIZEN: Uuid = Uuid::from_u128(0xc);

/// Where the audit's database is, made and migrated.
pub(crate) async fn url() -> String {
    audit::migrate(postgres(), &prefix()).await.expect("it migrates")
}

/// As the service sees it.
pub(crate) async fn pool(url: &str) -> PgPool {
    service_pool(url.parse().expect("it is a URL"), 4).await.expect("it answers")
}

/// A fact at a position, a minute after the one before.
pub(crate) fn fact(
    position: i64,
    tenant: Uuid,
    (action, payload): (&str, Value),
    actor: Actor,
) -> Recorded {
    let id = Uuid::from_u128(u128::try_from(position).expect("positions are positive"));
    Recorded {
        part: 0,
        position,
        tenant,
        aggregate_type: action.split('.').next().unwrap_or_default().to_owned(),
        aggregate_id: if action.starts_with("citizen") { CITIZEN } else { id },
        sequence: 1,
        event_id: id,
        event_type: action.to_owned(),
        event_version: 1,
        payload: to_raw_value(&payload).expect("it is JSON"),
        meta: Meta::new(id, actor),
        recorded_at: NOON + Duration::minutes(position),
    }
}

pub(crate) fn owner() -> Actor {
    Actor::Account { id: OWNER, session: Some(Uuid::from_u128(5)) }
}

/// Facts of two campaigns in turn.
pub(crate) fn facts(positions: std::ops::RangeInclusive<i64>) -> Vec<Recorded> {
    let one = |position: i64| {
        let tenant = if position % 2 == 0 { TEHRAN } else { ISFAHAN };
        fact(
            position,
            tenant,
            ("ticket.status_changed", json!({"from": "new", "to": "closed"})),
            owner(),
        )
    };
    positions.map(one).collect()
}

/// Brings facts, as a reader that is where the entries are.
pub(crate) async fn bring(pool: &PgPool, log: &str, facts: &[Recorded]) {
    let after = reached(pool, log).await.expect("it answers");
    record(pool, log, after, facts).await.expect("they arrive");
}
