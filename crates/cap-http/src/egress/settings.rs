//! The config of the HTTP client: the keys of the v1 provider (wire reference §6.2) and those that say where a
//! component may go and how much it may hold open.
//!
//! Every key may stand in the provider's config and in a link's target config; the link's wins. Keys are
//! case-insensitive as in v1. An unknown key is an error with the nearest known one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use wasmcloud_capability::{ConfigMap, ProviderError};
use wasmcloud_core::nearest;

use super::policy::{HostRule, Policy, parse_network};

const KEYS: &[&str] = &[
    "load_native_certs",
    "load_webpki_certs",
    "ssl_certs_file",
    "allowed_hosts",
    "allowed_networks",
    "connect_timeout_ms",
    "idle_timeout_ms",
    "max_connections",
    "max_idle_per_host",
];

/// A connection that is not there after this time will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Servers keep an idle connection for a minute, give or take; leaving first avoids meeting a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// As many as a component has instances by default, each with a request under way.
const MAX_CONNECTIONS: usize = 100;
/// Above this a link would starve the host of file descriptors.
const MOST_CONNECTIONS: usize = 10_000;
/// The longest time that makes sense in any of the keys, an hour.
const LONGEST_MS: u64 = 3_600_000;

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    /// The roots of the operating system.
    pub(crate) native: bool,
    /// The roots of Mozilla that were built in, for images without any.
    pub(crate) webpki: bool,
    /// A PEM file with more roots.
    pub(crate) file: Option<PathBuf>,
}

/// Everything a link's config says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientSettings {
    pub(crate) trust: Trust,
    pub(crate) policy: Policy,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) max_idle_per_host: usize,
}

impl ClientSettings {
    /// Reads the provider's config with a link's target config on top.
    pub(crate) fn parse(provider: &ConfigMap, link: &ConfigMap) -> Result<Self, ProviderError> {
        let keys = Keys::new(&[provider, link])?;
        let max_connections = keys
            .number("max_connections", 1, MOST_CONNECTIONS as u64)?
            .map_or(MAX_CONNECTIONS, |n| n as usize);
        let max_idle_per_host = keys
            .number("max_idle_per_host", 0, MOST_CONNECTIONS as u64)?
            .map_or(max_connections, |n| n as usize);
        let hosts = keys.list("allowed_hosts", HostRule::parse)?;
        Ok(Self {
            trust: Trust {
                native: keys.flag("load_native_certs")?,
                webpki: keys.flag("load_webpki_certs")?,
                file: keys.get("ssl_certs_file").map(PathBuf::from),
            },
            policy: Policy {
                hosts,
                networks: keys.list("allowed_networks", parse_network)?.unwrap_or_default(),
            },
            connect_timeout: keys
                .number("connect_timeout_ms", 1, LONGEST_MS)?
                .map_or(CONNECT_TIMEOUT, Duration::from_millis),
            idle_timeout: keys
                .number("idle_timeout_ms", 1, LONGEST_MS)?
                .map_or(IDLE_TIMEOUT, Duration::from_millis),
            max_connections,
            max_idle_per_host,
        })
    }
}

struct Keys<'a>(BTreeMap<String, &'a str>);

impl<'a> Keys<'a> {
    fn new(layers: &[&'a ConfigMap]) -> Result<Self, ProviderError> {
        let mut merged = BTreeMap::new();
        for (key, value) in layers.iter().flat_map(|layer| layer.iter()) {
            let lower = key.to_ascii_lowercase();
            if !KEYS.contains(&lower.as_str()) {
                let nearest = nearest(&lower, KEYS.iter().copied()).map(str::to_owned);
                return Err(ProviderError::UnknownKey {
                    key: key.clone(),
                    nearest,
                });
            }
            merged.insert(lower, value.as_str());
        }
        Ok(Self(merged))
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(|value| value.trim())
    }

    fn parse<T: FromStr>(&self, key: &str, what: &str) -> Result<Option<T>, ProviderError> {
        self.get(key)
            .map(|raw| {
                raw.parse()
                    .map_err(|_| invalid(key, format!("`{raw}` is not {what}")))
            })
            .transpose()
    }

    fn flag(&self, key: &str) -> Result<bool, ProviderError> {
        Ok(self.parse(key, "`true` or `false`")?.unwrap_or(true))
    }

    fn number(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>, ProviderError> {
        let what = format!("a number from {least} to {most}");
        match self.parse::<u64>(key, &what)? {
            Some(n) if n < least || n > most => Err(invalid(key, format!("`{n}` is not {what}"))),
            found => Ok(found),
        }
    }

    fn list<T>(
        &self,
        key: &str,
        entry: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, ProviderError> {
        self.get(key)
            .map(|raw| {
                raw.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(|part| entry(part).map_err(|reason| invalid(key, reason)))
                    .collect()
            })
            .transpose()
    }
}

pub(crate) fn invalid(key: &str, reason: String) -> ProviderError {
    ProviderError::Config {
        key: key.to_owned(),
        reason,
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
    fn a_link_overrides_its_provider() {
        let provider = config(&[("MAX_CONNECTIONS", "7"), ("load_native_certs", "false")]);
        let link = config(&[("Max_Connections", "3"), ("allowed_hosts", "a.test, b.test:80,")]);
        let settings = ClientSettings::parse(&provider, &link).unwrap();
        assert_eq!(settings.max_connections, 3);
        assert_eq!(settings.max_idle_per_host, 3);
        assert!(!settings.trust.native);
        assert!(settings.trust.webpki);
        assert_eq!(settings.policy.hosts.unwrap().len(), 2);
        assert_eq!(settings.connect_timeout, CONNECT_TIMEOUT);
    }

    #[test]
    fn mistakes_are_named() {
        let check = |key: &str, value: &str, expect: &str| {
            let error = ClientSettings::parse(&ConfigMap::new(), &config(&[(key, value)])).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check(
            "allowed_host",
            "x",
            "unknown config key `allowed_host`; did you mean `allowed_hosts`?",
        );
        check(
            "load_native_certs",
            "yes",
            "config key `load_native_certs`: `yes` is not `true` or `false`",
        );
        check(
            "max_connections",
            "0",
            "config key `max_connections`: `0` is not a number from 1 to 10000",
        );
        check(
            "allowed_networks",
            "10.0.0.0/8,ten",
            "config key `allowed_networks`: `ten` is not a network like `10.0.0.0/8` or `fd00::/8`",
        );
        check(
            "allowed_hosts",
            "https://a.test",
            "config key `allowed_hosts`: `https://a.test` has a `/` in it; write the host alone, like `example.com`",
        );
    }
}
