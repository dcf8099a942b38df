//! Images on the way to running: fetched, with the claims in them checked, and compiled. Between the two somebody may be
//! asked whether what was fetched may start.

use std::sync::Arc;
use std::time::SystemTime;

use wasmcloud_artifacts::claims::ClaimsError;
use wasmcloud_artifacts::par::{ParError, ParLimits, ProviderArchive, Target};
use wasmcloud_artifacts::{Artifact, Kind, Origin, SizeLimits};
use wasmcloud_core::{ComponentId, ImageRef};
use wasmcloud_engine::{CompileSource, Compiled};

use super::Host;
use crate::claims::{ComponentClaims, ProviderClaims};
use crate::error::HostError;
use crate::providers::ProviderSpec;

/// A component that was not compiled yet.
pub(crate) struct FetchedComponent {
    pub(crate) artifact: Artifact,
    pub(crate) claims: ComponentClaims,
}

/// A provider that was not started yet; nothing if it is built in.
pub(crate) struct FetchedProvider(pub(crate) Option<ProviderArchive>);

impl FetchedProvider {
    pub(crate) fn claims(&self) -> ProviderClaims {
        self.0.as_ref().map(|archive| Arc::new(archive.claims().clone()))
    }
}

impl Host {
    /// Reads a component. If it is signed, its claims must be about it and hold now.
    pub(crate) async fn fetch_component(
        &self,
        id: &ComponentId,
        image: &ImageRef,
    ) -> Result<FetchedComponent, HostError> {
        // Who cannot have a place here should not wait for a pull to hear of it.
        self.component(id)?;
        self.unless_stopping(async {
            let limits = SizeLimits {
                component: self.0.options.engine.max_component_size,
                ..SizeLimits::default()
            };
            let fetched = self.0.artifacts.fetch(image, Kind::Component, limits, None).await;
            let artifact = fetched.map_err(|source| HostError::Fetch {
                component: id.clone(),
                source,
            })?;
            if let Origin::Registry(pulled) = &artifact.origin {
                tracing::info!(component = %id, image = %pulled.resolved(), "pulled");
            }
            let broken = |source| HostError::Claims {
                component: id.clone(),
                source,
            };
            let claims = match artifact.component_claims().await {
                Ok(Some(token)) => Some(Arc::new(token.claims().clone())),
                // The compiler knows more about what is wrong with it.
                Ok(None) | Err(ClaimsError::NotWasm(_)) => None,
                Err(source) => return Err(broken(source)),
            };
            if let Some(claims) = &claims {
                claims.check_time(SystemTime::now()).map_err(broken)?;
            }
            Ok(FetchedComponent { artifact, claims })
        })
        .await
    }

    /// Compiles a component without running it.
    pub(super) async fn compile(&self, id: &ComponentId, artifact: Artifact) -> Result<Compiled, HostError> {
        let source = CompileSource {
            name: artifact.name,
            bytes: artifact.bytes,
        };
        let compiled = self.0.engine.compile(source).await;
        compiled.map_err(|source| HostError::Compile {
            component: id.clone(),
            source,
        })
    }

    /// Reads the archive of a provider, whose claims must hold now. Who cannot start anyway should not wait for a pull to
    /// hear of it.
    pub(crate) async fn fetch_provider(&self, spec: &ProviderSpec) -> Result<FetchedProvider, HostError> {
        if matches!(spec.image, ImageRef::Builtin(_)) {
            return Ok(FetchedProvider(None));
        }
        self.external(spec)?;
        self.admit_provider(spec)?;
        let archive = self.unless_stopping(self.archive(spec)).await?;
        Ok(FetchedProvider(Some(archive)))
    }

    /// The archive with the program for this machine.
    async fn archive(&self, spec: &ProviderSpec) -> Result<ProviderArchive, HostError> {
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
        let unusable = |source| HostError::Archive {
            provider: spec.id.clone(),
            source,
        };
        let archive = artifact
            .provider_archive(ParLimits::default(), Target::here())
            .await;
        let archive = archive.map_err(unusable)?;
        archive
            .claims()
            .check_time(SystemTime::now())
            .map_err(|source| unusable(ParError::Claims(source)))?;
        Ok(archive)
    }
}
