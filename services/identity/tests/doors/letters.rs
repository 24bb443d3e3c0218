//! Letters on their way: aiosmtpd takes the mails, and Python's parser reads them.

mod notices;

use identity::letters::{Mail, Sink, Sms, Smtp};
use meydan_testkit::{
    post::{Encryption, MailServer},
    servers::folder,
};
use time::Duration;
use uuid::Uuid;

use crate::harness::{Identity, PANEL};

/// Identity with a mail server in front of it.
pub(crate) async fn with_mail(server: &MailServer, url: &str) -> Identity {
    let files = folder();
    let authorities = std::fs::read(&server.certificate).ok();
    let url = url.replace("HERE", &format!("127.0.0.1:{}", server.port()));
    let from = "Meydan <post@meydan.example>".to_owned();
    let mail = Mail::server(&Smtp { url: url.into(), from, authorities }).expect("sound settings");
    let sms = Sms::Sink(Sink::new(&files.path().join("sms.txt")));
    Identity::start_with((mail, sms), files).await
}

async fn plain() -> (MailServer, Identity) {
    let server = MailServer::start(Encryption::Plain, None).await.expect("aiosmtpd starts");
    let identity = with_mail(&server, "smtp://HERE").await;
    (server, identity)
}

/// Of a letter that was tried once, and put off.
const PUT_OFF: &str =
    "state = 'waiting' AND tries = 1 AND next_at < written_at + interval '1 minute'";

#[tokio::test]
async fn an_invitation_goes_to_the_invited_alone_and_is_good() {
    let (server, identity) = plain().await;

    let (_, shown) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let mail = server.next().await.expect("a mail comes");

    assert_eq!(shown, "", "with a mail server nobody but the owner sees the link");
    assert_eq!(mail.to, ["tehran@meydan.example"]);
    assert_eq!(mail.from, "post@meydan.example");
    assert_eq!(mail.header("from"), Some("Meydan <post@meydan.example>"));
    assert_eq!(mail.header("to"), Some("tehran@meydan.example"));
    assert_eq!(mail.header("auto-submitted"), Some("auto-generated"));
    assert_eq!(mail.subject(), "دعوت به ستاد نرگس");
    assert_eq!(mail.defects, [""; 0], "Python finds it well formed");
    assert!(mail.html.contains(r#"<html lang="fa" dir="rtl">"#));
    let token = mail.token(&format!("{PANEL}/welcome/"));
    assert!(mail.html.contains(&format!(r#"href="{PANEL}/welcome/{token}""#)));
    assert!(identity.accept(&token, "").await.is_ok());
    let (tries, _, wiped) = identity.letter("state = 'sent'").await;
    assert_eq!((tries, wiped), (1, true), "the ledger no longer holds the link");
}

#[tokio::test]
async fn a_command_that_is_sent_again_writes_no_second_letter() {
    let (server, identity) = plain().await;
    let command = Uuid::now_v7();

    identity.campaign("tehran", command).await.expect("it is free");
    identity.campaign("tehran", command).await.expect("it is known");
    server.next().await.expect("a mail comes");
    identity.end().await;

    assert_eq!(server.waiting().await, 0);
}

#[tokio::test]
async fn names_cannot_add_headers_or_recipients() {
    let (server, identity) = plain().await;
    let name = "نرگس\r\nBcc: all@meydan.example\r\n\r\n<b>x</b>\u{202e}";

    identity.campaign_of(("tehran", name), Uuid::now_v7()).await.expect("it is allowed");
    let mail = server.next().await.expect("a mail comes");

    assert_eq!(mail.to, ["tehran@meydan.example"]);
    assert_eq!(mail.header("bcc"), None);
    assert_eq!(mail.subject(), "دعوت به ستاد نرگس Bcc: all@meydan.example <b>x</b>");
    assert!(!mail.html.contains("<b>") && !mail.text.contains('\u{202e}'));
    let names: Vec<_> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "From",
        "To",
        "Subject",
        "Message-ID",
        "Date",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_mailbox_that_is_busy_gets_its_mail_later_and_once() {
    let (server, identity) = plain().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    server.next().await.expect("the owner's");

    identity.invite(tehran, "busy@meydan.example", "Sara").await;
    identity.letter(PUT_OFF).await;
    identity.advance(Duration::seconds(11));

    assert_eq!(server.next().await.expect("it comes").to, ["busy@meydan.example"]);
    identity.end().await;
    assert_eq!(server.waiting().await, 0);
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_sent_again_under_the_same_name() {
    let (server, identity) = plain().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    server.next().await.expect("the owner's");

    identity.invite(tehran, "silent@meydan.example", "Sara").await;
    let first = server.next().await.expect("it comes");
    identity.letter(PUT_OFF).await;
    identity.advance(Duration::seconds(11));
    let again = server.next().await.expect("it comes again");

    assert_eq!(first.header("message-id"), again.header("message-id"));
    assert_eq!(first.text, again.text, "both have the same link");
}

#[tokio::test]
async fn a_mailbox_that_is_none_ends_its_letter_and_a_server_that_is_away_for_a_day_too() {
    let (server, identity) = plain().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    server.next().await.expect("the owner's");

    identity.invite(tehran, "gone@meydan.example", "Sara").await;
    let (tries, failure, wiped) = identity.letter("state = 'dead'").await;
    assert_eq!((tries, failure.as_deref(), wiped), (1, Some("refused"), true));

    drop(server);
    let (shiraz, _) = identity.campaign("shiraz", Uuid::now_v7()).await.expect("it is free");
    assert_ne!(shiraz, tehran);
    identity.letter(PUT_OFF).await;
    identity.advance(Duration::hours(25));
    let (_, _, wiped) = identity.letter("failure = 'gave_up'").await;
    assert!(wiped);
}

#[tokio::test]
async fn tls_from_the_first_byte_and_by_starttls_and_a_login_are_spoken() {
    for (encryption, url) in [
        (Encryption::Tls, "smtps://post:s3cr%40t@HERE"),
        (Encryption::StartTls, "smtp://post:s3cr%40t@HERE?tls=required"),
        (Encryption::Plain, "smtp://post:s3cr%40t@HERE"),
    ] {
        let server = MailServer::start(encryption, Some("post:s3cr@t")).await;
        let server = server.expect("aiosmtpd starts");
        let identity = with_mail(&server, url).await;
        identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
        let mail = server.next().await.expect("a mail comes");
        assert_eq!(mail.user.as_deref(), Some("post"), "{url}");
        assert_eq!(mail.encrypted, encryption != Encryption::Plain);
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_or_that_offers_no_tls_gets_nothing() {
    for (encryption, url) in [
        (Encryption::Tls, "smtps://HERE"),
        (Encryption::StartTls, "smtp://HERE?tls=required"),
        (Encryption::Plain, "smtp://HERE?tls=required"),
    ] {
        let mut server = MailServer::start(encryption, None).await.expect("aiosmtpd starts");
        server.certificate = "nowhere".into();
        let identity = with_mail(&server, url).await;

        identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
        identity.letter(PUT_OFF).await;

        assert_eq!(server.waiting().await, 0, "{url}");
    }
}

#[tokio::test]
async fn without_a_mail_server_letters_are_in_a_file_for_the_operator_alone() {
    let identity = Identity::start().await;

    let (_, shown) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    identity.letter("state = 'sent'").await;

    let letters = std::fs::read_to_string(identity.sink()).expect("it is there");
    let mode = std::fs::metadata(identity.sink()).expect("it is there").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    assert!(letters.starts_with("To: tehran@meydan.example\nSubject: دعوت به ستاد نرگس\n"));
    assert!(!shown.is_empty() && !letters.contains(&shown), "each link is its own");
    assert!(identity.accept(&shown, "").await.is_ok());
}
