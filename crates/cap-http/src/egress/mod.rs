//! Requests of guests to the outside.
//!
//! A link to [`HttpClientProvider`] is the permission. [`send`] finds it and hands the request to its endpoint, which
//! asks the policy about the name, takes a connection from the link's pool and carries the exchange within its times.
//! A connection that is not in the pool is opened by `connect`, which asks the policy again, about the address.
//!
//! What a request or a response is to a guest (handles, fields, streams) is wasmtime's business.

mod bodies;
mod connect;
mod connections;
mod endpoint;
mod exchange;
mod failure;
mod policy;
mod provider;
mod settings;
mod trust;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};
use std::time::Instant;

use http::{Request, Response};
use wasmcloud_capability::{ComponentContext, Endpoint, Handle, NoLink};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use endpoint::ClientEndpoint;
pub use provider::HttpClientProvider;

/// The interface whose link allows requests out.
pub(crate) const INTERFACE: &str = "wasi:http/outgoing-handler";
/// Its name in WASI 0.3.
pub(crate) const INTERFACE_P3: &str = "wasi:http/client";

/// Who sends a request, and how long it may take.
pub(crate) struct Outgoing {
    pub(crate) component: Arc<ComponentContext>,
    /// The link that the guest chose.
    pub(crate) link: String,
    pub(crate) deadline: Option<Instant>,
    pub(crate) options: RequestOptions,
    /// Gone when the guest's store is.
    pub(crate) guest: Weak<()>,
}

/// Sends a guest's request over its link and returns with the head of the answer. Dropping the future, or the body
/// of the answer, ends the exchange.
pub(crate) async fn send(
    outgoing: Outgoing,
    request: Request<WasiBody>,
) -> Result<Response<WasiBody>, Error> {
    let endpoint = endpoint(&outgoing)?;
    endpoint.send(outgoing, request).await
}

fn endpoint(outgoing: &Outgoing) -> Result<Arc<ClientEndpoint>, Error> {
    let links = outgoing.component.links();
    // One link serves both versions of WASI, whichever of the two names it has.
    let entry = links
        .find(INTERFACE, &outgoing.link)
        .or_else(|| links.find(INTERFACE_P3, &outgoing.link));
    let Some(entry) = entry else {
        let missing = NoLink {
            component: outgoing.component.id().clone(),
            link: outgoing.link.clone(),
            interface: INTERFACE.to_owned(),
        };
        tracing::warn!(
            target: "wasmcloud::component",
            component = %outgoing.component.id(),
            "HTTP request denied: {missing}",
        );
        return Err(Error::HttpRequestDenied);
    };
    let unfit = |reason: String| Error::InternalError(Some(reason));
    match &entry.endpoint {
        Endpoint::Builtin(handle) => Handle::downcast::<ClientEndpoint>(Arc::clone(handle)).map_err(|_| {
            unfit(format!(
                "the target `{}` of the link is no HTTP client",
                entry.target
            ))
        }),
        Endpoint::Component(_) => Err(unfit(format!(
            "the target `{}` of the link is a component, which cannot take outgoing HTTP requests",
            entry.target
        ))),
        Endpoint::Absent(reason) => Err(unfit(reason.to_string())),
    }
}
