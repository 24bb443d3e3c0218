//! What the record is told: from where people act, who reads it, and what operators do.

use std::collections::BTreeSet;

use meydan_keyring::Sealed;
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{NoteReadingRequest, Role, records_client::RecordsClient},
};
use time::Duration;
use uuid::Uuid;

use crate::{
    harness::{Identity, admin, from, member},
    team::Team,
};

/// The kind of a fact, its actor, and the sealed address in its envelope.
type Told = (String, String, Option<String>);

async fn told(identity: &Identity) -> Vec<Told> {
    let facts = "SELECT event_type, meta::jsonb #>> '{actor,id}', meta::jsonb ->> 'address'
                 FROM es.events WHERE meta::jsonb #>> '{actor,kind}' = 'account' ORDER BY position";
    sqlx::query_as(facts).fetch_all(&identity.database().await).await.expect("it answers")
}

#[tokio::test]
async fn whatever_somebody_does_is_told_with_from_where_under_their_own_key() {
    let team = Team::start().await;
    let sara = team.join("sara", Role::Staff).await;
    let member_id = team.id(sara.account).await;
    let owner = Caller { address: Some("192.0.2.1".to_owned()), ..team.owner.caller.clone() };
    team.deactivate(&owner, &member_id).await.expect("an owner may");
    let guest = from("198.51.100.77", "");
    let refused = team.identity.enter("tehran@meydan.example", "wrong", guest).await;
    assert!(refused.is_err());
    team.identity.end().await;

    let told = told(&team.identity).await;
    let with = |kind: &str, who: Uuid| {
        let found =
            told.iter().filter(|(other, actor, _)| other == kind && *actor == who.to_string());
        found.filter_map(|(_, _, address)| address.clone()).collect::<Vec<_>>()
    };
    let deactivated = with("member.deactivated", team.owner.account);
    assert_eq!(deactivated.len(), 1, "{told:?}");
    assert_eq!(with("member.invited", team.owner.account).len(), 0, "nobody said from where");
    assert_eq!(with("account.logged_in", sara.account).len(), 1);
    assert_eq!(with("member.joined", sara.account).len(), 1);
    assert_eq!(with("account.log_in_failed", team.owner.account).len(), 1);
    // One key each, and no address that can be read.
    let key = |text: &String| text.parse::<Sealed<String>>().expect("it is sealed").key_id();
    let keys = |who: Uuid| {
        let theirs = told.iter().filter(|(_, actor, _)| *actor == who.to_string());
        theirs.filter_map(|(_, _, address)| address.as_ref()).map(key).collect::<BTreeSet<_>>()
    };
    let (owners, saras) = (keys(team.owner.account), keys(sara.account));
    assert_eq!((owners.len(), saras.len()), (1, 1));
    assert!(owners.is_disjoint(&saras));
    let open = "SELECT count(*) FROM es.events WHERE meta::text ~ '192\\.0\\.2|198\\.51\\.100'";
    let open: i64 = sqlx::query_scalar(open)
        .fetch_one(&team.identity.database().await)
        .await
        .expect("it answers");
    assert_eq!(open, 0);
}

/// Says that somebody reads the record of a campaign.
async fn reads(
    identity: &Identity,
    caller: &Caller,
    (command, campaign): (Uuid, Uuid),
    page: Option<&str>,
) -> Result<(), Failure> {
    let message = NoteReadingRequest {
        campaign_ids: vec![campaign.to_string()],
        page: page.unwrap_or_default().to_owned(),
        exported: page.is_none(),
    };
    let mut records = RecordsClient::new(identity.dial.channel());
    records.note_reading(identity.dial.command(caller, command, message)).await?;
    Ok(())
}

#[tokio::test]
async fn staff_that_opens_a_campaigns_record_is_on_it_once_a_quarter_of_an_hour_and_page() {
    let team = Team::start().await;
    let (identity, campaign) = (&team.identity, team.campaign);
    let open = async |page| reads(identity, &admin(), (Uuid::now_v7(), campaign), Some(page)).await;
    for page in ["audit", "audit.request", "audit", "audit"] {
        assert_eq!(open(page).await, Ok(()));
    }
    assert_eq!(identity.facts("record.opened").await, 2, "each page once");
    let whose = "SELECT tenant_id, aggregate_id, meta::jsonb #>> '{actor,id}' FROM es.events
                 WHERE event_type = 'record.opened' LIMIT 1";
    let database = identity.database().await;
    let whose: (Uuid, Uuid, String) =
        sqlx::query_as(whose).fetch_one(&database).await.expect("it answers");
    assert_eq!(whose, (campaign, campaign, Uuid::from_u128(1).to_string()), "the campaign sees it");

    identity.advance(Duration::minutes(15));
    assert_eq!(open("audit").await, Ok(()));
    assert_eq!(identity.facts("record.opened").await, 3);
    for page in ["", "/admin/audit", "Sara", &"x".repeat(41)] {
        assert!(matches!(open(page).await, Err(Failure::Malformed(_))), "{page}");
    }

    let own = member(campaign, &["identity:audit.read"]);
    assert_eq!(reads(identity, &own, (Uuid::now_v7(), campaign), Some("audit")).await, Ok(()));
    assert_eq!(identity.facts("record.opened").await, 3, "a team is at home in its own");
}

#[tokio::test]
async fn every_copy_of_a_record_is_on_it_whoever_takes_it_and_nobody_writes_into_anothers() {
    let team = Team::start().await;
    let (identity, campaign) = (&team.identity, team.campaign);
    let own = member(campaign, &["identity:audit.read"]);
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    for (caller, copy) in [(&own, first), (&own, first), (&own, second), (&admin(), Uuid::now_v7())]
    {
        assert_eq!(reads(identity, caller, (copy, campaign), None).await, Ok(()));
    }
    assert_eq!(identity.facts("record.exported").await, 3, "one that is said twice is one");
    assert_eq!(reads(identity, &admin(), (first, Uuid::nil()), None).await, Ok(()));
    assert_eq!(identity.facts("record.exported").await, 4, "the platform's own");

    let stranger = member(Uuid::from_u128(77), &["identity:audit.read"]);
    for (caller, whose) in [(&stranger, campaign), (&own, Uuid::nil())] {
        let refused = reads(identity, caller, (Uuid::now_v7(), whose), None).await;
        assert_eq!(refused, Err(Failure::NotFound));
    }
    let staff = member(campaign, &["crm:ticket.read"]);
    let refused = reads(identity, &staff, (Uuid::now_v7(), campaign), None).await;
    assert_eq!(refused, Err(Failure::Denied));
    assert_eq!(identity.facts("record.exported").await, 4);
}

#[tokio::test]
async fn the_link_of_the_first_admin_is_on_record() {
    let identity = Identity::start().await;

    identity.first_link().await.expect("there is no admin yet");

    assert_eq!(identity.facts("operation.first_link_made").await, 1);
}
