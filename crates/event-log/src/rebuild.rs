//! Growing a projection's tables anew while the old ones serve.
//!
//! The new tables grow in a schema of their own, `<projection>_next`, from the log, under a checkpoint of their
//! own. When they have caught up, they are marked as grown, and may take over: they take in the last facts while
//! the old ones rest, and one transaction puts them in the place of the old ones, which are kept in
//! `<projection>_previous`, checkpoint and all, until the next rebuild: going back is the same step again.
//! Whoever reads names the tables as ever, and notices nothing.

mod error;
mod exchange;
mod indexes;
mod lacks;

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::watch;

pub use self::error::RebuildError;
use self::indexes::indexes;
use crate::{
    checkpoint::checkpoint,
    log::EventLog,
    projection::{BATCH, Digester, Projection},
};

/// Names the lock of those who grow tables.
const GROWING: i32 = 7_104;
/// How long to wait for the end of those.
const PATIENCE_SECONDS: u8 = 5;
/// PostgreSQL's code for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// Marks a schema whose tables have once reflected the whole log.
const GROWN: &str = "grown";

/// How a table differs from what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Rows that it has and should not have.
    pub extra: i64,
    /// Rows that it should have and has not.
    pub missing: i64,
}

/// Grows the tables of one projection anew.
#[derive(Debug)]
pub struct Rebuild {
    log: EventLog,
    /// Who owns the tables.
    owner: PgConnectOptions,
    name: &'static str,
    tables: &'static [&'static str],
}

impl Rebuild {
    /// Grows the tables of `P` from `log`.
    #[must_use]
    pub fn of<P: Projection>(log: EventLog) -> Self {
        let owner = (*log.pool().connect_options()).clone();
        Self { log, owner, name: P::NAME, tables: P::TABLES }
    }

    fn next(&self) -> String {
        format!("{}_next", self.name)
    }

    fn previous(&self) -> String {
        format!("{}_previous", self.name)
    }

    /// Makes empty tables beside those in use, which keep every index and constraint by name. What an earlier
    /// rebuild left is thrown away.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`].
    pub async fn begin(&self) -> Result<(), RebuildError> {
        let next = self.next();
        let mut owner = self.claim(&next).await?;
        self.make(&mut owner, &next).await?;
        Ok(owner.close().await?)
    }

    /// A session without which nobody else can grow tables in `next`. PostgreSQL may take a moment to notice
    /// that the session of an interrupted command has ended.
    async fn claim(&self, next: &str) -> Result<PgConnection, RebuildError> {
        let mut owner = PgConnection::connect_with(&self.owner).await?;
        run(&mut owner, format!("SET lock_timeout = '{PATIENCE_SECONDS}s'")).await?;
        let claimed = sqlx::query!("SELECT pg_advisory_lock($1, hashtext($2))", GROWING, next);
        claimed.execute(&mut owner).await.map_err(|error| {
            let waited = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            let busy = waited.is_some_and(|code| code == LOCK_NOT_AVAILABLE);
            if busy { RebuildError::Busy(self.log.context()) } else { error.into() }
        })?;
        run(&mut owner, "RESET lock_timeout".to_owned()).await?;
        Ok(owner)
    }

    async fn make(&self, owner: &mut PgConnection, next: &str) -> Result<(), sqlx::Error> {
        let mut tx = owner.begin().await?;
        run(&mut tx, format!("DROP SCHEMA IF EXISTS {next} CASCADE")).await?;
        run(&mut tx, format!("CREATE SCHEMA {next}")).await?;
        for table in self.tables {
            let like = "INCLUDING ALL EXCLUDING INDEXES";
            run(&mut tx, format!("CREATE TABLE {next}.{table} (LIKE public.{table} {like})"))
                .await?;
            for definition in indexes(&mut tx, table, next).await? {
                run(&mut tx, definition).await?;
            }
        }
        run(&mut tx, format!("GRANT USAGE ON SCHEMA {next} TO meydan_service")).await?;
        let rights = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES";
        run(&mut tx, format!("GRANT {rights} IN SCHEMA {next} TO meydan_service")).await?;
        forget_reader(&mut tx, next).await?;
        tx.commit().await
    }

    /// Lets the new tables reflect the log up to its present end; tells `progress` the position reached and
    /// the end, of each partition in turn. Going on after an interruption goes on where it was.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`].
    pub async fn catch_up<P: Projection>(
        &self,
        projection: P,
        progress: impl Fn(i64, i64),
    ) -> Result<(), RebuildError> {
        let next = self.next();
        let mut owner = self.claim(&next).await?;
        self.require(&mut owner, &next, RebuildError::NotBegun).await?;
        self.grow(&next, projection, &self.ends().await?, progress).await?;
        run(&mut owner, format!("COMMENT ON SCHEMA {next} IS '{GROWN}'")).await?;
        Ok(owner.close().await?)
    }

    /// The end of each partition.
    async fn ends(&self) -> Result<Vec<(i16, i64)>, sqlx::Error> {
        let mut ends = Vec::new();
        for part in self.log.parts() {
            ends.push((part, self.log.last_position(part).await?));
        }
        Ok(ends)
    }

    /// How far the tables in use have come in each partition.
    async fn served(&self, session: &mut PgConnection) -> Result<Vec<(i16, i64)>, sqlx::Error> {
        let mut ends = Vec::new();
        for part in self.log.parts() {
            ends.push((part, position(session, self.name, part).await?));
        }
        Ok(ends)
    }

    async fn grow<P: Projection>(
        &self,
        next: &str,
        projection: P,
        ends: &[(i16, i64)],
        progress: impl Fn(i64, i64),
    ) -> Result<(), RebuildError> {
        let pool = self.pool_in(next).await?;
        let mut digester = Digester {
            projection,
            pool: pool.clone(),
            part: 0,
            reader: next.to_owned(),
            tells: false,
            reached: watch::channel(0).0,
        };
        for &(part, end) in ends {
            digester.part = part;
            let mut at = checkpoint(&pool, next, part).await?;
            // The tables that are grown may already be beyond those in use.
            let page = |after: i64| self.log.after(part, after, (end - after).clamp(0, batch()));
            let mut events = page(at).await?;
            while let Some(last) = events.last().map(|event| event.position) {
                progress(at, end);
                // The next page is read while this one is digested.
                let (digested, ahead) =
                    tokio::join!(digester.digest_or_park(at, &events), page(last));
                digested?;
                (at, events) = (last, ahead?);
            }
            progress(at, end);
        }
        pool.close().await;
        Ok(())
    }

    /// Sessions that see the new tables under their own names.
    async fn pool_in(&self, schema: &str) -> Result<PgPool, sqlx::Error> {
        let owner = self.owner.clone().options([("search_path", format!("{schema},public"))]);
        PgPoolOptions::new().max_connections(2).connect_with(owner).await
    }

    /// Compares the tables in use with what the log says they should hold, up to where they are: for each table, how
    /// many rows it has too much, and how many it lacks. The projection rests while the last facts are taken in, and
    /// goes on while rows are compared.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`].
    pub async fn verify<P: Projection>(
        &self,
        projections: [P; 2],
        progress: impl Fn(i64, i64),
    ) -> Result<Vec<Difference>, RebuildError> {
        let [first, last] = projections;
        // Beside a rebuild, too: what that has grown waits to be put in place.
        let next = format!("{}_verify", self.name);
        let mut owner = self.claim(&next).await?;
        self.make(&mut owner, &next).await?;
        let served = self.served(&mut owner).await?;
        self.grow(&next, first, &served, progress).await?;
        let mut resting = self.hold(&mut owner, &[self.name]).await?;
        let served = self.served(&mut resting).await?;
        self.grow(&next, last, &served, |_, _| {}).await?;
        let mut session = PgConnection::connect_with(&self.owner).await?;
        let mut seen = session.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        // Nobody exchanges them, and from here on it sees both as they are now.
        for table in self.tables {
            run(&mut seen, format!("LOCK TABLE public.{table} IN ACCESS SHARE MODE")).await?;
        }
        run(&mut seen, "SELECT 1".to_owned()).await?;
        resting.rollback().await?;
        let mut differences = Vec::new();
        for table in self.tables {
            let extra = rows_only_in(&mut seen, ("public", &next), table).await?;
            let missing = rows_only_in(&mut seen, (&next, "public"), table).await?;
            differences.push(Difference { table, extra, missing });
        }
        seen.commit().await?;
        session.close().await?;
        let mut tx = owner.begin().await?;
        run(&mut tx, format!("DROP SCHEMA {next} CASCADE")).await?;
        forget_reader(&mut tx, &next).await?;
        tx.commit().await?;
        owner.close().await?;
        Ok(differences)
    }

    /// Begins a transaction in which these readers cannot move.
    async fn hold<'a>(
        &self,
        owner: &'a mut PgConnection,
        readers: &[&str],
    ) -> Result<Transaction<'a, Postgres>, sqlx::Error> {
        let mut tx = owner.begin().await?;
        run(&mut tx, "SET LOCAL lock_timeout = '10s'".to_owned()).await?;
        let readers = readers.iter().map(|&reader| reader.to_owned()).collect::<Vec<_>>();
        sqlx::query!(
            "SELECT position FROM es.checkpoints WHERE reader = ANY ($1) ORDER BY reader, part FOR UPDATE",
            &readers,
        )
        .fetch_all(&mut *tx)
        .await?;
        Ok(tx)
    }

    /// Fails with `why` when there are no tables in `schema`; tells how it is marked.
    async fn require(
        &self,
        tx: &mut PgConnection,
        schema: &str,
        why: fn(&'static str) -> RebuildError,
    ) -> Result<Option<String>, RebuildError> {
        let mark = sqlx::query_scalar!(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = $1",
            schema,
        );
        mark.fetch_optional(tx).await?.ok_or_else(|| why(self.log.context()))
    }
}

/// Forgets how far a reader was, and what it parked.
async fn forget_reader(tx: &mut PgConnection, reader: &str) -> Result<(), sqlx::Error> {
    for table in ["checkpoints", "parked"] {
        run(tx, format!("DELETE FROM es.{table} WHERE reader = '{reader}'")).await?;
    }
    Ok(())
}

async fn rows_only_in(
    tx: &mut PgConnection,
    (here, there): (&str, &str),
    table: &str,
) -> Result<i64, sqlx::Error> {
    // As text, because not every type can be compared.
    let rows = |schema: &str| format!("SELECT t::text FROM {schema}.{table} t");
    let (here, there) = (rows(here), rows(there));
    let count = format!("SELECT count(*) FROM ({here} EXCEPT ALL {there}) only_here");
    sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(tx).await
}

fn batch() -> i64 {
    i64::try_from(BATCH).expect("it is small")
}

async fn position(tx: &mut PgConnection, reader: &str, part: i16) -> Result<i64, sqlx::Error> {
    let at = sqlx::query_scalar!(
        "SELECT position FROM es.checkpoints WHERE reader = $1 AND part = $2",
        reader,
        part,
    );
    Ok(at.fetch_optional(tx).await?.unwrap_or(0))
}

/// Runs a statement made of names that stand in the program.
async fn run(tx: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(tx).await.map(|_| ())
}
