//! Which headers never pass between a connection and a guest, and what a request must look like to be understood the
//! same by everyone on its way.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Version};

/// Headers about one connection (RFC 9110 §7.6.1) and those that wasmtime keeps from guests.
pub(crate) fn is_forbidden(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "transfer-encoding"
            | "te"
            | "upgrade"
            | "host"
            | "http2-settings"
    )
}

/// Removes the headers that a `Connection` header names (RFC 9110 §7.6.1); the fixed ones are removed where the
/// guest's view is made, by [`is_forbidden`].
pub(crate) fn strip_nominated(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        // `close` and `keep-alive` are options, not headers; content-length must not be nominated away.
        if name != header::CONTENT_LENGTH {
            headers.remove(name);
        }
    }
}

/// Why a request is not passed on: two readers could understand it differently, or it has no meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadRequest(pub(crate) &'static str);

/// The one authority of a request, after checking that there is only one: the target's if it has one (RFC 9112
/// §3.2.2), else the `Host` header.
pub(crate) fn authority<B>(request: &Request<B>) -> Result<Option<Authority>, BadRequest> {
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(BadRequest("more than one Host header"));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        if headers.contains_key(header::CONTENT_LENGTH) {
            return Err(BadRequest("both Content-Length and Transfer-Encoding"));
        }
        if request.version() != Version::HTTP_11 {
            return Err(BadRequest("Transfer-Encoding outside HTTP/1.1"));
        }
    }
    if headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return Err(BadRequest("more than one Content-Length"));
    }
    if request.method() == Method::CONNECT {
        return Err(BadRequest("CONNECT is for proxies"));
    }
    let host = host.map(parse_host).transpose()?;
    match (request.uri().authority(), host) {
        (Some(target), Some(host)) if request.version() == Version::HTTP_2 && *target != host => {
            Err(BadRequest(":authority and Host differ"))
        }
        (Some(target), _) if target.as_str().contains('@') => {
            Err(BadRequest("user information in the target"))
        }
        (Some(target), _) => Ok(Some(target.clone())),
        (None, Some(host)) => Ok(Some(host)),
        (None, None) if request.version() == Version::HTTP_11 => Err(BadRequest("missing Host header")),
        (None, None) => Ok(None),
    }
}

fn parse_host(value: &HeaderValue) -> Result<Authority, BadRequest> {
    let authority =
        Authority::try_from(value.as_bytes()).map_err(|_| BadRequest("the Host header is not a host"))?;
    if authority.as_str().contains('@') {
        return Err(BadRequest("user information in the Host header"));
    }
    Ok(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &[(&str, &str)], uri: &str, expect: Result<Option<&str>, &'static str>) {
        let mut request = Request::builder().uri(uri);
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        let found = authority(&request.body(()).unwrap());
        let found = found
            .as_ref()
            .map(|a| a.as_ref().map(Authority::as_str))
            .map_err(|bad| bad.0);
        assert_eq!(found, expect, "{head:?} {uri}");
    }

    #[test]
    fn one_request_has_one_authority() {
        check(&[("host", "a.example:8000")], "/", Ok(Some("a.example:8000")));
        check(
            &[("host", "a.example")],
            "http://b.example/",
            Ok(Some("b.example")),
        );
        check(
            &[("host", "a"), ("host", "a")],
            "/",
            Err("more than one Host header"),
        );
        check(&[], "/", Err("missing Host header"));
        check(&[("host", "a/b")], "/", Err("the Host header is not a host"));
        check(
            &[("host", "me@a")],
            "/",
            Err("user information in the Host header"),
        );
        check(
            &[
                ("host", "a"),
                ("content-length", "3"),
                ("transfer-encoding", "chunked"),
            ],
            "/",
            Err("both Content-Length and Transfer-Encoding"),
        );
    }

    #[test]
    fn nominated_headers_go() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "connection",
            HeaderValue::from_static("close, X-Secret , content-length"),
        );
        headers.insert("x-secret", HeaderValue::from_static("1"));
        headers.insert("content-length", HeaderValue::from_static("1"));
        strip_nominated(&mut headers);
        assert!(!headers.contains_key("x-secret"));
        assert!(headers.contains_key("content-length"));
    }
}
