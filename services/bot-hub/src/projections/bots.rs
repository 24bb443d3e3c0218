//! `bots`: which campaign has which bot, and where it stands.

use bot_hub_domain::{BotEvent, BotState};
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// One bot, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotRow {
    /// The campaign.
    pub tenant_id: Uuid,
    /// The bot.
    pub bot_id: Uuid,
    /// Where it stands.
    pub state: String,
    /// Why it is not live.
    pub problem: Option<String>,
    /// From BotFather, sealed.
    pub token_sealed: String,
    /// Random part of the webhook's path.
    pub hook_id: String,
    /// What Telegram shows to prove itself, sealed.
    pub secret_sealed: String,
    /// SHA-256 of that, hexadecimal.
    pub secret_sha256: String,
    /// Handle without the @; empty until known.
    pub username: String,
    /// What it is called; empty until known.
    pub name: String,
    /// How updates come.
    pub mode: Option<String>,
}

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &BotEvent,
) -> sqlx::Result<()> {
    match fact {
        BotEvent::TokenGiven { token, hook_id, secret, secret_sha256, .. } => {
            let sealed = (token.to_string(), secret.to_string());
            connect(db, event, sealed, (hook_id, secret_sha256)).await
        }
        BotEvent::WentLive { username, name, mode, .. } => {
            let mode = serde_json::to_value(mode).expect("a mode is a word");
            live(db, event, (username, name), mode.as_str()).await
        }
        BotEvent::Failed { problem, .. } => {
            let problem = serde_json::to_value(problem).expect("a problem is a word");
            stand(db, event, BotState::Failed, problem.as_str()).await
        }
        BotEvent::Revoked { .. } => {
            stand(db, event, BotState::Revoked, Some("token_revoked")).await
        }
        BotEvent::CheckAsked { .. } => stand(db, event, BotState::Connecting, None).await,
        BotEvent::Disconnected { .. } => forget(db, event).await,
    }
}

async fn connect(
    db: &mut PgConnection,
    event: &Recorded,
    (token, secret): (String, String),
    (hook_id, secret_sha256): (&str, &str),
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO bots (tenant_id, bot_id, state, token_sealed, hook_id, secret_sealed, secret_sha256,
                          changed_at)
        VALUES ($1, $2, 'connecting', $3, $4, $5, $6, $7)
        ON CONFLICT (tenant_id, bot_id) DO UPDATE
        SET state = 'connecting', problem = NULL, token_sealed = $3, hook_id = $4, secret_sealed = $5,
            secret_sha256 = $6, username = '', name = '', mode = NULL, changed_at = $7
        "#,
        event.tenant,
        event.aggregate_id,
        token,
        hook_id,
        secret,
        secret_sha256,
        event.recorded_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn live(
    db: &mut PgConnection,
    event: &Recorded,
    (username, name): (&str, &str),
    mode: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE bots SET state = 'live', problem = NULL, username = $3, name = $4, mode = $5, changed_at = $6
        WHERE tenant_id = $1 AND bot_id = $2
        "#,
        event.tenant,
        event.aggregate_id,
        username,
        name,
        mode,
        event.recorded_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn stand(
    db: &mut PgConnection,
    event: &Recorded,
    state: BotState,
    problem: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE bots SET state = $3, problem = $4, changed_at = $5 WHERE tenant_id = $1 AND bot_id = $2
        "#,
        event.tenant,
        event.aggregate_id,
        state.name(),
        problem,
        event.recorded_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn forget(db: &mut PgConnection, event: &Recorded) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM bots WHERE tenant_id = $1 AND bot_id = $2",
        event.tenant,
        event.aggregate_id,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The bot of a campaign.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_campaign(pool: &PgPool, campaign: Uuid) -> sqlx::Result<Option<BotRow>> {
    sqlx::query_as!(
        BotRow,
        r#"
        SELECT tenant_id, bot_id, state, problem, token_sealed, hook_id, secret_sealed, secret_sha256,
               username, name, mode
        FROM bots WHERE tenant_id = $1
        "#,
        campaign,
    )
    .fetch_optional(pool)
    .await
}

/// The bot of a webhook.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_hook(pool: &PgPool, hook_id: &str) -> sqlx::Result<Option<BotRow>> {
    sqlx::query_as!(
        BotRow,
        r#"
        SELECT tenant_id, bot_id, state, problem, token_sealed, hook_id, secret_sealed, secret_sha256,
               username, name, mode
        FROM bots WHERE hook_id = $1
        "#,
        hook_id,
    )
    .fetch_optional(pool)
    .await
}

/// All bots.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn all(pool: &PgPool) -> sqlx::Result<Vec<BotRow>> {
    sqlx::query_as!(
        BotRow,
        r#"
        SELECT tenant_id, bot_id, state, problem, token_sealed, hook_id, secret_sealed, secret_sha256,
               username, name, mode
        FROM bots ORDER BY tenant_id
        "#,
    )
    .fetch_all(pool)
    .await
}
