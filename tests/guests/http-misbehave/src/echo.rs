//! Request bodies: sent back piece by piece with their trailers, or counted.

use crate::reply::Reply;
use crate::wasi::http::types::{Fields, IncomingBody, IncomingRequest, ResponseOutparam};
use crate::wasi::io::streams::StreamError;

/// How much to ask for at once; more than one blocking write takes.
const PIECE: u64 = 64 * 1024;

pub fn echo(request: &IncomingRequest, out: ResponseOutparam) {
    let mut reply = Reply::head(200);
    for name in ["content-type", "trailer"] {
        for value in request.headers().get(name) {
            reply.header(name, &String::from_utf8_lossy(&value));
        }
    }
    let sending = reply.start(out);

    let incoming = request.consume().expect("the body is taken for the first time");
    match each_piece(&incoming, |piece| sending.write(piece)) {
        Ok(()) => sending.finish_with(trailers(incoming)),
        // A body that is not finished tells the client that something went wrong.
        Err(why) => eprintln!("echo: {why}"),
    }
}

pub fn upload(request: &IncomingRequest, out: ResponseOutparam) {
    let incoming = request.consume().expect("the body is taken for the first time");
    let mut total = 0;
    let read = each_piece(&incoming, |piece| {
        total += piece.len();
        true
    });
    match read {
        Ok(()) => Reply::text(200, &format!("{total}\n")).send(out),
        Err(why) => Reply::text(400, &format!("after {total} bytes: {why}\n")).send(out),
    }
}

/// Reads to the end, or until `take` has had enough.
pub fn each_piece(body: &IncomingBody, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), String> {
    let stream = body.stream().expect("the stream is taken for the first time");
    loop {
        match stream.blocking_read(PIECE) {
            Ok(piece) if take(&piece) => {}
            Ok(_) => return Err("the other side has gone".to_owned()),
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}

/// The trailers behind a body that was read to its end.
pub fn trailers(body: IncomingBody) -> Option<Fields> {
    let future = IncomingBody::finish(body);
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(trailers))) => trailers,
        other => {
            eprintln!("echo: no trailers: {other:?}");
            None
        }
    }
}
