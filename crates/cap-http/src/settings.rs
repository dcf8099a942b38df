//! The config of the HTTP server: the keys that the v1 provider has (wire reference §6.1), read once into types.
//!
//! Keys are case-insensitive as in v1. `config_b64` and `config_json` replace all flat keys, as in v1. An unknown key
//! is an error with the nearest known one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;
use wasmcloud_capability::{ConfigMap, ProviderError};
use wasmcloud_core::nearest;

use crate::cors::Cors;
use crate::routes::{PathPattern, RouteMatch};

/// Where the server listens if nobody says otherwise (v1 wire reference §6.1).
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8000);

/// Keys of the provider alone.
const PROVIDER_KEYS: &[&str] = &["routing_mode", "default_address", "header"];

/// Keys about an address and what is answered on it. In address mode links have them, in the other modes the provider.
const SERVICE_KEYS: &[&str] = &[
    "address",
    "port",
    "cache_control",
    "readonly_mode",
    "cors_allowed_origins",
    "cors_allowed_headers",
    "cors_allowed_methods",
    "cors_exposed_headers",
    "cors_max_age_secs",
    "disable_keepalive",
    "tls_cert_file",
    "tls_priv_key_file",
    "timeout_ms",
    "config_b64",
    "config_json",
];

/// Keys that say which requests a link takes.
const MATCH_KEYS: &[&str] = &["path", "host"];

/// How requests find their link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RoutingMode {
    /// Each link has an address of its own.
    #[default]
    Address,
    /// All links share an address, a path tells them apart.
    Path,
    /// All links share an address, a header tells them apart.
    Host,
}

/// How one route answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteSettings {
    pub(crate) cors: Option<Cors>,
    pub(crate) cache_control: Option<http::HeaderValue>,
    pub(crate) read_only: bool,
    pub(crate) timeout: Option<Duration>,
}

/// How one address listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenSettings {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) keep_alive: bool,
    /// The header that says which host is meant; `host` unless the operator names another.
    pub(crate) host_header: http::HeaderName,
}

/// A certificate and its key, PEM files that are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// Everything the provider's own config says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerSettings {
    pub(crate) mode: RoutingMode,
    pub(crate) listen: ListenSettings,
    pub(crate) route: RouteSettings,
}

impl ServerSettings {
    /// Reads the provider's config.
    pub(crate) fn parse(config: &ConfigMap) -> Result<Self, ProviderError> {
        let keys = Keys::new(config, &[PROVIDER_KEYS, SERVICE_KEYS])?;
        let mode = match keys.get("routing_mode") {
            None => RoutingMode::default(),
            Some(raw) => match raw.to_ascii_lowercase().as_str() {
                "address" => RoutingMode::Address,
                "path" => RoutingMode::Path,
                "host" => RoutingMode::Host,
                _ => {
                    return Err(invalid(
                        "routing_mode",
                        &format!("`{raw}` is not `address`, `path` or `host`"),
                    ));
                }
            },
        };
        let default_address = keys.parse("default_address", "a socket address like `127.0.0.1:8000`")?;
        let service = Service::parse(&keys)?;
        let host_header = keys
            .parse("header", "a header name")?
            .unwrap_or(http::header::HOST);
        let address = default_address.or(service.address).unwrap_or(DEFAULT_ADDRESS);
        let listen = ListenSettings {
            address,
            host_header,
            ..service.listen(address)
        };
        Ok(Self {
            mode,
            listen,
            route: service.route(),
        })
    }

    /// Reads a link's source config: where it listens, how it answers and what it takes.
    pub(crate) fn link(
        &self,
        config: &ConfigMap,
    ) -> Result<(ListenSettings, RouteSettings, RouteMatch), ProviderError> {
        match self.mode {
            RoutingMode::Address => {
                let keys = Keys::new(config, &[SERVICE_KEYS])?;
                let service = Service::parse(&keys)?;
                let address = service.address.unwrap_or(self.listen.address);
                let mut listen = service.listen(address);
                if config.is_empty() {
                    listen = self.listen.clone();
                }
                Ok((listen, service.route(), RouteMatch::default()))
            }
            RoutingMode::Path | RoutingMode::Host => {
                let keys = Keys::new(config, &[MATCH_KEYS])?;
                let path = keys
                    .get("path")
                    .map(|raw| PathPattern::parse(raw).map_err(|reason| invalid("path", &reason)))
                    .transpose()?;
                let host = keys.get("host").map(parse_host).transpose()?;
                match self.mode {
                    RoutingMode::Path if path.is_none() => {
                        return Err(invalid(
                            "path",
                            "missing, and the server routes by path; add for example `path: /api/*` to the link's source config",
                        ));
                    }
                    RoutingMode::Host if host.is_none() => {
                        return Err(invalid(
                            "host",
                            "missing, and the server routes by host; add for example `host: app.example.com` to the link's source config",
                        ));
                    }
                    _ => {}
                }
                Ok((self.listen.clone(), self.route.clone(), RouteMatch { host, path }))
            }
        }
    }
}

fn parse_host(raw: &str) -> Result<String, ProviderError> {
    let name = raw.strip_prefix("*.").unwrap_or(raw);
    let bare = http::uri::Authority::from_str(name)
        .ok()
        .filter(|authority| !authority.as_str().contains('@'))
        .map(|authority| authority.host().to_ascii_lowercase());
    match bare {
        Some(host) if !host.contains('*') && raw.starts_with("*.") => Ok(format!("*.{host}")),
        Some(host) if !host.contains('*') => Ok(host),
        _ => Err(invalid(
            "host",
            &format!("`{raw}` is not a host like `app.example.com` or `*.example.com`"),
        )),
    }
}

fn invalid(key: &str, reason: &str) -> ProviderError {
    ProviderError::Config {
        key: key.to_owned(),
        reason: reason.to_owned(),
    }
}

/// A config with known keys, found whatever their case.
struct Keys<'a>(Vec<(String, &'a str)>);

impl<'a> Keys<'a> {
    fn new(config: &'a ConfigMap, known: &[&[&'static str]]) -> Result<Self, ProviderError> {
        let known: Vec<&str> = known.iter().flat_map(|keys| keys.iter().copied()).collect();
        let mut found = Vec::new();
        for (key, value) in config {
            let lower = key.to_ascii_lowercase();
            if !known.contains(&lower.as_str()) {
                let nearest = nearest(&lower, known.iter().copied()).map(str::to_owned);
                return Err(ProviderError::UnknownKey {
                    key: key.clone(),
                    nearest,
                });
            }
            found.push((lower, value.as_str()));
        }
        Ok(Self(found))
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| *value)
    }

    fn parse<T: FromStr>(&self, key: &str, what: &str) -> Result<Option<T>, ProviderError> {
        self.get(key)
            .map(|raw| {
                raw.trim()
                    .parse()
                    .map_err(|_| invalid(key, &format!("`{raw}` is not {what}")))
            })
            .transpose()
    }

    fn list(&self, key: &str) -> Result<Option<Vec<String>>, ProviderError> {
        self.get(key)
            .map(|raw| {
                serde_json::from_str(raw)
                    .map_err(|_| invalid(key, &format!("`{raw}` is not a JSON list like `[\"a\", \"b\"]`")))
            })
            .transpose()
    }
}

/// The service settings; also the shape of `config_json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Service {
    address: Option<SocketAddr>,
    cache_control: Option<String>,
    readonly_mode: Option<bool>,
    timeout_ms: Option<u64>,
    disable_keepalive: Option<bool>,
    tls: TlsPair,
    cors: CorsKeys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TlsPair {
    cert_file: Option<PathBuf>,
    priv_key_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CorsKeys {
    allowed_origins: Option<Vec<String>>,
    allowed_headers: Option<Vec<String>>,
    allowed_methods: Option<Vec<String>>,
    exposed_headers: Option<Vec<String>>,
    max_age_secs: Option<u64>,
}

impl Service {
    fn parse(keys: &Keys<'_>) -> Result<Self, ProviderError> {
        if let Some(raw) = keys.get("config_b64") {
            let bytes = STANDARD_NO_PAD
                .decode(raw.trim().trim_end_matches('='))
                .or_else(|_| STANDARD.decode(raw.trim()))
                .map_err(|error| invalid("config_b64", &format!("not base64: {error}")))?;
            return serde_json::from_slice::<Self>(&bytes)
                .map_err(|error| invalid("config_b64", &error.to_string()))?
                .checked();
        }
        if let Some(raw) = keys.get("config_json") {
            return serde_json::from_str::<Self>(raw)
                .map_err(|error| invalid("config_json", &error.to_string()))?
                .checked();
        }
        let port: Option<u16> = keys.parse("port", "a port")?;
        let port = port.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        Self {
            address: keys
                .parse("address", "a socket address like `127.0.0.1:8000`")?
                .or(port),
            cache_control: keys.get("cache_control").map(str::to_owned),
            readonly_mode: keys.parse("readonly_mode", "`true` or `false`")?,
            timeout_ms: keys.parse("timeout_ms", "a number of milliseconds")?,
            disable_keepalive: keys.parse("disable_keepalive", "`true` or `false`")?,
            tls: TlsPair {
                cert_file: keys.get("tls_cert_file").map(PathBuf::from),
                priv_key_file: keys.get("tls_priv_key_file").map(PathBuf::from),
            },
            cors: CorsKeys {
                allowed_origins: keys.list("cors_allowed_origins")?,
                allowed_headers: keys.list("cors_allowed_headers")?,
                allowed_methods: keys.list("cors_allowed_methods")?,
                exposed_headers: keys.list("cors_exposed_headers")?,
                max_age_secs: keys.parse("cors_max_age_secs", "a number of seconds")?,
            },
        }
        .checked()
    }

    fn checked(self) -> Result<Self, ProviderError> {
        match (&self.tls.cert_file, &self.tls.priv_key_file) {
            (Some(_), None) => {
                return Err(invalid(
                    "tls_priv_key_file",
                    "missing, and `tls_cert_file` is set",
                ));
            }
            (None, Some(_)) => {
                return Err(invalid(
                    "tls_cert_file",
                    "missing, and `tls_priv_key_file` is set",
                ));
            }
            _ => {}
        }
        if self.timeout_ms == Some(0) {
            return Err(invalid(
                "timeout_ms",
                "0 would fail every request; leave it out for the component's deadline",
            ));
        }
        if let Some(value) = &self.cache_control {
            http::HeaderValue::from_str(value)
                .map_err(|_| invalid("cache_control", &format!("`{value}` is not a header value")))?;
        }
        self.cors_rules()?;
        Ok(self)
    }

    fn cors_rules(&self) -> Result<Option<Cors>, ProviderError> {
        let keys = &self.cors;
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        Cors::new(
            keys.allowed_origins.as_deref(),
            &list(&keys.allowed_headers),
            &list(&keys.allowed_methods),
            &list(&keys.exposed_headers),
            keys.max_age_secs,
        )
        .map_err(|(key, reason)| invalid(key, &reason))
    }

    fn route(&self) -> RouteSettings {
        RouteSettings {
            // Checked when it was parsed.
            cors: self.cors_rules().unwrap_or_default(),
            cache_control: self
                .cache_control
                .as_ref()
                .and_then(|v| http::HeaderValue::from_str(v).ok()),
            read_only: self.readonly_mode.unwrap_or(false),
            timeout: self.timeout_ms.map(Duration::from_millis),
        }
    }

    fn listen(&self, address: SocketAddr) -> ListenSettings {
        let tls = match (&self.tls.cert_file, &self.tls.priv_key_file) {
            (Some(cert), Some(key)) => Some(TlsFiles {
                cert: cert.clone(),
                key: key.clone(),
            }),
            _ => None,
        };
        ListenSettings {
            address,
            tls,
            keep_alive: !self.disable_keepalive.unwrap_or(false),
            host_header: http::header::HOST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn v1_keys_are_read_whatever_their_case() {
        let server = ServerSettings::parse(&ConfigMap::new()).unwrap();
        assert_eq!(server.mode, RoutingMode::Address);
        let (listen, route, matches) = server
            .link(&config(&[
                ("ADDRESS", "127.0.0.1:8080"),
                ("timeout_ms", "250"),
                ("readonly_mode", "true"),
            ]))
            .unwrap();
        assert_eq!(listen.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(route.timeout, Some(Duration::from_millis(250)));
        assert!(route.read_only);
        assert_eq!(matches, RouteMatch::default());
        let (listen, ..) = server.link(&config(&[("port", "9000")])).unwrap();
        assert_eq!(listen.address, "127.0.0.1:9000".parse().unwrap());
    }

    #[test]
    fn json_replaces_the_flat_keys() {
        let server = ServerSettings::parse(&ConfigMap::new()).unwrap();
        let json = r#"{"address":"127.0.0.1:1234","cors":{"allowed_origins":["https://a"]}}"#;
        let (listen, route, _) = server
            .link(&config(&[("config_json", json), ("port", "1")]))
            .unwrap();
        assert_eq!(listen.address.port(), 1234);
        assert!(route.cors.is_some());
    }

    #[test]
    fn mistakes_are_named() {
        let server = ServerSettings::parse(&ConfigMap::new()).unwrap();
        let check = |pairs: &[(&str, &str)], expect: &str| {
            assert_eq!(server.link(&config(pairs)).unwrap_err().to_string(), expect);
        };
        check(
            &[("adress", "x")],
            "unknown config key `adress`; did you mean `address`?",
        );
        check(
            &[("address", "x")],
            "config key `address`: `x` is not a socket address like `127.0.0.1:8000`",
        );
        check(
            &[("tls_cert_file", "x")],
            "config key `tls_priv_key_file`: missing, and `tls_cert_file` is set",
        );
        let path = ServerSettings::parse(&config(&[("routing_mode", "path")])).unwrap();
        assert!(
            path.link(&ConfigMap::new())
                .unwrap_err()
                .to_string()
                .starts_with("config key `path`: missing")
        );
    }
}
