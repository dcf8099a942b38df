//! HTTP on WASI 0.3: `/` greets, `/echo` streams the request body back, `/sleep?ms=N` waits.

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

struct Component;

wasip3::http::service::export!(Component);

impl wasip3::exports::http::handler::Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/" => Ok(text(200, "Hello from WASI 0.3!\n")),
            "/echo" => Ok(echo(request)),
            "/sleep" => {
                let time = query
                    .strip_prefix("ms=")
                    .and_then(|time| time.parse::<u64>().ok())
                    .unwrap_or(0);
                monotonic_clock::wait_for(time.saturating_mul(1_000_000)).await;
                Ok(text(200, &format!("slept {time} ms\n")))
            }
            _ => Ok(text(404, "/ /echo /sleep?ms=\n")),
        }
    }
}

fn text(status: u16, text: &str) -> Response {
    let headers = Fields::from_list(&[
        ("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec()),
        ("content-length".to_owned(), text.len().to_string().into_bytes()),
    ])
    .expect("both header names and values are well formed");
    let (mut body, contents) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    drop(end);
    let (response, _sent) = Response::new(headers, Some(contents), trailers);
    response
        .set_status_code(status)
        .expect("all statuses used here exist");

    let bytes = text.as_bytes().to_vec();
    wasip3::wit_bindgen::spawn_local(async move {
        // What is left over is what a client that went away did not take.
        body.write_all(bytes).await;
    });
    response
}

/// The response takes over the stream of the request, so the bytes need not pass through this component.
fn echo(request: Request) -> Response {
    let headers = Fields::new();
    if let Some(kind) = request.get_headers().get("content-type").first() {
        headers
            .append("content-type", kind)
            .expect("it was fine in the request");
    }
    let (handled, result) = wit_future::new(|| Ok(()));
    drop(handled);
    let (contents, trailers) = Request::consume_body(request, result);
    let (response, _sent) = Response::new(headers, Some(contents), trailers);
    response
}
