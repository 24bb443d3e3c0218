//! Offline data of checked queries: starts a PostgreSQL, runs the migrations, has the macros look.
//!
//! sqlx's macros write what they learn into `SQLX_OFFLINE_DIR` when a live database answers; the data are
//! committed, so that nobody needs a database to build.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use meydan_runtime::{LocalServers, Options};

/// A package with queries of its own.
struct Package {
    folder: &'static str,
    name: &'static str,
    variable: &'static str,
    /// Whether the log's migrations come first.
    has_log: bool,
}

const PACKAGES: [Package; 5] = [
    package("crates/event-log", "meydan-event-log", "EVENT_LOG_DATABASE_URL", false),
    package("crates/keyring", "meydan-keyring", "KEYRING_DATABASE_URL", false),
    package("services/identity", "identity", "IDENTITY_DATABASE_URL", true),
    package("services/crm", "crm", "CRM_DATABASE_URL", true),
    package("services/bot-hub", "bot-hub", "BOT_HUB_DATABASE_URL", true),
];

const fn package(
    folder: &'static str,
    name: &'static str,
    variable: &'static str,
    has_log: bool,
) -> Package {
    Package { folder, name, variable, has_log }
}

/// Writes the data of the packages in `folders` anew, or of all.
pub(crate) fn run(folders: &[&str]) -> Result<()> {
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
        .try_for_each(|package| prepare(&server, package));
    runtime.block_on(servers.stop());
    done
}

fn prepare(server: &str, package: &Package) -> Result<()> {
    let mut url = url::Url::parse(server)?;
    let database = package.name.replace('-', "_");
    psql(url.as_str(), &["--command", &format!("CREATE DATABASE {database}")])?;
    url.set_path(&database);
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
    let data = Path::new(package.folder).join(".sqlx");
    let _ = fs::remove_dir_all(&data);
    fs::create_dir_all(&data)?;
    touch(&Path::new(package.folder).join("src/lib.rs"))?;
    let status = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--all-features", "--package", package.name])
        .env(package.variable, url.as_str())
        .env("SQLX_OFFLINE_DIR", fs::canonicalize(&data)?)
        .status()?;
    ensure!(status.success(), "{} does not compile", package.name);
    println!("{}: {} queries", package.folder, fs::read_dir(&data)?.count());
    Ok(())
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

/// Has cargo look at a package again.
fn touch(file: &Path) -> Result<()> {
    let content = fs::read(file)?;
    Ok(fs::write(file, content)?)
}
