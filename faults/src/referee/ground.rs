//! What a scenario happens on: servers, a database with a log, workers, dice.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use async_nats::jetstream;
use meydan_event_log::{
    EventLog, MIGRATOR, Policy, Projection, checkpoint, prepare_database, stream_name,
};
use meydan_runtime::{LocalServers, Options as Servers};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;

use super::{
    Options,
    crew::{Crew, Terms, Worker},
    disk::Disk,
    scenarios::{Figures, Played, Scenario},
    verdict,
};
use crate::{
    broker,
    mirror::WhenAddedMirror,
    sums::{Copies, Sums, TABLES},
    worker::CONTEXT,
};

/// Room to insist on, in bytes: disks are small here.
const ROOM: u64 = 64 << 20;
/// How long the load of a scenario may last.
const LOAD: Duration = Duration::from_secs(300);
/// How long anything may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often to look.
const LOOK: Duration = Duration::from_millis(50);

/// Where a scenario happens.
pub(super) struct Ground {
    /// Removed at the end; kept when a promise was broken.
    folder: TempDir,
    /// Declared before the servers' data would be removed.
    pub(super) disk: Option<Disk>,
    pub(super) postgres: LocalServers,
    pub(super) nats: LocalServers,
    crew: Crew,
    database: String,
    broker: String,
    watch: PgPool,
    pub(super) jetstream: jetstream::Context,
    pub(super) dice: fastrand::Rng,
    pub(super) faults: u64,
    began: Instant,
    events: i64,
}

impl Ground {
    /// Plays a scenario and judges it.
    pub(super) async fn play(scenario: Scenario, options: &Options) -> Result<Played> {
        let mut folder = TempDir::with_prefix("meydan-faults-")?;
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open)?;
        let disk = match scenario.disk() {
            None => None,
            Some((server, megabytes)) => {
                match Disk::mount(&folder.path().join(server), megabytes) {
                    Ok(disk) => Some(disk),
                    Err(error) => {
                        return Ok(Played::Skipped(format!(
                            "no small disk can be mounted: {error}"
                        )));
                    }
                }
            }
        };
        folder.disable_cleanup(true);
        let kept = folder.path().to_owned();
        let mut ground = Self::prepare(folder, disk, options).await?;
        let said = ground.judged(scenario).await;
        ground.folder.disable_cleanup(said.is_err());
        ground.clear().await;
        said.map(Played::Kept).with_context(|| format!("its files are in {}", kept.display()))
    }

    async fn judged(&mut self, scenario: Scenario) -> Result<Figures> {
        let note = scenario.play(self).await?;
        self.settle().await.context("the readers do not come to the end")?;
        let log = EventLog::open(CONTEXT, &self.database, 4).await?;
        let journals = self.crew.journals();
        let found = verdict::judge(&log, &self.jetstream, &journals).await?;
        log.pool().close().await;
        ensure!(self.faults > 0, "no fault was injected");
        let (events, acknowledged) = (found.events, found.acknowledged);
        Ok(Figures { events, acknowledged, faults: self.faults, note })
    }

    async fn prepare(folder: TempDir, disk: Option<Disk>, options: &Options) -> Result<Self> {
        let of = |postgres| Servers { postgres, nats: !postgres, room: Some(ROOM) };
        let start = async |name: &str, servers| {
            LocalServers::start(&folder.path().join(name), &options.programs, servers, |_| {}).await
        };
        let postgres = start(POSTGRES, of(true)).await?;
        let nats = start(NATS, of(false)).await?;
        let server = postgres.database_url().context("it was asked for")?;
        let database = prepare_database(&server, "faults", &[&MIGRATOR]).await?;
        let mut owner = PgConnection::connect(&database).await?;
        sqlx::raw_sql(TABLES).execute(&mut owner).await?;
        owner.close().await?;
        let broker = nats.nats_url().context("it was asked for")?;
        let watch = PgPoolOptions::new().max_connections(2).connect_lazy(&database)?;
        Ok(Self {
            crew: Crew::new(folder.path()),
            jetstream: broker::connect(&broker).await?,
            dice: fastrand::Rng::with_seed(options.seed),
            began: Instant::now(),
            events: options.events,
            faults: 0,
            folder,
            disk,
            postgres,
            nats,
            database,
            broker,
            watch,
        })
    }

    async fn clear(self) {
        self.watch.close().await;
        self.nats.stop().await;
        self.postgres.stop().await;
        drop(self.disk);
    }

    /// Starts a worker with clients.
    pub(super) fn hire(&mut self) -> Result<Worker> {
        let (seed, order) = (self.dice.u64(..), self.dice.u64(..));
        self.hire_for(seed, order)
    }

    /// Starts a worker whose clients' commands are those of `seed`, in an order of its own.
    pub(super) fn hire_for(&mut self, seed: u64, order: u64) -> Result<Worker> {
        let enough = 2 * self.events;
        let terms = Terms { clients: 256, seed, order, enough, ..Terms::IDLE };
        self.crew.hire(&self.database, &self.broker, terms)
    }

    /// Starts a worker that publishes, and does nothing that could write.
    pub(super) fn hire_relay(&mut self) -> Result<Worker> {
        self.crew.hire(&self.database, &self.broker, Terms { relay_only: true, ..Terms::IDLE })
    }

    /// How many lines of the workers' own logs hold `words`.
    pub(super) fn said(&self, words: &str) -> usize {
        self.crew.said(words)
    }

    /// The log, as the referee sees it.
    pub(super) async fn log(&self) -> Result<EventLog> {
        Ok(EventLog::open(CONTEXT, &self.database, 2).await?)
    }

    /// A session as the owner, in the database of the log or in another one.
    pub(super) async fn owner(&self, database: Option<&str>) -> Result<PgConnection> {
        let mut url = url::Url::parse(&self.database)?;
        if let Some(database) = database {
            url.set_path(database);
        }
        Ok(PgConnection::connect(url.as_str()).await?)
    }

    /// The last position of the log.
    pub(super) async fn recorded(&self) -> Result<i64> {
        let last = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM es.events");
        Ok(last.fetch_one(&self.watch).await?)
    }

    /// The last position of the stream.
    pub(super) async fn published(&self) -> Result<i64> {
        let stream = self.jetstream.get_stream(stream_name(CONTEXT, 0)).await?;
        Ok(i64::try_from(stream.cached_info().state.last_sequence)?)
    }

    /// Whether the scenario has written too little yet; an error when it has had its time.
    pub(super) async fn goes_on(&self) -> Result<bool> {
        let recorded = self.recorded().await?;
        let is_late = recorded < self.events && self.began.elapsed() > LOAD;
        ensure!(!is_late, "{recorded} events in {LOAD:?}, instead of {}", self.events);
        Ok(recorded < self.events)
    }

    /// So many parts of a hundred of what the log is to have.
    pub(super) const fn share(&self, percent: i64) -> i64 {
        self.events * percent / 100
    }

    /// Waits until the log has so many parts of a hundred of what it is to have.
    pub(super) async fn until_percent(&self, percent: i64) -> Result<i64> {
        let goal = self.share(percent);
        self.until("the load", async || Ok(self.recorded().await? >= goal)).await?;
        self.recorded().await
    }

    /// Waits until `is_so`; what fails meanwhile may be the fault that was injected.
    pub(super) async fn until(
        &self,
        what: &str,
        is_so: impl AsyncFn() -> Result<bool>,
    ) -> Result<()> {
        let began = Instant::now();
        loop {
            let said = is_so().await;
            if matches!(said, Ok(true)) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                let (recorded, published) = (self.recorded().await, self.published().await);
                bail!(
                    "{what} does not come about: {said:?}, log {recorded:?}, stream {published:?}"
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lets some time pass, as the dice say.
    pub(super) async fn wait(&mut self, milliseconds: std::ops::Range<u64>) {
        let span = Duration::from_millis(self.dice.u64(milliseconds));
        tokio::time::sleep(span).await;
    }

    /// Kills PostgreSQL and starts it again after a while.
    pub(super) async fn crash_postgres(&mut self) -> Result<()> {
        self.postgres.kill_postgres().await;
        self.wait(0..1_500).await;
        self.faults += 1;
        Ok(self.postgres.restart(|_| {}).await?)
    }

    /// Kills NATS and starts it again after a while.
    pub(super) async fn crash_nats(&mut self) -> Result<()> {
        self.nats.kill_nats().await;
        self.wait(0..1_500).await;
        self.faults += 1;
        Ok(self.nats.restart(|_| {}).await?)
    }

    /// Ends sessions with PostgreSQL, as a failover would; `which` is a condition on `pg_stat_activity`.
    pub(super) async fn end_sessions(&mut self, which: &str) -> Result<u64> {
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = 'faults' AND pid <> pg_backend_pid() AND {which}"
        );
        let ended = sqlx::query(AssertSqlSafe(end)).execute(&self.watch).await?.rows_affected();
        self.faults += u64::from(ended > 0);
        Ok(ended)
    }

    /// The folder of PostgreSQL's data.
    pub(super) fn postgres_data(&self) -> PathBuf {
        self.folder.path().join(POSTGRES).join("data/postgres")
    }

    /// The folder of JetStream's streams.
    pub(super) fn stream_data(&self) -> PathBuf {
        self.folder.path().join(NATS).join("data/nats/jetstream")
    }

    /// Where a copy may be kept.
    pub(super) fn aside(&self) -> PathBuf {
        self.folder.path().join("aside")
    }

    /// Lets the readers come to the end, without clients.
    pub(super) async fn settle(&mut self) -> Result<()> {
        let idle = self.crew.hire(&self.database, &self.broker, Terms::IDLE)?;
        self.until("agreement", async || {
            let last = self.recorded().await?;
            let mut reached = self.published().await?;
            for reader in [Sums::NAME, Copies::NAME, WhenAddedMirror::NAME] {
                reached = reached.min(checkpoint(&self.watch, reader, 0).await?);
            }
            Ok(reached == last && self.recorded().await? == last)
        })
        .await?;
        idle.end().await
    }
}

/// The folder of PostgreSQL, below that of the scenario.
pub(super) const POSTGRES: &str = "postgres";
/// The folder of NATS.
pub(super) const NATS: &str = "nats";

/// Copies a folder with its owners, in place of what is there.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "{} cannot be copied", from.display());
    Ok(())
}
