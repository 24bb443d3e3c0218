//! The policy in front of every method: who may call it. A method without a policy is refused. Whether a service is well
//! is told to everybody.
//!
//! It also opens the span of the call within the caller's trace, and counts calls, failures and time.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use http::{Request, Response};
use meydan_event_log::{Actor, Clock, Meta, Origin, from_origin};
use meydan_keyring::Keyring;
use time::OffsetDateTime;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    caller::{Assertions, Caller, Who},
    origin,
    outcome::{refused, unavailable},
};

/// The code of a refusal of whoever has to prove who they are first.
pub const PROOF_NEEDED: &str = "identity.proof.needed";

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Platform staff.
    Admin,
    /// Somebody logged in.
    Account,
    /// Somebody logged in, also while they impersonate a member. Only what is nobody's own.
    Person,
    /// Whoever holds the permission in the campaign of the call.
    Permission(&'static str),
    /// Platform staff, or whoever holds the permission in the campaign of the call.
    AdminOr(&'static str),
    /// Platform staff, or one of these services.
    AdminOrService(&'static [&'static str]),
    /// One of these services.
    Service(&'static [&'static str]),
    /// Whoever holds the permission, or one of these services within the campaign of the call.
    PermissionOrService(&'static str, &'static [&'static str]),
    /// A program of the campaign of the call whose key holds the permission, or whoever else may. Only methods
    /// that change nothing.
    KeyOr(&'static str, &'static Self),
    /// Whoever else may, once they have proved a moment ago who they are: for what is dangerous.
    Fresh(&'static Self),
}

impl Need {
    /// Whether a caller may call a method that has this policy. Whoever impersonates a member is allowed what
    /// the member may, of methods that only read, and nothing else.
    fn allows(self, caller: &Caller, method: &str) -> bool {
        let impersonates = matches!(caller.who, Who::Impersonator { .. });
        let account = matches!(caller.who, Who::Account { .. }) || (impersonates && reads(method));
        let permitted = |permission| account && caller.campaign.is_some() && caller.may(permission);
        let service = |names: &[&str]| match &caller.who {
            Who::Service { name } => names.contains(&name.as_str()),
            Who::Account { .. } | Who::Impersonator { .. } | Who::ApiKey { .. } => false,
        };
        match self {
            Self::Admin => caller.is_admin(),
            Self::Account => account && !impersonates,
            Self::Person => account,
            Self::Permission(permission) => permitted(permission),
            Self::AdminOr(permission) => caller.is_admin() || permitted(permission),
            Self::AdminOrService(names) => caller.is_admin() || service(names),
            Self::Service(names) => service(names),
            Self::Fresh(need) => need.allows(caller, method),
            Self::KeyOr(permission, other) => {
                let key = matches!(caller.who, Who::ApiKey { .. });
                (key && caller.campaign.is_some() && caller.may(permission))
                    || other.allows(caller, method)
            }
            Self::PermissionOrService(permission, names) => {
                permitted(permission) || (caller.campaign.is_some() && service(names))
            }
        }
    }
}

/// Whether a method shows something and changes nothing, as its name says. Exports take more away than a look does.
fn reads(method: &str) -> bool {
    let name = method.rsplit('/').next().unwrap_or_default();
    ["Get", "List", "Fetch"].iter().any(|verb| name.starts_with(verb))
}

/// The policies of a service: path of the method (`/package.Service/Method`), and who may call it.
pub type Policies = &'static [(&'static str, Need)];

/// Puts the policies in front of a server.
#[derive(Debug, Clone)]
pub struct Guard {
    service: &'static str,
    policies: Arc<HashMap<&'static str, Need>>,
    assertions: Assertions,
    clock: Clock,
    keyring: Option<Keyring>,
}

impl Guard {
    /// Guards `service`, whose clock says whether a proof is still fresh.
    #[must_use]
    pub fn new(
        service: &'static str,
        policies: Policies,
        assertions: Assertions,
        clock: Clock,
    ) -> Self {
        let policies = Arc::new(policies.iter().copied().collect());
        Self { service, policies, assertions, clock, keyring: None }
    }

    /// Seals with these keys from where people call, for the facts that their calls lead to.
    #[must_use]
    pub fn sealing(self, keyring: Keyring) -> Self {
        Self { keyring: Some(keyring), ..self }
    }

    /// From where a caller acts who changes something: who does has it on record, or does not do it.
    async fn origin(&self, caller: Option<Caller>, method: &str) -> Result<Option<Origin>, Status> {
        let (Some(caller), Some(keyring)) = (caller, &self.keyring) else { return Ok(None) };
        if reads(method) {
            return Ok(None);
        }
        origin::of_caller(keyring, &caller).await.map_err(|error| unavailable(&error))
    }

    fn admit(&self, request: &Request<Body>) -> Result<Option<Caller>, Status> {
        let path = request.uri().path();
        if path.starts_with("/grpc.health.v1.Health/") {
            return Ok(None);
        }
        let need = self
            .policies
            .get(path)
            .ok_or_else(|| Status::permission_denied("the method has no policy"))?;
        let assertion = request
            .headers()
            .get("caller")
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| Status::unauthenticated("the call has no caller assertion"))?;
        let now = OffsetDateTime::now_utc();
        let caller = self.assertions.verify(assertion, self.service, now).map_err(|rejected| {
            let service = self.service;
            tracing::warn!(service, method = path, %rejected, "a caller was not believed");
            Status::unauthenticated(rejected.to_string())
        })?;
        if !need.allows(&caller, path) {
            let service = self.service;
            tracing::warn!(service, method = path, who = ?caller.who, "a call was denied");
            return Err(Status::permission_denied("the caller may not do this"));
        }
        if matches!(need, Need::Fresh(_)) && !caller.is_fresh(self.clock.now()) {
            let words = "prove who you are first";
            return Err(refused(Code::FailedPrecondition, PROOF_NEEDED, words));
        }
        Ok(Some(caller))
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A guarded server.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = request.uri().path().to_owned();
        let span =
            tracing::info_span!("grpc", rpc.service = self.guard.service, rpc.method = %method);
        if let Some(parent) =
            request.headers().get("traceparent").and_then(|value| value.to_str().ok())
        {
            meydan_telemetry::set_parent_from(&span, parent);
        }
        let service = self.guard.service;
        let caller = match span.in_scope(|| self.guard.admit(&request)) {
            Ok(caller) => caller,
            Err(status) => {
                metrics::counter!("grpc_refused_calls", "service" => service).increment(1);
                return Box::pin(async move { Ok(status.into_http()) });
            }
        };
        if let Some(caller) = &caller {
            request.extensions_mut().insert(caller.clone());
        }
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        let answer = async move {
            let started = Instant::now();
            let response = match guard.origin(caller, &method).await {
                Ok(origin) => from_origin(origin, ready.call(request)).await,
                Err(status) => Ok(status.into_http()),
            };
            record(service, method, started, response.as_ref().ok());
            response
        };
        Box::pin(answer.instrument(span))
    }
}

fn record(
    service: &'static str,
    method: String,
    started: Instant,
    response: Option<&Response<Body>>,
) {
    let code = response
        .and_then(|response| response.headers().get("grpc-status"))
        .and_then(|code| code.to_str().ok())
        .unwrap_or("0")
        .to_owned();
    metrics::counter!("grpc_calls", "service" => service, "method" => method.clone(), "code" => code)
        .increment(1);
    metrics::histogram!("grpc_seconds", "service" => service, "method" => method)
        .record(started.elapsed().as_secs_f64());
}

/// The caller of a request that came through a guard.
///
/// # Errors
///
/// `UNAUTHENTICATED`, should a server have been built without one.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Status> {
    let caller = request.extensions().get::<Caller>();
    caller.cloned().ok_or_else(|| Status::unauthenticated("the call has no caller"))
}

/// The campaign within which a request acts.
///
/// # Errors
///
/// `PERMISSION_DENIED` when the caller acts in none.
pub fn campaign(caller: &Caller) -> Result<uuid::Uuid, Status> {
    caller.campaign.ok_or_else(|| Status::permission_denied("the caller acts in no campaign"))
}

/// The id under which a command is carried out once.
///
/// # Errors
///
/// `INVALID_ARGUMENT` without one: every changing call names its command.
pub fn command_id<T>(request: &tonic::Request<T>) -> Result<Uuid, Status> {
    said_id(request, "command-id").ok_or_else(|| {
        let mut form = crate::form::Form::default();
        form.reject("command-id", "must be an id in the call's metadata");
        form.finish().expect_err("a field was rejected")
    })
}

/// Where a command comes from that one of our services gives, for `actor`: it may be part of a request that began
/// elsewhere.
///
/// # Errors
///
/// As [`command_id`].
pub fn origin_of_answer<T>(request: &tonic::Request<T>, actor: Actor) -> Result<Meta, Status> {
    let meta = Meta::new(command_id(request)?, actor);
    Ok(Meta {
        correlation_id: said_id(request, "correlation-id").unwrap_or(meta.correlation_id),
        causation_id: said_id(request, "causation-id"),
        ..meta
    })
}

fn said_id<T>(request: &tonic::Request<T>, name: &str) -> Option<Uuid> {
    request.metadata().get(name)?.to_str().ok().and_then(crate::caller::id)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use time::OffsetDateTime;
    use tonic::{Code, body::Body};
    use uuid::Uuid;

    use super::{Caller, Clock, Guard, Need, PROOF_NEEDED, Policies, Who};
    use crate::{caller::Assertions, outcome::Failure};

    const POLICIES: Policies = &[
        ("/x.Bots/Look", Need::AdminOr("bot:bot.connect")),
        ("/x.Bots/Connect", Need::Fresh(&Need::AdminOr("bot:bot.connect"))),
        ("/x.Members/Invite", Need::Fresh(&Need::AdminOrService(&["demo"]))),
    ];

    /// How a guard answers; `None` when it lets the caller in.
    fn answer(path: &str, caller: &Caller) -> Option<tonic::Status> {
        let keys = Assertions::generate();
        let assertion = keys.sign("x", caller, OffsetDateTime::now_utc());
        let request = Request::builder().uri(path).header("caller", assertion);
        let request = request.body(Body::empty()).expect("it is a request");
        Guard::new("x", POLICIES, keys, Clock::system()).admit(&request).err()
    }

    fn admin(fresh_until: Option<i64>) -> Caller {
        let (id, session) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let who = Who::Account { id, session, admin: true };
        Caller { who, fresh_until, ..Caller::service("", None) }
    }

    #[test]
    fn what_is_dangerous_needs_a_proof_of_a_moment_ago_and_the_rest_does_not() {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        for stale in [None, Some(0), Some(now - 60)] {
            assert!(answer("/x.Bots/Look", &admin(stale)).is_none());
            let refused = answer("/x.Bots/Connect", &admin(stale)).expect("it is refused");
            assert_eq!(refused.code(), Code::FailedPrecondition);
            assert_eq!(Failure::from(refused), Failure::Refused(PROOF_NEEDED.to_owned()));
        }
        assert!(answer("/x.Bots/Connect", &admin(Some(now + 60))).is_none());
    }

    #[test]
    fn a_proof_gives_nobody_what_they_may_not_and_services_need_none() {
        let (id, session) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let who = Who::Account { id, session, admin: false };
        let member = Caller { who, ..admin(Some(i64::MAX)) };
        let refused = answer("/x.Bots/Connect", &member).expect("it is refused");
        assert_eq!(
            refused.code(),
            Code::PermissionDenied,
            "and nobody learns that it is dangerous"
        );
        assert!(answer("/x.Members/Invite", &Caller::service("demo", None)).is_none());
    }

    #[test]
    fn whoever_impersonates_a_member_reads_what_the_member_may_and_nothing_else() {
        let id = Uuid::from_u128(1);
        let looks = Caller {
            who: Who::Impersonator { id, session: Uuid::from_u128(2), subject: Uuid::from_u128(3) },
            campaign: Some(Uuid::from_u128(4)),
            permissions: vec!["crm:ticket.read".to_owned()],
            ..Caller::service("", None)
        };
        let may = |need: Need, method| need.allows(&looks, method);
        let read = Need::Permission("crm:ticket.read");

        assert!(may(read, "/x.Tickets/ListTickets") && may(read, "/x.Tickets/GetTicket"));
        assert!(may(Need::AdminOr("crm:ticket.read"), "/x.Campaigns/GetCampaign"));
        assert!(!may(read, "/x.Tickets/Reply"), "it changes something");
        assert!(!may(read, "/x.Entries/ExportEntries"), "it takes something away");
        assert!(!may(Need::Permission("identity:api_key.manage"), "/x.ApiKeys/ListApiKeys"));
        assert!(may(Need::Person, "/x.Members/ListPermissions"));
        assert!(!may(Need::Account, "/x.Accounts/ListSessions"), "those are somebody's own");
        assert!(!may(Need::Admin, "/x.Campaigns/ListCampaigns"), "nor is it an admin meanwhile");
        assert!(!may(Need::AdminOrService(&["demo"]), "/x.Campaigns/ListCampaigns"));
        let held = Need::PermissionOrService("crm:ticket.read", &["bot-hub"]);
        assert!(!may(held, "/x.Tickets/CountTickets"), "what is not said to read does not");
    }
}
