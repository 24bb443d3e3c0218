//! `meydan erase`: erases a person while the platform runs, or checks a certificate.

mod whom;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use async_nats::jetstream;
use clap::Args;
use meydan_erasure::{Certificate, CertificateKey, Eraser, OWNER};
use meydan_event_log::{Actor, Clock};
use meydan_settings::Settings;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use self::whom::{Person, Whom};
use crate::{
    keys,
    operate::{self, Platform},
    reach, restored, servers,
};

/// Whom to erase, or what to check.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    whom: Whom,
    /// Says who would be erased, and erases nobody.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask whether this is whom you mean.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// The account that asks for it. Without it, the certificate names this program.
    #[arg(long, value_name = "ID")]
    asked_by: Option<Uuid>,
    /// Prints the certificate as JSON, to be kept and to be checked with --verify.
    #[arg(long)]
    json: bool,
    /// Seconds to wait for the contexts. Whatever is not done then is done when they run, and the certificate
    /// is given when this is run again.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    patience: u64,
    /// Checks a certificate instead, and erases nobody.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "ticket", "email", "campaign", "asked_by"])]
    verify: Option<PathBuf>,
    /// The public key to check with. Without it, this platform's.
    #[arg(long, value_name = "KEY", requires = "verify")]
    public_key: Option<String>,
}

/// Does what is asked.
pub(crate) async fn run(settings: Settings, arguments: Arguments) -> Result<()> {
    if let Some(file) = &arguments.verify {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        return verify(&settings, &text, &arguments);
    }
    if arguments.whom.is_nobody() {
        bail!("say whom: --subject ID, --ticket NUMBER or --email ADDRESS");
    }
    let by = arguments.asked_by.map_or_else(
        || Actor::Service { name: "meydan".to_owned() },
        |id| Actor::Account { id, session: None },
    );
    let platform = Platform::find(&settings)?;
    let eraser = open(&settings, &platform).await?;
    let person = arguments.whom.find(&platform, &eraser.log, &eraser.keyring).await?;
    if let Some(id) = arguments.asked_by
        && identity::projections::accounts::by_id(eraser.log.pool(), id).await?.is_none()
    {
        bail!("--asked-by: there is no account {id}");
    }
    if arguments.dry_run {
        if arguments.json {
            println!("{}", serde_json::to_string_pretty(&person.document())?);
        } else {
            println!("{}", person.words());
        }
        return Ok(());
    }
    if !arguments.yes && !person.is_meant()? {
        bail!("nobody was erased");
    }
    let nats = platform.nats().await;
    let nats = nats.context("nobody was erased: streams may have facts that the logs lack")?;
    let jetstream = jetstream::new(nats.clone());
    restored::refuse_beside_newer_streams(&platform, &jetstream, &operate::Context::ALL).await?;
    let eraser = Eraser { keyring: eraser.keyring.announcing(nats), ..eraser };
    let Person { tenant, subject, .. } = person;
    eraser.erase(tenant, subject, &by).await?;
    let patience = Duration::from_secs(arguments.patience);
    let certificate = eraser.certify(tenant, subject, patience).await;
    // Tickets and addresses lead to nobody any more.
    let again = format!("meydan erase {} --yes --json", person.arguments());
    let certificate = certificate.with_context(|| format!("for the certificate: {again}"))?;
    print(&certificate, arguments.json)?;
    if !arguments.json {
        println!("certificate: {again}");
    }
    Ok(())
}

async fn open(settings: &Settings, platform: &Platform) -> Result<Eraser> {
    let (server, _) = servers::running(settings)?;
    let mut logs = Vec::new();
    for context in operate::Context::ALL {
        logs.push(platform.log(context).await?);
    }
    let log = logs.iter().find(|log| log.context() == OWNER).cloned();
    let keyring = keys::open(settings, &keys::database(settings, &server, "keys")?).await?;
    reach::secret("certificate-key-file", &settings.certificate_key_file)?;
    Ok(Eraser {
        log: log.context("identity is no context")?,
        logs,
        keyring,
        key: CertificateKey::open(&settings.certificate_key_file)?,
        backups: time::Duration::days(settings.key_backup_days.into()),
        clock: Clock::system(),
    })
}

fn print(certificate: &Certificate, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(certificate)?);
        return Ok(());
    }
    let said = &certificate.statement;
    println!("erased: {}", said.subject);
    for key in &said.keys {
        let fingerprint = key.fingerprint.as_deref().unwrap_or("unknown");
        println!(
            "key destroyed: {} (fingerprint {fingerprint}) at {}",
            key.key_id,
            key.destroyed_at.format(&Rfc3339)?
        );
    }
    for context in &said.contexts {
        println!("forgotten by: {} at position {}", context.context, context.position);
    }
    println!("backups of keys may hold it until: {}", said.key_backups_until.format(&Rfc3339)?);
    println!("last messages in the intake at most until: {}", said.intake_until.format(&Rfc3339)?);
    Ok(())
}

fn verify(settings: &Settings, text: &str, arguments: &Arguments) -> Result<()> {
    let certificate = Certificate::read(text)?;
    let key = match &arguments.public_key {
        Some(key) => key.clone(),
        None if settings.certificate_key_file.exists() => {
            CertificateKey::open(&settings.certificate_key_file)?.public()
        }
        None => bail!("this platform has no certificate key; name one with --public-key"),
    };
    certificate.verify(&key)?;
    if arguments.json {
        println!("{}", serde_json::json!({ "genuine": true, "statement": certificate.statement }));
        return Ok(());
    }
    println!("genuine: signed by {key}");
    print(&certificate, false)
}
