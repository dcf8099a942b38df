//! Answers every HTTP request with a greeting, in as few calls to the host as a correct response takes.

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wit_bindgen::generate!({ world: "hello", generate_all });

const GREETING: &[u8] = b"Hello from wasmCloud!\n";

struct Hello;

impl Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        // All headers in one call. The length is known, so the body need not be sent in chunks.
        let headers = Fields::from_list(&[
            ("content-type".to_owned(), b"text/plain".to_vec()),
            (
                "content-length".to_owned(),
                GREETING.len().to_string().into_bytes(),
            ),
        ])
        .expect("both header names and values are well formed");

        // A new response has status 200.
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken for the first time");
        ResponseOutparam::set(out, Ok(response));

        // If the client has gone there is nobody left to tell, so failures from here on end the work quietly.
        let Ok(stream) = body.write() else { return };
        if stream.blocking_write_and_flush(GREETING).is_ok() {
            drop(stream);
            let _ = OutgoingBody::finish(body, None);
        }
    }
}

export!(Hello);
