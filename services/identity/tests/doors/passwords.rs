//! Choosing a password through the door: what is refused, in which words, and that nothing is used up by it.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        ChangePasswordRequest, CreateCampaignRequest, ImportAccountRequest, ProveAgainRequest,
        campaigns_client::CampaignsClient,
    },
};
use uuid::Uuid;

use crate::harness::{Identity, PASSWORD, admin, gateway};

const NAMED: &str = "is made of names that others know; choose other words";
const COMMON: &str = "is one of the most common passwords; choose another";
/// How a hash begins that is as much work as the least, and made with the pepper.
const MADE_ANEW: &str = "$argon2id$v=19$m=19456,t=2,p=1,keyid=azE$";

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
async fn the_home_region_of_the_candidate_is_refused_in_both_languages() {
    let identity = Identity::start().await;
    let message = CreateCampaignRequest {
        slug: "karimi".to_owned(),
        candidate_name: "نرگس کریمی".to_owned(),
        office: "شورا".to_owned(),
        constituency: "تهران".to_owned(),
        locale: "fa".to_owned(),
        home_region: "IR-14".to_owned(),
        owner_name: "Owner".to_owned(),
        owner_email: "karimi@meydan.example".to_owned(),
    };
    let request = identity.dial.command(&Caller::service("demo", None), Uuid::now_v7(), message);
    let created = CampaignsClient::new(identity.dial.channel()).create_campaign(request).await;
    let link = created.expect("the name is free").into_inner().invitation_token;

    for password in ["Chaharmahal-xq7", "چهارمحال و بختیاری ۱۴۰۵"] {
        let named = identity.accept_with(&link, password).await;
        assert_eq!(named, refused("password", NAMED), "{password}");
    }
    let (_, elsewhere) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let stranger = identity.accept_with(&elsewhere, "Chaharmahal-xq7").await;
    assert!(stranger.is_ok(), "to others it is a rare word: {stranger:?}");
}

#[tokio::test]
async fn the_same_keys_open_the_account_on_persian_and_arabic_keyboards() {
    let identity = Identity::start().await;
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let chosen = "آب باران روی بام کاهگلی ۱۴۰۵";
    identity.accept_with(&link, chosen).await.expect("it is hard to guess");

    let arabic = chosen.replace('\u{06cc}', "\u{064a}").replace('\u{06a9}', "\u{0643}");
    let yeh = chosen.replace('\u{06cc}', "\u{0649}").replace("۱۴۰۵", "١٤٠٥");
    let parts = chosen.replace('\u{0622}', "\u{0627}\u{0653}").replace("۱۴۰۵", "1405");
    let spaces = chosen.replace(' ', "\u{00a0}");
    for typed in [chosen, &arabic, &yeh, &parts, &spaces] {
        let entered = identity.log_in("tehran@meydan.example", typed, "192.0.2.1").await;
        assert!(entered.is_ok(), "{typed}: {entered:?}");
    }
    assert!([&arabic, &yeh, &parts, &spaces].iter().all(|typed| *typed != chosen));
    let other = chosen.replace("۱۴۰۵", "۱۴۰۶");
    assert!(identity.log_in("tehran@meydan.example", &other, "192.0.2.1").await.is_err());
}

#[tokio::test]
async fn a_stolen_table_judges_no_guess_without_the_platforms_key_and_a_hash_of_before_is_made_anew()
 {
    let identity = Identity::start().await;
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let session = identity.accept(&link, "").await.expect("the link is good");
    let account = identity.held(&session).await.account_id;
    let thief = Argon2::default();
    let judged = |hash: &str| {
        let hash = PasswordHash::new(hash).expect("it has the PHC form");
        thief.verify_password(PASSWORD.as_bytes(), &hash).is_ok()
    };
    let before = thief.hash_password(PASSWORD.as_bytes()).expect("it is made").to_string();

    assert!(!judged(&stored(&identity, &account).await));
    keep(&identity, &account, &before).await;
    assert!(judged(&stored(&identity, &account).await), "as all were before");
    let entered = identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await;
    assert!(entered.is_ok(), "{entered:?}");
    let hash = stored(&identity, &account).await;
    assert!(hash.starts_with(MADE_ANEW) && !judged(&hash), "{hash}");
    let again = identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(stored(&identity, &account).await, hash, "once is enough");
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

    let asked = identity.ask_recovery("karimi-shiraz@meydan.example", "192.0.2.1").await;
    asked.expect("it is noted");
    identity.letter("kind = 'recovery' AND content_sealed IS NULL").await;
    let letters = std::fs::read_to_string(identity.sink()).expect("letters are kept");
    let token = letters.rsplit("/recover/").next().expect("a link");
    let token: String = token
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || "-_".contains(*letter))
        .collect();
    for (password, said) in [("NargessKarimy1405", NAMED), ("123qweasdzxc", COMMON)] {
        let finished = identity.finish_recovery(&token, password).await;
        assert_eq!(finished.map(|_| ()), refused("new_password", said));
    }
    let finished = identity.finish_recovery(&token, "kettle sparrow violin").await;
    assert!(finished.is_ok(), "a refused password uses nothing up");
}

#[tokio::test]
async fn the_present_password_is_no_new_one_on_whatever_keyboard_and_only_its_holder_is_told() {
    let identity = Identity::start().await;
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (arabic, persian) = ("كبوترهاي سبز ميان باران ٧", "کبوترهای سبز میان باران ۷");
    let session = identity.accept_with(&link, arabic).await.expect("the link is good");
    let holder = identity.holder(&session).await;
    let change = async |current: &str| {
        let (current_password, new_password) = (current.to_owned(), persian.to_owned());
        let message = ChangePasswordRequest { current_password, new_password };
        let changed =
            identity.accounts().change_password(identity.dial.ask(&holder, message)).await;
        changed.map(|_| ()).map_err(Failure::from)
    };

    let wrong = Err(Failure::Refused("identity.password.wrong".into()));
    assert_eq!(change(persian.trim_end_matches('۷')).await, wrong);
    let same = "is the present password; choose another";
    assert_eq!(change(arabic).await, refused("new_password", same));

    assert_eq!(identity.facts("account.password_set").await, 1, "the first alone");
}

#[tokio::test]
async fn a_new_password_needs_the_present_one_and_ends_every_other_session() {
    let identity = Identity::start().await;
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let session = identity.accept(&link, "").await.expect("the link is good");
    let log_in = async |address| identity.log_in("tehran@meydan.example", PASSWORD, address).await;
    let mut others = vec![];
    for address in ["192.0.2.1", "198.51.100.1"] {
        others.push(log_in(address).await.expect("the password is right"));
    }
    let holder = identity.holder(&session).await;
    let change = async |current: &str| {
        let (current_password, new_password) = (current.to_owned(), "kettle sparrow violin".into());
        let message = ChangePasswordRequest { current_password, new_password };
        let request = identity.dial.ask(&holder, message);
        let changed = identity.accounts().change_password(request).await;
        changed.map(|_| ()).map_err(Failure::from)
    };

    let wrong = Err(Failure::Refused("identity.password.wrong".into()));
    assert_eq!(change("not this one").await, wrong);
    assert!(identity.is_known(&others[0]).await && identity.is_known(&others[1]).await);
    assert_eq!(change(PASSWORD).await, Ok(()));

    assert!(!identity.is_known(&others[0]).await && !identity.is_known(&others[1]).await);
    assert!(identity.is_known(&session).await, "whoever chose it goes on");
    assert!(log_in("192.0.2.1").await.is_err(), "the old one opens nothing");
}

/// Made by Django 5.2 from [`IMPORTED`].
const DJANGO: &str =
    "pbkdf2_sha256$20000$NaClForDjango$AV54/IVjHK1vG7W5gJF6AmeUwD/Qf70YVdhBEHnNcU8=";
const IMPORTED: &str = "kettle sparrow violin ۱۴۰۵";

async fn import(identity: &Identity, email: &str, hash: &str) -> Result<String, Failure> {
    let (email, hash) = (email.to_owned(), hash.to_owned());
    let message = ImportAccountRequest { email, display_name: "Reza".to_owned(), hash };
    let request = identity.dial.ask(&Caller::service("meydan", None), message);
    Ok(identity.sessions().import_account(request).await?.into_inner().account_id)
}

async fn stored(identity: &Identity, account: &str) -> String {
    let account: Uuid = account.parse().expect("an id");
    let hash = sqlx::query_scalar("SELECT password FROM credentials WHERE account_id = $1");
    hash.bind(account).fetch_one(&identity.database().await).await.expect("it answers")
}

/// Puts another hash in the place of an account's.
async fn keep(identity: &Identity, account: &str, hash: &str) {
    let account: Uuid = account.parse().expect("an id");
    let kept = sqlx::query("UPDATE credentials SET password = $2 WHERE account_id = $1");
    let kept = kept.bind(account).bind(hash).execute(&identity.database().await).await;
    assert_eq!(kept.expect("it answers").rows_affected(), 1);
}

#[tokio::test]
async fn an_imported_account_logs_in_with_its_old_password_which_is_hashed_anew() {
    let identity = Identity::start().await;
    let reza = import(&identity, "reza@meydan.example", DJANGO).await.expect("it is free");

    let wrong = identity.log_in("reza@meydan.example", "kettle sparrow violin", "192.0.2.1").await;
    assert_eq!(wrong, Err(Failure::Refused("identity.login.failed".into())));
    assert_eq!(stored(&identity, &reza).await, DJANGO, "a wrong one changes nothing");
    let session = identity.log_in("Reza@meydan.example", IMPORTED, "192.0.2.1").await;
    assert!(identity.is_known(&session.expect("the password is right")).await);

    let hash = stored(&identity, &reza).await;
    assert!(hash.starts_with(MADE_ANEW), "{hash}");
    assert!(identity.log_in("reza@meydan.example", IMPORTED, "192.0.2.1").await.is_ok());
    assert_eq!(stored(&identity, &reza).await, hash, "once is enough");
}

/// [`PASSWORD`], with a part of the least work that is asked for, as argon2-cffi writes it.
const LITTLE_WORK: &str = "$argon2id$v=19$m=8192,t=1,p=1$xk4+ccD3EYq9EQWKqRy8Dg$tku/Djo+OqXS93DcICMx2d0YOyQVuDDaVaq68owA2a4";

#[tokio::test]
async fn a_hash_of_less_work_is_made_anew_by_a_right_password_at_a_login_and_by_no_other() {
    let identity = Identity::start().await;
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let session = identity.accept(&link, "").await.expect("the link is good");
    let account = identity.held(&session).await.account_id;
    keep(&identity, &account, LITTLE_WORK).await;

    let wrong = identity.log_in("tehran@meydan.example", "another phrase", "192.0.2.1").await;
    assert!(wrong.is_err());
    assert_eq!(stored(&identity, &account).await, LITTLE_WORK);
    let right = identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await;
    assert!(right.is_ok(), "{right:?}");
    let hash = stored(&identity, &account).await;
    assert!(hash.starts_with(MADE_ANEW), "{hash}");

    // The same for whoever is in, and shows it once more.
    keep(&identity, &account, LITTLE_WORK).await;
    let holder = identity.holder(&session).await;
    let message = ProveAgainRequest { secret: PASSWORD.to_owned() };
    let proved = identity.accounts().prove_again(identity.dial.ask(&holder, message)).await;
    proved.expect("the password is right");
    assert!(stored(&identity, &account).await.starts_with(MADE_ANEW));
}

#[tokio::test]
async fn an_import_takes_no_account_over_and_no_hash_that_would_burn_the_machine() {
    let identity = Identity::start().await;
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    identity.accept(&link, "").await.expect("the link is good");

    let taken = import(&identity, "Tehran@meydan.example", DJANGO).await;
    assert_eq!(taken, Err(Failure::Refused("identity.key_taken".into())));
    let costly = "$2b$31$pwAlSFwD9aPzMbu6ScpzjO0fUdfv/cjhehIkGHO5hYF0Ehu1M.ujm";
    for hash in [costly, "md5$salt$0cc175b9c0f1b6a831c399e269772661", PASSWORD] {
        let refused = import(&identity, "reza@meydan.example", hash).await;
        assert!(matches!(refused, Err(Failure::Malformed(_))), "{refused:?}");
    }
    let session = identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await;
    assert!(session.is_ok(), "the password is the one it was");
    let kept = "SELECT count(*) FROM credentials";
    let kept: i64 =
        sqlx::query_scalar(kept).fetch_one(&identity.database().await).await.expect("it answers");
    assert_eq!(kept, 1, "nothing is left of what was refused");
}

#[tokio::test]
async fn nobody_but_the_program_itself_imports() {
    let identity = Identity::start().await;
    for caller in [gateway(), admin(), Caller::service("demo", None)] {
        let message = ImportAccountRequest {
            email: "reza@meydan.example".to_owned(),
            display_name: "Reza".to_owned(),
            hash: DJANGO.to_owned(),
        };
        let refused = identity.sessions().import_account(identity.dial.ask(&caller, message)).await;
        assert_eq!(refused.map(|_| ()).map_err(Failure::from), Err(Failure::Denied));
    }
}
