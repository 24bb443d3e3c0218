//! Forged forms: each form carries a token that only this visitor's cookie can explain, and browsers that
//! say where a request comes from are believed.
//!
//! Token: 16 random bytes, then HMAC-SHA256 of them under the cookie's value. It differs in every answer, so
//! compression tells nothing of it.

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const RANDOM: usize = 16;

/// A token for the visitor who holds `cookie`.
#[must_use]
pub fn token(cookie: &str) -> String {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random).expect("the operating system has randomness");
    let mac = mac(cookie, &random).finalize().into_bytes();
    URL_SAFE_NO_PAD.encode([random.as_slice(), &mac].concat())
}

/// Whether `token` was made for the visitor who holds `cookie`. Takes the same time either way.
#[must_use]
pub fn is_genuine(cookie: &str, token: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
    let Some((random, proof)) = bytes.split_first_chunk::<RANDOM>() else { return false };
    mac(cookie, random).verify_slice(proof).is_ok()
}

fn mac(cookie: &str, random: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(cookie.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(b"meydan form 1\0");
    mac.update(random);
    mac
}

/// Whether the browser says that a request comes from another site.
#[must_use]
pub fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{is_foreign, is_genuine, token};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn a_token_is_good_for_its_visitor_alone() {
        let one = token("one");

        assert!(is_genuine("one", &one));
        assert!(!is_genuine("two", &one));
        assert!(!is_genuine("one", ""));
        assert!(!is_genuine("one", &one[..one.len() - 1]));
        assert_ne!(one, token("one"));
    }

    #[test]
    fn requests_from_other_sites_are_foreign() {
        assert!(is_foreign(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_foreign(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(is_foreign(&headers(&[("origin", "https://evil.example"), ("host", "meydan")])));
        assert!(is_foreign(&headers(&[("origin", "null"), ("host", "meydan")])));
        assert!(!is_foreign(&headers(&[("origin", "https://meydan"), ("host", "meydan")])));
        assert!(!is_foreign(&headers(&[("sec-fetch-site", "same-origin")])));
    }
}
