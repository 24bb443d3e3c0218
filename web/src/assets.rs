//! The built stylesheet, script, icons and fonts, carried inside the program.
//!
//! `node build.mjs` writes them to `dist/` under names that hold their hash, beside a manifest.
//! Without a build the crate still compiles; [`are_built`] is then false.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use rust_embed::RustEmbed;
use serde::Deserialize;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/dist"]
#[allow_missing = true]
struct Dist;

#[derive(Deserialize, Default)]
struct Manifest {
    files: HashMap<String, String>,
    inline_sha256: HashMap<String, String>,
}

static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
    Dist::get("manifest.json")
        .and_then(|file| serde_json::from_slice(&file.data).ok())
        .unwrap_or_default()
});

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let mut hashes: Vec<_> = MANIFEST.inline_sha256.values().collect();
    hashes.sort();
    let styles: Vec<_> = hashes.iter().map(|hash| format!(" 'sha256-{hash}'")).collect();
    let styles = styles.concat();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{styles}; \
         img-src 'self' data:; media-src 'self'; font-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
    )
});

/// Whether the assets were built before the program was compiled.
#[must_use]
pub fn are_built() -> bool {
    !MANIFEST.files.is_empty()
}

/// The value of the `Content-Security-Policy` header for every page of the panel.
///
/// It names the hashes of the stylesheets that entry pages carry inline.
#[must_use]
pub fn content_security_policy() -> &'static str {
    &POLICY
}

/// The address of an asset by its plain name, such as `app.js`.
///
/// Falls back to the plain name when the assets were not built.
#[must_use]
pub fn asset(name: &str) -> String {
    let file = MANIFEST.files.get(name).map_or(name, String::as_str);
    format!("/static/{file}")
}

/// The text of an inline stylesheet, or `None` when the assets were not built.
pub(crate) fn inline_style(name: &str) -> Option<String> {
    MANIFEST.inline_sha256.get(name)?;
    let file = Dist::get(MANIFEST.files.get(name)?)?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// A file for the `/static` route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The content, compressed as `content_encoding` says.
    pub body: Cow<'static, [u8]>,
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The value of `Content-Encoding`; `None` for plain content.
    pub content_encoding: Option<&'static str>,
    /// The value of `ETag`, quotes included. Different for every encoding.
    pub etag: String,
    /// Whether the name holds the hash of the content, so that it may be kept for ever.
    pub immutable: bool,
}

impl Asset {
    /// The value of `Cache-Control`.
    #[must_use]
    pub const fn cache_control(&self) -> &'static str {
        if self.immutable { "public, max-age=31536000, immutable" } else { "no-cache" }
    }
}

/// Finds the file at a path under `/static/`, in the best encoding that the client accepts.
///
/// `accept_encoding` is the header as it came, empty when it did not. Answers must carry
/// `Vary: Accept-Encoding`. `None` when there is no such file.
#[must_use]
pub fn lookup(path: &str, accept_encoding: &str) -> Option<Asset> {
    let known = MANIFEST.files.values().any(|file| file == path);
    if !known {
        return None;
    }
    let (file, content_encoding) = [("br", "br"), ("gz", "gzip")]
        .into_iter()
        .filter(|(_, encoding)| accepts(accept_encoding, encoding))
        .find_map(|(end, encoding)| Some((Dist::get(&format!("{path}.{end}"))?, Some(encoding))))
        .or_else(|| Some((Dist::get(path)?, None)))?;
    let hash: Vec<_> =
        file.metadata.sha256_hash()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = hash.concat();
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let charset = if guess.type_() == mime_guess::mime::TEXT { "; charset=utf-8" } else { "" };
    Some(Asset {
        body: file.data,
        content_type: format!("{guess}{charset}"),
        content_encoding,
        etag: format!("\"{hash}\""),
        immutable: true,
    })
}

fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|part| {
        let mut pieces = part.split(';').map(str::trim);
        let named = pieces.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = pieces
            .filter_map(|piece| piece.strip_prefix("q="))
            .any(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_used_only_when_the_client_accepts_it() {
        assert!(accepts("gzip, deflate, br;q=0.9", "br"));
        assert!(!accepts("gzip, br;q=0", "br"));
        assert!(!accepts("", "br"));
    }

    #[test]
    fn a_path_that_was_not_built_is_not_found() {
        assert_eq!(lookup("../Cargo.toml", "br"), None);
        assert_eq!(lookup("manifest.json", ""), None);
    }

    #[test]
    fn every_built_asset_is_served_in_each_encoding() {
        for file in MANIFEST.files.values() {
            let plain = lookup(file, "").expect("a file of the manifest exists");
            assert!(plain.immutable && plain.content_encoding.is_none());
            if let Some("br") = lookup(file, "br, gzip").and_then(|asset| asset.content_encoding) {
                let squeezed = lookup(file, "br, gzip").expect("it was found a moment ago");
                assert!(squeezed.body.len() < plain.body.len());
                assert_ne!(squeezed.etag, plain.etag);
            }
        }
    }
}
