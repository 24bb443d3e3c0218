//! The gateway, on threads and a connection to NATS of its own.
//!
//! Telegram and people wait for its answers, while nobody waits for what the other services do behind them.
//! On shared threads a webhook's answer stood in line with the work that the webhooks before it had made.

use std::{io, net::SocketAddr};

use anyhow::{Context, Result};
use meydan_cities::Cities;
use meydan_event_log::Clock;
use meydan_intake::Intake;
use meydan_keyring::Keyring;
use meydan_rpc::{caller::Assertions, client::Dial};
use meydan_settings::Settings;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{post, reach::Origin, servers::connect_nats};

/// What the gateway is made from.
pub(crate) struct Panel {
    pub(crate) listener: std::net::TcpListener,
    pub(crate) nats_url: String,
    /// Where identity, crm, the hub and the audit answer.
    pub(crate) services: [io::Result<SocketAddr>; 4],
    pub(crate) keyring: Keyring,
    pub(crate) assertions: Assertions,
    pub(crate) settings: Settings,
    /// In which city an address is.
    pub(crate) cities: Cities,
    pub(crate) demo: bool,
}

impl Panel {
    /// Runs until `stop`. What is returned says how it ended, and nothing when it panicked.
    pub(crate) fn run(self, stop: CancellationToken) -> Result<oneshot::Receiver<Result<()>>> {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .thread_name("panel")
            .enable_all()
            .build()
            .context("the panel's threads cannot be started")?;
        let (tell, ended) = oneshot::channel();
        let body = move || {
            let outcome = threads.block_on(self.serve(stop));
            // Nobody listens any more when the program has given up waiting.
            let _ = tell.send(outcome);
        };
        std::thread::Builder::new()
            .name("panel".to_owned())
            .spawn(body)
            .context("the panel's threads cannot be started")?;
        Ok(ended)
    }

    /// Connections belong to the runtime that made them, so all are made here.
    async fn serve(self, stop: CancellationToken) -> Result<()> {
        let nats = connect_nats(&self.nats_url, &Origin::of(&self.settings)).await?;
        let [identity, crm, bot_hub, audit] = self.services;
        let dial = |audience, address| Dial::new(audience, address, self.assertions.clone());
        let settings = self.settings;
        let passkeys = post::passkeys(&settings, self.listener.local_addr()?);
        let setup = gateway::Setup {
            listener: tokio::net::TcpListener::from_std(self.listener)?,
            identity: dial(identity::NAME, identity?),
            crm: dial(crm::NAME, crm?),
            bot_hub: dial(bot_hub::NAME, bot_hub?),
            audit: dial(audit::NAME, audit?),
            intake: Intake::new(async_nats::jetstream::new(nats.clone()), self.keyring),
            nats: nats.clone(),
            clock: Clock::system(),
            rates: gateway::limits::Rates {
                panel: settings.rate_limit,
                login: settings.login_limit,
                live: settings.live_limit,
            },
            connections: usize::try_from(settings.connection_limit)?,
            patience: gateway::Patience::default(),
            secure: settings.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
                || !settings.listen.ip().is_loopback(),
            trusted_proxies: settings.trusted_proxies,
            passkeys,
            admin_networks: settings.admin_networks,
            cities: self.cities,
            public_url: settings.public_url,
            demo: self.demo,
        };
        gateway::run(setup, stop).await;
        let _ = nats.drain().await;
        Ok(())
    }
}
