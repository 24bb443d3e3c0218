//! Reading the record, and what operators do past the panel: both are on record themselves.

use identity_domain::{Operation, OperationEvent, Record, RecordCommand};
use meydan_event_log::{Actor, EventLog, ExecuteError, Meta, PLATFORM, Target};
use uuid::Uuid;

use super::{Identity, Result, impersonation::page_named, step};
use crate::projections::campaigns;

/// How long the same page of the same record, opened by the same session, is the same look: in seconds.
const LOOK: i64 = 15 * 60;

/// How a record is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Staff opens a page of it.
    Opened(String),
    /// A copy is taken away.
    Exported,
}

impl Identity {
    /// Puts on record that the record of a campaign, or of the platform, is read. A page that one session opens over and
    /// over, through whichever gateways, is noted once in a quarter of an hour; every copy is noted. A campaign that was
    /// erased has nobody left who would read of it.
    ///
    /// # Errors
    ///
    /// [`AppError::Malformed`] for what is no page.
    pub async fn note_reading(&self, campaign: Uuid, reading: Reading, meta: &Meta) -> Result<()> {
        let at = self.clock.now();
        let known = campaign == PLATFORM
            || campaigns::find(self.log.pool(), Some(campaign), None).await?.is_some();
        if !known {
            return Ok(());
        }
        let (command, meta) = match reading {
            Reading::Exported => {
                (RecordCommand::Export { at }, step(meta, &format!("{campaign}|export")))
            }
            Reading::Opened(page) => {
                let page = page_named(page)?;
                let session = match &meta.actor {
                    Actor::Account { id, session } => session.unwrap_or(*id),
                    Actor::Citizen { id } => *id,
                    Actor::Service { .. } => PLATFORM,
                };
                let look = format!("{campaign}|{page}|{}", at.unix_timestamp().div_euclid(LOOK));
                let command_id = Uuid::new_v5(&session, look.as_bytes());
                (RecordCommand::Open { page, at }, Meta { command_id, ..meta.clone() })
            }
        };
        let target = Target { tenant: campaign, id: campaign };
        self.log.execute::<Record>(target, command, &meta).await?;
        Ok(())
    }
}

/// Puts on record what operators do: with a campaign, or with the platform by its own id. Says whether an act of this
/// `id` was not on record yet; none is twice.
///
/// # Errors
///
/// See [`ExecuteError`].
pub async fn note_operation(
    log: &EventLog,
    (tenant, id): (Uuid, Uuid),
    done: OperationEvent,
) -> std::result::Result<bool, ExecuteError<std::convert::Infallible>> {
    let meta = Meta::new(id, Actor::Service { name: "meydan".to_owned() });
    let target = Target { tenant, id: tenant };
    Ok(!log.execute::<Operation>(target, done, &meta).await?.repeated)
}
