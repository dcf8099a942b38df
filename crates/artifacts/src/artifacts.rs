//! The handle that others hold: fetch, push, credentials.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use http::Uri;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use wasmcloud_core::ImageRef;

use crate::artifact::{Artifact, Origin, Pulled};
use crate::auth::{Auth, Scope};
use crate::cache::Cache;
use crate::credentials::Credentials;
use crate::dial;
use crate::docker::Docker;
use crate::error::{FetchError, OptionsError, PushError};
use crate::file;
use crate::flight::Flights;
use crate::options::{ArtifactOptions, Kind, Protocol, SizeLimits};
use crate::progress::{Progress, Reporter, Stage};
use crate::pull::{Pull, slot};
use crate::push::{self, Package, PushOptions, Pushed};
use crate::reference::{Reference, is_loopback, registry_key};
use crate::registry::Registry;
use crate::registry_error::RegistryError;
use crate::transport::{Call, Transport};
use crate::trust::Roots;

/// Gets artifacts and puts them into registries. Cheap to clone; all clones share cache, connections, logins and
/// downloads under way. Must be used within a Tokio runtime.
#[derive(Clone)]
pub struct Artifacts(Arc<Inner>);

/// Which pulls are one: the same reference, kind and limits, since the last change of credentials.
type FlightKey = (Reference, Kind, SizeLimits, u64);

struct Inner {
    options: ArtifactOptions,
    auth: Auth,
    /// How often credentials were replaced. A pull that began before does not answer for one that began after.
    epoch: std::sync::atomic::AtomicU64,
    transport: Arc<Transport>,
    /// For registries with certificate authorities of their own.
    own_transports: HashMap<String, Arc<Transport>>,
    protocols: HashMap<String, Protocol>,
    cache: Option<Arc<Cache>>,
    flights: Flights<FlightKey, Arc<Pulled>>,
    slots: Arc<Semaphore>,
    pushes: Arc<Semaphore>,
}

impl Artifacts {
    /// Reads certificate authorities and opens the cache. Nothing is asked of any registry yet.
    pub fn new(options: ArtifactOptions) -> Result<Self, OptionsError> {
        let proxies = Arc::new(dial::matcher(&options.proxies));
        let connect = options.timeouts.connect;
        let transport = |files: &[&Vec<_>]| {
            let roots = Roots::read(files.iter().copied().flatten())?;
            Ok(Arc::new(Transport::new(roots, Arc::clone(&proxies), connect)))
        };
        let mut own_transports = HashMap::new();
        let mut protocols = HashMap::new();
        for (name, registry) in &options.registries {
            let key = registry_key(name);
            let mut protocol = registry.protocol;
            if !registry.ca_files.is_empty() {
                own_transports.insert(key.clone(), transport(&[&options.ca_files, &registry.ca_files])?);
                if protocol == Protocol::Auto {
                    protocol = Protocol::Https;
                }
            }
            protocols.insert(key, protocol);
        }
        let docker = options.docker_config.clone().map(|config| Docker {
            config,
            helpers: options.docker_helpers.clone(),
            timeout: options.helper_timeout,
        });
        Ok(Self(Arc::new(Inner {
            auth: Auth::new(&options.credentials, docker),
            epoch: Default::default(),
            transport: transport(&[&options.ca_files])?,
            own_transports,
            protocols,
            cache: options.cache.as_ref().and_then(Cache::open).map(Arc::new),
            flights: Flights::new(options.concurrent.saturating_add(options.queued)),
            slots: Arc::new(Semaphore::new(
                options.concurrent.clamp(1, Semaphore::MAX_PERMITS),
            )),
            pushes: Arc::new(Semaphore::new(options.queued.clamp(1, Semaphore::MAX_PERMITS))),
            options,
        })))
    }

    /// Gets what an image reference names, verified, within `limits`. `progress` is told how far it is; those who want
    /// the same at the same time share one download, which ends when the last of them is dropped. Takes at most
    /// [`Timeouts::total`](crate::Timeouts::total). Relative file paths are relative to the process.
    pub async fn fetch(
        &self,
        image: &ImageRef,
        kind: Kind,
        limits: SizeLimits,
        progress: Option<&watch::Sender<Progress>>,
    ) -> Result<Artifact, FetchError> {
        match image {
            ImageRef::File(path) if !self.0.options.allow_file_load => {
                Err(FetchError::FileRefused { path: path.clone() })
            }
            ImageRef::File(path) => {
                let limit = match kind {
                    Kind::Component => limits.component,
                    Kind::Provider => limits.provider,
                    Kind::Either => limits.component.max(limits.provider),
                };
                file::read(path, kind, limit).await
            }
            ImageRef::Builtin(name) => Err(FetchError::Builtin { name: name.clone() }),
            ImageRef::Oci(written) => self.pull(written, kind, limits, progress).await,
        }
    }

    async fn pull(
        &self,
        written: &str,
        kind: Kind,
        limits: SizeLimits,
        progress: Option<&watch::Sender<Progress>>,
    ) -> Result<Artifact, FetchError> {
        let reference: Reference = written.parse()?;
        if reference.is_latest() && !self.0.options.allow_latest {
            return Err(FetchError::Latest {
                reference: written.to_owned(),
            });
        }
        if !self.0.allows(&reference) {
            return Err(FetchError::NotAllowed {
                reference: written.to_owned(),
                allowed: self.0.allowed(),
            });
        }
        let epoch = self.0.epoch.load(std::sync::atomic::Ordering::Acquire);
        let key = (reference.clone(), kind, limits, epoch);
        let inner = Arc::clone(&self.0);
        let start =
            move |reporter| async move { inner.run(&reference, kind, limits, reporter).await.map(Arc::new) };
        match self.0.flights.join(key, progress, start).await {
            Ok(pulled) => Ok(Artifact {
                name: written.to_owned(),
                bytes: pulled.bytes.clone(),
                origin: Origin::Registry(pulled),
            }),
            Err(source) => Err(FetchError::Pull {
                reference: written.to_owned(),
                source,
            }),
        }
    }

    /// Replaces the credentials of the registries named, for requests from now on, and keeps those of others; this is
    /// what `registry.put` of the control interface means (wire reference §2.6).
    pub fn set_credentials(&self, credentials: &BTreeMap<String, Credentials>) {
        self.0.auth.put(credentials);
        self.0.epoch.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
    }

    /// Pushes a component or provider archive to a tag. With [`Kind::Either`] the content decides which it is. What the
    /// registry has already is not sent again.
    pub async fn push(
        &self,
        image: &ImageRef,
        kind: Kind,
        content: Bytes,
        options: &PushOptions,
        progress: Option<&watch::Sender<Progress>>,
    ) -> Result<Pushed, PushError> {
        let ImageRef::Oci(written) = image else {
            return Err(PushError::NotARegistry(image.to_string()));
        };
        let reference: Reference = written.parse()?;
        if reference.digest().is_some() {
            return Err(PushError::ToDigest(written.clone()));
        }
        if reference.is_latest() && !self.0.options.allow_latest {
            return Err(PushError::Latest(written.clone()));
        }
        if !self.0.allows(&reference) {
            return Err(PushError::NotAllowed {
                reference: written.clone(),
                allowed: self.0.allowed(),
            });
        }
        let failed = |source| PushError::Push {
            reference: written.clone(),
            source: Box::new(source),
        };
        let options = options.clone();
        // Parsing and hashing take time that belongs to requests.
        let packed = tokio::task::spawn_blocking(move || Package::new(kind, content, &options)).await;
        let package = packed.map_err(|_| failed(RegistryError::Aborted))??;
        let full = || failed(RegistryError::Full(self.0.options.queued));
        let _queued = self.0.pushes.try_acquire().map_err(|_| full())?;
        let reporter = Reporter::new(progress.cloned().unwrap_or_default());
        let call = self.0.call(reporter);
        let _slot = slot(&self.0.slots, &call).await.map_err(failed)?;
        call.reporter.stage(Stage::Uploading);
        let registry = self.0.registry(&reference, true, call);
        push::push(&registry, &reference, &package).await.map_err(failed)
    }
}

impl Inner {
    async fn run(
        &self,
        reference: &Reference,
        kind: Kind,
        limits: SizeLimits,
        reporter: Reporter,
    ) -> Result<Pulled, RegistryError> {
        let pull = Pull {
            registry: self.registry(reference, false, self.call(reporter)),
            reference,
            kind,
            limits,
            cache: self.cache.as_ref(),
            patience_with_cached_copy: self.options.timeouts.with_cached_copy,
            slots: &self.slots,
            slot: None,
            fetched: None,
        };
        pull.run().await
    }

    fn call(&self, reporter: Reporter) -> Call {
        let timeouts = &self.options.timeouts;
        Call {
            deadline: Instant::now() + timeouts.total,
            idle: timeouts.idle,
            reporter,
        }
    }

    fn registry(&self, reference: &Reference, push: bool, call: Call) -> Registry<'_> {
        let name = reference.registry();
        let plain = match self.protocols.get(name).copied().unwrap_or_default() {
            Protocol::Http => true,
            Protocol::Https => false,
            Protocol::Auto => is_loopback(name),
        };
        let scheme = if plain { "http" } else { "https" };
        let base = Uri::builder()
            .scheme(scheme)
            .authority(reference.host())
            .path_and_query("/")
            .build();
        Registry {
            transport: Arc::clone(self.own_transports.get(name).unwrap_or(&self.transport)),
            auth: &self.auth,
            retry: self.options.retry,
            call,
            scope: Scope {
                registry: name.to_owned(),
                repository: reference.repository().to_owned(),
                push,
            },
            // The host was checked when the reference was parsed.
            base: base.unwrap_or_default(),
        }
    }

    fn allows(&self, reference: &Reference) -> bool {
        let Some(allowed) = &self.options.allowed_registries else {
            return true;
        };
        let name = format!("{}/{}/", reference.registry(), reference.repository());
        allowed.iter().any(|entry| {
            let entry = entry.split_once("://").map_or(entry.as_str(), |(_, rest)| rest);
            let entry = entry.trim_end_matches('/').to_ascii_lowercase();
            let (host, rest) = entry.split_once('/').unwrap_or((&entry, ""));
            let prefix = [registry_key(host).as_str(), rest].join("/");
            // Up to a `/`, so that `acme` does not allow `acme-evil`.
            name.strip_prefix(prefix.trim_end_matches('/'))
                .is_some_and(|rest| rest.starts_with('/'))
        })
    }

    fn allowed(&self) -> String {
        match self.options.allowed_registries.as_deref() {
            None | Some([]) => "none".to_owned(),
            Some(names) => names.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(options: ArtifactOptions, image: &str) -> String {
        let artifacts = Artifacts::new(options).unwrap();
        let image = image.parse().unwrap();
        let result = artifacts
            .fetch(&image, Kind::Component, SizeLimits::default(), None)
            .await;
        result.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_is_not_allowed_names_the_flag() {
        let check = async |image: &str, reason: &str| {
            let error = refused(ArtifactOptions::default(), image).await;
            assert!(error.contains(reason), "{image}: {error}");
        };
        check("file:///etc/passwd", "--allow-file-load").await;
        check("ghcr.io/acme/cart", "--allow-latest").await;
        check("oci://ghcr.io/acme/cart:latest", "--allow-latest").await;
        check("ghcr.io/acme/cart:", "not a tag").await;
        check("wasmcloud+builtin://http-server", "inside the host").await;
    }

    #[test]
    fn the_list_of_registries() {
        let allows = |list: &[&str], reference: &str| {
            let artifacts = Artifacts::new(ArtifactOptions {
                allowed_registries: Some(list.iter().map(|&name| name.to_owned()).collect()),
                ..ArtifactOptions::default()
            });
            artifacts.unwrap().0.allows(&reference.parse().unwrap())
        };
        for (entry, reference, expected) in [
            ("ghcr.io", "ghcr.io/acme/cart:1", true),
            ("https://GHCR.io/", "ghcr.io/acme/cart:1", true),
            ("ghcr.io/acme", "ghcr.io/acme/cart:1", true),
            ("ghcr.io/acme/", "ghcr.io/acme/cart:1", true),
            ("ghcr.io/acme/cart", "ghcr.io/acme/cart:1", true),
            ("ghcr.io/acme", "ghcr.io/acme-evil/cart:1", false),
            ("ghcr.io", "ghcr.io.evil.io/acme/cart:1", false),
            ("index.docker.io", "redis:7", true),
            ("localhost:5000", "localhost:5001/a:1", false),
        ] {
            assert_eq!(allows(&[entry], reference), expected, "{entry} {reference}");
        }
        assert!(!allows(&[], "ghcr.io/acme/cart:1"));
    }

    #[test]
    fn a_missing_authority_is_an_error_at_once() {
        let options = ArtifactOptions {
            ca_files: vec!["/nowhere/ca.pem".into()],
            ..ArtifactOptions::default()
        };
        let error = Artifacts::new(options).err().unwrap();
        assert!(error.to_string().contains("/nowhere/ca.pem"));
    }
}
