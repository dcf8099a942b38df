//! HTTP for components: requests in through one ingress, requests out through a policed pool.
//!
//! Ingress: [`Ingress`] owns the listeners of a host, [`HttpServerProvider`] turns links into routes on them, and each
//! request is handed to a live instance of the component behind its route. Egress: [`HttpClientProvider`] turns links
//! into permissions to call out. [`Http`] adds `wasi:http` to the linker for both.
//!
//! What a component may use (instances, time, memory) is the business of `engine`; which component a route's target
//! is, that of `host`.

mod body;
mod capability;
mod cors;
mod counted;
mod egress;
mod exports;
mod handler;
mod headers;
mod hooks;
mod ingress;
mod lattice;
mod listener;
mod probe;
mod responses;
mod routes;
mod server;
mod settings;
mod socket;
mod tls;
mod trace;
mod workers;

pub use capability::Http;
pub use egress::HttpClientProvider;
pub use exports::HttpResolver;
pub use handler::answers_http;
pub use ingress::{Ingress, IngressOptions, port_owner};
pub use lattice::{INCOMING_HANDLER, RemoteRequest};
pub use probe::{ProbeError, probe};
pub use server::HttpServerProvider;
