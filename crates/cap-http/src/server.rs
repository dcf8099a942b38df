//! The built-in HTTP server provider: links become routes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use wasmcloud_capability::{BoundLink, ConfigMap, Handle, Provider, ProviderError};
use wasmcloud_core::{ComponentId, LinkKey};
use wasmcloud_engine::Target;

use crate::exports::HttpExports;
use crate::ingress::Ingress;
use crate::routes::{PathPattern, Route, RouteMatch};
use crate::settings::{RoutingMode, ServerSettings};

/// Interfaces through which this provider calls components.
const INTERFACES: &[&str] = &["incoming-handler", "handler"];

/// An HTTP server provider, with the config keys of the v1 provider (wire reference §6.1).
pub struct HttpServerProvider {
    id: ComponentId,
    ingress: Arc<Ingress>,
    state: Mutex<State>,
}

struct State {
    settings: ServerSettings,
    /// Every link that was made, to be made again when the config changes.
    links: HashMap<LinkKey, Made>,
}

struct Made {
    link: BoundLink,
    target: Arc<Target>,
    url: String,
}

impl HttpServerProvider {
    /// Starts the provider. In path and host mode it listens at once, as in v1; in address mode with its first link.
    pub async fn start(
        id: ComponentId,
        ingress: Arc<Ingress>,
        config: &ConfigMap,
    ) -> Result<Arc<Self>, ProviderError> {
        let mut settings = ServerSettings::parse(config)?;
        if settings.mode != RoutingMode::Address {
            // With port 0 the kernel has chosen one, and all routes go there.
            settings.listen.address = ingress.hold(&id, &settings.listen, settings.mode).await?;
        }
        let state = Mutex::new(State {
            settings,
            links: HashMap::new(),
        });
        Ok(Arc::new(Self { id, ingress, state }))
    }

    async fn make(
        &self,
        settings: &ServerSettings,
        link: &BoundLink,
        target: &Arc<Target>,
    ) -> Result<String, ProviderError> {
        if let Some(other) = link
            .link
            .interfaces
            .iter()
            .find(|i| !INTERFACES.contains(&i.as_str()))
        {
            return Err(ProviderError::Unsupported(format!(
                "an HTTP server calls `wasi:http/incoming-handler`, not `{}:{}/{other}`",
                link.link.namespace, link.link.package
            )));
        }
        // One that is not started yet is judged when it is called.
        if target
            .get()
            .is_ok_and(|component| component.exports::<HttpExports>().is_none())
        {
            return Err(ProviderError::Unsupported(format!(
                "component `{}` answers no HTTP: it exports neither `wasi:http/incoming-handler` nor \
                 `wasi:http/handler`",
                link.link.target
            )));
        }
        let (listen, answer, matches) = settings.link(&link.source_config)?;
        let url = |address| url(address, listen.tls.is_some(), &matches);
        let route = Route {
            owner: link.link.key(),
            matches: matches.clone(),
            target: Arc::clone(target),
            settings: Arc::new(answer),
            way: link.link.route,
            elsewhere: self.ingress.elsewhere().cloned(),
        };
        let address = self.ingress.add(&listen, settings.mode, route).await?;
        Ok(url(address))
    }
}

fn url(address: SocketAddr, secure: bool, matches: &RouteMatch) -> String {
    let scheme = if secure { "https" } else { "http" };
    let path = match &matches.path {
        None => "/".to_owned(),
        Some(PathPattern::Exact(path)) => path.clone(),
        Some(PathPattern::Prefix(path)) => format!("{path}/"),
    };
    let mut address = address;
    if address.ip().is_unspecified() {
        // Listening everywhere; this is where a person on this machine reaches it.
        let local = if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        };
        address.set_ip(local);
    }
    match &matches.host {
        Some(host) => format!("{scheme}://{}:{}{path}", host.replace('*', "any"), address.port()),
        None => format!("{scheme}://{address}{path}"),
    }
}

#[async_trait]
impl Provider for HttpServerProvider {
    async fn link_as_source(&self, link: &BoundLink, target: Handle) -> Result<(), ProviderError> {
        let target = Handle::downcast::<Target>(target)
            .map_err(|_| ProviderError::Unsupported(format!("`{}` is not a component", link.link.target)))?;
        let settings = self.state.lock().settings.clone();
        let key = link.link.key();
        let url = self.make(&settings, link, &target).await?;
        self.state.lock().links.insert(
            key,
            Made {
                link: link.clone(),
                target,
                url,
            },
        );
        Ok(())
    }

    async fn unlink(&self, key: &LinkKey) {
        self.ingress.remove(key).await;
        self.state.lock().links.remove(key);
    }

    async fn update_config(&self, config: &ConfigMap) -> Result<(), ProviderError> {
        let mut settings = ServerSettings::parse(config)?;
        let now = self.state.lock().settings.listen.address;
        if settings.listen.address.port() == 0 && settings.listen.address.ip() == now.ip() {
            settings.listen.address = now;
        }
        if settings == self.state.lock().settings {
            return Ok(());
        }
        if settings.mode != RoutingMode::Address {
            self.ingress
                .hold(&self.id, &settings.listen, settings.mode)
                .await?;
        }
        let links: Vec<(BoundLink, Arc<Target>)> = self
            .state
            .lock()
            .links
            .values()
            .map(|made| (made.link.clone(), Arc::clone(&made.target)))
            .collect();
        for (link, target) in links {
            self.ingress.remove(&link.link.key()).await;
            let url = self.make(&settings, &link, &target).await?;
            if let Some(made) = self.state.lock().links.get_mut(&link.link.key()) {
                made.url = url;
            }
        }
        self.state.lock().settings = settings;
        Ok(())
    }

    async fn stop(&self) {
        self.ingress.release(&self.id).await;
    }

    fn urls(&self) -> Vec<String> {
        let mut urls: Vec<String> = self
            .state
            .lock()
            .links
            .values()
            .map(|made| made.url.clone())
            .collect();
        urls.sort();
        urls
    }
}
