//! Links, told to providers by their id (wire reference §2.5), once for all hosts: by the one that handles the
//! request.
//!
//! Puts are for providers from before 1.1, and the built-in ones of hosts of v1: newer ones are told by the host that
//! runs them, each process by its key. Deletions are for all of them: no provider of v1 hears of a deletion elsewhere.
//! What cannot be told is logged; the state of the lattice is what counts, and every process reads that when it starts.

use wasmcloud_capability::BoundLink;
use wasmcloud_core::{ComponentId, Link};
use wasmcloud_lattice::CallError;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::provider::InterfaceLinkDefinition;
use wasmcloud_wire::state::ConfigKey;
use wasmcloud_wire::subject::{ProviderOperation, ProviderSubject};

use super::LatticeHost;
use super::records::LinkPut;
use crate::external::{definition, without_configs};

impl LatticeHost {
    /// Tells of a link that was written.
    pub(super) async fn tell_link(&self, source: &ComponentId, put: &LinkPut) {
        // Written, so it is one.
        let Ok(link) = Link::try_from(&put.link) else {
            return;
        };
        // The former target is not part of the record any more, and nobody else tells it.
        let former = put.instead_of.as_ref().filter(|former| **former != link.target);
        if let Some(former) = former {
            let gone = Link {
                target: former.clone(),
                ..link.clone()
            };
            self.to_both_ends(&gone, ProviderOperation::LinkDel, &bare(&gone))
                .await;
        }
        let mut names = link.source_config.iter().chain(&link.target_config);
        if !names.any(|name| matches!(ConfigKey::of(name.clone()), ConfigKey::Secret(_))) {
            match self.bound(&link).await {
                Some(bound) => {
                    self.to_both_ends(&link, ProviderOperation::LinkPut, &definition(&bound))
                        .await;
                }
                None => {
                    tracing::debug!(%source, %link, "a link was not told by id: its configs are not known")
                }
            }
        }
        if former.is_some() {
            self.reached_the_server().await;
        }
    }

    /// Tells of links that were removed. When this returns, the server has passed it on: what is put after that is
    /// heard after that.
    pub(super) async fn tell_links_gone(&self, links: &[wasmcloud_wire::Link]) {
        for link in links {
            if let Ok(link) = Link::try_from(link) {
                self.to_both_ends(&link, ProviderOperation::LinkDel, &bare(&link))
                    .await;
            }
        }
        if !links.is_empty() {
            self.reached_the_server().await;
        }
    }

    async fn reached_the_server(&self) {
        let rpc = &self.0.lattice.rpc;
        if let Err(error) = rpc.barrier(rpc.default_deadline()).await {
            tracing::warn!(
                error = chain(&error),
                "providers may not have heard of links that are gone"
            );
        }
    }

    /// A link with the values of its configs, if they are known.
    async fn bound(&self, link: &Link) -> Option<BoundLink> {
        let mut bound = BoundLink {
            link: link.clone(),
            source_config: Default::default(),
            target_config: Default::default(),
        };
        for (names, values) in [
            (&link.source_config, &mut bound.source_config),
            (&link.target_config, &mut bound.target_config),
        ] {
            for name in names {
                let config = match self.0.host.config(name) {
                    Some(config) => config,
                    // Put a moment ago, perhaps, and not here yet.
                    None => self.0.records.config(name).await.ok()??.0.0,
                };
                values.extend(config);
            }
        }
        Some(bound)
    }

    async fn to_both_ends(
        &self,
        link: &Link,
        operation: ProviderOperation,
        definition: &InterfaceLinkDefinition,
    ) {
        for provider in [&link.source, &link.target] {
            let subject = ProviderSubject {
                lattice: self.0.lattice.name.clone(),
                provider: provider.clone().into(),
                operation,
            };
            let sent: Result<(), CallError> = self
                .0
                .lattice
                .rpc
                .publish(&subject.to_string(), None, definition.encode().into())
                .await;
            if let Err(error) = sent {
                tracing::warn!(%link, %provider, error = chain(&error), "a link was not told by id");
            }
        }
    }
}

/// A link without the values of its configs, as v1 tells of one that is gone.
fn bare(link: &Link) -> InterfaceLinkDefinition {
    without_configs(&definition(&BoundLink {
        link: link.clone(),
        source_config: Default::default(),
        target_config: Default::default(),
    }))
}
