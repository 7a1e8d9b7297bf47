//! Finds a request's client address behind trusted proxies: `X-Forwarded-For`.
//!
//! Each proxy appends the address it received the request from, so only entries that trusted proxies appended count:
//! read from the right, the client is the first address that is not a trusted proxy. Without trusted proxies the
//! header is ignored, since anybody can send it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hyper::HeaderMap;
use ipnet::IpNet;

/// The header.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose `X-Forwarded-For` entries are trusted.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// Trusts these proxies and no others.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self(trusted.into())
    }

    /// The client address of a request whose connection came from `peer`.
    pub(super) fn caller(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().map(|it| it.to_str().unwrap_or_default());
        let mut hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        let mut caller = peer.ip().to_canonical();
        while self.trusts(caller) {
            // An entry that is not an address tells nothing, so the proxy's own address is used.
            let Some(hop) = hops.pop().and_then(address) else { break };
            caller = hop;
        }
        caller
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|it| it.contains(&address))
    }
}

/// Parses an address as proxies write it; some append a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().or_else(|_| text.parse().map(|it: SocketAddr| it.ip()));
    parsed.ok().map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client address of a request with these lines of `X-Forwarded-For`.
    fn caller(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let trusted = trusted.iter().map(|it| it.parse().expect("a network")).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().expect("a value"));
        }
        Proxies::new(trusted).caller(peer.parse().expect("a peer"), &headers).to_string()
    }

    #[test]
    fn the_client_is_the_address_just_before_the_trusted_proxies() {
        let (nginx, peer) = (&["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"], "127.0.0.1:4711");
        for (lines, expected) in [
            (&["203.0.113.7"][..], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7, 10.0.0.9"], "203.0.113.7"),
            (&["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
            (&["203.0.113.7:50123"], "203.0.113.7"),
            (&["[2001:db8::7]:50123"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["2001:db8::7, fd00::1"], "2001:db8::7"),
            (&["::ffff:203.0.113.7"], "203.0.113.7"),
            (&["10.0.0.8, 10.0.0.9"], "10.0.0.8"),
            (&["203.0.113.7, unknown"], "127.0.0.1"),
            (&["203.0.113.7, "], "127.0.0.1"),
            (&[""], "127.0.0.1"),
            (&[], "127.0.0.1"),
        ] {
            assert_eq!(caller(nginx, peer, lines), expected, "{lines:?}");
        }
        assert_eq!(caller(nginx, "[::ffff:127.0.0.1]:4711", &["203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn the_forwarded_header_of_an_untrusted_peer_is_ignored() {
        assert_eq!(caller(&[], "127.0.0.1:4711", &["203.0.113.7"]), "127.0.0.1");
        assert_eq!(caller(&["10.0.0.0/8"], "192.0.2.1:4711", &["203.0.113.7, 10.0.0.9"]), "192.0.2.1");
    }
}
