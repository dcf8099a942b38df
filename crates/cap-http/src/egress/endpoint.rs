//! What stands behind one link: a pool of connections under one policy, replaced whole when the config changes.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout};
use wasmcloud_core::ComponentId;
use wasmtime_wasi_http::{Error, WasiBody};

use super::Outgoing;
use super::bodies::RequestBody;
use super::connect::{ConnectError, Connector};
use super::connections::Connections;
use super::exchange::{self, MAX_HEAD, Outcome};
use super::failure;
use super::policy::Destination;
use super::settings::ClientSettings;
use super::trust::Roots;
use crate::counted::Counted;

/// What a server may send ahead of a guest that does not read: per request, and per HTTP/2 connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// The HTTP client of one link; the handle in the component's link table.
pub(crate) struct ClientEndpoint {
    link: Box<str>,
    pool: ArcSwapOption<Pool>,
}

struct Pool {
    client: Client<Connector, RequestBody>,
    connector: Connector,
    connections: Arc<Connections>,
}

impl Pool {
    fn new(settings: ClientSettings, roots: Arc<Roots>) -> Self {
        let connections = Connections::new(settings.max_connections);
        let connector = Connector::new(
            settings.policy,
            roots,
            Arc::clone(&connections),
            settings.connect_timeout,
        );
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .pool_max_idle_per_host(settings.max_idle_per_host)
            .http1_max_buf_size(MAX_HEAD)
            .http2_max_header_list_size(MAX_HEAD as u32)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .build(connector.clone());
        Self {
            client,
            connector,
            connections,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // What is under way holds its connection by itself and goes on.
        self.connections.close_idle();
    }
}

impl ClientEndpoint {
    /// `link` is the name of the link in messages.
    pub(crate) fn new(link: &str, settings: ClientSettings, roots: Arc<Roots>) -> Arc<Self> {
        Arc::new(Self {
            link: link.into(),
            pool: ArcSwapOption::from_pointee(Pool::new(settings, roots)),
        })
    }

    /// Takes new settings. Requests under way end under the old ones, and no connection of the old ones is used again.
    pub(crate) fn replace(&self, settings: ClientSettings, roots: Arc<Roots>) {
        self.pool.store(Some(Arc::new(Pool::new(settings, roots))));
    }

    /// Refuses new requests and waits for those under way, at most for `drain`. After that no connection is open.
    pub(crate) async fn close(&self, drain: Duration) {
        let Some(pool) = self.pool.swap(None) else { return };
        let connections = Arc::clone(&pool.connections);
        drop(pool);
        connections.close_idle();
        // Also if the caller does not wait to the end.
        let cut = CutOnDrop(connections);
        let _ = timeout(drain, cut.0.all_closed()).await;
    }

    /// Sends a guest's request and returns with the head of the answer.
    pub(crate) async fn send(
        &self,
        outgoing: Outgoing,
        request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, Error> {
        let Some(pool) = self.pool.load_full() else {
            return Err(Error::InternalError(Some(
                "the HTTP client provider behind this link has stopped".to_owned(),
            )));
        };
        let component = outgoing.component.id();
        let to = exchange::destination(&request)?;
        if !pool.connector.policy().admits(&to) {
            self.refused_name(component, &to);
            return Err(Error::HttpRequestDenied);
        }
        let mut request = request.map(|body| {
            let counted = Counted::new(body, &outgoing.component, |traffic| &traffic.requested.sent);
            RequestBody::new(counted, outgoing.guest)
        });
        exchange::prepare(&mut request);
        let deadline = outgoing.deadline.map(Instant::from_std);
        let (options, by) = (&outgoing.options, &outgoing.component);
        let answer = exchange::exchange(&pool.client, request, options, deadline, by).await;
        answer.map_err(|outcome| {
            self.report(component, &to, &outcome);
            outcome.into_error()
        })
    }

    fn refused_name(&self, component: &ComponentId, to: &Destination) {
        tracing::warn!(
            target: "wasmcloud::component",
            component = %component,
            "request to `{to}` denied: not in `allowed_hosts`; hint: add `{to}` to `allowed_hosts` in the target \
             config of the link `{}`",
            self.link,
        );
    }

    fn report(&self, component: &ComponentId, to: &Destination, outcome: &Outcome) {
        let Outcome::Client(error) = outcome else { return };
        match failure::find::<ConnectError>(error) {
            Some(ConnectError::Prohibited(address)) => tracing::warn!(
                target: "wasmcloud::component",
                component = %component,
                "request to `{to}` denied: its address {address} is not a public one; hint: add `{address}` to \
                 `allowed_networks` in the target config of the link `{}`, or `{to}` to `allowed_hosts`",
                self.link,
            ),
            Some(ConnectError::Limit) => tracing::warn!(
                target: "wasmcloud::component",
                component = %component,
                "request to `{to}` failed: all connections of the link `{}` are in use; hint: raise \
                 `max_connections` in its target config",
                self.link,
            ),
            // The guest gets a word for it; the person who looks for the reason gets the reason.
            found => tracing::debug!(
                target: "wasmcloud::component",
                component = %component,
                error = error as &(dyn std::error::Error + 'static),
                connect = found.map(|found| found as &(dyn std::error::Error + 'static)),
                "request to `{to}` failed",
            ),
        }
    }
}

struct CutOnDrop(Arc<Connections>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.close_all();
    }
}
