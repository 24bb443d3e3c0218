//! People who have something to show.

use std::sync::atomic::{AtomicU8, Ordering};

use meydan_rpc::{
    caller::{Caller, Who},
    pb::identity::{
        AskEmailRequest, AskPhoneRequest, BeginFactorRequest, CreateApiKeyRequest, Guest,
        InviteMemberRequest, Role, api_keys_client::ApiKeysClient, contacts_client::ContactsClient,
        members_client::MembersClient,
    },
};
use meydan_testkit::authenticator;
use time::Duration;
use uuid::Uuid;

use super::table::Path;
use crate::{
    factors::Sara,
    harness::{Identity, PASSWORD, from},
};

const ADMIN: &str = "admin@meydan.example";

/// Two campaigns with their founders, to which people are asked, and the platform's admin.
pub(super) struct Town {
    pub(super) identity: Identity,
    pub(super) campaigns: [(Uuid, Caller); 2],
    /// What the platform's admin comes in with.
    admin: Sara,
    people: AtomicU8,
}

/// Somebody with a password of their own, who comes from a network of their own.
pub(super) struct Person {
    pub(super) email: String,
    pub(super) guest: Guest,
    pub(super) password: String,
    pub(super) session: String,
    pub(super) factor: Option<Sara>,
    /// Logins whose password was right.
    pub(super) challenges: Vec<String>,
}

/// What somebody has to show.
pub(super) struct Shown {
    pub(super) path: Path,
    pub(super) person: Person,
    /// Token, link, code or key.
    pub(super) secret: String,
    /// What it belongs to, where that has a name; the link that it is shown with.
    pub(super) of: String,
}

impl Town {
    pub(super) async fn start() -> Self {
        let identity = Identity::start().await;
        let link = identity.first_link().await.expect("there is no admin yet");
        let admin = identity.accept(&link, ADMIN).await.expect("the link is good");
        let admin = identity.enrol(&admin).await;
        let mut campaigns = Vec::new();
        for slug in ["tehran", "isfahan"] {
            let (id, link) = identity.campaign(slug, Uuid::now_v7()).await.expect("it is free");
            let founder = identity.accept(&link, "").await.expect("the link is good");
            campaigns.push((id, in_campaign(id, identity.holder(&founder).await)));
        }
        let campaigns = campaigns.try_into().expect("there are two");
        Self { identity, campaigns, admin, people: AtomicU8::new(0) }
    }

    /// The platform's admin, who has just come in, after a while in which nothing else happens.
    pub(super) async fn admin(&self) -> Caller {
        // Each login takes another code.
        self.identity.advance(Duration::seconds(30));
        let guest = from("192.0.2.1", "");
        let entered = self.identity.enter(ADMIN, PASSWORD, guest.clone()).await;
        let challenge = entered.expect("the password is right").challenge_token;
        let code = authenticator::code(&self.admin.secret, self.identity.now());
        let entered = self.identity.prove(&challenge, &code, guest).await;
        self.identity.holder(&entered.expect("the code is right").session_token).await
    }

    /// Somebody is asked to own a campaign with its founder.
    async fn invite(&self, (campaign, _): &(Uuid, Caller), email: &str) -> String {
        let message = InviteMemberRequest {
            email: email.to_owned(),
            display_name: "Omid".to_owned(),
            role: Role::Owner.into(),
        };
        let service = Caller::service("demo", Some(*campaign));
        let request = self.identity.dial.command(&service, Uuid::now_v7(), message);
        let invited = MembersClient::new(self.identity.dial.channel()).invite_member(request).await;
        invited.expect("it may").into_inner().invitation_token
    }

    /// Somebody new with what a path takes, enough for so many uses.
    pub(super) async fn give(&self, path: Path, uses: usize) -> Shown {
        let number = self.people.fetch_add(1, Ordering::Relaxed);
        let email = format!("person{number}@meydan.example");
        let mut person = Person {
            guest: from(&format!("10.0.{number}.1"), ""),
            password: format!("a rather long pass phrase of {number}"),
            session: String::new(),
            factor: None,
            challenges: vec![],
            email,
        };
        let link = if path == Path::AdminLink {
            let admin = self.admin().await;
            self.identity.ask_admin(&admin, &person.email).await.expect("an admin may")
        } else {
            self.invite(&self.campaigns[0], &person.email).await
        };
        let (mut secret, mut of) = (link, String::new());
        if !matches!(path, Path::InvitationLink | Path::AdminLink) {
            let begun = self.identity.accept_with(&secret, &person.password).await;
            person.session = begun.expect("the link is good");
            (secret, of) = self.made(path, &mut person, uses).await;
        }
        Shown { path, person, secret, of }
    }

    async fn made(&self, path: Path, person: &mut Person, uses: usize) -> (String, String) {
        let nothing = String::new;
        match path {
            Path::Totp
            | Path::RecoveryCode
            | Path::Challenge
            | Path::CodeAgain
            | Path::RecoveryCodeAgain => self.factor_of(path, person, uses).await,
            Path::Password
            | Path::PasswordAgain
            | Path::PasswordToChange
            | Path::PasswordToMove => (person.password.clone(), nothing()),
            Path::AdminPassword => {
                let admin = self.admin().await;
                let link = self.identity.ask_admin(&admin, &person.email).await;
                (person.password.clone(), link.expect("an admin may"))
            }
            Path::Session => (person.session.clone(), nothing()),
            Path::JoinLink => (self.invite(&self.campaigns[1], &person.email).await, nothing()),
            Path::NewAuthenticator => {
                let caller = self.identity.holder(&person.session).await;
                let message = BeginFactorRequest { name: "phone".to_owned() };
                let request = self.identity.dial.ask(&caller, message);
                let begun = self.identity.accounts().begin_factor(request).await;
                let begun = begun.expect("they may").into_inner();
                (authenticator::code(&begun.secret, self.identity.now()), begun.factor_id)
            }
            Path::RecoveryLink | Path::EmailLink | Path::EmailCode | Path::PhoneCode => {
                (self.letter(path, person).await, nothing())
            }
            Path::ApiKey => self.key(person).await,
            Path::FirstLink | Path::InvitationLink | Path::AdminLink => {
                panic!("nobody who has begun holds one")
            }
            Path::Passkey | Path::PasskeyAgain | Path::NewPasskey => {
                panic!("tests of their own show passkeys")
            }
        }
    }

    async fn factor_of(&self, path: Path, person: &mut Person, uses: usize) -> (String, String) {
        let factor = self.identity.enrol(&person.session).await;
        person.session.clone_from(&factor.session);
        let logins = match path {
            Path::Totp | Path::RecoveryCode => uses,
            Path::Challenge => 1,
            _ => 0,
        };
        for _ in 0..logins {
            person.challenges.push(self.challenge(person).await);
        }
        let secret = match path {
            Path::Totp | Path::CodeAgain => {
                authenticator::code(&factor.secret, self.identity.now())
            }
            Path::Challenge => person.challenges[0].clone(),
            _ => factor.codes[0].clone(),
        };
        person.factor = Some(factor);
        (secret, String::new())
    }

    pub(super) async fn challenge(&self, person: &Person) -> String {
        let answer = self.identity.enter(&person.email, &person.password, person.guest.clone());
        answer.await.expect("the password is right").challenge_token
    }

    /// Has a letter sent, and takes what is in it.
    async fn letter(&self, path: Path, person: &Person) -> String {
        let (identity, locale) = (&self.identity, "en".to_owned());
        let caller = identity.holder(&person.session).await;
        let mut contacts = ContactsClient::new(identity.dial.channel());
        let kind = match path {
            Path::RecoveryLink => {
                let asked = identity.ask_recovery(&person.email, &person.guest.address).await;
                asked.expect("anybody may");
                "recovery"
            }
            Path::PhoneCode => {
                let message = AskPhoneRequest { phone: "+989121234567".to_owned(), locale };
                let asked = contacts.ask_phone(identity.dial.ask(&caller, message)).await;
                asked.expect("it is a number");
                "phone-proof"
            }
            _ => {
                let message = AskEmailRequest { locale, ..AskEmailRequest::default() };
                let asked = contacts.ask_email(identity.dial.ask(&caller, message)).await;
                asked.expect("it is theirs");
                "email-proof"
            }
        };
        let Who::Account { id, .. } = caller.who else { panic!("people hold sessions") };
        let sent = format!("kind = '{kind}' AND account_id = '{id}' AND state = 'sent'");
        identity.letter(&sent).await;
        let letters = std::fs::read_to_string(identity.sink()).expect("it is there");
        let token = |mark: &str| {
            let (_, rest) = letters.rsplit_once(mark).expect("the link is in it");
            rest.split_whitespace().next().expect("the link has a token").to_owned()
        };
        match path {
            Path::RecoveryLink => token("/recover/"),
            Path::EmailLink => token("/account/email/"),
            _ => {
                let to = if path == Path::PhoneCode { "+989121234567" } else { &person.email };
                let (_, letter) = letters.rsplit_once(to).expect("it is to them");
                let mut words = letter.split(|letter: char| !letter.is_ascii_digit());
                words.find(|word| word.len() == 6).expect("the letter has a code").to_owned()
            }
        }
    }

    async fn key(&self, person: &Person) -> (String, String) {
        let (campaign, _) = self.campaigns[0];
        let maker = in_campaign(campaign, self.identity.holder(&person.session).await);
        let expires_at = self.identity.now() + Duration::hours(1);
        let message = CreateApiKeyRequest {
            name: "their program".to_owned(),
            permissions: vec!["crm:ticket.read".to_owned()],
            expires_at: Some(meydan_rpc::form::timestamp(expires_at)),
        };
        let request = self.identity.dial.command(&maker, Uuid::now_v7(), message);
        let made = ApiKeysClient::new(self.identity.dial.channel()).create_api_key(request).await;
        let made = made.expect("an owner may").into_inner();
        (made.key, made.api_key_id)
    }
}

/// Somebody as the gateway asserts them within a campaign that they own.
pub(super) fn in_campaign(campaign: Uuid, caller: Caller) -> Caller {
    let all = identity_domain::CATALOGUE.iter().map(|permission| permission.name.to_owned());
    Caller { campaign: Some(campaign), permissions: all.collect(), ..caller }
}
