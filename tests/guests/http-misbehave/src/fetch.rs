//! Outgoing requests: asks somebody else and passes the answer on.

use crate::echo::each_piece;
use crate::reply::Reply;
use crate::value;
use crate::wasi::http::outgoing_handler;
use crate::wasi::http::types::{
    ErrorCode, Fields, IncomingResponse, OutgoingRequest, ResponseOutparam, Scheme,
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
    match ask(request) {
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

fn ask(request: OutgoingRequest) -> Result<IncomingResponse, ErrorCode> {
    let future = outgoing_handler::handle(request, None)?;
    future.subscribe().block();
    future
        .get()
        .expect("it is ready")
        .expect("it is taken for the first time")
}

fn pass_on(out: ResponseOutparam, response: &IncomingResponse) {
    let mut reply = Reply::head(response.status());
    for value in response.headers().get("content-type") {
        reply.header("content-type", &String::from_utf8_lossy(&value));
    }
    let sending = reply.start(out);
    let body = response.consume().expect("the body is taken for the first time");
    match each_piece(&body, |piece| sending.write(piece)) {
        Ok(()) => sending.finish(&[]),
        Err(why) => eprintln!("fetch: {why}"),
    }
}
