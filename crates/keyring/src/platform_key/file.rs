//! The platform's key in a file that its owner alone can read: 32 random bytes for each version, newest last.
//!
//! What is wrapped names its version by the first bytes of the version's hash, so a version that nothing is
//! wrapped by any more can be taken out of the file.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use futures::future::{BoxFuture, ready};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Key, PlatformKey, WrapError};
use crate::cipher::{decrypt_key, encrypt, fresh};

/// Bytes of a version.
const LENGTH: usize = 32;
/// Bytes that name a version.
const NAME: usize = 8;
/// Length of what was wrapped before versions had names: nonce, key, tag.
const NAMELESS: usize = 12 + LENGTH + 16;

/// A version: its name, and its cipher.
struct Version {
    name: [u8; NAME],
    cipher: Aes256GcmSiv,
}

/// The platform's key, read from a file.
pub struct KeyFile {
    newest: Version,
    older: Vec<Version>,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("versions", &(self.older.len() + 1)).finish_non_exhaustive()
    }
}

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the platform key {path} cannot be used: {problem}")]
pub struct BadKeyFile {
    /// The file.
    pub path: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

fn bad(path: &Path, problem: impl fmt::Display) -> BadKeyFile {
    BadKeyFile { path: path.display().to_string(), problem: problem.to_string() }
}

impl KeyFile {
    /// Reads the key from `path`, making it the first time.
    ///
    /// # Errors
    ///
    /// [`BadKeyFile`] when others can read the file, or it cannot be read, written or understood.
    pub fn open(path: &Path) -> Result<Self, BadKeyFile> {
        create(path).map_err(|error| bad(path, error))?;
        let bytes = read(path)?;
        let mut versions: Vec<_> = bytes.chunks_exact(LENGTH).map(version).collect();
        let newest = versions.pop().ok_or_else(|| bad(path, "it is not 32 bytes long"))?;
        Ok(Self { newest, older: versions })
    }

    /// Adds a version to the file, which wraps from now on. Processes that run read it when they start.
    ///
    /// # Errors
    ///
    /// [`BadKeyFile`]; the file is then as it was.
    pub fn add_version(path: &Path) -> Result<Self, BadKeyFile> {
        let mut bytes = read(path)?;
        bytes.extend_from_slice(fresh().as_ref());
        replace(path, &bytes).map_err(|error| bad(path, error))?;
        Self::open(path)
    }

    /// Takes all versions but the newest out of the file. What they wrapped cannot be read again.
    ///
    /// # Errors
    ///
    /// [`BadKeyFile`]; the file is then as it was.
    pub fn remove_older(path: &Path) -> Result<Self, BadKeyFile> {
        let bytes = read(path)?;
        let newest = bytes.len().checked_sub(LENGTH).and_then(|at| bytes.get(at..));
        let newest = newest.ok_or_else(|| bad(path, "it is not 32 bytes long"))?;
        replace(path, newest).map_err(|error| bad(path, error))?;
        Self::open(path)
    }

    fn unwrap_now(&self, wrapped: &[u8], place: &[u8]) -> Result<Key, WrapError> {
        let mut versions = std::iter::once(&self.newest).chain(&self.older);
        let key = if wrapped.len() == NAMELESS {
            versions.find_map(|version| decrypt_key(&version.cipher, wrapped, place))
        } else {
            wrapped.split_first_chunk::<NAME>().and_then(|(name, rest)| {
                let version = versions.find(|version| version.name == *name)?;
                decrypt_key(&version.cipher, rest, place)
            })
        };
        key.ok_or(WrapError::Tampered)
    }
}

impl PlatformKey for KeyFile {
    fn wrap<'a>(
        &'a self,
        key: &'a Key,
        place: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, WrapError>> {
        let wrapped = encrypt(&self.newest.cipher, key.as_ref(), place);
        Box::pin(ready(Ok([self.newest.name.as_slice(), &wrapped].concat())))
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        place: &'a [u8],
    ) -> BoxFuture<'a, Result<Key, WrapError>> {
        Box::pin(ready(self.unwrap_now(wrapped, place)))
    }
}

fn version(key: &[u8]) -> Version {
    let hash = Sha256::new().chain_update(b"meydan platform key 1\0").chain_update(key).finalize();
    let name = *hash.first_chunk().expect("SHA-256 gives 32 bytes");
    let cipher = Aes256GcmSiv::new_from_slice(key).expect("a version has 32 bytes");
    Version { name, cipher }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, BadKeyFile> {
    let about = fs::metadata(path).map_err(|error| bad(path, error))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(bad(path, "others can read it; chmod it to 600"));
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| bad(path, error))?);
    if bytes.is_empty() || !bytes.len().is_multiple_of(LENGTH) {
        return Err(bad(path, "it is not 32 bytes long, nor a multiple of that"));
    }
    Ok(bytes)
}

/// Writes the first version, unless the file is there.
fn create(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = match created {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    file.write_all(fresh().as_ref())?;
    file.sync_all()
}

/// Writes the file anew, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
