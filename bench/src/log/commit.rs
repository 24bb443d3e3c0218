//! What a command costs whose fact comes to be in the transaction of a row, beside one that leaves with a batch.
//!
//! Each command begins an aggregate of its own, in a log of the platform with the platform's durability.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use anyhow::Result;
use bench_measure::draw;
use futures::future::try_join_all;
use meydan_event_log::{Actor, EventLog, Meta};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    Notebook, TENANT, Take,
    pipeline::{TEXT, log, take, target, url_of},
};
use crate::{SPAN, load::Figures, row};

/// Prints a line for each number of clients and each way.
pub(super) async fn measure(cache: u64) -> Result<()> {
    let log = log("committed", cache).await?;
    let mut owner = PgConnection::connect(url_of("committed")?.as_str()).await?;
    sqlx::raw_sql("CREATE TABLE beside (id uuid PRIMARY KEY); GRANT INSERT ON beside TO PUBLIC")
        .execute(&mut owner)
        .await?;
    let next = AtomicU64::new(0);
    for clients in [1, 16] {
        let batched = closed(clients, &next, |number| take_alone(&log, number)).await?;
        row(&format!("command alone, {clients} at a time"), &batched);
        let together = closed(clients, &next, |number| take_with_row(&log, number)).await?;
        row(&format!("command with a row in one transaction, {clients} at a time"), &together);
    }
    Ok(())
}

async fn take_alone(log: &EventLog, number: u64) -> Result<()> {
    take(log, number, vec![draw(TEXT)]).await.map(drop)
}

async fn take_with_row(log: &EventLog, number: u64) -> Result<()> {
    let meta = Meta::new(Uuid::now_v7(), Actor::Service { name: "bench".to_owned() });
    let mut rows = log.pool().begin().await?;
    sqlx::query("INSERT INTO beside VALUES ($1)").bind(Uuid::now_v7()).execute(&mut *rows).await?;
    let group = log.group(TENANT).ask::<Notebook>(target(number).id, Take(vec![draw(TEXT)]));
    group.commit(rows, &meta).await?;
    Ok(())
}

/// So many clients, each asking again as soon as it is answered.
async fn closed<F: Future<Output = Result<()>>>(
    clients: usize,
    next: &AtomicU64,
    ask: impl Fn(u64) -> F,
) -> Result<Figures> {
    let began = Instant::now();
    let client = async || {
        let mut times = Vec::new();
        while began.elapsed() < SPAN {
            let asked = Instant::now();
            ask(next.fetch_add(1, Ordering::Relaxed)).await?;
            times.push(asked.elapsed());
        }
        anyhow::Ok(times)
    };
    let times = try_join_all((0..clients).map(|_| client())).await?;
    Ok(Figures::new(times.concat(), began.elapsed()))
}
