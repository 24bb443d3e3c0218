//! Whose session it is, by its name: for what goes on for longer than a request, while its token may be exchanged.

use meydan_rpc::{caller::Caller, outcome::Failure, pb::identity::AuthenticateSessionRequest};

use super::{Visitor, read};
use crate::app::App;

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
