//! What the state of the lattice says of what was started: where it came from and who made it. Written behind the start,
//! which does not wait for it.

use std::sync::Arc;

use tokio::sync::mpsc;
use wasmcloud_core::ComponentId;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::state::Claims;

use super::LatticeHost;
use super::records::Records;
use crate::claims::{self, ComponentClaims, ProviderClaims};
use crate::components::ComponentSpec;
use crate::providers::ProviderSpec;

impl LatticeHost {
    /// The records say what runs. Whoever started it does not wait for that.
    pub(super) async fn note(&self, note: Note) {
        self.0.notes.send(note).await.ok();
    }
}

/// What the state of the lattice says of something that was started.
pub(super) struct Note {
    id: ComponentId,
    /// Where it came from.
    url: String,
    /// Who made it, if it is signed.
    claims: Option<Claims>,
}

impl Note {
    /// Of a component.
    pub(super) fn component(spec: &ComponentSpec, claims: &ComponentClaims) -> Self {
        Self {
            id: spec.id.clone(),
            url: spec.reference.clone(),
            claims: claims.as_deref().map(claims::component_record),
        }
    }

    /// Of a provider.
    pub(super) fn provider(spec: &ProviderSpec, claims: &ProviderClaims) -> Self {
        Self {
            id: spec.id.clone(),
            url: spec.reference.clone(),
            claims: claims.as_deref().map(claims::provider_record),
        }
    }
}

/// Writes what was started, one after another, so that the last word on each is the last one written. That it cannot be
/// written is no reason to stop what runs.
pub(super) async fn write_notes(records: Arc<Records>, mut notes: mpsc::Receiver<Note>) {
    while let Some(Note { id, url, claims }) = notes.recv().await {
        if let Err(error) = records.put_url(&id, &url).await {
            tracing::warn!(%id, error = chain(&error), "where it came from is not in the state of the lattice");
        }
        let Some(claims) = claims else { continue };
        if let Err(error) = records.put_claims(&claims).await {
            tracing::warn!(%id, error = chain(&error), "its claims are not in the state of the lattice");
        }
    }
}
