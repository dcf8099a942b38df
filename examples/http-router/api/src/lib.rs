//! The part of the site that programs talk to: answers with JSON.

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit", world: "handler", generate_all });

struct Api;

impl Guest for Api {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        respond(
            out,
            &format!("{{\"component\":\"api\",\"path\":{}}}\n", json_string(&path)),
        );
    }
}

export!(Api);

fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

fn respond(out: ResponseOutparam, json: &str) {
    let headers = Fields::from_list(&[
        ("content-type".to_owned(), b"application/json".to_vec()),
        ("content-length".to_owned(), json.len().to_string().into_bytes()),
    ])
    .expect("both header names and values are well formed");
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("the body is taken for the first time");
    ResponseOutparam::set(out, Ok(response));

    // If the client has gone there is nobody left to tell.
    let Ok(stream) = body.write() else { return };
    // One write takes at most 4096 bytes.
    if json
        .as_bytes()
        .chunks(4096)
        .all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
    {
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
