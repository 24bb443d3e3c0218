//! The five outcomes of a call, told apart from the domain to the browser.
//!
//! | outcome | gRPC | the gateway shows |
//! |---|---|---|
//! | malformed | `INVALID_ARGUMENT` with every bad field | the form again, 422 |
//! | refused | `NOT_FOUND`, `ALREADY_EXISTS`, `PERMISSION_DENIED`, `FAILED_PRECONDITION` with a code | 404, 409, 403 |
//! | lost a race | `ABORTED` | 409, try again |
//! | unavailable | `UNAVAILABLE`, `DEADLINE_EXCEEDED` | 503 with Retry-After |
//! | damaged, or a bug | `INTERNAL`, no detail | 500 with the trace id |

use std::{collections::HashMap, error::Error};

use meydan_event_log::ExecuteError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// A refusal on the wire: a status code, and a stable code of ours such as `crm.ticket.already_closed`.
#[must_use]
pub fn refused(status: Code, code: &str, message: &str) -> Status {
    let context = code.split('.').next().unwrap_or_default().to_owned();
    let details = ErrorDetails::with_error_info(code, context, HashMap::new());
    Status::with_error_details(status, message, details)
}

/// Nothing there, or nothing there for this caller: the two look alike.
#[must_use]
pub fn not_found(code: &str) -> Status {
    refused(Code::NotFound, code, "not found")
}

/// What the caller may know about a command that changed nothing. Logs failures of ours, once.
pub fn status<R: Error>(
    error: ExecuteError<R>,
    refusal: impl FnOnce(&R) -> (Code, &'static str),
) -> Status {
    match error {
        ExecuteError::Refused(rule) => {
            let (status, code) = refusal(&rule);
            refused(status, code, &rule.to_string())
        }
        ExecuteError::Conflict => Status::aborted("others were quicker; try again"),
        ExecuteError::KeyTaken => refused(Code::AlreadyExists, "key_taken", "it is taken"),
        taken @ ExecuteError::CommandIdTaken(_) => {
            refused(Code::AlreadyExists, "command_id_taken", &taken.to_string())
        }
        ExecuteError::TooLarge => refused(Code::FailedPrecondition, "too_large", "it is too large"),
        ExecuteError::Unavailable(cause) => {
            tracing::warn!(cause = cause.map(|cause| cause.to_string()), "command not carried out");
            Status::unavailable("try again later")
        }
        ExecuteError::Damaged(cause) => broken(&cause),
    }
}

/// A failure of the database, for a query.
#[must_use]
pub fn unavailable(error: &dyn Error) -> Status {
    tracing::warn!(%error, "query not answered");
    Status::unavailable("try again later")
}

/// A bug or damaged facts: no detail leaves the service.
#[must_use]
pub fn broken(error: &dyn Error) -> Status {
    tracing::error!(%error, cause = error.source().map(ToString::to_string), "stored facts are damaged");
    Status::internal("internal error")
}

/// A call that did not do what was asked, as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Bad fields: name and what to do, as the service said it.
    Malformed(Vec<(String, String)>),
    /// No such thing, or not for this caller.
    NotFound,
    /// Not allowed.
    Denied,
    /// A rule said no: its stable code.
    Refused(String),
    /// Others changed it meanwhile; worth another try by the person.
    Conflict,
    /// Worth another try in a moment.
    Unavailable,
    /// Ours to mend.
    Broken,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        // What a service says comes without a cause; a status with one was made on this side, because the
        // connection broke or was refused. Whether the command was carried out is not known: it is worth
        // another try, under the same id.
        if status.source().is_some() {
            return Self::Unavailable;
        }
        let code = status.get_details_error_info().map(|info| info.reason);
        match status.code() {
            Code::InvalidArgument => match (code, status.get_details_bad_request()) {
                (Some(code), _) => Self::Refused(code),
                (None, Some(bad)) => Self::Malformed(
                    bad.field_violations.into_iter().map(|v| (v.field, v.description)).collect(),
                ),
                (None, None) => Self::Broken,
            },
            Code::NotFound => Self::NotFound,
            Code::PermissionDenied => Self::Denied,
            Code::AlreadyExists | Code::FailedPrecondition | Code::ResourceExhausted => {
                code.map_or(Self::Broken, Self::Refused)
            }
            Code::Aborted => Self::Conflict,
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Self::Unavailable,
            Code::Ok
            | Code::Unknown
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => Self::Broken,
        }
    }
}
