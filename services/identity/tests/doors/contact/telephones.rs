//! Telephones: proved by SMS, taken away after a proof.

use identity::letters::{Mail, Sink, Sms, SmsProvider};
use meydan_rpc::{
    outcome::Failure,
    pb::identity::{AskPhoneRequest, RemovePhoneRequest, contacts_client::ContactsClient},
};
use meydan_testkit::{detour::Detour, servers::folder};
use time::Duration;

use super::{Town, other, wrong};
use crate::harness::Identity;

#[tokio::test]
async fn a_telephone_is_proved_by_sms_and_what_is_no_number_is_refused() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;
    for bad in ["", "hello", "12345678", "+0912", "0912\r\nx", "+98912345678901234"] {
        let refused = town.ask_phone(&sara, bad).await;
        assert!(matches!(refused, Err(Failure::Malformed(_))), "{bad}: {refused:?}");
    }

    town.ask_phone(&sara, "۰۹۱۲ ۱۲۳ ۴۵۶۷").await.expect("it is a number");
    let sms = town.sms.next().await.expect("an SMS comes");

    assert_eq!(sms.uri, "/send?to=%2B989121234567");
    assert_eq!((sms.method.as_str(), sms.authorization.as_str()), ("POST", "Bearer k3y"));
    assert!(sms.body.starts_with(r#"{"to": "+989121234567", "text": "کد تأیید"#), "{}", sms.body);
    assert_eq!(town.contact(&sara).await.phone, "", "nothing counts before it is proved");
    town.prove_phone(&sara, &sms.code()).await.expect("it is the code");
    assert_eq!(town.contact(&sara).await.phone, "+989121234567");
    assert_eq!(town.prove_phone(&sara, &sms.code()).await, wrong(), "once");
}

#[tokio::test]
async fn a_code_by_sms_counts_after_four_wrong_ones_until_five_minutes_are_over() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;
    let ask = async |phone: &str| {
        town.ask_phone(&sara, phone).await.expect("it is a number");
        town.sms.next().await.expect("an SMS comes").code()
    };

    let code = ask("+989121234567").await;
    for _ in 0..4 {
        assert_eq!(town.prove_phone(&sara, &other(&code)).await, wrong());
    }
    town.identity.advance(Duration::minutes(5) - Duration::SECOND);
    assert_eq!(town.prove_phone(&sara, &code).await, Ok(()));

    town.prove_oneself(&sara).await;
    let late = ask("+989121234568").await;
    town.identity.advance(Duration::minutes(5));
    assert_eq!(town.prove_phone(&sara, &late).await, wrong());
    assert_eq!(town.contact(&sara).await.phone, "+989121234567");
}

#[tokio::test]
async fn a_provider_that_points_elsewhere_is_not_followed_with_its_key() {
    let detour = Detour::start().await.expect("ports are free");
    let provider = SmsProvider {
        url: format!("{}/send?to={{to}}", detour.url()).into(),
        method: "POST".to_owned(),
        headers: Some("Authorization: Bearer k3y".to_owned().into()),
        body: Some("{text}".to_owned().into()),
    };
    let files = folder();
    let mail = Mail::Sink(Sink::new(&files.path().join("letters.txt")));
    let sms = Sms::provider(&provider).expect("sound settings");
    let identity = Identity::start_with((mail, sms), files).await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, "sara@meydan.example").await.expect("the link is good");
    let sara = identity.holder(&session).await;
    let message = AskPhoneRequest { phone: "09121234567".to_owned(), locale: "fa".to_owned() };
    let mut contacts = ContactsClient::new(identity.dial.channel());
    contacts.ask_phone(identity.dial.ask(&sara, message)).await.expect("it is a number");

    let (_, failure, _) = identity.letter("failure IS NOT NULL").await;

    assert_eq!(failure.as_deref(), Some("refused"), "nobody waits for another answer");
    assert_eq!((detour.asked(), detour.strayed()), (1, 0));
}

#[tokio::test]
async fn a_telephone_is_taken_away_after_a_fresh_proof_and_the_holder_is_told() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;
    let remove = async || {
        let request = town.identity.dial.ask(&sara, RemovePhoneRequest {});
        let mut contacts = ContactsClient::new(town.identity.dial.channel());
        contacts.remove_phone(request).await.map(|_| ()).map_err(Failure::from)
    };
    assert_eq!(remove().await, Err(Failure::NotFound), "there is none");
    town.ask_phone(&sara, "+989121234567").await.expect("it is a number");
    let code = town.sms.next().await.expect("an SMS comes").code();
    town.prove_phone(&sara, &code).await.expect("it is the code");
    town.identity.advance(Duration::minutes(4));
    town.ask_phone(&sara, "+989121234568").await.expect("another one");
    let other = town.sms.next().await.expect("an SMS comes").code();

    assert_eq!(remove().await, Ok(()));

    let contact = town.contact(&sara).await;
    assert_eq!((contact.phone.as_str(), contact.pending_phone.as_str()), ("", ""));
    assert_eq!(town.prove_phone(&sara, &other).await, wrong(), "what was under way is over");
    town.identity.letter("kind = 'phone-removed' AND state = 'sent'").await;
    assert_eq!(town.identity.facts("account.phone_removed").await, 1);
    assert_eq!(remove().await, Err(Failure::NotFound));
    town.identity.advance(Duration::minutes(2));
    let stale = remove().await;
    assert_eq!(stale, Err(Failure::Refused("identity.proof.needed".to_owned())));
}

#[tokio::test]
async fn an_sms_that_may_have_gone_out_is_not_sent_again_and_one_that_was_put_off_is() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;

    town.sms.answer(500);
    town.ask_phone(&sara, "+989121234567").await.expect("it is a number");
    town.sms.next().await.expect("an SMS comes");
    let (tries, failure, wiped) = town.identity.letter("state = 'dead'").await;
    assert_eq!((tries, failure.as_deref(), wiped), (1, Some("in_doubt"), true));

    town.identity.advance(Duration::minutes(1));
    town.sms.answer(503);
    town.ask_phone(&sara, "+989121234567").await.expect("a minute is over");
    town.sms.next().await.expect("an SMS comes");
    town.identity.letter("state = 'waiting' AND next_at < written_at + interval '1 minute'").await;
    town.sms.answer(200);
    town.identity.advance(Duration::seconds(11));
    let code = town.sms.next().await.expect("it comes again").code();
    assert_eq!(town.prove_phone(&sara, &code).await, Ok(()));
}

#[tokio::test]
async fn a_session_that_lies_open_gives_the_account_no_telephone() {
    let town = Town::start().await;
    let sara = town.admin("sara@meydan.example").await;
    town.identity.advance(Duration::minutes(5) + Duration::SECOND);

    let stale = town.ask_phone(&sara, "+989121234567").await;
    assert_eq!(stale, Err(Failure::Refused("identity.proof.needed".to_owned())));
    town.prove_oneself(&sara).await;
    assert_eq!(town.ask_phone(&sara, "+989121234567").await, Ok(()));
    assert_eq!(town.sms.next().await.expect("an SMS comes").uri, "/send?to=%2B989121234567");
}
