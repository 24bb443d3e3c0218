//! People who have something to show, and showing it.

use std::sync::atomic::{AtomicU8, Ordering};

use meydan_rpc::{
    caller::{Caller, Who},
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, AskPhoneRequest, AskRecoveryRequest, AuthenticateKeyRequest,
        AuthenticateRequest, BeginFactorRequest, ConfirmFactorRequest, CreateApiKeyRequest,
        FinishRecoveryRequest, Guest, InviteMemberRequest, JoinRequest, ProveAgainRequest,
        ProveEmailRequest, ProvePhoneRequest, Role, api_keys_client::ApiKeysClient,
        contacts_client::ContactsClient, members_client::MembersClient, prove_email_request::Proof,
        recovery_client::RecoveryClient,
    },
};
use meydan_testkit::authenticator;
use time::Duration;
use uuid::Uuid;

use super::table::Path;
use crate::{
    factors::Sara,
    harness::{Identity, from, gateway},
};

/// Two campaigns with their founders, to which people are asked.
pub(super) struct Town {
    pub(super) identity: Identity,
    pub(super) campaigns: [(Uuid, Caller); 2],
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
    /// What it belongs to, where that has a name.
    pub(super) of: String,
}

impl Town {
    pub(super) async fn start() -> Self {
        let identity = Identity::start().await;
        let mut campaigns = Vec::new();
        for slug in ["tehran", "isfahan"] {
            let (id, link) = identity.campaign(slug, Uuid::now_v7()).await.expect("it is free");
            let founder = identity.accept(&link, "").await.expect("the link is good");
            campaigns.push((id, in_campaign(id, identity.holder(&founder).await)));
        }
        let campaigns = campaigns.try_into().expect("there are two");
        Self { identity, campaigns, people: AtomicU8::new(0) }
    }

    /// The founder of a campaign asks somebody to own it with them.
    async fn invite(&self, (campaign, founder): &(Uuid, Caller), email: &str) -> String {
        let message = InviteMemberRequest {
            email: email.to_owned(),
            display_name: "Omid".to_owned(),
            role: Role::Owner.into(),
        };
        let founder = in_campaign(*campaign, founder.clone());
        let request = self.identity.dial.command(&founder, Uuid::now_v7(), message);
        let invited = MembersClient::new(self.identity.dial.channel()).invite_member(request).await;
        invited.expect("an owner may").into_inner().invitation_token
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
        let link = self.invite(&self.campaigns[0], &person.email).await;
        let (mut secret, mut of) = (link, String::new());
        if path != Path::InvitationLink {
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
            Path::Password | Path::PasswordAgain => (person.password.clone(), nothing()),
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
            Path::FirstLink | Path::InvitationLink => panic!("nobody who has begun holds one"),
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
                let email = person.email.clone();
                let message =
                    AskRecoveryRequest { email, address: person.guest.address.clone(), locale };
                let mut recovery = RecoveryClient::new(identity.dial.channel());
                let asked = recovery.ask_recovery(identity.dial.ask(&gateway(), message)).await;
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

impl Shown {
    /// Whoever shows it, as the gateway asserts them: nobody in particular, unless it takes a session.
    pub(super) async fn caller(&self, town: &Town) -> Result<Caller, Failure> {
        let comes_in = matches!(
            self.path,
            Path::Password
                | Path::Totp
                | Path::RecoveryCode
                | Path::Challenge
                | Path::FirstLink
                | Path::InvitationLink
                | Path::RecoveryLink
                | Path::ApiKey
                | Path::Session
        );
        if comes_in {
            return Ok(gateway());
        }
        let message = AuthenticateRequest { session_token: self.person.session.clone() };
        let request = town.identity.dial.ask(&gateway(), message);
        town.identity.sessions().authenticate(request).await?;
        Ok(town.identity.holder(&self.person.session).await)
    }

    /// Shows it, for the time with this number; the session that begins, if one does.
    pub(super) async fn present(&self, town: &Town, number: usize) -> Result<String, Failure> {
        let caller = self.caller(town).await?;
        self.present_as(town, &caller, number).await
    }

    pub(super) async fn present_as(
        &self,
        town: &Town,
        caller: &Caller,
        number: usize,
    ) -> Result<String, Failure> {
        let (identity, person, secret) = (&town.identity, &self.person, self.secret.clone());
        let guest = || person.guest.clone();
        let dial = &identity.dial;
        match self.path {
            Path::Password => {
                let answer = identity.enter(&person.email, &secret, guest()).await?;
                return Ok(answer.session_token);
            }
            Path::Totp | Path::RecoveryCode => {
                let challenge = &person.challenges[number];
                return Ok(identity.prove(challenge, &secret, guest()).await?.session_token);
            }
            Path::Challenge => {
                let codes = &person.factor.as_ref().expect("they have a factor").codes;
                let code = &codes[number % codes.len()];
                return Ok(identity.prove(&secret, code, guest()).await?.session_token);
            }
            Path::InvitationLink | Path::FirstLink => {
                return identity.accept_with(&secret, &person.password).await;
            }
            Path::PasswordAgain | Path::CodeAgain | Path::RecoveryCodeAgain => {
                let request = dial.ask(caller, ProveAgainRequest { secret });
                identity.accounts().prove_again(request).await?;
            }
            Path::NewAuthenticator => {
                let message = ConfirmFactorRequest { factor_id: self.of.clone(), code: secret };
                identity.accounts().confirm_factor(dial.ask(caller, message)).await?;
            }
            Path::JoinLink => {
                let request =
                    dial.ask(caller, JoinRequest { token: secret, password: String::new() });
                identity.accounts().join(request).await?;
            }
            _ => self.present_letter(town, caller, number).await?,
        }
        Ok(String::new())
    }

    async fn present_letter(&self, town: &Town, by: &Caller, number: usize) -> Result<(), Failure> {
        let (identity, secret) = (&town.identity, self.secret.clone());
        let dial = &identity.dial;
        let mut contacts = ContactsClient::new(dial.channel());
        match self.path {
            Path::RecoveryLink => {
                let new_password = format!("quite another pass phrase {number}");
                let message = FinishRecoveryRequest { token: secret, new_password };
                let mut recovery = RecoveryClient::new(dial.channel());
                recovery.finish_recovery(dial.ask(&gateway(), message)).await?;
            }
            Path::EmailLink | Path::EmailCode => {
                let link = self.path == Path::EmailLink;
                let proof = if link { Proof::Token(secret) } else { Proof::Code(secret) };
                let message = ProveEmailRequest { proof: Some(proof) };
                contacts.prove_email(dial.ask(by, message)).await?;
            }
            Path::PhoneCode => {
                let message = ProvePhoneRequest { code: secret };
                contacts.prove_phone(dial.ask(by, message)).await?;
            }
            Path::ApiKey => {
                let request = dial.ask(&gateway(), AuthenticateKeyRequest { key: secret });
                let opened = identity.sessions().authenticate_key(request).await?.into_inner();
                assert_eq!(opened.campaign_id, town.campaigns[0].0.to_string(), "its own alone");
            }
            _ => {
                let request = dial.ask(&gateway(), AuthenticateRequest { session_token: secret });
                identity.sessions().authenticate(request).await?;
            }
        }
        Ok(())
    }
}
