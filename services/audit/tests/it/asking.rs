//! What may be asked, by whom, and what they see.

use audit::grpc::{POLICIES, routes};
use meydan_event_log::Actor;
use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    guard::Guard,
    outcome::Failure,
    pb::audit::{
        Entry, ExportEntriesRequest, Filter, ListEntriesRequest, ListEntriesResponse,
        entries_client::EntriesClient,
    },
    server::{Workers, listen, serve},
};
use serde_json::json;
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::ground::{CITIZEN, ISFAHAN, OWNER, TEHRAN, bring, fact, facts, owner, pool, url};

struct Audit {
    dial: Dial,
    pool: PgPool,
    _stop: DropGuard,
}

impl Audit {
    async fn start() -> Self {
        let pool = pool(&url().await).await;
        let listener = listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let (assertions, stop) = (Assertions::generate(), CancellationToken::new());
        let guard = Guard::new(audit::NAME, POLICIES, assertions.clone());
        let mut tasks = JoinSet::new();
        let end = CancellationToken::new();
        let ended = end.clone();
        tasks.spawn(async move { ended.cancelled().await });
        let workers = Workers { tasks, end, database: pool.clone() };
        tokio::spawn(serve(listener, guard, routes(pool.clone()), workers, stop.clone()));
        let dial = Dial::new("test", audit::NAME, address, assertions);
        Self { dial, pool, _stop: stop.drop_guard() }
    }

    async fn list(&self, caller: &Caller, filter: Filter) -> Result<Vec<Entry>, Failure> {
        let message = ListEntriesRequest { filter: Some(filter), before: 0, limit: 200 };
        Ok(self.ask(caller, message).await?.entries)
    }

    async fn ask(
        &self,
        caller: &Caller,
        message: ListEntriesRequest,
    ) -> Result<ListEntriesResponse, Failure> {
        let mut client = EntriesClient::new(self.dial.channel());
        Ok(client.list_entries(self.dial.ask(caller, message)).await?.into_inner())
    }
}

fn account(admin: bool, campaign: Option<Uuid>, permissions: &[&str]) -> Caller {
    Caller {
        who: Who::Account { id: OWNER, session: Uuid::from_u128(5), admin },
        campaign,
        permissions: permissions.iter().map(ToString::to_string).collect(),
        address: None,
        fresh_until: None,
    }
}

fn reader_of(campaign: Uuid) -> Caller {
    account(false, Some(campaign), &["identity:audit.read"])
}

fn of(campaign: Uuid) -> Filter {
    Filter { campaign_id: campaign.to_string(), ..Filter::default() }
}

fn citizen() -> Actor {
    Actor::Citizen { id: CITIZEN }
}

#[tokio::test]
async fn a_campaign_reads_its_own_and_nothing_of_others_nor_of_the_platform() {
    let audit = Audit::start().await;
    bring(&audit.pool, "crm", &facts(1..=10)).await;

    let own = audit.list(&reader_of(TEHRAN), of(TEHRAN)).await.expect("it is theirs");
    assert_eq!(own.len(), 5);
    assert!(own.iter().all(|entry| entry.campaign_id == TEHRAN.to_string()));
    for other in [of(ISFAHAN), of(Uuid::nil()), Filter::default()] {
        let refused = audit.list(&reader_of(TEHRAN), other).await;
        assert!(matches!(refused, Err(Failure::NotFound)), "{refused:?}");
    }
    let staff = account(false, Some(TEHRAN), &["crm:ticket.read"]);
    let refused = audit.list(&staff, of(TEHRAN)).await;
    assert!(matches!(refused, Err(Failure::Denied)), "{refused:?}");
    let service = Caller::service("gateway", Some(TEHRAN));
    assert!(matches!(audit.list(&service, of(TEHRAN)).await, Err(Failure::Denied)));
    assert_eq!(
        audit.list(&account(true, None, &[]), Filter::default()).await.map(|all| all.len()).ok(),
        Some(10)
    );
}

#[tokio::test]
async fn admins_do_not_learn_who_a_citizen_is_neither_from_ids_nor_by_asking_for_one() {
    let audit = Audit::start().await;
    let met = fact(1, TEHRAN, ("citizen.met", json!({})), citizen());
    let acted = fact(2, TEHRAN, ("dialogue.citizen_acted", json!({"did": "start"})), citizen());
    bring(&audit.pool, "crm", &[met, acted]).await;
    let admin = account(true, None, &[]);
    let id = CITIZEN.to_string();

    let seen = audit.list(&admin, of(TEHRAN)).await.expect("admins may");
    assert_eq!(seen.len(), 2);
    assert!(!format!("{seen:?}").contains(&id), "{seen:?}");
    for asked in [
        Filter { actor_id: id.clone(), ..of(TEHRAN) },
        Filter { target_id: id.clone(), ..Filter::default() },
    ] {
        assert_eq!(audit.list(&admin, asked).await.expect("nothing is found"), []);
    }
    // An admin who is of the team reads as the team does.
    let both = account(true, Some(TEHRAN), &["identity:audit.read"]);
    for caller in [reader_of(TEHRAN), both] {
        let asked = Filter { actor_id: id.clone(), ..of(TEHRAN) };
        assert_eq!(audit.list(&caller, asked).await.expect("it is theirs").len(), 2);
    }
}

#[tokio::test]
async fn filters_find_who_did_what_when_and_within_which_request() {
    let audit = Audit::start().await;
    let mut all = facts(1..=20);
    all.push(fact(
        21,
        TEHRAN,
        ("bot.failed", json!({"problem": "unreachable"})),
        Actor::Service { name: "bot-hub".to_owned() },
    ));
    all.push(fact(22, TEHRAN, ("bot.recovered", json!({})), owner()));
    bring(&audit.pool, "crm", &all).await;
    let caller = reader_of(TEHRAN);
    let found = async |filter| audit.list(&caller, filter).await.expect("it is theirs").len();

    assert_eq!(found(Filter { action: "bot.".into(), ..of(TEHRAN) }).await, 2);
    assert_eq!(found(Filter { action: "bot.failed".into(), ..of(TEHRAN) }).await, 1);
    let any_of = vec!["bot.failed".to_owned()];
    let elsewhere = found(Filter { any_of, ..of(TEHRAN) }).await;
    assert_eq!(elsewhere, 0, "only what happened in identity");
    assert_eq!(found(Filter { actor_kind: "service".into(), ..of(TEHRAN) }).await, 1);
    assert_eq!(found(Filter { actor_id: OWNER.to_string(), ..of(TEHRAN) }).await, 11);
    let four = Uuid::from_u128(4).to_string();
    assert_eq!(found(Filter { correlation_id: four.clone(), ..of(TEHRAN) }).await, 1);
    assert_eq!(found(Filter { target_id: four, ..of(TEHRAN) }).await, 1);
    let minute = |minutes| {
        let at = crate::ground::NOON + time::Duration::minutes(minutes);
        Some(meydan_rpc::form::timestamp(at))
    };
    assert_eq!(found(Filter { from: minute(4), until: minute(8), ..of(TEHRAN) }).await, 2);
    let refused = audit.list(&caller, Filter { actor_id: "x' OR 1=1".into(), ..of(TEHRAN) }).await;
    assert!(matches!(refused, Err(Failure::Malformed(_))), "{refused:?}");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_and_an_export_has_them_all() {
    let audit = Audit::start().await;
    bring(&audit.pool, "crm", &facts(1..=2_600)).await;
    let caller = reader_of(TEHRAN);
    let (mut before, mut seen) = (0, vec![]);
    loop {
        let message = ListEntriesRequest { filter: Some(of(TEHRAN)), before, limit: 200 };
        let page = audit.ask(&caller, message).await.expect("it is theirs");
        before = page.entries.last().map_or(0, |entry| entry.arrival);
        seen.extend(page.entries);
        if !page.more {
            break;
        }
    }
    assert_eq!(seen.len(), 1_300);
    assert!(seen.is_sorted_by(|one, other| one.arrival > other.arrival));

    let request = audit.dial.ask(&caller, ExportEntriesRequest { filter: Some(of(TEHRAN)) });
    let mut client = EntriesClient::new(audit.dial.channel());
    let mut pieces = client.export_entries(request).await.expect("it is theirs").into_inner();
    let mut exported = vec![];
    while let Some(piece) = pieces.message().await.expect("it goes on") {
        exported.extend(piece.entries);
    }
    assert_eq!(exported, seen);
}
