//! Whose session it is, for what goes on for longer than a request: by its name, while its token may be exchanged, and
//! while nobody tells that it has ended.

use std::time::Duration;

use axum::http::HeaderMap;
use hmac::digest::Digest;
use meydan_rpc::{caller::Caller, outcome::Failure, pb::identity::AuthenticateSessionRequest};
use sha2::Sha256;

use super::{Visitor, of_token, read};
use crate::{
    app::App,
    cookies::{self, Kind},
};

/// How much sooner than for a page identity is asked once more for what stays open.
pub const SOONER: Duration = Duration::from_secs(1);

/// What identity says now of the session that somebody had a moment ago; `None` when it has ended.
///
/// # Errors
///
/// When identity cannot be asked.
pub async fn of_session(app: &App, visitor: &Visitor) -> Result<Option<Visitor>, Failure> {
    let message = AuthenticateSessionRequest {
        account_id: visitor.account.to_string(),
        session_id: visitor.session.to_string(),
    };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.sessions_client().authenticate_session(request).await.map_err(Failure::from) {
        Ok(answer) => Ok(Some(read(answer.into_inner()).ok_or(Failure::Broken)?)),
        Err(Failure::NotFound) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whose session it is, while nobody tells that it has ended; `None` when it has. However many streams it has open,
/// identity is asked for the first of them, and the others believe that.
///
/// # Errors
///
/// When identity cannot be asked.
pub async fn untold(app: &App, headers: &HeaderMap) -> Result<Option<Visitor>, Failure> {
    let Some(token) = cookies::get(headers, Kind::Session, app.secure) else { return Ok(None) };
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    match app.sessions.get(&hash).await {
        Some((visitor, until)) if app.clock.now() + SOONER < until => Ok(Some(visitor)),
        _ => of_token(app, token).await,
    }
}
