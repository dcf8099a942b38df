//! Links and config as they change: told by the host, done by the provider, one after the other.
//!
//! Links are told on two subjects (wire reference §2.5): on the public key of this process, with secrets, and on the id
//! of the provider, to all its processes and without. Hosts of v1 tell of removals on the id only; ours tell this
//! process everything on its key, in order. Nobody says in which order messages on both were sent. So where some wait on
//! both, those on the id are read first: what our host says comes last and counts, and of a host of v1 a link that is
//! removed and put again is there in the end.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use tracing::{debug, info, warn};
use wasmcloud_lattice::{CallError, Connection, Message, Subscription};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::provider::{ConfigUpdate, InterfaceLinkDefinition};
use wasmcloud_wire::subject::{ProviderOperation, ProviderSubject};

use crate::link::{Config, Keys, Link, LinkError, LinkKey};
use crate::provider::Provider;
use crate::settings::Settings;
use crate::state::{State, limited};

/// Where changes come in.
pub(crate) struct Subscriptions {
    links: Subscription,
    own: Option<Subscription>,
    config: Subscription,
}

impl Subscriptions {
    /// The server knows of them only after the next barrier.
    pub(crate) async fn new(connection: &Connection, settings: &Settings) -> Result<Self, CallError> {
        let subject = |operation| ProviderSubject {
            lattice: settings.lattice.clone(),
            provider: settings.provider.clone().into(),
            operation,
        };
        // One subscription for puts and removals keeps them in order.
        let both_of = |put: &ProviderSubject| {
            let put = put.to_string();
            format!("{}*", put.strip_suffix("put").unwrap_or(&put))
        };
        Ok(Self {
            links: connection
                .subscribe(&both_of(&subject(ProviderOperation::LinkPut)))
                .await?,
            own: match settings.keys.as_ref().map(|keys| keys.public().parse()) {
                Some(Ok(provider)) => {
                    let subject = ProviderSubject {
                        provider,
                        ..subject(ProviderOperation::LinkPut)
                    };
                    Some(connection.subscribe(&both_of(&subject)).await?)
                }
                _ => None,
            },
            config: connection
                .subscribe(&subject(ProviderOperation::ConfigUpdate).to_string())
                .await?,
        })
    }
}

/// A change that was told.
enum Told {
    Put { link: Bytes, own: bool },
    Delete(Bytes),
    Config(Bytes),
}

/// The one task that changes links and config.
pub(crate) struct Changes<P> {
    pub(crate) state: Arc<State<P>>,
    pub(crate) provider: Arc<P>,
    pub(crate) keys: Option<Keys>,
    pub(crate) config: Config,
}

impl<P: Provider> Changes<P> {
    /// The links that were there before this process.
    pub(crate) async fn begin_with(&self, links: Vec<InterfaceLinkDefinition>) {
        for link in links {
            self.put(link, true).await;
        }
    }

    /// Does what is told, until the connection is closed.
    pub(crate) async fn run(mut self, mut subscriptions: Subscriptions) {
        while let Some(told) = next(&mut subscriptions).await {
            match told {
                Told::Put { link, own } => match InterfaceLinkDefinition::decode(&link) {
                    Ok(link) => self.put(link, own).await,
                    Err(error) => warn!(error = chain(&error), "a link that cannot be read was told"),
                },
                Told::Delete(link) => self.delete(&link).await,
                Told::Config(config) => self.configure(&config).await,
            }
        }
    }

    async fn put(&self, definition: InterfaceLinkDefinition, own: bool) {
        let sdk = &self.state.sdk;
        let link = match Link::read(definition, sdk.provider_id(), self.keys.as_ref()) {
            Ok(link) => Arc::new(link),
            Err(error) => return warn!(error = chain(&error), "receiving link failed"),
        };
        let key = link.key();
        let links = &sdk.0.links;
        let before = links.get(&key);
        if before.as_ref().is_some_and(|before| !changes(before, &link, own)) {
            return debug!(link = %key, "a link that is there was told again");
        }
        let outcome = match (&before, links.room()) {
            (None, Err(full)) => Err(full.to_string()),
            _ => limited(self.state.options.change_time, self.provider.link_put(&link))
                .await
                .map_err(|error| chain(&error)),
        };
        match outcome {
            Ok(()) => {
                links.put(link);
                self.state.failed_links.lock().remove(&key);
                info!(link = %key, "linked");
            }
            Err(why) => {
                warn!(link = %key, error = why, "receiving link failed");
                {
                    let mut failed = self.state.failed_links.lock();
                    if failed.len() < MAX_FAILED {
                        failed.insert(key.clone(), why);
                    }
                }
                // What it was before is no more either.
                if let Some(before) = links.remove(&key) {
                    self.end(&before, &key).await;
                }
            }
        }
    }

    async fn delete(&self, bytes: &[u8]) {
        let key = InterfaceLinkDefinition::decode(bytes)
            .map_err(|error| chain(&error))
            .and_then(|link| LinkKey::read(&link).map_err(|error: LinkError| chain(&error)));
        let key = match key {
            Ok(key) => key,
            Err(error) => return warn!(error, "the end of a link that cannot be read was told"),
        };
        self.state.failed_links.lock().remove(&key);
        let Some(link) = self.state.sdk.0.links.remove(&key) else {
            return debug!(link = %key, "the end of a link that is not there was told");
        };
        self.end(&link, &key).await;
    }

    async fn end(&self, link: &Link, key: &LinkKey) {
        let ended = async {
            self.provider.link_deleted(link).await;
            Ok(())
        };
        match limited(self.state.options.change_time, ended).await {
            Ok(()) => info!(link = %key, "unlinked"),
            Err(error) => warn!(link = %key, error = chain(&error), "ending a link failed"),
        }
    }

    async fn configure(&mut self, bytes: &[u8]) {
        let config = match ConfigUpdate::decode(bytes) {
            Ok(config) => config.0,
            Err(error) => return warn!(error = chain(&error), "config that cannot be read was told"),
        };
        if config == self.config {
            return;
        }
        let updated = self.provider.config_updated(&config);
        match limited(self.state.options.change_time, updated).await {
            Ok(()) => {
                info!("config updated");
                self.config = config;
            }
            Err(error) => warn!(error = chain(&error), "updating the config failed"),
        }
    }
}

/// Failed links that are remembered for the health message; what is more is in the log.
const MAX_FAILED: usize = 1_000;

/// Whether a link that is told differs from the one that is there. What is told to all processes has no secrets and
/// says nothing about a link that came with some.
fn changes(before: &Link, link: &Link, own: bool) -> bool {
    match !own && !before.secrets.is_empty() && link.secrets.is_empty() {
        true => false,
        false => before != link,
    }
}

async fn next(subscriptions: &mut Subscriptions) -> Option<Told> {
    let Subscriptions { links, own, config } = subscriptions;
    let own = async {
        match own {
            Some(own) => own.next().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        message = links.next() => message.map(|message| linked(message, false)),
        message = own => message.map(|message| linked(message, true)),
        message = config.next() => message.map(|message| Told::Config(message.payload)),
    }
}

fn linked(message: Message, own: bool) -> Told {
    match message.subject.ends_with(".put") {
        true => Told::Put {
            link: message.payload,
            own,
        },
        // Nothing else is below `linkdefs` in any version.
        false => Told::Delete(message.payload),
    }
}
