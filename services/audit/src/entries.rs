//! What may be asked of the entries.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::entry::Entry;

/// Begins a transaction whose queries are planned for the very values that are asked for: what does not matter costs
/// nothing then, and what does finds its index.
const PLANNED: &str = "BEGIN READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan";

/// Which entries. What is `None` or empty does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of which campaign, or of the platform.
    pub tree: Option<Uuid>,
    /// `account`, `citizen` or `service`.
    pub actor_kind: Option<String>,
    /// Who acted.
    pub actor: Option<Uuid>,
    /// What: the name of an event, or with a dot at the end the beginning of several.
    pub action: Option<String>,
    /// On what.
    pub target: Option<Uuid>,
    /// Within which request.
    pub correlation: Option<Uuid>,
    /// Not before.
    pub from: Option<OffsetDateTime>,
    /// Before.
    pub until: Option<OffsetDateTime>,
    /// Any of these events of identity's; empty for everything.
    pub any_of: Vec<String>,
    /// Whether nothing may be found by the id of a citizen.
    pub citizens_hidden: bool,
}

/// Kinds of targets that are citizens, or may be.
pub const CITIZENS: [&str; 3] = ["citizen", "dialogue", "subject"];

/// Up to `limit` entries that arrived before `before`, the newest first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn page(
    pool: &PgPool,
    filter: &Filter,
    before: i64,
    limit: i64,
) -> sqlx::Result<Vec<Entry>> {
    let action = filter.action.as_deref();
    let (exactly, begins) = match action {
        Some(action) if action.ends_with('.') => (None, Some(action)),
        other => (other, None),
    };
    let hidden = CITIZENS.map(str::to_owned);
    let asked = sqlx::query_as!(
        Entry,
        r#"
        SELECT * FROM entries
        WHERE arrival < $1
          AND ($2::uuid IS NULL OR tree_id = $2)
          AND ($3::text IS NULL OR actor_kind = $3)
          AND ($4::uuid IS NULL OR (actor_id = $4 AND NOT ($11 AND actor_kind = 'citizen')))
          AND ($5::text IS NULL OR action = $5)
          AND ($6::text IS NULL OR starts_with(action, $6))
          AND ($7::uuid IS NULL OR (target_id = $7 AND NOT ($11 AND target_type = ANY ($12))))
          AND ($8::uuid IS NULL OR correlation_id = $8)
          AND ($9::timestamptz IS NULL OR at >= $9)
          AND ($10::timestamptz IS NULL OR at < $10)
          AND ($14::text[] = '{}' OR (log = 'identity' AND action = ANY ($14)))
        ORDER BY arrival DESC LIMIT $13
        "#,
        before,
        filter.tree,
        filter.actor_kind,
        filter.actor,
        exactly,
        begins,
        filter.target,
        filter.correlation,
        filter.from,
        filter.until,
        filter.citizens_hidden,
        &hidden,
        limit,
        &filter.any_of,
    );
    let mut tx = pool.begin_with(PLANNED).await?;
    let found = asked.fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}

/// Which of these members joined the team that they were asked to join.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn joined(pool: &PgPool, members: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT DISTINCT target_id FROM entries WHERE target_id = ANY ($1) AND action = 'member.joined'",
        members,
    )
    .fetch_all(pool)
    .await
}
