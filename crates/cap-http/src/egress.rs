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
