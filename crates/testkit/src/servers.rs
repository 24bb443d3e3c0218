//! A PostgreSQL for all tests of a process, and a NATS for each test that wants one.
//!
//! The servers end with the process, however it ends.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use meydan_runtime::{LocalServers, Options};
use tempfile::TempDir;
use uuid::Uuid;

/// Room to insist on, in bytes: tests are small.
const ROOM: u64 = 100 * 1024 * 1024;

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
    let folder = TempDir::with_prefix("meydan-test-").expect("a temporary folder can be made");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("our own folder can be opened");
    folder
}

async fn start(options: Options) -> (TempDir, LocalServers) {
    let folder = folder();
    let options = Options { room: Some(ROOM), ..options };
    let servers = LocalServers::start(folder.path(), &programs(), options, |_| {}).await;
    (folder, servers.expect("the servers start; `make runtime` fetches them"))
}

/// URL of a PostgreSQL server that all tests of this process share.
///
/// # Panics
///
/// When it does not start.
pub fn postgres() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let (tell, told) = std::sync::mpsc::channel();
        // The server belongs to a thread of its own, because each test ends its runtime.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                let options = Options { nats: false, ..Options::default() };
                let (_folder, servers) = start(options).await;
                tell.send(servers.database_url().expect("it was asked for"))
                    .expect("it is awaited");
                std::future::pending::<()>().await;
            });
        });
        told.recv().expect("PostgreSQL starts")
    })
}

/// A prefix for databases of a test's own on the shared server.
#[must_use]
pub fn prefix() -> String {
    format!("t{}_", &Uuid::new_v4().simple().to_string()[..16])
}

/// A NATS of a test's own.
#[derive(Debug)]
pub struct Nats {
    folder: TempDir,
    servers: Option<LocalServers>,
}

impl Nats {
    /// Starts one, with an empty store.
    pub async fn start() -> Self {
        let (folder, servers) = start(Options { postgres: false, ..Options::default() }).await;
        Self { folder, servers: Some(servers) }
    }

    /// Its URL, with the token.
    ///
    /// # Panics
    ///
    /// When it was killed.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers.as_ref().and_then(LocalServers::nats_url).expect("it runs")
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
