//! The life of a built-in provider: a provider that is part of the host instead of a process of its own.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use wasmcloud_core::{ComponentId, Link, LinkKey};
use wasmtime::component::Linker;

use crate::component::ConfigMap;
use crate::links::BoundLink;
use crate::remote::RemoteProvider;
use crate::state::InstanceState;

/// Something that crosses rooms which do not know its type: the giver and the taker agree on it and the taker
/// downcasts once, when the link is made, never per call.
pub type Handle = Arc<dyn Any + Send + Sync>;

/// Why a provider refused a config or a link. The text is for the person who wrote the manifest.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A config value cannot be used.
    #[error("config key `{key}`: {reason}")]
    Config {
        /// The key.
        key: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A key that this provider does not know, with the nearest one that it knows.
    #[error("unknown config key `{key}`{}", .nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The nearest known key.
        nearest: Option<String>,
    },
    /// Something else has it: an address, a route, a file.
    #[error("{what}")]
    Conflict {
        /// What it is about, with the name of the owner.
        what: String,
        /// The link that has it, if it is one.
        owner: Option<Box<LinkKey>>,
    },
    /// The link does not fit this provider.
    #[error("{0}")]
    Unsupported(String),
    /// Starting failed.
    #[error("{what}")]
    Failed {
        /// What was being done.
        what: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ProviderError {
    /// Whether a link is for these interfaces of a package; `id` is the provider's.
    pub fn unless_for(
        link: &Link,
        id: &ComponentId,
        (namespace, package): (&str, &str),
        interfaces: &[&str],
    ) -> Result<(), Self> {
        if (&*link.namespace, &*link.package) != (namespace, package) {
            return Err(Self::Unsupported(format!(
                "`{id}` answers `{namespace}:{package}`, not `{}:{}`",
                link.namespace, link.package
            )));
        }
        let other = link
            .interfaces
            .iter()
            .find(|other| !interfaces.contains(&other.as_str()));
        let Some(other) = other else { return Ok(()) };
        let mut known = String::new();
        for (at, interface) in interfaces.iter().enumerate() {
            known += match at {
                0 => "",
                _ if at + 1 == interfaces.len() => " and ",
                _ => ", ",
            };
            known += &format!("`{interface}`");
        }
        Err(Self::Unsupported(format!(
            "`{id}` answers {known} of `{namespace}:{package}`, not `{other}`"
        )))
    }
}

/// A capability that guests import: it adds its host functions to a linker, once per engine.
pub trait Capability: Send + Sync + 'static {
    /// Adds the capability's interfaces.
    fn link(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()>;

    /// Adds what only components that use WASI 0.3 can import; called after [`Capability::link`] for those.
    fn link_concurrent(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        let _ = linker;
        Ok(())
    }

    /// The interfaces it adds, with version, for start-up checks and messages.
    fn interfaces(&self) -> &'static [&'static str];

    /// Those of its interfaces, without version, that answer only over a link.
    fn linked_interfaces(&self) -> &'static [&'static str] {
        &[]
    }
}

/// A running built-in provider.
///
/// All methods are called by the host's one owner of providers, so a provider never sees two of them at once. Each
/// must return in bounded time.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// A component's calls go to this provider: returns what the capability's adapter finds in the link table.
    async fn link_as_target(&self, link: &BoundLink) -> Result<Handle, ProviderError> {
        Err(ProviderError::Unsupported(format!(
            "`{}` takes no calls, it cannot be the target of a link",
            link.link.target
        )))
    }

    /// This provider calls a component: `target` is the host's handle to it.
    async fn link_as_source(&self, link: &BoundLink, target: Handle) -> Result<(), ProviderError> {
        let _ = target;
        Err(ProviderError::Unsupported(format!(
            "`{}` makes no calls, it cannot be the source of a link",
            link.link.source
        )))
    }

    /// A link that was made is gone. Deleting one that was never made is no error.
    async fn unlink(&self, key: &LinkKey);

    /// The provider's own config changed while it runs.
    async fn update_config(&self, config: &ConfigMap) -> Result<(), ProviderError>;

    /// Stops taking new work and waits for what is under way, no longer than the host's drain limit; after that the
    /// provider holds no port, file or connection.
    async fn stop(&self);

    /// Where people reach this provider, as URLs, for example of its HTTP listeners.
    fn urls(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether it is well, where that is known. One that is part of the host is well once it has taken its config.
    fn healthy(&self) -> Option<bool> {
        Some(true)
    }

    /// What answers callers on other hosts, where this provider does. Asked once, after it has started.
    fn remote(self: Arc<Self>) -> Option<Arc<dyn RemoteProvider>> {
        None
    }
}
