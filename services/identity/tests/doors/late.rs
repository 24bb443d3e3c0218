//! What is done is answered for, though the tables are late to show it: a link that is used up and a session that has
//! begun come once.

use meydan_rpc::pb::identity::ChangePasswordRequest;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{
    harness::{Identity, PASSWORD},
    oversight::id,
    team::Team,
};

const NEW: &str = "quite another pass phrase 9";

/// Lets the tables be read, and nothing be written to them, until it is dropped.
async fn late(identity: &Identity) -> Transaction<'static, Postgres> {
    let mut late = identity.database().await.begin().await.expect("it answers");
    let lock = "LOCK TABLE accounts, login_history IN SHARE MODE";
    sqlx::query(lock).execute(&mut *late).await.expect("nobody writes for long");
    late
}

#[tokio::test]
async fn whoever_comes_in_or_changes_a_password_while_the_tables_are_late_is_told_that_it_is_done()
{
    let identity = Identity::start().await;
    let first = identity.first_link().await.expect("there is no admin yet");
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let late = late(&identity).await;

    let session = identity.accept(&link, "").await.expect("they are in");
    let admin = identity.accept(&first, "sara@meydan.example").await.expect("so is the admin");
    let holder = identity.holder(&session).await;
    let message = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: NEW.to_owned(),
    };
    let changed = identity.accounts().change_password(identity.dial.ask(&holder, message)).await;
    assert!(changed.is_ok(), "{changed:?}");
    late.rollback().await.expect("it answers");

    assert!(identity.log_in("tehran@meydan.example", NEW, "192.0.2.1").await.is_ok());
    let known = async {
        while !identity.is_known(&admin).await {
            tokio::task::yield_now().await;
        }
    };
    let known = tokio::time::timeout(std::time::Duration::from_secs(20), known).await;
    known.expect("the session that was shown is theirs");
}

#[tokio::test]
async fn whoever_recovers_an_account_while_the_tables_are_late_is_told_that_it_is_done() {
    let team = Team::start().await;
    let identity = &team.identity;
    let asked = identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await;
    asked.expect("anybody may ask");
    let token = identity.mailed("recovery", "/recover/").await;
    let late = late(identity).await;

    let finished = identity.finish_recovery(&token, NEW).await;

    assert!(finished.is_ok(), "{finished:?}");
    late.rollback().await.expect("it answers");
    assert!(identity.log_in("tehran@meydan.example", NEW, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn whoever_dismisses_an_admin_while_the_tables_are_late_is_told_that_it_is_done() {
    let identity = Identity::start().await;
    let (admin, _) = identity.staff().await;
    let link = identity.ask_admin(&admin, "omid@meydan.example").await.expect("an admin may");
    let session = identity.accept(&link, "").await.expect("the link is good");
    let omid = id(&identity.holder(&session).await);
    let late = late(&identity).await;

    let dismissed = identity.dismiss(&admin, omid).await;

    assert_eq!(dismissed, Ok(()));
    late.rollback().await.expect("it answers");
    assert!(!identity.is_known(&session).await);
    assert_eq!(identity.facts("account.admin_dismissed").await, 1);
}
