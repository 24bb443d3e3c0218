//! `login_tries` and `login_targets`: what the gate counts, by keyed hashes.

use sqlx::{PgExecutor, PgPool};
use time::{Duration, OffsetDateTime};

use crate::factors::CONFIRMED_WITHIN;

/// How much of something is too much.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Tries that are admitted.
    pub most: i32,
    /// Within which time, from the first one.
    pub window: Duration,
    /// For how long it closes with the last of them; each time for twice as long, up to a day, or ever as long as this
    /// when this is longer.
    pub closed: Duration,
}

/// The longest time for which anything closes.
const LONGEST: Duration = Duration::hours(24);
/// What closes for so long stays closed until its counter is forgotten.
pub const UNTIL_RECOVERED: Duration = Duration::days(36_500);

/// Whether what closed at `at` is closed until its counter is forgotten.
#[must_use]
pub fn is_until_recovered(at: OffsetDateTime, until: OffsetDateTime) -> bool {
    until - at > LONGEST
}

/// After which what is counted is forgotten, however often it was closed.
const FORGOTTEN: Duration = Duration::hours(48);

/// A try that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Whether it may be judged.
    pub admitted: bool,
    /// Until when it is closed now, if it is.
    pub closed_until: Option<OffsetDateTime>,
}

/// Counts a try before it is judged, so that many at once count like many in turn.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn count(
    pool: &PgPool,
    source: &[u8],
    limit: Limit,
    now: OffsetDateTime,
) -> sqlx::Result<Counted> {
    let row = sqlx::query!(
        r#"
        INSERT INTO login_tries AS t (source, tries, began_at, closures) VALUES ($1, 1, $2::timestamptz, 0)
        ON CONFLICT (source) DO UPDATE SET (tries, began_at, closed_until, closures) = (
          SELECT n.tries, n.began_at,
                 CASE WHEN t.closed_until > $2::timestamptz THEN t.closed_until
                      WHEN n.tries = $3::int THEN $2::timestamptz
                        + make_interval(secs => least($5::float8 * 2.0 ^ least(t.closures, 16), $6::float8)) END,
                 t.closures + (n.tries = $3::int AND NOT coalesce(t.closed_until > $2::timestamptz, false))::int
          FROM (SELECT CASE WHEN f.over THEN 1 ELSE t.tries + 1 END AS tries,
                       CASE WHEN f.over THEN $2::timestamptz ELSE t.began_at END AS began_at
                FROM (SELECT CASE WHEN t.closed_until IS NULL THEN t.began_at <= $4::timestamptz
                                  ELSE t.closed_until <= $2::timestamptz END AS over) f) n)
        RETURNING tries, closed_until
        "#,
        source,
        now,
        limit.most,
        now - limit.window,
        limit.closed.as_seconds_f64(),
        limit.closed.max(LONGEST).as_seconds_f64(),
    )
    .fetch_one(pool)
    .await?;
    Ok(Counted { admitted: row.tries <= limit.most, closed_until: row.closed_until })
}

/// Whether something is closed, without counting.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn is_closed(
    db: impl PgExecutor<'_>,
    source: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let closed = sqlx::query_scalar!(
        r#"SELECT closed_until > $2 AS "closed!" FROM login_tries WHERE source = $1 AND closed_until IS NOT NULL"#,
        source,
        now,
    );
    Ok(closed.fetch_optional(db).await?.unwrap_or(false))
}

/// Forgets the tries of somebody who is in.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn forgive(pool: &PgPool, source: &[u8]) -> sqlx::Result<()> {
    forgive_all(pool, &[source.to_vec()]).await
}

/// The same of several counters.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn forgive_all(db: impl PgExecutor<'_>, sources: &[Vec<u8>]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM login_tries WHERE source = ANY ($1)", sources).execute(db).await?;
    Ok(())
}

/// Takes one try back, of what is counted for many together: a right one is no guess.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn take_back(pool: &PgPool, source: &[u8], most: i32) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE login_tries SET tries = tries - 1, closed_until = CASE WHEN tries > $2 THEN closed_until END
        WHERE source = $1 AND tries > 0
        "#,
        source,
        most,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that `source` failed at `target`; how many targets it has failed at within `window`.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn note_target(
    pool: &PgPool,
    source: &[u8],
    target: &[u8],
    now: OffsetDateTime,
    window: Duration,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        WITH noted AS (
          INSERT INTO login_targets (source, target, at) VALUES ($1, $2, $3)
          ON CONFLICT (source, target) DO UPDATE SET at = $3 RETURNING target)
        SELECT count(*) + 1 AS "targets!" FROM login_targets
        WHERE source = $1 AND at > $4 AND target <> $2
        "#,
        source,
        target,
        now,
        now - window,
    )
    .fetch_one(pool)
    .await
}

/// Forgets that `source` failed at `target`, because it was right in the end.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn forget_target(pool: &PgPool, source: &[u8], target: &[u8]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM login_targets WHERE source = $1 AND target = $2", source, target)
        .execute(pool)
        .await?;
    Ok(())
}

/// Closes a source.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn close(
    pool: &PgPool,
    source: &[u8],
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO login_tries (source, tries, began_at, closed_until, closures) VALUES ($1, 1, $2, $3, 1)
        ON CONFLICT (source) DO UPDATE SET closed_until = $3
        "#,
        source,
        now,
        until,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Lets go of what no longer counts: tries, and whatever waited for an answer that did not come.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn sweep(pool: &PgPool, now: OffsetDateTime) -> sqlx::Result<()> {
    let old = now - FORGOTTEN;
    sqlx::query!("DELETE FROM login_tries WHERE coalesce(closed_until, began_at) <= $1", old)
        .execute(pool)
        .await?;
    sqlx::query!("DELETE FROM login_targets WHERE at <= $1", old).execute(pool).await?;
    sqlx::query!("DELETE FROM login_challenges WHERE expires_at <= $1", now).execute(pool).await?;
    sqlx::query!("DELETE FROM passkey_challenges WHERE expires_at <= $1", now)
        .execute(pool)
        .await?;
    sqlx::query!("DELETE FROM proofs WHERE expires_at <= $1", now).execute(pool).await?;
    sqlx::query!("DELETE FROM recoveries WHERE expires_at <= $1", now).execute(pool).await?;
    let begun = now - CONFIRMED_WITHIN;
    sqlx::query!("DELETE FROM factors WHERE confirmed_at IS NULL AND created_at <= $1", begun)
        .execute(pool)
        .await?;
    Ok(())
}
