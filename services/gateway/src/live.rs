//! `GET /c/{slug}/live`: tells an open page that something changed, as server-sent events.
//!
//! An event names the ticket and the position that its change reached; the page then asks for its parts
//! anew. A page that was away says the last position it heard of (`Last-Event-ID`); when the campaign has
//! moved on meanwhile it is told at once, so nothing is missed.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt, stream};
use meydan_rpc::{outcome::Failure, pb::crm::ListTicketsRequest};
use serde::{Deserialize, Serialize};
use tracing::Instrument;

use crate::{
    access::failed,
    app::App,
    failure,
    session::{self, Visit},
};

/// How often a silent stream says that it is there, and looks whether its session still is.
const BEAT: Duration = Duration::from_secs(15);

/// What crm says when something changed.
#[derive(Debug, Deserialize)]
struct Ping {
    position: i64,
    ticket: Option<i64>,
    #[serde(default)]
    incoming: bool,
}

/// What a page is told.
#[derive(Debug, Serialize)]
struct Change {
    /// Empty when anything may have changed.
    ticket: String,
    incoming: bool,
}

/// Opens a stream of changes.
pub async fn open(State(app): State<App>, visit: Visit, headers: HeaderMap) -> Response {
    let Some(campaign) = visit.membership.as_ref().map(|place| place.campaign) else {
        return failure::of_call(&app, &visit, &Failure::NotFound);
    };
    // Listening first, then looking where things stand: what happens in between is heard.
    let Ok(pings) = app.nats.subscribe(format!("live.{campaign}")).await else {
        return failure::of_call(&app, &visit, &Failure::Unavailable);
    };
    let request =
        app.crm.ask(&visit.caller(), ListTicketsRequest { limit: 1, ..Default::default() });
    let position = match app.tickets().list_tickets(request).await {
        Ok(answer) => answer.into_inner().position,
        Err(status) => return failed(&app, &visit, status),
    };
    let heard = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let heard = heard.and_then(|id| id.parse::<i64>().ok());
    let missed = heard.is_some_and(|heard| heard < position);
    let first = if missed {
        event(position, &Change { ticket: String::new(), incoming: false })
    } else {
        // Tells the browser from where to resume, should it lose us before anything happens.
        Event::default().id(position.to_string()).comment("here")
    };
    metrics::gauge!("live_pages").increment(1.0);
    let changes = stream::once(async { Ok(first) }).chain(changes(app, headers, pings));
    let mut response =
        Sse::new(changes).keep_alive(KeepAlive::new().interval(BEAT)).into_response();
    let unbuffered = HeaderValue::from_static("no");
    response.headers_mut().insert("x-accel-buffering", unbuffered);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Changes, until the session ends or the page goes away.
fn changes(
    app: App,
    headers: HeaderMap,
    pings: async_nats::Subscriber,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let open = Open { app, headers, pings };
    stream::unfold(open, |mut open| async move {
        loop {
            let next = tokio::select! {
                () = open.app.stop.cancelled() => return None,
                next = tokio::time::timeout(BEAT, open.pings.next()) => next,
            };
            let Ok(ping) = next else {
                match session::visitor(&open.app, &open.headers).await {
                    Ok(None) => return None,
                    Ok(Some(_)) | Err(_) => continue,
                }
            };
            let ping = ping?;
            if let Some(event) = tell(&ping).await {
                return Some((Ok(event), open));
            }
        }
    })
}

struct Open {
    app: App,
    headers: HeaderMap,
    pings: async_nats::Subscriber,
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("live_pages").decrement(1.0);
    }
}

async fn tell(message: &async_nats::Message) -> Option<Event> {
    let span = tracing::info_span!("live.tell");
    let parent = message.headers.as_ref().and_then(|headers| headers.get("traceparent"));
    if let Some(parent) = parent {
        meydan_telemetry::set_parent_from(&span, parent.as_str());
    }
    async {
        let ping: Ping = serde_json::from_slice(&message.payload).ok()?;
        let ticket = ping.ticket.map(|number| number.to_string()).unwrap_or_default();
        Some(event(ping.position, &Change { ticket, incoming: ping.incoming }))
    }
    .instrument(span)
    .await
}

fn event(position: i64, change: &Change) -> Event {
    let data = serde_json::to_string(change).expect("a change is plain data");
    Event::default().event("ticket").id(position.to_string()).data(data)
}
