//! A PostgreSQL for all tests of a process, and a NATS for each test that wants one.
//!
//! The servers end with the process, however it ends.

use std::{
    fs::{DirEntry, File},
    path::{Path, PathBuf},
    sync::{Once, OnceLock},
    time::Duration,
};

use meydan_runtime::{LocalServers, Options};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Room to insist on, in bytes: tests are small.
const ROOM: u64 = 100 * 1024 * 1024;

/// How the names of tests' folders begin.
const PREFIX: &str = "meydan-test-";

/// Longer than anything that a test does.
const LONG: Duration = Duration::from_secs(10 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Once a process.
static SWEEP: Once = Once::new();

/// Where `make runtime` puts the programs.
fn programs() -> PathBuf {
    workspace().join(".meydan/runtime")
}

/// The root of the repository.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the root").to_owned()
}

/// A folder for a test, which the servers' user may enter.
///
/// # Panics
///
/// When there is no room for one.
#[must_use]
pub fn folder() -> TempDir {
    // Beside the tests: no test waits for what others left.
    SWEEP.call_once(|| drop(std::thread::spawn(|| sweep(&std::env::temp_dir()))));
    let folder = TempDir::with_prefix(PREFIX).expect("a temporary folder can be made");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("our own folder can be opened");
    folder
}

/// Removes what test programs left that were killed, or that shared a server to their end: folders of a day
/// ago, and younger ones whose servers have stopped.
fn sweep(folder: &Path) {
    let old = |entry: &DirEntry| {
        let about = entry.metadata().ok()?;
        let age = about.modified().ok()?.elapsed().ok()?;
        // Whoever only looks holds the lock for a moment: not that of servers that are about to start.
        let stopped = || {
            let lock = File::open(entry.path().join("lock")).ok();
            lock.is_some_and(|lock| lock.try_lock().is_ok())
        };
        Some(age > DAY || (age > LONG && stopped()))
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && old(&entry) == Some(true) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn start(options: Options) -> (TempDir, LocalServers) {
    let folder = folder();
    let options = Options { room: Some(ROOM), ..options };
    let servers = LocalServers::start(folder.path(), &programs(), options, |_| {}).await;
    (folder, servers.expect("the servers start; `make runtime` fetches them"))
}

/// URL of a PostgreSQL server that all tests of this process share. It flushes nothing: what it is asked to do is right,
/// how long that takes means nothing ([`durable`] is for that).
///
/// # Panics
///
/// When it does not start.
pub fn postgres() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| shared(lighten))
}

/// URL of a PostgreSQL server that keeps its promises as the platform's own does, for whatever measures.
///
/// # Panics
///
/// When it does not start, or would lose what it says is kept.
pub fn durable() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| shared(ensure_durable))
}

/// Starts a server that ends with the process.
fn shared(before: impl AsyncFnOnce(&str) + Send + 'static) -> String {
    let (tell, told) = std::sync::mpsc::channel();
    // The server belongs to a thread of its own, because each test ends its runtime.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(async {
            let options = Options { nats: false, ..Options::default() };
            let (_folder, servers) = start(options).await;
            let url = servers.database_url().expect("it was asked for");
            before(&url).await;
            tell.send(url).expect("it is awaited");
            std::future::pending::<()>().await;
        });
    });
    told.recv().expect("PostgreSQL starts")
}

async fn ensure_durable(url: &str) {
    let mut server = PgConnection::connect(url).await.expect("the server answers");
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let show = sqlx::AssertSqlSafe(format!("SHOW {setting}"));
        let is: String = sqlx::query_scalar(show).fetch_one(&mut server).await.expect("it tells");
        assert_eq!(is, "on", "{setting}: what is measured has to be kept");
    }
    server.close().await.expect("it says goodbye");
}

/// Spares a server what only a loss of power would need: each test makes databases, page by page. A killed server
/// loses nothing by it. And spares its clients thousands of hashes at each connection, which no guesser of a random
/// password is stopped by.
async fn lighten(url: &str) {
    let mut server = PgConnection::connect(url).await.expect("the server answers");
    let password = url::Url::parse(url).ok().and_then(|url| url.password().map(str::to_owned));
    let password = password.expect("the server asks for one");
    for sql in [
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "ALTER ROLE ALL SET wal_compression = off",
        "SET scram_iterations = 1",
        &format!("ALTER ROLE postgres PASSWORD '{password}'"),
        "SELECT pg_reload_conf()",
    ] {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut server).await.expect("its owner may");
    }
    server.close().await.expect("it says goodbye");
}

/// Makes databases on the shared server, whose names are `prefix` and each of `names`: copies of those that `prepare`
/// makes, with a prefix that it is told, once for all tests of a process.
///
/// # Panics
///
/// When they cannot be made.
pub async fn copies(prefix: &str, names: &[&str], prepare: impl AsyncFnOnce(&str)) {
    const MODEL: &str = "model_";
    static MADE: OnceCell<()> = OnceCell::const_new();
    MADE.get_or_init(|| prepare(MODEL)).await;
    let mut server = PgConnection::connect(postgres()).await.expect("the server answers");
    for name in names {
        let copy = format!(
            "CREATE DATABASE \"{prefix}{name}\" TEMPLATE \"{MODEL}{name}\" STRATEGY FILE_COPY"
        );
        let made = sqlx::raw_sql(sqlx::AssertSqlSafe(copy)).execute(&mut server).await;
        made.expect("a database can be copied");
    }
    server.close().await.expect("it says goodbye");
}

/// A prefix for databases of a test's own on the shared server.
#[must_use]
pub fn prefix() -> String {
    format!("t{}_", &Uuid::new_v4().simple().to_string()[..16])
}

/// A PostgreSQL of a test's own, which can be killed.
#[derive(Debug)]
pub struct Postgres {
    servers: LocalServers,
    folder: TempDir,
}

impl Postgres {
    /// Starts one, with nothing in it.
    pub async fn start() -> Self {
        let (folder, servers) = start(Options { nats: false, ..Options::default() }).await;
        Self { servers, folder }
    }

    /// Its URL, with the password.
    ///
    /// # Panics
    ///
    /// When it was killed.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers.database_url().expect("it runs")
    }

    /// Kills it, as a power cut would.
    pub async fn kill(&mut self) {
        self.servers.kill_postgres().await;
    }

    /// Starts it again after a kill, with the same data and at the same address.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.servers.restart(|_| {}).await.expect("PostgreSQL starts again");
    }

    /// The folder of its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A NATS of a test's own.
#[derive(Debug)]
pub struct Nats {
    servers: LocalServers,
    folder: TempDir,
}

impl Nats {
    /// Starts one, with an empty store.
    pub async fn start() -> Self {
        let (folder, servers) = start(Options { postgres: false, ..Options::default() }).await;
        Self { servers, folder }
    }

    /// Its URL, with the token.
    ///
    /// # Panics
    ///
    /// When it was killed.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers.nats_url().expect("it runs")
    }

    /// Kills it, as a power cut would.
    pub async fn kill(&mut self) {
        self.servers.kill_nats().await;
    }

    /// Starts it again after a kill, with the same streams and at the same address.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.servers.restart(|_| {}).await.expect("NATS starts again");
    }

    /// A connection to it.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub async fn connect(&self) -> async_nats::Client {
        let url = self.url();
        let secrets = url.strip_prefix("nats://").and_then(|rest| rest.split('@').next());
        let (user, password) =
            secrets.and_then(|both| both.split_once(':')).expect("both are there");
        let options =
            async_nats::ConnectOptions::new().user_and_password(user.into(), password.into());
        options.connect(&url).await.expect("NATS answers")
    }

    /// The folder of its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
