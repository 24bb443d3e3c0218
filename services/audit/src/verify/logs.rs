//! Each log beside the entries that were made of it, both in the order of positions.

use futures::TryStreamExt;
use meydan_event_log::{Recorded, facts};
use sqlx::{PgConnection, PgPool};

use super::{Evidence, Report, VerifyError, Wrong, named};
use crate::{entry::Entry, record::reached};

/// Compares one log with its entries.
pub(super) async fn compare(
    evidence: &Evidence<'_>,
    (log, pool): (&str, &PgPool),
    table: &mut PgConnection,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let newest = sqlx::query_scalar!("SELECT max(position) FROM entries WHERE log = $1", log);
    let newest = newest.fetch_one(&mut *table).await?.unwrap_or(0);
    // What is beyond both has not arrived yet: facts come after a moment, also while this looks.
    let arrived = newest.max(reached(&mut *table, log).await?);
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
    .fetch(&mut *table);
    let mut facts = facts(pool, 0, evidence.tree);
    let (mut entry, mut fact) = (entries.try_next().await?, facts.try_next().await?);
    loop {
        let place = |position: &i64| *position;
        let at = (
            entry.as_ref().map_or(i64::MAX, |entry: &Entry| place(&entry.position)),
            fact.as_ref().map_or(i64::MAX, |fact: &Recorded| place(&fact.position)),
        );
        let (no_entry, no_fact) = (at.0 > at.1, at.1 > at.0);
        let this = if no_entry { None } else { entry.take() };
        let that = if no_fact { None } else { fact.take() };
        match (this, that) {
            (None, None) => return Ok(()),
            (Some(one), None) => alone(log, &one, report),
            (None, Some(one)) if one.position > arrived => report.behind += 1,
            (None, Some(one)) => missing(log, &one, report),
            (Some(one), Some(other)) => same(log, &one, &other, report),
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

fn missing(log: &str, fact: &Recorded, report: &mut Report) {
    let words = format!(
        "the fact {} of {} has no entry: log of {log}, position {}",
        fact.event_type,
        named(fact.tenant),
        fact.position
    );
    report.find(Wrong::EventWithoutEntry, Some(fact.tenant), None, words);
}

fn same(log: &str, entry: &Entry, fact: &Recorded, report: &mut Report) {
    if !entry.is_of(log, fact) {
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
