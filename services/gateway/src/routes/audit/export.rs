//! What happened as a table for a spreadsheet, however long it is: a piece at a time, each written before the next is asked
//! for. Where a piece does not come, or whoever takes the copy may not read on, the connection breaks, so that nobody takes a
//! part for the whole.

use std::{collections::HashSet, io};

use axum::{
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use meydan_event_log::PLATFORM;
use meydan_rpc::{
    outcome::Failure,
    pb::audit::{Entry, ExportEntriesRequest, ExportEntriesResponse, Filter},
};
use meydan_web::{Nav, pages::error::Failure as Shown};
use tonic::Streaming;
use uuid::Uuid;

use super::{Asked, names, of_address, own, refused, with_accounts};
use crate::{
    app::App,
    failure,
    live::Place,
    oversight::{Read, note_reading},
    session::{self, Visit, Visitor},
    views::audit::{self, Names},
};

/// What a member must be allowed, as for the page.
const READ: &str = "identity:audit.read";

/// The same entries as the page's, all of them.
pub(in crate::routes) async fn save(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let (filter, problems) = asked.read(visit.zone(&app), own(&visit));
    if !problems.is_empty() {
        return refused(&app, &visit, asked, problems).await;
    }
    let session = visit.visitor.as_ref().map(|visitor| visitor.session);
    let Some(place) = session.and_then(|session| app.streams.take(session)) else {
        return failure::page(&app, &visit, Shown::TooManyRequests);
    };
    match exported(app.clone(), visit.clone(), (headers, place), filter).await {
        Ok(response) => response,
        Err(failure) => of_address(&app, &visit, failure),
    }
}

async fn exported(
    app: App,
    visit: Visit,
    (headers, place): (HeaderMap, Place),
    filter: Filter,
) -> Result<Response, Failure> {
    let names = names(&app, &visit).await?;
    let whose = match &*filter.campaign_id {
        "" => PLATFORM.to_string(),
        campaign => campaign.to_owned(),
    };
    let mut noted = HashSet::new();
    let copy = Uuid::now_v7();
    note(&app, &visit, (copy, &mut noted), [whose]).await?;
    let request = app.audit.ask(&visit.caller(), ExportEntriesRequest { filter: Some(filter) });
    let pieces = app.entries().export_entries(request).await?.into_inner();
    let head = audit::csv_head(&visit.shell(&app, Nav::Audit));
    let copying = Copying { app, visit, headers, names, pieces, copy, noted, _place: place };
    let rows = stream::try_unfold(copying, |mut copying| async move {
        let rows = copying.next().await.map_err(|failure| {
            tracing::warn!(?failure, "a copy of the record breaks off");
            io::Error::other("the rest cannot be had")
        })?;
        Ok(rows.map(|rows| (rows, copying)))
    });
    let body = Body::from_stream(stream::once(async { io::Result::Ok(head) }).chain(rows));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    let name = HeaderValue::from_static("attachment; filename=\"audit.csv\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A copy on its way.
struct Copying {
    app: App,
    visit: Visit,
    /// With the token that the session had.
    headers: HeaderMap,
    names: Names,
    pieces: Streaming<ExportEntriesResponse>,
    /// Names this copy.
    copy: Uuid,
    /// The records that this copy is noted in.
    noted: HashSet<String>,
    _place: Place,
}

impl Copying {
    /// The lines of the next piece; `None` when all are written.
    async fn next(&mut self) -> Result<Option<String>, Failure> {
        let Some(piece) = self.pieces.message().await? else { return Ok(None) };
        self.look().await?;
        let (app, visit) = (&self.app, &self.visit);
        let whose = campaigns_of(&piece.entries);
        note(app, visit, (self.copy, &mut self.noted), whose).await?;
        let names = with_accounts(app, visit, self.names.clone(), &piece.entries).await?;
        let shell = visit.shell(app, Nav::Audit);
        let rows = piece.entries.into_iter().map(|one| audit::csv_row(one, &names, &shell));
        Ok(Some(rows.collect()))
    }

    /// Makes sure that whoever takes the copy may still read what it is of.
    async fn look(&mut self) -> Result<(), Failure> {
        let before = self.visit.visitor.as_ref();
        let visitor = taker(&self.app, &self.headers, before).await?.ok_or(Failure::Denied)?;
        let own = own(&self.visit);
        let here = |place: &&session::Membership| Some(place.campaign) == own;
        let place = visitor.memberships.iter().find(here);
        self.visit.membership = place.filter(|place| place.runs() && !place.needs_factor).cloned();
        let may = if own.is_some() { self.visit.may(READ) } else { visitor.admin };
        if !may || visitor.needs.is_some() {
            return Err(Failure::Denied);
        }
        self.visit.visitor = Some(visitor);
        Ok(())
    }
}

/// Who takes a copy, while their session goes on. Another tab may have brought it another token since the copy began, with
/// a proof or after a change of role.
async fn taker(
    app: &App,
    headers: &HeaderMap,
    before: Option<&Visitor>,
) -> Result<Option<Visitor>, Failure> {
    let visitor = session::visitor(app, headers).await?;
    match before {
        Some(before) if visitor.is_none() => session::of_session(app, before).await,
        _ => Ok(visitor),
    }
}

/// The campaigns in whose records entries stand.
pub(super) fn campaigns_of(entries: &[Entry]) -> HashSet<String> {
    let platform = PLATFORM.to_string();
    let campaigns = entries.iter().map(|entry| entry.campaign_id.clone());
    campaigns.filter(|campaign| *campaign != platform).collect()
}

/// Notes a copy in each record that it is of, once, before anything of that record leaves.
async fn note(
    app: &App,
    visit: &Visit,
    (copy, noted): (Uuid, &mut HashSet<String>),
    whose: impl IntoIterator<Item = String>,
) -> Result<(), Failure> {
    let fresh: Vec<_> = whose.into_iter().filter(|one| !noted.contains(one)).collect();
    note_reading(app, visit, fresh.clone(), Read::Copied(copy)).await?;
    noted.extend(fresh);
    Ok(())
}
