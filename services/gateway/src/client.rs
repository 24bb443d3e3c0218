//! Who asks, when proxies stand in between.
//!
//! Each proxy adds to the end of `X-Forwarded-For` whom it was asked by. Read from the end, the names are
//! true as long as those who wrote them are trusted; the first that is not trusted is the client. Whatever
//! stands further left may be invented.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const HEADER: &str = "x-forwarded-for";

/// The address of the client whose request came from `peer`.
#[must_use]
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let lines = headers.get_all(HEADER).into_iter().collect::<Vec<_>>();
    let hops = lines.into_iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    let mut client = peer.to_canonical();
    for hop in hops {
        if !trusted.iter().any(|network| network.contains(&client)) {
            break;
        }
        let Some(address) = read(hop.trim()) else { break };
        client = address.to_canonical();
    }
    client
}

/// An address; some proxies write the port behind it.
fn read(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderValue};

    use super::address;

    /// Whom a request of `peer` with these lines is said to come from, when 10.0.0.0/8 is trusted.
    fn client(peer: &str, lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let trusted = ["10.0.0.0/8".parse().expect("it is a network")];
        let peer = peer.parse::<IpAddr>().expect("it is an address");
        address(peer, &headers, &trusted).to_string()
    }

    #[test]
    fn the_rightmost_address_that_is_not_trusted_is_the_clients() {
        assert_eq!(client("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.7, 10.0.0.2"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("::ffff:10.0.0.1", &["203.0.113.7:4711"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
    }

    #[test]
    fn who_is_not_trusted_is_believed_nothing() {
        assert_eq!(client("203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, nonsense"]), "10.0.0.1");
    }
}
