//! `/c/{slug}/files/{message}`: what a citizen sent, fetched through the campaign's bot when somebody looks.

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, TryStreamExt, stream};
use meydan_rpc::{
    outcome::Failure,
    pb::{
        bot_hub::FetchFileRequest,
        crm::{File, GetAttachmentRequest},
    },
};

use crate::{app::App, failure, session::Visit};

/// What browsers may show in a page. Everything else is saved to disk: the type that a sender claims proves
/// nothing, and an HTML file must never run here.
fn shown_as(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'O', b'g', b'g', b'S', ..] => Some("audio/ogg"),
        [b'I', b'D', b'3', ..] | [0xff, 0xfb, ..] => Some("audio/mpeg"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("video/mp4"),
        _ => None,
    }
}

pub(super) async fn fetch(
    State(app): State<App>,
    visit: Visit,
    Path((_, message)): Path<(String, String)>,
) -> Response {
    match fetched(&app, &visit, message).await {
        Ok(response) => response,
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

async fn fetched(app: &App, visit: &Visit, message: String) -> Result<Response, Failure> {
    let caller = visit.caller();
    let request = app.crm.ask(&caller, GetAttachmentRequest { message_id: message });
    let file = match app.tickets().get_attachment(request).await.map_err(Failure::from) {
        Ok(answer) => answer.into_inner(),
        Err(Failure::Malformed(_)) => return Err(Failure::NotFound),
        Err(failure) => return Err(failure),
    };
    let mut request = app.bot_hub.ask(&caller, FetchFileRequest { file_id: file.file_id.clone() });
    request.set_timeout(std::time::Duration::from_secs(25));
    let mut pieces = app.files().fetch_file(request).await?.into_inner();
    let head = pieces.message().await?.map(|piece| piece.data).unwrap_or_default();
    let kind = shown_as(&head);
    let rest = pieces.map_ok(|piece| piece.data).map_err(std::io::Error::other);
    let body = Body::from_stream(stream::once(async { Ok(head) }).chain(rest));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let kind_header = HeaderValue::from_static(kind.unwrap_or("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, kind_header);
    headers.insert(header::CONTENT_DISPOSITION, disposition(&file, kind.is_some()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let sandbox = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
    Ok(response)
}

/// RFC 6266: the name in UTF-8, percent-encoded, so that no name can break out of the header.
fn disposition(file: &File, inline: bool) -> HeaderValue {
    let how = if inline { "inline" } else { "attachment" };
    let name = if file.name.is_empty() { "file" } else { &file.name };
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let name = name.replace('+', "%20");
    HeaderValue::from_str(&format!("{how}; filename*=UTF-8''{name}"))
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use meydan_rpc::pb::crm::File;

    use super::{disposition, shown_as};

    #[test]
    fn only_what_is_a_picture_or_a_recording_is_shown() {
        assert_eq!(shown_as(&[0xff, 0xd8, 0xff, 0xe0]), Some("image/jpeg"));
        assert_eq!(shown_as(b"<html><script>"), None);
        assert_eq!(shown_as(b"<svg xmlns"), None);
        assert_eq!(shown_as(b""), None);
    }

    #[test]
    fn no_name_breaks_out_of_its_header() {
        let file =
            File { name: "a\"\r\nSet-Cookie: x=1 نامه.pdf".to_owned(), ..File::default() };

        let header = disposition(&file, false);

        let text = header.to_str().expect("it is ASCII");
        assert!(text.starts_with("attachment; filename*=UTF-8''a%22%0D%0ASet-Cookie"), "{text}");
    }
}
