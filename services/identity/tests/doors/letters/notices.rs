//! What people are told of their own account, as it arrives at the mail server: each once.

use meydan_rpc::pb::identity::ProveAgainRequest;
use meydan_testkit::{authenticator, post::MailServer};
use time::Duration;
use uuid::Uuid;

use super::plain;
use crate::{
    factors::Sara,
    harness::{Identity, PANEL, PASSWORD, from},
};

const SARA: &str = "tehran@meydan.example";

/// The owner of a campaign, who came by the mailed link and has an authenticator.
async fn sara(mails: &MailServer, identity: &Identity) -> Sara {
    identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let token = mails.next().await.expect("a mail comes").token(&format!("{PANEL}/welcome/"));
    let session = identity.accept(&token, "").await.expect("the link is good");
    let sara = identity.enrol(&session).await;
    assert_eq!(subject(mails).await, "به حساب شما مرحلهٔ دومی افزوده شد");
    sara
}

async fn subject(mails: &MailServer) -> String {
    let mail = mails.next().await.expect("a mail comes");
    assert_eq!(mail.to, [SARA]);
    mail.subject().to_owned()
}

async fn half_in(identity: &Identity, address: &str) -> String {
    let answer = identity.enter(SARA, PASSWORD, from(address, "")).await;
    answer.expect("the password is right").challenge_token
}

/// Nothing else was sent than what was looked at.
async fn nothing_else(mails: &MailServer, identity: &Identity) {
    identity.end().await;
    assert_eq!(mails.waiting().await, 0);
}

#[tokio::test]
async fn a_login_on_a_browser_that_is_new_is_told_once() {
    let (mails, identity) = plain().await;
    let sara = sara(&mails, &identity).await;
    let challenge = half_in(&identity, "192.0.2.9").await;
    let code = authenticator::code(&sara.secret, identity.now());
    let entered = identity.prove(&challenge, &code, from("192.0.2.9", "")).await;
    let device = entered.expect("the code is right").device_token;
    assert_eq!(subject(&mails).await, "ورود از دستگاهی تازه");

    identity.advance(Duration::seconds(60));
    let again = identity.enter(SARA, PASSWORD, from("192.0.2.9", &device)).await;
    let challenge = again.expect("the password is right").challenge_token;
    let code = authenticator::code(&sara.secret, identity.now());
    let entered = identity.prove(&challenge, &code, from("192.0.2.9", &device)).await;
    entered.expect("the code is right");

    nothing_else(&mails, &identity).await;
}

#[tokio::test]
async fn a_lock_is_told_once_and_not_with_every_try() {
    let (mails, identity) = plain().await;
    sara(&mails, &identity).await;
    for _ in 0..20 {
        assert!(identity.log_in(SARA, "wrong", "198.51.100.1").await.is_err());
    }

    assert_eq!(subject(&mails).await, "ورود به حساب شما برای مدتی بسته شد");
    nothing_else(&mails, &identity).await;
}

#[tokio::test]
async fn wrong_codes_after_a_right_password_are_told_once_a_day_and_once_more_when_they_close() {
    let (mails, identity) = plain().await;
    sara(&mails, &identity).await;
    for login in 0..4 {
        let challenge = half_in(&identity, "198.51.100.1").await;
        for _ in 0..5 {
            assert!(identity.prove(&challenge, "000000", from("198.51.100.1", "")).await.is_err());
        }
        if login == 0 {
            assert_eq!(subject(&mails).await, "کسی گذرواژهٔ شما را می‌داند");
        }
    }

    assert_eq!(subject(&mails).await, "ورود با کد برنامهٔ رمزساز بسته شد");
    nothing_else(&mails, &identity).await;
}

#[tokio::test]
async fn four_wrong_codes_are_nobodys_business() {
    let (mails, identity) = plain().await;
    sara(&mails, &identity).await;
    let challenge = half_in(&identity, "192.0.2.1").await;
    for _ in 0..4 {
        assert!(identity.prove(&challenge, "000000", from("192.0.2.1", "")).await.is_err());
    }

    nothing_else(&mails, &identity).await;
}

#[tokio::test]
async fn whoever_is_suspended_is_told_once_and_once_more_when_that_is_over() {
    let (mails, identity) = plain().await;
    sara(&mails, &identity).await;
    let (admin, _) = identity.staff().await;
    assert_eq!(mails.next().await.expect("a mail comes").to, ["admin@meydan.example"]);
    let (found, _) = identity.listed(&admin, SARA, "").await;
    let account = found[0].account_id.parse().expect("an id");

    for (suspended, told) in [(true, "حساب شما بسته شد"), (false, "حساب شما دوباره باز شد")]
    {
        for _ in 0..2 {
            assert_eq!(identity.suspend(&admin, account, suspended).await, Ok(()));
        }
        assert_eq!(subject(&mails).await, told);
    }

    nothing_else(&mails, &identity).await;
}

#[tokio::test]
async fn every_recovery_code_that_is_used_is_told_with_how_many_are_left_and_the_last_one_as_such()
{
    let (mails, identity) = plain().await;
    let sara = sara(&mails, &identity).await;
    let mut session = sara.session.clone();
    for (number, code) in sara.codes.iter().enumerate() {
        let message = ProveAgainRequest { secret: code.clone() };
        let request = identity.dial.ask(&identity.holder(&session).await, message);
        let proved = identity.accounts().prove_again(request).await.expect("it is hers");
        session = proved.into_inner().session_token;
        let mail = mails.next().await.expect("a mail comes");
        if number == 9 {
            assert_eq!(mail.subject(), "آخرین کد بازیابی شما به کار رفت");
            continue;
        }
        assert_eq!(mail.subject(), "یکی از کدهای بازیابی شما به کار رفت");
        let left: Vec<char> = "۹۸۷۶۵۴۳۲۱".chars().collect();
        let text = mail.text.replace(['\u{2068}', '\u{2069}'], "");
        let said = format!("{} کد دیگر مانده است", left[number]);
        assert!(text.contains(&said), "{number}: {text}");
    }

    nothing_else(&mails, &identity).await;
}
