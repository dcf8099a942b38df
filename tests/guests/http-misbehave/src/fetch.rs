//! Outgoing requests: asks somebody else and passes the answer on.

use crate::echo::{each_piece, trailers};
use crate::reply::Reply;
use crate::value;
use crate::wasi::http::outgoing_handler;
use crate::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingRequest, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, ResponseOutparam, Scheme,
};

/// Asks for `url` and answers with the status and body that came back, or 502 and the reason.
pub fn fetch(out: ResponseOutparam, query: &str) {
    // The URL is the rest of the query, so that it may have a query of its own.
    let Some(url) = query.strip_prefix("url=").or_else(|| value(query, "url")) else {
        return Reply::text(400, "which url? /fetch?url=http://host/path\n").send(out);
    };
    let Some(request) = request(url) else {
        return Reply::text(400, &format!("cannot read the url {url}\n")).send(out);
    };
    answer(out, outgoing_handler::handle(request, None).and_then(wait));
}

/// Sends the request's body and trailers to `url` as a POST, and answers as [`fetch`] does.
pub fn forward(incoming: &IncomingRequest, out: ResponseOutparam, query: &str) {
    let Some(request) = query.strip_prefix("url=").and_then(request) else {
        return Reply::text(400, "where to? /forward?url=http://host/path\n").send(out);
    };
    request.set_method(&Method::Post).expect("it is a method");
    let body = request.body().expect("the body is taken for the first time");
    let sending = outgoing_handler::handle(request, None);
    let sent = sending.and_then(|response| {
        send(incoming, body);
        wait(response)
    });
    answer(out, sent);
}

/// Sends what comes in, as far as somebody takes it.
fn send(incoming: &IncomingRequest, body: OutgoingBody) {
    let from = incoming.consume().expect("the body is taken for the first time");
    let to = body.write().expect("the stream is taken for the first time");
    // One blocking write takes at most 4096 bytes.
    let all = each_piece(&from, |piece| {
        piece
            .chunks(4096)
            .all(|chunk| to.blocking_write_and_flush(chunk).is_ok())
    });
    drop(to);
    // A body that is not finished tells the other side that something went wrong.
    match all {
        Ok(()) => drop(OutgoingBody::finish(body, trailers(from))),
        Err(why) => eprintln!("forward: {why}"),
    }
}

fn answer(out: ResponseOutparam, response: Result<IncomingResponse, ErrorCode>) {
    match response {
        Ok(response) => pass_on(out, &response),
        Err(error) => Reply::text(502, &format!("{error:?}\n")).send(out),
    }
}

fn request(url: &str) -> Option<OutgoingRequest> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |start| rest.split_at(start));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(path)).ok()?;
    Some(request)
}

fn wait(future: FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    future.subscribe().block();
    future
        .get()
        .expect("it is ready")
        .expect("it is taken for the first time")
}

fn pass_on(out: ResponseOutparam, response: &IncomingResponse) {
    let mut reply = Reply::head(response.status());
    for name in ["content-type", "trailer"] {
        for value in response.headers().get(name) {
            reply.header(name, &String::from_utf8_lossy(&value));
        }
    }
    let sending = reply.start(out);
    let body = response.consume().expect("the body is taken for the first time");
    match each_piece(&body, |piece| sending.write(piece)) {
        Ok(()) => sending.finish_with(trailers(body)),
        Err(why) => eprintln!("fetch: {why}"),
    }
}
