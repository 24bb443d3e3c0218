//! What is missing or out of order inside a log, whatever its stream says.

use uuid::Uuid;

use crate::log::EventLog;

/// Facts looked at in one statement.
const PAGE: i64 = 2_000;
/// Most aggregates that are named.
const NAMED: usize = 100;

/// What is wrong inside a log: positions that lack a fact, facts that lack the one before in their aggregate, and facts
/// that stand before it. Reads the whole log, and tells `progress` the position reached and the last one, of each
/// partition in turn.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn gaps(log: &EventLog, progress: impl Fn(i64, i64)) -> Result<Vec<String>, sqlx::Error> {
    let (mut wrong, mut orphans, mut turned) = (Vec::new(), Vec::new(), 0_usize);
    for part in log.parts() {
        let last = log.last_position(part).await?;
        let (mut at, mut count) = (0, 0);
        while at < last {
            let end = (at + PAGE).min(last);
            count += counted(log, part, at, end).await?;
            for fact in out_of_order(log, part, at, end).await? {
                if fact.has_earlier {
                    turned += 1;
                } else if orphans.len() < NAMED {
                    let Misplaced { kind, id, sequence, .. } = fact;
                    orphans
                        .push(format!("{kind} {id} lacks the fact before its number {sequence}"));
                }
            }
            at = end;
            progress(at, last);
        }
        if count != last {
            wrong.push(format!(
                "partition {part} has {count} facts, but its last position is {last}"
            ));
        }
    }
    wrong.append(&mut orphans);
    if turned > 0 {
        wrong.push(format!("{turned} facts stand before an earlier one of their aggregate"));
    }
    Ok(wrong)
}

/// A fact that does not stand where it should.
struct Misplaced {
    kind: String,
    id: Uuid,
    sequence: i64,
    /// Whether the one before it in its aggregate is there, further on in the log.
    has_earlier: bool,
}

/// How many facts there are beyond `after`, up to `end`.
async fn counted(log: &EventLog, part: i16, after: i64, end: i64) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM es.events WHERE part = $1 AND position > $2 AND position <= $3"#,
        part,
        after,
        end,
    );
    count.fetch_one(log.pool()).await
}

/// The facts among them that do not follow on the one before in their aggregate. That one is looked up for each by its
/// key, so that a page costs the same however long the log is.
async fn out_of_order(
    log: &EventLog,
    part: i16,
    after: i64,
    end: i64,
) -> Result<Vec<Misplaced>, sqlx::Error> {
    let found = sqlx::query_as!(
        Misplaced,
        r#"
        SELECT kind AS "kind!", id AS "id!", sequence AS "sequence!", earlier IS NOT NULL AS "has_earlier!"
        FROM (
          SELECT aggregate_type AS kind, aggregate_id AS id, sequence, position,
                 (SELECT before.position FROM es.events before
                  WHERE before.tenant_id = fact.tenant_id AND before.aggregate_type = fact.aggregate_type
                    AND before.aggregate_id = fact.aggregate_id AND before.sequence = fact.sequence - 1) AS earlier
          FROM es.events fact
          WHERE part = $1 AND position > $2 AND position <= $3 AND sequence > 1
          OFFSET 0) facts
        WHERE earlier IS NULL OR earlier > position ORDER BY position
        "#,
        part,
        after,
        end,
    );
    found.fetch_all(log.pool()).await
}
