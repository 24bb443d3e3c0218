//! Accounts through the admins' door: found, closed and opened, and what of a closed one still opens anything.

use meydan_rpc::{
    caller::{Caller, Who},
    outcome::Failure,
    pb::identity::{
        Account, AccountDetail, AccountStatus, AuthenticateKeyRequest, ChangeAccountRequest,
        ChangePasswordRequest, CreateApiKeyRequest, GetAccountRequest, ListAccountsRequest,
        ProveAgainRequest, ResendInvitationRequest, Role, WhichAccounts,
        api_keys_client::ApiKeysClient, oversight_client::OversightClient,
    },
};
use time::Duration;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{
    harness::{Identity, PASSWORD, from, gateway},
    team::Team,
};

const OWNER: &str = "tehran@meydan.example";

pub(crate) fn refused<T>(code: &str) -> Result<T, Failure> {
    Err(Failure::Refused(format!("identity.{code}")))
}

impl Identity {
    pub(crate) fn oversight(&self) -> OversightClient<Channel> {
        OversightClient::new(self.dial.channel())
    }

    /// An admin with a second factor, who has proved it a moment ago; and their session's token.
    pub(crate) async fn staff(&self) -> (Caller, String) {
        let link = self.first_link().await.expect("there is no admin yet");
        let session = self.accept(&link, "admin@meydan.example").await.expect("the link is good");
        let session = self.enrol(&session).await.session;
        (self.holder(&session).await, session)
    }

    pub(crate) async fn suspend(
        &self,
        by: &Caller,
        account: Uuid,
        suspended: bool,
    ) -> Result<(), Failure> {
        let message = ChangeAccountRequest { account_id: account.to_string() };
        // A form that was kept is sent again with the id that it had.
        let request = self.dial.command(by, Uuid::from_u128(7), message);
        let mut oversight = self.oversight();
        if suspended {
            oversight.suspend_account(request).await?;
        } else {
            oversight.reactivate_account(request).await?;
        }
        Ok(())
    }

    pub(crate) async fn listed(
        &self,
        by: &Caller,
        email: &str,
        after: &str,
    ) -> (Vec<Account>, bool) {
        let (email, after) = (email.to_owned(), after.to_owned());
        let message = ListAccountsRequest { email, after, ..ListAccountsRequest::default() };
        let listed = self.oversight().list_accounts(self.dial.ask(by, message)).await;
        let listed = listed.expect("an admin may").into_inner();
        (listed.accounts, listed.more)
    }

    pub(crate) async fn detail(&self, by: &Caller, account: Uuid) -> AccountDetail {
        let message = GetAccountRequest { account_id: account.to_string(), before: 0 };
        let found = self.oversight().get_account(self.dial.ask(by, message)).await;
        found.expect("an admin may").into_inner()
    }
}

pub(crate) fn id(caller: &Caller) -> Uuid {
    match caller.who {
        Who::Account { id, .. } => id,
        _ => panic!("only a person has an account"),
    }
}

#[tokio::test]
async fn admins_find_an_account_by_its_whole_address_and_page_through_all() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    for number in 0..26 {
        identity.invite(team.campaign, &format!("m{number}@meydan.example"), "M").await;
    }

    let (found, more) = identity.listed(&admin, " TEHRAN@Meydan.example ", "").await;
    assert_eq!((found.len(), more), (1, false));
    let owner = &found[0];
    assert_eq!((owner.email.as_str(), owner.display_name.as_str()), (OWNER, "Owner"));
    assert_eq!((owner.status(), owner.second_factor), (AccountStatus::Active, false));
    assert!(owner.last_login_at.is_some() && !owner.is_admin);
    assert_eq!((owner.places[0].slug.as_str(), owner.places[0].role()), ("tehran", Role::Owner));
    assert!(identity.listed(&admin, "tehran@meydan.exampl", "").await.0.is_empty());

    let (first, more) = identity.listed(&admin, "", "").await;
    assert!(first.len() == 25 && more);
    assert_eq!(first[0].status(), AccountStatus::Invited);
    let last = first.last().expect("a page").account_id.clone();
    let (second, more) = identity.listed(&admin, "", &last).await;
    assert_eq!((second.len(), more), (3, false));
    let all = first.iter().chain(&second).map(|account| account.account_id.as_str());
    assert_eq!(all.collect::<std::collections::BTreeSet<_>>().len(), 28, "each of them once");
}

#[tokio::test]
async fn of_a_suspended_account_no_session_goes_on_and_nothing_opens_it_until_it_is_reactivated() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let message = CreateApiKeyRequest {
        name: "report".to_owned(),
        permissions: vec!["crm:ticket.read".to_owned()],
        expires_at: None,
    };
    let request = identity.dial.command(&team.owner.caller, Uuid::now_v7(), message);
    let key = ApiKeysClient::new(identity.dial.channel()).create_api_key(request).await;
    let key = key.expect("an owner may").into_inner().key;
    let opens = async || {
        let request = identity.dial.ask(&gateway(), AuthenticateKeyRequest { key: key.clone() });
        identity.sessions().authenticate_key(request).await.is_ok()
    };
    let sara = identity.enrol(&team.owner.session).await;
    let known = from("192.0.2.1", "");
    let waiting = identity.enter(OWNER, PASSWORD, known.clone()).await.expect("it is right");
    assert!(opens().await);

    assert_eq!(identity.suspend(&admin, team.owner.account, true).await, Ok(()));

    assert!(!identity.is_known(&sara.session).await);
    let code = meydan_testkit::authenticator::code(&sara.secret, identity.now());
    let proved = identity.prove(&waiting.challenge_token, &code, known.clone()).await;
    assert_eq!(proved.map(|_| ()), refused("challenge.over"), "a login that waited is over");
    let right = identity.enter(OWNER, PASSWORD, known.clone()).await.map(|_| ());
    let wrong = identity.enter(OWNER, "wrong", known.clone()).await.map(|_| ());
    let nobody = identity.enter("x@meydan.example", PASSWORD, known.clone()).await.map(|_| ());
    assert_eq!((&right, &wrong), (&nobody, &nobody), "the same words for all");
    assert_eq!(right, refused("login.failed"));
    assert!(!opens().await, "nor a key that they made");
    identity.ask_recovery(OWNER, "192.0.2.7").await.expect("all are told so");
    let detail = identity.detail(&admin, team.owner.account).await;
    assert_eq!(detail.account.expect("it is there").status(), AccountStatus::Suspended);
    assert!(detail.sessions.is_empty());
    assert!(detail.history.iter().any(|entry| entry.kind == "account.suspended"));

    assert_eq!(identity.suspend(&admin, team.owner.account, false).await, Ok(()));
    let again = identity.enter(OWNER, PASSWORD, known).await.expect("the password is what it was");
    assert!(!again.challenge_token.is_empty());
    assert!(!opens().await, "what was revoked stays so");
    identity.end().await;
    let letters = sqlx::query_scalar("SELECT count(*) FROM letters WHERE kind = 'recovery'");
    let letters: i64 = letters.fetch_one(&identity.database().await).await.expect("it answers");
    assert_eq!(letters, 0, "no link goes to somebody who is suspended");
}

#[tokio::test]
async fn an_invitation_begins_no_account_that_is_suspended_and_admins_send_it_again() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let link = identity.invite(team.campaign, "sara@meydan.example", "Sara").await;
    let (found, _) = identity.listed(&admin, "sara@meydan.example", "").await;
    let account = found[0].account_id.parse().expect("an id");
    identity.suspend(&admin, account, true).await.expect("an admin may");
    assert_eq!(identity.accept(&link, "").await, Err(Failure::NotFound));
    identity.suspend(&admin, account, false).await.expect("an admin may");

    let (account_id, campaign_id) = (account.to_string(), team.campaign.to_string());
    let message = ResendInvitationRequest { account_id, campaign_id };
    let request = identity.dial.command(&admin, Uuid::now_v7(), message.clone());
    let sent = identity.oversight().resend_invitation(request).await.expect("an admin may");

    assert_eq!(identity.accept(&link, "").await, Err(Failure::NotFound), "the one before ended");
    let session = identity.accept(&sent.get_ref().invitation_token, "").await;
    assert!(identity.is_known(&session.expect("the link is good")).await);
    let request = identity.dial.command(&admin, Uuid::now_v7(), message);
    let again = identity.oversight().resend_invitation(request).await.map_err(Failure::from);
    assert_eq!(again.map(|_| ()), refused("member.already"));
}

#[tokio::test]
async fn admins_alone_suspend_anybody_but_themselves_and_after_a_proof() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, session) = identity.staff().await;
    let owner = team.owner.account;
    assert_eq!(identity.suspend(&admin, id(&admin), true).await, refused("account.oneself"));
    // Somebody whom an assertion calls an admin.
    let mut other = team.owner.caller.clone();
    if let Who::Account { admin, .. } = &mut other.who {
        *admin = true;
    }
    let not_one = identity.suspend(&other, id(&admin), true).await;
    assert_eq!(not_one, Err(Failure::NotFound), "who is an admin is for the log to say");
    let member = identity.suspend(&team.owner.caller, id(&admin), true).await;
    assert_eq!(member, Err(Failure::Denied));
    let nobody = identity.suspend(&admin, Uuid::from_u128(5), true).await;
    assert_eq!(nobody, Err(Failure::NotFound));

    identity.advance(Duration::minutes(6));

    assert_eq!(identity.suspend(&admin, owner, true).await, refused("proof.needed"));
    assert!(identity.is_known(&session).await);
    assert_eq!(identity.facts("account.suspended").await, 0);
}

#[tokio::test]
async fn admins_end_the_sessions_of_an_account_and_leave_it_open() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let message = ChangeAccountRequest { account_id: team.owner.account.to_string() };
    let request = identity.dial.command(&admin, Uuid::now_v7(), message);
    identity.oversight().end_account_sessions(request).await.expect("an admin may");

    assert!(!identity.is_known(&team.owner.session).await);
    assert!(identity.log_in(OWNER, PASSWORD, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn admins_filter_by_who_is_suspended_locked_or_without_a_second_factor() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let sara = team.join("sara", Role::Staff).await;
    let omid = team.join("omid", Role::Staff).await;
    let reza = team.join("reza", Role::Staff).await;
    let factor = identity.enrol(&reza.session).await;
    let these = async |which: WhichAccounts| {
        let which = which.into();
        let message = ListAccountsRequest { which, ..ListAccountsRequest::default() };
        let listed = identity.oversight().list_accounts(identity.dial.ask(&admin, message)).await;
        let listed = listed.expect("an admin may").into_inner().accounts;
        let names = listed.iter().map(|account| account.email.split('@').next().expect("a name"));
        let mut names: Vec<_> = names.map(ToOwned::to_owned).collect();
        names.sort();
        names
    };
    let (suspended, locked) = (WhichAccounts::Suspended, WhichAccounts::Locked);
    assert_eq!([these(suspended).await, these(locked).await], [[""; 0]; 2]);
    let without = these(WhichAccounts::WithoutFactor).await;
    assert_eq!(without, ["omid", "sara", "tehran"], "the admin and Reza have one");

    identity.suspend(&admin, sara.account, true).await.expect("an admin may");
    for _ in 0..5 {
        let wrong = identity.log_in("omid@meydan.example", "wrong", "198.51.100.1").await;
        assert!(wrong.is_err());
    }
    for _ in 0..4 {
        let answer = identity.enter("reza@meydan.example", PASSWORD, from("203.0.113.1", "")).await;
        let challenge = answer.expect("the password is right").challenge_token;
        for _ in 0..5 {
            let wrong = identity.prove(&challenge, "000000", from("203.0.113.1", "")).await;
            assert!(wrong.is_err());
        }
    }
    identity.letter("kind = 'locked' AND state = 'sent'").await;
    identity.letter("kind = 'factor-locked' AND state = 'sent'").await;

    assert_eq!(these(suspended).await, ["sara"]);
    assert_eq!(these(locked).await, ["omid", "reza"]);
    let until = identity.detail(&admin, omid.account).await.account.expect("it is there");
    let closed = until.locked_until.expect("it says until when").seconds;
    assert_eq!(closed, (identity.now() + Duration::minutes(15)).unix_timestamp());
    identity.advance(Duration::minutes(15));
    assert_eq!(these(locked).await, ["reza"], "until there is another password");
    let message = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: "another long pass phrase 8".to_owned(),
    };
    let holder = identity.holder(&factor.session).await;
    let code = meydan_testkit::authenticator::code(&factor.secret, identity.now());
    let proof = identity.dial.ask(&holder, ProveAgainRequest { secret: code });
    identity.accounts().prove_again(proof).await.expect("his session counts by itself");
    let changed = identity.accounts().change_password(identity.dial.ask(&holder, message)).await;
    changed.expect("he has just proved himself");
    assert_eq!(these(locked).await, [""; 0]);
}

#[tokio::test]
async fn links_into_two_campaigns_that_are_made_from_one_page_have_a_letter_each() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    for campaign in [team.campaign, isfahan] {
        identity.invite(campaign, "sara@meydan.example", "Sara").await;
    }
    let (found, _) = identity.listed(&admin, "sara@meydan.example", "").await;
    let page = Uuid::now_v7();

    for campaign in [team.campaign, isfahan] {
        let message = ResendInvitationRequest {
            account_id: found[0].account_id.clone(),
            campaign_id: campaign.to_string(),
        };
        let request = identity.dial.command(&admin, page, message);
        identity.oversight().resend_invitation(request).await.expect("an admin may");
    }

    let letters = sqlx::query_scalar("SELECT count(*) FROM letters WHERE kind = 'invitation'");
    let letters: i64 = letters.fetch_one(&identity.database().await).await.expect("it answers");
    assert_eq!(letters, 6, "the two owners', Sara's two, and the two that were made anew");
}

#[tokio::test]
async fn admins_see_until_when_a_link_works_and_send_it_again_after_a_proof_five_times_a_day() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let asked_at = identity.now();
    identity.invite(team.campaign, "sara@meydan.example", "Sara").await;
    let (found, _) = identity.listed(&admin, "sara@meydan.example", "").await;
    let account_id = found[0].account_id.clone();
    let ends = found[0].places[0].link_ends_at.map(|at| at.seconds);
    assert_eq!(ends, Some((asked_at + Duration::hours(72)).unix_timestamp()));
    let (owner, _) = identity.listed(&admin, OWNER, "").await;
    assert_eq!(owner[0].places[0].link_ends_at, None, "they joined");
    let campaign_id = team.campaign.to_string();
    let send = async || {
        let message = ResendInvitationRequest {
            account_id: account_id.clone(),
            campaign_id: campaign_id.clone(),
        };
        let request = identity.dial.command(&admin, Uuid::now_v7(), message);
        let sent = identity.oversight().resend_invitation(request).await;
        sent.map(|_| ()).map_err(Failure::from)
    };

    for _ in 0..4 {
        assert_eq!(send().await, Ok(()));
    }
    assert_eq!(send().await, refused("member.invited_too_often"), "the first was the team's");
    identity.advance(Duration::minutes(6));
    assert_eq!(send().await, refused("proof.needed"));
}
