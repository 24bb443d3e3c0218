//! Campaigns through the door of admins: what they say of themselves, where they may be moved, and how they are deleted.

use std::time::Duration as Real;

use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        Campaign, CampaignStatus, ChangeCampaignStatusRequest, CreateCampaignRequest,
        DeletionRequest, EditCampaignRequest, GetCampaignRequest,
        campaigns_client::CampaignsClient, get_campaign_request::Which,
    },
};
use meydan_testkit::post::{Encryption, MailServer};
use time::Duration;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{
    harness::{Identity, PANEL, PASSWORD, admin, member},
    letters::with_mail,
};

const ADMIN: &str = "admin@meydan.example";

fn campaigns(identity: &Identity) -> CampaignsClient<Channel> {
    CampaignsClient::new(identity.dial.channel())
}

/// The first admin, who begins.
async fn begin(identity: &Identity) -> Caller {
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, ADMIN).await.expect("the link is good");
    identity.holder(&session).await
}

/// The same, days later.
async fn come_back(identity: &Identity) -> Caller {
    let session = identity.log_in(ADMIN, PASSWORD, "192.0.2.1").await;
    identity.holder(&session.expect("the password is right")).await
}

pub(crate) async fn move_to(
    identity: &Identity,
    (by, id): (&Caller, Uuid),
    to: CampaignStatus,
) -> Result<(), Failure> {
    let message = ChangeCampaignStatusRequest { campaign_id: id.to_string(), status: to.into() };
    let request = identity.dial.command(by, Uuid::now_v7(), message);
    campaigns(identity).change_campaign_status(request).await?;
    Ok(())
}

async fn request(identity: &Identity, by: &Caller, id: Uuid) -> Result<i64, Failure> {
    let message = DeletionRequest { campaign_id: id.to_string() };
    let request = identity.dial.command(by, Uuid::now_v7(), message);
    Ok(campaigns(identity).request_deletion(request).await?.into_inner().position)
}

async fn withdraw(identity: &Identity, by: &Caller, id: Uuid) -> Result<i64, Failure> {
    let message = DeletionRequest { campaign_id: id.to_string() };
    let request = identity.dial.command(by, Uuid::now_v7(), message);
    Ok(campaigns(identity).withdraw_deletion(request).await?.into_inner().position)
}

async fn shown(identity: &Identity, id: Uuid, min_position: i64) -> Campaign {
    let which = Some(Which::CampaignId(id.to_string()));
    let request = identity.dial.ask(&admin(), GetCampaignRequest { which, min_position });
    campaigns(identity).get_campaign(request).await.expect("it is there").into_inner()
}

/// Waits until there are so many facts of a kind; each look is a question to the log.
async fn until(identity: &Identity, kind: &str, count: i64) {
    let pool = identity.database().await;
    let looking = async {
        loop {
            let facts = sqlx::query_scalar("SELECT count(*) FROM es.events WHERE event_type = $1");
            let facts: i64 = facts.bind(kind).fetch_one(&pool).await.expect("it answers");
            if facts == count {
                return;
            }
        }
    };
    let found = tokio::time::timeout(Real::from_secs(30), looking).await;
    found.unwrap_or_else(|_| panic!("there are never {count} facts {kind}"));
}

/// Waits until no link into a campaign is kept.
async fn until_no_links(identity: &Identity, campaign: Uuid) {
    let pool = identity.database().await;
    let looking = async {
        loop {
            let kept =
                sqlx::query_scalar("SELECT count(*) FROM invitations WHERE campaign_id = $1");
            let kept: i64 = kept.bind(campaign).fetch_one(&pool).await.expect("it answers");
            if kept == 0 {
                return;
            }
        }
    };
    tokio::time::timeout(Real::from_secs(30), looking).await.expect("links go with the campaign");
}

#[tokio::test]
async fn a_campaign_is_deleted_thirty_days_after_that_was_asked_for_and_erased_with_it() {
    let identity = Identity::start().await;
    let (tehran, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let owner = identity.accept(&link, "").await.expect("the link is good");
    let admin = begin(&identity).await;
    let code = |code: &str| Err(Failure::Refused(format!("identity.campaign.{code}")));
    assert_eq!(request(&identity, &admin, tehran).await, code("running"));
    move_to(&identity, (&admin, tehran), CampaignStatus::Archived).await.expect("it may be moved");
    let back = move_to(&identity, (&admin, tehran), CampaignStatus::Active).await;
    assert_eq!(back, code("move").map(|_: i64| ()), "it is reopened by way of suspension");

    // Asked for, withdrawn, and asked for again ten days later: the first request comes to nothing.
    let asked = request(&identity, &admin, tehran).await.expect("it is archived");
    assert!(shown(&identity, tehran, asked).await.deletion_due_at.is_some());
    let suspended = move_to(&identity, (&admin, tehran), CampaignStatus::Suspended).await;
    assert_eq!(suspended, code("leaving").map(|_: i64| ()));
    let kept = withdraw(&identity, &admin, tehran).await.expect("it is not due");
    assert!(shown(&identity, tehran, kept).await.deletion_due_at.is_none());
    identity.advance(Duration::days(10));
    let admin = come_back(&identity).await;
    request(&identity, &admin, tehran).await.expect("it is archived");
    until(&identity, "campaign.deletion_requested", 2).await;
    identity.invite(tehran, "sara@meydan.example", "Sara").await;
    identity.advance(Duration::days(30));
    until(&identity, "campaign.deleted", 1).await;
    until(&identity, "subject.erased", 1).await;
    until_no_links(&identity, tehran).await;

    let last = sqlx::query_scalar("SELECT max(position) FROM es.events");
    let last: i64 = last.fetch_one(&identity.database().await).await.expect("it answers");
    let gone = shown(&identity, tehran, last).await;
    assert_eq!(gone.status(), CampaignStatus::Deleted);
    assert_eq!((gone.moves.len(), gone.may_be_deleted), (0, false));
    assert!(identity.team(tehran).await.is_empty());
    assert!(!identity.is_known(&owner).await, "their session has long ended");
    let admin = come_back(&identity).await;
    assert_eq!(withdraw(&identity, &admin, tehran).await, code("leaving"));
    let again = identity.campaign("tehran", Uuid::now_v7()).await;
    assert_eq!(again, Err(Failure::Refused("identity.key_taken".into())), "nobody takes its name");
}

#[tokio::test]
async fn only_admins_delete_campaigns() {
    let identity = Identity::start().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let all = identity_domain::CATALOGUE.iter().map(|permission| permission.name);
    let owner = member(tehran, &all.collect::<Vec<_>>());

    let message = DeletionRequest { campaign_id: tehran.to_string() };
    let request = identity.dial.command(&owner, Uuid::now_v7(), message);
    let refused = campaigns(&identity).request_deletion(request).await.map_err(Failure::from);
    assert_eq!(refused.err(), Some(Failure::Denied));
}

#[tokio::test]
async fn everybody_who_works_in_a_campaign_is_told_by_mail_that_it_will_be_deleted_or_stays() {
    let server = MailServer::start(Encryption::Plain, None).await.expect("aiosmtpd starts");
    let identity = with_mail(&server, "smtp://HERE").await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    identity.invite(tehran, "sara@meydan.example", "Sara").await;
    for _ in 0..2 {
        let link = server.next().await.expect("an invitation").token(&format!("{PANEL}/welcome/"));
        identity.accept(&link, "").await.expect("the link is good");
    }
    // Who was only asked does not work there.
    identity.invite(tehran, "omid@meydan.example", "Omid").await;
    server.next().await.expect("his invitation");
    let admin = begin(&identity).await;
    move_to(&identity, (&admin, tehran), CampaignStatus::Archived).await.expect("it may be moved");

    let team = ["sara@meydan.example", "tehran@meydan.example"];
    request(&identity, &admin, tehran).await.expect("it is archived");
    let letters = [server.next().await.expect("a mail"), server.next().await.expect("a mail")];
    let mut to = letters.each_ref().map(|mail| mail.to[0].as_str());
    to.sort_unstable();
    assert_eq!(to, team);
    for mail in &letters {
        assert_eq!(mail.subject(), "ستاد نرگس حذف می‌شود");
        let text = mail.text.replace(['\u{2068}', '\u{2069}'], "");
        assert!(text.contains("تا ۳۰ روز دیگر"), "{text}");
        assert!(text.contains(&format!("{PANEL}/c/tehran")), "{text}");
    }

    withdraw(&identity, &admin, tehran).await.expect("it is not due");
    let letters = [server.next().await.expect("a mail"), server.next().await.expect("a mail")];
    let mut to = letters.each_ref().map(|mail| mail.to[0].as_str());
    to.sort_unstable();
    assert_eq!(to, team);
    assert!(letters.iter().all(|mail| mail.subject() == "ستاد نرگس حذف نمی‌شود"));
    identity.end().await;
    assert_eq!(server.waiting().await, 0, "nobody is told twice");
}

#[tokio::test]
async fn a_home_region_is_one_of_the_provinces_or_none() {
    let identity = Identity::start().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    assert_eq!(shown(&identity, tehran, 0).await.home_region, "IR-23");
    let admin = begin(&identity).await;
    let edit = async |home_region: &str| {
        let seen = shown(&identity, tehran, 0).await;
        let message = EditCampaignRequest {
            campaign_id: seen.campaign_id,
            candidate_name: seen.candidate_name,
            office: seen.office,
            constituency: seen.constituency,
            locale: seen.locale,
            home_region: home_region.to_owned(),
        };
        let request = identity.dial.command(&admin, Uuid::now_v7(), message);
        let done = campaigns(&identity).edit_campaign(request).await.map_err(Failure::from)?;
        Ok::<_, Failure>(done.into_inner().position)
    };

    for (said, kept) in [("IR-10", "IR-10"), (" IR-30 ", "IR-30"), ("", "")] {
        let position = edit(said).await.expect("it is a province, or none");
        assert_eq!(shown(&identity, tehran, position).await.home_region, kept);
    }
    for wrong in ["Tehran", "IR-31", "ir-10", "IR-1"] {
        let Err(Failure::Malformed(fields)) = edit(wrong).await else {
            panic!("{wrong} is no province");
        };
        assert_eq!(fields[0].0, "home_region");
    }
    let message = CreateCampaignRequest { home_region: "Mars".to_owned(), ..Default::default() };
    let request = identity.dial.command(&admin, Uuid::now_v7(), message);
    let refused = campaigns(&identity).create_campaign(request).await.map_err(Failure::from);
    let Err(Failure::Malformed(fields)) = refused else { panic!("nothing of it is right") };
    assert!(fields.iter().any(|(field, _)| field == "home_region"), "{fields:?}");
}
