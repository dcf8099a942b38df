//! The built-in HTTP client provider: a link to it is a component's permission to call out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use parking_lot::Mutex;
use wasmcloud_capability::{
    BoundLink, ComponentContext, ConfigMap, Handle, Provider, ProviderError, RemoteProvider,
};
use wasmcloud_core::{ComponentId, LinkKey, LinkName};

use super::endpoint::ClientEndpoint;
use super::settings::ClientSettings;
use super::trust::Roots;
use crate::lattice::RemoteClient;

/// Interfaces through which components call this provider.
const INTERFACES: &[&str] = &["outgoing-handler", "client"];

/// How long requests under way may take when the provider stops; the host may have less patience.
const DRAIN: Duration = Duration::from_secs(30);

/// An HTTP client provider with the config keys of the v1 provider (wire reference §6.2) and a policy.
///
/// Each link has its own connections. By default a linked component reaches the public internet and nothing else:
/// loopback, private and link-local addresses take a grant. All keys may stand in the provider's config, as defaults,
/// and in the target config of a link. Redirects are never followed; the guest does that, under the same policy.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `allowed_hosts` | any | hosts that may be asked for: `example.com`, `*.example.com`, `example.com:8443`, `127.0.0.1:9000`, `[::1]:80`. A literal address, or a name with its port, is also a grant for that address, or for the loopback and private addresses of that name |
/// | `allowed_networks` | none | networks that may be reached beside public addresses: `10.0.0.0/8` |
/// | `load_native_certs` | `true` | believe the certificate roots of the system |
/// | `load_webpki_certs` | `true` | believe Mozilla's certificate roots, which are built in |
/// | `ssl_certs_file` | none | a PEM file with more certificate roots |
/// | `connect_timeout_ms` | 30000 | longest time for name, TCP and TLS together; a guest can only shorten it |
/// | `max_connections` | 100 | connections open at once |
/// | `max_idle_per_host` | `max_connections` | idle connections kept per host; 0 for none |
/// | `idle_timeout_ms` | 30000 | when an idle connection is closed |
pub struct HttpClientProvider {
    id: ComponentId,
    state: Mutex<State>,
}

struct State {
    config: ConfigMap,
    roots: Arc<Roots>,
    /// Every link that was made, to be made again when the config changes.
    links: HashMap<LinkKey, Made>,
}

struct Made {
    config: ConfigMap,
    linked: Linked,
}

/// A link as calls from other hosts find it; those from here find the endpoint in the link table of the component.
#[derive(Clone)]
pub(crate) struct Linked {
    pub(crate) endpoint: Arc<ClientEndpoint>,
    /// Stands for the component, which need not run here. What it sends and receives is counted where it runs.
    pub(crate) component: Arc<ComponentContext>,
}

impl HttpClientProvider {
    /// Starts the provider. It opens nothing before a component calls.
    pub fn start(id: ComponentId, config: &ConfigMap) -> Result<Arc<Self>, ProviderError> {
        let settings = ClientSettings::parse(config, &ConfigMap::new())?;
        let roots = Roots::new(settings.trust)?;
        let state = Mutex::new(State {
            config: config.clone(),
            roots,
            links: HashMap::new(),
        });
        Ok(Arc::new(Self { id, state }))
    }

    /// The id of the provider.
    pub(crate) fn id(&self) -> &ComponentId {
        &self.id
    }

    /// The link of a component under this name.
    pub(crate) fn linked(&self, source: &ComponentId, name: &LinkName) -> Option<Linked> {
        let key = LinkKey {
            source: source.clone(),
            name: name.clone(),
            namespace: "wasi".to_owned(),
            package: "http".to_owned(),
        };
        self.state.lock().links.get(&key).map(|made| made.linked.clone())
    }
}

/// The provider's roots, shared by all links that do not ask for others.
fn roots_for(shared: &Arc<Roots>, settings: &ClientSettings) -> Result<Arc<Roots>, ProviderError> {
    if *shared.trust() == settings.trust {
        return Ok(Arc::clone(shared));
    }
    Roots::new(settings.trust.clone())
}

#[async_trait]
impl Provider for HttpClientProvider {
    async fn link_as_target(&self, link: &BoundLink) -> Result<Handle, ProviderError> {
        let wanted = &link.link;
        if let Some(other) = wanted
            .interfaces
            .iter()
            .find(|i| !INTERFACES.contains(&i.as_str()))
        {
            return Err(ProviderError::Unsupported(format!(
                "the HTTP client `{}` answers `wasi:http/outgoing-handler`, not `{}:{}/{other}`",
                self.id, wanted.namespace, wanted.package
            )));
        }
        let mut state = self.state.lock();
        let settings = ClientSettings::parse(&state.config, &link.target_config)?;
        let roots = roots_for(&state.roots, &settings)?;
        // As the manifest has it, for hints.
        let written = wanted
            .name
            .parts()
            .map_or_else(|| wanted.name.clone(), |(name, _)| name);
        let endpoint = ClientEndpoint::new(written.as_str(), settings, roots);
        let linked = Linked {
            endpoint: Arc::clone(&endpoint),
            component: ComponentContext::new(wanted.source.clone()),
        };
        let config = link.target_config.clone();
        state.links.insert(wanted.key(), Made { config, linked });
        Ok(endpoint)
    }

    async fn unlink(&self, key: &LinkKey) {
        // Calls under way keep the endpoint until they end; its connections go with it.
        self.state.lock().links.remove(key);
    }

    async fn update_config(&self, config: &ConfigMap) -> Result<(), ProviderError> {
        let mut state = self.state.lock();
        if state.config == *config {
            return Ok(());
        }
        let roots = Roots::new(ClientSettings::parse(config, &ConfigMap::new())?.trust)?;
        // All or nothing: a link that the new config breaks leaves every link as it was.
        let mut replacing = Vec::with_capacity(state.links.len());
        for made in state.links.values() {
            let settings = ClientSettings::parse(config, &made.config)?;
            let roots = roots_for(&roots, &settings)?;
            replacing.push((Arc::clone(&made.linked.endpoint), settings, roots));
        }
        for (endpoint, settings, roots) in replacing {
            endpoint.replace(settings, roots);
        }
        state.config = config.clone();
        state.roots = roots;
        Ok(())
    }

    async fn stop(&self) {
        let links: Vec<Made> = self.state.lock().links.drain().map(|(_, made)| made).collect();
        join_all(links.iter().map(|made| made.linked.endpoint.close(DRAIN))).await;
    }

    fn remote(self: Arc<Self>) -> Option<Arc<dyn RemoteProvider>> {
        Some(Arc::new(RemoteClient(self)))
    }
}
