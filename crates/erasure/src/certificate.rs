//! The certificate of an erasure, signed with Ed25519 (RFC 8032), so that it can be shown years later.

use std::{fmt, fs, io, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{
    Signature, Signer, SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use meydan_event_log::Actor;
use meydan_keyring::{Acknowledgement, DestroyedKey};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

/// What is certified. Nothing in it is personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Form of this statement: 1.
    pub version: u8,
    /// The campaign in which the subject was erased; the platform's own id for all of them.
    pub campaign: Uuid,
    /// Who was erased.
    pub subject: Uuid,
    /// Who asked for it.
    pub asked_by: Actor,
    /// When they asked.
    #[serde(with = "rfc3339")]
    pub asked_at: OffsetDateTime,
    /// The keys that were destroyed.
    pub keys: Vec<DestroyedKey>,
    /// The contexts that have let go of the subject's rows, each with the position of its fact.
    pub contexts: Vec<Acknowledgement>,
    /// Until when a copy of the database of keys may hold a destroyed key.
    #[serde(with = "rfc3339")]
    pub key_backups_until: OffsetDateTime,
    /// Until when the subject's last messages may lie in the intake, sealed under the keys of their days.
    #[serde(with = "rfc3339")]
    pub intake_until: OffsetDateTime,
    /// When this was certified.
    #[serde(with = "rfc3339")]
    pub issued_at: OffsetDateTime,
}

impl Statement {
    /// What is signed: the statement as JSON without spaces, fields in the order in which they are declared.
    fn bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("a statement is plain data");
        [b"meydan erasure certificate 1\0".as_slice(), &json].concat()
    }
}

/// A statement with the platform's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// What is certified.
    pub statement: Statement,
    /// The platform's public key, in base64url: to tell which one it was, not to believe it.
    pub public_key: String,
    /// The signature, in base64url.
    pub signature: String,
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// It is none.
    #[error("this is not a certificate of erasure")]
    Malformed,
    /// What it was to be checked with is no public key.
    #[error("the public key is none: it is 43 letters, as the certificate names one")]
    NotAKey,
    /// Another key signed it.
    #[error("the certificate was signed by another key")]
    AnotherKey,
    /// It was changed after it was signed, or never was.
    #[error("the certificate was changed, or is forged")]
    Forged,
}

impl Certificate {
    /// Reads a certificate; spaces and line breaks do not matter.
    ///
    /// # Errors
    ///
    /// [`BadCertificate::Malformed`]
    pub fn read(text: &str) -> Result<Self, BadCertificate> {
        serde_json::from_str(text).map_err(|_| BadCertificate::Malformed)
    }

    /// Checks that `key` signed exactly this.
    ///
    /// # Errors
    ///
    /// See [`BadCertificate`].
    pub fn verify(&self, key: &str) -> Result<(), BadCertificate> {
        let bytes = URL_SAFE_NO_PAD.decode(key).ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
        let verifier = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let verifier = verifier.ok_or(BadCertificate::NotAKey)?;
        if self.public_key != key {
            return Err(BadCertificate::AnotherKey);
        }
        let signature = URL_SAFE_NO_PAD.decode(&self.signature);
        let signature = signature.map_err(|_| BadCertificate::Malformed)?;
        let signature = Signature::from_slice(&signature).map_err(|_| BadCertificate::Malformed)?;
        verifier
            .verify_strict(&self.statement.bytes(), &signature)
            .map_err(|_| BadCertificate::Forged)
    }
}

/// The key that signs certificates.
#[derive(Clone)]
pub struct CertificateKey(SigningKey);

impl fmt::Debug for CertificateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateKey")
    }
}

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificate key {path} cannot be used: {problem}")]
pub struct BadCertificateKey {
    /// The file.
    pub path: String,
    /// Why.
    pub problem: String,
}

impl CertificateKey {
    /// Reads the key (PKCS#8, PEM), making it the first time, readable by its owner alone.
    ///
    /// # Errors
    ///
    /// [`BadCertificateKey`]
    pub fn open(path: &Path) -> Result<Self, BadCertificateKey> {
        let bad = |problem: String| BadCertificateKey { path: path.display().to_string(), problem };
        if !path.exists() {
            make(path).map_err(|error| bad(error.to_string()))?;
        }
        let pem = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let key = SigningKey::from_pkcs8_pem(&pem).map_err(|error| bad(error.to_string()))?;
        Ok(Self(key))
    }

    /// The public key, in base64url: what others check certificates with.
    #[must_use]
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.verifying_key().as_bytes())
    }

    /// Signs a statement.
    #[must_use]
    pub fn sign(&self, statement: Statement) -> Certificate {
        let signature = self.0.sign(&statement.bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.to_bytes());
        Certificate { statement, public_key: self.public(), signature }
    }
}

/// Writes a new key, unless somebody else does so this moment.
fn make(path: &Path) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let pem =
        SigningKey::from_bytes(&seed).to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};
    use uuid::Uuid;

    use super::{Actor, BadCertificate, Certificate, CertificateKey, Statement};

    fn signed() -> (CertificateKey, Certificate) {
        let folder = tempfile::tempdir().expect("there is room");
        let key = CertificateKey::open(&folder.path().join("key.pem")).expect("it can be made");
        let noon = datetime!(2026-11-21 12:00 UTC);
        let statement = Statement {
            version: 1,
            campaign: Uuid::from_u128(1),
            subject: Uuid::from_u128(2),
            asked_by: Actor::Service { name: "meydan".to_owned() },
            asked_at: noon,
            keys: vec![],
            contexts: vec![],
            key_backups_until: noon + Duration::days(30),
            intake_until: noon + Duration::days(3),
            issued_at: noon,
        };
        let certificate = key.sign(statement);
        (key, certificate)
    }

    #[test]
    fn a_certificate_is_believed_however_it_is_laid_out() {
        let (key, certificate) = signed();
        let text = serde_json::to_string_pretty(&certificate).expect("plain data");

        let read = Certificate::read(&text).expect("it is one");

        assert_eq!(read.verify(&key.public()), Ok(()));
    }

    #[test]
    fn a_changed_one_a_forged_one_and_another_platforms_are_not() {
        let (key, certificate) = signed();
        let (other, _) = signed();

        let mut changed = certificate.clone();
        changed.statement.subject = Uuid::from_u128(3);
        assert_eq!(changed.verify(&key.public()), Err(BadCertificate::Forged));
        let mut forged = other.sign(certificate.statement.clone());
        assert_eq!(forged.verify(&key.public()), Err(BadCertificate::AnotherKey));
        forged.public_key = key.public();
        assert_eq!(forged.verify(&key.public()), Err(BadCertificate::Forged));
        assert_eq!(Certificate::read("{}"), Err(BadCertificate::Malformed));
    }
}
