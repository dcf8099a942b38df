//! What a store lacks that was lost, written back from what this host knows. Records that are there again, because another
//! host was faster or somebody has put them, stay as they are.

use std::collections::BTreeMap;

use wasmcloud_core::{ComponentId, ConfigName};
use wasmcloud_lattice::StateError;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::state::Config;

use super::mirror::OfSource;
use super::records::{RecordError, Records};
use crate::host::Host;

/// Where everything that runs here comes from.
pub(super) fn urls(host: &Host) -> BTreeMap<ComponentId, String> {
    let inventory = host.inventory();
    let components = inventory.components.into_iter().map(|it| (it.id, it.image_ref));
    let providers = inventory.providers.into_iter().map(|it| (it.id, it.image_ref));
    components.chain(providers).collect()
}

/// Writes back the configs that the store has not.
pub(super) async fn configs(records: &Records, known: BTreeMap<ConfigName, Config>) {
    let (mut written, mut failed) = (0, 0);
    for (name, config) in known {
        match records
            .configs
            .create(name.as_str(), config.encode().into())
            .await
        {
            Ok(_) => written += 1,
            Err(StateError::Conflict { .. }) => {}
            Err(error) => {
                failed += 1;
                tracing::warn!(config = %name, error = chain(&error), "a config was not written back");
            }
        }
    }
    tracing::warn!(
        written,
        failed,
        "configs that the store had lost were written back"
    );
}

/// Writes back the links of all components that the store has no record of.
pub(super) async fn links(
    records: &Records,
    known: BTreeMap<ComponentId, OfSource>,
    mut urls: BTreeMap<ComponentId, String>,
) {
    let (mut written, mut failed) = (0, 0);
    let mut restored = |id: &ComponentId, outcome: Result<_, RecordError>| match outcome {
        Ok(_) => written += 1,
        Err(error) => {
            failed += 1;
            tracing::warn!(%id, error = chain(&error), "the links of a component were not written back");
        }
    };
    for (id, links) in known {
        let links: Vec<wasmcloud_wire::Link> = links.values().map(Into::into).collect();
        let url = urls.remove(&id);
        let outcome = records.restore(&id, &links, url.as_deref()).await;
        restored(&id, outcome);
    }
    for (id, url) in urls {
        let outcome = records.restore(&id, &[], Some(&url)).await;
        restored(&id, outcome);
    }
    tracing::warn!(
        written,
        failed,
        "records that the store had lost were written back"
    );
}
