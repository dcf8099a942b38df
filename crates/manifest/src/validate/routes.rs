//! HTTP routes: no two links of one HTTP server claim the same address, path or host.
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
    for server in document
        .components
        .iter()
        .filter(|component| is_provider(component))
    {
        let mode = match setting(&server.config, "routing_mode") {
            Setting::Absent => Mode::Address,
            Setting::Is(mode) => match mode.value.to_ascii_lowercase().as_str() {
                "address" => Mode::Address,
                "path" => Mode::Path,
                "host" => Mode::Host,
                // The provider says what is wrong with it.
                _ => continue,
            },
            Setting::Elsewhere => continue,
        };
        let mut claims: Vec<Claim> = Vec::new();
        for (at, link) in links_of(server).filter(|(_, link)| serves_http(link)) {
            let Some(claim) = claim(mode, at, server, link) else {
                continue;
            };
            match claims.iter().find(|other| other.collides(&claim)) {
                Some(first) => {
                    let (what, shown) = (mode.name(), shorten(&claim.text));
                    sink.error(
                        claim.at,
                        format!("{what} `{shown}` is claimed by two links of one HTTP server"),
                    )
                    .related(first.at, "claimed here first")
                    .hint(mode.hint());
                }
                None => claims.push(claim),
            }
        }
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

struct Claim {
    mode: Mode,
    text: String,
    at: Position,
}

impl Claim {
    fn collides(&self, other: &Self) -> bool {
        if self.mode != Mode::Address {
            return match self.mode {
                // Host names have no case.
                Mode::Host => self.text.eq_ignore_ascii_case(&other.text),
                _ => self.text == other.text,
            };
        }
        match (self.text.parse::<SocketAddr>(), other.text.parse::<SocketAddr>()) {
            // Port 0 is another port each time; `0.0.0.0` takes the port of every address.
            (Ok(one), Ok(two)) => {
                let wild = |ip: IpAddr| ip.is_unspecified();
                let same_host = one.ip() == two.ip() || wild(one.ip()) || wild(two.ip());
                one.port() != 0 && one.port() == two.port() && same_host
            }
            _ => self.text == other.text,
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

fn claim(mode: Mode, at: Position, server: &Component, link: &Link) -> Option<Claim> {
    let configs = configs::of_end(&link.source_end);
    // A settings blob replaces all other keys; reading it is the provider's business.
    let blob = ["config_json", "config_b64"];
    let no_blob = |configs| {
        blob.iter()
            .all(|key| matches!(setting(configs, key), Setting::Absent))
    };
    if !no_blob(configs) || !no_blob(&server.config) {
        return None;
    }
    let own = |key: &str| match setting(configs, key) {
        Setting::Is(value) => Some(Some(value.clone())),
        Setting::Absent => Some(None),
        Setting::Elsewhere => None,
    };
    let written = match mode {
        Mode::Path => own("path")?,
        Mode::Host => own("host")?,
        Mode::Address => match (own("address")?, own("port")?) {
            (Some(address), _) => Some(address),
            (None, Some(port)) => {
                let port_number = port.value.parse().ok()?;
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port_number)).to_string();
                Some(Spanned::new(address, port.at))
            }
            (None, None) => match setting(&server.config, "default_address") {
                Setting::Is(address) => Some(Spanned::new(address.value.clone(), at)),
                Setting::Absent => Some(Spanned::new(DEFAULT_ADDRESS.to_owned(), at)),
                Setting::Elsewhere => None,
            },
        },
    }?;
    Some(Claim {
        mode,
        text: written.value,
        at: written.at,
    })
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
