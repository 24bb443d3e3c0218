//! Pages for requests that cannot be answered.

use askama::Template;

use super::team::permission_key;
use crate::shell::Shell;

/// Why a request could not be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// 400; also what is no form at all, with its own status.
    BadRequest,
    /// 403.
    Forbidden,
    /// 403: the form is not that of who sends it, most often because it was open for too long.
    StaleForm,
    /// 404. Also for another campaign's things.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 413.
    TooLarge,
    /// 414.
    AddressTooLong,
    /// 422.
    Unprocessable,
    /// 429.
    TooManyRequests,
    /// 431.
    HeadTooLarge,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 12] = [
        Self::BadRequest,
        Self::Forbidden,
        Self::StaleForm,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::AddressTooLong,
        Self::Unprocessable,
        Self::TooManyRequests,
        Self::HeadTooLarge,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden | Self::StaleForm => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooLarge => 413,
            Self::AddressTooLong => 414,
            Self::Unprocessable => 422,
            Self::TooManyRequests => 429,
            Self::HeadTooLarge => 431,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    pub(crate) const fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("error-400-title", "error-400-text"),
            Self::Forbidden => ("error-403-title", "error-403-text"),
            Self::StaleForm => ("error-stale-title", "error-stale-text"),
            Self::NotFound => ("error-404-title", "error-404-text"),
            Self::MethodNotAllowed => ("error-405-title", "error-405-text"),
            Self::TooLarge => ("error-413-title", "error-413-text"),
            Self::AddressTooLong => ("error-414-title", "error-414-text"),
            Self::Unprocessable => ("error-422-title", "error-422-text"),
            Self::TooManyRequests => ("error-429-title", "error-429-text"),
            Self::HeadTooLarge => ("error-431-title", "error-431-text"),
            Self::Internal => ("error-500-title", "error-500-text"),
            Self::Unavailable => ("error-503-title", "error-503-text"),
        }
    }

    /// Whether trying the same again may help.
    pub(crate) const fn may_pass(self) -> bool {
        matches!(self, Self::TooManyRequests | Self::Internal | Self::Unavailable)
    }
}

/// How somebody goes on who asked too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// After how many seconds.
    pub seconds: u64,
    /// The path of the page where they were.
    pub back: String,
}

/// The page of a failure.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/error.html")]
pub struct ErrorPage {
    /// What pages share.
    pub shell: Shell,
    /// What failed.
    pub failure: Failure,
    /// The permission that was missing, as `context:thing.act`, where one would do.
    pub missing: Option<&'static str>,
    /// The trace to look for in the logs.
    pub trace_id: Option<String>,
    /// After how long trying again helps, where that is known.
    pub wait: Option<Wait>,
}

impl ErrorPage {
    /// What happened, and what to do.
    fn text(&self) -> String {
        let shell = &self.shell;
        match (self.missing, &self.wait) {
            _ if self.failure == Failure::Forbidden && shell.impersonation.is_some() => {
                shell.t("error-looking-text")
            }
            (Some(name), _) => {
                let permission = shell.t(&permission_key(name));
                shell.s("error-403-permission", "permission", permission)
            }
            (None, Some(wait)) => shell.n("error-429-wait", wait.seconds),
            (None, None) => shell.t(self.failure.keys().1),
        }
    }

    /// Where trying again begins.
    fn again(&self) -> &str {
        self.wait.as_ref().map_or(&self.shell.path, |wait| &wait.back)
    }
}

super::renders!(ErrorPage);
