//! `meydan.audit.v1`: parse, ask, answer. Nothing is decided here but who may see whom.

mod seen;

use std::pin::Pin;

use futures::{Stream, stream};
use meydan_keyring::Keyring;
use meydan_rpc::{
    caller::Caller,
    form::Form,
    guard::{Need, Policies, caller},
    outcome::{not_found, unavailable},
    pb::audit::{
        self as pb,
        entries_server::{Entries, EntriesServer},
    },
};
use sqlx::PgPool;
use tonic::{Request, Response, Status, service::Routes};

use self::seen::Viewer;
use crate::entries::{Filter, page};

/// What one must be allowed to.
const READ: &str = "identity:audit.read";

/// Who may call what.
pub const POLICIES: Policies = &[
    ("/meydan.audit.v1.Entries/ListEntries", Need::AdminOr(READ)),
    ("/meydan.audit.v1.Entries/ExportEntries", Need::Fresh(&Need::AdminOr(READ))),
];

/// Most entries of a page.
const PAGE: i32 = 200;
/// Entries of one piece of an export, of which there are as many as it takes.
const PIECE: i64 = 1_000;

/// The service, ready to be guarded and served.
#[must_use]
pub fn routes(pool: PgPool, keyring: Keyring) -> Routes {
    Routes::new(EntriesServer::new(EntriesApi { pool, keyring }))
}

#[derive(Debug, Clone)]
struct EntriesApi {
    pool: PgPool,
    /// Opens addresses for whoever may see them.
    keyring: Keyring,
}

#[tonic::async_trait]
impl Entries for EntriesApi {
    async fn list_entries(
        &self,
        request: Request<pb::ListEntriesRequest>,
    ) -> Result<Response<pb::ListEntriesResponse>, Status> {
        let caller = caller(&request)?;
        let wire = request.into_inner();
        let (filter, viewer) = filter(wire.filter.unwrap_or_default(), &caller)?;
        let limit = wire.limit.clamp(1, PAGE);
        let before = if wire.before > 0 { wire.before } else { i64::MAX };
        let found = page(&self.pool, &filter, before, i64::from(limit) + 1).await;
        let mut found = found.map_err(|error| unavailable(&error))?;
        let limit = usize::try_from(limit).expect("a page is small");
        let more = found.len() > limit;
        found.truncate(limit);
        if filter.correlation.is_some() {
            // What one request led to arrives from several logs, some of it before what it followed from.
            found.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.arrival)));
        }
        let entries = seen::all((&self.pool, &self.keyring), viewer, found).await?;
        Ok(Response::new(pb::ListEntriesResponse { entries, more }))
    }

    type ExportEntriesStream =
        Pin<Box<dyn Stream<Item = Result<pb::ExportEntriesResponse, Status>> + Send>>;

    async fn export_entries(
        &self,
        request: Request<pb::ExportEntriesRequest>,
    ) -> Result<Response<Self::ExportEntriesStream>, Status> {
        let caller = caller(&request)?;
        let asked = filter(request.into_inner().filter.unwrap_or_default(), &caller)?;
        let api = self.clone();
        let pieces =
            stream::try_unfold(i64::MAX, move |before| piece(api.clone(), asked.clone(), before));
        Ok(Response::new(Box::pin(pieces)))
    }
}

/// The next piece of an export, and where the one after it begins; `None` when that was all.
async fn piece(
    api: EntriesApi,
    (filter, viewer): (Filter, Viewer),
    before: i64,
) -> Result<Option<(pb::ExportEntriesResponse, i64)>, Status> {
    let found = page(&api.pool, &filter, before, PIECE).await;
    let found = found.map_err(|error| unavailable(&error))?;
    let Some(last) = found.last().map(|entry| entry.arrival) else { return Ok(None) };
    let entries = seen::all((&api.pool, &api.keyring), viewer, found).await?;
    Ok(Some((pb::ExportEntriesResponse { entries }, last)))
}

/// Reads a filter, and narrows it to what the caller may see.
fn filter(wire: pb::Filter, caller: &Caller) -> Result<(Filter, Viewer), Status> {
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
    let viewer = Viewer::new(caller, tree.filter(|_| own));
    let filter = Filter {
        tree,
        actor_kind: text(wire.actor_kind),
        actor,
        action: text(wire.action),
        target,
        correlation,
        from,
        until,
        any_of: wire.any_of,
        citizens_hidden: viewer.knows_no_citizens(),
    };
    Ok((filter, viewer))
}
