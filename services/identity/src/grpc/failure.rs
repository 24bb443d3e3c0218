//! What a caller may know about a failure.

use meydan_rpc::{
    form::Form,
    outcome::{not_found, refused},
};
use tonic::{Code, Status};

use crate::app::AppError;

pub(super) fn status(error: AppError) -> Status {
    match error {
        AppError::Refused(code, words) => {
            let taken = code.ends_with("taken") || code.ends_with("already");
            let status = if taken { Code::AlreadyExists } else { Code::FailedPrecondition };
            refused(status, code, words)
        }
        AppError::NotFound => not_found("identity.not_found"),
        AppError::Malformed(fields) => {
            let mut form = Form::default();
            for (field, problem) in fields {
                form.reject(field, &problem);
            }
            form.finish().expect_err("a field was rejected")
        }
        AppError::Conflict => Status::aborted("others were quicker; try again"),
        AppError::Unavailable(cause) => {
            tracing::warn!(cause, "not done");
            Status::unavailable("try again later")
        }
        AppError::Damaged(cause) => {
            tracing::error!(cause, "stored facts are damaged");
            Status::internal("internal error")
        }
    }
}
