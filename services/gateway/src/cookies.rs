//! The panel's cookies: session, pre-session, waiting login, known browser, language, theme.
//!
//! With https, names begin with `__Host-`, so that no other site of the domain can set them. Plain http is
//! for this machine alone (no public address is set), where browsers refuse that prefix; then they are
//! called without it.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use axum_extra::extract::cookie::{Cookie, SameSite};
use meydan_rpc::form::instant;
use meydan_web::{Locale, Theme};
use prost_types::Timestamp;
use time::Duration;

use crate::app::App;

/// Kinds of cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Who is logged in.
    Session,
    /// Who has opened a form without being logged in.
    PreSession,
    /// A login that waits for its second factor.
    Challenge,
    /// A browser from which somebody has logged in.
    Device,
    /// Language.
    Locale,
    /// Colours.
    Theme,
}

impl Kind {
    const fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-meydan",
            (Self::Session, false) => "meydan",
            (Self::PreSession, true) => "__Host-meydan-form",
            (Self::PreSession, false) => "meydan-form",
            (Self::Challenge, true) => "__Host-meydan-challenge",
            (Self::Challenge, false) => "meydan-challenge",
            (Self::Device, true) => "__Host-meydan-device",
            (Self::Device, false) => "meydan-device",
            (Self::Locale, true) => "__Host-meydan-locale",
            (Self::Locale, false) => "meydan-locale",
            (Self::Theme, true) => "__Host-meydan-theme",
            (Self::Theme, false) => "meydan-theme",
        }
    }
}

/// The value of a cookie that came with a request.
#[must_use]
pub fn get(headers: &HeaderMap, kind: Kind, secure: bool) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == kind.name(secure))
        .map(|cookie| cookie.value().to_owned())
}

/// A header that sets a cookie; for `None` until the browser is closed.
#[must_use]
pub fn set(kind: Kind, value: &str, lasts: Option<Duration>, secure: bool) -> HeaderValue {
    let mut cookie = Cookie::build((kind.name(secure), value.to_owned()))
        .path("/")
        .secure(secure)
        .http_only(true)
        .same_site(SameSite::Lax);
    if let Some(lasts) = lasts {
        cookie = cookie.max_age(lasts);
    }
    HeaderValue::from_str(&cookie.build().to_string()).expect("our cookies are ASCII")
}

/// Said behind the token of a login that waits, where the first step said that the browser is nobody else's.
const OWN: &str = ".own";

/// The login that waits for its second factor, and whether its browser was said to be nobody else's.
#[must_use]
pub fn waiting(headers: &HeaderMap, secure: bool) -> Option<(String, bool)> {
    let value = get(headers, Kind::Challenge, secure)?;
    let own = value.strip_suffix(OWN).map(|token| (token.to_owned(), true));
    own.or(Some((value, false)))
}

/// A header that has the browser remember a login that waits.
#[must_use]
pub fn wait(token: &str, own: bool, secure: bool) -> HeaderValue {
    let value = format!("{token}{}", if own { OWN } else { "" });
    set(Kind::Challenge, &value, None, secure)
}

/// A header that gives the browser the token of a session, and until when it keeps that; for `None` until it is closed.
#[must_use]
pub fn session(app: &App, token: &str, keep_until: Option<Timestamp>) -> HeaderValue {
    let left = keep_until.and_then(instant).map(|until| until - app.clock.now());
    set(Kind::Session, token, left, app.secure)
}

/// A header that removes a cookie.
#[must_use]
pub fn remove(kind: Kind, secure: bool) -> HeaderValue {
    set(kind, "", Some(Duration::ZERO), secure)
}

/// The cookies that an answer sets, as the browser will send them.
#[must_use]
pub fn given(answer: &Response) -> Vec<HeaderValue> {
    let set = answer.headers().get_all(header::SET_COOKIE).iter();
    let pairs = set.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    pairs.filter_map(|pair| HeaderValue::from_str(pair).ok()).collect()
}

/// The language that was chosen in this browser.
#[must_use]
pub fn locale(headers: &HeaderMap, secure: bool) -> Option<Locale> {
    get(headers, Kind::Locale, secure).and_then(|code| Locale::from_code(&code))
}

/// The first language that a browser asks for and we speak.
#[must_use]
pub fn asked_locale(headers: &HeaderMap) -> Option<Locale> {
    let languages = headers.get(header::ACCEPT_LANGUAGE)?;
    Locale::accepted(languages.to_str().ok()?)
}

/// The colours of a visit: chosen, or the device's.
#[must_use]
pub fn theme(headers: &HeaderMap, secure: bool) -> Theme {
    let chosen = get(headers, Kind::Theme, secure).and_then(|code| Theme::from_code(&code));
    chosen.unwrap_or_default()
}
