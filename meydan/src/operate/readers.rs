//! `meydan projection list`: every reader that there ought to be, how far it is, and how far the log that it reads.

use anyhow::Result;
use bot_hub::projections::Hub;
use crm::projections::Inbox;
use identity::projections::Directory;
use meydan_event_log::{Projection, Reader, readers};
use serde_json::{Value, json};

use super::{Context, Output, Platform, columns};

/// The readers of each database, and the log that each of them reads. The worker that takes in what comes from
/// Telegram reads none.
const READERS: [(&str, &str, Context); 17] = [
    ("identity", Directory::NAME, Context::Identity),
    ("identity", "when_campaign_deleted_erase", Context::Identity),
    ("identity", "when_campaign_leaves_tell", Context::Identity),
    ("identity", "when_deletion_requested_delete", Context::Identity),
    ("identity", "when_maker_goes_revoke_keys", Context::Identity),
    ("identity", "when_subject_erased_forget", Context::Identity),
    ("crm", Inbox::NAME, Context::Crm),
    ("crm", "when_reply_settled_record", Context::BotHub),
    ("crm", "when_subject_erased_forget", Context::Identity),
    ("bot_hub", Hub::NAME, Context::BotHub),
    ("bot_hub", "when_campaign_changes_follow", Context::Identity),
    ("bot_hub", "when_citizen_acted_tell_crm", Context::BotHub),
    ("bot_hub", "when_reply_written_send", Context::Crm),
    ("bot_hub", "when_subject_erased_forget", Context::Identity),
    ("audit", "entries_identity", Context::Identity),
    ("audit", "entries_crm", Context::Crm),
    ("audit", "entries_bot_hub", Context::BotHub),
];

/// Lists the readers of one database, or all.
pub(super) async fn list(
    platform: &Platform,
    output: Output,
    context: Option<Context>,
) -> Result<()> {
    let mut ends = Vec::new();
    for log in Context::ALL {
        ends.push((log, platform.log(log).await?.last_position(0).await?));
    }
    let databases = ["identity", "crm", "bot_hub", "audit"];
    let chosen = |name: &&str| context.is_none_or(|context| context.name() == *name);
    let mut found = Vec::new();
    for database in databases.into_iter().filter(chosen) {
        let seen = readers(&platform.database(database).await?).await?;
        let absent = READERS.iter().filter(|(of, name, _)| {
            *of == database && !seen.iter().any(|reader| reader.reader == *name)
        });
        let absent = absent.map(|(_, name, _)| Reader {
            reader: (*name).to_owned(),
            part: 0,
            position: 0,
            updated_at: None,
            parked: 0,
        });
        for reader in seen.iter().cloned().chain(absent) {
            found.push(document(database, &reader, &ends));
        }
    }
    output.print(&found, |found| {
        let row = |one: &Value| {
            let reader = &one["reader"];
            let cells = [&one["context"], &reader["reader"], &one["kind"], &one["reads"]];
            let more =
                [&reader["position"], &one["behind"], &reader["updated_at"], &reader["parked"]];
            cells.into_iter().chain(more).map(text).collect::<Vec<_>>()
        };
        let head = ["context", "reader", "kind", "reads", "position", "behind", "at", "parked"];
        columns(&head, &found.iter().map(row).collect::<Vec<_>>())
    })
}

fn document(database: &str, reader: &Reader, ends: &[(Context, i64)]) -> Value {
    let (name, kind) = kind(&reader.reader);
    let reads = READERS.iter().find(|(of, known, _)| *of == database && *known == name);
    let end = reads.and_then(|(_, _, log)| ends.iter().find(|(of, _)| of == log));
    json!({
        "context": database, "kind": kind, "reads": end.map(|(log, _)| log.name()),
        "behind": end.map(|(_, end)| (end - reader.position).max(0)), "reader": reader,
    })
}

/// The reader that this one belongs to, and what kind it is itself.
fn kind(reader: &str) -> (&str, &'static str) {
    let tables = [Directory::NAME, Inbox::NAME, Hub::NAME];
    let of = |suffix| reader.strip_suffix(suffix).filter(|name| tables.contains(name));
    let kinds = [
        ("", "tables"),
        ("_next", "tables that grow anew"),
        ("_previous", "tables that were replaced"),
        ("_verify", "tables to compare with"),
    ];
    let known = kinds.into_iter().find_map(|(suffix, kind)| Some((of(suffix)?, kind)));
    known.unwrap_or((reader, "policy or worker"))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
