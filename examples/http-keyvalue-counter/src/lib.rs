//! Counters over HTTP: `GET /NAME` counts up, `DELETE /NAME` or `POST /NAME/reset` starts again at zero.
//!
//! This file speaks HTTP; `counter` speaks to the key-value store.

mod counter;

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasi::logging::logging::{Level, log};

use counter::Counter;

wit_bindgen::generate!({ world: "counter", generate_all });

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (status, text) = answer(&request.method(), &path);
        respond(out, status, &text);
    }
}

export!(Component);

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Action<'a> {
    Count(&'a str),
    Reset(&'a str),
}

fn answer(method: &Method, path: &str) -> (u16, String) {
    let action = match action(method, path) {
        Ok(action) => action,
        Err((status, why)) => return (status, format!("{why}\n")),
    };
    match perform(&action) {
        Ok(text) => (200, text),
        Err(error) => {
            log(Level::Error, "counter", &error);
            (500, format!("{error}\n"))
        }
    }
}

fn action<'a>(method: &Method, path: &'a str) -> Result<Action<'a>, (u16, &'static str)> {
    let path = path.split_once('?').map_or(path, |(path, _query)| path);
    let mut segments = path.trim_start_matches('/').split('/');
    let name = segments
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or("default");
    match (method, segments.next(), segments.next()) {
        (Method::Get, None, _) => Ok(Action::Count(name)),
        (Method::Delete, None, _) | (Method::Post, Some("reset"), None) => Ok(Action::Reset(name)),
        (_, None, _) | (_, Some("reset"), None) => Err((405, "GET or DELETE /NAME, or POST /NAME/reset")),
        _ => Err((404, "a counter has one name: /NAME")),
    }
}

fn perform(action: &Action<'_>) -> Result<String, String> {
    let prefix = counter::prefix()?;
    let (name, count) = match *action {
        Action::Count(name) => (name, Counter::open(name)?.increment()?),
        Action::Reset(name) => {
            Counter::open(name)?.reset()?;
            (name, 0)
        }
    };
    log(Level::Info, "counter", &format!("{name} is {count}"));
    Ok(format!("{prefix} {name}: {count}\n"))
}

fn respond(out: ResponseOutparam, status: u16, text: &str) {
    let headers = Fields::from_list(&[
        ("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec()),
        ("content-length".to_owned(), text.len().to_string().into_bytes()),
    ])
    .expect("both header names and values are well formed");
    let response = OutgoingResponse::new(headers);
    response
        .set_status_code(status)
        .expect("all statuses used here exist");
    let body = response.body().expect("the body is taken for the first time");
    ResponseOutparam::set(out, Ok(response));

    // If the client has gone there is nobody left to tell.
    let Ok(stream) = body.write() else { return };
    // One write takes at most 4096 bytes.
    if text
        .as_bytes()
        .chunks(4096)
        .all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
    {
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
