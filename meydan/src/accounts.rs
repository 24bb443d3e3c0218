//! `meydan accounts`: brings accounts of another system in, with the hashes of their passwords.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use meydan_rpc::{
    caller::{Assertions, Caller},
    client::Dial,
    outcome::Failure,
    pb::identity::{ImportAccountRequest, sessions_client::SessionsClient},
};
use meydan_settings::Settings;
use serde::Deserialize;

/// File in which `meydan up` notes where identity serves.
pub(crate) const IDENTITY: &str = "identity.address";

/// What may be done with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begins the accounts of a file, while the platform runs: one JSON object a line, with email, name and hash.
    /// A hash is bcrypt or PBKDF2, as Django, passlib or PHC write them. The people log in with the passwords that
    /// they have, and work where a campaign invites them. Run again, it goes on with what is not here yet.
    Import {
        /// The file.
        file: PathBuf,
    },
}

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    email: String,
    name: String,
    hash: String,
}

/// What has come of the lines so far.
#[derive(Default)]
struct Outcome {
    begun: u32,
    here: u32,
    refused: u32,
}

/// Does what is asked.
pub(crate) async fn run(settings: Settings, command: Command) -> Result<()> {
    let Command::Import { file } = command;
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let assertions = Assertions::from_file(&settings.assertion_key_file)?;
    let dial = Dial::new(identity::NAME, identity_address(&settings)?, assertions.of("meydan"));
    let mut outcome = Outcome::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        import(&dial, (index + 1, line), &mut outcome).await?;
    }
    let Outcome { begun, here, refused } = outcome;
    println!("accounts begun: {begun}; here already: {here}; refused: {refused}");
    if refused > 0 {
        bail!("lines were refused: {refused}");
    }
    Ok(())
}

/// Where identity serves beside us: as the settings say, or as the program noted that chose a port.
fn identity_address(settings: &Settings) -> Result<SocketAddr> {
    if settings.identity_listen.port() != 0 {
        return Ok(settings.identity_listen);
    }
    let noted = fs::read_to_string(settings.data_dir.join(IDENTITY));
    let folder = settings.data_dir.display();
    let noted = noted.with_context(|| format!("nothing runs in {folder}: start meydan up"))?;
    noted.trim().parse().with_context(|| format!("{folder}/{IDENTITY} is no address"))
}

/// Nothing of a line is said but its number and what is wrong.
async fn import(dial: &Dial, (number, line): (usize, &str), outcome: &mut Outcome) -> Result<()> {
    let Ok(Line { email, name, hash }) = serde_json::from_str(line) else {
        eprintln!("line {number}: must be a JSON object with email, name and hash");
        outcome.refused += 1;
        return Ok(());
    };
    let message = ImportAccountRequest { email, display_name: name, hash };
    let request = dial.ask(&Caller::service("meydan", None), message);
    let answer = SessionsClient::new(dial.channel()).import_account(request).await;
    match answer.map_err(Failure::from) {
        Ok(_) => outcome.begun += 1,
        Err(Failure::Refused(_)) => outcome.here += 1,
        Err(Failure::Malformed(fields)) => {
            for (field, problem) in fields {
                eprintln!("line {number}: {field} {problem}");
            }
            outcome.refused += 1;
        }
        Err(Failure::Unavailable) => bail!("identity does not answer; is `meydan up` running?"),
        Err(failure) => bail!("line {number}: {failure:?}"),
    }
    Ok(())
}
