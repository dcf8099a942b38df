//! The steps of a pull: what the reference means, the manifest, the layer. What the cache has is not asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::artifact::{Freshness, Pulled};
use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::chain;
use crate::manifest::{self, Descriptor, Document, MAX_MANIFEST_BYTES, Manifest};
use crate::options::{Kind, RetryOptions, SizeLimits};
use crate::progress::Stage;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::registry_error::RegistryError;
use crate::select;
use crate::transport::Call;

/// One pull.
pub(crate) struct Pull<'a> {
    pub(crate) registry: Registry<'a>,
    pub(crate) reference: &'a Reference,
    pub(crate) kind: Kind,
    pub(crate) limits: SizeLimits,
    pub(crate) cache: Option<&'a Arc<Cache>>,
    pub(crate) patience_with_cached_copy: Duration,
    pub(crate) slots: &'a Arc<Semaphore>,
    /// Held once something is downloaded. What the cache has never waits for a slow registry.
    pub(crate) slot: Option<OwnedSemaphorePermit>,
    /// What came with the answer to what the tag means.
    pub(crate) fetched: Option<(Digest, Bytes)>,
}

impl Pull<'_> {
    pub(crate) async fn run(mut self) -> Result<Pulled, RegistryError> {
        self.registry.call.reporter.stage(Stage::Resolving);
        let (digest, freshness) = match self.reference.digest() {
            // Content does not change, so neither does what a digest means.
            Some(digest) => (*digest, Freshness::Exact),
            None => self.resolve().await?,
        };
        let (manifest_digest, manifest) = self.manifest(digest).await?;
        let layer = select::layer(&manifest, self.kind).map_err(|source| RegistryError::Select {
            repository: self.repository(),
            digest: manifest_digest,
            source: Box::new(source),
        })?;
        let bytes = self.layer(layer).await?;
        self.registry
            .call
            .reporter
            .set(Stage::Done, layer.size, layer.size);
        Ok(Pulled {
            reference: self.reference.clone(),
            digest,
            media_type: layer.media_type.clone(),
            layer: layer.digest,
            annotations: manifest.annotations,
            freshness,
            bytes,
        })
    }

    fn repository(&self) -> String {
        format!("{}/{}", self.reference.registry(), self.reference.repository())
    }

    fn tag_key(&self) -> String {
        format!("{}:{}", self.repository(), self.reference.tag_or_latest())
    }

    /// What the tag means now; if the registry does not answer, what it meant when it last did.
    async fn resolve(&mut self) -> Result<(Digest, Freshness), RegistryError> {
        let key = self.tag_key();
        let Some(cache) = self.cache else {
            return self.resolve_fresh().await;
        };
        let known = blocking(cache, {
            let key = key.clone();
            move |cache| cache.tag(&key).filter(|known| cache.has(&known.digest))
        });
        let Some(known) = known.await else {
            let (digest, freshness) = self.resolve_fresh().await?;
            self.remember(key, digest).await;
            return Ok((digest, freshness));
        };
        match self.recheck().await {
            Ok(digest) => {
                self.remember(key, digest).await;
                Ok((digest, Freshness::Checked))
            }
            Err(error) if error.is_no_answer() => {
                let age = SystemTime::now()
                    .duration_since(known.checked)
                    .unwrap_or_default();
                tracing::warn!(
                    reference = %self.reference,
                    error = chain(&error),
                    digest = %known.digest,
                    last_checked_s = age.as_secs(),
                    "the registry does not answer, using the copy in the cache"
                );
                Ok((
                    known.digest,
                    Freshness::Stale {
                        checked: known.checked,
                    },
                ))
            }
            // It did answer: gone is gone, and forbidden is forbidden.
            Err(error) => Err(error),
        }
    }

    /// Asks what a tag means of which there is a copy. Short of patience, because the copy will do.
    async fn recheck(&mut self) -> Result<Digest, RegistryError> {
        let tag = self.reference.tag_or_latest();
        let deadline = self.registry.call.deadline;
        let short = Instant::now() + self.patience_with_cached_copy;
        let hurried = Registry {
            transport: Arc::clone(&self.registry.transport),
            auth: self.registry.auth,
            // One repetition is for the connection that was closed while it was idle; the rest would only delay.
            retry: RetryOptions {
                attempts: self.registry.retry.attempts.min(2),
                ..self.registry.retry
            },
            scope: self.registry.scope.clone(),
            base: self.registry.base.clone(),
            call: Call {
                deadline: deadline.min(short),
                ..self.registry.call.clone()
            },
        };
        match hurried.head(tag).await? {
            Some(digest) => Ok(digest),
            None => {
                let (digest, bytes) = hurried.manifest(tag, None).await?;
                self.keep(digest, bytes.clone()).await;
                self.fetched = Some((digest, bytes));
                Ok(digest)
            }
        }
    }

    async fn resolve_fresh(&mut self) -> Result<(Digest, Freshness), RegistryError> {
        self.take_slot().await?;
        let tag = self.reference.tag_or_latest();
        let (digest, bytes) = self.registry.manifest(tag, None).await?;
        self.keep(digest, bytes.clone()).await;
        self.fetched = Some((digest, bytes));
        Ok((digest, Freshness::Checked))
    }

    /// The manifest with this digest, or the one for this machine if it is an index.
    async fn manifest(&mut self, digest: Digest) -> Result<(Digest, Manifest), RegistryError> {
        let entries = match self.document(digest).await? {
            Document::Manifest(manifest) => return Ok((digest, manifest)),
            Document::Index(entries) => entries,
        };
        let repository = self.repository();
        let failed = |digest, source| RegistryError::Select {
            repository: repository.clone(),
            digest,
            source: Box::new(source),
        };
        let chosen = select::manifest(&entries, self.kind).map_err(|source| failed(digest, source))?;
        match self.document(chosen.digest).await? {
            Document::Manifest(manifest) => Ok((chosen.digest, manifest)),
            Document::Index(_) => Err(failed(chosen.digest, select::SelectError::Nested)),
        }
    }

    async fn document(&mut self, digest: Digest) -> Result<Document, RegistryError> {
        let fetched = self.fetched.take().filter(|(name, _)| *name == digest);
        let bytes = match fetched {
            Some((_, bytes)) => Some(bytes),
            None => self.cached(digest, MAX_MANIFEST_BYTES).await,
        };
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => {
                self.take_slot().await?;
                let (_, bytes) = self.registry.manifest(&digest.to_string(), Some(digest)).await?;
                self.keep(digest, bytes.clone()).await;
                bytes
            }
        };
        manifest::parse(&bytes).map_err(|source| RegistryError::Manifest {
            repository: self.repository(),
            digest,
            source,
        })
    }

    async fn layer(&mut self, layer: &Descriptor) -> Result<Bytes, RegistryError> {
        let provider = select::is_provider(&layer.media_type, self.kind);
        let (limit, hint) = if provider {
            (self.limits.provider, "")
        } else {
            (
                self.limits.component,
                "; hint: raise it with --max-component-size-bytes",
            )
        };
        // Before anything is received; what is received is then held to the size the manifest says.
        if layer.size > limit {
            return Err(RegistryError::TooLarge {
                what: format!("layer {} of {}", layer.digest, self.repository()),
                size: layer.size,
                limit,
                hint,
            });
        }
        if let Some(bytes) = self.cached(layer.digest, limit).await {
            return Ok(bytes);
        }
        self.take_slot().await?;
        let bytes = self.registry.blob(layer).await?;
        self.keep(layer.digest, bytes.clone()).await;
        Ok(bytes)
    }

    async fn take_slot(&mut self) -> Result<(), RegistryError> {
        if self.slot.is_none() {
            self.slot = Some(slot(self.slots, &self.registry.call).await?);
        }
        Ok(())
    }

    async fn cached(&self, digest: Digest, limit: u64) -> Option<Bytes> {
        blocking(self.cache?, move |cache| cache.load(&digest, limit)).await
    }

    async fn keep(&self, digest: Digest, bytes: Bytes) {
        if let Some(cache) = self.cache {
            let store = move |cache: &Cache| {
                cache.store(&digest, &bytes);
                Some(())
            };
            blocking(cache, store).await;
        }
    }

    async fn remember(&self, key: String, digest: Digest) {
        if let Some(cache) = self.cache {
            let put = move |cache: &Cache| {
                cache.put_tag(&key, &digest);
                Some(())
            };
            blocking(cache, put).await;
        }
    }
}

/// A place among those who transfer at the same time.
pub(crate) async fn slot(slots: &Arc<Semaphore>, call: &Call) -> Result<OwnedSemaphorePermit, RegistryError> {
    let waiting = timeout_at(call.deadline, Arc::clone(slots).acquire_owned());
    match waiting.await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(RegistryError::Aborted),
        Err(_) => Err(RegistryError::Deadline {
            what: "waiting for other pulls and pushes".to_owned(),
        }),
    }
}

/// Disks may be slow, and hashing takes time: neither belongs on the threads that serve requests.
async fn blocking<T: Send + 'static>(
    cache: &Arc<Cache>,
    work: impl FnOnce(&Cache) -> Option<T> + Send + 'static,
) -> Option<T> {
    let cache = Arc::clone(cache);
    tokio::task::spawn_blocking(move || work(&cache)).await.ok()?
}

/// Annotations in the order of their names.
pub(crate) type Annotations = BTreeMap<String, String>;
