//! Core modules built for WASI preview 1, made into components.
//!
//! v1 adapted such modules itself (wire reference §2.3), so they keep working. The adapter is the one that comes
//! with wasmtime.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

/// Encodes a core module as a component. A module with a `_start` export is a command, any other a reactor.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, String> {
    let adapter = if has_start(module) {
        WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter))
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| format!("{error:#}"))
}

fn has_start(module: &[u8]) -> bool {
    let mut parser = wasmparser::Parser::new(0).parse_all(module);
    parser.any(|payload| match payload {
        Ok(wasmparser::Payload::ExportSection(exports)) => exports
            .into_iter()
            .any(|export| export.is_ok_and(|export| export.name == "_start")),
        _ => false,
    })
}
