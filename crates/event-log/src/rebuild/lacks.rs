//! What tables that were grown anew lack, because it could not be digested on the way.

use std::collections::HashMap;

use super::{Rebuild, RebuildError};
use crate::parked::{Parked, parked};

impl Rebuild {
    /// What the tables that were grown lack and those in use have: aggregates that could not be digested on the way from
    /// an earlier fact on than before, if ever.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`].
    pub async fn lacks(&self) -> Result<Vec<Parked>, RebuildError> {
        let of = |one: &Parked| (one.tenant, one.aggregate_type.clone(), one.aggregate_id);
        let known = parked(self.log.pool(), Some(self.name)).await?;
        let known = known.iter().map(|one| (of(one), one.position)).collect::<HashMap<_, _>>();
        let mut grown = parked(self.log.pool(), Some(&self.next())).await?;
        grown.retain(|one| known.get(&of(one)).is_none_or(|&before| one.position < before));
        Ok(grown)
    }
}
