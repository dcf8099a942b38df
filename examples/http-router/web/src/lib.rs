//! The part of the site that people look at: answers with a page.

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit", world: "handler", generate_all });

const PAGE: &[u8] = include_bytes!("page.html");

struct Web;

impl Guest for Web {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let headers = Fields::from_list(&[
            ("content-type".to_owned(), b"text/html; charset=utf-8".to_vec()),
            ("content-length".to_owned(), PAGE.len().to_string().into_bytes()),
        ])
        .expect("both header names and values are well formed");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken for the first time");
        ResponseOutparam::set(out, Ok(response));

        // If the client has gone there is nobody left to tell.
        let Ok(stream) = body.write() else { return };
        // One write takes at most 4096 bytes.
        if PAGE
            .chunks(4096)
            .all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
        {
            drop(stream);
            let _ = OutgoingBody::finish(body, None);
        }
    }
}

export!(Web);
