//! A host as part of a lattice: components and providers that run here are called from other hosts. How calls travel is
//! for `rpc`.

use std::sync::Arc;

use wasmcloud_capability::Provider;
use wasmcloud_core::ComponentId;

use super::{Host, Tables};
use crate::components::Component;
use crate::error::HostError;
use crate::policy::Policy;
use crate::rpc::{Calls, Serving};

impl Host {
    /// Makes this host part of a lattice for calls: components that run from now on can be called from elsewhere, and
    /// can call what runs elsewhere. If there is a policy service, it is asked before they are called.
    pub(crate) fn connect(&self, calls: Arc<Calls>, policy: Option<Arc<Policy>>) {
        if let Some(policy) = policy {
            let _ = self.0.policy.set(policy);
        }
        self.0.ingress.connect(calls.caller().clone());
        let _ = self.0.calls.set(calls);
    }

    /// Takes the calls of others for a component, if the host is part of a lattice.
    pub(super) async fn serve(&self, component: &Component) -> Result<(), HostError> {
        let Some(calls) = self.0.calls.get() else {
            return Ok(());
        };
        if component.serving.lock().is_some() {
            return Ok(());
        }
        let serving = Serving::component(Arc::clone(calls), Arc::clone(&component.target)).await;
        let serving = serving.map_err(|source| HostError::Serve {
            id: component.target.id().clone(),
            source,
        })?;
        *component.serving.lock() = Some(serving);
        Ok(())
    }

    /// Takes the calls of other hosts for a built-in provider that was entered, if the host is part of a lattice and the
    /// provider answers any. On failure the provider is stopped.
    pub(super) async fn serve_provider(
        &self,
        id: &ComponentId,
        provider: Arc<dyn Provider>,
    ) -> Result<(), HostError> {
        let (Some(calls), Some(remote)) = (self.0.calls.get(), Arc::clone(&provider).remote()) else {
            return Ok(());
        };
        let served = Serving::provider(Arc::clone(calls), id.clone(), remote).await;
        // Somebody may have stopped it meanwhile, and started another one.
        let is_entered = |tables: &Tables| {
            let running = tables.providers.get(id);
            running.is_some_and(|running| Arc::ptr_eq(&running.provider, &provider))
        };
        match served {
            Ok(serving) => {
                let mut tables = self.0.tables.lock();
                if is_entered(&tables) {
                    tables.serving.insert(id.clone(), serving);
                }
                Ok(())
            }
            Err(source) => {
                let taken = {
                    let _wiring = self.0.wiring.lock().await;
                    let entered = is_entered(&self.0.tables.lock());
                    entered.then(|| self.take_provider(id)).flatten()
                };
                if let Some(taken) = taken {
                    taken.stop(self.0.options.drain).await;
                }
                Err(HostError::Serve {
                    id: id.clone(),
                    source,
                })
            }
        }
    }
}
