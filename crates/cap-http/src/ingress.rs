//! The listeners of a host, shared by all HTTP servers on it: one owner for each address, one table of routes for
//! each listener.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Mutex;
use wasmcloud_capability::ProviderError;
use wasmcloud_core::{ComponentId, LinkKey};
use wasmcloud_lattice::rpc::Caller;

use crate::listener::Listener;
use crate::routes::{Route, RouteTable};
use crate::settings::{ListenSettings, RoutingMode};
use crate::workers::Workers;

/// What an operator can set about the ingress.
#[derive(Clone, Debug)]
pub struct IngressOptions {
    /// Connections at once on one address; further ones are answered 503 and closed.
    pub max_connections: usize,
    /// How long requests under way may take when an address is closed.
    pub drain: Duration,
    /// Threads that serve connections, started with the first address.
    pub workers: NonZero<usize>,
}

impl Default for IngressOptions {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            drain: Duration::from_secs(10),
            workers: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        }
    }
}

/// The listeners of a host.
pub struct Ingress {
    options: IngressOptions,
    workers: OnceLock<Arc<Workers>>,
    // Held across the stop of a listener: whoever asks for an address while it is being closed waits for the close.
    addresses: Mutex<HashMap<SocketAddr, Address>>,
    elsewhere: OnceLock<Caller>,
}

struct Address {
    listener: Listener,
    mode: RoutingMode,
    /// Providers that keep the address open also without routes.
    holders: Vec<ComponentId>,
}

impl Ingress {
    /// An ingress without listeners.
    pub fn new(options: IngressOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            workers: OnceLock::new(),
            addresses: Mutex::default(),
            elsewhere: OnceLock::new(),
        })
    }

    /// From now on, requests for components that do not run on this host go to others.
    pub fn connect(&self, caller: Caller) {
        // A host is part of one lattice, once.
        let _ = self.elsewhere.set(caller);
    }

    pub(crate) fn elsewhere(&self) -> Option<&Caller> {
        self.elsewhere.get()
    }

    /// The addresses that are open.
    pub async fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.lock().await.keys().copied().collect()
    }

    /// Connections that are open, on all addresses together.
    pub fn connections(&self) -> usize {
        self.workers.get().map_or(0, |workers| workers.open())
    }

    /// Opens an address for a provider, or shares it with providers that listen there in the same way. Returns the
    /// address with its port, which differs where port 0 was asked for.
    pub(crate) async fn hold(
        &self,
        holder: &ComponentId,
        settings: &ListenSettings,
        mode: RoutingMode,
    ) -> Result<SocketAddr, ProviderError> {
        let mut addresses = self.addresses.lock().await;
        let address = self.open(&mut addresses, settings, mode, holder)?;
        let entry = addresses.get_mut(&address);
        if let Some(entry) = entry.filter(|entry| !entry.holders.contains(holder)) {
            entry.holders.push(holder.clone());
        }
        Ok(address)
    }

    /// Adds a route, replacing the one that the same link made before.
    pub(crate) async fn add(
        &self,
        settings: &ListenSettings,
        mode: RoutingMode,
        route: Route,
    ) -> Result<SocketAddr, ProviderError> {
        let mut addresses = self.addresses.lock().await;
        let address = self.open(&mut addresses, settings, mode, &route.owner.source)?;
        let Some(entry) = addresses.get_mut(&address) else {
            return Ok(address);
        };
        let routes = entry.listener.routes.load();
        let others = routes.routes().iter().filter(|known| known.owner != route.owner);
        let mut new: Vec<Arc<Route>> = others.cloned().collect();
        if let Some(same) = new.iter().find(|known| known.matches == route.matches) {
            let (matches, owner, component) = (&same.matches, &same.owner, same.target.id());
            return Err(ProviderError::Conflict {
                what: format!(
                    "{matches} on {address} already goes to component `{component}` by the link `{}` of provider `{}`",
                    owner.name, owner.source
                ),
                owner: Some(Box::new(owner.clone())),
            });
        }
        let owner = route.owner.clone();
        new.push(Arc::new(route));
        entry.listener.routes.store(Arc::new(RouteTable::new(new)));
        // The link may have listened elsewhere before; it leaves there only after it arrived here.
        remove_routes(
            addresses
                .iter()
                .filter(|(at, _)| **at != address)
                .map(|(_, entry)| entry),
            &owner,
        );
        close_unused(&mut addresses).await;
        Ok(address)
    }

    /// Removes the routes of a link; an address that nobody uses any more is closed, and requests on it end in their
    /// own time.
    pub(crate) async fn remove(&self, owner: &LinkKey) {
        let mut addresses = self.addresses.lock().await;
        remove_routes(addresses.values(), owner);
        close_unused(&mut addresses).await;
    }

    /// Removes everything of a provider. Its addresses are free for others at once; returns when the requests on them
    /// have ended, or their time is over.
    pub(crate) async fn release(&self, holder: &ComponentId) {
        let mut addresses = self.addresses.lock().await;
        for entry in addresses.values_mut() {
            entry.holders.retain(|known| known != holder);
            let routes = entry.listener.routes.load();
            // While the last requests drain, their routes stay: an address with nothing but this provider's routes
            // is closed below and answers until then.
            let left: Vec<_> = routes
                .routes()
                .iter()
                .filter(|route| route.owner.source != *holder)
                .cloned()
                .collect();
            if !left.is_empty() || !entry.holders.is_empty() {
                entry.listener.routes.store(Arc::new(RouteTable::new(left)));
            }
        }
        let unused: Vec<SocketAddr> = addresses
            .iter()
            .filter(|(_, entry)| {
                let routes = entry.listener.routes.load();
                entry.holders.is_empty() && routes.routes().iter().all(|route| route.owner.source == *holder)
            })
            .map(|(address, _)| *address)
            .collect();
        let closing: Vec<Address> = unused
            .iter()
            .filter_map(|address| addresses.remove(address))
            .collect();
        let closed = futures::future::join_all(closing.into_iter().map(|entry| entry.listener.close())).await;
        // Others open and close addresses while these drain.
        drop(addresses);
        futures::future::join_all(closed).await;
    }

    fn workers(&self) -> Result<&Arc<Workers>, ProviderError> {
        if let Some(workers) = self.workers.get() {
            return Ok(workers);
        }
        let workers = Workers::start(self.options.workers).map_err(|error| ProviderError::Failed {
            what: format!("start {} threads for connections", self.options.workers),
            source: error.into(),
        })?;
        Ok(self.workers.get_or_init(|| Arc::new(workers)))
    }

    fn open(
        &self,
        addresses: &mut HashMap<SocketAddr, Address>,
        settings: &ListenSettings,
        mode: RoutingMode,
        asking: &ComponentId,
    ) -> Result<SocketAddr, ProviderError> {
        if let Some(entry) = addresses.get(&settings.address) {
            if entry.mode == mode && entry.listener.settings == *settings {
                return Ok(settings.address);
            }
            let routes = entry.listener.routes.load();
            let holder = entry.holders.first();
            // Who holds the address itself keeps it without the link.
            let link = routes.routes().first().map(|route| &route.owner);
            let owner = holder.or(link.map(|link| &link.source)).map_or_else(
                || "another link".to_owned(),
                |owner| format!("provider `{owner}`"),
            );
            return Err(ProviderError::Conflict {
                what: format!(
                    "address {} is in use by {owner} with other settings; `{asking}` can share it with the same \
                     `routing_mode`, TLS and keep-alive settings, or use another address",
                    settings.address
                ),
                owner: link.filter(|_| holder.is_none()).cloned().map(Box::new),
            });
        }
        let listener = Listener::bind(settings.clone(), &self.options, self.workers()?)?;
        let address = listener.address;
        tracing::info!(%address, tls = settings.tls.is_some(), "listening");
        addresses.insert(
            address,
            Address {
                listener,
                mode,
                holders: Vec::new(),
            },
        );
        Ok(address)
    }
}

fn remove_routes<'a>(addresses: impl Iterator<Item = &'a Address>, owner: &LinkKey) {
    for entry in addresses {
        let routes = entry.listener.routes.load();
        if routes.routes().iter().any(|route| route.owner == *owner) {
            let left = routes
                .routes()
                .iter()
                .filter(|route| route.owner != *owner)
                .cloned()
                .collect();
            entry.listener.routes.store(Arc::new(RouteTable::new(left)));
        }
    }
}

async fn close_unused(addresses: &mut HashMap<SocketAddr, Address>) {
    let unused: Vec<SocketAddr> = addresses
        .iter()
        .filter(|(_, entry)| entry.holders.is_empty() && entry.listener.routes.load().routes().is_empty())
        .map(|(address, _)| *address)
        .collect();
    for address in unused {
        if let Some(entry) = addresses.remove(&address) {
            entry.listener.close().await;
        }
    }
}

/// The process that listens on a TCP port of this machine, as `1234 (wash)`, if this user may see it.
pub fn port_owner(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        // Columns of proc(5): number, local address:port in hexadecimal, remote, state (0A is listen), …, inode.
        table.lines().skip(1).find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let local = columns.get(1)?.rsplit(':').next()?;
            let listens = columns.get(3) == Some(&"0A") && u16::from_str_radix(local, 16) == Ok(port);
            listens.then(|| columns.get(9).map(|inode| format!("socket:[{inode}]")))?
        })
    })?;
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    for process in processes.filter(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .bytes()
            .all(|b| b.is_ascii_digit())
    }) {
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let ours = |file: std::fs::DirEntry| {
            std::fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy() == inode)
        };
        if files.flatten().any(ours) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!(
                "{} ({})",
                process.file_name().to_string_lossy(),
                name.trim()
            ));
        }
    }
    None
}
