//! `api_keys`: the keys of campaigns' own programs. Their secrets' hashes, and when they were last used, lie
//! beside the log in `api_key_secrets`.

use identity_domain::{ApiKeyEvent, RevokedBecause};
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::app::Made;

/// One key, as stored.
#[derive(Debug, Clone)]
pub struct ApiKeyRow {
    /// The key.
    pub key_id: Uuid,
    /// What it is called, sealed.
    pub name_sealed: String,
    /// What it may do, at most.
    pub permissions: Vec<String>,
    /// Who made it.
    pub created_by: Uuid,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends by itself.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// Why, when nobody did it by hand.
    pub revoked_because: Option<String>,
    /// The role of whoever made it; `None` when they have no place any more.
    pub maker_role: Option<String>,
    /// Their permissions beyond those of the role.
    pub maker_granted: Vec<String>,
    /// The permissions of the role that they have not.
    pub maker_denied: Vec<String>,
}

/// A key that opens something, and the place of whoever made it.
#[derive(Debug, Clone)]
pub struct GoodRow {
    /// The key.
    pub key_id: Uuid,
    /// Its campaign.
    pub campaign_id: Uuid,
    /// What it may do, at most.
    pub permissions: Vec<String>,
    /// The maker's role.
    pub role: String,
    /// The maker's permissions beyond those of the role.
    pub granted: Vec<String>,
    /// The permissions of the role that the maker has not.
    pub denied: Vec<String>,
    /// Who made it.
    pub created_by: Uuid,
    /// Whether everybody who works in the campaign needs a second factor.
    pub factor_demanded: bool,
}

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &ApiKeyEvent,
) -> sqlx::Result<()> {
    match fact {
        ApiKeyEvent::Created { name, permissions, created_by, expires_at, at } => {
            sqlx::query!(
                r#"
                INSERT INTO api_keys (key_id, campaign_id, name_sealed, permissions, created_by, created_at,
                                      expires_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                "#,
                event.aggregate_id,
                event.tenant,
                name.to_string(),
                &permissions.iter().cloned().collect::<Vec<_>>(),
                created_by,
                at,
                *expires_at,
            )
            .execute(db)
            .await?;
        }
        ApiKeyEvent::Revoked { because, at } => {
            sqlx::query!(
                "UPDATE api_keys SET revoked_at = $2, revoked_because = $3 WHERE key_id = $1",
                event.aggregate_id,
                at,
                because.map(RevokedBecause::name),
            )
            .execute(db)
            .await?;
        }
    }
    Ok(())
}

/// Lets go of a campaign's keys.
pub(super) async fn remove_all(db: &mut PgConnection, campaign: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM api_key_secrets s USING api_keys k WHERE k.key_id = s.key_id AND k.campaign_id = $1
        "#,
        campaign,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("DELETE FROM api_keys WHERE campaign_id = $1", campaign).execute(db).await?;
    Ok(())
}

/// Keeps the hash of a key's secret. A command that comes again leaves the one that the key has.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn keep_secret(db: impl PgExecutor<'_>, key: Uuid, hash: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO api_key_secrets (key_id, secret_sha256) VALUES ($1, $2) ON CONFLICT (key_id) DO NOTHING
        "#,
        key,
        hash,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Wipes the hash of a key's secret, which opens nothing from then on.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn wipe_secret(db: impl PgExecutor<'_>, key: Uuid) -> sqlx::Result<()> {
    sqlx::query!("UPDATE api_key_secrets SET secret_sha256 = NULL WHERE key_id = $1", key)
        .execute(db)
        .await?;
    Ok(())
}

/// Gives a key another secret, for whoever made it and lost the one that was shown; `false` when somebody else made it,
/// or it was used or revoked.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn renew_secret(
    pool: &PgPool,
    (key, maker): (Uuid, Uuid),
    hash: &[u8],
) -> sqlx::Result<bool> {
    let renewed = sqlx::query!(
        r#"
        UPDATE api_key_secrets s SET secret_sha256 = $3 FROM api_keys k
        WHERE s.key_id = $1 AND s.last_used_at IS NULL AND s.secret_sha256 IS NOT NULL
          AND k.key_id = s.key_id AND k.created_by = $2 AND k.revoked_at IS NULL
        "#,
        key,
        maker,
        hash,
    )
    .execute(pool)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Notes that a key was used, at most once a minute.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn note_use(pool: &PgPool, key: Uuid, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE api_key_secrets SET last_used_at = $2
        WHERE key_id = $1
          AND (last_used_at IS NULL OR last_used_at <= $2::timestamptz - interval '1 minute')
        "#,
        key,
        now,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The key of a secret, if it is good: neither revoked nor over, of a campaign that runs, and made by somebody
/// who still works there.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn good(
    pool: &PgPool,
    hash: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<Option<GoodRow>> {
    sqlx::query_as!(
        GoodRow,
        r#"
        SELECT k.key_id, k.campaign_id, k.permissions, m.role, m.granted, m.denied, k.created_by,
               c.factor_demanded
        FROM api_key_secrets s
        JOIN api_keys k ON k.key_id = s.key_id
        JOIN campaigns c ON c.campaign_id = k.campaign_id AND c.status = 'active'
        JOIN members m ON m.campaign_id = k.campaign_id AND m.account_id = k.created_by
        JOIN accounts a ON a.account_id = k.created_by AND a.suspended_at IS NULL
        WHERE s.secret_sha256 = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)
          AND m.joined_at IS NOT NULL AND NOT m.deactivated
        "#,
        hash,
        now,
    )
    .fetch_optional(pool)
    .await
}

/// The keys of a campaign that were not revoked before `since`, the newest first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_campaign(
    pool: &PgPool,
    campaign: Uuid,
    since: OffsetDateTime,
) -> sqlx::Result<Vec<ApiKeyRow>> {
    sqlx::query_as!(
        ApiKeyRow,
        r#"
        SELECT k.key_id, k.name_sealed, k.permissions, k.created_by, k.created_at, k.expires_at,
               s.last_used_at AS "last_used_at?", k.revoked_at, k.revoked_because, m.role AS "maker_role?",
               coalesce(m.granted, '{}') AS "maker_granted!", coalesce(m.denied, '{}') AS "maker_denied!"
        FROM api_keys k LEFT JOIN api_key_secrets s ON s.key_id = k.key_id
        LEFT JOIN members m ON m.campaign_id = k.campaign_id AND m.account_id = k.created_by
          AND m.joined_at IS NOT NULL AND NOT m.deactivated
        WHERE k.campaign_id = $1 AND (k.revoked_at IS NULL OR k.revoked_at > $2)
        ORDER BY k.revoked_at IS NOT NULL, k.created_at DESC, k.key_id
        "#,
        campaign,
        since,
    )
    .fetch_all(pool)
    .await
}

/// The keys that somebody made and that were not revoked, each with its campaign.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn made_by(pool: &PgPool, made: Made) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let found = sqlx::query!(
        r#"
        SELECT campaign_id, key_id FROM api_keys
        WHERE created_by = $1 AND ($2::uuid IS NULL OR campaign_id = $2) AND created_at <= $3
          AND revoked_at IS NULL
        "#,
        made.by,
        made.within,
        made.until,
    );
    let rows = found.fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.campaign_id, row.key_id)).collect())
}
