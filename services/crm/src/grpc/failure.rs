//! What a caller may know about a failure. The mapping is exhaustive: a new refusal does not compile until
//! somebody chose its status.

use crm_domain::{CitizenRefusal, TicketRefusal};
use meydan_keyring::KeyError;
use meydan_rpc::outcome::{broken, not_found, refused, status, unavailable};
use tonic::{Code, Status};

use crate::app::{AppError, QueryError};

const ERASED: &str = "crm.citizen.erased";

pub(super) fn ticket(error: AppError<TicketRefusal>) -> Status {
    match error {
        AppError::Log(error) => status(error, |refusal| (ticket_status(*refusal), refusal.code())),
        AppError::NotFound => not_found("crm.ticket.not_found"),
        AppError::Keys(error) => keys(&error),
    }
}

const fn ticket_status(refusal: TicketRefusal) -> Code {
    match refusal {
        TicketRefusal::NotOpened | TicketRefusal::NoSuchMessage | TicketRefusal::AnotherCitizen => {
            Code::NotFound
        }
        TicketRefusal::Ended | TicketRefusal::NoSuchMove | TicketRefusal::CitizenBlocked => {
            Code::FailedPrecondition
        }
    }
}

pub(super) fn citizen(error: AppError<CitizenRefusal>) -> Status {
    match error {
        AppError::Log(error) => status(error, |refusal| match refusal {
            CitizenRefusal::NotMet => (Code::NotFound, "crm.citizen.not_found"),
        }),
        AppError::NotFound => not_found("crm.citizen.not_found"),
        AppError::Keys(error) => keys(&error),
    }
}

pub(super) fn query(error: QueryError) -> Status {
    match error {
        QueryError::Database(error) => unavailable(&error),
        QueryError::NotFound => not_found("crm.ticket.not_found"),
        QueryError::Keys(error) => keys(&error),
        QueryError::Behind => Status::unavailable("the read model is behind; try again"),
    }
}

fn keys(error: &KeyError) -> Status {
    match error {
        KeyError::Destroyed => {
            refused(Code::FailedPrecondition, ERASED, "the citizen has been erased")
        }
        KeyError::Unavailable(_) => unavailable(error),
        KeyError::Tampered => broken(error),
    }
}
