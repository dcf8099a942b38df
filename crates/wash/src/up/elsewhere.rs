//! One application runs once: its links and configs are the lattice's, and whoever stops it takes them away.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::anyhow;
use wasmcloud_client::Client;
use wasmcloud_manifest::Desired;
use wasmcloud_wire::control::HostInventory;
use wasmcloud_wire::subject::Topic;

use crate::exit::{Failure, NOT_STARTED};
use crate::host::Joined;

/// Longest wait for the other hosts of the lattice.
const ANSWERS: Duration = Duration::from_secs(2);

/// An error if another host of the lattice runs a part of this application. A lattice of our own that has just been
/// started has no other host.
pub(super) async fn refuse(joined: &Joined, desired: &Desired) -> Result<(), Failure> {
    if joined.runs_lattice() {
        return Ok(());
    }
    let host = &joined.host;
    let prefix: Topic = host.control_prefix().clone();
    let client = Client::new(
        host.connection().clone(),
        host.lattice().clone(),
        &prefix,
        ANSWERS,
    );
    let inventories = client.inventories().await;
    let inventories = inventories.map_err(|error| Failure::new(NOT_STARTED, "no-lattice", error))?;
    let components = desired.components.iter().map(|component| component.id.as_str());
    let providers = desired.providers.iter().map(|provider| provider.id.as_str());
    let ids: BTreeSet<&str> = components.chain(providers).collect();
    let ours = |inventory: &&HostInventory| {
        let components = inventory.components.iter().map(|component| component.id.as_str());
        let providers = inventory.providers.iter().map(|provider| provider.id.as_str());
        inventory.host_id != host.id().as_str() && components.chain(providers).any(|id| ids.contains(id))
    };
    match inventories.answers.iter().find(ours) {
        None => Ok(()),
        Some(other) => {
            let error = anyhow!(
                "application `{}` runs in lattice `{}` already, on host {} ({}); hint: stop it there, with Ctrl-C \
                 or `wash down`, or end it with `wash app undeploy {}`",
                desired.app,
                host.lattice(),
                other.friendly_name,
                other.host_id,
                desired.app
            );
            Err(Failure::new(NOT_STARTED, "runs-already", error))
        }
    }
}
