//! Keys that sign with Ed25519 (RFC 8032), each in a file of its own: PKCS#8, PEM, readable by its owner alone.

use std::{fs, io, path::Path};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the key {path} cannot be used: {problem}")]
pub struct BadKey {
    /// The file.
    pub path: String,
    /// Why.
    pub problem: String,
}

/// Reads a key, making it the first time.
///
/// # Errors
///
/// [`BadKey`] when the file cannot be read, written or understood.
pub fn signing_key(path: &Path) -> Result<SigningKey, BadKey> {
    let bad = |problem: String| BadKey { path: path.display().to_string(), problem };
    if !path.exists() {
        make(path).map_err(|error| bad(error.to_string()))?;
    }
    let pem = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| bad(error.to_string()))
}

/// A new key.
pub(crate) fn generate() -> SigningKey {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the operating system has randomness");
    SigningKey::from_bytes(&seed)
}

/// Writes a new key, unless somebody else does so this moment.
fn make(path: &Path) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let pem = generate().to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
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
