//! PostgreSQL and NATS: those that the settings name, or local ones; and whether they are new enough.

use std::path::Path;

use anyhow::{Context, Result, bail};
use meydan_runtime::{LocalServers, Options, Running};
use meydan_settings::Settings;
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use crate::reach::{self, Origin};

/// Least version of PostgreSQL, as it numbers itself.
const POSTGRES: i32 = 180_000;
/// Least version of NATS.
const NATS: (u32, u32) = (2, 12);

/// Servers that answer and are new enough.
#[derive(Debug)]
pub(crate) struct Servers {
    /// Those that were started here.
    pub(crate) local: Option<LocalServers>,
    /// URL of PostgreSQL.
    pub(crate) database: String,
    /// URL of NATS.
    pub(crate) nats_url: String,
    /// NATS, connected.
    pub(crate) nats: async_nats::Client,
}

impl Servers {
    /// Starts what the settings do not name, and connects.
    pub(crate) async fn open(
        settings: &Settings,
        runtime: &Path,
        progress: impl Fn(&str) + Sync,
    ) -> Result<Self> {
        let options = Options {
            postgres: settings.database_url.is_none(),
            nats: settings.nats_url.is_none(),
            room: None,
        };
        let local = if options.postgres || options.nats {
            Some(LocalServers::start(&settings.data_dir, runtime, options, progress).await?)
        } else {
            None
        };
        let secret = |url: &secrecy::SecretString| url.expose_secret().to_owned();
        let database = local.as_ref().and_then(LocalServers::database_url);
        let database = database.or_else(|| settings.database_url.as_ref().map(secret));
        let nats = local.as_ref().and_then(LocalServers::nats_url);
        let nats = nats.or_else(|| settings.nats_url.as_ref().map(secret));
        let origin = Origin::of(settings);
        let connected = async {
            let database = database.context("database-url is not set")?;
            check_postgres(&database, &origin).await?;
            let nats_url = nats.context("nats-url is not set")?;
            let nats = connect_nats(&nats_url, &origin).await?;
            Ok((database, nats_url, nats))
        };
        match connected.await {
            Ok((database, nats_url, nats)) => Ok(Self { local, database, nats_url, nats }),
            Err(error) => {
                if let Some(local) = local {
                    local.stop().await;
                }
                Err(error)
            }
        }
    }
}

/// Where servers answer that run already: those that the settings name, or those of the `meydan up` beside us.
pub(crate) fn running(settings: &Settings) -> Result<(String, Option<String>)> {
    let secret = |url: &secrecy::SecretString| url.expose_secret().to_owned();
    let secrets = settings.data_dir.join("secrets");
    if settings.database_url.is_none() {
        reach::secret("data-dir", &secrets.join("postgres.password"))?;
    }
    if settings.nats_url.is_none() {
        reach::secret("data-dir", &secrets.join("nats.token"))?;
    }
    let beside = Running::on(&settings.data_dir);
    let database = settings.database_url.as_ref().map(secret);
    let database =
        database.or_else(|| beside.as_ref().and_then(|beside| beside.database_url.clone()));
    let nats = settings.nats_url.as_ref().map(secret);
    let nats = nats.or_else(|| beside.and_then(|beside| beside.nats_url));
    let folder = settings.data_dir.display();
    let database = database.with_context(|| {
        format!("nothing runs in {folder}, and database-url is not set: start meydan up")
    })?;
    Ok((database, nats))
}

async fn check_postgres(url: &str, origin: &Origin) -> Result<()> {
    let connected = PgConnection::connect(url).await;
    let mut connection = connected.map_err(|error| origin.database(url, error))?;
    let asked = sqlx::raw_sql("SHOW server_version_num");
    let row = sqlx::Executor::fetch_one(&mut connection, asked).await;
    let version: String =
        sqlx::Row::get(&row.context("database-url: PostgreSQL does not say its version")?, 0);
    let version = version.parse::<i32>().unwrap_or(0);
    if version < POSTGRES {
        bail!("database-url: PostgreSQL {} is too old; 18 or newer is needed", version / 10_000);
    }
    connection.close().await.map_err(|error| origin.database(url, error))
}

/// Connects to NATS; on the runtime that this is called on.
pub(crate) async fn connect_nats(url: &str, origin: &Origin) -> Result<async_nats::Client> {
    // The client does not read them from the address itself.
    let secrets = url::Url::parse(url).context("nats-url is not a URL")?;
    let options = async_nats::ConnectOptions::new()
        .name("meydan")
        .connection_timeout(std::time::Duration::from_secs(5));
    let options = match (secrets.username(), secrets.password()) {
        ("", _) => options,
        (token, None) => options.token(token.to_owned()),
        (user, Some(password)) => options.user_and_password(user.to_owned(), password.to_owned()),
    };
    let client = options.connect(url).await.map_err(|error| origin.nats(&secrets, error))?;
    let info = client.server_info();
    let mut numbers = info.version.split('.').map(|number| number.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < NATS {
        bail!("nats-url: NATS {} is too old; 2.12 or newer is needed", info.version);
    }
    if !info.jetstream {
        bail!("nats-url: this NATS has no JetStream; start it with -js");
    }
    let (takes, needed) = (info.max_payload, meydan_intake::LARGEST_MESSAGE);
    if takes < needed {
        bail!(
            "nats-url: this NATS takes messages of {takes} bytes; set its max_payload to {needed}"
        );
    }
    Ok(client)
}
