//! One HTTP component with everything a host has to survive. The path of a request picks what happens.

mod echo;
mod fetch;
mod headers;
mod reply;

use std::hint::black_box;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use exports::wasi::http::incoming_handler::Guest;
use wasi::clocks::monotonic_clock;
use wasi::http::types::{Fields, IncomingRequest, Method, OutgoingResponse, ResponseOutparam, Scheme};

use reply::Reply;

wit_bindgen::generate!({ path: "../wit", world: "misbehave", generate_all });

const MENU: &str = "/alloc /bad-header /echo /endless-body /fetch?url= /forward?url= /headers?n= /info /loop \
    /memory /never /no-response /sleep?ms= /status?code= /stdout /trailers /trap /trap-after-head /upload\n";

const SECOND: u64 = 1_000_000_000;

struct Misbehave;

impl Guest for Misbehave {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            // It does not end.
            "/loop" => spin(),
            "/alloc" => devour(),
            "/trap" => core::arch::wasm32::unreachable(),
            "/trap-after-head" => trap_after_head(out),
            "/never" => monotonic_clock::subscribe_duration(100_000_000 * SECOND).block(),
            "/endless-body" => endless_body(out),
            "/no-response" => {}

            // It answers oddly.
            "/headers" => headers::many(out, query),
            "/bad-header" => headers::bad(out),
            "/status" => status(out, query),
            "/trailers" => trailers(out),

            // It answers.
            "/echo" => echo::echo(&request, out),
            "/upload" => echo::upload(&request, out),
            "/fetch" => fetch::fetch(out, query),
            "/forward" => fetch::forward(&request, out, query),
            "/info" => Reply::text(200, &info(&request)).send(out),
            "/memory" => memory(out),
            "/sleep" => sleep(out, query),
            "/stdout" => stdout(out),
            "/" => Reply::text(200, MENU).send(out),
            _ => Reply::text(404, MENU).send(out),
        }
    }
}

export!(Misbehave);

/// The value of one key in a query.
fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

/// A number in a query; without one, or with something else, the given number.
fn number(query: &str, key: &str, otherwise: u64) -> u64 {
    value(query, key)
        .and_then(|value| value.parse().ok())
        .unwrap_or(otherwise)
}

fn spin() {
    loop {
        black_box(());
    }
}

/// Takes memory until there is no more, and touches all of it so that it costs the host something.
fn devour() {
    let mut held = Vec::new();
    loop {
        held.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn trap_after_head(out: ResponseOutparam) {
    let body = Reply::head(200).start(out);
    body.write(b"the first part of the body\n");
    core::arch::wasm32::unreachable()
}

fn endless_body(out: ResponseOutparam) {
    let body = Reply::head(200).start(out);
    let chunk = vec![b'x'; 4096];
    while body.write(&chunk) {}
}

fn status(out: ResponseOutparam, query: &str) {
    let code = u16::try_from(number(query, "code", 200)).unwrap_or(u16::MAX);
    let probe = OutgoingResponse::new(Fields::new());
    if probe.set_status_code(code).is_err() {
        return Reply::text(500, &format!("refused status {code}\n")).send(out);
    }
    // These never have a body. All others say what they are.
    if (100..200).contains(&code) || [204, 205, 304].contains(&code) {
        Reply::head(code).start(out).finish(&[]);
    } else {
        Reply::text(code, &format!("status {code}\n")).send(out);
    }
}

fn trailers(out: ResponseOutparam) {
    let mut reply = Reply::head(200);
    // HTTP/1.1 sends only trailers that the head announces.
    reply.header("trailer", "x-parts, x-verdict");
    let body = reply.start(out);
    body.write(b"one\n");
    body.write(b"two\n");
    body.finish(&[("x-parts", "2"), ("x-verdict", "complete")]);
}

fn info(request: &IncomingRequest) -> String {
    let mut lines = vec![
        format!("method: {}", method(&request.method())),
        format!(
            "path: {}",
            request.path_with_query().unwrap_or_else(|| "none".to_owned())
        ),
        format!("scheme: {}", scheme(request.scheme().as_ref())),
        format!(
            "authority: {}",
            request.authority().unwrap_or_else(|| "none".to_owned())
        ),
    ];
    let mut headers: Vec<String> = request
        .headers()
        .entries()
        .iter()
        .map(|(name, value)| format!("header {name}: {}", String::from_utf8_lossy(value)))
        .collect();
    headers.sort();
    lines.extend(headers);
    lines.join("\n") + "\n"
}

fn method(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}

fn scheme(scheme: Option<&Scheme>) -> &str {
    match scheme {
        Some(Scheme::Http) => "http",
        Some(Scheme::Https) => "https",
        Some(Scheme::Other(name)) => name,
        None => "none",
    }
}

fn memory(out: ResponseOutparam) {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    Reply::text(200, &format!("{calls}\n")).send(out);
}

fn sleep(out: ResponseOutparam, query: &str) {
    let time = number(query, "ms", 0);
    monotonic_clock::subscribe_duration(time.saturating_mul(1_000_000)).block();
    Reply::text(200, &format!("slept {time} ms\n")).send(out);
}

fn stdout(out: ResponseOutparam) {
    println!("a line on stdout");
    eprintln!("a line on stderr");
    // A host that cuts output into lines has to decide about this one.
    print!("a line on stdout without an end");
    let _ = std::io::stdout().flush();
    Reply::text(200, "written\n").send(out);
}
