//! `meydan audit`: whether what happened is still what was signed, and proofs of it for those who trust nobody here.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use audit::{
    FILE,
    note::Notary,
    prove::prove,
    verify::{Evidence, Report, Wrong},
};
use identity_domain::OperationEvent;
use meydan_settings::Settings;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::reach;

use super::{Context, Differs, LetGo, ON_RECORD, Output, Platform, Record, not_compared, write};

/// Proves that nobody changed what happened.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Computes all trees anew from the entries and compares them with the signed checkpoints and with the logs. Fails
    /// when anything differs, and says what first.
    Verify {
        /// One campaign alone, by its id or its name in addresses; or the platform by its own id.
        #[arg(long, value_name = "ID|NAME")]
        campaign: Option<String>,
        /// Checkpoints that somebody copied from the channel, into a text file; what stands around them is passed
        /// over.
        #[arg(long, value_name = "FILE")]
        notes: Option<PathBuf>,
    },
    /// Puts on record that the databases were restored: lets go of the checkpoints that were signed after the backup,
    /// which are in the file and not in the table. From then on verify tells them apart from anything else that is
    /// wrong, and ends with 3 when there is nothing else. Once more puts on record what could not be the first time.
    #[command(after_help = ON_RECORD)]
    LetGo {
        /// Why, in one line: which backup was restored, and when.
        #[arg(long)]
        why: String,
    },
    /// Prints, as JSON, the entry of a fact with the proof that it is in a tree that was signed.
    Prove {
        /// The log of the fact.
        context: Context,
        /// Its position there.
        position: i64,
    },
}

/// Carries it out: what differs is told apart from what could not be compared.
pub(crate) async fn run(settings: Settings, output: Output, command: Command) -> Result<()> {
    let verifies = matches!(command, Command::Verify { .. });
    let done = carry_out(settings, output, command).await;
    if verifies { done.map_err(not_compared) } else { done }
}

async fn carry_out(settings: Settings, output: Output, command: Command) -> Result<()> {
    let platform = Platform::find(&settings)?;
    let entries = platform.database(audit::NAME).await?;
    if !settings.checkpoints.key_file.exists() {
        bail!(
            "there is no key in {}; has meydan up made it?",
            settings.checkpoints.key_file.display()
        );
    }
    reach::secret("audit-key-file", &settings.checkpoints.key_file)?;
    let notary = Notary::open(&settings.checkpoints.key_file)?;
    let file = settings.checkpoints.folder.join(FILE);
    let verifier = notary.verifier();
    let alone =
        Evidence { audit: &entries, logs: &[], file: &file, copies: None, verifier, tree: None };
    match command {
        Command::LetGo { why } => {
            let record = platform.record().await?;
            let count = alone.let_go(&why, OffsetDateTime::now_utc()).await?;
            let noted = note_let_go(&record, &alone).await?;
            ensure!(
                noted > 0,
                "every checkpoint of the file is in the table: nothing is to be let go of"
            );
            output.print(&json!({"let_go": count, "put_on_record": noted}), |_| {
                format!(
                    "checkpoints that were let go of: {count}; put on record: {noted}\n\
                     `meydan audit verify` goes on telling them\n"
                )
            })
        }
        Command::Verify { campaign, notes } => {
            let tree = match &campaign {
                Some(name) => Some(tree_of(&platform, name).await?),
                None => None,
            };
            let mut logs = Vec::new();
            for context in Context::ALL {
                logs.push((context.name(), platform.database(context.name()).await?));
            }
            let copies = notes.as_deref();
            let evidence = Evidence { logs: &logs, copies, tree, ..alone };
            let report = evidence.verify().await?;
            if let Some(campaign) = campaign.filter(|_| report.trees == 0) {
                bail!("there is no tree of a campaign {campaign}");
            }
            let key = notary.verifier().public();
            let found = json!({"key": key, "report": report});
            let printed = output.print(&found, |_| table(&report));
            judge(&report).and(printed)
        }
        Command::Prove { context, position } => {
            let fact = (context.name(), position);
            let proof = prove(&entries, notary.verifier(), fact).await;
            let proof = proof.with_context(|| format!("{} at {position}", context.name()))?;
            write(&(serde_json::to_string_pretty(&proof)? + "\n"))
        }
    }
}

/// Puts on record what was ever let go of and is not there yet, because an earlier run could not; how many checkpoints
/// those are. An act has its id from its tree and its time, so that it is there once.
async fn note_let_go(record: &Record, evidence: &Evidence<'_>) -> Result<u64> {
    let (mut noted, mut outcome) = (0, Ok(()));
    for ((tree, at), count) in evidence.all_let_go()? {
        let act = format!("checkpoints let go of at {}", at.unix_timestamp_nanos());
        let id = Uuid::new_v5(&tree, act.as_bytes());
        match record.note_once((tree, id), OperationEvent::CheckpointsLetGo { count, at }).await {
            Ok(true) => noted += count,
            Ok(false) => {}
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    outcome.map(|()| noted)
}

/// The tree of a campaign: by its id, even when it is gone from the tables of identity, or by its name in addresses.
async fn tree_of(platform: &Platform, name: &str) -> Result<Uuid> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let identity = platform.log(Context::Identity).await?;
    let found = identity::projections::campaigns::find(identity.pool(), None, Some(name)).await;
    let found = found.context("the campaigns cannot be read")?;
    Ok(found.with_context(|| format!("there is no campaign {name}"))?.campaign_id)
}

/// What a restore leaves behind, besides damage.
const MISSING: [Wrong; 4] =
    [Wrong::Checkpoint, Wrong::File, Wrong::NewestMissing, Wrong::NotAsSigned];

fn table(report: &Report) -> String {
    let Report { trees, entries, checkpoints, events, behind, unsigned, .. } = report;
    format!(
        "{entries} entries in {trees} trees, {checkpoints} signed checkpoints and {events} facts compared\n\
         {behind} facts have not arrived yet, {unsigned} entries are not signed yet\n"
    )
}

fn judge(report: &Report) -> Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    let words: Vec<_> = report.findings.iter().map(|finding| finding.words.as_str()).collect();
    let words = words.join("\n");
    if report.findings.iter().all(|finding| finding.wrong == Wrong::LetGo) {
        return Err(LetGo(words).into());
    }
    let missing = report.findings.iter().any(|finding| MISSING.contains(&finding.wrong));
    let hint = "\nwhen the databases were restored, and nothing else happened: `meydan audit let-go` puts that on record";
    Err(Differs(words + if missing { hint } else { "" }).into())
}
