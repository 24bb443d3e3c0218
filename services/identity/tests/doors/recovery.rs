//! A new password by mail: what the link does, and that nobody learns who is here.

mod guards;

use std::sync::Arc;

use meydan_rpc::{
    outcome::Failure,
    pb::identity::{
        AskRecoveryRequest, ChangePasswordRequest, FinishRecoveryRequest, GetRecoveryRequest,
        accounts_client::AccountsClient, recovery_client::RecoveryClient,
    },
};
use meydan_testkit::post::{Encryption, MailServer};
use time::Duration;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{
    harness::{Identity, PANEL, PASSWORD, from, gateway},
    letters::with_mail,
};

const NEW: &str = "quite another pass phrase 9";

fn recovery(identity: &Identity) -> RecoveryClient<Channel> {
    RecoveryClient::new(identity.dial.channel())
}

impl Identity {
    /// Asks for a link for a new password, from a browser that brings no cookie.
    pub(crate) async fn ask_recovery(&self, email: &str, address: &str) -> Result<(), Failure> {
        self.ask_recovery_as(email, (address, "")).await
    }

    /// Asks from a browser with a cookie.
    async fn ask_recovery_as(
        &self,
        email: &str,
        (address, device): (&str, &str),
    ) -> Result<(), Failure> {
        let message = AskRecoveryRequest {
            email: email.to_owned(),
            address: address.to_owned(),
            locale: "fa".to_owned(),
            device_token: device.to_owned(),
        };
        recovery(self).ask_recovery(self.dial.ask(&gateway(), message)).await?;
        Ok(())
    }

    /// Sets the new password; the cookie by which the browser is known that showed the link.
    pub(crate) async fn finish_recovery(
        &self,
        token: &str,
        password: &str,
    ) -> Result<String, Failure> {
        let message =
            FinishRecoveryRequest { token: token.to_owned(), new_password: password.to_owned() };
        let done = recovery(self).finish_recovery(self.dial.ask(&gateway(), message)).await?;
        Ok(done.into_inner().device_token)
    }
}

async fn opened(identity: &Identity, token: &str) -> Result<String, Failure> {
    let message = GetRecoveryRequest { token: token.to_owned() };
    let found = recovery(identity).get_recovery(identity.dial.ask(&gateway(), message)).await?;
    Ok(found.into_inner().email)
}

/// Identity with a mail server, and the owner of a campaign who came by the mailed link: their session.
async fn with_owner() -> (MailServer, Identity, String) {
    let mails = MailServer::start(Encryption::Plain, None).await.expect("aiosmtpd starts");
    let identity = with_mail(&mails, "smtp://HERE").await;
    identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let token = mails.next().await.expect("a mail comes").token(&format!("{PANEL}/welcome/"));
    let session = identity.accept(&token, "").await.expect("the link is good");
    (mails, identity, session)
}

async fn link(mails: &MailServer) -> String {
    mails.next().await.expect("a mail comes").token(&format!("{PANEL}/recover/"))
}

#[tokio::test]
async fn a_mailed_link_sets_a_new_password_once_ends_all_sessions_and_gives_none() {
    let (mails, identity, session) = with_owner().await;

    identity.ask_recovery("Tehran@meydan.example", "192.0.2.1").await.expect("anybody may ask");
    let mail = mails.next().await.expect("a mail comes");
    assert_eq!(mail.to, ["tehran@meydan.example"]);
    assert_eq!(mail.subject(), "گذرواژهٔ تازه برای میدان");
    let token = mail.token(&format!("{PANEL}/recover/"));
    assert_eq!(opened(&identity, &token).await.as_deref(), Ok("tehran@meydan.example"));
    assert!(identity.is_known(&session).await, "asking changes nothing");
    let weak = identity.finish_recovery(&token, "short").await;
    assert!(matches!(weak, Err(Failure::Malformed(_))), "and uses nothing up");
    identity.finish_recovery(&token, NEW).await.expect("the link is good");

    assert!(!identity.is_known(&session).await);
    assert_eq!(mails.next().await.expect("a mail comes").subject(), "گذرواژهٔ تازهٔ شما ثبت شد");
    assert!(identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await.is_err());
    assert!(identity.log_in("tehran@meydan.example", NEW, "192.0.2.1").await.is_ok());
    assert_eq!(identity.finish_recovery(&token, NEW).await, Err(Failure::NotFound), "once");
    assert_eq!(opened(&identity, &token).await, Err(Failure::NotFound));
}

#[tokio::test]
async fn known_and_unknown_addresses_are_answered_alike_and_leave_the_same() {
    let (mails, identity, _) = with_owner().await;
    let database = identity.database().await;
    // The worker cannot take what is noted, so that it can be looked at.
    let mut held = database.begin().await.expect("it answers");
    let lock = "LOCK TABLE recoveries IN ACCESS EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *held).await.expect("nobody holds it for long");

    let known = identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await;
    let unknown = identity.ask_recovery("nobody@meydan.example", "192.0.2.1").await;
    let often = identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await;

    assert_eq!([known, unknown, often], [Ok(()), Ok(()), Ok(())]);
    let rows = "SELECT nextval('recovery_requests_request_id_seq')";
    let rows: i64 = sqlx::query_scalar(rows).fetch_one(&database).await.expect("it answers");
    assert_eq!(rows, 4, "each of the three left one row");
    held.rollback().await.expect("it answers");
    link(&mails).await;
    identity.end().await;
    assert_eq!(mails.waiting().await, 0, "one mail an hour, and none to nobody");
}

#[tokio::test]
async fn a_link_ends_after_an_hour_and_when_a_newer_one_comes() {
    let (mails, identity, _) = with_owner().await;

    identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await.expect("anybody may ask");
    let first = link(&mails).await;
    identity.advance(Duration::hours(1) - Duration::SECOND);
    assert!(opened(&identity, &first).await.is_ok());
    identity.advance(Duration::SECOND);
    assert_eq!(identity.finish_recovery(&first, NEW).await, Err(Failure::NotFound));

    identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await.expect("an hour is over");
    let second = link(&mails).await;
    assert_eq!(identity.finish_recovery(&first, NEW).await, Err(Failure::NotFound));
    identity.finish_recovery(&second, NEW).await.expect("the link is good");
}

#[tokio::test]
async fn of_twenty_uses_of_a_link_at_once_one_succeeds_round_after_round() {
    let (mails, identity, _) = with_owner().await;
    let identity = Arc::new(identity);

    for round in 0..3 {
        identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await.expect("anybody may ask");
        let token = link(&mails).await;
        let passwords: Vec<_> = (0..20).map(|n| format!("{NEW} round {round} of {n}")).collect();
        let uses = passwords.iter().map(|password| identity.finish_recovery(&token, password));
        let uses = futures::future::join_all(uses).await;

        assert_eq!(uses.iter().filter(|used| used.is_ok()).count(), 1, "round {round}");
        mails.next().await.expect("it is told once");
        identity.advance(Duration::minutes(61));
    }
    identity.end().await;
    assert_eq!(mails.waiting().await, 0);
}

#[tokio::test]
async fn whoever_claimed_an_address_first_does_not_keep_its_owner_out() {
    let identity = Identity::start().await;
    let (_, shown) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let claimed =
        identity.accept(&shown, "").await.expect("an inviter took the link that they saw");
    let claimed = identity.enrol(&claimed).await.session;

    identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await.expect("anybody may ask");
    identity.letter("kind = 'recovery' AND state = 'sent'").await;
    let letters = std::fs::read_to_string(identity.sink()).expect("it is there");
    let (_, token) = letters.rsplit_once("/recover/").expect("the link is in it");
    let token = token.split_whitespace().next().expect("the link has a token");
    assert!(letters.contains("گذرکلیدها و کدهای بازیابی این حساب هم حذف می‌شوند"), "{letters}");
    let message = GetRecoveryRequest { token: token.to_owned() };
    let found = recovery(&identity).get_recovery(identity.dial.ask(&gateway(), message)).await;
    assert!(found.expect("the link is good").get_ref().removes_factors, "the page says it as well");
    identity.finish_recovery(token, NEW).await.expect("the link is good");

    identity.letter("kind = 'recovered-without-factors' AND state = 'sent'").await;
    assert!(!identity.is_known(&claimed).await);
    assert!(identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await.is_err());
    assert!(identity.log_in("tehran@meydan.example", NEW, "192.0.2.1").await.is_ok());
    identity.end().await;
    assert_eq!(identity.facts("account.email_verified").await, 1, "the letter proved the address");
}

#[tokio::test]
async fn whoever_changes_the_password_is_told_by_mail() {
    let (mails, identity, session) = with_owner().await;
    let owner = identity.holder(&session).await;
    let change = |present: &str| ChangePasswordRequest {
        current_password: present.to_owned(),
        new_password: NEW.to_owned(),
    };
    let mut accounts = AccountsClient::new(identity.dial.channel());

    let wrong = accounts.change_password(identity.dial.ask(&owner, change("not this one"))).await;
    assert!(wrong.is_err());
    accounts
        .change_password(identity.dial.ask(&owner, change(PASSWORD)))
        .await
        .expect("it is right");

    assert_eq!(mails.next().await.expect("a mail comes").subject(), "گذرواژهٔ شما عوض شد");
    identity.end().await;
    assert_eq!(mails.waiting().await, 0, "once");
}

#[tokio::test]
async fn letters_about_a_new_password_say_what_else_opens_the_account() {
    let (mails, identity, session) = with_owner().await;
    let sara = identity.enrol(&session).await;
    mails.next().await.expect("a mail tells of the authenticator");
    let owner = identity.holder(&sara.session).await;
    let (current_password, new_password) = (PASSWORD.to_owned(), NEW.to_owned());
    let change = ChangePasswordRequest { current_password, new_password };
    let mut accounts = AccountsClient::new(identity.dial.channel());
    accounts.change_password(identity.dial.ask(&owner, change)).await.expect("it is right");
    let changed = mails.next().await.expect("a mail comes");

    identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await.expect("anybody may ask");
    identity.finish_recovery(&link(&mails).await, PASSWORD).await.expect("the link is good");
    let recovered = mails.next().await.expect("a mail comes");

    for letter in [changed, recovered] {
        let text = letter.text.replace(['\u{2068}', '\u{2069}'], "");
        let kept = "هیچ گذرکلیدی، ۱ برنامهٔ رمزساز و ۱۰ کد بازیابی";
        assert!(text.contains(kept), "{text}");
    }
    let still = identity.enter("tehran@meydan.example", PASSWORD, from("192.0.2.1", "")).await;
    let still = still.expect("the password is right");
    assert_eq!(still.session_token, "", "what they say is so: a second step is asked for");
}

#[tokio::test]
async fn an_admin_who_never_proved_the_address_is_not_let_in_by_a_letter_to_it() {
    let identity = Identity::start().await;
    let first = identity.first_link().await.expect("there is no admin yet");
    identity.accept(&first, "mistyped@meydan.example").await.expect("the link is good");

    identity.ask_recovery("mistyped@meydan.example", "192.0.2.1").await.expect("anybody may ask");
    identity.end().await;

    assert!(!identity.sink().exists(), "nothing was written to anybody");
}
