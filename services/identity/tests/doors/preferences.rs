//! In what language and time zone somebody works: what is said with their session, and what letters speak.

use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{Preferences, SetPreferencesRequest, accounts_client::AccountsClient},
};
use meydan_testkit::post::{Encryption, MailServer};

use crate::{harness::Identity, letters::with_mail};

impl Identity {
    async fn set_preferences(
        &self,
        person: &Caller,
        (locale, time_zone): (&str, &str),
    ) -> Result<(), Failure> {
        let chosen = Preferences { locale: locale.to_owned(), time_zone: time_zone.to_owned() };
        let message = SetPreferencesRequest { preferences: Some(chosen) };
        let request = self.dial.ask(person, message);
        AccountsClient::new(self.dial.channel()).set_preferences(request).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_language_and_a_time_zone_that_were_chosen_come_with_every_session_and_once_on_record() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, "sara@meydan.example").await.expect("the link is good");
    let sara = identity.holder(&session).await;
    assert_eq!(identity.held(&session).await.preferences, None);

    assert_eq!(identity.set_preferences(&sara, ("en", "asia/tokyo")).await, Ok(()));
    assert_eq!(identity.set_preferences(&sara, ("en", "Asia/Tokyo")).await, Ok(()));

    let said = identity.held(&session).await.preferences.expect("they chose");
    assert_eq!((said.locale.as_str(), said.time_zone.as_str()), ("en", "Asia/Tokyo"));
    assert_eq!(identity.facts("account.preferences_set").await, 1, "once, however it is spelled");
    let open = "SELECT count(*) FROM es.events WHERE payload::text LIKE '%Tokyo%'";
    let open: i64 =
        sqlx::query_scalar(open).fetch_one(&identity.database().await).await.expect("it answers");
    assert_eq!(open, 0, "where somebody lives is sealed");
}

#[tokio::test]
async fn a_language_or_a_time_zone_that_nobody_knows_is_refused_by_its_field() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, "sara@meydan.example").await.expect("the link is good");
    let sara = identity.holder(&session).await;

    for (said, fields) in [
        (("de", "Europe/Berlin"), vec!["locale"]),
        (("fa", "Asia/Nowhere"), vec!["time_zone"]),
        (("fa", "../../etc/passwd"), vec!["time_zone"]),
        (("", ""), vec!["locale", "time_zone"]),
    ] {
        let refused = identity.set_preferences(&sara, said).await;
        let Err(Failure::Malformed(wrong)) = refused else { panic!("{said:?}: {refused:?}") };
        assert_eq!(wrong.iter().map(|(field, _)| field).collect::<Vec<_>>(), fields, "{said:?}");
    }

    assert_eq!(identity.facts("account.preferences_set").await, 0);
}

#[tokio::test]
async fn letters_are_written_in_the_language_that_the_account_chose_before_that_of_the_campaign() {
    let server = MailServer::start(Encryption::Plain, None).await.expect("aiosmtpd starts");
    let identity = with_mail(&server, "smtp://HERE").await;
    identity.campaign("tehran", uuid::Uuid::now_v7()).await.expect("it is free");
    let mail = server.next().await.expect("the invitation comes");
    let link = mail.token(&format!("{}/welcome/", crate::harness::PANEL));
    let session = identity.accept(&link, "").await.expect("the link is good");
    let owner = identity.holder(&session).await;
    identity.set_preferences(&owner, ("en", "Europe/Berlin")).await.expect("both are known");

    identity.enrol(&session).await;

    let mail = server.next().await.expect("a letter tells of the second factor");
    assert!(mail.html.contains(r#"<html lang="en" dir="ltr">"#), "{}", mail.html);
}
