//! `campaigns_heard`: which campaigns run, as identity has told. Of one that does not, the bot takes nothing, and says so;
//! answers that were written before wait.

use std::collections::HashMap;

use sqlx::PgPool;
use uuid::Uuid;

use crate::outbound::Own;

/// Where a campaign is that runs. One of which nothing was heard yet does.
const ACTIVE: &str = "active";

/// What was heard of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// It speaks this language. It runs, unless something else was heard before.
    Speaks(&'a str),
    /// It stands here now.
    Stands(&'a str),
    /// It is to be deleted, or stays after all.
    Leaves(bool),
}

/// Writes down what was heard. The same again changes nothing.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn note(pool: &PgPool, campaign: Uuid, heard: Heard<'_>) -> sqlx::Result<()> {
    let (locale, status, leaving) = match heard {
        Heard::Speaks(locale) => (Some(locale), None, None),
        Heard::Stands(status) => (None, Some(status), None),
        Heard::Leaves(leaving) => (None, None, Some(leaving)),
    };
    sqlx::query!(
        r#"
        INSERT INTO campaigns_heard AS c (tenant_id, locale, status, leaving)
        VALUES ($1, coalesce($2, 'fa'), coalesce($3, $5), coalesce($4, false))
        ON CONFLICT (tenant_id) DO UPDATE
        SET locale = coalesce($2, c.locale), status = coalesce($3, c.status), leaving = coalesce($4, c.leaving)
        "#,
        campaign,
        locale,
        status,
        leaving,
        ACTIVE,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Which of these campaigns do not run, and what their bots say then.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn stopped(pool: &PgPool, campaigns: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Own>> {
    let rows = sqlx::query!(
        r#"
        SELECT tenant_id, locale, status IN ('archived', 'deleted') OR leaving AS "over!"
        FROM campaigns_heard WHERE tenant_id = ANY ($1) AND status <> $2
        "#,
        campaigns,
        ACTIVE,
    );
    let rows = rows.fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, Own::of(row.over, &row.locale))).collect())
}
