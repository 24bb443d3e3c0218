//! A foreign server as a child process. It is killed when it is dropped, and
//! ends by itself when this process dies: its standard input ends then.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use crate::ports;

/// How long the first start, with its installation, may take.
const START_LIMIT: Duration = Duration::from_mins(3);

/// A running foreign server.
pub(crate) struct ForeignServer {
    port: u16,
    /// What it said when it began to serve.
    pub(crate) greeting: String,
    /// What it says after that, line by line.
    pub(crate) says: UnboundedReceiver<String>,
    _child: Child,
    _input: ChildStdin,
}

impl ForeignServer {
    /// Installs the server when it is not, starts it and waits until it serves.
    pub(crate) async fn start(name: &str, arguments: &[&str]) -> Result<Self> {
        let port = ports::free();
        let problems = NamedTempFile::new()?;
        let mut child = Command::new("sh")
            .arg(folder().join("start.sh"))
            .args([name, &port.to_string()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(problems.reopen()?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let input = child.stdin.take().context("the child has a standard input")?;
        let output = child.stdout.take().context("the child has a standard output")?;
        let mut lines = BufReader::new(output).lines();
        let ready = timeout(START_LIMIT, ready(&mut lines)).await.ok().flatten();
        let Some(greeting) = ready else {
            let said = std::fs::read_to_string(problems.path()).unwrap_or_default();
            bail!("{name} does not start: {}", said.trim());
        };
        let (tell, says) = unbounded_channel();
        // What it says later is read to its end, lest it waits for a reader.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = tell.send(line);
            }
        });
        Ok(Self { port, greeting, says, _child: child, _input: input })
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

/// Reads until the server says that it serves, and returns that line.
async fn ready(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    while let Ok(Some(line)) = lines.next_line().await {
        if line.contains("Running on ") && line.contains("127.0.0.1:") {
            return Some(line);
        }
    }
    None
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/emulators")
}
