//! How far each reader has come in each partition.

use sqlx::{PgConnection, PgExecutor};

/// How far a reader has come; 0 before its first fact.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn checkpoint(
    db: impl PgExecutor<'_>,
    reader: &str,
    part: i16,
) -> Result<i64, sqlx::Error> {
    let row = sqlx::query_scalar!(
        "SELECT position FROM es.checkpoints WHERE reader = $1 AND part = $2",
        reader,
        part,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.unwrap_or(0))
}

/// Moves a checkpoint; `false` when somebody else moved it first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn advance(
    db: &mut PgConnection,
    reader: &str,
    part: i16,
    from: i64,
    to: i64,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query!(
        r#"
        INSERT INTO es.checkpoints AS c (reader, part, position) VALUES ($1, $2, $4)
        ON CONFLICT (reader, part) DO UPDATE SET position = $4, updated_at = clock_timestamp()
        WHERE c.position = $3
        "#,
        reader,
        part,
        from,
        to,
    )
    .execute(db)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Holds a checkpoint to the end of the transaction, and tells where it is. While it is held, nobody else
/// digests for this reader, switches its tables, or takes an aggregate back that it had parked.
pub(crate) async fn hold(
    db: &mut PgConnection,
    reader: &str,
    part: i16,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        INSERT INTO es.checkpoints AS c (reader, part, position) VALUES ($1, $2, 0)
        ON CONFLICT (reader, part) DO UPDATE SET position = c.position
        RETURNING position
        "#,
        reader,
        part,
    )
    .fetch_one(db)
    .await
}
