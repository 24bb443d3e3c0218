//! The numbers of the candidate's home page, counted from the inbox's tables when they are asked for.

use sqlx::PgPool;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// What happened on one day.
#[derive(Debug, Clone, PartialEq)]
pub struct DayRow {
    /// The day, in the campaign's time zone.
    pub day: Date,
    /// Tickets opened.
    pub tickets: i64,
    /// Citizens who came for the first time.
    pub citizens: i64,
    /// Answers written.
    pub answers: i64,
    /// Median minutes to the first answer, of the tickets opened that day and answered.
    pub first_response: Option<f64>,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// Tickets whose citizen waits.
    pub unanswered: i64,
    /// Since when the one who waits longest does.
    pub oldest_waiting: Option<OffsetDateTime>,
    /// Tickets with an answer that did not arrive, or may not have.
    pub undelivered: i64,
    /// Tickets ever opened.
    pub tickets: i64,
    /// Citizens ever met.
    pub citizens: i64,
    /// Answers ever written.
    pub answers: i64,
}

/// How things stand in a campaign.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn totals(pool: &PgPool, tenant: Uuid) -> sqlx::Result<Totals> {
    sqlx::query_as!(
        Totals,
        r#"
        SELECT count(waiting_since) AS "unanswered!", min(waiting_since) AS oldest_waiting,
               count(*) FILTER (WHERE undelivered > 0) AS "undelivered!", count(*) AS "tickets!",
               (SELECT count(*) FROM citizens WHERE tenant_id = $1) AS "citizens!",
               (SELECT count(*) FROM messages WHERE tenant_id = $1 AND NOT incoming) AS "answers!"
        FROM tickets WHERE tenant_id = $1
        "#,
        tenant,
    )
    .fetch_one(pool)
    .await
}

/// The days from `from` to `to`, both included, in the time zone `zone`.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn days(
    pool: &PgPool,
    tenant: Uuid,
    (from, to): (Date, Date),
    zone: &str,
) -> sqlx::Result<Vec<DayRow>> {
    sqlx::query_as!(
        DayRow,
        r#"
        WITH days AS (SELECT d::date AS day FROM generate_series($2::date, $3::date, '1 day') d),
        opened AS (
          SELECT (opened_at AT TIME ZONE $4)::date AS day, count(*) AS tickets,
                 percentile_cont(0.5) WITHIN GROUP (
                   ORDER BY extract(epoch FROM first_answer_at - opened_at)::float8 / 60) AS first_response
          FROM tickets
          WHERE tenant_id = $1 AND opened_at >= $2::date::timestamp AT TIME ZONE $4
          GROUP BY 1),
        met AS (
          SELECT (first_seen AT TIME ZONE $4)::date AS day, count(*) AS citizens FROM citizens
          WHERE tenant_id = $1 AND first_seen >= $2::date::timestamp AT TIME ZONE $4
          GROUP BY 1),
        answered AS (
          SELECT (at AT TIME ZONE $4)::date AS day, count(*) AS answers FROM messages
          WHERE tenant_id = $1 AND NOT incoming AND at >= $2::date::timestamp AT TIME ZONE $4
          GROUP BY 1)
        SELECT days.day AS "day!", coalesce(tickets, 0) AS "tickets!", coalesce(citizens, 0) AS "citizens!",
               coalesce(answers, 0) AS "answers!", first_response
        FROM days LEFT JOIN opened USING (day) LEFT JOIN met USING (day) LEFT JOIN answered USING (day)
        ORDER BY days.day
        "#,
        tenant,
        from,
        to,
        zone,
    )
    .fetch_all(pool)
    .await
}

/// Median minutes to the first answer, of the tickets opened in a span and answered.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn first_response(
    pool: &PgPool,
    tenant: Uuid,
    (from, to): (OffsetDateTime, OffsetDateTime),
) -> sqlx::Result<Option<f64>> {
    sqlx::query_scalar!(
        r#"
        SELECT percentile_cont(0.5) WITHIN GROUP (
                 ORDER BY extract(epoch FROM first_answer_at - opened_at)::float8 / 60)
        FROM tickets
        WHERE tenant_id = $1 AND opened_at >= $2 AND opened_at < $3 AND first_answer_at IS NOT NULL
        "#,
        tenant,
        from,
        to,
    )
    .fetch_one(pool)
    .await
}
