//! Where data and programs are, and as whom the servers run.
//!
//! PostgreSQL refuses to run as root. Started by root, the servers become `meydan` or `nobody`; when that
//! user may not enter the folder (one below `/root`, say), data and programs go to `/var/lib/meydan`.

use std::{
    fmt::Write,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Gid, Uid, User, chown, geteuid};

use super::error::{StartError, write_error};

/// Prepared folders.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) data: PathBuf,
    pub(super) secrets: PathBuf,
    pub(super) programs: PathBuf,
    /// Whom the servers become.
    pub(super) user: Option<(Uid, Gid)>,
}

impl Folder {
    pub(super) fn prepare(folder: &Path, programs: &Path) -> Result<Self, StartError> {
        if !programs.join("postgres/pginstall/bin/postgres").is_file()
            || !programs.join("nats/nats-server").is_file()
        {
            return Err(StartError::MissingRuntime(programs.to_owned()));
        }
        let absolute =
            |path: &Path| fs::canonicalize(path).map_err(|error| write_error(path, error));
        let (folder, programs) = (absolute(folder)?, absolute(programs)?);
        let user = if geteuid().is_root() { Some(somebody()?) } else { None };
        let (base, programs) =
            if user.is_some() && !(open_to_all(&folder) && open_to_all(&programs)) {
                let base = elsewhere(&folder);
                make(&base)?;
                let copied = copy_programs(&programs, &base)?;
                (base, copied)
            } else {
                (folder.clone(), programs)
            };
        let data = base.join("data");
        let secrets = folder.join("secrets");
        make(&data)?;
        make(&secrets)?;
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700))
            .map_err(|error| write_error(&secrets, error))?;
        Ok(Self { data, secrets, programs, user })
    }

    /// Fails when the disk has less room than `bytes`.
    pub(super) fn insist_on(&self, bytes: u64) -> Result<(), StartError> {
        let free =
            fs2::available_space(&self.data).map_err(|error| write_error(&self.data, error))?;
        if free < bytes {
            let megabytes = |bytes: u64| bytes / 1024 / 1024;
            return Err(StartError::DiskFull {
                path: self.data.clone(),
                free: megabytes(free),
                needed: megabytes(bytes),
            });
        }
        Ok(())
    }

    /// Makes a folder that belongs to the servers.
    pub(super) fn own(&self, path: &Path) -> Result<(), StartError> {
        make(path)?;
        self.hand_over(path)
    }

    /// Gives a file or folder to the user whom the servers become.
    pub(super) fn hand_over(&self, path: &Path) -> Result<(), StartError> {
        if let Some((uid, gid)) = self.user {
            chown(path, Some(uid), Some(gid)).map_err(|error| write_error(path, error.into()))?;
        }
        Ok(())
    }

    /// A secret of so many random bytes, hexadecimal, made the first time.
    pub(super) fn secret(&self, name: &str) -> Result<String, StartError> {
        let path = self.secrets.join(name);
        if let Ok(secret) = fs::read_to_string(&path)
            && secret.len() == 48
        {
            return Ok(secret);
        }
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        let secret = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        write_private(&path, &secret)?;
        Ok(secret)
    }
}

/// Writes a file that its owner alone can read.
pub(super) fn write_private(path: &Path, content: &str) -> Result<(), StartError> {
    let failed = |error| write_error(path, error);
    let _ = fs::remove_file(path);
    fs::write(path, "").map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    fs::write(path, content).map_err(failed)
}

fn make(path: &Path) -> Result<(), StartError> {
    fs::create_dir_all(path).map_err(|error| write_error(path, error))
}

fn somebody() -> Result<(Uid, Gid), StartError> {
    let find = |name| User::from_name(name).ok().flatten();
    let user = find("meydan").or_else(|| find("nobody")).ok_or(StartError::NobodyToBecome)?;
    Ok((user.uid, user.gid))
}

/// Whether everybody may enter the folder and all above it.
fn open_to_all(path: &Path) -> bool {
    path.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|about| about.permissions().mode() & 0o001 != 0)
    })
}

/// A place of its own for each folder.
fn elsewhere(folder: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    PathBuf::from(format!("/var/lib/meydan/{:016x}", hasher.finish()))
}

fn copy_programs(programs: &Path, base: &Path) -> Result<PathBuf, StartError> {
    let to = base.join("runtime");
    if to.join("nats/nats-server").is_file() && to.join("postgres/pginstall/bin/postgres").is_file()
    {
        return Ok(to);
    }
    let copied = Command::new("cp").arg("-a").arg(programs).arg(&to).status();
    match copied {
        Ok(status) if status.success() => Ok(to),
        Ok(_) => Err(write_error(&to, std::io::Error::other("the programs cannot be copied"))),
        Err(error) => Err(write_error(&to, error)),
    }
}
