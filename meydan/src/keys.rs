//! `meydan keys`: the database of keys, and the rotation of what wraps them.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use meydan_keyring::{KeyError, KeyFile, Keyring, PlatformKey, Transit};
use meydan_settings::Settings;
use sqlx::postgres::PgPoolOptions;
use url::Url;
use uuid::Uuid;

use crate::servers;

/// What may be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Exchanges keys that wrap other keys. No event, table or hash is touched; the platform may run.
    Rotate {
        /// The platform's key: the file gets a new version, or, with a key service, which rotates its own key,
        /// all is wrapped by the newest.
        #[arg(long)]
        platform: bool,
        /// Takes the older versions out of the file in the end. Backups of the database of keys from before
        /// cannot be read then.
        #[arg(long, requires = "platform")]
        forget_older: bool,
        /// The key of one campaign.
        #[arg(long, value_name = "ID")]
        campaign: Option<Uuid>,
        /// The keys of all campaigns.
        #[arg(long, conflicts_with = "campaign")]
        campaigns: bool,
    },
}

/// Opens the database of keys at `url`.
pub(crate) async fn open(settings: &Settings, url: &str) -> Result<Keyring> {
    let pool = PgPoolOptions::new()
        .max_connections(settings.database_connections)
        .acquire_timeout(Duration::from_secs(2))
        .connect(url)
        .await
        .context("the database of keys cannot be opened")?;
    let keyring = Keyring::new(pool, platform_key(settings)?);
    match keyring.fits(meydan_event_log::PLATFORM).await {
        Err(KeyError::Tampered) => bail!(
            "the platform's key does not open the keys in the database: it is another one, or a copy from before it \
             was rotated ({}); put the newest copy there",
            settings.platform_key_file.display()
        ),
        fits => fits?,
    }
    Ok(keyring)
}

fn platform_key(settings: &Settings) -> Result<Arc<dyn PlatformKey>> {
    Ok(match &settings.vault_address {
        Some(address) => {
            let key = Transit::open(address, &settings.vault_key, &settings.vault_token_file);
            Arc::new(key.context("vault-address")?)
        }
        None => Arc::new(KeyFile::open(&settings.platform_key_file)?),
    })
}

/// URL of one of the platform's databases on `server`.
pub(crate) fn database(settings: &Settings, server: &str, name: &str) -> Result<String> {
    let mut url = Url::parse(server).context("database-url is not a URL")?;
    url.set_path(&format!("{}{name}", settings.database_prefix));
    Ok(url.into())
}

/// Does what is asked.
pub(crate) async fn run(settings: Settings, command: Command) -> Result<()> {
    let Command::Rotate { platform, forget_older, campaign, campaigns } = command;
    if !platform && campaign.is_none() && !campaigns {
        bail!("say what: --platform, --campaign ID or --campaigns");
    }
    let (server, _) = servers::running(&settings)?;
    let keyring = open(&settings, &database(&settings, &server, "keys")?).await?;
    if platform {
        let file = settings.vault_address.is_none().then_some(&settings.platform_key_file);
        if let Some(file) = file {
            KeyFile::add_version(file)?;
        }
        let count = keyring.rewrap_campaigns().await?;
        println!("the platform's newest key wraps the keys of campaigns: {count}");
        if let Some(file) = file.filter(|_| forget_older) {
            KeyFile::remove_older(file)?;
            println!("the older versions are no more in {}", file.display());
        }
        if let Some(file) = file {
            println!("keep a copy of {} now: copies from before open nothing", file.display());
        }
    }
    let all = keyring.campaigns().await?;
    if let Some(campaign) = campaign.filter(|campaign| !all.contains(campaign)) {
        bail!("there is no key of a campaign {campaign}");
    }
    let chosen = if campaigns { all } else { campaign.into_iter().collect() };
    for campaign in chosen {
        let count = keyring.rotate_campaign(campaign).await?;
        println!("campaign {campaign}: a new key wraps the keys of {count} people and bots");
    }
    Ok(())
}
