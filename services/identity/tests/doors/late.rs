//! What is done is answered for, though the tables are late to show it: a link that is used up and a session that has
//! begun come once.

use std::time::Duration as Real;

use meydan_rpc::{
    outcome::Failure,
    pb::identity::{
        AuthenticateKeyRequest, AuthenticateRequest, ChangePasswordRequest, RevokeApiKeyRequest,
        Role, api_keys_client::ApiKeysClient,
    },
};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{
    api_keys::make,
    harness::{Identity, PASSWORD, gateway},
    oversight::id,
    team::Team,
};

const OWNER: &str = "tehran@meydan.example";
const NEW: &str = "quite another pass phrase 9";
/// Enough for a member, and not for an admin.
const SHORT: &str = "mopzeq-84vutk";

const ACCOUNTS: &str = "accounts, login_history";
const KEYS: &str = "api_keys";

/// Lets tables be read, and nothing be written to them, until it is dropped.
async fn late(identity: &Identity, tables: &str) -> Transaction<'static, Postgres> {
    let mut late = identity.database().await.begin().await.expect("it answers");
    let lock = sqlx::AssertSqlSafe(format!("LOCK TABLE {tables} IN SHARE MODE"));
    sqlx::query(lock).execute(&mut *late).await.expect("nobody writes for long");
    late
}

#[tokio::test]
async fn whoever_comes_in_or_changes_a_password_while_the_tables_are_late_is_told_that_it_is_done()
{
    let identity = Identity::start().await;
    let first = identity.first_link().await.expect("there is no admin yet");
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (_, other) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let session = identity.accept(&link, "").await.expect("the link is good");
    let holder = identity.holder(&session).await;
    let late = late(&identity, ACCOUNTS).await;

    identity.accept(&other, "").await.expect("they are in");
    let admin = identity.accept(&first, "sara@meydan.example").await.expect("so is the admin");
    let message = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: NEW.to_owned(),
    };
    let changed = identity.accounts().change_password(identity.dial.ask(&holder, message)).await;
    assert!(changed.is_ok(), "{changed:?}");
    late.rollback().await.expect("it answers");

    assert!(identity.log_in(OWNER, NEW, "192.0.2.1").await.is_ok());
    let known = async {
        while !identity.is_known(&admin).await {
            tokio::task::yield_now().await;
        }
    };
    let known = tokio::time::timeout(Real::from_secs(20), known).await;
    known.expect("the session that was shown is theirs");
}

#[tokio::test]
async fn whoever_recovers_an_account_while_the_tables_are_late_is_told_that_it_is_done() {
    let team = Team::start().await;
    let identity = &team.identity;
    let asked = identity.ask_recovery(OWNER, "192.0.2.1").await;
    asked.expect("anybody may ask");
    let token = identity.mailed("recovery", "/recover/").await;
    let late = late(identity, ACCOUNTS).await;

    let finished = identity.finish_recovery(&token, NEW).await;

    assert!(finished.is_ok(), "{finished:?}");
    late.rollback().await.expect("it answers");
    assert!(identity.log_in(OWNER, NEW, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn whoever_dismisses_an_admin_while_the_tables_are_late_is_told_that_it_is_done() {
    let identity = Identity::start().await;
    let (admin, _) = identity.staff().await;
    let link = identity.ask_admin(&admin, "omid@meydan.example").await.expect("an admin may");
    let session = identity.accept(&link, "").await.expect("the link is good");
    let omid = id(&identity.holder(&session).await);
    let late = late(&identity, ACCOUNTS).await;

    let dismissed = identity.dismiss(&admin, omid).await;

    assert_eq!(dismissed, Ok(()));
    late.rollback().await.expect("it answers");
    assert!(!identity.is_known(&session).await);
    assert_eq!(identity.facts("account.admin_dismissed").await, 1);
}

#[tokio::test]
async fn a_key_that_is_revoked_while_the_tables_are_late_opens_nothing_at_once() {
    let team = Team::start().await;
    let identity = &team.identity;
    let key = team.key(&team.owner).await;
    assert!(team.allowed(&key).await.is_some());
    let api_key_id = team.keys().await.remove(0).api_key_id;
    let late = late(identity, KEYS).await;

    let message = RevokeApiKeyRequest { api_key_id };
    let request = identity.dial.command(&team.owner.caller, Uuid::now_v7(), message);
    let revoked = ApiKeysClient::new(identity.dial.channel()).revoke_api_key(request).await;

    assert!(revoked.is_ok(), "{revoked:?}");
    assert_eq!(team.allowed(&key).await, None);
    late.rollback().await.expect("it answers");
    assert_eq!(team.revoked().await, "", "by hand");
    let seen = team.keys().await.remove(0);
    assert!(seen.last_used_at.is_some(), "when it was used stays to be seen");
}

#[tokio::test]
async fn whoever_asks_again_for_a_key_that_the_tables_are_late_to_show_is_told_to_wait() {
    let team = Team::start().await;
    let (identity, command) = (&team.identity, Uuid::now_v7());
    let owner = (team.owner.session.as_str(), team.campaign);
    let late = late(identity, KEYS).await;
    let lost = make(identity, owner, command).await.expect("it is made");

    let early = make(identity, owner, command).await;

    assert_eq!(early, Err(Failure::Unavailable), "it is nobody else's");
    late.rollback().await.expect("it answers");
    let shown = async { while team.keys().await.is_empty() {} };
    tokio::time::timeout(Real::from_secs(20), shown).await.expect("it is shown in the end");
    let key = make(identity, owner, command).await.expect("the first one was lost on the way");
    assert_eq!(team.allowed(&lost).await, None, "one secret opens it");
    assert!(team.allowed(&key).await.is_some());
    assert_eq!(identity.facts("api_key.created").await, 1);
}

#[tokio::test]
async fn nothing_opens_by_what_somebody_was_before_a_change_that_the_tables_are_late_to_show() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let omid = team.keeper().await;
    let (key, owners) = (team.key(&omid).await, team.key(&team.owner).await);
    let seat = team.id(omid.account).await;
    let session = async || {
        let message = AuthenticateRequest { session_token: omid.session.clone() };
        let held = identity.sessions().authenticate(identity.dial.ask(&gateway(), message)).await;
        Ok::<_, Failure>(held?.into_inner().memberships.remove(0).permissions)
    };
    let opens = async |key: &str| {
        let message = AuthenticateKeyRequest { key: key.to_owned() };
        let request = identity.dial.ask(&gateway(), message);
        let opened = identity.sessions().authenticate_key(request).await;
        opened.map(|_| ()).map_err(Failure::from)
    };
    let late = late(identity, "accounts, members").await;

    let demoted = team.change_role(&team.owner.caller, &seat, Role::Support).await;
    assert_eq!(demoted, Ok(()));
    assert_eq!(session().await, Err(Failure::Unavailable), "nobody says what he may");
    assert_eq!(opens(&key).await, Err(Failure::Unavailable));
    assert_eq!(opens(&owners).await, Ok(()), "nothing has happened to its maker");
    assert_eq!(identity.suspend(&admin, team.owner.account, true).await, Ok(()));
    assert_eq!(opens(&owners).await, Err(Failure::Unavailable));
    late.rollback().await.expect("it answers");

    let shown = async {
        loop {
            if let Ok(permissions) = session().await {
                return permissions;
            }
        }
    };
    let shown = tokio::time::timeout(Real::from_secs(20), shown).await.expect("it is shown");
    assert!(!shown.contains(&"identity:member.invite".to_owned()));
    assert_eq!(team.allowed(&owners).await, None);
    // A policy revokes what a maker who may no longer make keys has made.
    let closed = async { while team.allowed(&key).await.is_some() {} };
    tokio::time::timeout(Real::from_secs(20), closed).await.expect("it is revoked");
}

#[tokio::test]
async fn a_recovery_gives_an_admin_whom_the_tables_are_late_to_show_no_password_of_a_members() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let link = identity.ask_admin(&admin, OWNER).await.expect("an admin may");
    let owner = identity.holder(&team.owner.session).await;
    let late = late(identity, ACCOUNTS).await;

    assert_eq!(identity.join_with(&owner, &link, PASSWORD).await, Ok(()));
    identity.ask_recovery(OWNER, "192.0.2.1").await.expect("anybody may ask");
    let token = identity.mailed("recovery", "/recover/").await;
    assert_eq!(identity.finish_recovery(&token, SHORT).await, Err(Failure::Conflict));
    late.rollback().await.expect("it answers");

    assert!(identity.log_in(OWNER, SHORT, "192.0.2.1").await.is_err());
    assert!(identity.log_in(OWNER, PASSWORD, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn whose_place_the_tables_cannot_go_on_with_opens_nothing_and_keeps_nobody_else_out() {
    let team = Team::start().await;
    let identity = &team.identity;
    let omid = team.join("omid", Role::Manager).await;
    let park = "INSERT INTO es.parked (reader, part, tenant_id, aggregate_type, aggregate_id, position, reason)
                SELECT 'directory', part, tenant_id, aggregate_type, aggregate_id, position, 'a test'
                FROM es.events WHERE event_type = 'member.joined' ORDER BY position DESC LIMIT 1";
    let parked = sqlx::query(park).execute(&identity.database().await).await;
    assert_eq!(parked.expect("it answers").rows_affected(), 1);

    let message = AuthenticateRequest { session_token: omid.session.clone() };
    let held = identity.sessions().authenticate(identity.dial.ask(&gateway(), message)).await;

    let failed = held.map(|_| ()).map_err(Failure::from);
    assert_eq!(failed, Err(Failure::Unavailable), "nobody says what he may");
    assert!(identity.is_known(&team.owner.session).await);
}
