//! A reference into a registry, parsed once: `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`.

use std::fmt;
use std::str::FromStr;

use crate::digest::{Digest, InvalidDigest};

/// The registry of references that name none, as everywhere in the container world.
const DEFAULT_REGISTRY: &str = "docker.io";

/// Where the default registry is served.
const DEFAULT_REGISTRY_HOST: &str = "registry-1.docker.io";

/// Longest reference in bytes: repository (255, OCI distribution spec) with host, tag and digest.
const MAX_LEN: usize = 1024;

/// A reference into a registry.
///
/// Registry and repository are lower-cased as in v1 (wire reference §2.6). The tag is kept as written: tags are case
/// sensitive, and v1, which lower-cased them too, could not pull `:V1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A reference that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// Over 1024 bytes.
    #[error("the image reference has {0} bytes, the limit is {MAX_LEN}")]
    Long(usize),
    /// The part before the first `/` is no host.
    #[error("image reference `{reference}`: `{registry}` is not a registry host, with a port or without")]
    Registry {
        /// As it was written.
        reference: String,
        /// The part in question.
        registry: String,
    },
    /// The repository breaks the grammar of the OCI distribution spec.
    #[error(
        "image reference `{reference}`: `{repository}` is not a repository; its parts consist of letters, digits \
         and single `.`, `_` or `-` between them"
    )]
    Repository {
        /// As it was written.
        reference: String,
        /// The part in question.
        repository: String,
    },
    /// The tag breaks the grammar of the OCI distribution spec.
    #[error(
        "image reference `{reference}`: `{tag}` is not a tag; a tag has up to 128 letters, digits, `_`, `.` and `-`, \
         and starts with none of the last two"
    )]
    Tag {
        /// As it was written.
        reference: String,
        /// The part in question.
        tag: String,
    },
    /// What follows `@` is no digest.
    #[error("image reference `{reference}`")]
    Digest {
        /// As it was written.
        reference: String,
        /// Why not.
        #[source]
        source: InvalidDigest,
    },
}

impl Reference {
    /// The registry, as people write it: host, and port if there is one.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one is written.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one is written. It decides; a tag beside it is for people.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether this is `latest`, spelled out or not: a reference that means something else tomorrow.
    #[must_use]
    pub fn is_latest(&self) -> bool {
        self.digest.is_none() && self.tag.as_deref().is_none_or(|tag| tag == "latest")
    }

    /// Host and port that requests go to.
    pub(crate) fn host(&self) -> &str {
        if self.registry == DEFAULT_REGISTRY {
            DEFAULT_REGISTRY_HOST
        } else {
            &self.registry
        }
    }

    /// The tag that is asked for when there is no digest.
    pub(crate) fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }
}

/// The one spelling of a registry's name under which settings and credentials are kept: without scheme, path and
/// capitals, and with one name for Docker Hub.
pub(crate) fn registry_key(written: &str) -> String {
    let rest = written.split_once("://").map_or(written, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest).to_ascii_lowercase();
    match host.as_str() {
        "index.docker.io" | DEFAULT_REGISTRY_HOST => DEFAULT_REGISTRY.to_owned(),
        _ => host,
    }
}

/// Whether requests to this registry stay on this machine.
pub(crate) fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(raw: &str) -> Result<Self, InvalidReference> {
        if raw.len() > MAX_LEN {
            return Err(InvalidReference::Long(raw.len()));
        }
        let reference = || raw.to_owned();
        let (name, digest) = match raw.split_once('@') {
            Some((name, digest)) => {
                let digest = digest.parse().map_err(|source| InvalidReference::Digest {
                    reference: reference(),
                    source,
                })?;
                (name, Some(digest))
            }
            None => (raw, None),
        };
        let (registry, rest) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first.to_ascii_lowercase(), rest)
            }
            _ => (DEFAULT_REGISTRY.to_owned(), name),
        };
        if !is_host(&registry) {
            return Err(InvalidReference::Registry {
                reference: reference(),
                registry,
            });
        }
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (rest, None),
        };
        let mut repository = repository.to_ascii_lowercase();
        if !is_repository(&repository) {
            return Err(InvalidReference::Repository {
                reference: reference(),
                repository,
            });
        }
        if let Some(tag) = &tag
            && !is_tag(tag)
        {
            return Err(InvalidReference::Tag {
                reference: reference(),
                tag: tag.clone(),
            });
        }
        let registry = registry_key(&registry);
        if registry == DEFAULT_REGISTRY && !repository.contains('/') {
            // The official images of Docker Hub live in this folder.
            repository = format!("library/{repository}");
        }
        Ok(Self {
            registry,
            repository,
            tag,
            digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn is_host(registry: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    registry.bytes().all(allowed)
        && registry
            .parse::<http::uri::Authority>()
            .is_ok_and(|authority| !authority.host().is_empty() && !registry.ends_with(':'))
}

fn is_repository(repository: &str) -> bool {
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        bytes.first().is_some_and(plain)
            && bytes.last().is_some_and(plain)
            && bytes
                .iter()
                .all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
            && !part.contains("..")
    };
    repository.len() <= 255 && repository.split('/').all(part)
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(raw: &str) -> Reference {
        raw.parse().unwrap_or_else(|error| panic!("{raw}: {error}"))
    }

    #[test]
    fn parts() {
        let check = |raw: &str, text: &str, host: &str, latest: bool| {
            let reference = parse(raw);
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.host(), host);
            assert_eq!(reference.is_latest(), latest, "{raw}");
            assert_eq!(parse(text), reference, "{raw}: text and back");
        };
        check("ghcr.io/Acme/Cart:V1", "ghcr.io/acme/cart:V1", "ghcr.io", false);
        check("localhost:5000/a", "localhost:5000/a", "localhost:5000", true);
        check("[::1]:5000/a/b:1", "[::1]:5000/a/b:1", "[::1]:5000", false);
        check(
            "redis:7",
            "docker.io/library/redis:7",
            "registry-1.docker.io",
            false,
        );
        check("acme/cart", "docker.io/acme/cart", "registry-1.docker.io", true);
        check(
            "index.docker.io/acme/cart:latest",
            "docker.io/acme/cart:latest",
            "registry-1.docker.io",
            true,
        );
        let digest = Digest::of(b"x");
        check(
            &format!("a.io/b@{digest}"),
            &format!("a.io/b@{digest}"),
            "a.io",
            false,
        );
        check(
            &format!("a.io/b:latest@{digest}"),
            &format!("a.io/b:latest@{digest}"),
            "a.io",
            false,
        );
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for bad in [
            "a.io/",
            "a.io//b",
            "a.io/b:",
            "a.io/b:.x",
            "a.io/-b",
            "a.io/b..c",
            "user@a.io/b",
            "a.io:/b",
            "a.io/b@sha256:1",
            "a.io/b?c=d",
            "a.io/../b",
            "a.io/b:1:2",
            "a.io/b c",
            "a.io\\x/b",
            "",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad:?} must be refused");
        }
        assert!(format!("a.io/{}", "b".repeat(2000)).parse::<Reference>().is_err());
    }

    #[test]
    fn one_name_for_each_registry() {
        for (written, key) in [
            ("https://index.docker.io/v1/", "docker.io"),
            ("GHCR.io", "ghcr.io"),
            ("http://localhost:5000/", "localhost:5000"),
        ] {
            assert_eq!(registry_key(written), key);
        }
    }

    #[test]
    fn loopback() {
        for yes in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:5000",
            "x.localhost:1",
        ] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in [
            "ghcr.io",
            "10.0.0.1:5000",
            "localhost.evil.io",
            "127.0.0.1.evil.io",
        ] {
            assert!(!is_loopback(no), "{no}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_reference_or_an_error(raw in "\\PC{0,200}") {
            if let Ok(reference) = raw.parse::<Reference>() {
                prop_assert_eq!(parse(&reference.to_string()), reference);
            }
        }
    }
}
