//! How fast a log becomes entries, and how fast they are verified: `cargo run --package audit --example measure`.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use audit::{note::Notary, record::record, verify::Evidence};
use meydan_event_log::{EventLog, MIGRATOR, prepare_database, service_pool};
use meydan_testkit::servers::{folder, postgres, prefix};
use sqlx::PgPool;

/// Facts of ten campaigns in turn, as large as those of conversations.
const FACTS: &str = r"
    INSERT INTO es.events (part, position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type,
                           event_version, payload, meta)
    SELECT 0, n, ('00000000-0000-0000-0000-00000000000' || n % 10)::uuid, 'ticket', gen_random_uuid(), 1,
           gen_random_uuid(), 'ticket.message_received', 1,
           json_build_object('type', 'ticket.message_received', 'message_id', gen_random_uuid(),
                             'body', 's1.00000000000000000000000000000007.' || repeat('A', 200), 'kind', 'text'),
           json_build_object('command_id', gen_random_uuid(), 'correlation_id', gen_random_uuid(),
                             'actor', json_build_object('kind', 'citizen', 'id', gen_random_uuid()))
    FROM generate_series(1, $1) n";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: i64 = std::env::args().nth(1).map_or(Ok(200_000), |count| count.parse())?;
    let (prefix, secrets) = (prefix(), folder());
    let url = prepare_database(postgres(), &format!("{prefix}crm"), &[&MIGRATOR]).await?;
    let owner = PgPool::connect(&url).await?;
    sqlx::query(FACTS).bind(count).execute(&owner).await?;
    let log = EventLog::open("crm", &url, 4).await?;
    let audit = audit::migrate(postgres(), &prefix).await?;
    let entries = service_pool(audit.parse()?, 4).await?;

    let began = Instant::now();
    let mut after = 0;
    loop {
        let events = log.after(0, after, 2_000).await?;
        let Some(last) = events.last().map(|event| event.position) else { break };
        record(&entries, "crm", after, &events).await?;
        after = last;
    }
    say("facts became entries", count, began);

    let notary = Notary::open(&secrets.path().join("audit.pem"))?;
    let began = Instant::now();
    let evidence = Evidence {
        audit: &PgPool::connect(&audit).await?,
        logs: &[("crm", owner)],
        file: &secrets.path().join(audit::FILE),
        copies: None,
        verifier: notary.verifier(),
        tree: None,
    };
    let report = evidence.verify().await?;
    assert_eq!((report.entries, report.findings.len()), (u64::try_from(count)?, 0));
    say("entries were verified", count, began);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told in round numbers")]
fn say(what: &str, count: i64, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    println!("{count} {what} in {seconds:.1} s: {:.0} a second", count as f64 / seconds);
}
