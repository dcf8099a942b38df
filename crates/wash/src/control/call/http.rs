//! A request for `wasi:http/incoming-handler.handle`, which travels as `wrpc:http/incoming-handler@0.1.0` (wire
//! reference §4.6). Its types are known, so no image is asked for.

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinHandle;
use wasmcloud_client::Client;
use wasmcloud_lattice::rpc::{RpcError, Sender};
use wasmcloud_wire::rpc::http::{
    HandleResult, IncomingHandle, Method, REQUEST_BODY, REQUEST_TRAILERS, Request, Scheme, Trailers,
};
use wasmcloud_wire::rpc::stream::{END, FutureOf, StreamOf, put_chunk};
use wasmcloud_wire::rpc::{Call as _, Payload as _, RpcErrorBody, RpcErrorCode};

use super::{Calling, answer};
use crate::control::args::{CallArgs, HttpArgs};
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure, INVALID, USAGE};
use crate::output::Output;

/// The interface as components export it, in any version, and as it travels.
const HANDLERS: [&str; 2] = ["wasi:http/incoming-handler", "wrpc:http/incoming-handler"];

/// How much of a file is read and sent at once.
const PIECE: usize = 64 << 10;

/// Whether a function is the handler of HTTP requests.
pub(super) fn is_handler(function: &str) -> bool {
    let instance = function.strip_suffix(".handle").unwrap_or_default();
    let interface = instance.split('@').next().unwrap_or_default();
    HANDLERS.contains(&interface)
}

/// What is sent behind the head.
enum Body {
    Empty,
    Text(String),
    File(File),
}

/// Ends a task when it is dropped.
struct Pump(JoinHandle<Result<(), RpcError>>);

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) async fn run(client: &Client, args: &CallArgs, output: &Output) -> Result<(), Failure> {
    if !args.arguments.is_empty() {
        let error = anyhow!("an HTTP request is written with `--http-path` and its like, not as arguments");
        return Err(Failure::new(USAGE, "invalid-argument", error));
    }
    let http = &args.http;
    let request = head(http).map_err(|error| Failure::new(USAGE, "invalid-argument", error))?;
    // Before the call: a file that is not there is no reason to call anybody.
    let body = match (&http.http_body, &http.http_body_path) {
        (Some(text), _) => Body::Text(text.clone()),
        (None, Some(path)) => {
            let file = File::open(path).await;
            let file = file.with_context(|| format!("read the body from {}", path.display()));
            Body::File(file.map_err(|error| Failure::new(INVALID, "unreadable-body", error))?)
        }
        (None, None) => Body::Empty,
    };
    let calling = Calling {
        client,
        target: &args.component_id,
        runs: None,
    };
    let params = IncomingHandle { request }.to_bytes();
    let call = calling
        .call(IncomingHandle::INSTANCE, IncomingHandle::FUNCTION, params)
        .await?;
    let data = call.sender(&REQUEST_BODY.to_string());
    let trailers = call.sender(&REQUEST_TRAILERS.to_string());
    // The component may answer before it has read everything, and without.
    let pump = Pump(tokio::spawn(send(body, data, trailers)));
    let results = match call.some_results().await {
        Ok(results) => results,
        Err(error) => return Err(calling.failed(error, Some(&call)).await),
    };
    let handled = HandleResult::from_bytes(&results).map_err(|error| {
        let error = anyhow!(error).context(format!("read the answer of `{}`", args.component_id));
        Failure::new(FAILURE, "bad-answer", error)
    })?;
    let response = handled.map_err(|code| {
        let error = anyhow!(
            "`{}` has no answer to the request: {}",
            args.component_id,
            one_line(&format!("{code:?}"))
        );
        Failure::new(FAILURE, "http-error", error)
    })?;
    let printed = answer::print(&calling, &call, response, http, output).await;
    drop(pump);
    printed
}

/// The head of the request.
fn head(http: &HttpArgs) -> anyhow::Result<Request> {
    let has_body = http.http_body.is_some() || http.http_body_path.is_some();
    let method = match (&http.http_method, has_body) {
        (Some(method), _) => self::method(method)?,
        (None, true) => Method::Post,
        (None, false) => Method::Get,
    };
    let scheme = match http.http_scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let bad = |c: char| c.is_whitespace() || c.is_control();
    anyhow::ensure!(
        http.http_path.starts_with('/') && !http.http_path.contains(bad),
        "{:?} cannot be a path; hint: it begins with `/` and has no spaces in it",
        http.http_path
    );
    anyhow::ensure!(
        !http.http_host.is_empty() && !http.http_host.contains(bad),
        "{:?} cannot be a host",
        http.http_host
    );
    let host = match http.http_host.contains(':') && !http.http_host.starts_with('[') {
        true => format!("[{}]", http.http_host),
        false => http.http_host.clone(),
    };
    let mut headers: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    let mut add = |name: &str, value: &str| match headers.iter_mut().find(|(known, _)| known == name) {
        Some((_, values)) => values.push(value.as_bytes().to_vec()),
        None => headers.push((name.to_owned(), vec![value.as_bytes().to_vec()])),
    };
    if let Some(of) = &http.http_content_type {
        add("content-type", of);
    }
    if let Some(text) = &http.http_body {
        add("content-length", &text.len().to_string());
    }
    for (name, value) in &http.http_header {
        add(name, value);
    }
    Ok(Request {
        body: StreamOf::Pending,
        trailers: FutureOf::Pending,
        method,
        path_with_query: Some(http.http_path.clone()),
        scheme: Some(scheme),
        authority: Some(format!("{host}:{}", http.http_port)),
        headers,
    })
}

fn method(written: &str) -> anyhow::Result<Method> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    anyhow::ensure!(
        !written.is_empty() && written.bytes().all(token),
        "{written:?} cannot be a method"
    );
    Ok(match written.to_ascii_uppercase().as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        _ => Method::Other(written.to_owned()),
    })
}

/// Sends the body, and that there are no trailers.
async fn send(body: Body, mut data: Sender, trailers: Sender) -> Result<(), RpcError> {
    match body {
        Body::Empty => {}
        Body::Text(text) => data.send(chunk(text.as_bytes())).await?,
        Body::File(mut file) => {
            let mut piece = vec![0; PIECE];
            loop {
                match file.read(&mut piece).await {
                    Ok(0) => break,
                    Ok(len) => data.send(chunk(piece.get(..len).unwrap_or_default())).await?,
                    Err(error) => {
                        let why = RpcErrorBody::new(RpcErrorCode::Internal, error.to_string());
                        let (one, other) = tokio::join!(data.fail(&why), trailers.fail(&why));
                        return one.and(other);
                    }
                }
            }
        }
    }
    data.send_whole(Bytes::from_static(&[END])).await?;
    let none: Trailers = None;
    trailers.send_whole(none.to_bytes().into()).await
}

fn chunk(bytes: &[u8]) -> Bytes {
    // A length has five bytes at most.
    let mut chunk = Vec::with_capacity(bytes.len() + 5);
    put_chunk(bytes, &mut chunk);
    chunk.into()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::control::ControlCommand;

    fn request(args: &[&str]) -> anyhow::Result<Request> {
        let args = [
            &["wash", "call", "web", "wasi:http/incoming-handler.handle"],
            args,
        ]
        .concat();
        let Command::Control(command) = Cli::try_parse_from(args)?.command else {
            panic!("`call` asks a lattice");
        };
        let ControlCommand::Call(args) = *command else {
            panic!("it is `call`");
        };
        head(&args.http)
    }

    #[test]
    fn without_options_it_is_what_v1_sends() {
        let sent = request(&[]).unwrap();
        assert_eq!(sent.method, Method::Get);
        assert_eq!(sent.scheme, Some(Scheme::Http));
        assert_eq!(sent.authority.as_deref(), Some("localhost:8080"));
        assert_eq!(sent.path_with_query.as_deref(), Some("/"));
        assert!(sent.headers.is_empty());
    }

    #[test]
    fn options_make_the_head() {
        let sent = request(&[
            "--http-body",
            "{}",
            "--http-content-type",
            "application/json",
            "--http-header",
            "accept: a",
            "--http-header",
            "Accept: b",
            "--http-host",
            "::1",
            "--http-path",
            "/a?b=c",
        ])
        .unwrap();
        assert_eq!(sent.method, Method::Post);
        assert_eq!(sent.authority.as_deref(), Some("[::1]:8080"));
        let header = |name: &str| sent.headers.iter().find(|(known, _)| known == name).cloned();
        assert_eq!(header("accept").unwrap().1, [b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(header("content-length").unwrap().1, [b"2".to_vec()]);
        assert_eq!(
            request(&["--http-method", "brew"]).unwrap().method,
            Method::Other("brew".to_owned())
        );
        for bad in [
            ["--http-path", "a"],
            ["--http-method", "a b"],
            ["--http-host", ""],
        ] {
            assert!(request(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn handlers_are_known_in_every_version() {
        for handler in [
            "wasi:http/incoming-handler.handle",
            "wasi:http/incoming-handler@0.2.0.handle",
            "wrpc:http/incoming-handler@0.1.0.handle",
        ] {
            assert!(is_handler(handler), "{handler}");
        }
        assert!(!is_handler("wasi:http/outgoing-handler.handle"));
        assert!(!is_handler("handle"));
    }
}
