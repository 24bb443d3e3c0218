//! Erasing a person beside a long log and many keys, while the platform runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use meydan_testkit::process::Ground;
use serde_json::Value;
use sqlx::{PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

/// Facts, and keys, of other people.
pub(crate) const OTHERS: i64 = 1_000_000;

/// Times `meydan erase` of one of the citizens who have written, from the start of the command to its end; and before,
/// until every reader has read what the others did.
pub(crate) async fn measure(program: &str, ground: &Ground) -> Result<[Duration; 2]> {
    let crm = database(ground, "crm").await?;
    let someone = "SELECT tenant_id, citizen_id FROM tickets ORDER BY number LIMIT 1";
    let (campaign, citizen): (Uuid, Uuid) = sqlx::query_as(someone).fetch_one(&crm).await?;
    fill(&crm, &database(ground, "keys").await?, campaign).await?;
    let came = Instant::now();
    digested(program, ground).await?;
    let read = came.elapsed();
    let (campaign, citizen) = (campaign.to_string(), citizen.to_string());
    let began = Instant::now();
    let erase = ["erase", "--campaign", &campaign, "--subject", &citizen, "--yes"];
    ground.run(program, &erase).await.map_err(Error::msg)?;
    Ok([began.elapsed(), read])
}

/// Waits until every reader has read the facts: a million that come at once are work for minutes, which is not the
/// erasing.
async fn digested(program: &str, ground: &Ground) -> Result<()> {
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    loop {
        looks.tick().await;
        let listed = ground.run(program, &["projection", "list", "--json"]).await;
        let readers: Value = serde_json::from_str(&listed.map_err(Error::msg)?)?;
        let behind = |reader: &Value| reader["behind"].as_i64().unwrap_or_default();
        if readers.as_array().context("it is a list")?.iter().all(|reader| behind(reader) == 0) {
            return Ok(());
        }
    }
}

async fn database(ground: &Ground, name: &str) -> Result<PgPool> {
    let server = ground.settings.get("MEYDAN_DATABASE_URL").context("it is set")?;
    let mut url = url::Url::parse(server)?;
    url.set_path(&format!("{}{name}", ground.prefix()));
    Ok(PgPoolOptions::new().max_connections(1).connect(url.as_str()).await?)
}

/// Lets other citizens have come before: their facts, rows and keys. The relay publishes them meanwhile.
async fn fill(crm: &PgPool, keys: &PgPool, campaign: Uuid) -> Result<()> {
    let mut tx = crm.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(7100, 0)").execute(&mut *tx).await?;
    let facts = sqlx::query(
        r"
        INSERT INTO es.events (part, position, tenant_id, aggregate_type, aggregate_id, sequence, event_id,
                               event_type, event_version, payload, meta)
        SELECT 0, base.position + n, $1, 'citizen', gen_random_uuid(), 1, gen_random_uuid(), 'citizen.met', 1,
               json_build_object('type', 'citizen.met', 'person',
                 's1.' || replace(gen_random_uuid()::text, '-', '') || '.' || repeat('A', 120),
                 'fingerprint', 'x', 'at', '2026-11-20T12:00:00Z'),
               json_build_object('command_id', gen_random_uuid(), 'correlation_id', gen_random_uuid(),
                 'actor', json_build_object('kind', 'service', 'name', 'bench'))
        FROM generate_series(1, $2) n, (SELECT max(position) AS position FROM es.events) base
        ",
    );
    facts.bind(campaign).bind(OTHERS).execute(&mut *tx).await?;
    // As if the read model had digested them.
    let rows = sqlx::raw_sql(
        "UPDATE es.checkpoints SET position = (SELECT max(position) FROM es.events) WHERE reader = 'inbox';
         INSERT INTO citizens (tenant_id, citizen_id, person_sealed, first_seen, last_seen)
         SELECT tenant_id, aggregate_id, payload->>'person', recorded_at, recorded_at FROM es.events
         WHERE event_type = 'citizen.met' ON CONFLICT DO NOTHING",
    );
    rows.execute(&mut *tx).await?;
    tx.commit().await?;
    let mut tx = keys.begin().await?;
    // Whoever makes one key takes a lock for whom it is, and these are a million.
    sqlx::raw_sql("SET LOCAL session_replication_role = replica").execute(&mut *tx).await?;
    let rows = sqlx::query(
        r"
        INSERT INTO subject_keys (tenant_id, subject_id, key_id, wrapped, campaign_version, fingerprint)
        SELECT $1, gen_random_uuid(), gen_random_uuid(), decode(repeat('00', 60), 'hex'), 1, '\x00'
        FROM generate_series(1, $2)
        ",
    );
    rows.bind(campaign).bind(OTHERS).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}
