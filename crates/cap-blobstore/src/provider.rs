//! The built-in blobstore provider: config becomes folders, a link becomes a [`BlobstoreEndpoint`].
//!
//! Each link has a folder of its own, in which its containers are. Where the provider's config names one, that is the
//! folder of all links that name none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use wasmcloud_capability::{BoundLink, ConfigMap, Handle, Provider, ProviderError, RemoteProvider};
use wasmcloud_core::{ComponentId, LinkKey, nearest};

use crate::backends::FsStore;
use crate::calls::BlobstoreEndpoint;
use crate::remote::{Linked, Remote};
use crate::store::Store;

/// The key of a link's target config and of the provider's config, in any letter case: the folder of the containers,
/// relative to the host's data directory. The default is `blobstore/<provider id>/<component id>` there. (v1 took a
/// folder for temporary files, which others may write to.)
const ROOT: &str = "root";

/// The interfaces of `wasi:blobstore` that it answers.
const INTERFACES: &[&str] = &["blobstore", "container", "types"];

/// A running blobstore provider that has its objects in files.
pub struct BlobstoreProvider {
    id: ComponentId,
    data_dir: PathBuf,
    /// What its config says.
    root: Mutex<Option<PathBuf>>,
    linked: Arc<Linked>,
}

impl BlobstoreProvider {
    /// Starts a provider. Folders are made when there are links.
    pub fn start(id: &ComponentId, config: &ConfigMap, data_dir: &Path) -> Result<Arc<Self>, ProviderError> {
        let root = root(config, data_dir)?;
        Ok(Arc::new(Self {
            id: id.clone(),
            data_dir: data_dir.to_owned(),
            root: Mutex::new(root),
            linked: Arc::default(),
        }))
    }

    /// The folder of a component's containers.
    fn folder(&self, config: &ConfigMap, component: &ComponentId) -> Result<PathBuf, ProviderError> {
        if let Some(root) = root(config, &self.data_dir)? {
            return Ok(root);
        }
        let own = || {
            let provider = self.data_dir.join("blobstore").join(self.id.as_str());
            provider.join(component.as_str())
        };
        Ok(self.root.lock().clone().unwrap_or_else(own))
    }
}

#[async_trait]
impl Provider for BlobstoreProvider {
    async fn link_as_target(&self, link: &BoundLink) -> Result<Handle, ProviderError> {
        let config = &link.target_config;
        let link = &link.link;
        ProviderError::unless_for(link, &self.id, ("wasi", "blobstore"), INTERFACES)?;
        let folder = self.folder(config, &link.source)?;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| ProviderError::Failed {
            what: format!("open the blobstore folder `{}`", folder.display()),
            source,
        };
        let path = folder.clone();
        let opened = tokio::task::spawn_blocking(move || FsStore::open(&path)).await;
        let store = opened
            .map_err(|error| failed(error.into()))?
            .map_err(|error| failed(error.into()))?;
        let store: Arc<dyn Store> = Arc::new(store);
        self.linked
            .put(link.source.clone(), link.name.clone(), Arc::clone(&store));
        Ok(Arc::new(BlobstoreEndpoint::new(store)))
    }

    async fn unlink(&self, key: &LinkKey) {
        if (key.namespace.as_str(), key.package.as_str()) == ("wasi", "blobstore") {
            self.linked.remove(&key.source, &key.name);
        }
    }

    async fn update_config(&self, config: &ConfigMap) -> Result<(), ProviderError> {
        let new = root(config, &self.data_dir)?;
        if *self.root.lock() == new {
            return Ok(());
        }
        Err(ProviderError::Config {
            key: ROOT.to_owned(),
            reason: "the folder cannot change while the provider runs; stop it, move the folder, and start it again"
                .to_owned(),
        })
    }

    async fn stop(&self) {
        self.linked.clear();
    }

    fn remote(self: Arc<Self>) -> Option<Arc<dyn RemoteProvider>> {
        Some(Arc::new(Remote {
            id: self.id.clone(),
            linked: Arc::clone(&self.linked),
        }))
    }
}

/// The folder that a config names.
fn root(config: &ConfigMap, data_dir: &Path) -> Result<Option<PathBuf>, ProviderError> {
    let mut root = None;
    for (written, value) in config {
        if !written.eq_ignore_ascii_case(ROOT) {
            return Err(ProviderError::UnknownKey {
                key: written.clone(),
                nearest: nearest(written, [ROOT]).map(str::to_owned),
            });
        }
        let wrong = |reason: &str| ProviderError::Config {
            key: written.clone(),
            reason: reason.to_owned(),
        };
        if root.is_some() {
            return Err(wrong("it is there twice, in different letter case; keep one"));
        }
        if value.is_empty() {
            return Err(wrong("it is empty; name a folder or leave the key out"));
        }
        root = Some(data_dir.join(value));
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[tokio::test]
    async fn the_folder_is_that_of_the_link_then_the_provider_then_its_own() {
        let (id, component) = ("blobs".parse().unwrap(), "cart".parse().unwrap());
        let start = |entries| BlobstoreProvider::start(&id, &config(entries), Path::new("/data"));
        let plain = start(&[]).unwrap();
        let check = |provider: &BlobstoreProvider, link: &[(&str, &str)], expected: &str| {
            let folder = provider.folder(&config(link), &component).unwrap();
            assert_eq!(folder, Path::new(expected));
        };
        check(&plain, &[], "/data/blobstore/blobs/cart");
        check(&plain, &[("Root", "files")], "/data/files");
        check(&plain, &[("root", "/srv")], "/srv");
        let shared = start(&[("ROOT", "/srv")]).unwrap();
        check(&shared, &[], "/srv");
        check(&shared, &[("root", "mine")], "/data/mine");
        shared.update_config(&config(&[("root", "/srv")])).await.unwrap();
        let moved = shared.update_config(&config(&[])).await.unwrap_err().to_string();
        assert!(moved.contains("cannot change while the provider runs"), "{moved}");
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let check = |entries: &[(&str, &str)], expected: &str| {
            let error = root(&config(entries), Path::new("/data"))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check(&[("rot", "x")], "unknown config key `rot`; did you mean `root`?");
        check(&[("root", "")], "config key `root`: it is empty");
        check(
            &[("ROOT", "a"), ("root", "b")],
            "config key `root`: it is there twice",
        );
    }
}
