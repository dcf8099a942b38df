//! The bytes of a call as values, as far as their types are known.

use wasmcloud_wire::rpc::http::{
    HandleResult, INCOMING_HANDLER, IncomingHandle, Method, OUTGOING_HANDLER, OutgoingHandle, Request, Scheme,
};
use wasmcloud_wire::rpc::{InvocationSubject, Payload as _};
use wasmcloud_wire::value::{DecodeError, Decoder, Type, Value};

use crate::control::functions::{Function, limits};

/// What is known of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Their values, as WAVE.
    Values(Vec<String>),
    /// A request or answer of HTTP, without its body.
    Http(String),
    /// Nothing but how many there are, and why.
    Bytes { len: usize, why: String },
}

/// The parameters; `whole` is whether these are all their bytes.
pub(super) fn params(
    called: &InvocationSubject,
    function: Option<&Function>,
    bytes: &[u8],
    whole: bool,
) -> Shown {
    if let Some(request) = request(called, bytes) {
        return or_bytes(request.map(|request| Shown::Http(words(&request))), bytes, whole);
    }
    let types = function.map(|function| match &function.params {
        Ok(params) => Ok(params.iter().map(|param| param.ty.clone()).collect()),
        Err(why) => Err(why.clone()),
    });
    values(types, bytes, whole)
}

/// The results.
pub(super) fn results(
    called: &InvocationSubject,
    function: Option<&Function>,
    bytes: &[u8],
    whole: bool,
) -> Shown {
    if is_http(called).is_some() && !bytes.is_empty() {
        let answer = HandleResult::from_bytes(bytes).map(|answer| match answer {
            Ok(response) => Shown::Http(format!("HTTP {}", response.status)),
            Err(code) => Shown::Http(format!("{code:?}")),
        });
        return or_bytes(answer, bytes, whole);
    }
    let types = function.map(|function| match &function.result {
        Ok(result) => Ok(result.iter().cloned().collect()),
        Err(why) => Err(why.clone()),
    });
    if bytes.is_empty() && matches!(&types, Some(Ok(types)) if !Vec::is_empty(types)) {
        return Shown::Bytes {
            len: 0,
            why: "ended without results, as v1 does when a call traps".to_owned(),
        };
    }
    values(types, bytes, whole)
}

fn values(types: Option<Result<Vec<Type>, String>>, bytes: &[u8], whole: bool) -> Shown {
    match types {
        None => Shown::Bytes {
            len: bytes.len(),
            why: "types not known".to_owned(),
        },
        Some(Err(why)) => Shown::Bytes {
            len: bytes.len(),
            why,
        },
        Some(Ok(types)) => {
            let mut decoder = Decoder::with_limits(bytes, limits());
            let read = decoder.sequence::<Value>("value", &types);
            let read = read.and_then(|values| decoder.finish().map(|()| values));
            let shown = read.map(|values| Shown::Values(values.iter().map(ToString::to_string).collect()));
            or_bytes(shown, bytes, whole)
        }
    }
}

fn or_bytes(read: Result<Shown, DecodeError>, bytes: &[u8], whole: bool) -> Shown {
    read.unwrap_or_else(|error| Shown::Bytes {
        len: bytes.len(),
        why: match (&error, whole) {
            (_, false) | (DecodeError::Incomplete { .. }, _) => {
                "the first part of a longer message".to_owned()
            }
            (error, true) => error.to_string(),
        },
    })
}

/// Whether a call is one of HTTP, and whether it is one to outside.
fn is_http(called: &InvocationSubject) -> Option<bool> {
    let instance = called.instance.as_ref()?.as_str();
    match (instance, called.function.as_str()) {
        (INCOMING_HANDLER, "handle") => Some(false),
        (OUTGOING_HANDLER, "handle") => Some(true),
        _ => None,
    }
}

fn request(called: &InvocationSubject, bytes: &[u8]) -> Option<Result<Request, DecodeError>> {
    Some(match is_http(called)? {
        false => IncomingHandle::from_bytes(bytes).map(|call| call.request),
        true => OutgoingHandle::from_bytes(bytes).map(|call| call.request),
    })
}

/// `GET http://localhost:8080/a`.
fn words(request: &Request) -> String {
    let method = match &request.method {
        Method::Other(method) => method.clone(),
        known => known.case().to_ascii_uppercase(),
    };
    let scheme = match &request.scheme {
        Some(Scheme::Other(scheme)) => scheme.clone(),
        Some(known) => known.case().to_ascii_lowercase(),
        None => "http".to_owned(),
    };
    let authority = request.authority.as_deref().unwrap_or("-");
    let path = request.path_with_query.as_deref().unwrap_or("/");
    format!("{method} {scheme}://{authority}{path}")
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::rpc::stream::{FutureOf, StreamOf};

    use super::*;
    use crate::control::functions::{Param, known};

    fn called(name: &str) -> InvocationSubject {
        format!("default.c.wrpc.0.0.1.{name}").parse().unwrap()
    }

    fn add() -> Function {
        let param = |name: &str| Param {
            name: name.to_owned(),
            ty: Type::U32,
        };
        Function {
            instance: Some("a:b/c@1.0.0".to_owned()),
            name: "add".to_owned(),
            params: Ok(vec![param("a"), param("b")]),
            result: Ok(Some(Type::U32)),
        }
    }

    #[test]
    fn values_are_shown_where_types_are_known() {
        let (called, add) = (called("a:b/c@1.0.0.add"), add());
        let both = Shown::Values(vec!["1".to_owned(), "300".to_owned()]);
        assert_eq!(params(&called, Some(&add), &[1, 0xac, 2], true), both);
        assert_eq!(
            results(&called, Some(&add), &[3], true),
            Shown::Values(vec!["3".to_owned()])
        );
        let why = |shown: Shown| match shown {
            Shown::Bytes { why, .. } => why,
            other => panic!("{other:?}"),
        };
        assert!(why(params(&called, Some(&add), &[1], true)).contains("longer message"));
        assert!(why(params(&called, Some(&add), &[1, 2, 3], true)).contains("1 bytes are left"));
        assert!(why(params(&called, None, &[1], true)).contains("not known"));
        assert!(why(results(&called, Some(&add), &[], true)).contains("traps"));
    }

    #[test]
    fn requests_are_shown_as_such() {
        let request = Request {
            body: StreamOf::Pending,
            trailers: FutureOf::Pending,
            method: Method::Get,
            path_with_query: Some("/a?b".to_owned()),
            scheme: Some(Scheme::Https),
            authority: Some("x:1".to_owned()),
            headers: Vec::new(),
        };
        let bytes = IncomingHandle { request }.to_bytes();
        let called = called("wrpc:http/incoming-handler@0.1.0.handle");
        assert_eq!(
            params(&called, None, &bytes, true),
            Shown::Http("GET https://x:1/a?b".to_owned())
        );
        assert!(matches!(
            params(&called, None, &[9, 9], true),
            Shown::Bytes { len: 2, .. }
        ));
    }

    #[test]
    fn streams_are_left_out() {
        let called = called("wrpc:blobstore/blobstore@0.2.0.get-container-data");
        let function = known(Some("wrpc:blobstore/blobstore@0.2.0"), "get-container-data");
        let bytes = [1, b'c', 1, b'o', 0, 9];
        let shown = params(&called, function, &bytes, true);
        let expected = [r#"{container: "c", object: "o"}"#, "0", "9"].map(str::to_owned);
        assert_eq!(shown, Shown::Values(expected.into()));
        assert!(matches!(
            results(&called, function, &[0, 0, 0], true),
            Shown::Bytes { len: 3, .. }
        ));
    }
}
