//! Where a link lets its component go: the names it may ask for and the addresses it may really be connected to.
//!
//! A name says nothing about an address (its owner can point it anywhere, and again at the next lookup), so both are
//! asked, each at its moment: [`Policy::admits`] before anything else happens to a request, [`Policy::reaches`] for
//! every address a connection is about to be opened to. Opening it is the business of `connect`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;
use ipnet::IpNet;

/// The host of a request, in the one form that rules are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A literal address; IPv4 in IPv6 clothes is IPv4, because that is what the kernel connects to.
    Ip(IpAddr),
    /// A name in lower case, without the dot at its end.
    Name(Box<str>),
}

impl Host {
    /// Reads a host as it stands in a URI; `None` if it is neither an address nor a name.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        if let Some(inner) = raw.strip_prefix('[') {
            let ip: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Ip(IpAddr::V6(ip).to_canonical()));
        }
        if let Ok(ip) = raw.parse::<Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        let name = raw.strip_suffix('.').unwrap_or(raw);
        let fits = !name.is_empty()
            && name.len() <= 253
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        fits.then(|| Self::Name(name.to_ascii_lowercase().into()))
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) secure: bool,
}

impl Destination {
    /// The destination of an absolute URI; `None` if it has none that can be meant: no host, user information in
    /// front of it, port 0.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let host = Host::parse(authority.host())?;
        // `host:` and `host:99999` have no port that `port_u16` would show.
        let written = authority.as_str().len() > authority.host().len();
        let port = match authority.port_u16() {
            Some(0) => return None,
            Some(port) => port,
            None if written => return None,
            None if secure => 443,
            None => 80,
        };
        Some(Self { host, port, secure })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    Host(Host),
    /// Every name below this one, not the name itself.
    Below(Box<str>),
}

/// One entry of `allowed_hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRule {
    pattern: Pattern,
    port: Option<u16>,
}

impl HostRule {
    /// Reads an entry. The error says what is wrong with it.
    pub(crate) fn parse(raw: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{raw}` is not a host like `example.com`, `*.example.com`, `example.com:8443`, `127.0.0.1:9000` or `[::1]:80`"
            )
        };
        if raw.contains('/') {
            return Err(format!(
                "`{raw}` has a `/` in it; write the host alone, like `example.com`"
            ));
        }
        if let Ok(ip) = raw.parse::<Ipv6Addr>() {
            let pattern = Pattern::Host(Host::Ip(IpAddr::V6(ip).to_canonical()));
            return Ok(Self { pattern, port: None });
        }
        // The colon of a port stands behind the bracket of an address, if there is one.
        let (host, port) = match raw.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
                (host, Some(port))
            }
            _ => (raw, None),
        };
        let pattern = if host == "*" {
            Pattern::Any
        } else if let Some(parent) = host.strip_prefix("*.") {
            match Host::parse(parent) {
                Some(Host::Name(name)) => Pattern::Below(name),
                _ => return Err(wrong()),
            }
        } else {
            Pattern::Host(Host::parse(host).ok_or_else(wrong)?)
        };
        Ok(Self { pattern, port })
    }

    fn matches(&self, to: &Destination) -> bool {
        if self.port.is_some_and(|port| port != to.port) {
            return false;
        }
        match (&self.pattern, &to.host) {
            (Pattern::Any, _) => true,
            (Pattern::Host(host), asked) => host == asked,
            (Pattern::Below(parent), Host::Name(name)) => name
                .strip_suffix(&**parent)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            (Pattern::Below(_), Host::Ip(_)) => false,
        }
    }
}

/// Reads an entry of `allowed_networks`.
pub(crate) fn parse_network(raw: &str) -> Result<IpNet, String> {
    let network = raw
        .parse::<IpNet>()
        .or_else(|_| raw.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("`{raw}` is not a network like `10.0.0.0/8` or `fd00::/8`"))?;
    if let IpNet::V6(v6) = network
        && v6.addr().to_ipv4_mapped().is_some()
    {
        return Err(format!("`{raw}` is IPv4 written as IPv6; write it as IPv4"));
    }
    Ok(network)
}

/// What one link allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The names that may be asked for; `None` for every name.
    pub(crate) hosts: Option<Vec<HostRule>>,
    /// The networks that may be reached beside the public internet.
    pub(crate) networks: Vec<IpNet>,
}

impl Policy {
    /// Whether a request may ask for this destination by this name.
    pub(crate) fn admits(&self, to: &Destination) -> bool {
        match &self.hosts {
            None => true,
            Some(rules) => rules.iter().any(|rule| rule.matches(to)),
        }
    }

    /// Whether a connection for `to` may be opened to `address`, one of those that its name stands for now.
    pub(crate) fn reaches(&self, to: &Destination, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if is_public(address) || self.networks.iter().any(|network| network.contains(&address)) {
            return true;
        }
        let rules = self.hosts.as_deref().unwrap_or_default();
        rules.iter().any(|rule| match &rule.pattern {
            Pattern::Host(Host::Ip(ip)) => *ip == address && rule.matches(to),
            // A name with a port is the grant for something near, `localhost:8080`. It ends where the owner of the
            // name could aim it at the credentials of this machine: those take a literal address or a network.
            Pattern::Host(Host::Name(_)) => rule.port.is_some() && rule.matches(to) && is_near(address),
            Pattern::Any | Pattern::Below(_) => false,
        })
    }
}

type V4 = (Ipv4Addr, u32);
type V6 = (Ipv6Addr, u32);

/// IPv4 that is not the public internet: the IANA special-purpose registry (RFC 6890), multicast and the reserved
/// rest, and the one public address at which a cloud answers as itself.
const NOT_PUBLIC_V4: &[V4] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's wire server
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The part of IPv6 that is handed out; everything else is local, multicast or unused.
const GLOBAL_V6: V6 = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is not public within it: protocol assignments with Teredo, documentation and 6to4, which both carry an IPv4
/// address that a tunnel would connect to.
const NOT_PUBLIC_V6: &[V6] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// NAT64: the last 32 bits are the IPv4 address that is reached.
const NAT64: V6 = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Private and loopback: what a person means who names something near.
const NEAR_V4: &[V4] = &[
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];
const NEAR_V6: &[V6] = &[
    (Ipv6Addr::LOCALHOST, 128),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
];

/// Where clouds hand out a machine's credentials, outside of link-local: AWS, Google, Alibaba.
const METADATA: &[IpAddr] = &[
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

fn within_v4(ip: Ipv4Addr, (network, bits): V4) -> bool {
    (ip.to_bits() ^ network.to_bits()).leading_zeros() >= bits
}

fn within_v6(ip: Ipv6Addr, (network, bits): V6) -> bool {
    (ip.to_bits() ^ network.to_bits()).leading_zeros() >= bits
}

/// Whether an address belongs to the public internet.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !NOT_PUBLIC_V4.iter().any(|network| within_v4(ip, *network)),
        IpAddr::V6(ip) if within_v6(ip, NAT64) => is_public(Ipv4Addr::from_bits(ip.to_bits() as u32).into()),
        IpAddr::V6(ip) => {
            within_v6(ip, GLOBAL_V6) && !NOT_PUBLIC_V6.iter().any(|network| within_v6(ip, *network))
        }
    }
}

fn is_near(ip: IpAddr) -> bool {
    if METADATA.contains(&ip) {
        return false;
    }
    match ip {
        IpAddr::V4(ip) => NEAR_V4.iter().any(|network| within_v4(ip, *network)),
        IpAddr::V6(ip) => NEAR_V6.iter().any(|network| within_v6(ip, *network)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(uri: &str) -> Destination {
        Destination::of(&uri.parse().unwrap()).unwrap()
    }

    fn policy(hosts: Option<&[&str]>, networks: &[&str]) -> Policy {
        Policy {
            hosts: hosts.map(|hosts| hosts.iter().map(|raw| HostRule::parse(raw).unwrap()).collect()),
            networks: networks.iter().map(|raw| parse_network(raw).unwrap()).collect(),
        }
    }

    #[test]
    fn only_the_public_internet_is_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn names_are_compared_whole_and_in_one_form() {
        let rules = policy(
            Some(&["Example.com", "*.example.org", "api.example.net:8443", "[::1]:80"]),
            &[],
        );
        for (uri, allowed) in [
            ("http://example.com/", true),
            ("http://EXAMPLE.COM:99/", true),
            ("https://example.com./", true),
            ("http://www.example.com/", false),
            ("http://badexample.com/", false),
            ("http://example.com.evil.test/", false),
            ("http://a.example.org/", true),
            ("http://a.b.example.org/", true),
            ("http://example.org/", false),
            ("http://evilexample.org/", false),
            ("https://api.example.net:8443/", true),
            ("https://api.example.net/", false),
            ("http://[::1]/", true),
            ("http://[::1]:81/", false),
            ("http://127.0.0.1/", false),
        ] {
            assert_eq!(rules.admits(&to(uri)), allowed, "{uri}");
        }
        assert!(policy(None, &[]).admits(&to("http://anything/")));
        assert!(policy(Some(&["*"]), &[]).admits(&to("http://anything/")));
        assert!(!policy(Some(&[]), &[]).admits(&to("http://anything/")));
    }

    #[test]
    fn addresses_take_a_grant_of_their_own() {
        let check = |policy: &Policy, uri: &str, address: &str, allowed: bool| {
            assert_eq!(
                policy.reaches(&to(uri), address.parse().unwrap()),
                allowed,
                "{uri} at {address}"
            );
        };
        let open = policy(None, &[]);
        check(&open, "http://a.test/", "8.8.8.8", true);
        check(&open, "http://a.test/", "127.0.0.1", false);
        check(&open, "http://127.0.0.1/", "127.0.0.1", false);

        let network = policy(None, &["127.0.0.0/8", "10.1.2.3"]);
        check(&network, "http://a.test/", "127.9.9.9", true);
        check(&network, "http://a.test/", "::ffff:127.0.0.1", true);
        check(&network, "http://a.test/", "10.1.2.3", true);
        check(&network, "http://a.test/", "10.1.2.4", false);
        check(&network, "http://a.test/", "::1", false);
        // A network grants what it says, not what a translator makes of it.
        check(&network, "http://a.test/", "64:ff9b::7f00:1", false);

        let hosts = policy(
            Some(&[
                "localhost:8080",
                "near.test",
                "169.254.169.254",
                "*.near.test:80",
                "*:81",
            ]),
            &[],
        );
        check(&hosts, "http://localhost:8080/", "127.0.0.1", true);
        check(&hosts, "http://localhost:8080/", "::1", true);
        check(&hosts, "http://localhost:8080/", "10.0.0.1", true);
        check(&hosts, "http://localhost:8080/", "169.254.169.254", false);
        check(&hosts, "http://localhost:8080/", "fd00:ec2::254", false);
        check(&hosts, "http://localhost:8080/", "100.100.100.200", false);
        check(&hosts, "http://localhost:8080/", "0.0.0.0", false);
        check(&hosts, "http://localhost/", "127.0.0.1", false);
        check(&hosts, "http://near.test/", "10.0.0.1", false);
        check(&hosts, "http://a.near.test/", "10.0.0.1", false);
        check(&hosts, "http://a.test:81/", "10.0.0.1", false);
        check(&hosts, "http://169.254.169.254/", "169.254.169.254", true);
        // The name is not the address, even if the address is granted by itself.
        check(&hosts, "http://near.test/", "169.254.169.254", false);
    }

    #[test]
    fn what_cannot_be_meant_has_no_destination() {
        for uri in [
            "http://me@example.com/",
            "http://me:pw@example.com/",
            "http://example.com:0/",
            "http://[::1/",
            "http://ex%61mple.com/",
            "/path",
        ] {
            let found = uri.parse::<Uri>().ok().and_then(|uri| Destination::of(&uri));
            assert_eq!(found, None, "{uri}");
        }
        assert_eq!(
            to("http://[::ffff:127.0.0.1]:8080/").to_string(),
            "127.0.0.1:8080"
        );
        assert_eq!(to("https://Example.com./").to_string(), "example.com:443");
    }

    #[test]
    fn mistakes_in_rules_are_named() {
        for wrong in [
            "https://example.com",
            "a b",
            "*.*.com",
            "example.com:x",
            "example.com:0",
            "[::1",
            "*.1.2.3.4",
            "",
        ] {
            assert!(HostRule::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["10.0.0.0/33", "ten", "::ffff:10.0.0.0/104"] {
            assert!(parse_network(wrong).is_err(), "{wrong}");
        }
    }
}
