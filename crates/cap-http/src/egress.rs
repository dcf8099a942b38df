//! Requests of guests to the outside.

use std::sync::Arc;
use std::time::Instant;

use http::{Request, Response};
use wasmcloud_capability::ComponentContext;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// The interface whose link allows requests out.
pub(crate) const INTERFACE: &str = "wasi:http/outgoing-handler";
/// Its name in WASI 0.3.
pub(crate) const INTERFACE_P3: &str = "wasi:http/client";

pub(crate) struct Outgoing {
    pub(crate) component: Arc<ComponentContext>,
    pub(crate) link: String,
    pub(crate) deadline: Option<Instant>,
    pub(crate) options: RequestOptions,
}

/// HTTP client.
pub struct HttpClientProvider;

impl HttpClientProvider {
    pub fn start(_id: wasmcloud_core::ComponentId, _c: &wasmcloud_capability::ConfigMap) -> Result<Arc<Self>, wasmcloud_capability::ProviderError> { Ok(Arc::new(Self)) }
}
#[async_trait::async_trait]
impl wasmcloud_capability::Provider for HttpClientProvider {
    async fn unlink(&self, _key: &wasmcloud_core::LinkKey) {}
    async fn update_config(&self, _c: &wasmcloud_capability::ConfigMap) -> Result<(), wasmcloud_capability::ProviderError> { Ok(()) }
    async fn stop(&self) {}
}

pub(crate) async fn send(
    outgoing: Outgoing,
    _request: Request<WasiBody>,
) -> Result<Response<WasiBody>, Error> {
    let _ = (
        outgoing.component,
        outgoing.link,
        outgoing.deadline,
        outgoing.options,
    );
    Err(Error::HttpRequestDenied)
}
