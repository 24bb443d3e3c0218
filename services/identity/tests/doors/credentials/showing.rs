//! Showing what somebody has to show.

use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, AuthenticateKeyRequest, AuthenticateRequest, ChangePasswordRequest,
        ConfirmFactorRequest, FinishRecoveryRequest, GetRecoveryRequest, GetWaitingRequest,
        ProveAgainRequest, ProveEmailRequest, ProvePhoneRequest, contacts_client::ContactsClient,
        passkey_logins_client::PasskeyLoginsClient, prove_email_request::Proof,
        recovery_client::RecoveryClient,
    },
};

use super::{
    person::{Shown, Town},
    table::Path,
};
use crate::harness::gateway;

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
                | Path::AdminLink
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

    /// Whether it is good for those who only look at it, where somebody may.
    pub(super) async fn look(&self, town: &Town) -> Option<bool> {
        let (identity, secret) = (&town.identity, self.secret.clone());
        let dial = &identity.dial;
        Some(match self.path {
            Path::InvitationLink | Path::JoinLink | Path::AdminLink => {
                identity.opened(&secret).await.is_ok()
            }
            Path::AdminPassword => {
                // The link alone, whatever is wrong with the password.
                let good = identity.opened(&self.of).await.is_ok();
                return Some(good).filter(|good| !good);
            }
            Path::RecoveryLink => {
                let request = dial.ask(&gateway(), GetRecoveryRequest { token: secret });
                RecoveryClient::new(dial.channel()).get_recovery(request).await.is_ok()
            }
            Path::Challenge => {
                let request = dial.ask(&gateway(), GetWaitingRequest { challenge_token: secret });
                PasskeyLoginsClient::new(dial.channel()).get_waiting(request).await.is_ok()
            }
            _ => return None,
        })
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
            Path::InvitationLink | Path::AdminLink | Path::FirstLink => {
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
            Path::JoinLink => identity.join_with(caller, &secret, "").await?,
            Path::AdminPassword => identity.join_with(caller, &self.of, &secret).await?,
            Path::PasswordToChange => {
                let new_password = format!("quite another pass phrase {number}");
                let message = ChangePasswordRequest { current_password: secret, new_password };
                identity.accounts().change_password(dial.ask(caller, message)).await?;
            }
            Path::PasswordToMove => {
                let email = format!("moved{number}.{}", person.email);
                let (current_password, locale) = (secret, "en".to_owned());
                let message = AskEmailRequest { email, current_password, locale };
                let mut contacts = ContactsClient::new(dial.channel());
                contacts.ask_email(dial.ask(caller, message)).await?;
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
