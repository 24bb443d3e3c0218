//! What tables that were grown anew lack, because it could not be digested on the way.

use std::collections::HashSet;

use super::{Rebuild, RebuildError};
use crate::parked::{Parked, parked};

impl Rebuild {
    /// What the tables that were grown lack and those in use have: aggregates that could not be digested on the way,
    /// though they could before.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`].
    pub async fn lacks(&self) -> Result<Vec<Parked>, RebuildError> {
        let of = |one: &Parked| (one.tenant, one.aggregate_type.clone(), one.aggregate_id);
        let known = parked(self.log.pool(), Some(self.name)).await?;
        let known = known.iter().map(of).collect::<HashSet<_>>();
        let mut grown = parked(self.log.pool(), Some(&self.next())).await?;
        grown.retain(|one| !known.contains(&of(one)));
        Ok(grown)
    }
}
