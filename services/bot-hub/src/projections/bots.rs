//! `bots`: which campaign has which bot, and where it stands; `bots_left`: which bots have to be let go.

use bot_hub_domain::{BotEvent, BotProblem, BotState};
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// One bot, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotRow {
    /// The campaign.
    pub tenant_id: Uuid,
    /// Which Telegram bot it is, by its name in this campaign; `None` until Telegram has told it.
    pub bot_id: Option<Uuid>,
    /// Where it stands.
    pub state: String,
    /// Why it is not live, or not well.
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

/// A bot that was replaced or forgotten, and still has our webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftRow {
    /// The campaign that had it.
    pub tenant_id: Uuid,
    /// Random part of its webhook's path.
    pub hook_id: String,
    /// Which Telegram bot it is, by its name in that campaign.
    pub bot_id: Uuid,
    /// Telegram's number of it.
    pub telegram_id: i64,
    /// From BotFather, sealed.
    pub token_sealed: String,
}

/// Lets the tables reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &BotEvent,
) -> sqlx::Result<()> {
    match fact {
        BotEvent::TokenGiven { token, hook_id, secret, secret_sha256, .. } => {
            let sealed = (token.to_string(), secret.to_string());
            part(db, event).await?;
            connect(db, event, sealed, (hook_id, secret_sha256)).await
        }
        BotEvent::Identified { bot_id, telegram_id, username, name, .. } => {
            identify(db, event, (*bot_id, *telegram_id), (username, name)).await
        }
        BotEvent::WentLive { mode, .. } => {
            let mode = serde_json::to_value(mode).expect("a mode is a word");
            stand(db, event, BotState::Live, (None, mode.as_str())).await
        }
        BotEvent::Failed { problem, .. } => {
            stand(db, event, BotState::Failed, (Some(name_of(*problem).as_str()), None)).await
        }
        BotEvent::Troubled { problem, .. } => {
            stand(db, event, BotState::Live, (Some(name_of(*problem).as_str()), None)).await
        }
        BotEvent::Recovered { .. } => stand(db, event, BotState::Live, (None, None)).await,
        BotEvent::Revoked { .. } => {
            stand(db, event, BotState::Revoked, (Some("token_revoked"), None)).await
        }
        BotEvent::CheckAsked { .. } => stand(db, event, BotState::Connecting, (None, None)).await,
        BotEvent::Disconnected { .. } => {
            part(db, event).await?;
            forget(db, event).await
        }
        BotEvent::Left { hook_id, .. } => leave(db, hook_id).await,
    }
}

fn name_of(problem: BotProblem) -> String {
    let problem = serde_json::to_value(problem).expect("a problem is a word");
    problem.as_str().unwrap_or_default().to_owned()
}

/// Notes that a campaign's present bot has to be left, if Telegram ever heard of its webhook.
async fn part(db: &mut PgConnection, event: &Recorded) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO bots_left (tenant_id, hook_id, bot_id, telegram_id, token_sealed)
        SELECT tenant_id, hook_id, bot_id, telegram_id, token_sealed
        FROM bots WHERE tenant_id = $1 AND bot_id IS NOT NULL AND telegram_id IS NOT NULL
        "#,
        event.tenant,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn leave(db: &mut PgConnection, hook_id: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM bots_left WHERE hook_id = $1", hook_id).execute(db).await?;
    Ok(())
}

async fn connect(
    db: &mut PgConnection,
    event: &Recorded,
    (token, secret): (String, String),
    (hook_id, secret_sha256): (&str, &str),
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO bots (tenant_id, state, token_sealed, hook_id, secret_sealed, secret_sha256, changed_at)
        VALUES ($1, 'connecting', $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id) DO UPDATE
        SET state = 'connecting', problem = NULL, token_sealed = $2, hook_id = $3, secret_sealed = $4,
            secret_sha256 = $5, bot_id = NULL, telegram_id = NULL, username = '', name = '', mode = NULL,
            changed_at = $6
        "#,
        event.tenant,
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

async fn identify(
    db: &mut PgConnection,
    event: &Recorded,
    (bot_id, telegram_id): (Uuid, i64),
    (username, name): (&str, &str),
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE bots SET bot_id = $2, telegram_id = $3, username = $4, name = $5, changed_at = $6
        WHERE tenant_id = $1
        "#,
        event.tenant,
        bot_id,
        telegram_id,
        username,
        name,
        event.recorded_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes where a bot stands now; the way of its updates stays when none is told.
async fn stand(
    db: &mut PgConnection,
    event: &Recorded,
    state: BotState,
    (problem, mode): (Option<&str>, Option<&str>),
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE bots SET state = $2, problem = $3, mode = coalesce($4, mode), changed_at = $5
        WHERE tenant_id = $1
        "#,
        event.tenant,
        state.name(),
        problem,
        mode,
        event.recorded_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn forget(db: &mut PgConnection, event: &Recorded) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM bots WHERE tenant_id = $1", event.tenant).execute(db).await?;
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

/// The bot of a webhook that Telegram may call: one that the campaign holds, and that is at work.
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
        FROM bots WHERE hook_id = $1 AND bot_id IS NOT NULL AND state IN ('connecting', 'live')
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

/// All bots that have to be left.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn left(pool: &PgPool) -> sqlx::Result<Vec<LeftRow>> {
    sqlx::query_as!(
        LeftRow,
        r#"
        SELECT tenant_id, hook_id, bot_id, telegram_id, token_sealed FROM bots_left
        ORDER BY tenant_id, hook_id
        "#,
    )
    .fetch_all(pool)
    .await
}
