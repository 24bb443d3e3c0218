//! Asking for an erasure, and certifying it when every context has forgotten the person.

use std::time::Duration;

use cqrs_es::Aggregate;
use meydan_event_log::{Actor, Clock, EventLog, ExecuteError, Meta, Target};
use meydan_keyring::{Erasure, KeyError, Keyring};
use uuid::Uuid;

use crate::{
    CONTEXTS,
    certificate::{BadCertificate, Certificate, CertificateKey, Statement},
    subject::{Subject, SubjectCommand},
};

/// Pause between looks at the ledger.
const LOOK: Duration = Duration::from_millis(20);
/// How long after its arrival an update may lie in the intake: two days, and the rest of the day on which
/// its key is destroyed.
const INTAKE: time::Duration = time::Duration::days(4);

/// Erases people.
#[derive(Debug, Clone)]
pub struct Eraser {
    /// The log of identity, which says first that a person is erased.
    pub log: EventLog,
    /// The logs of all contexts, in which their facts are looked up that a certificate names.
    pub logs: Vec<EventLog>,
    /// The keys, and the ledger beside them.
    pub keyring: Keyring,
    /// Signs certificates.
    pub key: CertificateKey,
    /// How long backups of the database of keys are kept.
    pub backups: time::Duration,
    /// Tells the time.
    pub clock: Clock,
}

/// Why somebody is not erased, or not certified to be.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Nobody by this id has, or had, a key there.
    #[error("there is no such subject: nobody by this id has a key there")]
    Unknown,
    /// Keys are destroyed; these contexts have not said yet that they forgot the person.
    #[error("the keys are destroyed, but {} did not answer yet; run it again", .0.join(", "))]
    Waiting(Vec<String>),
    /// The log cannot be used.
    #[error("the log of identity cannot be used")]
    Log(#[from] ExecuteError<std::convert::Infallible>),
    /// The log of a context cannot be read.
    #[error("the log of {0} cannot be read")]
    Unread(&'static str, #[source] sqlx::Error),
    /// The keys cannot be used.
    #[error("the database of keys cannot be used")]
    Keys(#[from] KeyError),
    /// The ledger holds something that is no certificate.
    #[error("the ledger of erasures is damaged")]
    Damaged(#[from] BadCertificate),
}

impl Eraser {
    /// Records that a subject is erased, and destroys their keys: in a campaign, or with the platform's id in
    /// all of them. Once more, it changes nothing.
    ///
    /// # Errors
    ///
    /// See [`EraseError`].
    pub async fn erase(&self, tenant: Uuid, subject: Uuid, by: &Actor) -> Result<(), EraseError> {
        if !self.keyring.knows(tenant, subject).await? {
            return Err(EraseError::Unknown);
        }
        let at = self.clock.now();
        let name = [tenant.as_bytes().as_slice(), b"erase"].concat();
        let meta = Meta::new(Uuid::new_v5(&subject, &name), by.clone());
        let target = Target { tenant, id: subject };
        // First the fact: from here on the contexts complete it, whatever happens to us.
        self.log.execute::<Subject>(target, SubjectCommand::Erase { at }, &meta).await?;
        let asked_by = serde_json::to_string(by).expect("an actor is plain data");
        Ok(self.keyring.erase(tenant, subject, (&asked_by, at)).await?)
    }

    /// The certificate of an erasure that was asked for, once every context has forgotten the subject. It is
    /// given once; whoever asks again gets the same, as long as each log has the person's fact where it says so. After
    /// a restore it has not, until the context has forgotten them anew; then the certificate is signed anew.
    ///
    /// # Errors
    ///
    /// See [`EraseError`]; [`EraseError::Waiting`] after `patience`.
    pub async fn certify(
        &self,
        tenant: Uuid,
        subject: Uuid,
        patience: Duration,
    ) -> Result<Certificate, EraseError> {
        let began = tokio::time::Instant::now();
        loop {
            let erasure = self.keyring.erasure(tenant, subject).await?;
            let erasure = erasure.ok_or(EraseError::Unknown)?;
            let silent = self.silent(Target { tenant, id: subject }, &erasure).await?;
            if silent.is_empty() {
                return match &erasure.certificate {
                    Some(given) => Ok(Certificate::read(given)?),
                    None => self.sign(tenant, subject, erasure).await,
                };
            }
            if began.elapsed() >= patience {
                return Err(EraseError::Waiting(silent));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The contexts that have not acknowledged, or not in the logs that there are now.
    async fn silent(&self, whom: Target, erasure: &Erasure) -> Result<Vec<String>, EraseError> {
        let mut silent = Vec::new();
        for context in CONTEXTS {
            let word = erasure.acknowledgements.iter().find(|by| by.context == context);
            let log = self.logs.iter().find(|log| log.context() == context);
            let stands = match (word, log) {
                (Some(word), Some(log)) => {
                    let fact = log.last_of(whom, Subject::TYPE).await;
                    fact.map_err(|error| EraseError::Unread(log.context(), error))?
                        == Some(word.position)
                }
                (word, None) => word.is_some(),
                (None, _) => false,
            };
            if !stands {
                silent.push(context.to_owned());
            }
        }
        Ok(silent)
    }

    async fn sign(
        &self,
        tenant: Uuid,
        subject: Uuid,
        erasure: Erasure,
    ) -> Result<Certificate, EraseError> {
        let asked_by = serde_json::from_str(&erasure.asked_by);
        let destroyed = erasure.keys.iter().map(|key| key.destroyed_at).max();
        let destroyed = destroyed.unwrap_or(erasure.asked_at);
        let statement = Statement {
            version: 1,
            campaign: tenant,
            subject,
            asked_by: asked_by.map_err(|_| BadCertificate::Malformed)?,
            asked_at: erasure.asked_at,
            keys: erasure.keys,
            contexts: erasure.acknowledgements,
            key_backups_until: destroyed + self.backups,
            intake_until: destroyed + INTAKE,
            issued_at: self.clock.now(),
        };
        let signed = serde_json::to_string(&self.key.sign(statement));
        let signed = signed.expect("a certificate is plain data");
        let kept = self.keyring.keep_certificate(tenant, subject, &signed).await?;
        Ok(Certificate::read(&kept.ok_or(EraseError::Unknown)?)?)
    }
}
