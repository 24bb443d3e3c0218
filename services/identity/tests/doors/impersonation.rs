//! An admin who looks as a member: what they see, for how long, who is told, and what they may not.

mod nothing;

use meydan_rpc::{
    caller::{Caller, Who},
    outcome::Failure,
    pb::identity::{
        CampaignStatus, ChangeAccountRequest, ChangeCampaignStatusRequest, ChangeMemberRequest,
        EndImpersonationRequest, ImpersonateRequest, InviteMemberRequest, ListAccountsRequest,
        ListHistoryRequest, ListMembersRequest, ListSessionsRequest, LogOutRequest,
        NoteLookRequest, Role, campaigns_client::CampaignsClient,
    },
};
use time::Duration;
use uuid::Uuid;

use crate::{
    factors::Sara,
    harness::{Identity, gateway},
    oversight::{id, refused},
    team::{Colleague, Team},
};

const WHY: &str = "The owner asked why the inbox is empty.";

/// An admin, and a member of a campaign whom they look as.
struct Scene {
    team: Team,
    sara: Colleague,
    admin: Caller,
    session: String,
}

impl Scene {
    async fn set() -> Self {
        let team = Team::start().await;
        let sara = team.join("sara", Role::Manager).await;
        let (admin, session) = team.identity.staff().await;
        Self { team, sara, admin, session }
    }

    const fn identity(&self) -> &Identity {
        &self.team.identity
    }

    async fn look(&self, account: Uuid, reason: &str) -> Result<String, Failure> {
        self.look_by(&self.admin, account, reason).await
    }

    /// The same by somebody else.
    async fn look_by(
        &self,
        caller: &Caller,
        account: Uuid,
        reason: &str,
    ) -> Result<String, Failure> {
        let message = ImpersonateRequest {
            account_id: account.to_string(),
            campaign_id: self.team.campaign.to_string(),
            reason: reason.to_owned(),
        };
        // A form that was kept is sent again with the id that it had.
        let request = self.identity().dial.command(caller, Uuid::from_u128(7), message);
        Ok(self.identity().oversight().impersonate(request).await?.into_inner().slug)
    }

    /// One more admin, at work.
    async fn colleague(&self, email: &str) -> Sara {
        let link = self.identity().ask_admin(&self.admin, email).await.expect("an admin may");
        let session = self.identity().accept(&link, "").await.expect("the link is good");
        self.identity().enrol(&session).await
    }

    /// As whom the admin's session looks now.
    async fn looks_as(&self) -> Option<String> {
        let held = self.identity().held(&self.session).await;
        assert_eq!(held.impersonation.is_none(), held.is_admin, "one or the other");
        held.impersonation.map(|seen| seen.account_id)
    }

    /// Says that the admin's session opens a page.
    async fn opens(&self, page: &str) -> Result<(), Failure> {
        let message =
            NoteLookRequest { session_token: self.session.clone(), page: page.to_owned() };
        let request = self.identity().dial.ask(&gateway(), message);
        self.identity().sessions().note_look(request).await?;
        Ok(())
    }

    async fn log_out(&self, session: &str) {
        let message = LogOutRequest { session_token: session.to_owned() };
        let request = self.identity().dial.ask(&gateway(), message);
        self.identity().sessions().log_out(request).await.expect("it ends");
    }

    /// How often it is on record that a look ended before its time.
    async fn ended(&self) -> i64 {
        self.identity().facts("account.impersonation_ended").await
    }

    /// Who calls while the admin looks, as the gateway asserts.
    async fn looking(&self) -> Caller {
        let held = self.identity().held(&self.session).await;
        let seen = held.impersonation.expect("they look");
        let id = |text: &str| text.parse().expect("an id");
        Caller {
            who: Who::Impersonator {
                id: id(&held.account_id),
                session: id(&held.session_id),
                subject: id(&seen.account_id),
            },
            campaign: Some(self.team.campaign),
            permissions: held.memberships[0].permissions.clone(),
            ..Caller::service("", None)
        }
    }
}

#[tokio::test]
async fn an_admin_reads_what_a_member_may_and_changes_nothing() {
    let scene = Scene::set().await;
    assert_eq!(scene.look(scene.sara.account, WHY).await.as_deref(), Ok("tehran"));

    let held = scene.identity().held(&scene.session).await;
    assert_eq!(held.memberships.len(), 1);
    let may = &held.memberships[0].permissions;
    assert!(may.iter().all(|permission| permission.rsplit('.').next() == Some("read")), "{may:?}");
    assert!(may.contains(&"identity:member.read".to_owned()), "{may:?}");
    assert!(!may.contains(&"identity:audit.read".to_owned()), "a manager may not either");

    let (looking, dial) = (scene.looking().await, &scene.identity().dial);
    let mut members = scene.team.members();
    assert!(members.list_members(dial.ask(&looking, ListMembersRequest::default())).await.is_ok());
    // Were the assertion to name everything that the member may, it would still open nothing but questions.
    let mut all = looking.clone();
    all.permissions.clone_from(&scene.sara.caller.permissions);
    let message = InviteMemberRequest {
        email: "x@meydan.example".to_owned(),
        display_name: "X".to_owned(),
        role: Role::Staff.into(),
    };
    let invited = members.invite_member(dial.command(&all, Uuid::now_v7(), message)).await;
    assert_eq!(invited.map(|_| ()).map_err(Failure::from), Err(Failure::Denied));
    let member_id = scene.team.seen(scene.sara.account).await.expect("she is there").member_id;
    let message = ChangeMemberRequest { member_id };
    let done = members.deactivate(dial.command(&all, Uuid::now_v7(), message)).await;
    assert_eq!(done.map(|_| ()).map_err(Failure::from), Err(Failure::Denied));
    let mut accounts = scene.identity().accounts();
    let own = accounts.list_sessions(dial.ask(&all, ListSessionsRequest {})).await;
    assert_eq!(own.map(|_| ()).map_err(Failure::from), Err(Failure::Denied), "hers are hers");
    let listed = scene.identity().oversight();
    let listed = listed.clone().list_accounts(dial.ask(&all, ListAccountsRequest::default())).await;
    assert_eq!(listed.map(|_| ()).map_err(Failure::from), Err(Failure::Denied), "nor an admin's");
}

#[tokio::test]
async fn it_is_on_record_for_the_member_and_the_campaign_and_the_member_gets_a_letter() {
    let scene = Scene::set().await;
    scene.look(scene.sara.account, WHY).await.expect("an admin may");

    let database = scene.identity().database().await;
    let query = "SELECT event_type, tenant_id, meta::jsonb #>> '{actor,id}', meta::jsonb ->> 'on_behalf_of',
                        payload::text FROM es.events WHERE event_type LIKE '%.impersonated' ORDER BY 1";
    let facts: Vec<(String, Uuid, String, String, String)> =
        sqlx::query_as(query).fetch_all(&database).await.expect("it answers");
    let kinds = facts.iter().map(|fact| fact.0.as_str()).collect::<Vec<_>>();
    assert_eq!(kinds, ["account.impersonated", "member.impersonated"]);
    assert_eq!(facts[1].1, scene.team.campaign, "the campaign's own record has it");
    let held = scene.identity().held(&scene.session).await;
    for (kind, _, actor, subject, payload) in &facts {
        assert_eq!((actor, subject), (&held.account_id, &scene.sara.account.to_string()), "{kind}");
        assert!(!payload.contains("inbox"), "the reason is sealed");
    }
    let request = scene.identity().dial.ask(&scene.sara.caller, ListHistoryRequest::default());
    let history = scene.identity().accounts().list_history(request).await.expect("it is hers");
    assert_eq!(history.get_ref().entries[0].kind, "account.impersonated");
    scene.identity().letter("kind = 'impersonation' AND state = 'sent'").await;
    let letters = std::fs::read_to_string(scene.identity().sink()).expect("the sink is there");
    assert!(letters.contains("inbox is empty") && letters.contains("sara@meydan.example"));
}

#[tokio::test]
async fn it_takes_a_reason_and_a_proof_and_somebody_who_works_there() {
    let scene = Scene::set().await;
    let sara = scene.sara.account;
    for reason in ["", "too short", &"x".repeat(501)] {
        let refused = scene.look(sara, reason).await;
        assert!(matches!(refused, Err(Failure::Malformed(_))), "{refused:?}");
    }
    let Who::Account { id: admin, .. } = scene.admin.who else { panic!("an admin is a person") };
    assert_eq!(scene.look(admin, WHY).await, refused("account.oneself"));
    let link = scene.team.invite(&scene.team.owner, "omid", Role::Staff).await;
    link.expect("an owner may");
    let invited = scene.identity().team(scene.team.campaign).await;
    assert!(invited.iter().any(|member| member.invited));
    let stranger = Uuid::from_u128(7);
    assert_eq!(scene.look(stranger, WHY).await, Err(Failure::NotFound));
    scene.identity().suspend(&scene.admin, sara, true).await.expect("an admin may");
    assert_eq!(scene.look(sara, WHY).await, refused("impersonation.suspended"));
    scene.identity().suspend(&scene.admin, sara, false).await.expect("an admin may");
    scene.identity().advance(Duration::minutes(6));
    assert_eq!(scene.look(sara, WHY).await, refused("proof.needed"));

    assert_eq!(scene.identity().facts("member.impersonated").await, 0);
    assert_eq!(scene.looks_as().await, None);
}

#[tokio::test]
async fn nobody_begins_to_look_who_is_out_or_suspended_or_no_admin_any_more_or_cannot_prove_it() {
    let scene = Scene::set().await;
    let identity = scene.identity();
    for how in ["out", "suspended", "dismissed", "closed"] {
        let omid = scene.colleague(&format!("{how}@meydan.example")).await;
        // What a gateway was told a moment ago it still asserts.
        let caller = identity.holder(&omid.session).await;
        match how {
            "out" => scene.log_out(&omid.session).await,
            "suspended" => {
                identity.suspend(&scene.admin, id(&caller), true).await.expect("an admin may");
            }
            "dismissed" => {
                identity.dismiss(&scene.admin, id(&caller)).await.expect("an admin may");
            }
            _ => {
                for _ in 0..20 {
                    assert!(identity.prove_again(&omid.session, "000000").await.is_err());
                }
                identity.advance(Duration::minutes(6));
                let right = identity.prove_again(&omid.session, &identity.code(&omid)).await;
                assert_eq!(right, refused("proof.wrong"), "it is closed to guessers");
            }
        }
        let expected =
            if how == "closed" { refused("proof.needed") } else { Err(Failure::NotFound) };
        assert_eq!(scene.look_by(&caller, scene.sara.account, WHY).await, expected, "{how}");
    }
    assert_eq!(identity.facts("account.impersonated").await, 0);
    assert_eq!(identity.facts("member.impersonated").await, 0);
}

#[tokio::test]
async fn it_ends_after_fifteen_minutes_when_the_admin_ends_it_and_with_their_session() {
    let scene = Scene::set().await;
    let sara = scene.sara.account;
    let seen = Some(sara.to_string());
    scene.look(sara, WHY).await.expect("an admin may");
    assert_eq!(scene.looks_as().await, seen);
    let message = EndImpersonationRequest { session_token: scene.session.clone() };
    let end = async || {
        let request = scene.identity().dial.ask(&gateway(), message.clone());
        scene.identity().sessions().end_impersonation(request).await.expect("it always may");
    };
    end().await;
    end().await;
    assert_eq!(scene.looks_as().await, None);
    assert_eq!(scene.identity().facts("account.impersonation_ended").await, 1);

    scene.look(sara, WHY).await.expect("the proof is fresh");
    scene.identity().advance(Duration::minutes(15) - Duration::seconds(1));
    assert_eq!(scene.looks_as().await, seen);
    scene.identity().advance(Duration::seconds(1));
    assert_eq!(scene.looks_as().await, None, "and no second longer");

    scene.log_out(&scene.session).await;
    assert!(!scene.identity().is_known(&scene.session).await);
    assert_eq!(scene.ended().await, 1, "what was over by itself did not end again");
}

#[tokio::test]
async fn every_end_before_its_time_is_on_record_for_the_member() {
    for how in [
        "log out",
        "end the sessions",
        "suspend the member",
        "suspend the admin",
        "deactivate the member",
        "stop the campaign",
    ] {
        let scene = Scene::set().await;
        let Who::Account { id: admin, .. } = scene.admin.who else { panic!("a person") };
        scene.look(scene.sara.account, WHY).await.expect("an admin may");
        let identity = scene.identity();
        let (other, _) = identity.colleague(&scene.admin, "other@meydan.example").await;
        match how {
            "log out" => scene.log_out(&scene.session).await,
            "end the sessions" => {
                let message = ChangeAccountRequest { account_id: admin.to_string() };
                let request = identity.dial.command(&other, Uuid::now_v7(), message);
                identity.oversight().end_account_sessions(request).await.expect("an admin may");
            }
            "suspend the member" => {
                identity.suspend(&other, scene.sara.account, true).await.expect("an admin may");
            }
            "deactivate the member" => {
                let (owner, sara) =
                    (&scene.team.owner.caller, scene.team.id(scene.sara.account).await);
                scene.team.deactivate(owner, &sara).await.expect("an owner may");
            }
            "stop the campaign" => {
                let message = ChangeCampaignStatusRequest {
                    campaign_id: scene.team.campaign.to_string(),
                    status: CampaignStatus::Suspended.into(),
                };
                let request = identity.dial.command(&other, Uuid::now_v7(), message);
                let mut campaigns = CampaignsClient::new(identity.dial.channel());
                campaigns.change_campaign_status(request).await.expect("an admin may");
            }
            _ => {
                let omid = scene.colleague("omid@meydan.example").await;
                let omid = identity.holder(&omid.session).await;
                identity.suspend(&omid, admin, true).await.expect("an admin may");
            }
        }

        assert_eq!(scene.ended().await, 1, "{how}");
        let database = identity.database().await;
        let query = "SELECT aggregate_id, meta::jsonb ->> 'on_behalf_of' FROM es.events
                     WHERE event_type = 'account.impersonation_ended'";
        let (about, subject): (Uuid, String) =
            sqlx::query_as(query).fetch_one(&database).await.expect("it answers");
        assert_eq!((about, subject), (scene.sara.account, scene.sara.account.to_string()));
    }
}

#[tokio::test]
async fn what_was_opened_is_on_record_once_a_look_for_the_member_and_the_campaign() {
    let scene = Scene::set().await;
    assert_eq!(scene.opens("inbox").await, Err(Failure::NotFound), "nobody looks");
    scene.look(scene.sara.account, WHY).await.expect("an admin may");
    for page in ["home", "inbox", "inbox", "inbox.number", "inbox"] {
        assert_eq!(scene.opens(page).await, Ok(()));
    }
    for page in ["", "/c/tehran/inbox", "Sara", "inbox 1001", &"x".repeat(41)] {
        assert!(matches!(scene.opens(page).await, Err(Failure::Malformed(_))), "{page}");
    }
    let strange = Caller::service("crm", None);
    let message = NoteLookRequest { session_token: scene.session.clone(), page: "team".to_owned() };
    let request = scene.identity().dial.ask(&strange, message);
    let noted = scene.identity().sessions().note_look(request).await.map_err(Failure::from);
    assert_eq!(noted.map(|_| ()), Err(Failure::Denied), "the gateway alone knows");

    let database = scene.identity().database().await;
    let query = "SELECT tenant_id, payload::jsonb ->> 'page', meta::jsonb #>> '{actor,id}'
                 FROM es.events WHERE event_type = 'member.looked_at' ORDER BY position";
    let opened: Vec<(Uuid, String, String)> =
        sqlx::query_as(query).fetch_all(&database).await.expect("it answers");
    let pages = opened.iter().map(|fact| fact.1.as_str()).collect::<Vec<_>>();
    assert_eq!(pages, ["home", "inbox", "inbox.number"], "each page once");
    let admin = scene.identity().held(&scene.session).await.account_id;
    assert!(opened.iter().all(|fact| fact.0 == scene.team.campaign && fact.2 == admin));
    let request = scene.identity().dial.ask(&scene.sara.caller, ListHistoryRequest::default());
    let history = scene.identity().accounts().list_history(request).await.expect("it is hers");
    let seen = history.get_ref().entries.iter().take(3).map(|entry| entry.page.as_str());
    assert_eq!(seen.collect::<Vec<_>>(), ["inbox.number", "inbox", "home"]);

    scene.identity().advance(Duration::minutes(4));
    scene.look(scene.sara.account, WHY).await.expect("the proof is fresh");
    assert_eq!(scene.opens("inbox").await, Ok(()));
    assert_eq!(scene.identity().facts("member.looked_at").await, 4, "another look is another one");
    scene.identity().advance(Duration::minutes(15));
    assert_eq!(scene.opens("inbox").await, Err(Failure::NotFound), "it is over");
}

#[tokio::test]
async fn it_ends_when_the_member_is_deactivated_or_suspended() {
    let scene = Scene::set().await;
    let sara = scene.sara.account;
    scene.look(sara, WHY).await.expect("an admin may");
    let member_id = scene.team.seen(sara).await.expect("she is there").member_id;
    scene.team.deactivate(&scene.team.owner.caller, &member_id).await.expect("an owner may");
    assert_eq!(scene.looks_as().await, None);

    let omid = scene.team.join("omid", Role::Staff).await;
    scene.look(omid.account, WHY).await.expect("an admin may");
    assert_eq!(scene.looks_as().await, Some(omid.account.to_string()));
    let (other, _) = scene.identity().colleague(&scene.admin, "other@meydan.example").await;
    scene.identity().suspend(&other, omid.account, true).await.expect("an admin may");
    assert_eq!(scene.looks_as().await, None);
}

#[tokio::test]
async fn every_look_is_on_record_however_often_one_form_is_sent() {
    let scene = Scene::set().await;
    let ali = scene.team.join("ali", Role::Staff).await;

    for account in [scene.sara.account, ali.account, scene.sara.account] {
        scene.look(account, WHY).await.expect("they work there");
    }

    for kind in ["account.impersonated", "member.impersonated"] {
        assert_eq!(scene.identity().facts(kind).await, 3, "{kind}");
    }
}
