//! Admins through the door: asked by another one, appointed when they accept, dismissed, and one always stays.

use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        AcceptInvitationRequest, Account, ChangeAccountRequest, Guest, InviteAdminRequest,
        ListAccountsRequest,
    },
};
use time::Duration;
use uuid::Uuid;

use crate::{
    harness::{Identity, PASSWORD, from, gateway},
    oversight::{id, refused},
    team::Team,
};

const OWNER: &str = "tehran@meydan.example";
const OMID: &str = "omid@meydan.example";
/// Enough for a member, and not for an admin.
const SHORT: &str = "mopzeq-84vutk";

impl Identity {
    /// Asks somebody to become an admin; the secret part of their link.
    pub(crate) async fn ask_admin(&self, by: &Caller, email: &str) -> Result<String, Failure> {
        self.ask_admin_with(by, email, Uuid::now_v7()).await
    }

    /// The same with the id of a form.
    async fn ask_admin_with(
        &self,
        by: &Caller,
        email: &str,
        form: Uuid,
    ) -> Result<String, Failure> {
        let (email, display_name) = (email.to_owned(), "Omid".to_owned());
        let message = InviteAdminRequest { email, display_name };
        let request = self.dial.command(by, form, message);
        let asked = self.oversight().invite_admin(request).await?.into_inner();
        assert!(!asked.account_id.is_empty());
        Ok(asked.invitation_token)
    }

    async fn withdraw_admin(&self, by: &Caller, account: Uuid) -> Result<(), Failure> {
        let message = ChangeAccountRequest { account_id: account.to_string() };
        let request = self.dial.command(by, Uuid::now_v7(), message);
        self.oversight().withdraw_admin_invitation(request).await?;
        Ok(())
    }

    pub(crate) async fn dismiss(&self, by: &Caller, account: Uuid) -> Result<(), Failure> {
        self.dismiss_with(by, account, Uuid::now_v7()).await
    }

    /// The same with the id of a form.
    async fn dismiss_with(&self, by: &Caller, account: Uuid, form: Uuid) -> Result<(), Failure> {
        let message = ChangeAccountRequest { account_id: account.to_string() };
        let request = self.dial.command(by, form, message);
        self.oversight().dismiss_admin(request).await?;
        Ok(())
    }

    async fn admins(&self, by: &Caller) -> Vec<Account> {
        let message = ListAccountsRequest { staff: true, ..ListAccountsRequest::default() };
        let listed = self.oversight().list_accounts(self.dial.ask(by, message)).await;
        listed.expect("an admin may").into_inner().accounts
    }

    /// One more admin, at work.
    pub(crate) async fn colleague(&self, by: &Caller, email: &str) -> (Caller, String) {
        let link = self.ask_admin(by, email).await.expect("an admin may");
        let session = self.accept(&link, "").await.expect("the link is good");
        let session = self.enrol(&session).await.session;
        (self.holder(&session).await, session)
    }
}

fn denied() -> Result<String, Failure> {
    Err(Failure::NotFound)
}

fn is_malformed<T>(answer: &Result<T, Failure>, field: &str) -> bool {
    matches!(answer, Err(Failure::Malformed(wrong)) if wrong.iter().all(|(name, _)| name == field))
}

#[tokio::test]
async fn somebody_without_an_account_becomes_an_admin_by_the_link_and_needs_a_second_factor_first()
{
    let identity = Identity::start().await;
    let (admin, _) = identity.staff().await;
    let link = identity.ask_admin(&admin, OMID).await.expect("an admin may");
    let opened = identity.opened(&link).await.expect("it is good");
    assert!(opened.is_admin && !opened.begun && !opened.account_id.is_empty());
    assert_eq!((opened.email.as_str(), opened.display_name.as_str()), (OMID, "Omid"));
    let staff = identity.admins(&admin).await;
    let asked = staff.iter().find(|account| account.email == OMID).expect("they are listed");
    assert!(!asked.is_admin && asked.admin_asked_at.is_some(), "asked is not accepted");
    assert_eq!(staff.len(), 2);

    assert!(is_malformed(&identity.accept_with(&link, SHORT).await, "password"));
    let session = identity.accept(&link, "").await.expect("the link is good still");

    let held = identity.held(&session).await;
    assert!(held.is_admin && held.needs_factor, "nothing opens before there is one");
    assert_eq!(identity.accept(&link, "").await, denied(), "it works once");
    assert!(identity.admins(&admin).await.iter().all(|account| account.is_admin));
    assert_eq!(identity.facts("account.admin_invited").await, 1);
    assert_eq!(identity.facts("account.admin_appointed").await, 1);
    assert_eq!(identity.first_link().await, refused("admin.exists"));
}

#[tokio::test]
async fn whoever_has_an_account_becomes_an_admin_in_it_with_their_password_and_not_before() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let owner = &team.owner;
    let link = identity.ask_admin(&admin, OWNER).await.expect("an admin may");
    assert!(identity.opened(&link).await.expect("it is good").begun);
    assert!(!identity.held(&owner.session).await.is_admin, "nobody becomes one unasked");

    let guessed = identity.accept_with(&link, "another long pass phrase 8").await;
    assert_eq!(guessed, refused("invitation.begun"), "a link opens nothing of an account");
    let other = identity.invite(team.campaign, "sara@meydan.example", "Sara").await;
    let other = identity.accept(&other, "").await.expect("the link is good");
    let other = identity.holder(&other).await;
    assert_eq!(identity.join_with(&other, &link, PASSWORD).await, Err(Failure::NotFound));
    for wrong in ["", "not the password"] {
        let joined = identity.join_with(&owner.caller, &link, wrong).await;
        assert_eq!(joined, refused("password.wrong"), "a session that lies open is not enough");
    }
    assert_eq!(identity.facts("account.admin_appointed").await, 0);

    assert_eq!(identity.join_with(&owner.caller, &link, PASSWORD).await, Ok(()));

    assert!(!identity.is_known(&owner.session).await, "a member's session is no admin's");
    let session = identity.log_in(OWNER, PASSWORD, "192.0.2.1").await.expect("it is right");
    let held = identity.held(&session).await;
    assert!(held.is_admin && held.needs_factor);
    assert_eq!(held.memberships.len(), 1, "what they were they stay");
    assert_eq!(identity.opened(&link).await.map(|_| ()), Err(Failure::NotFound));
    assert_eq!(identity.ask_admin(&admin, OWNER).await, refused("admin.already"));
}

#[tokio::test]
async fn a_password_of_a_member_that_no_admin_may_have_has_to_be_changed_first() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let own = identity.invite(team.campaign, OMID, "Omid").await;
    let session = identity.accept_with(&own, SHORT).await.expect("a member may have it");
    let omid = identity.holder(&session).await;
    let link = identity.ask_admin(&admin, OMID).await.expect("an admin may");

    assert!(is_malformed(&identity.join_with(&omid, &link, SHORT).await, "password"));
    assert!(!identity.held(&session).await.is_admin);
    assert!(identity.opened(&link).await.is_ok(), "the link stays good");
}

#[tokio::test]
async fn a_link_to_a_new_password_that_a_member_asked_for_sets_none_for_an_admin() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let link = identity.ask_admin(&admin, OWNER).await.expect("an admin may");
    identity.ask_recovery(OWNER, "192.0.2.1").await.expect("anybody may ask");
    let recovery = identity.mailed("recovery", "/recover/").await;

    assert_eq!(identity.join_with(&team.owner.caller, &link, PASSWORD).await, Ok(()));

    let set = identity.finish_recovery(&recovery, "quite another pass phrase 9").await;
    assert_eq!(set, Err(Failure::NotFound));
    assert!(identity.log_in(OWNER, PASSWORD, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn an_invitation_that_was_renewed_or_withdrawn_or_is_too_old_makes_no_admin() {
    let identity = Identity::start().await;
    let (admin, _) = identity.staff().await;
    let first = identity.ask_admin(&admin, OMID).await.expect("an admin may");
    let second = identity.ask_admin(&admin, OMID).await.expect("once more");
    assert_eq!(identity.accept(&first, "").await, denied(), "the one before ended");
    let omid = identity.opened(&second).await.expect("it is good").account_id;
    let omid = omid.parse().expect("an id");

    assert_eq!(identity.withdraw_admin(&admin, omid).await, Ok(()));
    assert_eq!(identity.accept(&second, "").await, denied());
    assert_eq!(identity.admins(&admin).await.len(), 1);
    assert_eq!(identity.withdraw_admin(&admin, omid).await, Err(Failure::NotFound));
    assert_eq!(identity.dismiss(&admin, omid).await, Err(Failure::NotFound), "they are none");

    identity.suspend(&admin, omid, true).await.expect("an admin may");
    assert_eq!(identity.ask_admin(&admin, OMID).await, refused("account.suspended"));
    identity.suspend(&admin, omid, false).await.expect("an admin may");
    let third = identity.ask_admin(&admin, OMID).await.expect("an admin may");
    identity.advance(Duration::hours(73));
    assert_eq!(identity.accept(&third, "").await, denied(), "three days are over");
    assert_eq!(identity.facts("account.admin_appointed").await, 0);
}

#[tokio::test]
async fn a_form_that_is_sent_again_asks_once_more_whoever_is_asked_still_and_nobody_else() {
    let identity = Identity::start().await;
    let (admin, _) = identity.staff().await;
    let form = Uuid::now_v7();
    identity.ask_admin_with(&admin, OMID, form).await.expect("an admin may");

    let again = identity.ask_admin_with(&admin, OMID, form).await.expect("an admin may");

    let omid = identity.opened(&again).await.expect("the answer of before may be lost").account_id;
    assert_eq!(identity.facts("account.admin_invited").await, 2, "each link is on record");
    let omid = omid.parse().expect("an id");
    identity.withdraw_admin(&admin, omid).await.expect("an admin may");
    let over = identity.ask_admin_with(&admin, OMID, form).await;
    assert_eq!(over.as_deref(), Ok(""), "what was taken back stays so");
    assert_eq!(identity.opened(&again).await, Err(Failure::NotFound));
    assert_eq!(identity.facts("account.admin_invited").await, 2);
}

#[tokio::test]
async fn an_address_is_asked_five_times_a_day_by_admins_alone_who_have_just_proved_themselves() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    assert_eq!(identity.ask_admin(&team.owner.caller, OMID).await, Err(Failure::Denied));
    for _ in 0..5 {
        identity.ask_admin(&admin, OMID).await.expect("an admin may");
    }
    let sixth = identity.ask_admin(&admin, &OMID.to_uppercase()).await;
    assert_eq!(sixth, refused("member.invited_too_often"));
    assert!(is_malformed(&identity.ask_admin(&admin, "nobody").await, "email"));

    identity.advance(Duration::minutes(6));

    assert_eq!(identity.ask_admin(&admin, "x@meydan.example").await, refused("proof.needed"));
    assert_eq!(identity.facts("account.admin_invited").await, 5);
}

#[tokio::test]
async fn a_dismissed_admin_is_out_at_once_and_an_admin_like_before_nowhere() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, session) = identity.staff().await;
    let (omid, theirs) = identity.colleague(&admin, OMID).await;
    assert_eq!(identity.dismiss(&admin, id(&admin)).await, refused("account.oneself"));
    assert_eq!(identity.dismiss(&team.owner.caller, id(&omid)).await, Err(Failure::Denied));

    assert_eq!(identity.dismiss(&admin, id(&omid)).await, Ok(()));

    assert!(!identity.is_known(&theirs).await && identity.is_known(&session).await);
    // Whoever kept an assertion from a moment ago has no session to it.
    assert_eq!(identity.dismiss(&omid, id(&admin)).await, Err(Failure::NotFound));
    assert_eq!(identity.ask_admin(&omid, "x@meydan.example").await, Err(Failure::NotFound));
    let detail = identity.detail(&admin, id(&omid)).await;
    assert!(!detail.account.expect("it is there").is_admin);
    let kinds = detail.history.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>();
    for kind in ["account.admin_dismissed", "account.admin_appointed", "account.admin_invited"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let again = identity.ask_admin(&admin, OMID).await.expect("they may be asked once more");
    assert!(identity.opened(&again).await.expect("it is good").begun);
    identity.advance(Duration::minutes(6));
    assert_eq!(identity.dismiss(&admin, id(&omid)).await, refused("proof.needed"));
}

#[tokio::test]
async fn a_form_that_is_sent_again_dismisses_whoever_was_appointed_anew_and_is_good_twice() {
    let identity = Identity::start().await;
    let (admin, _) = identity.staff().await;
    let link = identity.ask_admin(&admin, OMID).await.expect("an admin may");
    let session = identity.accept(&link, "").await.expect("the link is good");
    let enrolled = identity.enrol(&session).await;
    let (omid, form) = (identity.holder(&enrolled.session).await, Uuid::now_v7());
    assert_eq!(identity.dismiss_with(&admin, id(&omid), form).await, Ok(()));
    assert_eq!(identity.dismiss_with(&admin, id(&omid), form).await, Ok(()), "sent twice");
    let link = identity.ask_admin(&admin, OMID).await.expect("they are asked once more");
    let waits = identity.enter(OMID, PASSWORD, from("192.0.2.1", "")).await.expect("it is right");
    let again = identity.prove(&waits.challenge_token, &enrolled.codes[0], from("192.0.2.1", ""));
    let again = again.await.expect("the code is right").session_token;
    let again = identity.holder(&again).await;
    assert_eq!(identity.join_with(&again, &link, PASSWORD).await, Ok(()));

    assert_eq!(identity.dismiss_with(&admin, id(&omid), form).await, Ok(()));

    let detail = identity.detail(&admin, id(&omid)).await;
    assert!(!detail.account.expect("it is there").is_admin, "it says so and it is so");
}

#[tokio::test]
async fn where_staff_does_not_work_all_that_an_admin_shows_is_answered_like_a_wrong_one() {
    let team = Team::start().await;
    let identity = &team.identity;
    let link = identity.first_link().await.expect("there is no admin yet");
    let outside = || Guest { outside: true, ..from("198.51.100.1", "") };
    let message = AcceptInvitationRequest {
        token: link.clone(),
        email: OMID.to_owned(),
        display_name: "Omid".to_owned(),
        password: PASSWORD.to_owned(),
        guest: Some(outside()),
    };
    let begun = identity.sessions().accept_invitation(identity.dial.ask(&gateway(), message)).await;
    assert_eq!(begun.map(|_| ()).map_err(Failure::from), Err(Failure::NotFound));
    let session = identity.accept(&link, OMID).await.expect("the link is good still");
    let omid = identity.enrol(&session).await;

    let enter = async |email: &str, password: &str, device: &str| {
        let guest = Guest { device_token: device.to_owned(), ..outside() };
        identity.enter(email, password, guest).await.map(|_| ())
    };
    let nobody = enter("x@meydan.example", PASSWORD, "").await;
    assert_eq!(nobody, refused("login.failed"));
    assert_eq!(enter(OMID, PASSWORD, "").await, nobody, "right");
    assert_eq!(enter(OMID, "wrong", "").await, nobody, "wrong");
    assert_eq!(enter(OWNER, PASSWORD, "").await, Ok(()), "members work everywhere");

    let inside = || from("192.0.2.1", "");
    let waits = identity.enter(OMID, PASSWORD, inside()).await.expect("it is right");
    let code = meydan_testkit::authenticator::code(&omid.secret, identity.now());
    let proved = identity.prove(&waits.challenge_token, &code, outside()).await.map(|_| ());
    assert_eq!(proved, refused("code.wrong"));
    let entered = identity.prove(&waits.challenge_token, &code, inside()).await;
    let entered = entered.expect("a code that was not judged is not used up");
    assert_eq!(enter(OMID, PASSWORD, &entered.device_token).await, nobody, "a known browser");
    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 3, "right and wrong leave the same");
}

#[tokio::test]
async fn of_two_admins_who_dismiss_or_suspend_each_other_at_once_one_stays() {
    for suspends in [false, true] {
        let identity = Identity::start().await;
        let (admin, _) = identity.staff().await;
        let (omid, _) = identity.colleague(&admin, OMID).await;
        let other = async {
            if suspends {
                identity.suspend(&omid, id(&admin), true).await
            } else {
                identity.dismiss(&omid, id(&admin)).await
            }
        };

        let (first, second) = tokio::join!(identity.dismiss(&admin, id(&omid)), other);

        assert_ne!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
        let by = if first.is_ok() { &admin } else { &omid };
        let left = identity.admins(by).await;
        let works = left.iter().filter(|account| account.is_admin && account.status == 2);
        assert_eq!(works.count(), 1);
    }
}
