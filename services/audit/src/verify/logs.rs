//! Each log beside the entries that were made of it, both in the order of positions.

use futures::{Stream, TryStreamExt};
use meydan_event_log::{Meta, Recorded};
use serde_json::value::RawValue;
use sqlx::{PgPool, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Evidence, Report, VerifyError, Wrong, named};
use crate::{entry::Entry, record::reached};

/// A row of a log. Its table belongs to another package, whose queries are not checked here.
#[derive(sqlx::FromRow)]
struct Row {
    part: i16,
    position: i64,
    tenant_id: Uuid,
    aggregate_type: String,
    aggregate_id: Uuid,
    sequence: i64,
    event_id: Uuid,
    event_type: String,
    event_version: i16,
    payload: Json<Box<RawValue>>,
    meta: Json<Meta>,
    recorded_at: OffsetDateTime,
}

impl From<Row> for Recorded {
    fn from(row: Row) -> Self {
        Self {
            part: row.part,
            position: row.position,
            tenant: row.tenant_id,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            event_id: row.event_id,
            event_type: row.event_type,
            event_version: row.event_version,
            payload: row.payload.0,
            meta: row.meta.0,
            recorded_at: row.recorded_at,
        }
    }
}

fn facts(pool: &PgPool, tree: Option<Uuid>) -> impl Stream<Item = sqlx::Result<Row>> + Unpin + '_ {
    let asked = sqlx::query_as::<_, Row>(
        "SELECT part, position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, event_version, \
                payload, meta, recorded_at \
         FROM es.events WHERE part = 0 AND ($1::uuid IS NULL OR tenant_id = $1) ORDER BY position",
    );
    asked.bind(tree).fetch(pool)
}

/// Compares one log with its entries.
pub(super) async fn compare(
    evidence: &Evidence<'_>,
    log: &str,
    pool: &PgPool,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let newest = sqlx::query_scalar!("SELECT max(position) FROM entries WHERE log = $1", log);
    let newest = newest.fetch_one(evidence.audit).await?.unwrap_or(0);
    // What is beyond both has not arrived yet: facts come after a moment, also while this looks.
    let arrived = newest.max(reached(evidence.audit, log).await?);
    let mut entries = sqlx::query_as!(
        Entry,
        r#"
        SELECT * FROM entries
        WHERE log = $1 AND part = 0 AND position <= $2 AND ($3::uuid IS NULL OR tree_id = $3)
        ORDER BY position
        "#,
        log,
        arrived,
        evidence.tree,
    )
    .fetch(evidence.audit);
    let mut facts = facts(pool, evidence.tree);
    let (mut entry, mut fact) = (entries.try_next().await?, facts.try_next().await?);
    loop {
        let place = |position: &i64| *position;
        let at = (
            entry.as_ref().map_or(i64::MAX, |entry: &Entry| place(&entry.position)),
            fact.as_ref().map_or(i64::MAX, |fact: &Row| place(&fact.position)),
        );
        let (no_entry, no_fact) = (at.0 > at.1, at.1 > at.0);
        let this = if no_entry { None } else { entry.take() };
        let that = if no_fact { None } else { fact.take() };
        match (this, that) {
            (None, None) => return Ok(()),
            (Some(one), None) => alone(log, &one, report),
            (None, Some(one)) if one.position > arrived => report.behind += 1,
            (None, Some(one)) => missing(log, &one, report),
            (Some(one), Some(other)) => same(log, &one, other, report),
        }
        if !no_entry {
            entry = entries.try_next().await?;
        }
        if !no_fact {
            report.events += 1;
            fact = facts.try_next().await?;
        }
    }
}

fn alone(log: &str, entry: &Entry, report: &mut Report) {
    let words = format!(
        "entry {} of {} ({}) has no fact: log of {log}, position {}",
        entry.leaf,
        named(entry.tree_id),
        entry.action,
        entry.position
    );
    let leaf = u64::try_from(entry.leaf).ok();
    report.find(Wrong::EntryWithoutEvent, Some(entry.tree_id), leaf, words);
}

fn missing(log: &str, fact: &Row, report: &mut Report) {
    let words = format!(
        "the fact {} of {} has no entry: log of {log}, position {}",
        fact.event_type,
        named(fact.tenant_id),
        fact.position
    );
    report.find(Wrong::EventWithoutEntry, Some(fact.tenant_id), None, words);
}

fn same(log: &str, entry: &Entry, fact: Row, report: &mut Report) {
    let again = Entry::of(log, &fact.into(), entry.place());
    if again.leaf() != entry.leaf() {
        let words = format!(
            "entry {} of {} ({}) says something else than its fact: log of {log}, position {}",
            entry.leaf,
            named(entry.tree_id),
            entry.action,
            entry.position
        );
        let leaf = u64::try_from(entry.leaf).ok();
        report.find(Wrong::DiffersFromEvent, Some(entry.tree_id), leaf, words);
    }
}
