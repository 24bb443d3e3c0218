//! What PostgreSQL calls an error: its `SQLSTATE`, whose first two characters are its class (PostgreSQL, appendix A).

use std::borrow::Cow;

use sqlx::error::DatabaseError;

/// The code, if it was PostgreSQL that said no.
pub(crate) fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(DatabaseError::code)
}

/// Whether a code is of one of these classes.
pub(crate) fn is_in(code: &str, classes: &[&str]) -> bool {
    classes.iter().any(|class| code.starts_with(class))
}
