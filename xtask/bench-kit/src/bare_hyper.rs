//! The least that an HTTP server does: hyper, one task for each connection, the same answer to every request.
//!
//! `bench-kit bare-hyper ADDRESS BODY [NAME=VALUE]…` with the headers of the answer. hyper adds length and date itself. It is
//! what the numbers of `cargo xtask bench http` are held against: no host of components can be faster.

use std::convert::Infallible;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

/// Serves until the process ends.
pub(crate) async fn main(args: &[String]) -> Result<()> {
    let [address, body, headers @ ..] = args else {
        anyhow::bail!("usage: bench-kit bare-hyper ADDRESS BODY [NAME=VALUE]…");
    };
    let headers: Result<HeaderMap> = headers.iter().map(|arg| header(arg)).collect();
    let answer = Answer {
        headers: headers?,
        body: body.clone().into(),
    };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        tokio::spawn(serve(stream, answer.clone()));
    }
}

fn header(arg: &str) -> Result<(HeaderName, HeaderValue)> {
    let (name, value) = arg.split_once('=').context("a header is NAME=VALUE")?;
    Ok((name.parse()?, value.parse()?))
}

async fn serve(stream: TcpStream, answer: Answer) {
    // Who goes away in the middle of an answer is not our concern.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|_request: Request<Incoming>| {
        let mut response = Response::new(Full::new(answer.body.clone()));
        *response.headers_mut() = answer.headers.clone();
        async { Ok::<_, Infallible>(response) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
