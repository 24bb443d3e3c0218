//! The platform's key in a file that its owner alone can read: 32 random bytes for each version, newest last.
//!
//! What is wrapped names its version by the first bytes of the version's hash, so a version that nothing is
//! wrapped by any more can be taken out of the file.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
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

/// The platform's key, in a file. What another process adds to the file is read when it is needed.
pub struct KeyFile {
    path: PathBuf,
    /// Newest last.
    versions: RwLock<Arc<Vec<Version>>>,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("path", &self.path).finish_non_exhaustive()
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
        let versions = RwLock::new(Arc::new(versions(path)?));
        Ok(Self { path: path.to_owned(), versions })
    }

    /// The versions that are known; after a look into the file, those that it holds now.
    fn versions(&self, look: bool) -> Result<Arc<Vec<Version>>, WrapError> {
        let held = "nobody panics while holding it";
        if look {
            let fresh = versions(&self.path);
            let fresh = fresh.map_err(|error| WrapError::Unavailable(error.to_string()))?;
            *self.versions.write().expect(held) = Arc::new(fresh);
        }
        Ok(self.versions.read().expect(held).clone())
    }

    /// How many versions the file holds: the newest wraps, all unwrap.
    ///
    /// # Errors
    ///
    /// [`BadKeyFile`]
    pub fn count(path: &Path) -> Result<usize, BadKeyFile> {
        Ok(versions(path)?.len())
    }

    /// Names the version that wraps, without telling it.
    ///
    /// # Errors
    ///
    /// [`BadKeyFile`]
    pub fn newest(path: &Path) -> Result<u64, BadKeyFile> {
        let versions = versions(path)?;
        let newest = versions.last().ok_or_else(|| bad(path, "it is not 32 bytes long"))?;
        Ok(u64::from_be_bytes(newest.name))
    }

    /// Adds a version to the file, which wraps from now on, in all processes.
    ///
    /// # Errors
    ///
    /// [`BadKeyFile`]; the file is then as it was.
    pub fn add_version(path: &Path) -> Result<(), BadKeyFile> {
        let bytes = read(path)?;
        let bytes = Zeroizing::new([bytes.as_slice(), fresh().as_ref()].concat());
        replace(path, &bytes).map_err(|error| bad(path, error))
    }

    /// Takes all versions but the newest out of the file. What they wrapped cannot be read again.
    ///
    /// # Errors
    ///
    /// [`BadKeyFile`]; the file is then as it was.
    pub fn remove_older(path: &Path) -> Result<(), BadKeyFile> {
        let bytes = read(path)?;
        let newest = bytes.last_chunk::<LENGTH>();
        let newest = newest.ok_or_else(|| bad(path, "it is not 32 bytes long"))?;
        replace(path, newest).map_err(|error| bad(path, error))
    }

    fn wrap_now(&self, key: &Key, place: &[u8]) -> Result<Vec<u8>, WrapError> {
        let versions = self.versions(true)?;
        let newest = versions.last().expect("a file without a version is not read");
        let wrapped = encrypt(&newest.cipher, key.as_ref(), place);
        Ok([newest.name.as_slice(), &wrapped].concat())
    }

    fn unwrap_now(&self, wrapped: &[u8], place: &[u8]) -> Result<Key, WrapError> {
        let known = self.versions(false)?;
        if let Some(key) = unwrap(&known, wrapped, place) {
            return Ok(key);
        }
        unwrap(&self.versions(true)?, wrapped, place).ok_or(WrapError::Tampered)
    }
}

fn unwrap(versions: &[Version], wrapped: &[u8], place: &[u8]) -> Option<Key> {
    if wrapped.len() == NAMELESS {
        return versions.iter().find_map(|version| decrypt_key(&version.cipher, wrapped, place));
    }
    let (name, rest) = wrapped.split_first_chunk::<NAME>()?;
    let version = versions.iter().find(|version| version.name == *name)?;
    decrypt_key(&version.cipher, rest, place)
}

impl PlatformKey for KeyFile {
    fn wrap<'a>(
        &'a self,
        key: &'a Key,
        place: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, WrapError>> {
        Box::pin(ready(self.wrap_now(key, place)))
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        place: &'a [u8],
    ) -> BoxFuture<'a, Result<Key, WrapError>> {
        Box::pin(ready(self.unwrap_now(wrapped, place)))
    }
}

fn versions(path: &Path) -> Result<Vec<Version>, BadKeyFile> {
    Ok(read(path)?.chunks_exact(LENGTH).map(version).collect())
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
