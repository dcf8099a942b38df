//! The built-in key-value provider: config becomes a backend, a link becomes a [`KeyValueEndpoint`].
//!
//! All links to one provider share its buckets, as with the v1 provider for Redis. A component opens any bucket by its
//! name; the names `""` and `"default"` stand for the bucket named by `bucket` in the link's target config, and for
//! the bucket `default` where the link names none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use wasmcloud_capability::{BoundLink, ConfigMap, Handle, Provider, ProviderError, RemoteProvider};
use wasmcloud_core::{ComponentId, LinkKey, nearest, parse_bytes};
use wasmcloud_engine::Target;
use wasmcloud_lattice::rpc::Caller;

use crate::backends::{DEFAULT_MAX_BYTES, MemoryStore, OpenError, RedbStore};
use crate::calls::KeyValueEndpoint;
use crate::remote::{Linked, Remote};
use crate::store::{BucketName, Store};
use crate::watch::{self, Changes, WATCH, Watched, Watching};

/// Where a provider keeps what it is given, and the config keys of each place (in any letter case).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// In memory, gone with the provider. `max_bytes`: how much it holds, for example `64MiB`.
    Memory,
    /// In a redb file. `path`: the file, relative to the host's data directory; the default is
    /// `keyvalue/<provider id>.redb` there.
    Redb,
}

impl Backend {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Memory => &["max_bytes"],
            Self::Redb => &["path"],
        }
    }
}

/// The interfaces of `wasi:keyvalue` that it answers.
const INTERFACES: &[&str] = &["store", "atomics", "batch"];

/// The interface of `wasi:keyvalue` that it calls.
const CALLED: &[&str] = &["watcher"];

/// A running key-value provider.
pub struct KeyValueProvider {
    running: Running,
    data_dir: PathBuf,
    id: ComponentId,
    linked: Arc<Linked>,
    watching: Watching,
}

enum Running {
    Memory(Arc<MemoryStore>),
    Redb { store: Arc<RedbStore>, path: PathBuf },
}

impl KeyValueProvider {
    /// Starts a provider. Returns when the store can be used.
    pub async fn start(
        kind: Backend,
        id: &ComponentId,
        config: &ConfigMap,
        data_dir: &Path,
    ) -> Result<Arc<Self>, ProviderError> {
        known_keys(config, kind.keys())?;
        let running = match kind {
            Backend::Memory => Running::Memory(Arc::new(MemoryStore::new(max_bytes(config)?))),
            Backend::Redb => {
                let path = file_path(config, id, data_dir)?;
                let (file, owner) = (path.clone(), format!("provider `{id}`"));
                let opened = tokio::task::spawn_blocking(move || RedbStore::open(&file, &owner));
                let store = opened.await.map_err(|error| ProviderError::Failed {
                    what: format!("open the key-value file `{}`", path.display()),
                    source: error.into(),
                })??;
                Running::Redb {
                    store: Arc::new(store),
                    path,
                }
            }
        };
        Ok(Arc::new(Self {
            running,
            data_dir: data_dir.to_owned(),
            id: id.clone(),
            linked: Arc::default(),
            watching: Watching::default(),
        }))
    }

    /// From now on components that do not run here are told of changes over the lattice.
    pub fn connect(&self, caller: Caller) {
        self.watching.connect(caller);
    }

    fn changes(&self) -> &Changes {
        match &self.running {
            Running::Memory(store) => store.changes(),
            Running::Redb { store, .. } => store.changes(),
        }
    }

    /// The store itself.
    pub fn store(&self) -> Arc<dyn Store> {
        match &self.running {
            Running::Memory(store) => Arc::clone(store) as Arc<dyn Store>,
            Running::Redb { store, .. } => Arc::clone(store) as Arc<dyn Store>,
        }
    }
}

#[async_trait]
impl Provider for KeyValueProvider {
    async fn link_as_target(&self, link: &BoundLink) -> Result<Handle, ProviderError> {
        let config = &link.target_config;
        let (source, name) = (link.link.source.clone(), link.link.name.clone());
        ProviderError::unless_for(&link.link, &self.id, ("wasi", "keyvalue"), INTERFACES)?;
        known_keys(config, watch::KEYS)?;
        let bucket = bucket(config)?;
        // As with v1's provider for Redis, who calls may also say of what it is to be told.
        match value(config, WATCH) {
            Some(written) => {
                let watched = Watched::parse(written, bucket.clone())?;
                self.watching.begin(self.changes(), &self.id, link, watched, None);
            }
            None => self.watching.end(self.changes(), &link.link.key()),
        }
        let endpoint = Arc::new(KeyValueEndpoint::new(self.store(), bucket));
        self.linked.put(source, name, Arc::clone(&endpoint));
        Ok(endpoint)
    }

    async fn link_as_source(&self, link: &BoundLink, target: Handle) -> Result<(), ProviderError> {
        let config = &link.source_config;
        ProviderError::unless_for(&link.link, &self.id, ("wasi", "keyvalue"), CALLED)?;
        let target = Handle::downcast::<Target>(target)
            .map_err(|_| ProviderError::Unsupported(format!("`{}` is not a component", link.link.target)))?;
        watch::check_component(&target)?;
        known_keys(config, watch::KEYS)?;
        let written = value(config, WATCH).ok_or_else(|| ProviderError::Config {
            key: WATCH.to_owned(),
            reason: "it is not there, so there is nothing to tell; for example `SET@cart,DEL@cart`, or `SET@*`, in the \
                     link's source config"
                .to_owned(),
        })?;
        let watched = Watched::parse(written, bucket(config)?)?;
        self.watching
            .begin(self.changes(), &self.id, link, watched, Some(target));
        Ok(())
    }

    async fn unlink(&self, key: &LinkKey) {
        if (key.namespace.as_str(), key.package.as_str()) == ("wasi", "keyvalue") {
            self.linked.remove(&key.source, &key.name);
            self.watching.end(self.changes(), key);
        }
    }

    async fn update_config(&self, config: &ConfigMap) -> Result<(), ProviderError> {
        match &self.running {
            Running::Memory(store) => {
                known_keys(config, Backend::Memory.keys())?;
                store.set_max_bytes(max_bytes(config)?);
                Ok(())
            }
            Running::Redb { path, .. } => {
                known_keys(config, Backend::Redb.keys())?;
                let new = file_path(config, &self.id, &self.data_dir)?;
                if new == *path {
                    return Ok(());
                }
                Err(ProviderError::Config {
                    key: "path".to_owned(),
                    reason: format!(
                        "the file cannot change while the provider runs; stop it, move `{}`, and start it again",
                        path.display()
                    ),
                })
            }
        }
    }

    async fn stop(&self) {
        // Those who are being told may use the store.
        self.watching.stop(self.changes()).await;
        self.store().close().await;
    }

    fn remote(self: Arc<Self>) -> Option<Arc<dyn RemoteProvider>> {
        Some(Arc::new(Remote {
            id: self.id.clone(),
            linked: Arc::clone(&self.linked),
        }))
    }
}

impl From<OpenError> for ProviderError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse { .. } => Self::Conflict {
                what: error.to_string(),
                owner: None,
            },
            other => Self::Failed {
                what: other.to_string(),
                source: match other {
                    OpenError::Damaged { source, .. } => source,
                    OpenError::Io { source, .. } => source.into(),
                    OpenError::InUse { .. } => "in use".into(),
                },
            },
        }
    }
}

/// The value of a key, whatever the letter case in which it was written.
fn value<'a>(config: &'a ConfigMap, key: &str) -> Option<&'a str> {
    config
        .iter()
        .find(|(written, _)| written.eq_ignore_ascii_case(key))
        .map(|(_, value)| value.as_str())
}

fn known_keys(config: &ConfigMap, known: &[&str]) -> Result<(), ProviderError> {
    let is_known = |written: &str| known.iter().any(|key| written.eq_ignore_ascii_case(key));
    let mut seen: Vec<String> = Vec::new();
    for written in config.keys() {
        if !is_known(written) {
            return Err(ProviderError::UnknownKey {
                key: written.clone(),
                nearest: nearest(written, known.iter().copied()).map(str::to_owned),
            });
        }
        let lower = written.to_ascii_lowercase();
        if seen.contains(&lower) {
            return Err(ProviderError::Config {
                key: written.clone(),
                reason: "it is there twice, in different letter case; keep one".to_owned(),
            });
        }
        seen.push(lower);
    }
    Ok(())
}

/// The bucket that a link names.
fn bucket(config: &ConfigMap) -> Result<BucketName, ProviderError> {
    let bucket = value(config, "bucket").unwrap_or("default");
    BucketName::new(bucket).map_err(|error| ProviderError::Config {
        key: "bucket".to_owned(),
        reason: error.to_string(),
    })
}

fn max_bytes(config: &ConfigMap) -> Result<u64, ProviderError> {
    let Some(written) = value(config, "max_bytes") else {
        return Ok(DEFAULT_MAX_BYTES);
    };
    parse_bytes(written).map_err(|error| ProviderError::Config {
        key: "max_bytes".to_owned(),
        reason: error.to_string(),
    })
}

fn file_path(config: &ConfigMap, id: &ComponentId, data_dir: &Path) -> Result<PathBuf, ProviderError> {
    match value(config, "path") {
        Some("") => Err(ProviderError::Config {
            key: "path".to_owned(),
            reason: "it is empty; name a file or leave the key out".to_owned(),
        }),
        Some(path) => Ok(data_dir.join(path)),
        None => Ok(data_dir.join("keyvalue").join(format!("{id}.redb"))),
    }
}
