//! The scenarios: what is broken, and what must be seen while it is.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use meydan_event_log::{compare, recover_from_stream};
use sqlx::Connection;
use std::time::Duration;

use super::{
    crew::Worker,
    ground::{Ground, NATS, POSTGRES, copy},
};
use crate::counter::keys_of;

/// What can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Program, PostgreSQL and NATS are killed at random.
    Killed,
    /// The leader's lock is taken from it again and again, so that two relays publish at once.
    TwoRelays,
    /// The relay sleeps for half a minute, while another one leads, and wakes up.
    RelayPaused,
    /// The store of JetStream is deleted.
    StreamLost,
    /// The last third of the stream is cut off.
    StreamCut,
    /// The disk of PostgreSQL is full.
    PostgresFull,
    /// The disk of NATS is full.
    NatsFull,
    /// Transactions stay open, in another database and beside the log.
    LongTransaction,
    /// Every command comes from two processes, several times and in another order.
    Repeated,
    /// PostgreSQL is restored to an earlier backup.
    Restored,
}

/// What came of a scenario.
pub(super) enum Played {
    Kept(Figures),
    Skipped(String),
}

/// How much there was.
pub(super) struct Figures {
    pub(super) events: u64,
    pub(super) acknowledged: u64,
    pub(super) faults: u64,
    pub(super) note: String,
}

impl Scenario {
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value().expect("no scenario is hidden");
        value.get_name().to_owned()
    }

    /// Which server has a small disk, and of how many megabytes.
    pub(super) const fn disk(self) -> Option<(&'static str, u32)> {
        match self {
            Self::PostgresFull => Some((POSTGRES, 768)),
            Self::NatsFull => Some((NATS, 320)),
            _ => None,
        }
    }

    /// Injects the faults; ends without clients, and says what was seen.
    pub(super) async fn play(self, ground: &mut Ground) -> Result<String> {
        match self {
            Self::Killed => killed(ground).await,
            Self::TwoRelays => two_relays(ground).await,
            Self::RelayPaused => relay_paused(ground).await,
            Self::StreamLost => stream_lost(ground).await,
            Self::StreamCut => stream_cut(ground).await,
            Self::PostgresFull => postgres_full(ground).await,
            Self::NatsFull => nats_full(ground).await,
            Self::LongTransaction => long_transaction(ground).await,
            Self::Repeated => repeated(ground).await,
            Self::Restored => restored(ground).await,
        }
    }
}

async fn end(crew: impl IntoIterator<Item = Worker>) -> Result<()> {
    for worker in crew {
        worker.end().await?;
    }
    Ok(())
}

/// How often each of program, PostgreSQL and NATS is killed, at least.
const KILLS: u32 = 5;

async fn killed(ground: &mut Ground) -> Result<String> {
    let mut crew = vec![ground.hire()?, ground.hire()?];
    let mut kills = [0; 3];
    while ground.goes_on().await? || kills.iter().any(|times| *times < KILLS) {
        ground.wait(300..2_500).await;
        let victim = ground.dice.usize(..3);
        kills[victim] += 1;
        match victim {
            0 => {
                let place = ground.dice.usize(..crew.len());
                crew.swap_remove(place).kill().await?;
                ground.faults += 1;
                crew.push(ground.hire()?);
            }
            1 => ground.crash_postgres().await?,
            _ => ground.crash_nats().await?,
        }
    }
    end(crew).await?;
    let [program, postgres, nats] = kills;
    Ok(format!("program {program}, PostgreSQL {postgres}, NATS {nats} times"))
}

/// Sessions that hold the lock of a relay.
const LEADING: &str =
    "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7101)";

async fn two_relays(ground: &mut Ground) -> Result<String> {
    let crew = [ground.hire()?, ground.hire()?, ground.hire()?];
    // A message alone is refused for its place, one in a batch as a repeat.
    let refused =
        |ground: &Ground| ground.said("wrong last sequence") + ground.said("duplicate message id");
    while ground.goes_on().await? || (refused(ground) == 0 && ground.faults < 30) {
        // The one who lost it notices within a second, and publishes until then.
        ground.wait(200..1_400).await;
        ground.end_sessions(LEADING).await?;
    }
    end(crew).await?;
    let refused = refused(ground);
    ensure!(refused > 0, "two relays never met");
    Ok(format!("the stream refused a rival {refused} times"))
}

async fn relay_paused(ground: &mut Ground) -> Result<String> {
    let first = ground.hire()?;
    ground.until("the first leader", async || Ok(ground.published().await? > 1_000)).await?;
    let second = ground.hire()?;
    ground.until_percent(20).await?;
    first.pause()?;
    ground.faults += 1;
    let slept = ground.published().await?;
    // PostgreSQL does not notice that a client sleeps; a failover, or an operator, does.
    ground.end_sessions(&format!("application_name = '{}'", first.name)).await?;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let led = ground.published().await? - slept;
    ensure!(led > 0, "nobody took over");
    first.wake()?;
    while ground.goes_on().await? {
        ground.wait(100..200).await;
    }
    end([first, second]).await?;
    Ok(format!("another relay published {led} meanwhile"))
}

async fn stream_lost(ground: &mut Ground) -> Result<String> {
    let crew = [ground.hire()?, ground.hire()?];
    for percent in [30, 60, 90] {
        ground.until_percent(percent).await?;
        ground.nats.kill_nats().await;
        std::fs::remove_dir_all(ground.stream_data())?;
        ground.faults += 1;
        ground.nats.restart(|_| {}).await?;
    }
    ground.until_percent(100).await?;
    end(crew).await?;
    Ok("deleted three times and made again".to_owned())
}

async fn stream_cut(ground: &mut Ground) -> Result<String> {
    let crew = [ground.hire()?, ground.hire()?];
    let mut cut = 0;
    for percent in [40, 66] {
        let begun = ground.share(percent);
        ground.until("the stream", async || Ok(ground.published().await? >= begun)).await?;
        ground.nats.kill_nats().await;
        copy(&ground.stream_data(), &ground.aside())?;
        ground.nats.restart(|_| {}).await?;
        let kept = ground.published().await?;
        let goal = kept * 3 / 2;
        ground.until("half as much more", async || Ok(ground.published().await? >= goal)).await?;
        let lost = ground.published().await?;
        ground.nats.kill_nats().await;
        copy(&ground.aside(), &ground.stream_data())?;
        ground.faults += 1;
        ground.nats.restart(|_| {}).await?;
        // A relay that is quick has begun to fill it up.
        let now = ground.published().await?;
        ensure!((kept..lost).contains(&now), "the stream is not cut: {kept}, {now}, {lost}");
        cut += lost - kept;
    }
    end(crew).await?;
    Ok(format!("{cut} messages cut off and published again"))
}

/// Waits until the log, or the stream, has stood still for a second.
async fn standstill(ground: &Ground, of_stream: bool) -> Result<()> {
    let at = async || if of_stream { ground.published().await } else { ground.recorded().await };
    ground
        .until("a standstill", async || {
            let before = at().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            // A server that does not answer stands still, too.
            let (Ok(before), Ok(after)) = (before, at().await) else { return Ok(true) };
            Ok(before == after)
        })
        .await
}

async fn postgres_full(ground: &mut Ground) -> Result<String> {
    let crew = [ground.hire()?, ground.hire()?];
    for percent in [15, 35, 60] {
        ground.until_percent(percent).await?;
        ground.disk.as_ref().context("there is a small disk")?.fill()?;
        ground.faults += 1;
        standstill(ground, false).await?;
        ground.wait(500..2_000).await;
        ground.disk.as_ref().context("there is a small disk")?.make_room()?;
        // It has panicked, or has not: either way it is started anew, as an operator would.
        ground.postgres.kill_postgres().await;
        ground.postgres.restart(|_| {}).await?;
        let mut owner = ground.owner(None).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut owner).await?;
        owner.close().await?;
    }
    ground.until_percent(80).await?;
    end(crew).await?;
    Ok("full three times".to_owned())
}

async fn nats_full(ground: &mut Ground) -> Result<String> {
    let crew = [ground.hire()?, ground.hire()?];
    for percent in [15, 40, 65] {
        ground.until_percent(percent).await?;
        ground.disk.as_ref().context("there is a small disk")?.fill()?;
        ground.faults += 1;
        standstill(ground, true).await?;
        ground.wait(500..2_000).await;
        ground.disk.as_ref().context("there is a small disk")?.make_room()?;
        ground.nats.kill_nats().await;
        ground.nats.restart(|_| {}).await?;
    }
    ground.until_percent(100).await?;
    end(crew).await?;
    Ok("full three times".to_owned())
}

async fn long_transaction(ground: &mut Ground) -> Result<String> {
    let crew = [ground.hire()?, ground.hire()?];
    ground.until_percent(10).await?;
    let mut elsewhere = ground.owner(Some("postgres")).await?;
    sqlx::raw_sql("BEGIN; CREATE TABLE long (); SELECT pg_current_xact_id()")
        .execute(&mut elsewhere)
        .await?;
    let mut beside = ground.owner(None).await?;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE long (); SELECT count(*) FROM es.events")
        .execute(&mut beside)
        .await?;
    ground.faults += 2;
    let end_of_load = ground.until_percent(100).await?;
    // All of it passes while they are open.
    ground.until("the stream", async || Ok(ground.published().await? >= end_of_load)).await?;
    for session in [&mut elsewhere, &mut beside] {
        sqlx::raw_sql("ROLLBACK").execute(session).await?;
    }
    end(crew).await?;
    Ok("log and stream went on while they were open".to_owned())
}

async fn repeated(ground: &mut Ground) -> Result<String> {
    let seed = ground.dice.u64(..);
    let mut crew = vec![];
    for _ in 0..2 {
        let order = ground.dice.u64(..);
        crew.push(ground.hire_for(seed, order)?);
    }
    ground.until_percent(50).await?;
    // A third one begins with what the others asked long ago.
    let order = ground.dice.u64(..);
    crew.push(ground.hire_for(seed, order)?);
    ground.until_percent(100).await?;
    ground.faults += 1;
    end(crew).await?;
    Ok("three processes, the same commands".to_owned())
}

async fn restored(ground: &mut Ground) -> Result<String> {
    let crew = [ground.hire()?, ground.hire()?];
    ground.until_percent(40).await?;
    ground.postgres.kill_postgres().await;
    copy(&ground.postgres_data(), &ground.aside())?;
    ground.postgres.restart(|_| {}).await?;
    ground.until_percent(70).await?;
    end(crew).await?;
    ground.settle().await?;
    let all = ground.recorded().await?;
    ground.postgres.kill_postgres().await;
    copy(&ground.aside(), &ground.postgres_data())?;
    ground.faults += 1;
    ground.postgres.restart(|_| {}).await?;
    let backup = ground.recorded().await?;
    ensure!(backup < all, "the backup lacks nothing");
    // The relay stands still rather than mixing two pasts, until an operator has acted. The others wait: a
    // policy that has more to answer than before would write another past.
    let relay = ground.hire_relay()?;
    ground.until("the halt", async || Ok(ground.said("relay stands still") > 0)).await?;
    ensure!(ground.published().await? == all, "the relay has published");
    let log = ground.log().await?;
    let standing = compare(&log, &ground.jetstream, 0, |_, _| {}).await?;
    ensure!(standing.differs_at.is_none(), "log and stream differ: {standing:?}");
    let back = recover_from_stream(&log, &ground.jetstream, 0, keys_of, |_, _| {}, async || Ok(()))
        .await?;
    ensure!(back == all - backup, "{back} of {} came back", all - backup);
    log.pool().close().await;
    end([relay]).await?;
    // New clients quarrel about the same keys, also about those that were taken in the lost time.
    let crew = [ground.hire()?, ground.hire()?];
    ground.until_percent(100).await?;
    end(crew).await?;
    Ok(format!("{back} facts came back from the stream"))
}
