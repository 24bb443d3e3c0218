//! Who visits. The session's token is known to the browser alone; identity says whose it is.

mod named;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use hmac::digest::Digest;
use meydan_rpc::{
    caller::{Caller, Who},
    form::instant,
    outcome::Failure,
    pb::identity::{AuthenticateRequest, AuthenticateResponse},
};
use meydan_web::{
    CampaignLink, Impersonation, Locale, Nav, Notice, Shell, Theme, Viewer, Zone,
    pages::campaigns::CampaignStatus,
};
use sha2::Sha256;
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::named::{SOONER, of_session, untold};
use crate::{
    app::{App, SESSIONS},
    cookies::{self, Kind},
    csrf, views,
};

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Their account.
    pub account: Uuid,
    /// This session of theirs.
    pub session: Uuid,
    /// What they are called.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Platform staff, as which they visit.
    pub admin: bool,
    /// Platform staff, also while they look as a member.
    pub staff: bool,
    /// As whom they look, if they do.
    pub impersonates: Option<Impersonates>,
    /// In what language and time zone they work, if they chose.
    pub preferences: Option<(Locale, Zone)>,
    /// Their campaigns.
    pub memberships: Vec<Membership>,
    /// What they need before they work with anything.
    pub needs: Option<Needs>,
    /// Until when their last proof is good for what is dangerous.
    pub fresh_until: OffsetDateTime,
    /// Whether the session is to get another token, because their role has changed.
    pub renew: bool,
}

/// What somebody needs before they work with anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A second factor.
    Factor,
    /// New recovery codes: their last one was used.
    Codes,
}

/// As which member an admin looks.
#[derive(Debug, Clone)]
pub struct Impersonates {
    /// The member's account.
    pub subject: Uuid,
    /// What they are called.
    pub name: String,
    /// When it ends by itself.
    pub ends_at: OffsetDateTime,
}

impl Visitor {
    /// Whether their last proof is good for what is dangerous.
    #[must_use]
    pub fn is_fresh(&self, app: &App) -> bool {
        self.fresh_until >= app.clock.now()
    }

    /// Whether what was said of this visitor hangs on an account.
    #[must_use]
    pub fn depends_on(&self, account: Uuid) -> bool {
        let subject = self.impersonates.as_ref().map(|who| who.subject);
        self.account == account || subject == Some(account)
    }
}

/// A place in a campaign.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The campaign.
    pub campaign: Uuid,
    /// Its name in addresses.
    pub slug: String,
    /// Its candidate.
    pub candidate: String,
    /// What they may do there.
    pub permissions: Vec<String>,
    /// Where the campaign stands.
    pub status: CampaignStatus,
    /// When it will be deleted, if nobody withdraws that.
    pub deletion_due_at: Option<OffsetDateTime>,
    /// Nothing of it opens before they have a second factor.
    pub needs_factor: bool,
}

impl Membership {
    /// Whether the campaign runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.status == CampaignStatus::Active
    }
}

/// A visit: who, in what language, within which campaign.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Who, when logged in.
    pub visitor: Option<Visitor>,
    /// The campaign of the address.
    pub membership: Option<Membership>,
    /// The language that was chosen in this browser.
    pub chosen: Option<Locale>,
    /// The first language that the browser asks for and we speak.
    pub asked: Option<Locale>,
    /// Colours.
    pub theme: Theme,
    /// What tokens of forms are made from: the session's or the pre-session's cookie.
    pub cookie: String,
    /// Whether the pre-session's cookie has to be set.
    pub fresh: bool,
    /// Path and query.
    pub path: String,
    /// The network address.
    pub address: String,
    /// Whether staff does not work from there.
    pub outside: bool,
    /// What the browser calls the panel: a name or a number, and a port.
    pub host: String,
}

impl Visit {
    /// The visit of somebody of whom nothing is known but what the browser keeps.
    #[must_use]
    pub fn of_nobody(headers: &HeaderMap, path: String, secure: bool) -> Self {
        let cookie = |kind| cookies::get(headers, kind, secure);
        let known = cookie(Kind::Session).or_else(|| cookie(Kind::PreSession));
        Self {
            visitor: None,
            membership: None,
            chosen: cookies::locale(headers, secure),
            asked: cookies::asked_locale(headers),
            theme: cookies::theme(headers, secure),
            fresh: known.is_none(),
            cookie: known.unwrap_or_else(|| Uuid::new_v4().simple().to_string()),
            path,
            address: String::new(),
            outside: false,
            host: String::new(),
        }
    }

    /// The language of the visit: of this browser, or of the account, or what a stranger's browser asks for.
    #[must_use]
    pub fn locale(&self) -> Locale {
        let of_account = || self.preferences().map(|(locale, _)| *locale);
        let asked = || self.asked.filter(|_| self.visitor.is_none());
        self.chosen.or_else(of_account).or_else(asked).unwrap_or_default()
    }

    /// Where times are told: in the account's time zone, or in the panel's.
    #[must_use]
    pub fn zone<'a>(&'a self, app: &'a App) -> &'a Zone {
        self.preferences().map_or(&app.zone, |(_, zone)| zone)
    }

    /// In what language and time zone whoever visits works, if they chose.
    #[must_use]
    pub fn preferences(&self) -> Option<&(Locale, Zone)> {
        self.visitor.as_ref().and_then(|visitor| visitor.preferences.as_ref())
    }

    /// A token for a form.
    #[must_use]
    pub fn csrf(&self) -> String {
        csrf::token(&self.cookie)
    }

    /// Who calls other services on this visit.
    #[must_use]
    pub fn caller(&self) -> Caller {
        let Some(visitor) = &self.visitor else { return Caller::service(crate::NAME, None) };
        let membership = self.membership.as_ref();
        let (id, session) = (visitor.account, visitor.session);
        // Without the second factor or the codes that they need they are nobody yet.
        let admin = visitor.admin && visitor.needs.is_none();
        let who = match &visitor.impersonates {
            Some(seen) => Who::Impersonator { id, session, subject: seen.subject },
            None => Who::Account { id, session, admin },
        };
        Caller {
            who,
            campaign: membership.map(|membership| membership.campaign),
            permissions: membership.map(|place| place.permissions.clone()).unwrap_or_default(),
            address: Some(self.address.clone()),
            fresh_until: Some(visitor.fresh_until.unix_timestamp()),
        }
    }

    /// In which city an address is, in the language of the visit, if that is known.
    #[must_use]
    pub fn place(&self, app: &App, address: &str) -> Option<String> {
        app.cities.of(address, self.locale().code())
    }

    /// The campaign's name in addresses; empty outside campaigns.
    #[must_use]
    pub fn slug(&self) -> String {
        self.membership.as_ref().map(|membership| membership.slug.clone()).unwrap_or_default()
    }

    /// Whether the visitor may do `permission` in the campaign of the address.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.membership
            .as_ref()
            .is_some_and(|place| place.permissions.iter().any(|granted| granted == permission))
    }

    /// The parts of the campaign that the visitor may open besides home and inbox.
    fn opens(&self) -> Vec<Nav> {
        let parts = [
            (Nav::Team, "identity:member.read"),
            (Nav::ApiKeys, "identity:api_key.manage"),
            (Nav::Audit, "identity:audit.read"),
        ];
        let open = parts.into_iter().filter(|(_, permission)| self.may(permission));
        open.map(|(part, _)| part).collect()
    }

    /// As whom an admin looks, for every page to say.
    fn impersonation(&self, app: &App) -> Option<Impersonation> {
        let who = self.visitor.as_ref()?.impersonates.as_ref()?;
        let left = (who.ends_at - app.clock.now()).whole_minutes() + 1;
        let minutes = u64::try_from(left).unwrap_or_default();
        Some(Impersonation { name: who.name.clone(), minutes })
    }

    /// What every page of this visit shares.
    #[must_use]
    pub fn shell(&self, app: &App, active: Nav) -> Shell {
        let link = |place: &Membership| CampaignLink {
            slug: place.slug.clone(),
            name: place.candidate.clone(),
        };
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let notice = form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "notice")
            .and_then(|(_, code)| Notice::from_code(&code));
        Shell {
            locale: self.locale(),
            theme: self.theme,
            zone: self.zone(app).clone(),
            csrf: self.csrf(),
            viewer: self.visitor.as_ref().map(|visitor| Viewer {
                name: visitor.name.clone(),
                is_admin: visitor.admin,
                campaigns: visitor.memberships.iter().map(link).collect(),
            }),
            campaign: self.membership.as_ref().map(link),
            opens: self.opens(),
            active,
            unread: 0,
            now: app.clock.now(),
            notice,
            demo: app.demo,
            impersonation: self.impersonation(app),
            position: 0,
            path: self.path.clone(),
        }
    }
}

/// The visit that the guard of the route has prepared.
impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = axum::http::StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Whom a request's session belongs to; `None` when it has none, or it has ended.
///
/// # Errors
///
/// When identity cannot be asked.
pub async fn visitor(app: &App, headers: &HeaderMap) -> Result<Option<Visitor>, Failure> {
    if let Some(visitor) = remembered(app, headers).await {
        return Ok(Some(visitor));
    }
    match cookies::get(headers, Kind::Session, app.secure) {
        Some(token) => of_token(app, token).await,
        None => Ok(None),
    }
}

/// Whom the session of a token belongs to, as identity says now; `None` when it has ended.
///
/// # Errors
///
/// When identity cannot be asked.
pub async fn of_token(app: &App, token: String) -> Result<Option<Visitor>, Failure> {
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let (heard, until) = (app.changes.heard(), app.clock.now() + SESSIONS);
    let caller = Caller::service(crate::NAME, None);
    let request = app.identity.ask(&caller, AuthenticateRequest { session_token: token });
    match app.sessions_client().authenticate(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let visitor = read(answer.into_inner()).ok_or(Failure::Broken)?;
            let ends_at = visitor.impersonates.as_ref().map(|who| who.ends_at);
            let until = ends_at.map_or(until, |ends_at| until.min(ends_at));
            app.sessions.insert(hash, (visitor.clone(), until)).await;
            // Something changed while identity was asked: the answer may be from before.
            if app.changes.heard() != heard {
                app.sessions.invalidate(&hash).await;
            }
            Ok(Some(visitor))
        }
        Err(Failure::NotFound) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whose session it is, when identity has said so a moment ago.
pub async fn remembered(app: &App, headers: &HeaderMap) -> Option<Visitor> {
    let token = cookies::get(headers, Kind::Session, app.secure)?;
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let (visitor, until) = app.sessions.get(&hash).await?;
    (app.clock.now() < until).then_some(visitor)
}

/// Forgets what identity said of a session.
pub async fn forget(app: &App, headers: &HeaderMap) {
    if let Some(token) = cookies::get(headers, Kind::Session, app.secure) {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        app.sessions.invalidate(&hash).await;
    }
}

fn read(answer: AuthenticateResponse) -> Option<Visitor> {
    let memberships = answer.memberships.into_iter().map(|place| {
        Some(Membership {
            status: views::campaign::status_in(place.status()),
            deletion_due_at: place.deletion_due_at.and_then(instant),
            campaign: Uuid::try_parse(&place.campaign_id).ok()?,
            slug: place.slug,
            candidate: place.candidate_name,
            permissions: place.permissions,
            needs_factor: place.needs_factor,
        })
    });
    let impersonates = match answer.impersonation {
        Some(who) => Some(Impersonates {
            subject: Uuid::try_parse(&who.account_id).ok()?,
            name: who.display_name,
            ends_at: who.ends_at.and_then(instant)?,
        }),
        None => None,
    };
    Some(Visitor {
        staff: answer.is_admin || impersonates.is_some(),
        impersonates,
        account: Uuid::try_parse(&answer.account_id).ok()?,
        session: Uuid::try_parse(&answer.session_id).ok()?,
        name: answer.display_name,
        email: answer.email,
        admin: answer.is_admin,
        preferences: answer.preferences.and_then(|chosen| {
            Some((Locale::from_code(&chosen.locale)?, Zone::named(&chosen.time_zone)))
        }),
        memberships: memberships.collect::<Option<_>>()?,
        needs: match (answer.needs_factor, answer.needs_codes) {
            (true, _) => Some(Needs::Factor),
            (_, true) => Some(Needs::Codes),
            _ => None,
        },
        fresh_until: answer.fresh_until.and_then(instant)?,
        renew: answer.renew,
    })
}
