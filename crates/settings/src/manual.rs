//! The manual: every key, its default, and what it is for. The example file is made from it.

use std::fmt::Write;

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// As it is written in the file.
    pub name: &'static str,
    /// What holds when nothing is set; empty when nothing does.
    pub default: &'static str,
    /// What it is for, its unit, and its danger.
    pub manual: &'static str,
}

const fn key(name: &'static str, default: &'static str, manual: &'static str) -> Key {
    Key { name, default, manual }
}

/// All keys, in the order in which one needs them.
pub const KEYS: &[Key] = &[
    key("listen", "127.0.0.1:8080", "Where the panel is served."),
    key(
        "public-url",
        "",
        "How the panel is reached from outside, for instance https://meydan.example. Telegram calls there; without it the bots ask Telegram instead. Must be https, except for this machine itself.",
    ),
    key(
        "trusted-proxies",
        "",
        "The proxies in front of the panel, as networks or addresses with commas between them: 10.0.0.0/8, 127.0.0.1. What they write into X-Forwarded-For says who asks. Without it, all who come through a proxy are one client.",
    ),
    key(
        "admin-networks",
        "",
        "The networks from which alone admins work, with commas between them: 192.0.2.0/24, 2001:db8::/48. From elsewhere there are no pages for admins, and an admin's session opens nothing. Without it, admins work from everywhere.",
    ),
    key(
        "cities-file",
        "",
        "A database of cities in the MaxMind DB format, such as DB-IP's or GeoLite2's city files. People see with it from which city and country their account was used; it is read at the start, and held in memory. Without it, no city is shown.",
    ),
    key("data-dir", ".meydan", "Where data, keys and the local servers live."),
    key(
        "database-url",
        "",
        "A PostgreSQL 18 that runs already: postgres://user:password@host:5432. The user must be allowed to create databases. Without it, a local one is started.",
    ),
    key("database-prefix", "meydan_", "What the names of the databases begin with."),
    key("database-connections", "8", "Connections of each service to its database, 2 to 100."),
    key(
        "nats-url",
        "",
        "A NATS 2.12 or newer that runs already, with JetStream: nats://user:password@host:4222. Without it, a local one is started.",
    ),
    key(
        "telegram-api-url",
        "https://api.telegram.org",
        "Where the Bot API is: Telegram's, or a server of your own.",
    ),
    key("telegram-proxy", "", "Through which proxy Telegram is reached: http://…, socks5://…."),
    key(
        "smtp-url",
        "",
        "The mail server: smtps://user:password@mail.example, or smtp://… with STARTTLS, which a server elsewhere must offer, and one on this machine when ?tls=required follows. Signs like @ in user and password are written as in any URL: %40. Without it, letters are added to letters.txt in data-dir, and links of invitations are shown on the screen.",
    ),
    key(
        "smtp-ca-file",
        "",
        "Certificates that the mail server may show besides those that all trust, in the PEM form.",
    ),
    key("mail-from", "", "From whom mail comes: Meydan <post@meydan.example>."),
    key(
        "sms-url",
        "",
        "Where the request goes that sends an SMS; {to} stands for the number, such as +989121234567, and {text} for the message. Must be https, except for this machine itself. Without it, messages are added to letters.txt in data-dir.",
    ),
    key("sms-method", "POST", "Its method: GET or POST."),
    key("sms-headers", "", "Its headers, one a line, for instance Authorization: Bearer … ."),
    key(
        "sms-body",
        "",
        "Its body, with {to} and {text}: JSON when it begins with a brace or a bracket, else a form.",
    ),
    key(
        "metrics-listen",
        "127.0.0.1:9464",
        "Where Prometheus reads /metrics. Never make it public.",
    ),
    key(
        "otlp-endpoint",
        "",
        "Where traces go: an OpenTelemetry collector's gRPC address, for instance http://127.0.0.1:4317.",
    ),
    key(
        "log-level",
        "info,sqlx=warn,async_nats=warn",
        "What is logged, for instance info or info,crm=debug.",
    ),
    key("log-format", "json", "json for machines, text for people."),
    key("identity-listen", "127.0.0.1:0", "Where identity serves gRPC. Port 0 is any free one."),
    key("crm-listen", "127.0.0.1:0", "Where crm serves gRPC."),
    key("bot-hub-listen", "127.0.0.1:0", "Where the bot hub serves gRPC."),
    key("audit-listen", "127.0.0.1:0", "Where the audit serves gRPC."),
    key(
        "audit-folder",
        "",
        "Where signed checkpoints of the audit are written, one after the other, into a file that only grows. Best a disk that the operators of the database cannot change. Without it: audit in data-dir.",
    ),
    key(
        "audit-key-file",
        "",
        "The key that signs checkpoints of the audit, made when it is not there. Without it: secrets/audit.pem in data-dir.",
    ),
    key(
        "audit-checkpoint-entries",
        "1000",
        "After how many new entries a checkpoint of the audit is signed, 1 to 1000000.",
    ),
    key(
        "audit-checkpoint-seconds",
        "60",
        "After how many seconds one is signed when there are fewer, 1 to 86400.",
    ),
    key(
        "audit-channel",
        "",
        "The Telegram channel to which signed checkpoints of the audit are posted as well, by its name, such as @meydan_witness, or its number, such as -1001234567890. Whoever reads it learns how much happens in each campaign, and nothing else. Without it, none are posted.",
    ),
    key(
        "audit-channel-token-file",
        "",
        "The file of the token of a bot that may post there, and does nothing else; nobody else may read the file. Without it: secrets/audit-channel.token in data-dir.",
    ),
    key(
        "platform-key-file",
        "",
        "The key that everything personal hangs on: 32 bytes for each version, made when it is not there. Without it: secrets/platform.key in data-dir. Whoever loses it loses all personal data.",
    ),
    key(
        "vault-address",
        "",
        "A key service that wraps the campaigns' keys instead of platform-key-file: HashiCorp Vault or what speaks like its transit engine, for instance https://vault.example:8200. Must be https, except for this machine itself.",
    ),
    key(
        "vault-key",
        "meydan",
        "Name of the platform's key in the transit engine; its type must allow associated data, such as aes256-gcm96.",
    ),
    key(
        "vault-token-file",
        "",
        "The file of the token for it, which may encrypt and decrypt with that key. Without it: secrets/vault.token in data-dir.",
    ),
    key(
        "key-backup-days",
        "30",
        "How many days backups of the database of keys are kept, 0 to 365. Certificates of erasure say until when a copy may hold a destroyed key.",
    ),
    key(
        "certificate-key-file",
        "",
        "The key that signs certificates of erasure, made when it is not there. Without it: secrets/certificate.pem in data-dir.",
    ),
    key(
        "assertion-key-file",
        "",
        "The key that those of all services follow from, with which calls between them are signed, made when it is not there. Without it: secrets/assertion.pem in data-dir.",
    ),
    key("rate-limit", "100", "Requests a minute of one client."),
    key("login-limit", "5", "Tries to log in a minute, of one client, and at one account."),
    key(
        "password-memory",
        "19456",
        "Memory that the hash of a password takes, in KiB, 19456 to 1048576. meydan passwords tune finds what fits the machine. Hashes of less work are made anew as people log in.",
    ),
    key("password-passes", "2", "Passes over that memory, 2 to 16."),
    key(
        "live-limit",
        "1200",
        "Requests a minute for the moving parts of open pages, of one session. A page that sees much going on asks for up to 480.",
    ),
    key(
        "connection-limit",
        "2000",
        "Connections to the panel at a time; others wait. Each open page holds one.",
    ),
];

/// A file with every key, its manual, and its default commented out.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(
        "# Settings of Meydan. Each key is also an environment variable: `nats-url` is MEYDAN_NATS_URL, which wins.\n\
         # MEYDAN_NATS_URL_FILE names a file that holds the value, for secrets.\n",
    );
    for Key { name, default, manual } in KEYS {
        let _ = write!(text, "\n# {manual}\n# {name} = \"{default}\"\n");
    }
    text
}
