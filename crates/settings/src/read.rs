//! Reads and checks settings.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use crate::{
    Checkpoints, Settings,
    manual::{KEYS, Key},
};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key or the variable, as it is written.
    pub key: String,
    /// What is wrong, as the end of a sentence.
    pub problem: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidSettings(pub Vec<Problem>);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, Problem { key, problem }) in self.0.iter().enumerate() {
            if line > 0 {
                writeln!(f)?;
            }
            write!(f, "setting `{key}` {problem}")?;
        }
        Ok(())
    }
}

/// The values that were given, and what is wrong so far.
struct Given {
    values: BTreeMap<&'static str, String>,
    problems: Vec<Problem>,
}

impl Settings {
    /// Reads `file`, if there is one, then the variables of `environment`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, together.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, InvalidSettings> {
        let mut given = Given { values: BTreeMap::new(), problems: vec![] };
        if let Some(file) = file {
            given.read_file(file);
        }
        for (name, value) in environment {
            if let Some(name) = name.strip_prefix("MEYDAN_") {
                given.read_variable(name, value);
            }
        }
        given.into_settings()
    }
}

impl Given {
    fn reject(&mut self, key: &str, problem: impl fmt::Display) {
        self.problems.push(Problem { key: key.to_owned(), problem: problem.to_string() });
    }

    fn read_file(&mut self, path: &Path) {
        let table = match fs::read_to_string(path) {
            Ok(text) => text.parse::<toml::Table>().map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let table = match table {
            Ok(table) => table,
            Err(error) => {
                return self
                    .reject(&path.display().to_string(), format!("cannot be read: {error}"));
            }
        };
        for (name, value) in table {
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                self.reject(&name, "is not known; meydan settings lists all");
                continue;
            };
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                _ => {
                    self.reject(&name, "must be a text or a number");
                    continue;
                }
            };
            self.values.insert(key.name, value);
        }
    }

    fn read_variable(&mut self, name: &str, value: String) {
        let key_of = |name: &str| {
            let name = name.to_ascii_lowercase().replace('_', "-");
            KEYS.iter().find(|key| key.name == name)
        };
        let key = key_of(name);
        let file = name.strip_suffix("_FILE").and_then(key_of);
        match (key, file) {
            (Some(key), _) => {
                self.values.insert(key.name, value);
            }
            (None, Some(key)) => match fs::read_to_string(&value) {
                Ok(text) => {
                    self.values.insert(key.name, text.trim().to_owned());
                }
                Err(error) => self.reject(
                    &format!("MEYDAN_{name}"),
                    format!("names a file that cannot be read, {value}: {error}"),
                ),
            },
            // The path of the settings file itself is read before the settings.
            (None, None) if name == "CONFIG" => {}
            (None, None) => {
                self.reject(&format!("MEYDAN_{name}"), "is not known; meydan settings lists all");
            }
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        let default =
            || KEYS.iter().find(|key| key.name == name).map(|Key { default, .. }| *default);
        let value = self.values.get(name).map(String::as_str).or_else(default)?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        fallback: T,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> T {
        let Some(text) = self.text(name) else { return fallback };
        match parse(&text) {
            Ok(value) => value,
            Err(problem) => {
                self.reject(name, problem);
                fallback
            }
        }
    }

    fn address(&mut self, name: &str) -> SocketAddr {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        self.parsed(name, nowhere, |text| {
            text.parse().map_err(|_| "must be an address with a port, such as 127.0.0.1:8080")
        })
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u32>) -> u32 {
        let least = *range.start();
        let value =
            self.parsed(name, least, |text| text.parse().map_err(|_| "must be a whole number"));
        if !range.contains(&value) {
            self.reject(name, format!("must be {} to {}", range.start(), range.end()));
        }
        value
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// A path, from the root on: it means the same in whatever folder a server or a command works later.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(name)?);
        Some(std::path::absolute(&path).unwrap_or(path))
    }

    /// Where a secret lies: named, or among the secrets of the folder of data.
    fn secret_file(&self, data_dir: &Path, name: &str, default: &str) -> PathBuf {
        self.path(name).unwrap_or_else(|| data_dir.join("secrets").join(default))
    }

    fn checkpoints(&mut self, data_dir: &Path) -> Checkpoints {
        Checkpoints {
            folder: self.path("audit-folder").unwrap_or_else(|| data_dir.join("audit")),
            key_file: self.secret_file(data_dir, "audit-key-file", "audit.pem"),
            entries: self.number("audit-checkpoint-entries", 1..=1_000_000),
            seconds: self.number("audit-checkpoint-seconds", 1..=86_400),
            channel: self.text("audit-channel"),
            channel_token_file: self.secret_file(
                data_dir,
                "audit-channel-token-file",
                "audit-channel.token",
            ),
        }
    }

    fn into_settings(mut self) -> Result<Settings, InvalidSettings> {
        let data_dir = self.path("data-dir").unwrap_or_default();
        let secret_file =
            |given: &Self, name, default: &str| given.secret_file(&data_dir, name, default);
        let settings = Settings {
            platform_key_file: secret_file(&self, "platform-key-file", "platform.key"),
            vault_address: self.parsed("vault-address", None, |text| secure_url(text).map(Some)),
            vault_key: self.parsed("vault-key", String::new(), vault_key),
            vault_token_file: secret_file(&self, "vault-token-file", "vault.token"),
            key_backup_days: self.number("key-backup-days", 0..=365),
            certificate_key_file: secret_file(&self, "certificate-key-file", "certificate.pem"),
            assertion_key_file: secret_file(&self, "assertion-key-file", "assertion.pem"),
            data_dir: data_dir.clone(),
            listen: self.address("listen"),
            public_url: self.parsed("public-url", None, |text| secure_url(text).map(Some)),
            trusted_proxies: self.parsed("trusted-proxies", vec![], networks),
            admin_networks: self.parsed("admin-networks", vec![], networks),
            cities_file: self.path("cities-file"),
            metrics_listen: self.address("metrics-listen"),
            database_url: self.secret("database-url"),
            database_prefix: self.parsed("database-prefix", String::new(), prefix),
            database_connections: self.number("database-connections", 2..=100),
            nats_url: self.secret("nats-url"),
            identity_listen: self.address("identity-listen"),
            crm_listen: self.address("crm-listen"),
            bot_hub_listen: self.address("bot-hub-listen"),
            audit_listen: self.address("audit-listen"),
            checkpoints: self.checkpoints(&data_dir),
            telegram_api_url: self.parsed("telegram-api-url", telegram(), |text| {
                Url::parse(text).map_err(|_| "must be a URL")
            }),
            telegram_proxy: self.secret("telegram-proxy"),
            smtp_url: self.secret("smtp-url"),
            smtp_ca_file: self.path("smtp-ca-file"),
            mail_from: self.text("mail-from").unwrap_or_default(),
            sms_url: self.secret("sms-url"),
            sms_method: self.text("sms-method").unwrap_or_default(),
            sms_headers: self.secret("sms-headers"),
            sms_body: self.secret("sms-body"),
            otlp_endpoint: self.text("otlp-endpoint"),
            log_level: self.text("log-level").unwrap_or_default(),
            log_format: self.parsed("log-format", String::new(), |text| match text {
                "json" | "text" => Ok(text.to_owned()),
                _ => Err("must be json or text"),
            }),
            rate_limit: self.number("rate-limit", 1..=1_000_000),
            login_limit: self.number("login-limit", 1..=1_000_000),
            password_memory: self.number("password-memory", 19_456..=1_048_576),
            password_passes: self.number("password-passes", 2..=16),
            live_limit: self.number("live-limit", 1..=1_000_000),
            connection_limit: self.number("connection-limit", 10..=1_000_000),
        };
        if settings.smtp_url.is_some() && settings.mail_from.is_empty() {
            self.reject("mail-from", "must be set when smtp-url is");
        }
        if self.problems.is_empty() { Ok(settings) } else { Err(InvalidSettings(self.problems)) }
    }
}

fn telegram() -> Url {
    Url::parse("https://api.telegram.org").expect("the address is written correctly")
}

fn vault_key(text: &str) -> Result<String, &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !text.starts_with('.') && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("must be the name of a key: letters, digits, dashes, dots and underscores")
    }
}

fn secure_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL")?;
    let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() == "https" || (here && url.scheme() == "http") {
        Ok(url)
    } else {
        Err("must begin with https://")
    }
}

/// Networks, or single addresses, with commas between them.
fn networks(text: &str) -> Result<Vec<IpNet>, &'static str> {
    let network = |text: &str| {
        let text = text.trim();
        text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
    };
    let networks = text.split(',').map(network).collect::<Result<_, _>>();
    networks.map_err(|_| "must be networks such as 10.0.0.0/8, with commas between them")
}

fn prefix(text: &str) -> Result<String, &'static str> {
    let well_formed =
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if well_formed && text.len() <= 40 {
        Ok(text.to_owned())
    } else {
        Err("must be at most 40 small letters, digits and underscores")
    }
}
