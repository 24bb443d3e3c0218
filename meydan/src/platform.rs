//! All services in one process. They talk gRPC to each other, as they do when they run apart.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use audit::note::Notary;
use identity::password::Parameters;
use meydan_erasure::CertificateKey;
use meydan_event_log::Clock;
use meydan_keyring::Keyring;
use meydan_rpc::{caller::Assertions, client::Dial, server::listen};
use meydan_settings::Settings;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{accounts, channel, keys, panel::Panel, post, reach, restored, servers::Servers};

/// What runs.
#[derive(Debug)]
pub(crate) struct Platform {
    /// Where the panel is served.
    pub(crate) address: SocketAddr,
    /// Reaches identity, for the first link and the demo.
    pub(crate) identity: Dial,
    /// Reaches crm, for the demo.
    pub(crate) crm: Dial,
    demo: bool,
    services: JoinSet<Result<()>>,
    /// Ends the panel, which everybody else waits for.
    stop_panel: CancellationToken,
    stop_services: CancellationToken,
}

/// Where each service answers.
struct Listeners {
    panel: TcpListener,
    identity: TcpListener,
    crm: TcpListener,
    bot_hub: TcpListener,
    audit: TcpListener,
}

impl Listeners {
    async fn bind(settings: &Settings) -> Result<Self> {
        let bind = |key: &'static str, address| async move {
            listen(address)
                .await
                .with_context(|| format!("{address} is in use or not ours: set {key} to another"))
        };
        Ok(Self {
            panel: bind("listen", settings.listen).await?,
            identity: bind("identity-listen", settings.identity_listen).await?,
            crm: bind("crm-listen", settings.crm_listen).await?,
            bot_hub: bind("bot-hub-listen", settings.bot_hub_listen).await?,
            audit: bind("audit-listen", settings.audit_listen).await?,
        })
    }
}

/// The databases, made and migrated.
struct Databases {
    identity: String,
    crm: String,
    bot_hub: String,
    audit: String,
    keyring: String,
}

impl Databases {
    async fn prepare(settings: &Settings, server: &str) -> Result<Self> {
        let prefix = settings.database_prefix.as_str();
        let keys = format!("{prefix}keys");
        let migrators = [&meydan_keyring::MIGRATOR];
        Ok(Self {
            identity: identity::migrate(server, prefix).await?,
            crm: crm::migrate(server, prefix).await?,
            bot_hub: bot_hub::migrate(server, prefix).await?,
            audit: audit::migrate(server, prefix).await?,
            keyring: meydan_event_log::prepare_database(server, &keys, &migrators).await?,
        })
    }
}

impl Platform {
    /// Starts every service.
    pub(crate) async fn start(settings: &Settings, servers: &Servers, demo: bool) -> Result<Self> {
        let databases = Databases::prepare(settings, &servers.database).await?;
        restored::wait_until_whole(settings, servers).await?;
        // Not before: whoever knocks while nothing starts is refused, and does not wait.
        let listeners = Listeners::bind(settings).await?;
        reach::secret("assertion-key-file", &settings.assertion_key_file)?;
        reach::secret("certificate-key-file", &settings.certificate_key_file)?;
        reach::secret("audit-key-file", &settings.checkpoints.key_file)?;
        let assertions = Assertions::from_file(&settings.assertion_key_file)?;
        // Long before somebody is erased: a copy of the secrets has to have it.
        CertificateKey::open(&settings.certificate_key_file)?;
        let keyring = keys::open(settings, &databases.keyring).await?;
        let keyring = keyring.announcing(servers.nats.clone());
        let crm_address = listeners.crm.local_addr()?;
        let identity_address = listeners.identity.local_addr()?;
        std::fs::write(settings.data_dir.join(accounts::IDENTITY), identity_address.to_string())?;
        let mut platform = Self {
            crm: Dial::new(crm::NAME, crm_address, assertions.of("demo")),
            demo,
            address: listeners.panel.local_addr()?,
            identity: Dial::new(identity::NAME, identity_address, assertions.clone()),
            services: JoinSet::new(),
            stop_panel: CancellationToken::new(),
            stop_services: CancellationToken::new(),
        };
        platform.spawn(settings, servers, (listeners, databases), (keyring, assertions))?;
        Ok(platform)
    }

    fn spawn(
        &mut self,
        settings: &Settings,
        servers: &Servers,
        (listeners, databases): (Listeners, Databases),
        (keyring, assertions): (Keyring, Assertions),
    ) -> Result<()> {
        let nats = servers.nats.clone();
        let clock = Clock::system();
        let connections = settings.database_connections;
        let cities = post::cities(settings)?;
        let panel = Panel {
            listener: listeners.panel.into_std()?,
            nats_url: servers.nats_url.clone(),
            services: [&listeners.identity, &listeners.crm, &listeners.bot_hub, &listeners.audit]
                .map(TcpListener::local_addr),
            keyring: keyring.clone(),
            assertions: assertions.of(gateway::NAME),
            settings: settings.clone(),
            cities: cities.clone(),
            demo: self.demo,
        };
        let bot_hub = bot_hub::Setup {
            crm: Dial::new(crm::NAME, listeners.crm.local_addr()?, assertions.of(bot_hub::NAME)),
            listener: listeners.bot_hub,
            database_url: databases.bot_hub,
            connections,
            nats: nats.clone(),
            keyring: keyring.clone(),
            assertions: assertions.of(bot_hub::NAME),
            clock: clock.clone(),
            telegram_api_url: settings.telegram_api_url.clone(),
            telegram_proxy: settings.telegram_proxy.clone(),
            public_url: settings.public_url.clone(),
        };
        let crm = crm::Setup {
            listener: listeners.crm,
            database_url: databases.crm,
            connections,
            nats: nats.clone(),
            keyring: keyring.clone(),
            assertions: assertions.of(crm::NAME),
            clock: clock.clone(),
        };
        let place = (listeners.audit, databases.audit);
        let mut audit =
            audit_setup(settings, place, nats.clone(), (&keyring, &assertions), clock.clone())?;
        audit.posting = channel::open(settings, self.demo)?;
        let identity = identity::Setup {
            post: post::open(settings, self.address, cities, self.demo)?,
            passkeys: post::passkeys(settings, self.address),
            passwords: Parameters::new(settings.password_memory, settings.password_passes),
            login_limit: i32::try_from(settings.login_limit)?,
            listener: listeners.identity,
            database_url: databases.identity,
            connections,
            nats,
            keyring,
            assertions: assertions.of(identity::NAME),
            clock,
        };
        let stop = self.stop_services.clone();
        self.services.spawn(async move { Ok(audit::run(audit, stop).await?) });
        self.run((identity, crm, bot_hub), panel)
    }

    fn run(
        &mut self,
        (identity, crm, bot_hub): (identity::Setup, crm::Setup, bot_hub::Setup),
        panel: Panel,
    ) -> Result<()> {
        let stop = &self.stop_services;
        let (one, two, three) = (stop.clone(), stop.clone(), stop.clone());
        let (keyring, listening) = (identity.keyring.clone(), stop.clone());
        self.services.spawn(async move {
            keyring.listen(listening.clone()).await;
            // It may end early, and then keys are forgotten after a minute: no reason to stop.
            listening.cancelled().await;
            Ok(())
        });
        self.services.spawn(async move { Ok(identity::run(identity, one).await?) });
        self.services.spawn(async move { Ok(crm::run(crm, two).await?) });
        self.services.spawn(async move { Ok(bot_hub::run(bot_hub, three).await?) });
        let (stop_panel, stop_services) = (self.stop_panel.clone(), stop.clone());
        let ended = panel.run(stop_panel)?;
        self.services.spawn(async move {
            let ended = ended.await;
            stop_services.cancel();
            ended.context("the panel broke")?
        });
        Ok(())
    }

    /// Waits until a service has ended by itself, and says why.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.services.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("a service ended"),
            Some(Err(error)) => anyhow::anyhow!("a service broke: {error}"),
        }
    }

    /// Ends the panel, then the services.
    pub(crate) async fn stop(mut self) {
        self.stop_panel.cancel();
        let all = async { while self.services.join_next().await.is_some() {} };
        if tokio::time::timeout(std::time::Duration::from_secs(4), all).await.is_err() {
            self.stop_services.cancel();
            let rest = async { while self.services.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), rest).await;
        }
    }
}

/// What the audit is made from.
fn audit_setup(
    settings: &Settings,
    (listener, database_url): (TcpListener, String),
    nats: async_nats::Client,
    (keyring, assertions): (&Keyring, &Assertions),
    clock: Clock,
) -> Result<audit::Setup> {
    Ok(audit::Setup {
        listener,
        database_url,
        connections: settings.database_connections,
        nats,
        keyring: keyring.clone(),
        assertions: assertions.of(audit::NAME),
        clock,
        notary: Notary::open(&settings.checkpoints.key_file)?,
        folder: settings.checkpoints.folder.clone(),
        pace: audit::Pace {
            entries: settings.checkpoints.entries,
            seconds: settings.checkpoints.seconds,
        },
        posting: None,
    })
}
