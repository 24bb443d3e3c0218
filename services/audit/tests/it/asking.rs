//! What may be asked, by whom, and what they see.

use std::time::Duration;

use meydan_event_log::{Actor, PLATFORM};
use meydan_keyring::Sealed;
use meydan_rpc::{
    caller::{Caller, Who},
    guard::PROOF_NEEDED,
    origin::{address_place, origin},
    outcome::Failure,
    pb::audit::{
        Entry, ExportEntriesRequest, Filter, ListEntriesRequest, entries_client::EntriesClient,
    },
};
use serde_json::json;
use uuid::Uuid;

use crate::ground::{
    Audit, CITIZEN, ISFAHAN, OWNER, TEHRAN, account, admin, bring, fact, facts, of, owner,
    reader_of,
};

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
    let staff = account(OWNER, false, Some(TEHRAN), &["crm:ticket.read"]);
    let refused = audit.list(&staff, of(TEHRAN)).await;
    assert!(matches!(refused, Err(Failure::Denied)), "{refused:?}");
    let service = Caller::service("gateway", Some(TEHRAN));
    assert!(matches!(audit.list(&service, of(TEHRAN)).await, Err(Failure::Denied)));
    assert_eq!(audit.list(&admin(), Filter::default()).await.map(|all| all.len()).ok(), Some(10));
}

#[tokio::test]
async fn admins_do_not_learn_who_a_citizen_is_neither_from_ids_nor_by_asking_for_one() {
    let audit = Audit::start().await;
    let met = fact(1, TEHRAN, ("citizen.met", json!({})), citizen());
    let acted = fact(2, TEHRAN, ("dialogue.citizen_acted", json!({"did": "start"})), citizen());
    bring(&audit.pool, "crm", &[met, acted]).await;
    let admin = admin();
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
    let both = account(OWNER, true, Some(TEHRAN), &["identity:audit.read"]);
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

    assert_eq!(exported(&audit, &proved(caller), of(TEHRAN)).await.expect("it goes on"), seen);
}

#[tokio::test]
async fn an_export_is_for_whoever_has_just_proved_who_they_are_and_a_page_for_all_who_may_read() {
    let audit = Audit::start().await;
    bring(&audit.pool, "crm", &facts(1..=2)).await;
    for caller in [reader_of(TEHRAN), admin()] {
        assert_eq!(audit.list(&caller, of(TEHRAN)).await.expect("they may").len(), 1);
        for fresh_until in [None, Some(0)] {
            let stale = Caller { fresh_until, ..caller.clone() };
            let refused = exported(&audit, &stale, of(TEHRAN)).await.map_err(Failure::from);
            assert_eq!(refused, Err(Failure::Refused(PROOF_NEEDED.to_owned())));
        }
        let whole = exported(&audit, &proved(caller), of(TEHRAN)).await;
        assert_eq!(whole.expect("they may").len(), 1);
    }
}

/// The same, who has just proved who they are.
fn proved(caller: Caller) -> Caller {
    Caller { fresh_until: Some(i64::MAX), ..caller }
}

/// All that an export brings; an error when it breaks off.
async fn exported(
    audit: &Audit,
    caller: &Caller,
    filter: Filter,
) -> Result<Vec<Entry>, tonic::Status> {
    let request = audit.dial.ask(caller, ExportEntriesRequest { filter: Some(filter) });
    let mut client = EntriesClient::new(audit.dial.channel());
    let mut pieces = client.export_entries(request).await?.into_inner();
    let mut exported = vec![];
    while let Some(piece) = pieces.message().await? {
        exported.extend(piece.entries);
    }
    Ok(exported)
}

#[tokio::test]
async fn an_export_brings_all_however_many_and_breaks_off_where_the_database_goes_away() {
    let audit = Audit::start().await;
    // More than were ever exported at once, of which the last came first.
    let many = "INSERT INTO entries
                SELECT n, $1, n, 'crm', 0, n, gen_random_uuid(), now(), 'service', NULL, 'crm', NULL, NULL, 'x.y', 1, 'x',
                       $1, n, $1, $1, NULL, NULL, '{}', '', '' FROM generate_series(1, 100_500) n";
    sqlx::query(many).bind(TEHRAN).execute(&audit.pool).await.expect("the service may add");
    let admin = proved(admin());
    let all = exported(&audit, &admin, of(TEHRAN)).await.expect("it goes on");
    assert_eq!(all.len(), 100_500);

    let request = audit.dial.ask(&admin, ExportEntriesRequest { filter: Some(of(TEHRAN)) });
    let mut client = EntriesClient::new(audit.dial.channel());
    let mut pieces = client.export_entries(request).await.expect("it begins").into_inner();
    pieces.message().await.expect("it comes").expect("there are more");
    // Pieces that are on their way arrive; whoever reads slowly holds the rest back.
    audit.pool.close().await;
    let broken = async {
        while pieces.message().await?.is_some() {}
        Ok::<_, tonic::Status>(())
    };
    let broken = tokio::time::timeout(Duration::from_secs(20), broken).await.expect("it ends");
    assert_eq!(broken.expect_err("it is no whole").code(), tonic::Code::Unavailable);
}

/// Somebody of the team, and one of the platform's staff.
const SARA: Uuid = Uuid::from_u128(0x5a);
const STAFF: Uuid = Uuid::from_u128(0x57);

#[tokio::test]
async fn an_address_is_shown_to_whom_it_concerns_and_to_nobody_once_its_owner_is_erased() {
    let audit = Audit::start().await;
    let person = |id| Actor::Account { id, session: None };
    let mut all = vec![fact(1, TEHRAN, ("member.joined", json!({})), person(SARA))];
    all[0].aggregate_id = Uuid::new_v5(&TEHRAN, SARA.as_bytes());
    for (position, tenant, who) in [
        (2, TEHRAN, SARA),
        (3, TEHRAN, STAFF),
        (4, ISFAHAN, STAFF),
        (5, PLATFORM, SARA),
        (6, PLATFORM, STAFF),
    ] {
        all.push(fact(position, tenant, ("ticket.status_changed", json!({})), person(who)));
    }
    for (fact, number) in all.iter_mut().zip(1..) {
        let Actor::Account { id, .. } = fact.meta.actor else { panic!("people act here") };
        let origin = origin(&audit.keyring, id, &format!("192.0.2.{number}")).await;
        fact.meta.address = origin.expect("there are keys").map(|origin| origin.sealed);
    }
    // One that belongs to somebody else opens for nobody.
    let mut moved = fact(7, PLATFORM, ("ticket.status_changed", json!({})), person(STAFF));
    moved.meta.address = all[1].meta.address.clone();
    all.push(moved);
    bring(&audit.pool, "crm", &all).await;
    let seen = async |caller: &Caller, filter: Filter| {
        let found = audit.list(caller, filter).await.expect("they may");
        let known = found.into_iter().filter(|entry| !entry.address.is_empty());
        known.map(|entry| (entry.position, entry.address)).collect::<Vec<_>>()
    };
    let at = |positions: &[i64]| {
        positions.iter().map(|at| (*at, format!("192.0.2.{at}"))).collect::<Vec<_>>()
    };

    assert_eq!(seen(&reader_of(TEHRAN), of(TEHRAN)).await, at(&[2, 1]), "the team's, not staff's");
    let staff = |id| account(id, true, None, &[]);
    assert_eq!(seen(&staff(OWNER), of(TEHRAN)).await, at(&[3]), "staff's, not the team's");
    assert_eq!(seen(&staff(OWNER), Filter::default()).await, at(&[6, 5, 4, 3]));
    assert_eq!(seen(&staff(SARA), of(TEHRAN)).await, at(&[3, 2, 1]), "and one's own");
    let mut looking = reader_of(TEHRAN);
    looking.who = Who::Impersonator { id: STAFF, session: Uuid::from_u128(5), subject: OWNER };
    assert_eq!(
        seen(&looking, of(TEHRAN)).await,
        at(&[3]),
        "staff in an owner's place: their own alone"
    );
    let copy = exported(&audit, &proved(reader_of(TEHRAN)), of(TEHRAN)).await.expect("it goes on");
    assert_eq!(copy.iter().filter(|entry| entry.address.starts_with("192.")).count(), 2);

    let asked = ("{}", crate::ground::NOON);
    audit.keyring.erase(PLATFORM, SARA, asked).await.expect("it can be");
    assert_eq!(seen(&reader_of(TEHRAN), of(TEHRAN)).await, []);
    let kept = "SELECT address_sealed FROM entries WHERE position = 2";
    let kept: String = sqlx::query_scalar(kept).fetch_one(&audit.pool).await.expect("it stays");
    let kept: Sealed<String> = kept.parse().expect("it is sealed");
    let opened = audit.keyring.reveal(&kept, PLATFORM, &address_place(SARA)).await;
    assert_eq!(opened.expect("the keys answer"), None);
}

#[tokio::test]
async fn what_one_request_led_to_stands_in_the_order_in_which_it_happened() {
    let audit = Audit::start().await;
    let request = Uuid::from_u128(0x99);
    let step = |position, minute: i64, action| {
        let mut fact = fact(position, TEHRAN, (action, json!({})), owner());
        fact.meta.correlation_id = request;
        fact.recorded_at = crate::ground::NOON + time::Duration::minutes(minute);
        fact
    };
    // The reader of one log is quicker than that of another, from which its facts follow.
    bring(&audit.pool, "crm", &[step(1, 2, "ticket.opened"), step(2, 4, "ticket.reply_sent")])
        .await;
    bring(
        &audit.pool,
        "bot_hub",
        &[step(1, 1, "dialogue.started"), step(2, 3, "dialogue.reply_sent")],
    )
    .await;
    let asked = Filter { correlation_id: request.to_string(), ..of(TEHRAN) };

    let seen = audit.list(&reader_of(TEHRAN), asked.clone()).await.expect("it is theirs");
    let actions: Vec<_> = seen.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        ["ticket.reply_sent", "dialogue.reply_sent", "ticket.opened", "dialogue.started"]
    );

    let message = ListEntriesRequest { filter: Some(asked.clone()), before: 0, limit: 3 };
    let first = audit.ask(&reader_of(TEHRAN), message).await.expect("it is theirs");
    let before = first.entries.iter().map(|entry| entry.arrival).min().expect("some");
    let message = ListEntriesRequest { filter: Some(asked), before, limit: 3 };
    let rest = audit.ask(&reader_of(TEHRAN), message).await.expect("it is theirs");
    assert_eq!((first.more, first.entries.len(), rest.entries.len()), (true, 3, 1));
}
