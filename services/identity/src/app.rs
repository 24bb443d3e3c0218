//! Every command and query of identity: the table of contents.

pub(crate) mod acts;
mod addresses;
mod admins;
mod api_keys;
mod campaigns;
mod certain;
mod demands;
mod expiry;
mod factors;
mod failures;
mod gate;
mod impersonation;
mod imports;
mod invitations;
mod keys;
mod letters;
mod login;
mod oversight;
mod passkeys;
mod passwords;
mod places;
mod preferences;
mod proofs;
mod quotas;
mod records;
mod recovery;
mod sessions;

use std::{sync::Arc, time::Duration};

use identity_domain::{LONGEST_EMAIL, LONGEST_NAME, Profile};
use meydan_event_log::{
    Clock, EventLog, ExecuteError, LoadError, Meta, PLATFORM, Progress, UniqueKey,
};
use meydan_keyring::{KeyError, Keyring, Place};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, OnceCell, Semaphore};
use uuid::Uuid;

pub use self::{
    api_keys::{Made, MadeApiKey, NewApiKey, Opened, PREFIX, SeenApiKey},
    campaigns::NewCampaign,
    factors::{Confirmed, Enrolment, Factor},
    impersonation::Impersonated,
    invitations::Entry,
    keys::keys_of,
    login::{Entered, Entrance, Guest},
    oversight::{SeenAccount, Wanted},
    passkeys::{Asked, Signed, Ways},
    places::TeamMember,
    proofs::{AddressProof, Contact},
    records::{Reading, note_operation},
    recovery::Recoverable,
    sessions::{Happened, Held, SeenSession, is_running},
};
use crate::{
    changes::Changes,
    letters::{Post, Sender},
    password::{Busy, Parameters, Passwords, Pepper},
    relying_party::RelyingParty,
};

/// How long a query waits for the position that it must show: an hour in which the disk is slow opens nothing less, and
/// whoever waits twice is still answered within a call's deadline.
const PATIENCE: Duration = Duration::from_secs(2);
/// Strangers who are counted at a time: however many guess, they leave connections to the database to others.
const STRANGERS_AT_ONCE: usize = 2;

/// Identity.
#[derive(Debug, Clone)]
pub struct Identity {
    log: EventLog,
    keyring: Keyring,
    directory: Progress,
    changes: Changes,
    clock: Clock,
    passwords: Passwords,
    /// With what they are hashed, once it was asked for.
    pepper: Arc<OnceCell<Pepper>>,
    /// Turns of strangers at the counters.
    turns: Arc<Semaphore>,
    /// Logins that an account takes a minute.
    login_limit: i32,
    /// That a failed login was noted.
    noted: Arc<Notify>,
    /// How letters leave.
    post: Arc<Post>,
    /// For whom passkeys are, where there can be any.
    relying_party: Option<RelyingParty>,
    /// That somebody asked for a new password.
    asked: Arc<Notify>,
    /// That a letter was written.
    written: Arc<Notify>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A rule said no: its code, and words for a person.
    #[error("{1}")]
    Refused(&'static str, &'static str),
    /// No such thing, or not for this caller.
    #[error("not found")]
    NotFound,
    /// Bad fields: name and what to do.
    #[error("fields are wrong")]
    Malformed(Vec<(&'static str, String)>),
    /// Others changed it meanwhile.
    #[error("others were quicker")]
    Conflict,
    /// A store is away, or there is too much to do.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Stored facts cannot be read, or there is a bug.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<Busy> for AppError {
    fn from(busy: Busy) -> Self {
        Self::Unavailable(busy.to_string())
    }
}

impl From<KeyError> for AppError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unavailable(error) => Self::Unavailable(error.to_string()),
            KeyError::Destroyed => Self::NotFound,
            KeyError::Tampered => Self::Damaged(error.to_string()),
        }
    }
}

impl From<LoadError> for AppError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unavailable(error) => Self::Unavailable(error.to_string()),
            LoadError::Damaged(error) => Self::Damaged(error.to_string()),
        }
    }
}

impl<R> From<ExecuteError<R>> for AppError {
    fn from(error: ExecuteError<R>) -> Self {
        match error {
            ExecuteError::Refused(_) => Self::NotFound,
            ExecuteError::Conflict => Self::Conflict,
            ExecuteError::KeyTaken => Self::Refused("identity.key_taken", "it is taken"),
            ExecuteError::CommandIdTaken(_) => {
                Self::Refused("command_id_taken", "the id of the command belongs to another one")
            }
            ExecuteError::TooLarge => Self::Refused("too_large", "it is too large"),
            ExecuteError::Unavailable(error) => {
                Self::Unavailable(error.map(|error| error.to_string()).unwrap_or_default())
            }
            ExecuteError::Damaged(error) => Self::Damaged(error.to_string()),
        }
    }
}

type Result<T> = std::result::Result<T, AppError>;

impl Identity {
    /// Keeps its facts in `log`; `directory` tells how far the tables have come, `changes` tells gateways. Without a
    /// `relying_party` there are no passkeys.
    #[must_use]
    pub fn new(
        (log, keyring): (EventLog, Keyring),
        (directory, changes): (Progress, Changes),
        clock: Clock,
        post: Post,
        (parameters, login_limit): (Parameters, i32),
        relying_party: Option<RelyingParty>,
    ) -> Self {
        Self {
            log,
            keyring,
            directory,
            changes,
            clock,
            passwords: Passwords::new(parameters),
            pepper: Arc::default(),
            login_limit,
            turns: Arc::new(Semaphore::new(STRANGERS_AT_ONCE)),
            noted: Arc::default(),
            post: Arc::new(post),
            relying_party,
            asked: Arc::default(),
            written: Arc::default(),
        }
    }

    /// The worker that sends letters.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender {
            pool: self.log.pool().clone(),
            keyring: self.keyring.clone(),
            post: self.post.clone(),
            clock: self.clock.clone(),
            written: self.written.clone(),
        }
    }

    /// Waits until the tables show `position`.
    async fn reach(&self, position: i64) -> Result<()> {
        if self.directory.wait_for(position, PATIENCE).await {
            Ok(())
        } else {
            Err(AppError::Unavailable("the read model is behind".to_owned()))
        }
    }

    /// Waits until the tables show what is done, so that the next page does. It stays done when they are late, and is
    /// answered for: a link, a session or a secret that was made is shown once.
    async fn show(&self, position: i64) {
        if !self.directory.wait_for(position, PATIENCE).await {
            tracing::warn!(position, "the read model is behind what was done");
        }
    }

    async fn email_key(&self, email: &str) -> Result<UniqueKey> {
        Ok(email_key(&self.keyring, email).await?)
    }

    async fn account_of(&self, email: &str) -> Result<Option<Uuid>> {
        let key = self.email_key(email).await?;
        Ok(self.log.holder(&key).await?)
    }

    /// What proves an account, once it has begun.
    async fn hash_of(&self, account: Uuid) -> Result<Option<String>> {
        let pool = self.log.pool();
        let found =
            sqlx::query_scalar!("SELECT password FROM credentials WHERE account_id = $1", account);
        Ok(found.fetch_optional(pool).await?)
    }

    /// Opens what is stored of a person; `None` when they were erased.
    async fn revealed<T: DeserializeOwned>(
        &self,
        sealed: &str,
        place: &Place,
    ) -> Result<Option<T>> {
        let damaged = |_| AppError::Damaged("what is stored is not sealed".to_owned());
        let sealed = sealed.parse().map_err(damaged)?;
        Ok(self.keyring.reveal(&sealed, PLATFORM, place).await?)
    }
}

/// Which account has an address.
const EMAILS: &str = "account.email";

/// The key under which an account holds the address that it logs in with: a keyed hash of it.
///
/// # Errors
///
/// See [`KeyError`].
pub async fn email_key(keyring: &Keyring, email: &str) -> std::result::Result<UniqueKey, KeyError> {
    let address = email.trim().to_lowercase();
    let index = keyring.blind_index(PLATFORM, EMAILS, address.as_bytes()).await?;
    Ok(UniqueKey { tenant: PLATFORM, scope: EMAILS, key: index.to_vec() })
}

/// The key under which a campaign holds its name in addresses.
fn slug_key(slug: &str) -> UniqueKey {
    UniqueKey { tenant: PLATFORM, scope: "campaign.slug", key: slug.as_bytes().to_vec() }
}

/// The member that an account is in a campaign.
#[must_use]
pub fn member_of(campaign: Uuid, account: Uuid) -> Uuid {
    Uuid::new_v5(&campaign, account.as_bytes())
}

/// Where a profile belongs.
fn profile_place(account: Uuid) -> Place {
    Place::new(PLATFORM, "account", account, "profile")
}

/// Where an inviter's words about an account belong. They lie under the account's own key, so that they go
/// when the account is erased.
fn said_place(campaign: Uuid, account: Uuid) -> Place {
    Place::new(PLATFORM, "member", member_of(campaign, account), "said")
}

/// A command that is a part of another one, with an id of its own that follows from it.
fn step(meta: &Meta, name: &str) -> Meta {
    Meta { command_id: Uuid::new_v5(&meta.command_id, name.as_bytes()), ..meta.clone() }
}

/// Who somebody is, as it is kept, and which fields are wrong.
fn whom(said: &Profile) -> (Profile, Vec<(&'static str, String)>) {
    let mut wrong = Vec::new();
    let mut field = |field, value: std::result::Result<String, &'static str>| {
        value.map_err(|problem| wrong.push((field, problem.to_owned()))).unwrap_or_default()
    };
    let email = field("email", email(&said.email));
    let profile = Profile { email, display_name: field("display_name", name(&said.display_name)) };
    (profile, wrong)
}

/// An address: something, an at, a domain with a dot; no spaces.
fn email(text: &str) -> std::result::Result<String, &'static str> {
    let text = text.trim();
    let well_formed = text.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains('@')
    });
    let plain = !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    if text.is_empty() {
        Err("must not be empty")
    } else if well_formed && plain && text.len() <= LONGEST_EMAIL {
        Ok(text.to_owned())
    } else {
        Err("must be an e-mail address")
    }
}

/// A text of so many characters as a name has at most.
fn name(text: &str) -> std::result::Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        Err("must not be empty")
    } else if text.chars().count() > LONGEST_NAME {
        Err("must have at most 120 characters")
    } else {
        Ok(text.to_owned())
    }
}
