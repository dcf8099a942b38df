//! An external provider that answers `add` of `test:calls/math`, for what a call to one costs.

use std::process::ExitCode;
use std::sync::Arc;

use wasmcloud_provider_sdk::rpc::Payload as _;
use wasmcloud_provider_sdk::{BoxError, CallContext, Failure, Functions, Provider, Start, async_trait};

struct Math;

#[async_trait]
impl Provider for Math {
    async fn init(_start: Start) -> Result<Self, BoxError> {
        Ok(Self)
    }

    fn functions(functions: Functions<Self>) -> Functions<Self> {
        functions.on_bytes(
            "test:calls/math@0.1.0",
            "add",
            |_: Arc<Self>, _: CallContext, params| async move {
                let (a, b) = <(u32, u32)>::from_bytes(&params)
                    .map_err(|error| Failure::malformed(error.to_string()))?;
                Ok(a.wrapping_add(b).to_bytes())
            },
        )
    }
}

fn main() -> ExitCode {
    wasmcloud_provider_sdk::main::<Math>()
}
