//! `meydan audit`: whether what happened is still what was signed, and proofs of it for those who trust nobody here.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use audit::{
    FILE,
    note::Notary,
    prove::prove,
    verify::{Evidence, Report},
};
use meydan_settings::Settings;
use serde_json::json;
use uuid::Uuid;

use super::{Context, Differs, Output, Platform, not_compared};

/// Proves that nobody changed what happened.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Computes all trees anew from the entries and compares them with the signed checkpoints and with the logs. Fails
    /// when anything differs, and says what first.
    Verify {
        /// One campaign alone, or the platform by its own id.
        #[arg(long, value_name = "ID")]
        campaign: Option<Uuid>,
        /// Checkpoints that somebody copied from the channel, into a text file; what stands around them is passed
        /// over.
        #[arg(long, value_name = "FILE")]
        notes: Option<PathBuf>,
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
    let notary = Notary::open(&settings.checkpoints.key_file)?;
    match command {
        Command::Verify { campaign, notes } => {
            let mut logs = Vec::new();
            for context in Context::ALL {
                logs.push((context.name(), platform.database(context.name()).await?));
            }
            let evidence = Evidence {
                audit: &entries,
                logs: &logs,
                file: &settings.checkpoints.folder.join(FILE),
                copies: notes.as_deref(),
                verifier: notary.verifier(),
                tree: campaign,
            };
            let report = evidence.verify().await?;
            if let Some(campaign) = campaign.filter(|_| report.trees == 0) {
                bail!("there is no tree of a campaign {campaign}");
            }
            let key = notary.verifier().public();
            output.print(&json!({"key": key, "report": report}), |_| table(&report))?;
            judge(&report)
        }
        Command::Prove { context, position } => {
            let fact = (context.name(), position);
            let proof = prove(&entries, notary.verifier(), fact).await;
            let proof = proof.with_context(|| format!("{} at {position}", context.name()))?;
            println!("{}", serde_json::to_string_pretty(&proof)?);
            Ok(())
        }
    }
}

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
    Err(Differs(words.join("\n")).into())
}
