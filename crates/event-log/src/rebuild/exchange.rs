//! Puts tables that were grown in the place of those in use, and back.

use std::error::Error;

use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::{GROWN, Rebuild, RebuildError, position, run};
use crate::projection::{Chain, Projection};

/// How far the new tables may be behind the old ones, which rest while that is made up.
const BEHIND: i64 = 5_000;

impl Rebuild {
    /// Puts the new tables in the place of the old ones, in one transaction, when they reflect as much. Those that
    /// lack aggregates which the old ones have are put there only `over_parked`. `before` comes last before anybody
    /// sees them, and may not ask for the tables.
    ///
    /// # Errors
    ///
    /// [`RebuildError::NotBegun`] when nothing was built, [`RebuildError::Unfinished`] and
    /// [`RebuildError::Behind`] when too much is missing, [`RebuildError::Lacks`] when an aggregate is, and
    /// [`RebuildError::Stay`] when `before` fails.
    pub async fn switch<P: Projection>(
        &self,
        projection: P,
        over_parked: bool,
        before: impl AsyncFnOnce() -> Result<(), Box<dyn Error + Send + Sync>>,
    ) -> Result<(), RebuildError> {
        let (next, previous) = (self.next(), self.previous());
        let mut owner = self.claim(&next).await?;
        let mut tx = self.hold(&mut owner, &[self.name]).await?;
        let mark = self.require(&mut tx, &next, RebuildError::NotBegun).await?;
        if mark.as_deref() != Some(GROWN) {
            return Err(RebuildError::Unfinished(self.log.context()));
        }
        let ends = self.served(&mut tx).await?;
        for &(part, serving) in &ends {
            let behind = serving - position(&mut tx, &next, part).await?;
            if behind > BEHIND {
                return Err(RebuildError::Behind(self.log.context(), behind));
            }
        }
        self.grow(&next, projection, &ends, |_, _| {}).await?;
        let lacks = self.lacks().await?;
        if !over_parked && !lacks.is_empty() {
            return Err(RebuildError::Lacks(self.log.context(), lacks));
        }
        run(&mut tx, format!("DROP SCHEMA IF EXISTS {previous} CASCADE")).await?;
        run(&mut tx, format!("CREATE SCHEMA {previous}")).await?;
        self.swap(&mut tx, &next, &previous).await?;
        run(&mut tx, format!("DROP SCHEMA {next} CASCADE")).await?;
        before().await.map_err(RebuildError::Stay)?;
        tx.commit().await?;
        // They are in use, whatever is said of the session after that.
        if let Err(error) = owner.close().await {
            tracing::warn!(error = %Chain(&error), "tables are exchanged, and the session did not end well");
        }
        Ok(())
    }

    /// Puts the tables that were replaced last back in place, and keeps those that were in use. `before` comes last
    /// before anybody sees them, and may not ask for the tables.
    ///
    /// # Errors
    ///
    /// [`RebuildError::NoneKept`] when none are, [`RebuildError::Stay`] when `before` fails.
    pub async fn roll_back(
        &self,
        before: impl AsyncFnOnce() -> Result<(), Box<dyn Error + Send + Sync>>,
    ) -> Result<(), RebuildError> {
        let (kept, aside) = (self.previous(), format!("{}_aside", self.name));
        let mut owner = PgConnection::connect_with(&self.owner).await?;
        let mut tx = self.hold(&mut owner, &[self.name, &kept]).await?;
        self.require(&mut tx, &kept, RebuildError::NoneKept).await?;
        run(&mut tx, format!("CREATE SCHEMA {aside}")).await?;
        self.swap(&mut tx, &kept, &aside).await?;
        run(&mut tx, format!("DROP SCHEMA {kept}")).await?;
        run(&mut tx, format!("ALTER SCHEMA {aside} RENAME TO {kept}")).await?;
        for table in ["checkpoints", "parked"] {
            let rename =
                format!("UPDATE es.{table} SET reader = '{kept}' WHERE reader = '{aside}'");
            run(&mut tx, rename).await?;
        }
        before().await.map_err(RebuildError::Stay)?;
        Ok(tx.commit().await?)
    }

    /// Moves the tables in use to `aside` and those of `from` into their place, with all that belongs to them.
    async fn swap(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        from: &str,
        aside: &str,
    ) -> Result<(), sqlx::Error> {
        for table in self.tables {
            run(tx, format!("ALTER TABLE public.{table} SET SCHEMA {aside}")).await?;
            run(tx, format!("ALTER TABLE {from}.{table} SET SCHEMA public")).await?;
        }
        for table in ["checkpoints", "parked"] {
            let moves = [(aside, None), (self.name, Some(aside)), (from, Some(self.name))];
            for (reader, to) in moves {
                run(
                    tx,
                    match to {
                        None => format!("DELETE FROM es.{table} WHERE reader = '{reader}'"),
                        Some(to) => format!(
                            "UPDATE es.{table} SET reader = '{to}' WHERE reader = '{reader}'"
                        ),
                    },
                )
                .await?;
            }
        }
        Ok(())
    }
}
