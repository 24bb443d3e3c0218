//! NATS with JetStream. Every message is flushed before it is acknowledged: on one machine the intake
//! stream is the only copy of an update for a moment.

use std::{ffi::OsStr, fs, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{
    error::{StartError, write_error},
    folder::Folder,
    process::{Process, free_port},
};

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
        let port = free_port()?;
        let config = folder.data.join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nserver_name: meydan\nmax_payload: 4MB\n\
             authorization {{ user: meydan, password: \"{token}\" }}\n\
             jetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
            store.display(),
        );
        super::folder::write_private(&config, &text)?;
        folder.hand_over(&config)?;
        let program = folder.programs.join("nats/nats-server");
        let arguments: [&OsStr; 3] = [program.as_ref(), "-c".as_ref(), config.as_ref()];
        let log = folder.data.join("nats.log");
        let mut process = Process::start("NATS", "TERM", &arguments, folder.user, &log)?;
        process.wait_until(Duration::from_secs(30), || is_ready(port)).await?;
        fs::metadata(&store).map_err(|error| write_error(&store, error))?;
        Ok(Self { process, port, token })
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
