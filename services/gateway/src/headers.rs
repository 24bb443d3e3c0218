//! What every answer has in common: the headers that browsers obey, when to come again, and words of ours where a
//! request came no further than to the reader of HTTP, the router, or the reader of a form.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use meydan_web::pages::error::Failure as Shown;

use crate::{
    access, api,
    app::App,
    cookies, failure, oversight,
    session::{Visit, Visitor},
};

const FIXED: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), "none"),
];

/// What pages may use of a browser: passkeys, the copying of a link, and a citizen's video as large as the screen. What
/// else browsers ask for permission for, or tell machines apart by, is closed, to scripts of ours as well.
const PERMISSIONS: &str = "accelerometer=(), bluetooth=(), browsing-topics=(), camera=(), \
    clipboard-read=(), clipboard-write=(self), compute-pressure=(), display-capture=(), \
    encrypted-media=(), fullscreen=(self), gamepad=(), geolocation=(), gyroscope=(), hid=(), \
    identity-credentials-get=(), idle-detection=(), keyboard-map=(), local-fonts=(), \
    magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), \
    publickey-credentials-create=(self), publickey-credentials-get=(self), screen-wake-lock=(), \
    serial=(), storage-access=(), sync-xhr=(), usb=(), window-management=(), \
    xr-spatial-tracking=()";

/// Longest address that is looked at, in bytes. Ours are far below that, one that leads back after a login included.
const LONGEST_ADDRESS: usize = 8 * 1024;
/// Largest head that is looked at, in bytes of names and values, and in lines.
const LARGEST_HEAD: usize = 32 * 1024;
const MOST_LINES: usize = 100;

/// Seconds after which it is worth another try, where nobody knows better: when the minute that is counted is over, and
/// when a service has come back.
const NEXT_MINUTE: &str = "60";
const IN_A_MOMENT: &str = "2";

/// Adds the headers that a handler has not set itself.
pub async fn protect(State(app): State<App>, request: Request, next: Next) -> Response {
    let (uri, asked) = (request.uri().clone(), request.headers());
    let cookies = asked.get(header::COOKIE).cloned();
    let languages = asked.get(header::ACCEPT_LANGUAGE).cloned();
    let client = access::asked_by(&app, request.extensions(), request.headers());
    let mut response = match unreadable(&request) {
        Some(status) => status.into_response(),
        None => next.run(request).await,
    };
    if is_wordless(&response) {
        let mut headers = HeaderMap::new();
        // Of two cookies of a name the first is read: forms of the page are made for what the browser gets with it.
        for cookie in cookies::given(&response).into_iter().chain(cookies) {
            headers.append(header::COOKIE, cookie);
        }
        headers.extend(languages.map(|languages| (header::ACCEPT_LANGUAGE, languages)));
        let outside = oversight::is_outside(&app, client);
        let looker = oversight::looker(&app, &headers, outside).await;
        response = in_words(&app, uri.path(), (&headers, looker), &response);
    }
    let again = match response.status() {
        StatusCode::TOO_MANY_REQUESTS => Some(NEXT_MINUTE),
        StatusCode::SERVICE_UNAVAILABLE => Some(IN_A_MOMENT),
        _ => None,
    };
    let headers = response.headers_mut();
    if let Some(again) = again {
        set(headers, header::RETRY_AFTER, HeaderValue::from_static(again));
    }
    for (name, value) in FIXED {
        set(headers, name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_static(meydan_web::assets::content_security_policy());
    set(headers, header::CONTENT_SECURITY_POLICY, policy);
    set(headers, header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if app.secure {
        let strict = HeaderValue::from_static("max-age=63072000; includeSubDomains; preload");
        set(headers, header::STRICT_TRANSPORT_SECURITY, strict);
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

/// Whether more was sent than anybody reads.
fn unreadable(request: &Request) -> Option<StatusCode> {
    let address = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    if address > LONGEST_ADDRESS {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let headers = request.headers();
    let head: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let large = head > LARGEST_HEAD || headers.len() > MOST_LINES;
    large.then_some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

/// Whether a refusal has no words, or those of a library, which tell how we are built.
fn is_wordless(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    shown(response.status()).is_some()
        && kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

const fn shown(status: StatusCode) -> Option<Shown> {
    Some(match status {
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => Shown::BadRequest,
        StatusCode::NOT_FOUND => Shown::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Shown::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Shown::TooLarge,
        StatusCode::URI_TOO_LONG => Shown::AddressTooLong,
        StatusCode::UNPROCESSABLE_ENTITY => Shown::Unprocessable,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Shown::HeadTooLarge,
        StatusCode::INTERNAL_SERVER_ERROR => Shown::Internal,
        _ => return None,
    })
}

/// The same refusal in words: a page for people, a code for programs, and nothing for other machines.
fn in_words(
    app: &App,
    path: &str,
    (headers, visitor): (&HeaderMap, Option<Visitor>),
    refusal: &Response,
) -> Response {
    let status = refusal.status();
    let mut told = match shown(status) {
        _ if path.starts_with("/api/") => api::told(status, code(status)),
        Some(shown)
            if !["/telegram", "/healthz", "/livez"].iter().any(|at| path.starts_with(at)) =>
        {
            let nobody = Visit::of_nobody(headers, path.to_owned(), app.secure);
            let visit = Visit { visitor, ..nobody };
            failure::page(app, &visit, shown)
        }
        _ => StatusCode::OK.into_response(),
    };
    *told.status_mut() = status;
    for kept in [header::ALLOW, header::SET_COOKIE] {
        for value in refusal.headers().get_all(&kept) {
            told.headers_mut().append(&kept, value.clone());
        }
    }
    told
}

const fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::INTERNAL_SERVER_ERROR => "internal",
        StatusCode::UNPROCESSABLE_ENTITY => "unprocessable",
        _ => "bad_request",
    }
}
