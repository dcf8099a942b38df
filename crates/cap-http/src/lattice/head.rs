//! Heads of requests and responses in the words of the wire, and back.
//!
//! Headers about one connection stay behind on both sides: whoever is at the other end may be of v1, or hostile.

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use wasmcloud_wire::rpc::http as wire;
use wasmcloud_wire::rpc::stream::{FutureOf, StreamOf};

use crate::headers::is_forbidden;

/// Headers of one message. As many as hyper takes from a connection of HTTP/1.
const MAX_HEADERS: usize = 100;

/// A head that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} is not one of HTTP")]
pub(crate) struct InvalidHead {
    /// What is wrong.
    pub(crate) what: &'static str,
}

fn invalid(what: &'static str) -> InvalidHead {
    InvalidHead { what }
}

/// The head of a request that arrived on a connection.
pub(crate) fn request<B>(request: &Request<B>, secure: bool) -> wire::Request {
    let uri = request.uri();
    let authority = match uri.authority() {
        Some(authority) => Some(authority.to_string()),
        None => request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned),
    };
    wire::Request {
        body: StreamOf::Pending,
        trailers: FutureOf::Pending,
        method: method(request.method()),
        path_with_query: uri.path_and_query().map(|path| path.as_str().to_owned()),
        scheme: Some(match secure {
            true => wire::Scheme::Https,
            false => wire::Scheme::Http,
        }),
        authority,
        headers: fields(request.headers()),
    }
}

/// The head of a component's response.
pub(crate) fn response<B>(response: &Response<B>) -> wire::Response {
    wire::Response {
        body: StreamOf::Pending,
        trailers: FutureOf::Pending,
        status: response.status().as_u16(),
        headers: fields(response.headers()),
    }
}

/// Headers or trailers, as they travel.
pub(crate) fn fields(headers: &HeaderMap) -> wire::Fields {
    headers
        .keys()
        .filter(|name| !is_forbidden(name))
        .map(|name| {
            let values = headers
                .get_all(name)
                .iter()
                .map(|value| value.as_bytes().to_vec());
            (name.as_str().to_owned(), values.collect())
        })
        .collect()
}

/// Headers or trailers that have travelled.
pub(crate) fn headers(fields: wire::Fields) -> Result<HeaderMap, InvalidHead> {
    let mut headers = HeaderMap::new();
    for (name, values) in fields {
        let name: HeaderName = name.parse().map_err(|_| invalid("name of a header"))?;
        if is_forbidden(&name) {
            continue;
        }
        for value in values {
            if headers.len() >= MAX_HEADERS {
                return Err(invalid("number of headers"));
            }
            let value = HeaderValue::from_bytes(&value).map_err(|_| invalid("value of a header"))?;
            headers.append(name.clone(), value);
        }
    }
    Ok(headers)
}

/// A request for a component here, and whether it came over TLS.
pub(crate) fn into_request(request: wire::Request) -> Result<(Request<()>, bool), InvalidHead> {
    let secure = matches!(request.scheme, Some(wire::Scheme::Https));
    let authority: Authority = match &request.authority {
        Some(authority) => authority.parse().map_err(|_| invalid("authority"))?,
        // Guests are promised one; v1 leaves it out for HTTP/1.0.
        None => Authority::from_static("localhost"),
    };
    let path: PathAndQuery = match request.path_with_query.as_deref() {
        None | Some("") => PathAndQuery::from_static("/"),
        Some(path) => path.parse().map_err(|_| invalid("path"))?,
    };
    let scheme = if secure { "https" } else { "http" };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(path)
        .build()
        .map_err(|_| invalid("target"))?;
    let mut built = Request::new(());
    *built.version_mut() = Version::HTTP_11;
    *built.method_mut() = into_method(request.method)?;
    *built.uri_mut() = uri;
    *built.headers_mut() = headers(request.headers)?;
    Ok((built, secure))
}

/// The response of a component elsewhere.
pub(crate) fn into_response(response: wire::Response) -> Result<Response<()>, InvalidHead> {
    let mut built = Response::new(());
    *built.status_mut() = StatusCode::from_u16(response.status).map_err(|_| invalid("status"))?;
    *built.headers_mut() = headers(response.headers)?;
    Ok(built)
}

fn method(method: &Method) -> wire::Method {
    match *method {
        Method::GET => wire::Method::Get,
        Method::HEAD => wire::Method::Head,
        Method::POST => wire::Method::Post,
        Method::PUT => wire::Method::Put,
        Method::DELETE => wire::Method::Delete,
        Method::CONNECT => wire::Method::Connect,
        Method::OPTIONS => wire::Method::Options,
        Method::TRACE => wire::Method::Trace,
        Method::PATCH => wire::Method::Patch,
        _ => wire::Method::Other(method.as_str().to_owned()),
    }
}

fn into_method(method: wire::Method) -> Result<Method, InvalidHead> {
    Ok(match method {
        wire::Method::Get => Method::GET,
        wire::Method::Head => Method::HEAD,
        wire::Method::Post => Method::POST,
        wire::Method::Put => Method::PUT,
        wire::Method::Delete => Method::DELETE,
        wire::Method::Connect => Method::CONNECT,
        wire::Method::Options => Method::OPTIONS,
        wire::Method::Trace => Method::TRACE,
        wire::Method::Patch => Method::PATCH,
        wire::Method::Other(method) => method.parse().map_err(|_| invalid("method"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_same_at_the_other_end() {
        let sent = Request::builder()
            .method("PURGE")
            .uri("/a?b=c")
            .header("host", "a.example:1")
            .header("x-two", "1")
            .header("x-two", "2")
            .header("connection", "close")
            .body(())
            .unwrap();
        let (came, secure) = into_request(request(&sent, true)).unwrap();
        assert!(secure);
        assert_eq!(came.method().as_str(), "PURGE");
        assert_eq!(came.uri(), "https://a.example:1/a?b=c");
        assert_eq!(came.headers().get_all("x-two").iter().count(), 2);
        assert_eq!(came.headers().keys_len(), 1);
    }

    #[test]
    fn what_is_no_http_is_refused() {
        let good = || request(&Request::new(()), false);
        let refused = |change: fn(&mut wire::Request)| {
            let mut head = good();
            change(&mut head);
            into_request(head).unwrap_err().what
        };
        assert_eq!(
            refused(|head| head.path_with_query = Some("no path".into())),
            "path"
        );
        assert_eq!(refused(|head| head.authority = Some("a b".into())), "authority");
        assert_eq!(
            refused(|head| head.method = wire::Method::Other("a b".into())),
            "method"
        );
        assert_eq!(
            refused(|head| head.headers = vec![("a\n".into(), vec![])]),
            "name of a header"
        );
        assert_eq!(
            refused(|head| head.headers = vec![("a".into(), vec![b"\n".to_vec()])]),
            "value of a header"
        );
        assert_eq!(
            refused(|head| head.headers = vec![("a".into(), vec![Vec::new(); 101])]),
            "number of headers"
        );
        let mut head = response(&Response::new(()));
        head.status = 1000;
        assert_eq!(into_response(head).unwrap_err().what, "status");
    }
}
