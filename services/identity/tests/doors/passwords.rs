//! Choosing a password through the door: what is refused, in which words, and that nothing is used up by it.

use meydan_rpc::{
    outcome::Failure,
    pb::identity::{
        AskRecoveryRequest, ChangePasswordRequest, FinishRecoveryRequest,
        recovery_client::RecoveryClient,
    },
};
use uuid::Uuid;

use crate::harness::{Identity, PASSWORD, gateway};

const NAMED: &str = "is made of names that others know; choose other words";
const COMMON: &str = "is one of the most common passwords; choose another";

fn refused<T>(field: &str, said: &str) -> Result<T, Failure> {
    Err(Failure::Malformed(vec![(field.to_owned(), said.to_owned())]))
}

#[tokio::test]
async fn an_invited_person_cannot_choose_what_the_campaign_is_called_and_the_link_stays_good() {
    let identity = Identity::start().await;
    let named = ("karimi-shiraz", "نرگس کریمی");
    let (_, link) = identity.campaign_of(named, Uuid::now_v7()).await.expect("it is free");

    for password in ["NargessKarimy1405", "karimi-shiraz-1405", "nargeskarimi2026"] {
        assert_eq!(identity.accept_with(&link, password).await, refused("password", NAMED));
    }
    let common = identity.accept_with(&link, "1Qaz2wsx3edc").await;
    assert_eq!(common, refused("password", COMMON));
    let endless = identity.accept_with(&link, &"kettle sparrow ".repeat(20)).await;
    assert_eq!(endless, refused("password", "must have at most 256 bytes"));

    assert!(identity.accept_with(&link, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn an_admin_needs_fifteen_characters_and_hears_of_every_bad_field_at_once() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");

    let short = identity.accept_as(&link, "sara@meydan.example", "x7Gq!p2vLw9z").await;
    assert_eq!(short, refused("password", "must have at least 15 characters"));
    let own = identity.accept_as(&link, "golnar@meydan.example", "golnar@meydan.example").await;
    assert_eq!(own, refused("password", NAMED));
    let both = identity.accept_as(&link, "nobody", "1234567890123456").await;
    let Err(Failure::Malformed(fields)) = both else { panic!("{both:?}") };
    assert_eq!(fields.len(), 2, "{fields:?}");

    assert!(identity.accept_as(&link, "sara@meydan.example", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn changing_and_recovering_hold_to_the_same_rules() {
    let identity = Identity::start().await;
    let named = ("karimi-shiraz", "نرگس کریمی");
    let (_, link) = identity.campaign_of(named, Uuid::now_v7()).await.expect("it is free");
    let session = identity.accept_with(&link, PASSWORD).await.expect("the link is good");
    let owner = identity.holder(&session).await;

    let message = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: "NargessKarimy1405".to_owned(),
    };
    let request = identity.dial.command(&owner, Uuid::now_v7(), message);
    let changed = identity.accounts().change_password(request).await.map_err(Failure::from);
    assert_eq!(changed.map(|_| ()), refused("new_password", NAMED));

    let mut recovery = RecoveryClient::new(identity.dial.channel());
    let message = AskRecoveryRequest {
        email: "karimi-shiraz@meydan.example".to_owned(),
        address: "192.0.2.1".to_owned(),
        locale: "fa".to_owned(),
    };
    recovery.ask_recovery(identity.dial.ask(&gateway(), message)).await.expect("it is noted");
    identity.letter("kind = 'recovery' AND content_sealed IS NULL").await;
    let letters = std::fs::read_to_string(identity.sink()).expect("letters are kept");
    let token = letters.rsplit("/recover/").next().expect("a link");
    let token: String = token
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || "-_".contains(*letter))
        .collect();
    for (password, said) in [("NargessKarimy1405", NAMED), ("123qweasdzxc", COMMON)] {
        let (token, new_password) = (token.clone(), password.to_owned());
        let message = FinishRecoveryRequest { token, new_password };
        let finished = recovery.finish_recovery(identity.dial.ask(&gateway(), message)).await;
        assert_eq!(finished.map(|_| ()).map_err(Failure::from), refused("new_password", said));
    }
    let message = FinishRecoveryRequest { token, new_password: "kettle sparrow violin".to_owned() };
    let finished = recovery.finish_recovery(identity.dial.ask(&gateway(), message)).await;
    assert!(finished.is_ok(), "a refused password uses nothing up");
}
