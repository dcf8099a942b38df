//! What a process is told at its start (wire reference §2.5).

use wasmcloud_core::ComponentId;
use wasmcloud_wire::provider::HostData;

use super::Context;
use super::links::Known;

/// The host data of a new process. `seed` is that of its curve key.
pub(super) fn host_data(context: &Context, id: &ComponentId, known: &Known, seed: String) -> HostData {
    let options = &context.options;
    HostData {
        host_id: context.host_id.to_string(),
        lattice_rpc_prefix: context.lattice.to_string(),
        link_name: "default".to_owned(),
        lattice_rpc_user_jwt: context.handover.jwt.clone(),
        lattice_rpc_user_seed: context.handover.seed.clone(),
        lattice_rpc_url: context.handover.url.reveal().to_owned(),
        provider_key: id.to_string(),
        instance_id: uuid::Uuid::new_v4().to_string(),
        link_definitions: known.links.values().map(|link| (**link).clone()).collect(),
        config: known.config.clone(),
        host_xkey_public_key: context.host_xkey.clone(),
        provider_xkey_private_key: seed.into(),
        default_rpc_timeout_ms: Some(u64::try_from(context.rpc_timeout.as_millis()).unwrap_or(u64::MAX)),
        structured_logging: options.structured_logging,
        log_level: Some(options.log_level),
        otel_config: options.otel.clone(),
        ..HostData::default()
    }
}
