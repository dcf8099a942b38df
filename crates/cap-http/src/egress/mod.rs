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
use wasmcloud_capability::{ComponentContext, Endpoint, Handle, LinkEntry, NoLink};
use wasmcloud_lattice::rpc::Caller;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::lattice;

pub(crate) use bodies::RequestBody;
pub(crate) use endpoint::ClientEndpoint;
pub use provider::HttpClientProvider;
pub(crate) use provider::Linked;

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
    /// How many calls led to the one in which it is sent.
    pub(crate) depth: u16,
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
    match way(&outgoing)? {
        Way::Here(endpoint) => endpoint.send(outgoing, request).await,
        Way::Elsewhere(caller, link) => lattice::send(&caller, &link, outgoing, request).await,
    }
}

/// Where requests over a link go.
enum Way {
    /// To a provider on this host.
    Here(Arc<ClientEndpoint>),
    /// To one that is not.
    Elsewhere(Arc<Caller>, Arc<LinkEntry>),
}

fn way(outgoing: &Outgoing) -> Result<Way, Error> {
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
    if let Some(caller) = entry.travels_by() {
        return Ok(Way::Elsewhere(caller, Arc::clone(entry)));
    }
    match &entry.endpoint {
        Endpoint::Builtin(handle) => {
            let endpoint = Handle::downcast::<ClientEndpoint>(Arc::clone(handle));
            endpoint.map(Way::Here).map_err(|_| {
                unfit(format!(
                    "the target `{}` of the link is no HTTP client",
                    entry.target
                ))
            })
        }
        Endpoint::Component(_) => Err(unfit(format!(
            "the target `{}` of the link is a component, or does not run on this host",
            entry.target
        ))),
        Endpoint::Absent(reason) => Err(unfit(reason.to_string())),
    }
}
