//! Responses: a head, then a body in pieces, then perhaps trailers.

use crate::wasi::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use crate::wasi::io::streams::OutputStream;

/// A response before it is sent.
pub struct Reply {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    text: String,
}

/// A response whose head is sent. Dropping it leaves the body incomplete.
pub struct Sending {
    // The stream is a child of the body and has to go first.
    stream: OutputStream,
    body: OutgoingBody,
}

impl Reply {
    pub fn head(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            text: String::new(),
        }
    }

    pub fn text(status: u16, text: &str) -> Self {
        let mut reply = Self::head(status);
        reply.header("content-type", "text/plain; charset=utf-8");
        reply.text = text.to_owned();
        reply
    }

    pub fn header(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    /// Sends the head.
    pub fn start(self, out: ResponseOutparam) -> Sending {
        let headers = Fields::from_list(&self.headers).expect("tests for bad headers build their own");
        start(out, self.status, headers)
    }

    /// Sends head, text and end.
    pub fn send(self, out: ResponseOutparam) {
        let text = self.text.clone();
        let body = self.start(out);
        if body.write(text.as_bytes()) {
            body.finish(&[]);
        }
    }
}

/// Sends a head whose headers are made already.
pub fn start(out: ResponseOutparam, status: u16, headers: Fields) -> Sending {
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("a status that exists");
    let body = response.body().expect("the body is taken for the first time");
    let stream = body.write().expect("the stream is taken for the first time");
    ResponseOutparam::set(out, Ok(response));
    Sending { stream, body }
}

impl Sending {
    /// Writes all of it and waits until the host took it; false when nobody listens any more.
    pub fn write(&self, bytes: &[u8]) -> bool {
        // One blocking write takes at most 4096 bytes.
        bytes
            .chunks(4096)
            .all(|chunk| self.stream.blocking_write_and_flush(chunk).is_ok())
    }

    /// Ends the body, with trailers if there are any.
    pub fn finish(self, trailers: &[(&str, &str)]) {
        let trailers: Vec<(String, Vec<u8>)> = trailers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        let trailers =
            (!trailers.is_empty()).then(|| Fields::from_list(&trailers).expect("well formed trailers"));
        self.finish_with(trailers);
    }

    pub fn finish_with(self, trailers: Option<Fields>) {
        drop(self.stream);
        // An end that the host refuses shows at the client as a body cut short, which is what tests look at.
        let _ = OutgoingBody::finish(self.body, trailers);
    }
}
