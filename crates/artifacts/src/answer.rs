//! What an answer that is no success means.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;

use crate::registry_error::RegistryError;
use crate::transport::Call;

/// Largest explanation that is read, in bytes.
const MAX_DETAIL_BYTES: u64 = 16 << 10;

/// Longest explanation that is shown, in characters.
const MAX_DETAIL: usize = 200;

/// Turns an answer into an error. A 401 or 403 is an error without advice, which the caller adds.
pub(crate) async fn failure(
    response: Response<Incoming>,
    host: &str,
    what: String,
    call: &Call,
) -> RegistryError {
    let status = response.status();
    let retry_after = retry_after(response.headers(), SystemTime::now());
    let detail = detail(response, call).await;
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied {
            what,
            host: host.to_owned(),
            status,
            detail,
            hint: String::new(),
        },
        StatusCode::NOT_FOUND | StatusCode::GONE => RegistryError::NotFound { what, detail },
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => RegistryError::Unwell {
            host: host.to_owned(),
            status,
            retry_after,
            detail,
        },
        _ if status.is_server_error() => RegistryError::Unwell {
            host: host.to_owned(),
            status,
            retry_after,
            detail,
        },
        _ => RegistryError::Status { what, status, detail },
    }
}

/// `Retry-After` in seconds or, as some gateways send it, as a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = crate::time::parse_http(text)?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[derive(Deserialize)]
struct Explanation {
    #[serde(default)]
    errors: Vec<Problem>,
}

/// One problem, in the words of the OCI distribution spec.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What the registry says about it, with `: ` in front, or nothing. It comes from outside and ends in a terminal or
/// log, so it is short and without control characters.
async fn detail(response: Response<Incoming>, call: &Call) -> String {
    let body = call
        .body(response.into_body(), MAX_DETAIL_BYTES, &String::new)
        .await;
    let explained = body
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Explanation>(&bytes).ok());
    let Some(problem) = explained.and_then(|explained| explained.errors.into_iter().next()) else {
        return String::new();
    };
    let text = match (problem.code.as_str(), problem.message.as_str()) {
        ("", "") => return String::new(),
        (code, "") => code.to_owned(),
        ("", message) => message.to_owned(),
        (code, message) => format!("{code}, {message}"),
    };
    let text: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_DETAIL)
        .collect();
    format!(": {text}")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_in_both_forms() {
        let check = |text: &str, expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
            assert_eq!(
                retry_after(&headers, now).map(|wait| wait.as_secs()),
                expected,
                "{text}"
            );
        };
        check("7", Some(7));
        check(" 0 ", Some(0));
        check("Sun, 06 Nov 1994 08:50:00 GMT", Some(23));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        for nonsense in [
            "",
            "-1",
            "soon",
            "1e9",
            "Sun, 99 Nov 1994 08:50:00 GMT",
            "99999999999999999999999",
        ] {
            check(nonsense, None);
        }
    }
}
