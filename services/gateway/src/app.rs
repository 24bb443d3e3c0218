//! What every handler works with: the other services, and the few things that the gateway remembers.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;
use meydan_cities::Cities;
use meydan_event_log::Clock;
use meydan_intake::{Hook, Intake};
use meydan_rpc::{
    client::Dial,
    pb::{
        audit::entries_client::EntriesClient,
        bot_hub::{bots_client::BotsClient, files_client::FilesClient, hooks_client::HooksClient},
        crm::tickets_client::TicketsClient,
        identity::{
            accounts_client::AccountsClient, api_keys_client::ApiKeysClient,
            campaigns_client::CampaignsClient, contacts_client::ContactsClient,
            members_client::MembersClient, oversight_client::OversightClient,
            passkey_logins_client::PasskeyLoginsClient, passkeys_client::PasskeysClient,
            records_client::RecordsClient, recovery_client::RecoveryClient,
            sessions_client::SessionsClient,
        },
    },
};
use meydan_web::Zone;
use moka::future::Cache;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use url::Url;
use uuid::Uuid;

use crate::{
    changes::Changes,
    limits::{Limits, shared::Shared},
    live::Streams,
    serve::Patience,
    session::Visitor,
};

/// How long the gateway believes what identity said of a session. A session that ends elsewhere goes on
/// for so long, at most, when nobody tells that it has ended.
pub const SESSIONS: Duration = Duration::from_secs(5);
/// How long it believes what the hub said of a webhook.
const HOOKS: Duration = Duration::from_secs(60);
/// How long it believes that a webhook is unknown. Their addresses are random and are told to Telegram after
/// they exist, so nobody waits for this.
const STRANGE_HOOKS: Duration = Duration::from_secs(10);

/// A webhook that is known.
#[derive(Debug, Clone)]
pub struct KnownHook {
    /// For which bot.
    pub hook: Hook,
    /// SHA-256 of the secret that Telegram must show.
    pub secret_sha256: Vec<u8>,
}

/// The gateway.
#[derive(Debug, Clone)]
pub struct App {
    /// Accounts, sessions, campaigns, members.
    pub identity: Dial,
    /// Tickets.
    pub crm: Dial,
    /// Bots.
    pub bot_hub: Dial,
    /// What happened.
    pub audit: Dial,
    /// Where updates go.
    pub intake: Intake,
    /// Where changes are told.
    pub nats: async_nats::Client,
    /// Tells the time.
    pub clock: Clock,
    /// How often clients may ask.
    pub limits: Arc<Limits>,
    /// What all gateways have counted together.
    pub rates: Shared,
    /// The proxies whose word on who asks is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// The networks from which alone admins work; empty for everywhere.
    pub admin_networks: Arc<[IpNet]>,
    /// In which city an address is.
    pub cities: Cities,
    /// How the panel is reached from outside, when that is set.
    pub public_url: Option<Url>,
    /// The origin at which people use passkeys, if there is one.
    pub passkeys: Option<Url>,
    /// How long a request may take to arrive.
    pub patience: Patience,
    /// Whether cookies need https: always, except on this machine without a public address.
    pub secure: bool,
    /// Whether the panel shows invented people.
    pub demo: bool,
    /// In which time zone days begin.
    pub zone: Zone,
    /// Sessions, by hash of their token, and until when each is believed.
    pub sessions: Cache<[u8; 32], (Visitor, OffsetDateTime)>,
    /// Pages that admins have opened while they look as a member, and that are on record: by session, the end of
    /// the look, and the route.
    pub looks: Cache<(Uuid, OffsetDateTime, &'static str), ()>,
    /// What changed of accounts.
    pub changes: Changes,
    /// Webhooks, by the random part of their path.
    pub hooks: Cache<String, KnownHook>,
    /// Webhooks that nobody knows.
    pub strange_hooks: Cache<String, ()>,
    /// Live streams that are open.
    pub streams: Streams,
    /// Ends live streams.
    pub stop: CancellationToken,
}

impl App {
    /// A cache of sessions.
    #[must_use]
    pub fn session_cache() -> Cache<[u8; 32], (Visitor, OffsetDateTime)> {
        Cache::builder().max_capacity(50_000).time_to_live(SESSIONS).build()
    }

    /// A cache of looks, which last a quarter of an hour.
    #[must_use]
    pub fn look_cache() -> Cache<(Uuid, OffsetDateTime, &'static str), ()> {
        let lasts = std::time::Duration::from_mins(15);
        Cache::builder().max_capacity(10_000).time_to_live(lasts).build()
    }

    /// A cache of webhooks.
    #[must_use]
    pub fn hook_cache() -> Cache<String, KnownHook> {
        Cache::builder().max_capacity(50_000).time_to_live(HOOKS).build()
    }

    /// A cache of webhooks that nobody knows.
    #[must_use]
    pub fn strange_hook_cache() -> Cache<String, ()> {
        Cache::builder().max_capacity(10_000).time_to_live(STRANGE_HOOKS).build()
    }

    /// Calls identity's sessions.
    #[must_use]
    pub fn sessions_client(&self) -> SessionsClient<Channel> {
        SessionsClient::new(self.identity.channel())
    }

    /// Calls identity's accounts.
    #[must_use]
    pub fn accounts(&self) -> AccountsClient<Channel> {
        AccountsClient::new(self.identity.channel())
    }

    /// Calls identity's logins with passkeys.
    #[must_use]
    pub fn passkey_logins(&self) -> PasskeyLoginsClient<Channel> {
        PasskeyLoginsClient::new(self.identity.channel())
    }

    /// Calls identity's passkeys.
    #[must_use]
    pub fn passkeys_client(&self) -> PasskeysClient<Channel> {
        PasskeysClient::new(self.identity.channel())
    }

    /// Calls identity's oversight.
    #[must_use]
    pub fn oversight(&self) -> OversightClient<Channel> {
        OversightClient::new(self.identity.channel())
    }

    /// Calls what identity keeps of who reads the record.
    #[must_use]
    pub fn records(&self) -> RecordsClient<Channel> {
        RecordsClient::new(self.identity.channel())
    }

    /// Calls identity's contacts.
    #[must_use]
    pub fn contacts(&self) -> ContactsClient<Channel> {
        ContactsClient::new(self.identity.channel())
    }

    /// Calls identity's recovery.
    #[must_use]
    pub fn recovery(&self) -> RecoveryClient<Channel> {
        RecoveryClient::new(self.identity.channel())
    }

    /// Calls identity's campaigns.
    #[must_use]
    pub fn campaigns(&self) -> CampaignsClient<Channel> {
        CampaignsClient::new(self.identity.channel())
    }

    /// Calls identity's members.
    #[must_use]
    pub fn members(&self) -> MembersClient<Channel> {
        MembersClient::new(self.identity.channel())
    }

    /// Calls identity's keys of programs.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeysClient<Channel> {
        ApiKeysClient::new(self.identity.channel())
    }

    /// Calls crm's tickets.
    #[must_use]
    pub fn tickets(&self) -> TicketsClient<Channel> {
        TicketsClient::new(self.crm.channel())
    }

    /// Calls the audit's entries.
    #[must_use]
    pub fn entries(&self) -> EntriesClient<Channel> {
        EntriesClient::new(self.audit.channel())
    }

    /// Calls the hub's bots.
    #[must_use]
    pub fn bots(&self) -> BotsClient<Channel> {
        BotsClient::new(self.bot_hub.channel())
    }

    /// Calls the hub's files.
    #[must_use]
    pub fn files(&self) -> FilesClient<Channel> {
        FilesClient::new(self.bot_hub.channel())
    }

    /// Calls the hub's webhooks.
    #[must_use]
    pub fn hooks_client(&self) -> HooksClient<Channel> {
        HooksClient::new(self.bot_hub.channel())
    }
}
