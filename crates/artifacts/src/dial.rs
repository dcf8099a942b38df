//! Connections: to the host itself or through a proxy.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::error::BoxError;
use crate::options::Proxies;

/// Reads proxy settings. What is no URL is ignored by the matcher, as everywhere.
pub(crate) fn matcher(proxies: &Proxies) -> Matcher {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Matcher::builder()
        .https(text(&proxies.https))
        .http(text(&proxies.http))
        .no(text(&proxies.no))
        .build()
}

#[derive(Clone)]
pub(crate) struct Dialer {
    direct: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Dialer {
    pub(crate) fn new(proxies: Arc<Matcher>, connect: Duration) -> Self {
        let mut direct = HttpConnector::new();
        // TLS comes on top, so both schemes are dialled here.
        direct.enforce_http(false);
        direct.set_nodelay(true);
        direct.set_connect_timeout(Some(connect));
        Self { direct, proxies }
    }
}

impl Service<Uri> for Dialer {
    type Response = Dialed;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Dialed, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let mut direct = self.direct.clone();
        let proxy = self.proxies.intercept(&to);
        Box::pin(async move {
            let Some(proxy) = proxy else {
                let io = direct.call(to).await?;
                return Ok(Dialed { io, forwarded: false });
            };
            if proxy.uri().scheme() != Some(&Scheme::HTTP) {
                let scheme = proxy.uri().scheme_str().unwrap_or_default();
                return Err(format!("proxies are spoken to with http://, not {scheme}://").into());
            }
            if to.scheme() == Some(&Scheme::HTTPS) {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
                if let Some(value) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(value.clone());
                }
                let io = tunnel.call(to).await?;
                return Ok(Dialed { io, forwarded: false });
            }
            let io = direct.call(proxy.uri().clone()).await?;
            Ok(Dialed { io, forwarded: true })
        })
    }
}

/// A connection that knows whether the other end is a proxy that forwards requests, which then name the whole URL.
pub(crate) struct Dialed {
    io: TokioIo<TcpStream>,
    forwarded: bool,
}

impl Connection for Dialed {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.forwarded)
    }
}

impl Read for Dialed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Dialed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
