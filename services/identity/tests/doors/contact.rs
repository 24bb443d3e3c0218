//! Proving addresses and telephones: what counts, what does not, and what is tried against it.

mod telephones;

use std::sync::Arc;

use identity::letters::{Mail, Sms, SmsProvider, Smtp};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, AskPhoneRequest, Contact, GetContactRequest, ProveAgainRequest,
        ProveEmailRequest, ProvePhoneRequest, contacts_client::ContactsClient,
        prove_email_request::Proof,
    },
};
use meydan_testkit::{
    post::{Encryption, MailServer, SmsServer},
    servers::folder,
};
use time::Duration;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::{Identity, PANEL, PASSWORD};

/// Identity, with a mail server and a provider of SMS in front of it.
struct Town {
    identity: Identity,
    mails: MailServer,
    sms: SmsServer,
}

impl Town {
    async fn start() -> Self {
        let mails = MailServer::start(Encryption::Plain, None).await.expect("aiosmtpd starts");
        let sms = SmsServer::start().await.expect("a port is free");
        let url = format!("smtp://127.0.0.1:{}", mails.port()).into();
        let from = "post@meydan.example".to_owned();
        let mail = Mail::server(&Smtp { url, from, authorities: None }).expect("sound settings");
        let provider = SmsProvider {
            url: format!("http://127.0.0.1:{}/send?to={{to}}", sms.port()).into(),
            method: "POST".to_owned(),
            headers: Some("Authorization: Bearer k3y".to_owned().into()),
            body: Some(r#"{"to": "{to}", "text": "{text}"}"#.to_owned().into()),
        };
        let provider = Sms::provider(&provider).expect("sound settings");
        let identity = Identity::start_with((mail, provider), folder()).await;
        Self { identity, mails, sms }
    }

    /// An admin, whose address nobody has proved.
    async fn admin(&self, email: &str) -> Caller {
        let link = self.identity.first_link().await.expect("there is no admin yet");
        let session = self.identity.accept(&link, email).await.expect("the link is good");
        self.identity.holder(&session).await
    }

    /// The owner of a campaign, who came by the mailed link.
    async fn owner(&self, slug: &str) -> Caller {
        self.identity.campaign(slug, Uuid::now_v7()).await.expect("it is free");
        let token = self.mails.next().await.expect("a mail").token(&format!("{PANEL}/welcome/"));
        let session = self.identity.accept(&token, "").await.expect("the link is good");
        self.identity.holder(&session).await
    }

    fn contacts(&self) -> ContactsClient<Channel> {
        ContactsClient::new(self.identity.dial.channel())
    }

    async fn contact(&self, person: &Caller) -> Contact {
        let request = self.identity.dial.ask(person, GetContactRequest {});
        self.contacts().get_contact(request).await.expect("it is theirs").into_inner()
    }

    async fn ask_email(&self, person: &Caller, email: &str, password: &str) -> Result<(), Failure> {
        let message = AskEmailRequest {
            email: email.to_owned(),
            current_password: password.to_owned(),
            locale: "en".to_owned(),
        };
        let request = self.identity.dial.ask(person, message);
        self.contacts().ask_email(request).await?;
        Ok(())
    }

    async fn prove(&self, person: &Caller, proof: Proof) -> Result<(), Failure> {
        let message = ProveEmailRequest { proof: Some(proof) };
        self.contacts().prove_email(self.identity.dial.ask(person, message)).await?;
        Ok(())
    }

    async fn ask_phone(&self, person: &Caller, phone: &str) -> Result<(), Failure> {
        let message = AskPhoneRequest { phone: phone.to_owned(), locale: "fa".to_owned() };
        self.contacts().ask_phone(self.identity.dial.ask(person, message)).await?;
        Ok(())
    }

    /// They show once more who they are.
    async fn prove_oneself(&self, person: &Caller) {
        let message = ProveAgainRequest { secret: PASSWORD.to_owned() };
        let request = self.identity.dial.ask(person, message);
        self.identity.accounts().prove_again(request).await.expect("it is the password");
    }

    async fn prove_phone(&self, person: &Caller, code: &str) -> Result<(), Failure> {
        let message = ProvePhoneRequest { code: code.to_owned() };
        self.contacts().prove_phone(self.identity.dial.ask(person, message)).await?;
        Ok(())
    }
}

fn wrong() -> Result<(), Failure> {
    Err(Failure::Refused("identity.proof.wrong".into()))
}

fn too_soon() -> Result<(), Failure> {
    Err(Failure::Refused("identity.proof.too_soon".into()))
}

/// Another code than this one.
fn other(code: &str) -> String {
    let number: u32 = code.parse().expect("six digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

#[tokio::test]
async fn a_code_or_a_link_proves_an_address_once_and_for_its_account_alone() {
    let town = Town::start().await;
    let (sara, stranger) = (town.admin("sara@meydan.example").await, town.owner("tehran").await);
    assert!(!town.contact(&sara).await.email_proved);

    town.ask_email(&sara, "", "").await.expect("her own address asks for nothing");
    let mail = town.mails.next().await.expect("a mail comes");
    assert_eq!(mail.to, ["sara@meydan.example"]);
    assert_eq!(mail.subject(), "Your code to confirm this address");
    let token = mail.token(&format!("{PANEL}/account/email/"));
    assert_eq!(town.prove(&stranger, Proof::Code(mail.code())).await, wrong());
    let link = Proof::Token(token.clone());
    assert_eq!(town.prove(&stranger, link.clone()).await, Err(Failure::NotFound));
    assert_eq!(town.prove(&sara, link.clone()).await, Ok(()));

    assert!(town.contact(&sara).await.email_proved);
    assert_eq!(town.prove(&sara, link).await, Err(Failure::NotFound), "once");
    assert_eq!(town.prove(&sara, Proof::Code(mail.code())).await, wrong(), "both are used up");
    town.identity.end().await;
    assert_eq!(town.identity.facts("account.email_verified").await, 2, "the owner came by mail");
}

#[tokio::test]
async fn five_wrong_codes_end_a_code_and_so_does_a_quarter_of_an_hour() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;

    town.ask_email(&sara, "", "").await.expect("it is hers");
    let code = town.mails.next().await.expect("a mail comes").code();
    for _ in 0..5 {
        assert_eq!(town.prove(&sara, Proof::Code(other(&code))).await, wrong());
    }
    assert_eq!(town.prove(&sara, Proof::Code(code)).await, wrong(), "the sixth is not judged");

    town.identity.advance(Duration::seconds(61));
    town.ask_email(&sara, "", "").await.expect("a minute is over");
    let code = town.mails.next().await.expect("a mail comes").code();
    town.identity.advance(Duration::minutes(15));
    assert_eq!(town.prove(&sara, Proof::Code(code)).await, wrong(), "it is too old");
    assert!(!town.contact(&sara).await.email_proved);
}

#[tokio::test]
async fn a_code_counts_after_four_wrong_ones_until_its_quarter_of_an_hour_is_over() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;
    town.ask_email(&sara, "", "").await.expect("it is hers");
    let code = town.mails.next().await.expect("a mail comes").code();

    for _ in 0..4 {
        assert_eq!(town.prove(&sara, Proof::Code(other(&code))).await, wrong());
    }
    town.identity.advance(Duration::minutes(15) - Duration::SECOND);

    assert_eq!(town.prove(&sara, Proof::Code(code)).await, Ok(()));
    assert!(town.contact(&sara).await.email_proved);
}

#[tokio::test]
async fn a_newer_code_takes_the_place_of_the_one_before_and_of_its_link() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;
    town.ask_email(&sara, "", "").await.expect("it is hers");
    let first = town.mails.next().await.expect("a mail comes");
    town.identity.advance(Duration::seconds(61));
    town.ask_email(&sara, "", "").await.expect("a minute is over");
    let second = town.mails.next().await.expect("a mail comes");

    let link = Proof::Token(first.token(&format!("{PANEL}/account/email/")));
    assert_eq!(town.prove(&sara, link).await, Err(Failure::NotFound));
    if first.code() != second.code() {
        assert_eq!(town.prove(&sara, Proof::Code(first.code())).await, wrong());
    }
    assert_eq!(town.prove(&sara, Proof::Code(second.code())).await, Ok(()));
}

#[tokio::test]
async fn another_is_sent_after_a_minute_and_ten_a_day() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;

    for _ in 0..10 {
        town.ask_email(&sara, "", "").await.expect("a minute is over");
        town.mails.next().await.expect("a mail comes");
        town.identity.advance(Duration::seconds(59));
        assert_eq!(town.ask_email(&sara, "", "").await, too_soon());
        town.identity.advance(Duration::SECOND);
    }

    assert_eq!(town.ask_email(&sara, "", "").await, too_soon(), "ten a day");
    town.identity.advance(Duration::days(1));
    let session = town.identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.1").await;
    let sara = town.identity.holder(&session.expect("it is the password")).await;
    assert_eq!(town.ask_email(&sara, "", "").await, Ok(()));
}

#[tokio::test]
async fn of_fifty_uses_of_a_code_at_once_one_succeeds_round_after_round() {
    let town = Arc::new(Town::start().await);
    town.admin("sara@meydan.example").await;

    for round in 0..20 {
        let phone = format!("+9891212345{round:02}");
        let session = town.identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.1").await;
        let sara = town.identity.holder(&session.expect("it is the password")).await;
        town.ask_phone(&sara, &phone).await.expect("a minute is over");
        let code = town.sms.next().await.expect("an SMS comes").code();
        let uses = (0..50).map(|_| town.prove_phone(&sara, &code));
        let uses = futures::future::join_all(uses).await;

        assert_eq!(uses.iter().filter(|used| used.is_ok()).count(), 1, "round {round}");
        assert!(uses.into_iter().all(|used| used == Ok(()) || used == wrong()));
        assert_eq!(town.contact(&sara).await.phone, phone);
        town.identity.advance(Duration::hours(3));
    }
    town.identity.end().await;
    assert_eq!(town.identity.facts("account.phone_verified").await, 20);
}

#[tokio::test]
async fn whoever_has_not_proved_an_address_is_told_so_and_whether_mail_reaches_them() {
    let town = Town::start().await;
    let admin = town.admin("admin@meydan.example").await;
    let owner = town.owner("tehran").await;
    let said = async |person| {
        let contact = town.contact(person).await;
        (contact.mailed, contact.email_proved)
    };
    assert_eq!((said(&admin).await, said(&owner).await), ((true, false), (true, true)));

    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, "admin@meydan.example").await.expect("the link is good");
    let request = identity.dial.ask(&identity.holder(&session).await, GetContactRequest {});
    let contact = ContactsClient::new(identity.dial.channel()).get_contact(request).await;
    assert!(!contact.expect("it is theirs").get_ref().mailed, "letters are in a file");
}

#[tokio::test]
async fn another_address_needs_the_password_counts_once_proved_and_the_old_one_is_told() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;

    let refused = town.ask_email(&sara, "new@meydan.example", "not this one").await;
    assert_eq!(refused, Err(Failure::Refused("identity.password.wrong".into())));
    town.ask_email(&sara, "new@meydan.example", PASSWORD).await.expect("the password is right");
    let mail = town.mails.next().await.expect("a mail comes");
    assert_eq!(mail.to, ["new@meydan.example"]);
    let contact = town.contact(&sara).await;
    assert_eq!((contact.email.as_str(), contact.email_proved), ("sara@meydan.example", false));
    assert_eq!(contact.pending_email, "new@meydan.example");
    assert!(town.identity.log_in("new@meydan.example", PASSWORD, "192.0.2.1").await.is_err());

    // People type the digits of their language.
    let digits: Vec<char> = "۰۱۲۳۴۵۶۷۸۹".chars().collect();
    let code = mail.code().bytes().map(|digit| digits[usize::from(digit - b'0')]).collect();
    town.prove(&sara, Proof::Code(code)).await.expect("it is the code");
    let told = town.mails.next().await.expect("a mail comes");
    assert_eq!(told.to, ["sara@meydan.example"]);
    assert_eq!(told.subject(), "ایمیل حساب شما عوض شد");
    let contact = town.contact(&sara).await;
    assert_eq!((contact.email.as_str(), contact.email_proved), ("new@meydan.example", true));
    assert_eq!(contact.pending_email, "");
    assert!(town.identity.log_in("new@meydan.example", PASSWORD, "192.0.2.1").await.is_ok());
    assert!(town.identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.1").await.is_err());
}

#[tokio::test]
async fn an_address_that_is_proved_stays_and_asking_for_it_tells_nothing() {
    let town = Town::start().await;
    let (sara, owner) = (town.admin("sara@meydan.example").await, town.owner("tehran").await);

    let taken = town.ask_email(&sara, "tehran@meydan.example", PASSWORD).await;
    assert_eq!(taken, Ok(()), "as for an address that nobody has");
    let mail = town.mails.next().await.expect("a mail comes");
    let taken = town.prove(&sara, Proof::Code(mail.code())).await;

    assert_eq!(taken, Err(Failure::Refused("identity.email.taken".into())));
    assert_eq!(town.contact(&owner).await.email, "tehran@meydan.example");
    assert_eq!(town.contact(&sara).await.email, "sara@meydan.example");
}

#[tokio::test]
async fn whoever_only_said_that_an_address_is_theirs_loses_it_to_whoever_proves_it() {
    let identity = Identity::start().await;
    let (_, shown) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let claimed =
        identity.accept(&shown, "").await.expect("an inviter took the link that they saw");
    let first = identity.first_link().await.expect("there is no admin yet");
    let sara = identity.accept(&first, "sara@meydan.example").await.expect("the link is good");
    let sara = identity.holder(&sara).await;
    let mut contacts = ContactsClient::new(identity.dial.channel());
    let message = AskEmailRequest {
        email: "Tehran@meydan.example".to_owned(),
        current_password: PASSWORD.to_owned(),
        locale: "fa".to_owned(),
    };
    contacts.ask_email(identity.dial.ask(&sara, message)).await.expect("the password is right");
    identity.letter("kind = 'email-proof' AND state = 'sent'").await;
    let letters = std::fs::read_to_string(identity.sink()).expect("it is there");
    let (_, token) = letters.rsplit_once("/account/email/").expect("the link is in it");
    let token = token.split_whitespace().next().expect("the link has a token").to_owned();

    let message = ProveEmailRequest { proof: Some(Proof::Token(token)) };
    contacts.prove_email(identity.dial.ask(&sara, message)).await.expect("it is hers");

    assert!(!identity.is_known(&claimed).await, "their session ended");
    let session = identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await;
    let held = identity.held(&session.expect("it is Sara's password")).await;
    assert!(held.is_admin && held.memberships.is_empty());
    identity.end().await;
    assert_eq!(identity.facts("account.email_lost").await, 1);
}
