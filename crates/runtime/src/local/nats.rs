//! NATS with JetStream. Every message is flushed before it is acknowledged: on one machine the intake
//! stream is the only copy of an update for a moment.

use std::{ffi::OsStr, time::Duration};

use nix::sys::signal::Signal;
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{
    error::StartError,
    folder::{Folder, write_private},
    process::{Process, end_left_over},
};

/// Go gives each processor one thread that runs, and a thread that waits for the disk keeps its place for up
/// to 10 ms. Streams flush at the same time, so on two processors nobody was left to read what came in.
const THREADS: &str = "GOMAXPROCS=16";

/// A NATS that runs.
#[derive(Debug)]
pub(super) struct Nats {
    pub(super) process: Process,
    port: u16,
    token: String,
}

impl Nats {
    pub(super) async fn start(folder: &Folder) -> Result<Self, StartError> {
        let store = folder.data.join("nats");
        folder.own(&store)?;
        let token = folder.secret("nats.token")?;
        let (config, pid) = (folder.data.join("nats.conf"), store.join("nats.pid"));
        end_left_over(&pid, &config, Signal::SIGTERM).await;
        let mut tries = 0;
        loop {
            let port = folder.port("nats.port")?;
            let text = format!(
                "listen: \"127.0.0.1:{port}\"\nserver_name: meydan\nmax_payload: 4MB\n\
                 pid_file: \"{}\"\n\
                 authorization {{ user: meydan, password: \"{token}\" }}\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
                pid.display(),
                store.display(),
            );
            write_private(&config, &text)?;
            folder.hand_over(&config)?;
            let program = folder.programs.join("nats/nats-server");
            let arguments: [&OsStr; 5] = [
                "env".as_ref(),
                THREADS.as_ref(),
                program.as_ref(),
                "-c".as_ref(),
                config.as_ref(),
            ];
            let log = folder.data.join("nats.log");
            let mut process = Process::start("NATS", "TERM", &arguments, folder.user, &log)?;
            tries += 1;
            match process.wait_until(Duration::from_secs(30), || is_ready(port)).await {
                Ok(()) => return Ok(Self { process, port, token }),
                // Somebody took the port between our look and the server's.
                Err(_) if tries < 3 && process.said().contains("address already in use") => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn url(&self) -> String {
        format!("nats://meydan:{}@127.0.0.1:{}", self.token, self.port)
    }
}

/// Whether the server says hello.
async fn is_ready(port: u16) -> bool {
    let Ok(mut connection) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut hello = [0; 5];
    let read =
        tokio::time::timeout(Duration::from_secs(1), connection.read_exact(&mut hello)).await;
    matches!(read, Ok(Ok(_))) && hello == *b"INFO "
}
