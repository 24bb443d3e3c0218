//! Offline data of checked queries: starts a PostgreSQL, runs the migrations, has the macros look.
//!
//! sqlx's macros write what they learn into `SQLX_OFFLINE_DIR` when a live database answers; the data are
//! committed, so that nobody needs a database to build.

use std::{
    collections::BTreeSet, ffi::OsString, fs, path::Path, process::Command, time::SystemTime,
};

use anyhow::{Context, Result, bail, ensure};
use meydan_runtime::{LocalServers, Options};

/// A package with queries of its own.
struct Package {
    folder: &'static str,
    name: &'static str,
    variable: &'static str,
    /// Whether the log's migrations come first.
    has_log: bool,
}

const PACKAGES: [Package; 6] = [
    package("crates/event-log", "meydan-event-log", "EVENT_LOG_DATABASE_URL", false),
    package("crates/keyring", "meydan-keyring", "KEYRING_DATABASE_URL", false),
    package("services/identity", "identity", "IDENTITY_DATABASE_URL", true),
    package("services/crm", "crm", "CRM_DATABASE_URL", true),
    package("services/bot-hub", "bot-hub", "BOT_HUB_DATABASE_URL", true),
    package("services/audit", "audit", "AUDIT_DATABASE_URL", true),
];

const fn package(
    folder: &'static str,
    name: &'static str,
    variable: &'static str,
    has_log: bool,
) -> Package {
    Package { folder, name, variable, has_log }
}

/// What to do with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Put them into the tree.
    Write,
    /// Fail when they differ from the tree's.
    Check,
}

/// Makes the data of the packages in `folders` anew, or of all.
pub(crate) fn run(mode: Mode, folders: &[&str]) -> Result<()> {
    for folder in folders {
        let known = PACKAGES.iter().any(|package| package.folder == *folder);
        ensure!(known, "{folder} has no queries; see PACKAGES in xtask/src/sqlx.rs");
    }
    let work = tempfile::tempdir().context("no temporary folder")?;
    fs::set_permissions(work.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let servers = runtime.block_on(LocalServers::start(
        work.path(),
        Path::new(".meydan/runtime"),
        Options { nats: false, ..Options::default() },
        |_| {},
    ))?;
    let server = servers.database_url().context("PostgreSQL was asked for")?;
    let done = PACKAGES
        .iter()
        .filter(|package| folders.is_empty() || folders.contains(&package.folder))
        .try_for_each(|package| prepare(mode, &server, package));
    runtime.block_on(servers.stop());
    done
}

fn prepare(mode: Mode, server: &str, package: &Package) -> Result<()> {
    let url = database(server, package)?;
    // Beside the old data, which stay until the new are whole.
    let fresh = Path::new("target/sqlx").join(package.name);
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh)?;
    touch(package.folder)?;
    let status = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--all-features", "--all-targets", "--package", package.name])
        .env(package.variable, url.as_str())
        .env("SQLX_OFFLINE_DIR", fs::canonicalize(&fresh)?)
        .env("SQLX_OFFLINE", "false")
        .status()?;
    if !status.success() {
        fs::remove_dir_all(&fresh)?;
        bail!("{} does not compile", package.name);
    }
    let data = Path::new(package.folder).join(".sqlx");
    let (new, old) = (contents(&fresh)?, contents(&data)?);
    println!("{}: {} queries", package.folder, new.len());
    if mode == Mode::Write {
        let _ = fs::remove_dir_all(&data);
        return Ok(fs::rename(&fresh, &data)?);
    }
    fs::remove_dir_all(&fresh)?;
    let differ: BTreeSet<_> =
        new.symmetric_difference(&old).map(|(name, _)| name.to_string_lossy()).collect();
    ensure!(
        differ.is_empty(),
        "{} is not what its queries need; type `cargo xtask sqlx {}`: {}",
        data.display(),
        package.folder,
        differ.into_iter().collect::<Vec<_>>().join(", "),
    );
    Ok(())
}

/// A database with the tables of the package.
fn database(server: &str, package: &Package) -> Result<url::Url> {
    let mut url = url::Url::parse(server)?;
    let name = package.name.replace('-', "_");
    psql(url.as_str(), &["--command", &format!("CREATE DATABASE {name}")])?;
    url.set_path(&name);
    let mut folders = vec![format!("{}/migrations", package.folder)];
    if package.has_log {
        folders.insert(0, "crates/event-log/migrations".to_owned());
    }
    for folder in folders {
        let mut files: Vec<_> = fs::read_dir(&folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        for file in files {
            let file = file.to_str().context("migrations have plain names")?;
            psql(url.as_str(), &["--file", file]).with_context(|| file.to_owned())?;
        }
    }
    Ok(url)
}

/// Names and contents of the files of a folder; nothing when it is not there.
fn contents(folder: &Path) -> Result<BTreeSet<(OsString, Vec<u8>)>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(BTreeSet::new()) };
    let read = |entry: fs::DirEntry| Ok((entry.file_name(), fs::read(entry.path())?));
    entries.map(|entry| read(entry?)).collect()
}

fn psql(url: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(".meydan/runtime/postgres/pginstall/bin/psql")
        .args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", url])
        .args(arguments)
        .output()
        .context("psql of .meydan/runtime does not start; type `make runtime`")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Has cargo look at a package again: every root that a target of it may have.
fn touch(package: &str) -> Result<()> {
    let now = SystemTime::now();
    let package = Path::new(package);
    let roots = ["src", "tests", "tests/it", "examples", "benches"];
    for entry in roots.iter().flat_map(|folder| fs::read_dir(package.join(folder))).flatten() {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "rs") {
            fs::File::options().write(true).open(&path)?.set_modified(now)?;
        }
    }
    Ok(())
}
