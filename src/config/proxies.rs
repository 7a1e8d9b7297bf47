//! Parses the trusted proxies: addresses, and networks in CIDR notation.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{ConfigError, Http, setting};

impl Http {
    /// `http.trusted_proxies` as networks.
    pub fn trusted_networks(&self) -> Result<Vec<IpNet>, ConfigError> {
        let network = |text: &String| {
            let address = text.parse().map(|it: IpAddr| IpNet::from(it.to_canonical()));
            let network = address.or_else(|_| text.parse().map(|it: IpNet| it.trunc()));
            let wrong = format!("`{text}` is no address, such as 127.0.0.1, and no network, such as 10.0.0.0/8");
            network.map_err(|_| setting("http.trusted_proxies", &wrong))
        };
        self.trusted_proxies.iter().filter(|it| !it.is_empty()).map(network).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_networks_are_accepted_as_trusted_proxies() {
        let trusted = |texts: &[&str]| {
            let trusted_proxies = texts.iter().map(|it| (*it).to_owned()).collect();
            Http { trusted_proxies, ..Http::default() }.trusted_networks()
        };
        let networks = trusted(&["127.0.0.1", "10.1.2.3/8", "::1", "fd00::/8", "::ffff:192.0.2.1", ""]);
        let texts: Vec<_> = networks.expect("good").iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["127.0.0.1/32", "10.0.0.0/8", "::1/128", "fd00::/8", "192.0.2.1/32"]);
        assert!(trusted(&[]).expect("none").is_empty());
        for wrong in ["proxy.example.com", "10.0.0.0/33", "10.0.0", "127.0.0.1:80"] {
            let error = trusted(&["127.0.0.1", wrong]).expect_err(wrong).to_string();
            assert!(error.starts_with(&format!("http.trusted_proxies: `{wrong}` is no address")), "{error}");
        }
    }
}
