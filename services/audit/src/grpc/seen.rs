//! What a caller may know of an entry: not who a citizen is, and not where everybody was.
//!
//! An address is seen by the person themselves; by whoever reads a campaign's record, of those who joined its team; and by
//! admins on the platform's tree, as in the history of accounts, and of staff in campaigns. So a campaign does not learn
//! where staff works, nor staff where a campaign's people do.

use std::collections::HashSet;

use meydan_event_log::PLATFORM;
use meydan_keyring::{KeyError, Keyring, Sealed};
use meydan_rpc::{
    caller::{Caller, Who},
    form::timestamp,
    origin::address_place,
    outcome::{broken, unavailable},
    pb::audit as pb,
};
use sqlx::PgPool;
use tonic::Status;
use uuid::Uuid;

use crate::{
    entries::{CITIZENS, joined},
    entry::Entry,
};

/// Who looks at entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer {
    /// Their account.
    account: Option<Uuid>,
    /// The campaign whose record is their own to read; `None` for an admin.
    own: Option<Uuid>,
    /// Whether they look on somebody else's behalf.
    is_staff: bool,
}

impl Viewer {
    pub(super) const fn new(caller: &Caller, own: Option<Uuid>) -> Self {
        let account = match caller.who {
            Who::Account { id, .. } | Who::Impersonator { id, .. } => Some(id),
            Who::ApiKey { .. } | Who::Service { .. } => None,
        };
        Self { account, own, is_staff: matches!(caller.who, Who::Impersonator { .. }) }
    }

    /// Whether to them citizens have no ids.
    pub(super) const fn knows_no_citizens(self) -> bool {
        self.own.is_none()
    }

    /// Whether they may know from where the actor of an entry acted, who is a member of that campaign or not.
    fn sees_address(self, entry: &Entry, is_member: bool) -> bool {
        let oneself = self.account.is_some() && entry.actor_id == self.account;
        let theirs = match self.own {
            Some(campaign) => {
                campaign == entry.tree_id
                    && is_member
                    && entry.on_behalf_of.is_none()
                    && !self.is_staff
            }
            None => entry.tree_id == PLATFORM || !is_member,
        };
        entry.actor_kind == "account" && (oneself || theirs)
    }
}

/// The member that the actor of an entry is in its campaign, whether or not they are one: the id that identity gives them.
fn member(entry: &Entry) -> Option<Uuid> {
    let account = entry.actor_id.filter(|_| entry.actor_kind == "account")?;
    Some(Uuid::new_v5(&entry.tree_id, account.as_bytes()))
}

/// Entries as a viewer sees them. Addresses are opened with the keys of those whose they are: who was erased has none.
pub(super) async fn all(
    (pool, keyring): (&PgPool, &Keyring),
    viewer: Viewer,
    entries: Vec<Entry>,
) -> Result<Vec<pb::Entry>, Status> {
    let sealed = |entry: &Entry| entry.address_sealed.as_deref()?.parse::<Sealed<String>>().ok();
    let with_address = entries.iter().filter(|entry| entry.address_sealed.is_some());
    let members: HashSet<_> = with_address.filter_map(member).collect();
    let joined = joined(pool, &members.into_iter().collect::<Vec<_>>()).await;
    let joined: HashSet<_> = joined.map_err(|error| unavailable(&error))?.into_iter().collect();
    let seen = |entry: &Entry| {
        let is_member = member(entry).is_some_and(|member| joined.contains(&member));
        sealed(entry).filter(|_| viewer.sees_address(entry, is_member))
    };
    let addresses: Vec<_> = entries.iter().map(seen).collect();
    let keys: HashSet<_> = addresses.iter().flatten().map(Sealed::key_id).collect();
    let openers =
        keyring.openers(PLATFORM, keys.into_iter()).await.map_err(|error| match error {
            KeyError::Unavailable(_) => unavailable(&error),
            _ => broken(&error),
        })?;
    let told = entries.into_iter().zip(addresses).map(|(entry, address)| {
        let place = address_place(entry.actor_id.unwrap_or_default());
        let address = address.and_then(|address| openers.open(&address, &place));
        out(entry, address.unwrap_or_default(), viewer.knows_no_citizens())
    });
    Ok(told.collect())
}

fn out(entry: Entry, address: String, citizens_hidden: bool) -> pb::Entry {
    let hides = |is_citizen| citizens_hidden && is_citizen;
    let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let actor_hidden = hides(entry.actor_kind == "citizen");
    let target_hidden = hides(CITIZENS.contains(&entry.target_type.as_str()));
    pb::Entry {
        arrival: entry.arrival,
        campaign_id: entry.tree_id.to_string(),
        log: entry.log,
        position: entry.position,
        at: Some(timestamp(entry.at)),
        actor_kind: entry.actor_kind,
        actor_id: if actor_hidden { String::new() } else { text(entry.actor_id) },
        actor_name: entry.actor_name.unwrap_or_default(),
        on_behalf_of: text(entry.on_behalf_of),
        action: entry.action,
        target_type: entry.target_type,
        target_id: if target_hidden { String::new() } else { entry.target_id.to_string() },
        correlation_id: entry.correlation_id.to_string(),
        caused: entry.causation_id.is_some(),
        details: entry.details,
        address,
    }
}
