//! The indexes and keys of a table, as statements that make them again beside it.

use sqlx::PgConnection;

/// What makes the indexes and keys of `table` again, by the same names, in another schema.
pub(super) async fn indexes(
    tx: &mut PgConnection,
    table: &str,
    schema: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        SELECT pg_get_indexdef(i.indexrelid) AS "index!",
               c.conname::text AS "key?", pg_get_constraintdef(c.oid) AS "definition?"
        FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
        WHERE i.indrelid = ('public.' || $1)::regclass ORDER BY i.indexrelid
        "#,
        table,
    )
    .fetch_all(tx)
    .await?;
    let statement =
        |key: Option<String>, definition: Option<String>, index: String| match (key, definition) {
            (Some(key), Some(definition)) => {
                format!("ALTER TABLE {schema}.{table} ADD CONSTRAINT {key} {definition}")
            }
            _ => index.replacen(
                &format!(" ON public.{table} "),
                &format!(" ON {schema}.{table} "),
                1,
            ),
        };
    Ok(rows.into_iter().map(|row| statement(row.key, row.definition, row.index)).collect())
}
