//! `GET /c/{slug}/live`: tells an open page that something changed, as server-sent events.
//!
//! An event names the ticket and the position that its change reached; the page then asks for its parts
//! anew. A page says which position it shows (`?after=`), and one that was away the last that it heard of
//! (`Last-Event-ID`); when the inbox has moved on since, it is told at once. Positions are compared again at
//! each beat, because core NATS forgets what it could not deliver. So nothing is missed.

mod streams;

use std::{convert::Infallible, sync::atomic::Ordering, time::Duration};

use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt, stream};
use meydan_rpc::{outcome::Failure, pb::crm::ListTicketsRequest};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::broadcast,
    time::{Instant, Interval, MissedTickBehavior},
};
use tracing::Instrument;
use uuid::Uuid;

pub use self::streams::{Place, Streams};
use crate::{
    access::empty,
    app::{App, SESSIONS},
    failure,
    session::{self, Visit, Visitor},
};

/// How often a stream looks whether its visitor may still listen and whether it missed anything. A stream
/// on which nothing else is said says then that it is there.
const BEAT: Duration = Duration::from_secs(15);
/// How often a stream asks itself whether somebody would tell it that its visitor may not listen any more. It ends
/// within five seconds also when nobody does: what was said is believed for four there, and half of one goes by.
const UNTOLD: Duration = Duration::from_millis(500);
const _: () = assert!(
    2 * UNTOLD.as_millis() <= session::SOONER.as_millis(),
    "half of that is for the answer"
);
/// What a visitor must be allowed, as for the inbox itself.
const NEED: &str = "crm:ticket.read";

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

/// What the page shows.
#[derive(Debug, Deserialize)]
pub struct Shown {
    after: Option<i64>,
}

/// Opens a stream of changes.
pub async fn open(
    State(app): State<App>,
    visit: Visit,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Response {
    let (Some(membership), Some(visitor)) = (&visit.membership, &visit.visitor) else {
        return failure::of_call(&app, &visit, &Failure::NotFound);
    };
    let campaign = membership.campaign;
    let Some(place) = app.streams.take(visitor.session) else {
        return empty(StatusCode::TOO_MANY_REQUESTS);
    };
    // Listening first, then looking where things stand: what happens in between is heard.
    let Ok(pings) = app.nats.subscribe(format!("live.{campaign}")).await else {
        return failure::of_call(&app, &visit, &Failure::Unavailable);
    };
    let position = match position(&app, &visit).await {
        Ok(position) => position,
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let heard = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let heard = heard.and_then(|id| id.parse().ok()).or(shown.after);
    let first = if heard.is_some_and(|heard| heard < position) {
        anything(position)
    } else {
        // Tells the browser from where to resume, should it lose us before anything happens.
        Event::default().id(position.to_string()).comment("here")
    };
    let open = Open {
        changed: app.changes.listen(),
        beat: every(BEAT),
        untold: every(UNTOLD),
        connects: connects(&app),
        lost: None,
        told: position,
        _place: place,
        app,
        visit,
        headers,
        campaign,
        pings,
    };
    let changes = stream::once(async { Ok(first) }).chain(changes(open));
    let mut response =
        Sse::new(changes).keep_alive(KeepAlive::new().interval(BEAT)).into_response();
    let unbuffered = HeaderValue::from_static("no");
    response.headers_mut().insert("x-accel-buffering", unbuffered);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// How often the broker was reached.
fn connects(app: &App) -> u64 {
    app.nats.statistics().connects.load(Ordering::Relaxed)
}

/// Ticks, the first of which is to come. Late ones do not hurry.
fn every(time: Duration) -> Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + time, time);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The position that the inbox has reached. It counts the facts of all campaigns, so a page is sometimes
/// told of a change that was none of its own, and never the other way round.
async fn position(app: &App, visit: &Visit) -> Result<i64, Failure> {
    let message = ListTicketsRequest { limit: 1, ..Default::default() };
    let request = app.crm.ask(&visit.caller(), message);
    Ok(app.tickets().list_tickets(request).await?.get_ref().position)
}

/// A stream that is open.
struct Open {
    app: App,
    visit: Visit,
    headers: HeaderMap,
    campaign: Uuid,
    pings: async_nats::Subscriber,
    /// Accounts that changed.
    changed: broadcast::Receiver<Uuid>,
    beat: Interval,
    untold: Interval,
    /// How often the broker was reached, when that was last looked at.
    connects: u64,
    /// When it was last away, or had been.
    lost: Option<Instant>,
    /// The position up to which the page was told.
    told: i64,
    _place: Place,
}

/// Changes, until the page may not listen any more or goes away.
fn changes(open: Open) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(open, |mut open| async move {
        loop {
            let event = tokio::select! {
                () = open.app.stop.cancelled() => return None,
                _ = open.beat.tick() => open.look().await.ok()?,
                _ = open.untold.tick() => {
                    open.look_untold().await.ok()?;
                    None
                }
                changed = open.changed.recv() => open.hear(changed.ok()).await.ok()?,
                ping = open.pings.next() => open.tell(&ping?).await,
            };
            if let Some(event) = event {
                return Some((Ok(event), open));
            }
        }
    })
}

/// The visitor may not listen any more.
struct Ended;

impl Open {
    /// An account changed; `None` when it is not known which. If it may be the visitor's, the stream looks
    /// whether they may still listen.
    async fn hear(&mut self, account: Option<Uuid>) -> Result<Option<Event>, Ended> {
        let own = |account| self.visit.visitor.as_ref().is_some_and(|who| who.depends_on(account));
        if account.is_none_or(own) { self.look().await } else { Ok(None) }
    }

    /// While the broker is away, and nobody tells of changes: whether the visitor may still listen. So for as long
    /// after it as something is believed that was said before.
    async fn look_untold(&mut self) -> Result<(), Ended> {
        let away = self.app.nats.connection_state() != async_nats::connection::State::Connected;
        let connects = connects(&self.app);
        if away || connects != self.connects {
            (self.connects, self.lost) = (connects, Some(Instant::now()));
        }
        if self.lost.is_some_and(|lost| lost.elapsed() < SESSIONS) {
            let said = session::untold(&self.app, &self.headers).await;
            if !self.go_on(said)? {
                self.untold.reset_after(SESSIONS);
            }
        }
        Ok(())
    }

    /// At each beat: whether the visitor may still listen, and what was missed.
    async fn look(&mut self) -> Result<Option<Event>, Ended> {
        let said = session::visitor(&self.app, &self.headers).await;
        if !self.go_on(said)? {
            return Ok(None);
        }
        match position(&self.app, &self.visit).await {
            Ok(position) if position > self.told => {
                self.told = position;
                Ok(Some(anything(position)))
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// Goes on with the visitor as identity says; `false` when it is away now, which ends nothing.
    fn go_on(&mut self, said: Result<Option<Visitor>, Failure>) -> Result<bool, Ended> {
        let Ok(visitor) = said else { return Ok(false) };
        let visitor = visitor.ok_or(Ended)?;
        let membership = visitor.memberships.iter().find(|place| place.campaign == self.campaign);
        self.visit.membership = membership.cloned();
        if !self.visit.may(NEED) {
            return Err(Ended);
        }
        self.visit.visitor = Some(visitor);
        Ok(true)
    }

    /// Passes on what crm says, unless the page was told of it already.
    async fn tell(&mut self, message: &async_nats::Message) -> Option<Event> {
        let span = tracing::info_span!("live.tell");
        let parent = message.headers.as_ref().and_then(|headers| headers.get("traceparent"));
        if let Some(parent) = parent {
            meydan_telemetry::set_parent_from(&span, parent.as_str());
        }
        async {
            let ping: Ping = serde_json::from_slice(&message.payload).ok()?;
            if ping.position <= self.told {
                return None;
            }
            self.told = ping.position;
            let ticket = ping.ticket.map(|number| number.to_string()).unwrap_or_default();
            Some(event(ping.position, &Change { ticket, incoming: ping.incoming }))
        }
        .instrument(span)
        .await
    }
}

/// Anything may have changed.
fn anything(position: i64) -> Event {
    event(position, &Change { ticket: String::new(), incoming: false })
}

fn event(position: i64, change: &Change) -> Event {
    let data = serde_json::to_string(change).expect("a change is plain data");
    Event::default().event("ticket").id(position.to_string()).data(data)
}
