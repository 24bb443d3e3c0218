//! `meydan.audit.v1`: parse, ask, answer. Nothing is decided here but who may see whom.

use std::pin::Pin;

use futures::{Stream, stream};
use meydan_rpc::{
    caller::Caller,
    form::{Form, timestamp},
    guard::{Need, Policies, caller},
    outcome::{not_found, unavailable},
    pb::audit::{
        self as pb,
        entries_server::{Entries, EntriesServer},
    },
};
use sqlx::PgPool;
use tonic::{Request, Response, Status, service::Routes};
use uuid::Uuid;

use crate::{
    entries::{CITIZENS, Filter, page},
    entry::Entry,
};

/// What one must be allowed to.
const READ: &str = "identity:audit.read";

/// Who may call what.
pub const POLICIES: Policies = &[
    ("/meydan.audit.v1.Entries/ListEntries", Need::AdminOr(READ)),
    ("/meydan.audit.v1.Entries/ExportEntries", Need::AdminOr(READ)),
];

/// Most entries of a page.
const PAGE: i32 = 200;
/// Most entries of an export, and of one piece of it.
const EXPORT: usize = 100_000;
const PIECE: usize = 1_000;

/// The service, ready to be guarded and served.
#[must_use]
pub fn routes(pool: PgPool) -> Routes {
    Routes::new(EntriesServer::new(EntriesApi(pool)))
}

#[derive(Debug)]
struct EntriesApi(PgPool);

#[tonic::async_trait]
impl Entries for EntriesApi {
    async fn list_entries(
        &self,
        request: Request<pb::ListEntriesRequest>,
    ) -> Result<Response<pb::ListEntriesResponse>, Status> {
        let caller = caller(&request)?;
        let wire = request.into_inner();
        let filter = filter(wire.filter.unwrap_or_default(), &caller)?;
        let limit = wire.limit.clamp(1, PAGE);
        let before = if wire.before > 0 { wire.before } else { i64::MAX };
        let found = page(&self.0, &filter, before, i64::from(limit) + 1).await;
        let mut found = found.map_err(|error| unavailable(&error))?;
        let limit = usize::try_from(limit).expect("a page is small");
        let more = found.len() > limit;
        found.truncate(limit);
        let entries = found.into_iter().map(|entry| entry_out(entry, filter.citizens_hidden));
        Ok(Response::new(pb::ListEntriesResponse { entries: entries.collect(), more }))
    }

    type ExportEntriesStream =
        Pin<Box<dyn Stream<Item = Result<pb::ExportEntriesResponse, Status>> + Send>>;

    async fn export_entries(
        &self,
        request: Request<pb::ExportEntriesRequest>,
    ) -> Result<Response<Self::ExportEntriesStream>, Status> {
        let caller = caller(&request)?;
        let filter = filter(request.into_inner().filter.unwrap_or_default(), &caller)?;
        let (pool, left) = (self.0.clone(), EXPORT);
        let pieces = stream::try_unfold((i64::MAX, left), move |(before, left)| {
            piece(pool.clone(), filter.clone(), before, left)
        });
        Ok(Response::new(Box::pin(pieces)))
    }
}

type Rest = (i64, usize);

/// The next piece of an export, and what is left after it; `None` when that was all.
async fn piece(
    pool: PgPool,
    filter: Filter,
    before: i64,
    left: usize,
) -> Result<Option<(pb::ExportEntriesResponse, Rest)>, Status> {
    let limit = left.min(PIECE);
    if limit == 0 {
        return Ok(None);
    }
    let rows = i64::try_from(limit).expect("a piece is small");
    let found = page(&pool, &filter, before, rows).await;
    let found = found.map_err(|error| unavailable(&error))?;
    let Some(last) = found.last().map(|entry| entry.arrival) else { return Ok(None) };
    // A piece that is not full is the last one.
    let rest = if found.len() < limit { 0 } else { left - limit };
    let entries = found.into_iter().map(|entry| entry_out(entry, filter.citizens_hidden));
    Ok(Some((pb::ExportEntriesResponse { entries: entries.collect() }, (last, rest))))
}

/// Reads a filter, and narrows it to what the caller may see.
fn filter(wire: pb::Filter, caller: &Caller) -> Result<Filter, Status> {
    let mut form = Form::default();
    let mut id = |name, text: &str| if text.is_empty() { None } else { form.id(name, text) };
    let tree = id("campaign_id", &wire.campaign_id);
    let actor = id("actor_id", &wire.actor_id);
    let target = id("target_id", &wire.target_id);
    let correlation = id("correlation_id", &wire.correlation_id);
    let mut at = |name, at: Option<_>| at.and_then(|at| form.instant(name, Some(at)));
    let (from, until) = (at("from", wire.from), at("until", wire.until));
    form.finish()?;
    let own = tree.is_some() && caller.campaign == tree && caller.may(READ);
    if !own && !caller.is_admin() {
        return Err(not_found("audit.not_found"));
    }
    let text = |text: String| (!text.is_empty()).then_some(text);
    Ok(Filter {
        tree,
        actor_kind: text(wire.actor_kind),
        actor,
        action: text(wire.action),
        target,
        correlation,
        from,
        until,
        any_of: wire.any_of,
        citizens_hidden: !own,
    })
}

/// What a caller may know of an entry.
fn entry_out(entry: Entry, citizens_hidden: bool) -> pb::Entry {
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
    }
}
