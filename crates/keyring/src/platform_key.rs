//! The platform's key: 32 random bytes in a file that its owner alone can read.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use zeroize::Zeroizing;

/// The key that wraps the campaigns' keys.
#[derive(Clone)]
pub struct PlatformKey(pub(crate) Zeroizing<[u8; 32]>);

impl fmt::Debug for PlatformKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformKey")
    }
}

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the platform key {path} cannot be used: {problem}")]
pub struct BadPlatformKey {
    /// The file.
    pub path: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl PlatformKey {
    /// Reads the key from `path`, making it the first time.
    ///
    /// # Errors
    ///
    /// [`BadPlatformKey`] when others can read the file, or it cannot be read, written or understood.
    pub fn from_file(path: &Path) -> Result<Self, BadPlatformKey> {
        let bad = |problem: &str| BadPlatformKey {
            path: path.display().to_string(),
            problem: problem.to_owned(),
        };
        Self::create(path).map_err(|error| bad(&error.to_string()))?;
        let mut file = fs::File::open(path).map_err(|error| bad(&error.to_string()))?;
        let mode = file.metadata().map_err(|error| bad(&error.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(bad("others can read it; chmod it to 600"));
        }
        let mut key = Zeroizing::new([0; 32]);
        file.read_exact(key.as_mut()).map_err(|_| bad("it is not 32 bytes long"))?;
        Ok(Self(key))
    }

    fn create(path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = match created {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut()).map_err(io::Error::other)?;
        file.write_all(key.as_ref())?;
        file.sync_all()
    }
}
