//! What was right a moment ago, and is not any more when it is to open something: it opens nothing.

use futures::future::join_all;
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, CampaignStatus, ChangePasswordRequest, ProveAgainRequest, Role,
        contacts_client::ContactsClient,
    },
};
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    api_keys::make_as,
    harness::{Identity, PASSWORD, from},
    leaving,
    oversight::id,
    team::{Colleague, Team},
};

const OWNER: &str = "tehran@meydan.example";
const NEW: &str = "quite another pass phrase 9";
const OTHER: &str = "kettle sparrow violin 1405";
/// Enough for a member, and not for an admin.
const SHORT: &str = "mopzeq-84vutk";

/// An account that nobody acts on while this is there: whoever wants to waits, each in their turn.
struct Busy {
    held: Transaction<'static, Postgres>,
    database: PgPool,
}

impl Busy {
    async fn with(identity: &Identity, account: Uuid) -> Self {
        let database = identity.database().await;
        let mut held = database.begin().await.expect("it answers");
        let [.., a, b, c, d] = account.into_bytes();
        let lock = sqlx::query("SELECT pg_advisory_xact_lock(7106, $1)");
        let lock = lock.bind(i32::from_be_bytes([a, b, c, d])).execute(&mut *held).await;
        lock.expect("nobody holds it for long");
        Self { held, database }
    }

    /// Waits until so many wait for it.
    async fn waited_for(database: &PgPool, by: i64) {
        let look = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7106 AND NOT granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let waiting = async {
            let mut looks = tokio::time::interval(std::time::Duration::from_millis(10));
            loop {
                looks.tick().await;
                let waiting: i64 =
                    sqlx::query_scalar(look).fetch_one(database).await.expect("it answers");
                if waiting >= by {
                    return;
                }
            }
        };
        let limit = std::time::Duration::from_secs(20);
        tokio::time::timeout(limit, waiting).await.expect("they get there");
    }

    /// Has two act on the account, the first one before the second; what comes of them.
    async fn then<A, B>(
        self,
        first: impl Future<Output = A>,
        second: impl Future<Output = B>,
    ) -> (A, B) {
        let Self { held, database } = self;
        let second = async {
            Self::waited_for(&database, 1).await;
            second.await
        };
        let release = async {
            Self::waited_for(&database, 2).await;
            held.rollback().await.expect("it answers");
        };
        let (first, second, ()) = tokio::join!(first, second, release);
        (first, second)
    }
}

impl Identity {
    async fn change(&self, holder: &Caller, new: &str) -> Result<(), Failure> {
        let (current_password, new_password) = (PASSWORD.to_owned(), new.to_owned());
        let message = ChangePasswordRequest { current_password, new_password };
        self.accounts().change_password(self.dial.ask(holder, message)).await?;
        Ok(())
    }

    /// Asks for a code to an address, with the password that the account had at first.
    async fn move_to(&self, email: &str, holder: &Caller) -> Result<(), Failure> {
        let (email, current_password) = (email.to_owned(), PASSWORD.to_owned());
        let message = AskEmailRequest { email, current_password, locale: "en".to_owned() };
        let mut contacts = ContactsClient::new(self.dial.channel());
        contacts.ask_email(self.dial.ask(holder, message)).await?;
        Ok(())
    }

    /// How many codes are under way.
    async fn codes_under_way(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM proofs");
        count.fetch_one(&self.database().await).await.expect("it answers")
    }
}

fn refused<T>(code: &str) -> Result<T, Failure> {
    Err(Failure::Refused(code.to_owned()))
}

#[tokio::test]
async fn a_login_with_a_password_that_is_changed_meanwhile_begins_nothing() {
    for second_factor in [false, true] {
        let team = Team::start().await;
        let identity = &team.identity;
        let session = if second_factor {
            identity.enrol(&team.owner.session).await.session
        } else {
            team.owner.session.clone()
        };
        let owner = identity.holder(&session).await;
        let before = identity.facts("account.logged_in").await;

        let busy = Busy::with(identity, team.owner.account).await;
        let log_in = identity.enter(OWNER, PASSWORD, from("198.51.100.9", ""));
        let (changed, entered) = busy.then(identity.change(&owner, NEW), log_in).await;

        assert_eq!(changed, Ok(()));
        let failed = Some(Failure::Refused("identity.login.failed".to_owned()));
        assert_eq!(entered.err(), failed, "with a second factor: {second_factor}");
        assert_eq!(identity.facts("account.logged_in").await, before);
        assert_eq!(identity.facts("account.challenged").await, 0);
        assert!(identity.is_known(&session).await, "whoever changed it goes on");
        assert!(identity.enter(OWNER, NEW, from("198.51.100.9", "")).await.is_ok());
    }
}

#[tokio::test]
async fn of_two_who_change_a_password_at_once_the_second_changes_nothing() {
    let team = Team::start().await;
    let identity = &team.identity;
    let stolen = identity.log_in(OWNER, PASSWORD, "198.51.100.9").await.expect("it is right");
    let (owner, thief) =
        (identity.holder(&team.owner.session).await, identity.holder(&stolen).await);

    let busy = Busy::with(identity, team.owner.account).await;
    let (first, second) =
        busy.then(identity.change(&owner, NEW), identity.change(&thief, OTHER)).await;

    assert_eq!(first, Ok(()));
    assert_eq!(second, Err(Failure::Refused("identity.password.wrong".to_owned())));
    assert!(identity.is_known(&team.owner.session).await && !identity.is_known(&stolen).await);
    assert!(identity.log_in(OWNER, OTHER, "192.0.2.1").await.is_err());
    assert!(identity.log_in(OWNER, NEW, "192.0.2.1").await.is_ok());
    assert_eq!(identity.facts("account.password_set").await, 2, "the first one, and one more");
}

#[tokio::test]
async fn a_seat_that_an_owner_gives_meanwhile_is_left_as_it_is_and_no_link_leads_there() {
    for renews in [false, true] {
        let team = Team::start().await;
        let manager = team.join("omid", Role::Manager).await;
        team.invite(&manager, "sara", Role::Staff).await.expect("a manager may");
        let sara = team.asked().await.member_id;
        let account = sqlx::query_scalar("SELECT account_id FROM members WHERE joined_at IS NULL");
        let account = account.fetch_one(&team.identity.database().await).await;
        let account: Uuid = account.expect("she is asked");

        let busy = Busy::with(&team.identity, account).await;
        let raise = team.change_role(&team.owner.caller, &sara, Role::Owner);
        let ask = async {
            if renews {
                team.renew(&manager, &sara).await
            } else {
                team.invite(&manager, "sara", Role::Support).await
            }
        };
        let (raised, asked) = busy.then(raise, ask).await;

        assert_eq!(raised, Ok(()));
        assert_eq!(asked, Err(Failure::Conflict), "renewed: {renews}");
        assert_eq!(team.asked().await.role(), Role::Owner);
        assert_eq!(team.open_links().await, 0);
    }
}

/// [`PASSWORD`], with a part of the least work that is asked for, as argon2-cffi writes it.
const LITTLE_WORK: &str = "$argon2id$v=19$m=8192,t=1,p=1$xk4+ccD3EYq9EQWKqRy8Dg$tku/Djo+OqXS93DcICMx2d0YOyQVuDDaVaq68owA2a4";

#[tokio::test]
async fn whoever_logs_in_while_another_login_makes_the_hash_anew_is_let_in() {
    let team = Team::start().await;
    let identity = &team.identity;
    let weaker = sqlx::query("UPDATE credentials SET password = $2 WHERE account_id = $1");
    let weaker = weaker.bind(team.owner.account).bind(LITTLE_WORK);
    let weaker = weaker.execute(&identity.database().await).await.expect("it answers");
    assert_eq!(weaker.rows_affected(), 1);

    let logins = (0..4).map(|_| identity.log_in(OWNER, PASSWORD, "192.0.2.1"));
    let logins = join_all(logins).await;

    assert!(logins.iter().all(Result::is_ok), "{logins:?}");
}

#[tokio::test]
async fn nobody_becomes_an_admin_by_a_password_that_is_changed_meanwhile() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let link = identity.ask_admin(&admin, OWNER).await.expect("an admin may");
    let owner = identity.holder(&team.owner.session).await;

    let busy = Busy::with(identity, team.owner.account).await;
    let join = identity.join_with(&owner, &link, PASSWORD);
    let (changed, joined) = busy.then(identity.change(&owner, SHORT), join).await;

    assert_eq!(changed, Ok(()), "a member may have it");
    assert_eq!(joined, refused("identity.password.wrong"));
    assert!(!identity.held(&team.owner.session).await.is_admin);
    assert_eq!(identity.facts("account.admin_appointed").await, 0);
    assert!(identity.opened(&link).await.is_ok(), "the link stays good");
}

#[tokio::test]
async fn a_password_that_is_changed_meanwhile_is_no_proof() {
    let team = Team::start().await;
    let identity = &team.identity;
    let owner = identity.holder(&team.owner.session).await;
    let before = identity.facts("account.proved_again").await;

    let busy = Busy::with(identity, team.owner.account).await;
    let prove = async {
        let message = ProveAgainRequest { secret: PASSWORD.to_owned() };
        let proved = identity.accounts().prove_again(identity.dial.ask(&owner, message)).await;
        proved.map(|_| ()).map_err(Failure::from)
    };
    let (changed, proved) = busy.then(identity.change(&owner, NEW), prove).await;

    assert_eq!(changed, Ok(()));
    assert_eq!(proved, refused("identity.proof.wrong"));
    assert_eq!(identity.facts("account.proved_again").await, before);
    assert!(identity.is_known(&team.owner.session).await, "whoever changed it goes on");
}

#[tokio::test]
async fn a_password_that_is_changed_meanwhile_brings_no_code_to_another_address() {
    let team = Team::start().await;
    let identity = &team.identity;
    let owner = identity.holder(&team.owner.session).await;

    let busy = Busy::with(identity, team.owner.account).await;
    let ask = identity.move_to("new@meydan.example", &owner);
    let (changed, asked) = busy.then(identity.change(&owner, NEW), ask).await;

    assert_eq!(changed, Ok(()));
    assert_eq!(asked, refused("identity.password.wrong"));
    assert_eq!(identity.codes_under_way().await, 0);
}

#[tokio::test]
async fn whoever_is_thrown_out_meanwhile_joins_nothing_and_is_sent_no_code() {
    for joins in [true, false] {
        let team = Team::start().await;
        let identity = &team.identity;
        let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
        let link = identity.invite(isfahan, OWNER, "Owner").await;
        let stolen = identity.log_in(OWNER, PASSWORD, "198.51.100.9").await.expect("it is right");
        let (owner, thief) =
            (identity.holder(&team.owner.session).await, identity.holder(&stolen).await);
        let before = identity.facts("member.joined").await;

        let busy = Busy::with(identity, team.owner.account).await;
        let act = async {
            if joins {
                identity.join_with(&thief, &link, "").await
            } else {
                // The address that the account has asks for no password.
                identity.move_to("", &thief).await
            }
        };
        let (changed, done) = busy.then(identity.change(&owner, NEW), act).await;

        assert_eq!(changed, Ok(()));
        assert_eq!(done, Err(Failure::NotFound), "joins: {joins}");
        assert_eq!(identity.facts("member.joined").await, before);
        assert_eq!(identity.codes_under_way().await, 0);
        assert_eq!(identity.join_with(&owner, &link, "").await, Ok(()), "the link stays good");
    }
}

#[tokio::test]
async fn a_recovery_gives_whoever_becomes_an_admin_meanwhile_no_password_of_a_members() {
    let team = Team::start().await;
    let identity = &team.identity;
    let (admin, _) = identity.staff().await;
    let link = identity.ask_admin(&admin, OWNER).await.expect("an admin may");
    identity.ask_recovery(OWNER, "192.0.2.1").await.expect("anybody may ask");
    let token = identity.mailed("recovery", "/recover/").await;
    let owner = identity.holder(&team.owner.session).await;

    let busy = Busy::with(identity, team.owner.account).await;
    let join = identity.join_with(&owner, &link, PASSWORD);
    let (joined, recovered) = busy.then(join, identity.finish_recovery(&token, SHORT)).await;

    assert_eq!(joined, Ok(()));
    assert_eq!(recovered, Err(Failure::NotFound), "the link has ended, and an admin asks anew");
    assert_eq!(identity.facts("account.recovered").await, 0);
    assert!(identity.log_in(OWNER, SHORT, "192.0.2.1").await.is_err());
    assert!(identity.log_in(OWNER, PASSWORD, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn whoever_loses_their_place_meanwhile_gives_nobody_else_one() {
    for (removed, anew) in [(true, false), (true, true), (false, false), (false, true)] {
        let team = Team::start().await;
        let omid = team.join("omid", Role::Manager).await;
        team.invite(&omid, "sara", Role::Staff).await.expect("a manager may");
        let sara = team.asked().await.member_id;
        let (owner, seat) = (&team.owner.caller, team.id(omid.account).await);

        let busy = Busy::with(&team.identity, omid.account).await;
        let lose = async {
            if removed {
                team.remove(owner, &seat).await
            } else {
                team.change_role(owner, &seat, Role::Support).await
            }
        };
        let give = async {
            if anew {
                team.invite(&omid, "reza", Role::Staff).await
            } else {
                team.renew(&omid, &sara).await
            }
        };
        let (lost, given) = busy.then(lose, give).await;

        assert_eq!(lost, Ok(()));
        let failure = if removed { Failure::NotFound } else { Failure::Conflict };
        assert_eq!(given, Err(failure), "removed: {removed}, anew: {anew}");
        assert_eq!(team.open_links().await, 2, "what was sent to Sara before stays hers");
    }
}

#[tokio::test]
async fn whoever_is_deactivated_meanwhile_makes_no_key_for_when_they_are_back() {
    let team = Team::start().await;
    let identity = &team.identity;
    let keeper = team.keeper().await;
    let omid = Colleague::of(identity, keeper.session, team.campaign).await;
    let (owner, seat) = (&team.owner.caller, team.id(omid.account).await);

    let busy = Busy::with(identity, omid.account).await;
    let make = make_as(identity, &omid.caller, Uuid::now_v7());
    let (gone, made) = busy.then(team.deactivate(owner, &seat), make).await;

    assert_eq!(gone, Ok(()));
    assert_eq!(made, Err(Failure::NotFound));
    assert_eq!(identity.facts("api_key.created").await, 0);
}

#[tokio::test]
async fn whoever_is_dismissed_meanwhile_asks_nobody_to_become_an_admin_and_closes_nothing() {
    for what in ["ask", "suspend", "stop"] {
        let team = Team::start().await;
        let identity = &team.identity;
        let (admin, _) = identity.staff().await;
        let (omid, _) = identity.colleague(&admin, "omid@meydan.example").await;

        let busy = Busy::with(identity, id(&omid)).await;
        let act = async {
            match what {
                "ask" => identity.ask_admin(&omid, "sara@meydan.example").await.map(|_| ()),
                "suspend" => identity.suspend(&omid, team.owner.account, true).await,
                _ => {
                    let to = CampaignStatus::Suspended;
                    leaving::move_to(identity, (&omid, team.campaign), to).await
                }
            }
        };
        let (dismissed, done) = busy.then(identity.dismiss(&admin, id(&omid)), act).await;

        assert_eq!(dismissed, Ok(()));
        assert_eq!(done, Err(Failure::NotFound), "{what}");
        assert_eq!(identity.facts("account.admin_invited").await, 1, "Omid, by the first one");
        assert_eq!(identity.facts("campaign.status_changed").await, 0);
        assert!(identity.is_known(&team.owner.session).await);
    }
}
