//! `meydan keys`: the database of keys, and the rotation of what wraps them.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use identity_domain::OperationEvent;
use meydan_event_log::{EventLog, PLATFORM, open_pool};
use meydan_keyring::{KeyError, KeyFile, Keyring, PlatformKey, Transit};
use meydan_settings::Settings;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;
use uuid::Uuid;

use crate::{
    operate::{Context, ON_RECORD, Output, Platform, Record, both, campaign_of, columns},
    reach::{self, Origin},
    servers,
};

/// What may be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the campaigns' keys, which the platform's key wraps, and how many keys of people and bots each wraps.
    List,
    /// Exchanges keys that wrap other keys. No event, table or hash is touched; the platform may run.
    #[command(after_help = ON_RECORD)]
    Rotate {
        /// The platform's key: the file gets a new version, or, with a key service, which rotates its own key,
        /// all is wrapped by the newest.
        #[arg(long)]
        platform: bool,
        /// Takes the older versions out of the file in the end. Backups of the database of keys from before
        /// cannot be read then.
        #[arg(long, requires = "platform")]
        forget_older: bool,
        /// The key of one campaign, by its id or its name in addresses.
        #[arg(long, value_name = "ID|NAME")]
        campaign: Option<String>,
        /// The keys of all campaigns.
        #[arg(long, conflicts_with = "campaign")]
        campaigns: bool,
    },
}

/// What is said when an earlier run left something that cannot be put on record now either.
const NOTHING_NEW: &str =
    "nothing was exchanged now, because what an earlier run did is not on record yet";

/// Opens the database of keys at `url`.
pub(crate) async fn open(settings: &Settings, url: &str) -> Result<Keyring> {
    let pool = PgPoolOptions::new().max_connections(settings.database_connections);
    let pool = open_pool(pool, url.parse()?).await;
    let pool = pool.map_err(|error| Origin::of(settings).database(url, error));
    let pool = pool.context("the database of keys cannot be opened")?;
    let keyring = Keyring::new(pool, platform_key(settings)?);
    match keyring.fits(PLATFORM).await {
        Err(KeyError::Tampered) => {
            bail!("the platform's key does not open the keys in the database: {}", misfit(settings))
        }
        fits => fits?,
    }
    Ok(keyring)
}

/// What may be wrong when key and database do not fit each other, and what to do in each case.
fn misfit(settings: &Settings) -> String {
    if let Some(address) = &settings.vault_address {
        return format!(
            "the key {} of the key service at {address} is another one, or lacks the version that wrapped them; see \
             whether `vault-key` is right, and whether older versions were taken out of it",
            settings.vault_key
        );
    }
    let file = &settings.platform_key_file;
    let written = fs::metadata(file).and_then(|about| about.modified()).ok();
    let written = written.and_then(|at| OffsetDateTime::from(at).format(&Rfc3339).ok());
    let versions = KeyFile::count(file).unwrap_or_default();
    format!(
        "{} (written at {}, versions in it: {versions}) is older than they are, a copy from before `meydan keys rotate \
         --platform`: then put the newest copy there; or it is newer, because the database is from before a rotation \
         with --forget-older: then put the copy there that was kept with that backup; or it is another platform's",
        file.display(),
        written.as_deref().unwrap_or("an unknown time"),
    )
}

fn platform_key(settings: &Settings) -> Result<Arc<dyn PlatformKey>> {
    Ok(match &settings.vault_address {
        Some(address) => {
            reach::secret("vault-token-file", &settings.vault_token_file)?;
            let key = Transit::open(address, &settings.vault_key, &settings.vault_token_file);
            Arc::new(key.context("vault-address")?)
        }
        None => {
            reach::secret("platform-key-file", &settings.platform_key_file)?;
            Arc::new(KeyFile::open(&settings.platform_key_file)?)
        }
    })
}

/// URL of one of the platform's databases on `server`.
pub(crate) fn database(settings: &Settings, server: &str, name: &str) -> Result<String> {
    let mut url = Url::parse(server).context("database-url is not a URL")?;
    url.set_path(&format!("{}{name}", settings.database_prefix));
    Ok(url.into())
}

/// Does what is asked.
pub(crate) async fn run(settings: Settings, output: Output, command: Command) -> Result<()> {
    let (server, _) = servers::running(&settings)?;
    let database = database(&settings, &server, "keys")?;
    match command {
        Command::List => {
            let keyring = open(&settings, &database).await?;
            let identity = Platform::find(&settings)?.log(Context::Identity).await?;
            list(&settings, &identity, &keyring, output).await
        }
        Command::Rotate { platform: false, campaign: None, campaigns: false, .. } => {
            bail!("say what: --platform, --campaign ID or --campaigns")
        }
        Command::Rotate { platform, forget_older, campaign, campaigns } => {
            let running = Platform::find(&settings)?;
            let record = running.record().await?;
            let keyring = open(&settings, &database).await?;
            let chosen = match campaign {
                Some(name) => {
                    let identity = running.log(Context::Identity).await?;
                    vec![campaign_of(&identity, &keyring, &name).await?]
                }
                None if campaigns => keyring.campaigns().await?,
                None => Vec::new(),
            };
            let mut done = Rotated::default();
            let mut outcome = Ok(());
            let keys = (&keyring, &record);
            // What was done by an earlier run that could not put it on record, or was killed before.
            if let Some(file) = key_file(&settings) {
                note_platform(&record, file).await.context(NOTHING_NEW)?;
            }
            note_campaigns(keys, None).await.context(NOTHING_NEW)?;
            if platform {
                outcome = done.rotate_platform(&settings, keys, forget_older).await;
            }
            if outcome.is_ok() {
                outcome = done.rotate_campaigns(keys, chosen).await;
            }
            // Whatever failed, a key that was rotated has to be copied.
            let told = output.print(&done.document(), |_| done.words());
            outcome.and(told)
        }
    }
}

/// What wraps the campaigns' keys, for programs and for people.
fn wrapper(settings: &Settings) -> Result<(Value, String)> {
    if let Some(address) = &settings.vault_address {
        let key = &settings.vault_key;
        let words = format!("all wrapped by the key {key} of the key service at {address}\n");
        return Ok((json!({"key_service": address, "key": key}), words));
    }
    let file = &settings.platform_key_file;
    let versions = KeyFile::count(file)?;
    let words = format!(
        "all wrapped by the newest of the versions in {}, which are {versions}\n",
        file.display()
    );
    Ok((json!({"file": file, "versions": versions}), words))
}

async fn list(
    settings: &Settings,
    identity: &EventLog,
    keyring: &Keyring,
    output: Output,
) -> Result<()> {
    let keys = keyring.inventory().await?;
    let mut names = HashMap::new();
    for keys in &keys {
        let id = Some(keys.campaign);
        let found = identity::projections::campaigns::find(identity.pool(), id, None).await;
        if let Some(campaign) = found.context("the campaigns cannot be read")? {
            names.insert(keys.campaign, campaign.slug);
        }
    }
    let rows = keys.iter().map(|keys| {
        let campaign = match (keys.campaign, names.get(&keys.campaign)) {
            (PLATFORM, _) => "the platform".to_owned(),
            (campaign, Some(name)) => format!("{name} ({campaign})"),
            (campaign, None) => campaign.to_string(),
        };
        let counts = [i64::from(keys.version), keys.living, keys.destroyed];
        let [version, living, destroyed] = counts.map(|count| count.to_string());
        vec![campaign, version, keys.since.date().to_string(), living, destroyed]
    });
    let rows = rows.collect::<Vec<_>>();
    let document = keys.iter().map(|keys| {
        json!({
            "campaign": (keys.campaign != PLATFORM).then_some(keys.campaign),
            "name": names.get(&keys.campaign), "version": keys.version,
            "since": keys.since.format(&Rfc3339).unwrap_or_default(), "living": keys.living, "destroyed": keys.destroyed,
        })
    });
    let (platform, words) = wrapper(settings)?;
    let document = json!({"platform": platform, "keys": document.collect::<Vec<_>>()});
    output.print(&document, |_| {
        columns(&["campaign", "version", "since", "living", "destroyed"], &rows) + &words
    })
}

/// Where the platform's key is, unless a key service has it.
fn key_file(settings: &Settings) -> Option<&Path> {
    settings.vault_address.is_none().then_some(settings.platform_key_file.as_path())
}

/// Puts on record that the platform's key has another version than its first, once for each.
async fn note_platform(record: &Record, file: &Path) -> Result<()> {
    if KeyFile::count(file)? > 1 {
        let version = format!("version {} of the platform's key", KeyFile::newest(file)?);
        let whose = (PLATFORM, Uuid::new_v5(&PLATFORM, version.as_bytes()));
        let at = OffsetDateTime::from(fs::metadata(file)?.modified()?);
        record.note_once(whose, OperationEvent::KeysRotated { at }).await?;
    }
    Ok(())
}

/// Puts on record which campaigns got another key, one or all. That has its id from the campaign and the time, so that
/// it is there once.
async fn note_campaigns((keyring, record): (&Keyring, &Record), only: Option<Uuid>) -> Result<()> {
    for (campaign, at) in keyring.exchanged(only).await? {
        let act = format!("key exchanged at {}", at.unix_timestamp_nanos());
        let whose = (campaign, Uuid::new_v5(&campaign, act.as_bytes()));
        record.note_once(whose, OperationEvent::KeysRotated { at }).await?;
    }
    Ok(())
}

/// What was rotated, also where it was cut short.
#[derive(Default)]
struct Rotated {
    platform: Option<Value>,
    campaigns: Vec<Value>,
}

impl Rotated {
    /// Gives the platform's key a new version, where it lies in a file, and wraps the campaigns' keys by the newest.
    async fn rotate_platform(
        &mut self,
        settings: &Settings,
        (keyring, record): (&Keyring, &Record),
        forget_older: bool,
    ) -> Result<()> {
        let file = key_file(settings);
        if let Some(file) = file {
            KeyFile::add_version(file)?;
        }
        // From here on keys are wrapped by another, whatever fails.
        let done = json!({"campaigns": null, "file": file, "older_versions_removed": false});
        let done = self.platform.insert(done);
        if let Some(file) = file {
            note_platform(record, file).await?;
        }
        let campaigns = keyring.rewrap_campaigns().await?;
        done["campaigns"] = json!(campaigns);
        match file {
            // The key service has rotated its own key; what was cut short here is done, and noted, by the next run.
            None => {
                let at = OffsetDateTime::now_utc();
                record.note(PLATFORM, OperationEvent::KeysRotated { at }).await?;
            }
            Some(file) if forget_older => {
                KeyFile::remove_older(file)?;
                done["older_versions_removed"] = json!(true);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Gives campaigns new keys, each on record as soon as it has one. One that fails keeps no other from it, unless it
    /// cannot be put on record.
    async fn rotate_campaigns(
        &mut self,
        (keyring, record): (&Keyring, &Record),
        chosen: Vec<Uuid>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        for campaign in chosen {
            let mut noted = None;
            let begun =
                async || noted = Some(note_campaigns((keyring, record), Some(campaign)).await);
            let keys = keyring.rotate_campaign(campaign, begun).await;
            let keys = keys.with_context(|| format!("the key of campaign {campaign}"));
            if noted.is_some() {
                self.campaigns.push(json!({"campaign": campaign, "keys": keys.as_ref().ok()}));
            }
            let noted = noted.unwrap_or(Ok(()));
            let goes_on = noted.is_ok();
            outcome = both(outcome, both(keys.map(drop), noted));
            if !goes_on {
                break;
            }
        }
        outcome
    }

    /// For programs. What was cut short has no count.
    fn document(&self) -> Value {
        json!({"platform": self.platform, "campaigns": self.campaigns})
    }

    /// For people.
    fn words(&self) -> String {
        let mut said = Vec::new();
        if let Some(done) = &self.platform {
            said.push(match &done["campaigns"] {
                Value::Null => "the platform's newest key does not wrap the keys of all campaigns yet: rotate it once \
                                more"
                    .to_owned(),
                count => format!("the platform's newest key wraps the keys of campaigns: {count}"),
            });
            if let Some(file) = done["file"].as_str() {
                if done["older_versions_removed"] == true {
                    said.push(format!(
                        "the older versions are no more in {file}; keep the last copy that has them with each backup \
                         of the databases from before now, which nothing else opens"
                    ));
                }
                said.push(format!(
                    "keep a copy of {file} now: copies from before do not open what it wraps now"
                ));
            }
        }
        for one in &self.campaigns {
            let campaign = one["campaign"].as_str().unwrap_or_default();
            said.push(match &one["keys"] {
                Value::Null => format!(
                    "campaign {campaign}: a new key, which does not wrap all that it should yet: rotate it once more"
                ),
                keys => format!(
                    "campaign {campaign}: a new key wraps the keys of {keys} people and bots"
                ),
            });
        }
        said.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect()
    }
}
