//! Acts through the door: PostgreSQL refuses one row or one fact of what a request does, each in turn, and nothing of it
//! is done. Whatever is good once is good still.

use meydan_rpc::{
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, AskPhoneRequest, ChangeAccountRequest, ChangePasswordRequest,
        ConfirmFactorRequest, CreateApiKeyRequest, ImpersonateRequest, InviteAdminRequest,
        InviteMemberRequest, ProveEmailRequest, RemoveFactorRequest, RenewRecoveryCodesRequest,
        Role, api_keys_client::ApiKeysClient, contacts_client::ContactsClient,
        prove_email_request::Proof,
    },
};
use meydan_testkit::authenticator;
use uuid::Uuid;

use crate::{
    harness::{Identity, PASSWORD, from},
    team::Team,
};

const NEW: &str = "quite another pass phrase 9";
const FACTS: &str = "es.events";

/// Everything that acts write: the facts, and what lies beside them.
const TABLES: [&str; 16] = [
    FACTS,
    "es.commands",
    "es.unique_keys",
    "api_key_secrets",
    "credentials",
    "devices",
    "factors",
    "impersonations",
    "invitations",
    "letters",
    "login_challenges",
    "proofs",
    "recoveries",
    "recovery_codes",
    "recovery_requests",
    "sessions",
];

impl Identity {
    /// What is written, apart from the counts of tries, which count whatever comes of them, and what becomes of letters.
    async fn written(&self) -> Vec<(String, Option<String>)> {
        let database = self.database().await;
        let mut written = Vec::new();
        for table in TABLES {
            let rows = format!(
                "SELECT string_agg(md5(row), '' ORDER BY row) FROM (
                   SELECT (to_jsonb(t) - '{{tries,last_seen_at,state,next_at,content_sealed,failure}}'::text[])::text AS row
                   FROM {table} t) rows"
            );
            let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_one(&database).await;
            written.push((table.to_owned(), rows.expect("it answers")));
        }
        written
    }

    async fn as_owner(&self, sql: String) {
        let database = self.database().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&database).await.expect("the owner may");
    }

    /// Does something, after it was tried while each of some tables refused whatever was written to it.
    async fn at_once_or_not_at_all<T>(
        &self,
        tables: &[&str],
        act: impl AsyncFn() -> Result<T, Failure>,
    ) -> T {
        for table in tables {
            let before = self.written().await;
            self.as_owner(format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'no'; END $$;
                 CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON {table}
                 FOR EACH ROW EXECUTE FUNCTION refuse()"
            ))
            .await;
            let tried = act().await;
            self.as_owner("DROP FUNCTION refuse CASCADE".to_owned()).await;
            assert_eq!(tried.err(), Some(Failure::Unavailable), "{table} had a part in it");
            assert_eq!(self.written().await, before, "{table} refused");
        }
        act().await.expect("nothing was used up")
    }
}

#[tokio::test]
async fn an_accepted_invitation_is_an_account_with_its_password_place_and_session_or_nothing() {
    let identity = Identity::start().await;
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");

    let tables = ["credentials", "invitations", FACTS, "devices", "sessions"];
    let accept = async || identity.accept(&link, "").await;
    let session = identity.at_once_or_not_at_all(&tables, accept).await;

    let held = identity.held(&session).await;
    assert_eq!(held.memberships.len(), 1);
    for (kind, times) in
        [("member.joined", 1), ("account.password_set", 1), ("account.logged_in", 1)]
    {
        assert_eq!(identity.facts(kind).await, times, "{kind}");
    }
}

#[tokio::test]
async fn the_first_admin_comes_with_a_password_and_a_session_or_the_link_stays_good() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");

    let tables = ["invitations", "credentials", "es.unique_keys", FACTS, "sessions"];
    let accept = async || identity.accept(&link, "sara@meydan.example").await;
    let session = identity.at_once_or_not_at_all(&tables, accept).await;

    assert!(identity.held(&session).await.is_admin);
    assert_eq!(identity.facts("account.registered").await, 1);
}

#[tokio::test]
async fn whoever_is_invited_has_an_account_a_link_and_a_letter_or_none_of_them() {
    let team = Team::start().await;
    let identity = &team.identity;
    let invite = async || {
        let message = InviteMemberRequest {
            email: "sara@meydan.example".to_owned(),
            display_name: "Sara".to_owned(),
            role: Role::Staff.into(),
        };
        let request = identity.dial.command(&team.owner.caller, Uuid::from_u128(9), message);
        Ok(team.members().invite_member(request).await?.into_inner().invitation_token)
    };

    // Five letters a day go to one address, whether they were written or not.
    let tables = ["letters", "invitations", FACTS];
    let link = identity.at_once_or_not_at_all(&tables, invite).await;

    let again = invite().await.expect("it is answered again");
    assert_ne!(again, link);
    for link in [&link, &again] {
        assert_eq!(identity.opened(link).await.expect("it is good").display_name, "Sara");
    }
    assert_eq!(identity.facts("member.invited").await, 2, "the owner, and Sara once");
}

#[tokio::test]
async fn a_campaign_is_created_with_its_owner_and_their_link_or_not_at_all() {
    let identity = Identity::start().await;

    let tables = ["letters", "invitations", "es.unique_keys", FACTS];
    let create = async || identity.campaign("tehran", Uuid::now_v7()).await;
    let (_, link) = identity.at_once_or_not_at_all(&tables, create).await;

    assert!(identity.accept(&link, "").await.is_ok(), "the address in links was free all the time");
    assert_eq!(identity.facts("campaign.created").await, 1);
}

#[tokio::test]
async fn a_new_password_comes_with_its_fact_its_letter_and_the_end_of_other_sessions() {
    let team = Team::start().await;
    let identity = &team.identity;
    let owner = identity.holder(&team.owner.session).await;
    let other = identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await;
    let other = other.expect("it is right");
    let change = async || {
        let (current_password, new_password) = (PASSWORD.to_owned(), NEW.to_owned());
        let message = ChangePasswordRequest { current_password, new_password };
        identity.accounts().change_password(identity.dial.ask(&owner, message)).await?;
        Ok(())
    };

    let tables = ["credentials", "sessions", "devices", "letters", FACTS];
    identity.at_once_or_not_at_all(&tables, change).await;

    assert!(!identity.is_known(&other).await);
    assert_eq!(identity.facts("account.password_set").await, 2);
    assert_eq!(identity.facts("account.logged_out").await, 1);
    identity.letter("kind = 'password-changed'").await;
}

#[tokio::test]
async fn a_recovery_ends_with_everything_that_it_does_or_its_link_stays_good() {
    let team = Team::start().await;
    let identity = &team.identity;
    let asked = identity.ask_recovery("tehran@meydan.example", "192.0.2.1").await;
    asked.expect("anybody may ask");
    let token = identity.mailed("recovery", "/recover/").await;
    let finish = async || identity.finish_recovery(&token, NEW).await.map(|_| ());

    let tables = ["recoveries", "credentials", "sessions", "letters", FACTS];
    identity.at_once_or_not_at_all(&tables, finish).await;

    assert!(!identity.is_known(&team.owner.session).await);
    for kind in ["account.recovered", "account.email_verified", "account.logged_out"] {
        assert_eq!(identity.facts(kind).await, 1, "{kind}");
    }
    assert_eq!(finish().await, Err(Failure::NotFound), "once");
}

#[tokio::test]
async fn a_factor_is_added_and_removed_with_its_fact_and_its_letter() {
    let team = Team::start().await;
    let identity = &team.identity;
    let owner = identity.holder(&team.owner.session).await;
    let begun = identity.begin(&team.owner.session).await.expect("they may");
    let confirm = async || {
        let code = authenticator::code(&begun.secret, identity.now());
        let message = ConfirmFactorRequest { factor_id: begun.factor_id.clone(), code };
        let request = identity.dial.ask(&owner, message);
        Ok(identity.accounts().confirm_factor(request).await?.into_inner())
    };

    let tables = ["factors", "recovery_codes", "sessions", "letters", FACTS];
    let confirmed = identity.at_once_or_not_at_all(&tables, confirm).await;

    let owner = identity.holder(&confirmed.session_token).await;
    let renew = async || {
        let request = identity.dial.ask(&owner, RenewRecoveryCodesRequest {});
        Ok(identity.accounts().renew_recovery_codes(request).await?.into_inner().recovery_codes)
    };
    let codes = identity.at_once_or_not_at_all(&["recovery_codes", FACTS], renew).await;
    assert_ne!(codes, confirmed.recovery_codes);
    let remove = async || {
        let message = RemoveFactorRequest { factor_id: begun.factor_id.clone() };
        identity.accounts().remove_factor(identity.dial.ask(&owner, message)).await?;
        Ok(())
    };
    identity.at_once_or_not_at_all(&["factors", "recovery_codes", "letters", FACTS], remove).await;
    identity.letter("kind = 'factor-removed'").await;
    assert_eq!(identity.facts("account.factor_removed").await, 1);
}

#[tokio::test]
async fn a_recovery_code_opens_a_session_or_is_not_used_up() {
    let team = Team::start().await;
    let identity = &team.identity;
    let sara = identity.enrol(&team.owner.session).await;
    let asked = identity.enter("tehran@meydan.example", PASSWORD, from("192.0.2.1", "")).await;
    let challenge = asked.expect("the password is right").challenge_token;

    let tables = ["recovery_codes", "login_challenges", "devices", FACTS];
    // The challenge bears five tries, each of which is counted.
    let tries = [&tables[..1], &tables[2..]].concat();
    let prove = async || identity.prove(&challenge, &sara.codes[0], from("192.0.2.1", "")).await;
    let entered = identity.at_once_or_not_at_all(&tries, prove).await;

    assert!(identity.is_known(&entered.session_token).await);
    identity.letter("kind LIKE 'new-device%'").await;
    assert_eq!(prove().await.err(), Some(Failure::Refused("identity.challenge.over".into())));
}

#[tokio::test]
async fn an_address_is_proved_with_its_key_and_its_letter_or_the_code_stays_good() {
    let team = Team::start().await;
    let identity = &team.identity;
    let owner = identity.holder(&team.owner.session).await;
    let contacts = || ContactsClient::new(identity.dial.channel());
    let message = AskEmailRequest {
        email: "new@meydan.example".to_owned(),
        current_password: PASSWORD.to_owned(),
        locale: "en".to_owned(),
    };
    contacts().ask_email(identity.dial.ask(&owner, message)).await.expect("it is right");
    let token = identity.mailed("email-proof", "/account/email/").await;
    let prove = async || {
        let message = ProveEmailRequest { proof: Some(Proof::Token(token.clone())) };
        contacts().prove_email(identity.dial.ask(&owner, message)).await?;
        Ok(())
    };

    let tables = ["proofs", "es.unique_keys", "letters", FACTS];
    identity.at_once_or_not_at_all(&tables, prove).await;

    assert!(identity.log_in("new@meydan.example", PASSWORD, "192.0.2.1").await.is_ok());
    identity.letter("kind = 'email-changed'").await;
    let ask = async || {
        let (phone, locale) = ("09121234567".to_owned(), "fa".to_owned());
        let message = AskPhoneRequest { phone, locale };
        contacts().ask_phone(identity.dial.ask(&owner, message)).await?;
        Ok(())
    };
    identity.at_once_or_not_at_all(&["proofs", "letters"], ask).await;
}

#[tokio::test]
async fn somebody_who_is_deactivated_loses_links_and_sessions_with_the_place() {
    let team = Team::start().await;
    let identity = &team.identity;
    let sara = team.join("sara", Role::Staff).await;
    let member = team.id(sara.account).await;

    let take = async || team.deactivate(&team.owner.caller, &member).await;
    identity.at_once_or_not_at_all(&["sessions", FACTS], take).await;

    assert!(!identity.is_known(&sara.session).await);
    assert_eq!(identity.facts("member.deactivated").await, 1);
    assert_eq!(identity.facts("account.logged_out").await, 1, "on record, like every other end");
}

#[tokio::test]
async fn an_admin_is_asked_appointed_and_dismissed_at_once_or_not_at_all() {
    let identity = Identity::start().await;
    let (admin, _) = identity.staff().await;
    let ask = async || {
        let (email, display_name) = ("omid@meydan.example".to_owned(), "Omid".to_owned());
        let message = InviteAdminRequest { email, display_name };
        let request = identity.dial.command(&admin, Uuid::now_v7(), message);
        Ok(identity.oversight().invite_admin(request).await?.into_inner())
    };
    let tables = ["letters", "invitations", "es.unique_keys", FACTS];
    let asked = identity.at_once_or_not_at_all(&tables, ask).await;

    let accept = async || identity.accept(&asked.invitation_token, "").await;
    let tables = ["credentials", "invitations", FACTS, "sessions"];
    let session = identity.at_once_or_not_at_all(&tables, accept).await;
    assert!(identity.held(&session).await.is_admin);

    let dismiss = async || {
        let message = ChangeAccountRequest { account_id: asked.account_id.clone() };
        let request = identity.dial.command(&admin, Uuid::now_v7(), message);
        identity.oversight().dismiss_admin(request).await?;
        Ok(())
    };
    identity.at_once_or_not_at_all(&["sessions", FACTS], dismiss).await;
    assert!(!identity.is_known(&session).await);
    assert_eq!(identity.facts("account.admin_dismissed").await, 1);
}

#[tokio::test]
async fn nobody_looks_as_a_member_without_a_letter_and_two_records() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, session) = identity.staff().await;
    let look = async || {
        let message = ImpersonateRequest {
            account_id: team.owner.account.to_string(),
            campaign_id: team.campaign.to_string(),
            reason: "The owner asked why the inbox is empty.".to_owned(),
        };
        let request = identity.dial.command(&admin, Uuid::now_v7(), message);
        identity.oversight().impersonate(request).await?;
        Ok(())
    };

    identity.at_once_or_not_at_all(&["impersonations", "letters", FACTS], look).await;

    assert!(identity.held(&session).await.impersonation.is_some());
    assert_eq!(identity.facts("member.impersonated").await, 1);
    assert_eq!(identity.facts("account.impersonated").await, 1);
    let suspend = async || identity.suspend(&admin, team.owner.account, true).await;
    identity
        .at_once_or_not_at_all(&["sessions", "impersonations", "letters", FACTS], suspend)
        .await;
    assert!(identity.held(&session).await.impersonation.is_none());
    assert_eq!(identity.facts("account.impersonation_ended").await, 1);
}

#[tokio::test]
async fn a_key_is_made_with_its_secret_or_not_at_all() {
    let team = Team::start().await;
    let identity = &team.identity;
    let make = async || {
        let message = CreateApiKeyRequest {
            name: "site".to_owned(),
            permissions: vec!["crm:ticket.read".to_owned()],
            expires_at: None,
        };
        let request = identity.dial.command(&team.owner.caller, Uuid::now_v7(), message);
        let mut keys = ApiKeysClient::new(identity.dial.channel());
        Ok(keys.create_api_key(request).await?.into_inner().key)
    };

    let secret = identity.at_once_or_not_at_all(&["api_key_secrets", FACTS], make).await;

    assert!(secret.starts_with("mk_"));
    assert_eq!(identity.facts("api_key.created").await, 1);
}
