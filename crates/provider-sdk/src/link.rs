//! A link as its provider sees it: its own side of the config, and its own secrets, opened.

use std::collections::BTreeMap;

use nkeys::XKey;
use wasmcloud_core::{ComponentId, InvalidName, LinkName};
use wasmcloud_wire::provider::{HostData, InterfaceLinkDefinition, SecretValue};

/// Config: text for each key.
pub type Config = BTreeMap<String, String>;

/// Secrets by name. Debug output does not show their values.
pub type Secrets = BTreeMap<String, SecretValue>;

/// Longest WIT namespace or package in bytes; the limit that names have in `wasmcloud-core`.
const MAX_WORD: usize = 256;

/// Which end of a link a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The provider calls the component, as an HTTP server does.
    Source,
    /// The component calls the provider, as it does with a key-value store.
    Target,
}

/// A link between a provider and a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which end the provider is.
    pub side: Side,
    /// Who calls.
    pub source: ComponentId,
    /// Who answers.
    pub target: ComponentId,
    /// The name under which the source selects this link.
    pub name: LinkName,
    /// `wasi` in `wasi:keyvalue`.
    pub namespace: String,
    /// `keyvalue` in `wasi:keyvalue`.
    pub package: String,
    /// `store` in `wasi:keyvalue/store`.
    pub interfaces: Vec<String>,
    /// The config of the provider's side.
    pub config: Config,
    /// The secrets of the provider's side.
    pub secrets: Secrets,
}

impl Link {
    /// The component at the other end.
    pub fn component(&self) -> &ComponentId {
        match self.side {
            Side::Source => &self.target,
            Side::Target => &self.source,
        }
    }

    /// A secret that is text.
    pub fn secret(&self, name: &str) -> Option<&str> {
        match self.secrets.get(name)? {
            SecretValue::String(text) => Some(text),
            SecretValue::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        }
    }

    /// Reads a link that a host tells of.
    pub(crate) fn read(
        definition: InterfaceLinkDefinition,
        provider: &ComponentId,
        keys: Option<&Keys>,
    ) -> Result<Self, LinkError> {
        let source: ComponentId = definition.source_id.parse()?;
        let target: ComponentId = definition.target.parse()?;
        let (side, config, sealed) = if source == *provider {
            (Side::Source, definition.source_config, definition.source_secrets)
        } else if target == *provider {
            (Side::Target, definition.target_config, definition.target_secrets)
        } else {
            return Err(LinkError::Foreign {
                from: source,
                to: target,
            });
        };
        Ok(Self {
            side,
            source,
            target,
            name: definition.name.parse()?,
            namespace: word(definition.wit_namespace)?,
            package: word(definition.wit_package)?,
            interfaces: definition.interfaces,
            config,
            secrets: match sealed.filter(|sealed| !sealed.is_empty()) {
                None => Secrets::new(),
                Some(sealed) => keys.ok_or(LinkError::NoKeys)?.open(&sealed)?,
            },
        })
    }

    /// Which link it is, whatever its content.
    pub(crate) fn key(&self) -> LinkKey {
        LinkKey {
            source: self.source.clone(),
            target: self.target.clone(),
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            package: self.package.clone(),
        }
    }
}

fn word(text: String) -> Result<String, LinkError> {
    match !text.is_empty() && text.len() <= MAX_WORD && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text),
        false => Err(LinkError::Package),
    }
}

/// What makes a link that one and no other. v1 went by the other end alone and lost all but one of several links to
/// the same component (wire reference §6).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LinkKey {
    pub(crate) source: ComponentId,
    pub(crate) target: ComponentId,
    pub(crate) name: LinkName,
    pub(crate) namespace: String,
    pub(crate) package: String,
}

impl LinkKey {
    /// Reads of a link that a host tells of which one it is. Of one that is removed, nothing else counts.
    pub(crate) fn read(definition: &InterfaceLinkDefinition) -> Result<Self, LinkError> {
        Ok(Self {
            source: definition.source_id.parse()?,
            target: definition.target.parse()?,
            name: definition.name.parse()?,
            namespace: word(definition.wit_namespace.clone())?,
            package: word(definition.wit_package.clone())?,
        })
    }
}

impl std::fmt::Display for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            source,
            target,
            name,
            namespace,
            package,
        } = self;
        write!(
            f,
            "`{name}` of {namespace}:{package} from `{source}` to `{target}`"
        )
    }
}

/// A link that makes no sense, or not to this provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// An id or name that cannot be.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The WIT package cannot be.
    #[error(
        "the link has no WIT namespace and package of at most {MAX_WORD} ASCII characters without spaces"
    )]
    Package,
    /// Others are linked.
    #[error("the link is from `{from}` to `{to}`, this provider is neither")]
    Foreign {
        /// One end.
        from: ComponentId,
        /// The other.
        to: ComponentId,
    },
    /// There are secrets, and nothing to open them with.
    #[error("the link has sealed secrets, and the host gave this process no keys to open them")]
    NoKeys,
    /// The secrets are not for this process, or were changed on the way.
    #[error(
        "the secrets of the link cannot be opened: they are sealed for another process or by another host"
    )]
    Sealed,
    /// The opened secrets are no secrets.
    #[error("the secrets of the link are not a JSON map of `kind` and `value` each")]
    Secrets,
    /// There are too many links.
    #[error("this provider is part of {limit} links, more are not taken")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
}

/// What opens the secrets of links (wire reference §2.5).
pub(crate) struct Keys {
    provider: XKey,
    host: XKey,
}

/// Keys that are none.
#[derive(Debug, thiserror::Error)]
#[error("{what} is not the {form} of a curve key")]
pub(crate) struct InvalidKeys {
    what: &'static str,
    form: &'static str,
}

impl Keys {
    /// The keys in host data, if there are any.
    pub(crate) fn read(data: &HostData) -> Result<Option<Self>, InvalidKeys> {
        let seed = data.provider_xkey_private_key.reveal();
        if seed.is_empty() || data.host_xkey_public_key.is_empty() {
            return Ok(None);
        }
        // The sources are left out: what they say of a seed is not for logs.
        let provider = XKey::from_seed(seed).map_err(|_| InvalidKeys {
            what: "provider_xkey_private_key",
            form: "seed (`SX…`)",
        })?;
        let host = XKey::from_public_key(&data.host_xkey_public_key).map_err(|_| InvalidKeys {
            what: "host_xkey_public_key",
            form: "public part (`X…`)",
        })?;
        Ok(Some(Self { provider, host }))
    }

    /// The public part of this process's key, which is also part of the subject on which it is told of links.
    pub(crate) fn public(&self) -> String {
        self.provider.public_key()
    }

    fn open(&self, sealed: &[u8]) -> Result<Secrets, LinkError> {
        let opened = self
            .provider
            .open(sealed, &self.host)
            .map_err(|_| LinkError::Sealed)?;
        // Not the source: serde repeats what it read.
        serde_json::from_slice(&opened).map_err(|_| LinkError::Secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> InterfaceLinkDefinition {
        InterfaceLinkDefinition {
            source_id: "cart".to_owned(),
            target: "kv".to_owned(),
            name: "default".to_owned(),
            wit_namespace: "wasi".to_owned(),
            wit_package: "keyvalue".to_owned(),
            target_config: Config::from([("url".to_owned(), "redis://r".to_owned())]),
            ..InterfaceLinkDefinition::default()
        }
    }

    fn keys() -> (XKey, Keys) {
        let (host, provider) = (XKey::new(), XKey::new());
        let data = HostData {
            host_xkey_public_key: host.public_key(),
            provider_xkey_private_key: provider.seed().unwrap().into(),
            ..HostData::default()
        };
        let keys = Keys::read(&data).unwrap().unwrap();
        assert_eq!(keys.public(), provider.public_key());
        (host, keys)
    }

    #[test]
    fn a_provider_sees_its_own_side() {
        let link = Link::read(definition(), &"kv".parse().unwrap(), None).unwrap();
        assert_eq!((link.side, link.component().as_str()), (Side::Target, "cart"));
        assert_eq!(link.config.get("url").map(String::as_str), Some("redis://r"));
        let link = Link::read(definition(), &"cart".parse().unwrap(), None).unwrap();
        assert_eq!((link.side, link.component().as_str()), (Side::Source, "kv"));
        assert!(link.config.is_empty());
        let error = Link::read(definition(), &"other".parse().unwrap(), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the link is from `cart` to `kv`, this provider is neither"
        );
    }

    #[test]
    fn secrets_that_a_host_seals_are_opened() {
        let (host, keys) = keys();
        let for_us = XKey::from_public_key(&keys.public()).unwrap();
        let secrets = Secrets::from([
            ("password".to_owned(), SecretValue::String("s3cret".to_owned())),
            ("key".to_owned(), SecretValue::Bytes(vec![0, 255])),
        ]);
        let sealed = host
            .seal(&serde_json::to_vec(&secrets).unwrap(), &for_us)
            .unwrap();
        let provider = "kv".parse().unwrap();
        let mut sent = definition();
        sent.target_secrets = Some(sealed.clone());
        let link = Link::read(sent.clone(), &provider, Some(&keys)).unwrap();
        assert_eq!(link.secrets, secrets);
        assert_eq!(
            (link.secret("password"), link.secret("key")),
            (Some("s3cret"), None)
        );
        assert!(!format!("{link:?}").contains("s3cret"));

        assert!(matches!(
            Link::read(sent.clone(), &provider, None),
            Err(LinkError::NoKeys)
        ));
        // The other side's are nothing to us, and an empty list is none.
        sent.target_secrets = Some(Vec::new());
        sent.source_secrets = Some(sealed.clone());
        assert!(Link::read(sent, &provider, None).unwrap().secrets.is_empty());
    }

    #[test]
    fn secrets_of_others_are_not_opened() {
        let (host, keys) = keys();
        let for_us = XKey::from_public_key(&keys.public()).unwrap();
        let read = |sealed: Vec<u8>| {
            let mut sent = definition();
            sent.target_secrets = Some(sealed);
            Link::read(sent, &"kv".parse().unwrap(), Some(&keys)).unwrap_err()
        };
        let by_a_stranger = XKey::new().seal(b"{}", &for_us).unwrap();
        let for_a_stranger = host.seal(b"{}", &XKey::new()).unwrap();
        let mut changed = host.seal(b"{}", &for_us).unwrap();
        *changed.last_mut().unwrap() ^= 1;
        for sealed in [
            by_a_stranger,
            for_a_stranger,
            changed,
            b"{}".to_vec(),
            vec![0; 200],
        ] {
            assert!(matches!(read(sealed), LinkError::Sealed));
        }
        let error = read(host.seal(br#"{"a":"s3cret"}"#, &for_us).unwrap());
        assert!(matches!(error, LinkError::Secrets) && !error.to_string().contains("s3cret"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |change: fn(&mut InterfaceLinkDefinition)| {
            let mut sent = definition();
            change(&mut sent);
            assert!(Link::read(sent.clone(), &"kv".parse().unwrap(), None).is_err());
            assert!(LinkKey::read(&sent).is_err());
        };
        refused(|link| link.source_id = String::new());
        refused(|link| link.source_id = "a.>".to_owned());
        refused(|link| link.name = "a b".to_owned());
        refused(|link| link.wit_namespace = String::new());
        refused(|link| link.wit_package = "x".repeat(MAX_WORD + 1));
    }

    #[test]
    fn keys_that_are_none_are_said_to_be() {
        let data = |host: &str, provider: &str| HostData {
            host_xkey_public_key: host.to_owned(),
            provider_xkey_private_key: provider.to_owned().into(),
            ..HostData::default()
        };
        let good = XKey::new();
        let seed = good.seed().unwrap();
        assert!(Keys::read(&data("", &seed)).unwrap().is_none());
        for (host, provider) in [
            ("XAA", seed.as_str()),
            ("", "s3cret"),
            (&*good.public_key(), "s3cret"),
        ] {
            match Keys::read(&data(host, provider)) {
                Ok(keys) => assert!(keys.is_none() && host.is_empty()),
                Err(error) => assert!(!error.to_string().contains("s3cret")),
            }
        }
    }
}
