//! External providers on a host: from an image to a process that is a provider like any other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use wasmcloud_artifacts::par::{ParError, ParLimits, Target};
use wasmcloud_artifacts::{Kind, Origin, SizeLimits};
use wasmcloud_capability::Provider;
use wasmcloud_core::{ComponentId, Link};

use super::Host;
use crate::error::HostError;
use crate::external::{self, ExternalProvider};
use crate::providers::ProviderSpec;

/// Where programs of providers are kept, below the host's folder for data.
const PROGRAMS: &str = "providers";

impl Host {
    /// From now on external providers may be started: there is a lattice on which they are reached.
    pub(crate) fn set_external(&self, context: external::Context) {
        *self.0.external.lock() = Some(Arc::new(context));
    }

    /// Starts a provider whose image is not a built-in one, and waits until it answers. The pull and the start of the
    /// process take their time, so links and other providers are not held up by them; whoever puts a link meanwhile
    /// finds the provider in the table.
    pub(super) async fn start_external(
        &self,
        spec: ProviderSpec,
    ) -> Result<Vec<(Link, HostError)>, HostError> {
        let context = self.0.external.lock().clone();
        let context = context.ok_or_else(|| HostError::NoLattice {
            provider: spec.id.clone(),
        })?;
        // Who cannot start anyway should not wait for a pull to hear of it.
        self.admit_provider(&spec)?;
        let program = self.unless_stopping(self.program(&spec)).await?;
        let (provider, refused) = {
            let _wiring = self.0.wiring.lock().await;
            self.refuse_if_stopping()?;
            let config = self.admit_provider(&spec)?;
            let drain = self.0.options.drain;
            let provider = ExternalProvider::new(context, spec.id.clone(), program, config, drain);
            let provider = Arc::new(provider);
            let refused = self
                .enter_provider(spec.clone(), Arc::clone(&provider) as _)
                .await;
            (provider, refused)
        };
        let Err(source) = provider.run().await else {
            return Ok(refused);
        };
        {
            let _wiring = self.0.wiring.lock().await;
            // It may have been stopped meanwhile, and another one started in its place.
            if self.is_entered(&spec.id, &provider) {
                self.take_provider(&spec.id);
            }
        }
        provider.stop().await;
        Err(HostError::Provider {
            provider: spec.id,
            source,
        })
    }

    fn is_entered(&self, id: &ComponentId, provider: &Arc<ExternalProvider>) -> bool {
        let tables = self.0.tables.lock();
        tables
            .providers
            .get(id)
            .is_some_and(|running| std::ptr::addr_eq(Arc::as_ptr(&running.provider), Arc::as_ptr(provider)))
    }

    /// The program for this machine, as a file.
    async fn program(&self, spec: &ProviderSpec) -> Result<PathBuf, HostError> {
        let fetched = self
            .0
            .artifacts
            .fetch(&spec.image, Kind::Provider, SizeLimits::default(), None)
            .await;
        let artifact = fetched.map_err(|source| HostError::FetchProvider {
            provider: spec.id.clone(),
            source,
        })?;
        if let Origin::Registry(pulled) = &artifact.origin {
            tracing::info!(provider = %spec.id, image = %pulled.resolved(), "pulled");
        }
        let here = Target::here();
        let unusable = |source| HostError::Archive {
            provider: spec.id.clone(),
            source,
        };
        let archive = artifact
            .provider_archive(ParLimits::default(), here.clone())
            .await;
        let archive = archive.map_err(unusable)?;
        archive
            .claims()
            .check_time(SystemTime::now())
            .map_err(|source| unusable(ParError::Claims(source)))?;
        let program = archive.binary(&here).map_err(unusable)?.clone();
        let dir = self.0.options.data_dir.join(PROGRAMS);
        let kept = tokio::task::spawn_blocking({
            let dir = dir.clone();
            move || external::store(&dir, &program)
        });
        let kept = kept
            .await
            .unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
        kept.map_err(|source| HostError::KeepProgram {
            provider: spec.id.clone(),
            dir,
            source,
        })
    }
}
