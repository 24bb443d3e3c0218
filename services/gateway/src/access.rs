//! The policy in front of every route: who may enter, how often, and that a form is their own.
//!
//! Routes are added through [`Panel`] alone, which demands a policy; the table it keeps is what tests
//! enumerate.

mod enter;
mod renew;
mod wait;

use std::net::{IpAddr, SocketAddr};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request, State},
    handler::Handler,
    http::{Extensions, HeaderMap, Method, StatusCode, header, request},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use meydan_rpc::outcome::Failure;
use meydan_web::pages::error::Failure as Shown;
use tracing::Instrument;
use uuid::Uuid;

pub(crate) use self::enter::to_proof;
use self::{
    enter::{enter, prove_first, to_login},
    wait::wait,
};
use crate::{
    api,
    app::App,
    client, csrf, failure,
    limits::{self, Asker, RateClass},
    oversight,
    session::{self, Visit},
};

/// Largest form, in bytes.
const LARGEST_FORM: usize = 256 * 1024;

/// Who may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Everybody.
    Nobody,
    /// Whoever is logged in.
    Session,
    /// Platform staff.
    Admin,
    /// Whoever holds the permission in the campaign of the address `/c/{slug}/…`.
    Permission(&'static str),
    /// A program whose key holds the permission. A session is nothing there.
    ApiKey(&'static str),
}

/// The policy of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Who may enter.
    pub need: Need,
    /// How often.
    pub rate: RateClass,
    /// Whether the visitor has to have proved who they are a moment ago, and how many steps up the path they
    /// come back to afterwards.
    pub fresh: Option<usize>,
}

/// A policy.
#[must_use]
pub const fn access(need: Need, rate: RateClass) -> Access {
    Access { need, rate, fresh: None }
}

impl Access {
    /// The same for what is dangerous: the visitor proves who they are first, and comes back to the path
    /// without its last `up` parts. What the address of a page or a file asks for is asked for there as well.
    #[must_use]
    pub const fn fresh(self, up: usize) -> Self {
        Self { fresh: Some(up), ..self }
    }
}

/// A route, as tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, with its parameters.
    pub path: &'static str,
    /// Its policy.
    pub access: Access,
}

/// Routes with their policies.
#[derive(Debug)]
pub struct Panel {
    app: Option<App>,
    pages: Router<App>,
    machines: Router<App>,
    table: Vec<Route>,
}

/// Routes, ready to be served.
#[derive(Debug)]
pub struct Routes {
    /// Those behind the guard.
    pub pages: Router<App>,
    /// Those of machines.
    pub machines: Router<App>,
    /// The policies of both.
    pub table: Vec<Route>,
}

impl Panel {
    /// No routes. Without an `app`, routes are listed and not served.
    #[must_use]
    pub fn new(app: Option<App>) -> Self {
        Self { app, pages: Router::new(), machines: Router::new(), table: vec![] }
    }

    /// Adds a page.
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::GET, path, access, get(handler))
    }

    /// Adds a form's target. Its token is always checked.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::POST, path, access, post(handler))
    }

    /// Adds what machines ask for: there is no visitor, no session and no form, and nothing is counted. The
    /// handler itself asks for a secret where one is needed.
    #[must_use]
    pub fn machine(
        mut self,
        method: Method,
        path: &'static str,
        handler: MethodRouter<App>,
    ) -> Self {
        self.machines = self.machines.route(path, handler);
        let access = access(Need::Nobody, RateClass::Free);
        self.table.push(Route { method, path, access });
        self
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        access: Access,
        handler: MethodRouter<App>,
    ) -> Self {
        if let Some(app) = self.app.clone() {
            let guard = middleware::from_fn_with_state((app, access, path), admit);
            self.pages = self.pages.route(path, handler.layer(guard));
        }
        self.table.push(Route { method, path, access });
        self
    }

    /// The routes, and the table of their policies.
    #[must_use]
    pub fn finish(self) -> Routes {
        Routes { pages: self.pages, machines: self.machines, table: self.table }
    }
}

type Guard = (App, Access, &'static str);

async fn admit(State((app, access, path)): State<Guard>, request: Request, next: Next) -> Response {
    let span = tracing::info_span!("http", http.method = %request.method(), http.route = path);
    async move {
        let started = std::time::Instant::now();
        let response = match prepare(&app, (access, path), request).await {
            Ok(mut request) => {
                let renewed = request.extensions_mut().remove::<renew::Renewed>();
                let look = oversight::look(request.extensions());
                let response = next.run(request).await;
                renew::tell(renewed, oversight::note_look(&app, look, path, response).await)
            }
            Err(refusal) => refusal,
        };
        let status = response.status().as_u16().to_string();
        metrics::counter!("http_requests", "route" => path, "status" => status).increment(1);
        metrics::histogram!("http_seconds", "route" => path)
            .record(started.elapsed().as_secs_f64());
        response
    }
    .instrument(span)
    .await
}

/// Finds out who visits, and turns away who may not.
async fn prepare(
    app: &App,
    (access, path): (Access, &'static str),
    request: Request,
) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let client = asked_by(app, &parts.extensions, &parts.headers);
    if let Need::ApiKey(permission) = access.need {
        let asked = (client, &parts.headers);
        let admitted = api::admit(app, (access.rate, permission), asked).await;
        let program = admitted.inspect_err(|refusal| note(path, None, refusal))?;
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(program);
        return Ok(request);
    }
    let mut visit = visit(app, &parts, client);
    let asker = asker(app, access.rate, client, &parts.headers).await;
    if let Err(seconds) = limits::admit(app, access.rate, asker).await {
        visit.visitor = oversight::looker(app, &parts.headers, visit.outside).await;
        return Err(wait(app, &visit, (path, seconds), body).await);
    }
    if access.need != Need::Nobody || parts.headers.contains_key(header::COOKIE) {
        match session::visitor(app, &parts.headers).await {
            Ok(visitor) => visit.visitor = visitor,
            Err(_) if access.need == Need::Nobody => {}
            Err(failed) => return Err(failure::of_call(app, &visit, &failed)),
        }
    }
    let account = visit.visitor.as_ref().map(|visitor| visitor.account);
    let noted = |refusal: &Response| note(path, account, refusal);
    oversight::within_networks(app, access, &mut visit).inspect_err(noted)?;
    oversight::while_impersonating(app, access, &visit, &parts).inspect_err(noted)?;
    if visit.visitor.is_none() && access.need != Need::Nobody {
        return Err(to_login(access.rate, &visit, &parts.headers));
    }
    enter(app, access, &mut visit, &parts).inspect_err(noted)?;
    prove_first(app, access, &visit, &parts)?;
    let form = parts.method == Method::POST;
    let body = if form {
        checked(app, &visit, &parts.headers, body).await.inspect_err(noted)?
    } else {
        body
    };
    let renewed = renew::renew(app, access, &mut visit, &parts).await?;
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(visit);
    if let Some(renewed) = renewed {
        request.extensions_mut().insert(renewed);
    }
    Ok(request)
}

/// Notes who was turned away from what. Being led elsewhere first is no refusal, and of what is asked too often a line
/// each would fill the disk: that is counted.
fn note(route: &'static str, account: Option<Uuid>, refusal: &Response) {
    let status = refusal.status();
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        let account = account.map(|account| account.to_string()).unwrap_or_default();
        tracing::warn!(route, status = status.as_u16(), account, "somebody was turned away");
    }
}

/// The address of whoever asks.
pub(crate) fn asked_by(app: &App, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
    client::address(peer, headers, &app.trusted_proxies)
}

/// Whose counter a request is counted on: for the parts of an open page its session's, as soon as identity
/// has vouched for that.
async fn asker(app: &App, rate: RateClass, client: IpAddr, headers: &HeaderMap) -> Asker {
    if rate == RateClass::Live
        && let Some(visitor) = session::remembered(app, headers).await
    {
        return Asker::Session(visitor.session);
    }
    client.into()
}

fn visit(app: &App, parts: &request::Parts, client: IpAddr) -> Visit {
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let host = parts.headers.get(header::HOST);
    Visit {
        address: client.to_string(),
        outside: oversight::is_outside(app, client),
        host: host.and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned(),
        ..Visit::of_nobody(&parts.headers, path, app.secure)
    }
}

/// Reads a form, and makes sure that it is the visitor's own.
async fn checked(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
    body: Body,
) -> Result<Body, Response> {
    let read = axum::body::to_bytes(body, LARGEST_FORM);
    let Ok(read) = tokio::time::timeout(app.patience.body, read).await else {
        return Err(empty(StatusCode::REQUEST_TIMEOUT));
    };
    let Ok(bytes) = read else {
        return Err(failure::page(app, visit, Shown::TooLarge));
    };
    let token = field(&bytes, "csrf").unwrap_or_default();
    let stale = visit.fresh || !csrf::is_genuine(&visit.cookie, &token);
    if stale || csrf::is_foreign(headers) {
        metrics::counter!("http_forged_forms").increment(1);
        return Err(failure::page(app, visit, Shown::StaleForm));
    }
    Ok(Body::from(bytes))
}

/// A field of a form.
#[must_use]
pub fn field(form: &Bytes, name: &str) -> Option<String> {
    form_urlencoded::parse(form)
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.into_owned())
}

/// What a failed call means to a visitor, as an answer.
#[must_use]
pub fn failed(app: &App, visit: &Visit, status: tonic::Status) -> Response {
    failure::of_call(app, visit, &Failure::from(status))
}

/// An answer without content, for machines.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    status.into_response()
}
