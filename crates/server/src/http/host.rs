//! Host names as browsers compare them, with IP addresses in any spelling.

use std::net::IpAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    Name(String),
}

impl Host {
    /// A host with or without a port; an IPv6 address without a port needs no brackets.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let host = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((inside, after)) if after.is_empty() || after.strip_prefix(':').is_some_and(is_port) => {
                inside
            }
            _ if text.parse::<IpAddr>().is_ok() => text,
            _ => text.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(text, |(host, _)| host),
        };
        match host.parse::<IpAddr>() {
            Ok(address) => Host::Address(address.to_canonical()),
            // `example.com.` is the same host.
            Err(_) => Host::Name(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()),
        }
    }

    /// Whether the name always stands for the machine that resolves it (RFC 6761 for `localhost` and names below it).
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Host::Address(address) => address.is_loopback(),
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &str, other: &str, same: bool) {
        assert_eq!(Host::parse(one) == Host::parse(other), same, "{one} and {other}");
    }

    #[test]
    fn spellings_of_one_host_are_equal() {
        for (one, other, same) in [
            ("ba.example.com", "BA.Example.com:8000", true),
            ("ba.example.com", "ba.example.com.", true),
            ("ba.example.com", "ba.example.com.evil.example", false),
            ("[2001:db8::7]", "2001:DB8:0:0::7", true),
            ("[2001:db8::7]:8000", "2001:db8::7", true),
            ("[2001:db8::7]", "[2001:db8::8]", false),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1", true),
            // Something behind the bracket that is no port is another name.
            ("[2001:db8::7].evil.example", "2001:db8::7", false),
            ("[2001:db8::7]:80.evil.example", "2001:db8::7", false),
            ("evil.example:[::1]", "::1", false),
        ] {
            check(one, other, same);
        }
    }

    #[test]
    fn loopback_is_known_by_every_name() {
        for (host, loopback) in [
            ("localhost", true),
            ("LocalHost:8000", true),
            ("localhost.", true),
            ("ba.localhost:8000", true),
            ("127.0.0.1:8000", true),
            ("127.8.9.1", true),
            ("[::1]", true),
            ("[0:0:0:0:0:0:0:1]:8000", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.evil.example", false),
            ("evillocalhost", false),
            ("127.0.0.1.evil.example", false),
            ("[::1].evil.example", false),
            ("0.0.0.0", false),
            ("192.168.0.1", false),
            ("", false),
        ] {
            assert_eq!(Host::parse(host).is_loopback(), loopback, "{host}");
        }
    }
}
