//! Cross-origin requests (Fetch standard, "CORS protocol"): which origins may read answers, and the answer to the
//! question that browsers ask first.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use crate::body::ResponseBody;
use bytes::Bytes;

/// Defaults of the v1 provider (wire reference §6.1).
const DEFAULT_METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"];
const DEFAULT_HEADERS: &[&str] = &["accept", "accept-language", "content-type", "content-language"];
const DEFAULT_MAX_AGE: u64 = 300;

/// The rules of one route. Answers never allow credentials, so `any origin` gives a web page no more than its user
/// could fetch without being logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cors {
    /// `None` is any.
    origins: Option<Vec<String>>,
    methods: HeaderValue,
    headers: HeaderValue,
    exposed: Option<HeaderValue>,
    max_age: HeaderValue,
}

impl Cors {
    /// The rules, or the key that is wrong and why. Without origins any origin is allowed, as in v1; an empty list of
    /// origins switches cross-origin answers off.
    pub(crate) fn new(
        origins: Option<&[String]>,
        headers: &[String],
        methods: &[String],
        exposed: &[String],
        max_age: Option<u64>,
    ) -> Result<Option<Self>, (&'static str, String)> {
        if origins.is_some_and(<[String]>::is_empty) {
            return Ok(None);
        }
        let origins = match origins {
            None => None,
            Some(list) if list.iter().any(|origin| origin == "*") => None,
            Some(list) => {
                if let Some(bad) = list.iter().find(|origin| !origin.contains("://")) {
                    let reason = format!("`{bad}` is not an origin like `https://app.example.com`");
                    return Err(("cors_allowed_origins", reason));
                }
                Some(
                    list.iter()
                        .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
                        .collect(),
                )
            }
        };
        for method in methods {
            if Method::from_bytes(method.as_bytes()).is_err() {
                return Err(("cors_allowed_methods", format!("`{method}` is not a method")));
            }
        }
        for (key, list) in [
            ("cors_allowed_headers", headers),
            ("cors_exposed_headers", exposed),
        ] {
            if let Some(bad) = list.iter().find(|name| name.parse::<HeaderName>().is_err()) {
                return Err((key, format!("`{bad}` is not a header name")));
            }
        }
        let join = |list: &[String], default: &[&str]| {
            let text = if list.is_empty() {
                default.join(", ")
            } else {
                list.join(", ")
            };
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
        };
        Ok(Some(Self {
            origins,
            methods: join(methods, DEFAULT_METHODS),
            headers: join(headers, DEFAULT_HEADERS),
            exposed: (!exposed.is_empty()).then(|| join(exposed, &[])),
            max_age: HeaderValue::from(max_age.unwrap_or(DEFAULT_MAX_AGE)),
        }))
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match &self.origins {
            None => Some(HeaderValue::from_static("*")),
            Some(list) => {
                let lower = origin.to_str().ok()?.to_ascii_lowercase();
                list.contains(&lower).then(|| origin.clone())
            }
        }
    }

    /// The answer to a preflight request, if this is one. The guest does not see it.
    pub(crate) fn preflight<B>(&self, request: &Request<B>) -> Option<Response<ResponseBody>> {
        let origin = request.headers().get(header::ORIGIN)?;
        if request.method() != Method::OPTIONS
            || !request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let mut response = Response::new(ResponseBody::full(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        if let Some(allowed) = self.allowed(origin) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        Some(response)
    }

    /// Adds the headers of an actual answer, unless the guest did so itself.
    pub(crate) fn decorate(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if self.origins.is_some() {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(allowed) = self.allowed(origin) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            if let Some(exposed) = &self.exposed {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_matched_whole() {
        let list = ["https://a.example".to_owned()];
        let cors = Cors::new(Some(&list), &[], &[], &[], None).unwrap().unwrap();
        let check = |origin: &str, expect: bool| {
            let mut headers = HeaderMap::new();
            cors.decorate(&HeaderValue::from_str(origin).unwrap(), &mut headers);
            assert_eq!(
                headers.contains_key("access-control-allow-origin"),
                expect,
                "{origin}"
            );
        };
        check("https://a.example", true);
        check("https://a.example.evil", false);
        check("http://a.example", false);
        check("null", false);
    }

    #[test]
    fn an_empty_list_switches_it_off() {
        assert_eq!(Cors::new(Some(&[]), &[], &[], &[], None), Ok(None));
    }
}
