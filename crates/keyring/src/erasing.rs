//! Erasing a person: their keys are destroyed, other processes are told, and a ledger keeps who has
//! forgotten them.

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    keyring::{KeyError, Keyring},
    store::erasures,
};

/// Where processes tell each other of keys that were destroyed.
const DESTROYED: &str = "keys.destroyed";

/// A key that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestroyedKey {
    /// The campaign, or the platform.
    pub campaign: Uuid,
    /// The key.
    pub key_id: Uuid,
    /// A hash of the key, hexadecimal: who has a copy can tell that it is this one. `None` for a key from
    /// before fingerprints were kept.
    pub fingerprint: Option<String>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub destroyed_at: OffsetDateTime,
}

/// A context that has forgotten a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The context.
    pub context: String,
    /// Position in its log of the fact whose rows are gone.
    pub position: i64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// How far an erasure has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Who asked: the actor of the fact, as the log writes it.
    pub asked_by: String,
    /// When they asked.
    pub asked_at: OffsetDateTime,
    /// The keys that were destroyed.
    pub keys: Vec<DestroyedKey>,
    /// The contexts that have forgotten the person.
    pub acknowledgements: Vec<Acknowledgement>,
    /// The certificate, once it was given.
    pub certificate: Option<String>,
}

/// What is told of a key that was destroyed.
#[derive(Serialize, Deserialize)]
struct Destroyed {
    tenant: Uuid,
    subject: Uuid,
    key_id: Uuid,
}

impl Keyring {
    /// Whether a subject has, or had, a key: in a campaign, or in any for the platform's subjects.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn knows(&self, tenant: Uuid, subject: Uuid) -> Result<bool, KeyError> {
        Ok(erasures::is_known(&self.pool, tenant, subject).await?)
    }

    /// Destroys a subject's keys: that of a campaign or, for the platform's subjects, those of all campaigns. A
    /// campaign is a subject of itself: then all of its keys are destroyed, and its own with them.
    /// Whatever was sealed under them, anywhere, cannot be read again. Once more, it changes nothing.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn erase(
        &self,
        tenant: Uuid,
        subject: Uuid,
        (asked_by, asked_at): (&str, OffsetDateTime),
    ) -> Result<(), KeyError> {
        let asked = (asked_by, asked_at);
        let destroyed = erasures::erase(&self.pool, (tenant, subject), asked).await?;
        if tenant == subject {
            self.forget_campaign(tenant).await;
        }
        for (tenant, subject, key_id) in destroyed {
            self.forget_subject((tenant, subject), key_id).await;
            self.tell(Destroyed { tenant, subject, key_id }).await;
        }
        Ok(())
    }

    /// Tells other processes; those that don't hear it forget the key within a minute.
    async fn tell(&self, destroyed: Destroyed) {
        let Some(nats) = &self.nats else { return };
        let told = serde_json::to_vec(&destroyed).expect("ids are plain data");
        let told = match nats.publish(DESTROYED, told.into()).await {
            Ok(()) => nats.flush().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = told {
            tracing::warn!(error, "other processes were not told of a key that was destroyed");
        }
    }

    /// Drops the keys that other processes destroy, as they tell of them, until `stop`.
    pub async fn listen(self, stop: CancellationToken) {
        let Some(nats) = self.nats.clone() else { return };
        let mut told = match nats.subscribe(DESTROYED).await {
            Ok(told) => told,
            Err(error) => {
                tracing::error!(%error, "nobody tells of keys that are destroyed; they are kept for a minute");
                return;
            }
        };
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => return,
                message = told.next() => message,
            };
            let Some(message) = message else { return };
            if let Ok(Destroyed { tenant, subject, key_id }) =
                serde_json::from_slice(&message.payload)
            {
                self.forget_subject((tenant, subject), key_id).await;
            }
        }
    }

    /// How far an erasure has come; `None` when nobody asked for it.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn erasure(&self, tenant: Uuid, subject: Uuid) -> Result<Option<Erasure>, KeyError> {
        let Some(row) = erasures::find(&self.pool, tenant, subject).await? else { return Ok(None) };
        Ok(Some(Erasure {
            asked_by: row.asked_by,
            asked_at: row.asked_at,
            keys: erasures::destroyed_keys(&self.pool, tenant, subject).await?,
            acknowledgements: erasures::acknowledgements(&self.pool, tenant, subject).await?,
            certificate: row.certificate,
        }))
    }

    /// Notes that a context has forgotten a subject. Its first word of a position stands; another position, which only
    /// a restored log gives, takes its place, and takes a certificate back that names the old one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn acknowledge(
        &self,
        tenant: Uuid,
        subject: Uuid,
        acknowledgement: &Acknowledgement,
    ) -> Result<(), KeyError> {
        Ok(erasures::acknowledge(&self.pool, (tenant, subject), acknowledgement).await?)
    }

    /// Keeps the certificate of an erasure, and returns the one that was first; `None` without an erasure.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn keep_certificate(
        &self,
        tenant: Uuid,
        subject: Uuid,
        certificate: &str,
    ) -> Result<Option<String>, KeyError> {
        Ok(erasures::keep_certificate(&self.pool, tenant, subject, certificate).await?)
    }
}
