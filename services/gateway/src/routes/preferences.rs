//! `/preferences`: language and colours, kept in the browser.

use axum::{Form, extract::State, response::Response};
use meydan_web::{Locale, Theme};
use serde::Deserialize;
use time::Duration;

use super::go;
use crate::{
    app::App,
    cookies::{self, Kind},
};

/// How long a choice is remembered.
const REMEMBERED: Duration = Duration::days(365);

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    locale: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    return_to: String,
}

pub(super) async fn submit(State(app): State<App>, Form(choice): Form<Choice>) -> Response {
    let (locale, theme) = (Locale::from_code(&choice.locale), Theme::from_code(&choice.theme));
    remember(&app, go(local(&choice.return_to)), locale, theme)
}

/// Has the browser keep what was chosen.
pub(super) fn remember(
    app: &App,
    mut response: Response,
    locale: Option<Locale>,
    theme: Option<Theme>,
) -> Response {
    let headers = response.headers_mut();
    if let Some(locale) = locale {
        let cookie = cookies::set(Kind::Locale, locale.code(), Some(REMEMBERED), app.secure);
        headers.append(axum::http::header::SET_COOKIE, cookie);
    }
    if let Some(theme) = theme {
        let cookie = cookies::set(Kind::Theme, theme.code(), Some(REMEMBERED), app.secure);
        headers.append(axum::http::header::SET_COOKIE, cookie);
    }
    response
}

/// A path of our own; anything else leads to the entrance.
pub(crate) fn local(path: &str) -> &str {
    let ours = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if ours { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(local("/c/tehran/inbox?status=new"), "/c/tehran/inbox?status=new");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a b"] {
            assert_eq!(local(elsewhere), "/");
        }
    }
}
