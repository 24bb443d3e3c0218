//! A folder for each test, and a program beside the test that can be killed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use meydan_runtime::{LocalServers, Options, StartError};
use nix::{
    sys::signal::Signal,
    unistd::{Pid, geteuid},
};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};

/// Tells the program where to start its servers.
const VARIABLE: &str = "MEYDAN_RUNTIME_TEST_FOLDER";

/// A folder to start servers in.
pub(crate) struct Ground {
    folder: PathBuf,
    _keep: TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        assert!(programs().is_dir(), "{} is missing: type `make runtime`", programs().display());
        let keep = TempDir::with_prefix("meydan-runtime-").expect("a temporary folder");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(keep.path(), open).expect("it is ours");
        let folder = keep.path().join("meydan");
        fs::create_dir(&folder).expect("it is ours");
        Self { folder, _keep: keep }
    }

    /// The same, with another folder.
    pub(crate) fn below(folder: &Path) -> Self {
        Self { folder: folder.join("meydan"), ..Self::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    pub(crate) async fn start(&self) -> Result<LocalServers, StartError> {
        self.start_with_room(0).await
    }

    pub(crate) async fn start_with_room(&self, room: u64) -> Result<LocalServers, StartError> {
        let options = Options { room: Some(room), ..Options::default() };
        LocalServers::start(self.path(), &programs(), options, |_| {}).await
    }

    pub(crate) async fn start_from(&self, programs: &Path) -> Result<LocalServers, StartError> {
        LocalServers::start(self.path(), programs, Options::default(), |_| {}).await
    }

    /// The first value that a statement answers.
    pub(crate) fn sql(&self, servers: &LocalServers, statement: &str) -> String {
        self.sql_at(&servers.database_url().expect("it was asked for"), statement)
    }

    #[expect(clippy::unused_self, reason = "only a ground has servers")]
    pub(crate) fn sql_at(&self, url: &str, statement: &str) -> String {
        let answer = Command::new(programs().join("postgres/pginstall/bin/psql"))
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--dbname", url, "--command", statement])
            .output()
            .expect("psql starts");
        let said = String::from_utf8_lossy(&answer.stderr);
        assert!(answer.status.success(), "{statement}: {said}");
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    /// Names in a folder of ours that begin so.
    pub(crate) fn names(&self, folder: &str, beginning: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path().join(folder)).expect("it is there").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter(|name| name.starts_with(beginning))
            .filter(|name| !["postgres.port", "postgres.log"].contains(&name.as_str()))
            .collect()
    }
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.meydan/runtime")
}

/// A process that runs the servers.
pub(crate) struct Program {
    child: tokio::process::Child,
    lines: Lines<BufReader<tokio::process::ChildStdout>>,
    folder: PathBuf,
    pub(crate) database_url: String,
}

impl Program {
    pub(crate) fn start(ground: &Ground) -> Self {
        let this = std::env::current_exe().expect("we are a program");
        let mut child = tokio::process::Command::new(this)
            .args(["--ignored", "--exact", "program", "--nocapture"])
            .env(VARIABLE, ground.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("we start again");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, lines, folder: ground.path().to_owned(), database_url: String::new() }
    }

    /// Waits for a line that holds these words, and gives it.
    pub(crate) async fn hears(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.next_line().await.expect("it speaks").expect("it goes on");
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Waits until the servers answer; gives their processes.
    pub(crate) async fn servers(&mut self) -> [Pid; 2] {
        let line = self.hears("postgres://").await;
        line.trim().clone_into(&mut self.database_url);
        ["postgres/postmaster.pid", "nats/nats.pid"].map(|file| {
            let text = fs::read_to_string(self.folder.join("data").join(file)).expect("a number");
            let first = text.lines().next().expect("a line");
            Pid::from_raw(first.trim().parse().expect("a number"))
        })
    }

    /// Kills the program, and it alone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }
}

/// What the program does: starts the servers, and waits to be killed.
pub(crate) async fn program() {
    let folder = PathBuf::from(std::env::var_os(VARIABLE).expect("it is told where"));
    let options = Options { room: Some(0), ..Options::default() };
    let servers = LocalServers::start(&folder, &programs(), options, say).await;
    let servers = servers.expect("the servers start");
    say(&servers.database_url().expect("it was asked for"));
    std::future::pending::<()>().await;
}

#[expect(clippy::print_stdout, reason = "the test listens")]
fn say(what: &str) {
    println!("{what}");
}

pub(crate) fn lives(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

pub(crate) fn kill(pid: Pid, signal: Signal) {
    nix::sys::signal::kill(pid, signal).expect("it lives");
}

/// The shells of the groups of these servers.
pub(crate) fn watchers(servers: [Pid; 2]) -> Vec<Pid> {
    let groups = servers.map(|server| nix::unistd::getpgid(Some(server)).expect("it lives"));
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .filter(|pid| nix::unistd::getpgid(Some(*pid)).is_ok_and(|group| groups.contains(&group)))
        .filter(|pid| !servers.contains(pid))
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sh")
        })
        .collect()
}

/// Where the data of a folder went, when it is not in it.
pub(crate) fn elsewhere_of(folder: &Path) -> Option<PathBuf> {
    fs::read_link(folder.join("data")).ok()
}

/// A disk of a few megabytes.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path, size: &str) -> Self {
        assert!(geteuid().is_root(), "mounting takes root");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0755"), "tmpfs"])
            .arg(at)
            .status();
        assert!(mounted.expect("mount starts").success());
        Self(at.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
