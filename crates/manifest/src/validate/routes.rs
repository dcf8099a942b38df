//! HTTP routes: no two links claim the same requests on the same address.
//!
//! v1 accepted such links and let one shadow the other, or refused the later one in the provider's log (wire
//! reference §6.1). Only what this manifest says is compared: where a config of the lattice may decide, the host
//! finds the conflict when it starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{configs, is_provider, links_of};
use crate::check::shorten;
use crate::diagnostic::Sink;
use crate::document::{Component, Config, Document, Link};
use crate::source::{Position, Spanned};

/// Where a server listens that is not told (v1 wire reference §6.1).
const DEFAULT_ADDRESS: &str = "0.0.0.0:8000";

pub(super) fn check(document: &Document, sink: &mut Sink) {
    let mut claims: Vec<Claim<'_>> = Vec::new();
    for (server, component) in document.components.iter().enumerate() {
        if !is_http_server(component) {
            continue;
        }
        let Some(mode) = mode(component) else { continue };
        for (at, link) in links_of(component).filter(|(_, link)| serves_http(link)) {
            let Some(claim) = claim(mode, server, component, at, link, sink) else {
                continue;
            };
            match claims.iter().find(|other| other.collides(&claim)) {
                Some(first) if first.server == server => {
                    sink.error(
                        claim.at,
                        format!("{} is claimed by two links of one HTTP server", claim.shown()),
                    )
                    .related(first.at, "claimed here first")
                    .hint(mode.hint());
                }
                // On different hosts they are no trouble to each other.
                Some(first) => {
                    sink.warning(
                        claim.at,
                        format!("{} is claimed by two HTTP servers", claim.shown()),
                    )
                    .related(first.at, "claimed here first")
                    .hint("they cannot run on one host");
                }
                None => claims.push(claim),
            }
        }
    }
}

/// Whether a provider understands the keys that are compared here: the HTTP server under whatever registry or file
/// name. Another provider may call components over HTTP and mean something else by them, and the config of a server
/// that another application shares is not in this manifest.
fn is_http_server(component: &Component) -> bool {
    let image = component
        .image
        .as_ref()
        .map(|image| image.as_str())
        .unwrap_or_default();
    is_provider(component)
        && ["http-server", "httpserver"]
            .iter()
            .any(|name| image.contains(name))
}

/// How a server tells its links apart; `None` where this manifest does not say.
fn mode(server: &Component) -> Option<Mode> {
    match setting(&server.config, "routing_mode") {
        Setting::Absent => Some(Mode::Address),
        Setting::Is(mode) => match mode.value.to_ascii_lowercase().as_str() {
            "address" => Some(Mode::Address),
            "path" => Some(Mode::Path),
            "host" => Some(Mode::Host),
            // The provider says what is wrong with it.
            _ => None,
        },
        Setting::Elsewhere => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Address,
    Path,
    Host,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Path => "path",
            Self::Host => "host",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Address => {
                "give each link its own `address`, or set `routing_mode: path` in the server's config and give each \
                 link a `path`"
            }
            Self::Path => "give each link its own `path`",
            Self::Host => "give each link its own `host`",
        }
    }
}

/// What a link takes for itself.
struct Claim<'a> {
    server: usize,
    mode: Mode,
    /// Where it listens; `None` where this manifest does not say.
    address: Option<Address<'a>>,
    /// In lower case: host names have no case.
    host: Option<String>,
    path: Option<&'a str>,
    at: Position,
}

#[derive(PartialEq)]
enum Address<'a> {
    Socket(SocketAddr),
    /// What is no address; the provider says what is wrong with it.
    Other(&'a str),
}

impl<'a> Address<'a> {
    fn parse(text: &'a str) -> Self {
        text.trim().parse().map_or(Self::Other(text), Self::Socket)
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            // Port 0 is another port each time; `0.0.0.0` takes the port of every address.
            (Self::Socket(one), Self::Socket(two)) => {
                let wild = |ip: IpAddr| ip.is_unspecified();
                let same_host = one.ip() == two.ip() || wild(one.ip()) || wild(two.ip());
                one.port() != 0 && one.port() == two.port() && same_host
            }
            (one, two) => one == two,
        }
    }
}

impl Claim<'_> {
    fn collides(&self, other: &Self) -> bool {
        if (self.mode, &self.host, self.path) != (other.mode, &other.host, other.path) {
            return false;
        }
        // The links of one server share its address, wherever that is, unless each has its own.
        if self.server == other.server && self.mode != Mode::Address {
            return true;
        }
        match (&self.address, &other.address) {
            (Some(one), Some(two)) => one.overlaps(two),
            _ => false,
        }
    }

    fn shown(&self) -> String {
        let (host, path) = (
            self.host.as_deref().unwrap_or_default(),
            self.path.unwrap_or_default(),
        );
        match (self.mode, &self.address) {
            (Mode::Address, Some(Address::Socket(address))) => format!("address `{address}`"),
            (Mode::Address, Some(Address::Other(text))) => format!("address `{}`", shorten(text)),
            (Mode::Address, None) => "this address".to_owned(),
            (Mode::Path | Mode::Host, _) if self.host.is_none() => format!("path `{}`", shorten(path)),
            (Mode::Path | Mode::Host, _) => format!("host `{}`", shorten(&format!("{host}{path}"))),
        }
    }
}

fn serves_http(link: &Link) -> bool {
    let is =
        |word: &Option<Spanned<String>>, expect: &str| word.as_ref().is_some_and(|word| word.value == expect);
    let namespace = is(&link.namespace, "wasi") || is(&link.namespace, "wrpc");
    let interfaces = link
        .interfaces
        .as_ref()
        .map(|interfaces| interfaces.value.as_slice())
        .unwrap_or_default();
    namespace && is(&link.package, "http") && interfaces.iter().any(|one| one.value == "incoming-handler")
}

fn claim<'a>(
    mode: Mode,
    server: usize,
    component: &'a Component,
    at: Position,
    link: &'a Link,
    sink: &mut Sink,
) -> Option<Claim<'a>> {
    let configs = configs::of_end(&link.source_end);
    if mode == Mode::Address {
        let (address, at) = match address(configs, "address")? {
            Some(own) => own,
            None => (default_address(component)?, at),
        };
        return Some(Claim {
            server,
            mode,
            address: Some(address),
            host: None,
            path: None,
            at,
        });
    }
    let host = known(configs, "host")?;
    let path = known(configs, "path")?;
    let Some(written) = (if mode == Mode::Path { path } else { host }) else {
        let name = mode.name();
        sink.error(
            at,
            format!("this link has no `{name}`, and the server tells its links apart by {name}"),
        )
        .hint(format!("add `{name}` to a config of the link's source"));
        return None;
    };
    Some(Claim {
        server,
        mode,
        address: default_address(component),
        host: host.map(|host| host.value.to_ascii_lowercase()),
        path: path.map(|path| path.value.as_str()),
        at: written.at,
    })
}

/// Where a server listens for links that say nothing else; `None` where this manifest does not say.
fn default_address(server: &Component) -> Option<Address<'_>> {
    let own = address(&server.config, "default_address")?;
    Some(own.map_or(Address::parse(DEFAULT_ADDRESS), |(address, _)| address))
}

/// The address that configs state, as `key` or else as a port; the outer `None` where this manifest does not say.
fn address<'a>(configs: &'a [Config], key: &str) -> Option<Option<(Address<'a>, Position)>> {
    // A settings blob replaces all other keys; reading it is the provider's business.
    for blob in ["config_json", "config_b64"] {
        if known(configs, blob)?.is_some() {
            return None;
        }
    }
    for key in [key, "address"] {
        if let Some(address) = known(configs, key)? {
            return Some(Some((Address::parse(&address.value), address.at)));
        }
    }
    known(configs, "port")?;
    Some(port(configs))
}

fn port(configs: &[Config]) -> Option<(Address<'_>, Position)> {
    let Setting::Is(port) = setting(configs, "port") else {
        return None;
    };
    let number = port.value.trim().parse().ok()?;
    Some((
        Address::Socket(SocketAddr::from((Ipv4Addr::LOCALHOST, number))),
        port.at,
    ))
}

/// A setting, if it is made here; the outer `None` where this manifest does not say.
fn known<'a>(configs: &'a [Config], key: &str) -> Option<Option<&'a Spanned<String>>> {
    match setting(configs, key) {
        Setting::Is(value) => Some(Some(value)),
        Setting::Absent => Some(None),
        Setting::Elsewhere => None,
    }
}

enum Setting<'a> {
    Absent,
    Is(&'a Spanned<String>),
    /// A config of the lattice may say it.
    Elsewhere,
}

/// The last config that has the key decides; keys have no case (v1 wire reference §6.1).
fn setting<'a>(configs: &'a [Config], key: &str) -> Setting<'a> {
    for config in configs.iter().rev() {
        let Some(properties) = &config.properties else {
            return Setting::Elsewhere;
        };
        if let Some(pair) = properties
            .iter()
            .rev()
            .find(|pair| pair.key.value.eq_ignore_ascii_case(key))
        {
            return Setting::Is(&pair.value);
        }
    }
    Setting::Absent
}
