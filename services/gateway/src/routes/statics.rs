//! `/static/…`: styles, scripts, fonts and icons, compiled into the program.

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use meydan_web::assets::{self, Asset};

/// Serves one file in the best encoding that the browser takes.
pub(super) async fn serve(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(asset) = assets::lookup(&path, text(header::ACCEPT_ENCODING)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let known = text(header::IF_NONE_MATCH) == asset.etag;
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    if !known {
        response = asset.body.clone().into_owned().into_response();
    }
    describe(response.headers_mut(), &asset);
    response
}

fn describe(headers: &mut HeaderMap, asset: &Asset) {
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &asset.content_type);
    set(header::ETAG, &asset.etag);
    set(header::CACHE_CONTROL, asset.cache_control());
    set(header::VARY, "Accept-Encoding");
    if let Some(encoding) = asset.content_encoding {
        set(header::CONTENT_ENCODING, encoding);
    }
}
