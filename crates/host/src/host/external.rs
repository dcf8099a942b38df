//! External providers on a host: from an archive to a process that is a provider like any other.

use std::path::PathBuf;
use std::sync::Arc;

use wasmcloud_artifacts::par::{ProviderArchive, Target};
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

    /// What an external provider needs to be started.
    pub(super) fn external(&self, spec: &ProviderSpec) -> Result<Arc<external::Context>, HostError> {
        let context = self.0.external.lock().clone();
        context.ok_or_else(|| HostError::NoLattice {
            provider: spec.id.clone(),
        })
    }

    /// Starts a provider from its archive, and waits until it answers. The start of the process takes its time, so links
    /// and other providers are not held up by it; whoever puts a link meanwhile finds the provider in the table.
    pub(super) async fn start_external(
        &self,
        spec: ProviderSpec,
        archive: ProviderArchive,
    ) -> Result<Vec<(Link, HostError)>, HostError> {
        let context = self.external(&spec)?;
        let program = self.unless_stopping(self.program(&spec, &archive)).await?;
        let claims = Some(Arc::new(archive.claims().clone()));
        // It has as many bytes as the program, which is a file now.
        drop(archive);
        let (provider, refused) = {
            let _wiring = self.0.wiring.lock().await;
            self.refuse_if_stopping()?;
            let config = self.admit_provider(&spec)?;
            let drain = self.0.options.drain;
            let provider = ExternalProvider::new(context, spec.id.clone(), program, config, drain);
            let provider = Arc::new(provider);
            let refused = self
                .enter_provider(spec.clone(), claims, Arc::clone(&provider) as _)
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
    async fn program(&self, spec: &ProviderSpec, archive: &ProviderArchive) -> Result<PathBuf, HostError> {
        let program = archive
            .binary(&Target::here())
            .map_err(|source| HostError::Archive {
                provider: spec.id.clone(),
                source,
            })?;
        let program = program.clone();
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
