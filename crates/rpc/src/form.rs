//! Wire values to ours, reporting every bad field at once.

use prost_types::Timestamp;
use time::OffsetDateTime;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use uuid::Uuid;

/// Collects what is wrong with a request.
///
/// ```
/// use meydan_rpc::form::Form;
///
/// let mut form = Form::default();
/// let id = form.id("ticket_id", "not-an-id");
/// let name = form.text("name", "  Sara ", 1..=80);
/// assert_eq!((id, name.as_deref()), (None, Some("Sara")));
/// assert!(form.finish().is_err());
/// ```
#[derive(Debug, Default)]
pub struct Form {
    details: ErrorDetails,
    bad: bool,
}

impl Form {
    /// Notes that `field` is wrong, and what to do.
    pub fn reject(&mut self, field: &str, problem: &str) {
        self.bad = true;
        self.details.add_bad_request_violation(field, problem);
    }

    /// Keeps a value, or notes the problem.
    pub fn field<T>(&mut self, name: &str, parsed: Result<T, &str>) -> Option<T> {
        parsed.map_err(|problem| self.reject(name, problem)).ok()
    }

    /// An id.
    pub fn id(&mut self, name: &str, text: &str) -> Option<Uuid> {
        self.field(name, crate::caller::id(text).ok_or("must be an id"))
    }

    /// A text without the space around it, of so many characters.
    pub fn text(
        &mut self,
        name: &str,
        text: &str,
        length: std::ops::RangeInclusive<usize>,
    ) -> Option<String> {
        let text = text.trim();
        let count = text.chars().count();
        if count < *length.start() {
            self.reject(name, "must not be empty");
            None
        } else if count > *length.end() {
            self.reject(name, &format!("must have at most {} characters", length.end()));
            None
        } else {
            Some(text.to_owned())
        }
    }

    /// An instant.
    pub fn instant(&mut self, name: &str, at: Option<Timestamp>) -> Option<OffsetDateTime> {
        self.field(name, at.and_then(instant).ok_or("must be an instant"))
    }

    /// Whether everything was in order so far.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` with all bad fields.
    pub fn finish(self) -> Result<(), Status> {
        if self.bad {
            let message = "the request has invalid fields";
            return Err(Status::with_error_details(Code::InvalidArgument, message, self.details));
        }
        Ok(())
    }
}

/// An instant of the wire, to the microsecond, as PostgreSQL keeps it.
#[must_use]
pub fn instant(at: Timestamp) -> Option<OffsetDateTime> {
    let nanos = i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos / 1_000 * 1_000).ok()
}

/// An instant on the wire.
#[must_use]
pub fn timestamp(at: OffsetDateTime) -> Timestamp {
    let nanos = i32::try_from(at.nanosecond()).expect("a second has 10^9 nanoseconds");
    Timestamp { seconds: at.unix_timestamp(), nanos }
}
