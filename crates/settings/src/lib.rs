//! What an operator may set: one TOML file, and an environment variable for each key.
//!
//! A key `nats-url` is `MEYDAN_NATS_URL` in the environment, which wins; `MEYDAN_NATS_URL_FILE` names a file
//! that holds the value. Everything that is wrong is reported together.

mod manual;
mod read;

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

pub use self::{
    manual::{KEYS, Key, example},
    read::{InvalidSettings, Problem},
};

/// Everything that an operator may set. The manual of each key is in [`KEYS`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where data, keys and the local servers live.
    pub data_dir: PathBuf,
    /// Where the panel is served.
    pub listen: SocketAddr,
    /// How the panel is reached from outside; Telegram calls there.
    pub public_url: Option<Url>,
    /// The proxies in front, whose word on who asks is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The networks from which alone admins work; empty for everywhere.
    pub admin_networks: Vec<IpNet>,
    /// Says in which city an address is.
    pub cities_file: Option<PathBuf>,
    /// Where Prometheus reads metrics.
    pub metrics_listen: SocketAddr,
    /// A PostgreSQL that runs already.
    pub database_url: Option<SecretString>,
    /// What the names of the databases begin with.
    pub database_prefix: String,
    /// Connections of each service to its database.
    pub database_connections: u32,
    /// A NATS that runs already.
    pub nats_url: Option<SecretString>,
    /// Where identity serves gRPC.
    pub identity_listen: SocketAddr,
    /// Where crm serves gRPC.
    pub crm_listen: SocketAddr,
    /// Where the bot hub serves gRPC.
    pub bot_hub_listen: SocketAddr,
    /// Where the audit serves gRPC.
    pub audit_listen: SocketAddr,
    /// Where signed checkpoints of the audit go.
    pub checkpoints: Checkpoints,
    /// Where the Bot API is.
    pub telegram_api_url: Url,
    /// Through which proxy Telegram is reached.
    pub telegram_proxy: Option<SecretString>,
    /// The mail server.
    pub smtp_url: Option<SecretString>,
    /// Certificates that it may show besides those that all trust.
    pub smtp_ca_file: Option<PathBuf>,
    /// From whom mail comes.
    pub mail_from: String,
    /// Where the request goes that sends an SMS.
    pub sms_url: Option<SecretString>,
    /// Its method.
    pub sms_method: String,
    /// Its headers.
    pub sms_headers: Option<SecretString>,
    /// Its body.
    pub sms_body: Option<SecretString>,
    /// Where traces go.
    pub otlp_endpoint: Option<String>,
    /// What is logged.
    pub log_level: String,
    /// `json` or `text`.
    pub log_format: String,
    /// The platform's key.
    pub platform_key_file: PathBuf,
    /// Where a key service wraps the campaigns' keys, instead of that file.
    pub vault_address: Option<Url>,
    /// Name of the platform's key there.
    pub vault_key: String,
    /// The file of the token that is shown there.
    pub vault_token_file: PathBuf,
    /// How many days backups of the database of keys are kept.
    pub key_backup_days: u32,
    /// The key that signs certificates of erasure.
    pub certificate_key_file: PathBuf,
    /// The key that signs calls between services.
    pub assertion_key_file: PathBuf,
    /// Requests a minute of one client.
    pub rate_limit: u32,
    /// Tries to log in a minute, of one client.
    pub login_limit: u32,
    /// Memory that the hash of a password takes, in KiB.
    pub password_memory: u32,
    /// Passes over that memory.
    pub password_passes: u32,
    /// Requests a minute for the moving parts of open pages, of one session.
    pub live_limit: u32,
    /// Connections to the panel at a time.
    pub connection_limit: u32,
}

/// Signed checkpoints of the audit.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// Where they are written.
    pub folder: PathBuf,
    /// The key that signs them.
    pub key_file: PathBuf,
    /// After how many new entries one is signed.
    pub entries: u32,
    /// After how many seconds one is signed when there are fewer.
    pub seconds: u32,
    /// To which channel they are posted.
    pub channel: Option<String>,
    /// The file of the token of the bot that posts them.
    pub channel_token_file: PathBuf,
}
