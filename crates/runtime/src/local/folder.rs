//! Where data and programs are, and as whom the servers run.
//!
//! PostgreSQL refuses to run as root. Started by root, the servers become `meydan` or `nobody`; what that user
//! may not reach (a folder below the home of root, say) is put under `/var/lib/meydan` instead, and
//! `data` becomes a link to it.

use std::{
    fmt::Write,
    fs,
    net::TcpListener,
    os::unix::{
        ffi::OsStrExt,
        fs::{OpenOptionsExt, PermissionsExt, symlink},
    },
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
        if !are_whole(programs) {
            return Err(StartError::MissingRuntime(programs.to_owned()));
        }
        let absolute =
            |path: &Path| fs::canonicalize(path).map_err(|error| write_error(path, error));
        let (folder, mut programs) = (absolute(folder)?, absolute(programs)?);
        let secrets = folder.join("secrets");
        make(&secrets)?;
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700))
            .map_err(|error| write_error(&secrets, error))?;
        let user = if geteuid().is_root() { Some(somebody()?) } else { None };
        if user.is_some() && !open_to_all(&programs) {
            programs = copy_programs(&programs)?;
        }
        let link = folder.join("data");
        if user.is_some() && !open_to_all(&folder) && fs::symlink_metadata(&link).is_err() {
            symlink(elsewhere(&folder).join("data"), &link)
                .map_err(|error| write_error(&link, error))?;
        }
        // A link whose target was removed counts as one: the target is made again.
        make(&fs::read_link(&link).unwrap_or_else(|_| link.clone()))?;
        Ok(Self { data: absolute(&link)?, secrets, programs, user })
    }

    /// Fails when the disk has less room than `bytes`.
    pub(super) fn insist_on(&self, bytes: u64) -> Result<(), StartError> {
        let free =
            fs2::available_space(&self.data).map_err(|error| write_error(&self.data, error))?;
        if free < bytes {
            return Err(StartError::disk_full(&self.data, bytes));
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

    /// Where a secret is kept.
    pub(super) fn secret_path(&self, name: &str) -> PathBuf {
        self.secrets.join(name)
    }

    /// A secret of 24 random bytes, hexadecimal, made the first time.
    pub(super) fn secret(&self, name: &str) -> Result<String, StartError> {
        let path = self.secret_path(name);
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

    /// The port that `name` had the last time, when it is free, or another: tools that were told of it keep
    /// working, and clients find a server again that was started anew.
    pub(super) fn port(&self, name: &str) -> Result<u16, StartError> {
        let path = self.data.join(name);
        let before = fs::read_to_string(&path).ok().and_then(|port| port.trim().parse().ok());
        if let Some(port) = before.filter(|port| *port != 0 && is_free(*port)) {
            return Ok(port);
        }
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map(|address| address.port())
            .map_err(|error| StartError::DoesNotStart {
                server: "the network",
                said: error.to_string(),
            })?;
        fs::write(&path, format!("{port}\n")).map_err(|error| write_error(&path, error))?;
        Ok(port)
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Writes a file that its owner alone can read, whole or not at all.
pub(super) fn write_private(path: &Path, content: &str) -> Result<(), StartError> {
    use std::io::Write as _;
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let failed = |error| write_error(path, error);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&draft).map_err(failed)?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&draft, path).map_err(failed)
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

/// A place of its own for each folder, the same at every start: FNV-1a of the path.
fn elsewhere(folder: &Path) -> PathBuf {
    let name = folder.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    PathBuf::from(format!("/var/lib/meydan/{name:016x}"))
}

fn are_whole(programs: &Path) -> bool {
    programs.join("postgres/pginstall/bin/postgres").is_file()
        && programs.join("nats/nats-server").is_file()
}

/// Copies the programs to where the servers' user may go, unless these very ones are there.
fn copy_programs(programs: &Path) -> Result<PathBuf, StartError> {
    let base = elsewhere(programs);
    make(&base)?;
    let (to, draft) = (base.join("runtime"), base.join("runtime.new"));
    let stamp = |folder: &Path| fs::read(folder.join("stamp")).ok();
    if are_whole(&to) && stamp(&to) == stamp(programs) {
        return Ok(to);
    }
    for old in [&draft, &to] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(|error| write_error(old, error))?;
        }
    }
    let copied = Command::new("cp").arg("-a").arg(programs).arg(&draft).output();
    let copied = copied.map_err(|error| write_error(&to, error))?;
    if !copied.status.success() {
        return Err(super::error::from_log("cp", &to, &String::from_utf8_lossy(&copied.stderr)));
    }
    fs::rename(&draft, &to).map_err(|error| write_error(&to, error))?;
    Ok(to)
}
