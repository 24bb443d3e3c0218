//! A database of the audit, and facts to put into it.

use audit::{
    grpc::{POLICIES, routes},
    record::{reached, record},
};
use meydan_event_log::{Actor, Clock, Meta, Recorded, prepare_database, service_pool};
use meydan_keyring::{KeyFile, Keyring};
use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    guard::Guard,
    outcome::Failure,
    pb::audit::{
        Entry, Filter, ListEntriesRequest, ListEntriesResponse, entries_client::EntriesClient,
    },
    server::{Workers, listen, serve},
};
use meydan_testkit::servers::{folder, postgres, prefix};
use serde_json::{Value, json, value::to_raw_value};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
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

/// The audit, served, with keys of its own.
pub(crate) struct Audit {
    pub(crate) dial: Dial,
    pub(crate) pool: PgPool,
    pub(crate) keyring: Keyring,
    _secrets: TempDir,
    _stop: DropGuard,
}

impl Audit {
    pub(crate) async fn start() -> Self {
        let (pool, secrets) = (pool(&url().await).await, folder());
        let keys = format!("{}keys", prefix());
        let keys = prepare_database(postgres(), &keys, &[&meydan_keyring::MIGRATOR]).await;
        let keys = PgPoolOptions::new().max_connections(2).connect(&keys.expect("keys")).await;
        let platform = KeyFile::open(&secrets.path().join("platform.key"));
        let keyring =
            Keyring::new(keys.expect("it answers"), std::sync::Arc::new(platform.expect("a key")));
        let listener = listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let (assertions, stop) = (Assertions::generate(), CancellationToken::new());
        let guard = Guard::new(audit::NAME, POLICIES, assertions.clone(), Clock::system());
        let mut tasks = JoinSet::new();
        let end = CancellationToken::new();
        let ended = end.clone();
        tasks.spawn(async move { ended.cancelled().await });
        let workers = Workers { tasks, end, database: pool.clone() };
        let routes = routes(pool.clone(), keyring.clone());
        tokio::spawn(serve(listener, guard, routes, workers, stop.clone()));
        let dial = Dial::new(audit::NAME, address, assertions);
        Self { dial, pool, keyring, _secrets: secrets, _stop: stop.drop_guard() }
    }

    pub(crate) async fn list(
        &self,
        caller: &Caller,
        filter: Filter,
    ) -> Result<Vec<Entry>, Failure> {
        let message = ListEntriesRequest { filter: Some(filter), before: 0, limit: 200 };
        Ok(self.ask(caller, message).await?.entries)
    }

    pub(crate) async fn ask(
        &self,
        caller: &Caller,
        message: ListEntriesRequest,
    ) -> Result<ListEntriesResponse, Failure> {
        let mut client = EntriesClient::new(self.dial.channel());
        Ok(client.list_entries(self.dial.ask(caller, message)).await?.into_inner())
    }
}

/// Somebody with a login.
pub(crate) fn account(
    id: Uuid,
    admin: bool,
    campaign: Option<Uuid>,
    permissions: &[&str],
) -> Caller {
    Caller {
        who: Who::Account { id, session: Uuid::from_u128(5), admin },
        campaign,
        permissions: permissions.iter().map(ToString::to_string).collect(),
        address: None,
        fresh_until: None,
    }
}

pub(crate) fn reader_of(campaign: Uuid) -> Caller {
    account(OWNER, false, Some(campaign), &["identity:audit.read"])
}

pub(crate) fn admin() -> Caller {
    account(OWNER, true, None, &[])
}

pub(crate) fn of(campaign: Uuid) -> Filter {
    Filter { campaign_id: campaign.to_string(), ..Filter::default() }
}
