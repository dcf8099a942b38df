//! One HTTP exchange with a registry or what it points to: TLS, proxies, timeouts, redirects, bounded bodies.
//!
//! Nothing here knows what is exchanged. There is one transport for each set of believed certificate authorities.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, LOCATION, PROXY_AUTHORIZATION, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use crate::dial::Dialer;
use crate::error::BoxError;
use crate::progress::Reporter;
use crate::registry_error::RegistryError;
use crate::trust::{self, Roots};
use crate::upload::Upload;

/// Most redirects of one request. Registries use one, to their storage.
const MAX_REDIRECTS: usize = 5;

/// Idle connections kept to one host, and for how long.
const IDLE_CONNECTIONS: usize = 4;
const IDLE_FOR: Duration = Duration::from_secs(30);

const AGENT: HeaderValue = HeaderValue::from_static(concat!("wash/", env!("CARGO_PKG_VERSION")));

/// What is asked for, in words, made only when there is something to say.
pub(crate) type What<'a> = &'a (dyn Fn() -> String + Sync);

/// What holds for all requests of one pull or push.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) deadline: Instant,
    pub(crate) idle: Duration,
    pub(crate) reporter: Reporter,
}

/// A request that can be sent again.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body is the content whose progress is told.
    pub(crate) counts: bool,
}

impl Ask {
    pub(crate) fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            counts: false,
        }
    }

    pub(crate) fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The request as messages name it: without its query, which may hold a signature.
    fn what(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        format!(
            "{} {scheme}://{}{}",
            self.method,
            host(&self.uri),
            self.uri.path()
        )
    }
}

/// Host and port of a URI.
pub(crate) fn host(uri: &Uri) -> &str {
    uri.authority().map_or("", |authority| authority.as_str())
}

pub(crate) struct Transport {
    roots: Roots,
    proxies: Arc<Matcher>,
    connect: Duration,
    client: OnceCell<Client<HttpsConnector<Dialer>, Upload>>,
}

impl Transport {
    pub(crate) fn new(roots: Roots, proxies: Arc<Matcher>, connect: Duration) -> Self {
        Self {
            roots,
            proxies,
            connect,
            client: OnceCell::new(),
        }
    }

    /// Made with the first request: reading the roots of the system takes longer than the rest of a host's start.
    async fn client(&self) -> Result<&Client<HttpsConnector<Dialer>, Upload>, BoxError> {
        let make = || async {
            let tls = self.roots.config().await?;
            let connector = hyper_rustls::HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_or_http()
                .enable_all_versions()
                .wrap_connector(Dialer::new(Arc::clone(&self.proxies), self.connect));
            let mut builder = Client::builder(TokioExecutor::new());
            builder
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_FOR)
                .pool_max_idle_per_host(IDLE_CONNECTIONS);
            Ok(builder.build(connector))
        };
        self.client.get_or_try_init(make).await
    }

    /// Sends a request and gives the head of the answer. Follows redirects of requests that read, without
    /// `authorization` once another host (or port, or scheme) is asked.
    pub(crate) async fn send(
        &self,
        ask: &Ask,
        authorization: Option<&HeaderValue>,
        call: &Call,
    ) -> Result<Response<Incoming>, RegistryError> {
        let mut ask = ask.clone();
        let first = ask.uri.clone();
        for _ in 0..=MAX_REDIRECTS {
            let authorization = authorization.filter(|_| same_origin(&first, &ask.uri));
            let response = self.exchange(&ask, authorization, call).await?;
            let reads = ask.method == Method::GET || ask.method == Method::HEAD;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) || !reads {
                return Ok(response);
            }
            ask.uri = resolve(&ask.uri, response.headers().get(LOCATION)).map_err(|reason| {
                RegistryError::Redirect {
                    what: ask.what(),
                    reason: reason.to_owned(),
                }
            })?;
        }
        Err(RegistryError::Redirect {
            what: ask.what(),
            reason: format!("there were {MAX_REDIRECTS} already"),
        })
    }

    async fn exchange(
        &self,
        ask: &Ask,
        authorization: Option<&HeaderValue>,
        call: &Call,
    ) -> Result<Response<Incoming>, RegistryError> {
        let what = ask.what();
        let failed = |hint, source| RegistryError::Connect {
            host: host(&ask.uri).to_owned(),
            hint,
            source,
        };
        let client = self.client().await.map_err(|source| failed("", source))?;
        let mut request = Request::new(Upload::new(ask.body.clone(), call.reporter.clone(), ask.counts));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = ask.uri.clone();
        *request.headers_mut() = ask.headers.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, AGENT);
        headers.remove(HOST);
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        // HTTPS goes through a tunnel, which logs in by itself.
        if ask.uri.scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.proxies.intercept(&ask.uri)
            && let Some(value) = proxy.basic_auth()
        {
            headers.insert(PROXY_AUTHORIZATION, value.clone());
        }

        let mut answer = std::pin::pin!(client.request(request));
        let result = loop {
            // A large upload takes long before there is an answer; as long as bytes leave, it is not idle.
            let before = call.reporter.pulse();
            match timeout_at(call.until(), &mut answer).await {
                Ok(result) => break result,
                Err(_) if call.is_over() => return Err(RegistryError::Deadline { what }),
                Err(_) if call.reporter.pulse() == before => {
                    return Err(RegistryError::Idle {
                        what,
                        after: call.idle,
                    });
                }
                Err(_) => {}
            }
        };
        result.map_err(|error| {
            if error.is_connect() {
                failed(trust::hint(&error), error.into())
            } else {
                RegistryError::Interrupted {
                    what,
                    source: error.into(),
                }
            }
        })
    }
}

impl Call {
    /// When the present wait has lasted too long.
    fn until(&self) -> Instant {
        self.deadline.min(Instant::now() + self.idle)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// The next bytes of a body, or nothing at its end. `what` is for messages.
    pub(crate) async fn chunk(
        &self,
        body: &mut Incoming,
        what: What<'_>,
    ) -> Result<Option<Bytes>, RegistryError> {
        loop {
            match timeout_at(self.until(), body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    // Anything else is trailers.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Ok(Some(Err(error))) => {
                    return Err(RegistryError::Interrupted {
                        what: what(),
                        source: error.into(),
                    });
                }
                Err(_) if self.is_over() => return Err(RegistryError::Deadline { what: what() }),
                Err(_) => {
                    return Err(RegistryError::Idle {
                        what: what(),
                        after: self.idle,
                    });
                }
            }
        }
    }

    /// A whole body of at most `limit` bytes.
    pub(crate) async fn body(
        &self,
        mut body: Incoming,
        limit: u64,
        what: What<'_>,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut body, what).await? {
            let size = bytes.len() as u64 + chunk.len() as u64;
            if size > limit {
                return Err(RegistryError::TooLarge {
                    what: what(),
                    size,
                    limit,
                    hint: "",
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// Where a `Location` points to, seen from `base`.
pub(crate) fn resolve(base: &Uri, location: Option<&HeaderValue>) -> Result<Uri, &'static str> {
    let text = location.and_then(|value| value.to_str().ok());
    let text = text.ok_or("it does not say where to")?;
    let to: Uri = match text.strip_prefix('/') {
        Some(rest) if !rest.starts_with('/') => {
            let mut parts = base.clone().into_parts();
            parts.path_and_query = Some(text.parse().map_err(|_| "its target is no URL")?);
            Uri::from_parts(parts).map_err(|_| "its target is no URL")?
        }
        _ => text.parse().map_err(|_| "its target is no URL")?,
    };
    if to.host().is_none_or(str::is_empty) {
        return Err("its target names no host");
    }
    match (base.scheme_str(), to.scheme_str()) {
        (_, Some("https")) | (Some("http"), Some("http")) => Ok(to),
        (_, Some("http")) => Err("it leads from HTTPS to plain HTTP"),
        _ => Err("its target is neither HTTPS nor HTTP"),
    }
}

/// Whether what is meant for one may be told the other.
pub(crate) fn same_origin(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| {
        uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) {
            443
        } else {
            80
        })
    };
    let same_host = match (one.host(), other.host()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    };
    same_host && one.scheme() == other.scheme() && port(one) == port(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn redirects_lead_to_hosts_and_never_down_to_plain_http() {
        let base = uri("https://r.io/v2/a/blobs/x?y=1");
        let check = |to: &str, expected: Result<&str, &str>| {
            let value = HeaderValue::from_str(to).unwrap();
            let found = resolve(&base, Some(&value)).map(|uri| uri.to_string());
            match expected {
                Ok(text) => assert_eq!(found.as_deref(), Ok(text)),
                Err(part) => assert!(found.unwrap_err().contains(part), "{to}"),
            }
        };
        check("/b?sig=1", Ok("https://r.io/b?sig=1"));
        check("https://cdn.io/b", Ok("https://cdn.io/b"));
        check("http://r.io/b", Err("plain HTTP"));
        check("ftp://r.io/b", Err("neither"));
        check("//cdn.io/b", Err(""));
        check("b", Err("neither"));
        assert!(resolve(&base, None).is_err());
    }

    #[test]
    fn origins() {
        let one = uri("https://r.io/a");
        assert!(same_origin(&one, &uri("https://R.io:443/b")));
        for other in [
            "http://r.io/a",
            "https://r.io:444/a",
            "https://r.io.evil.io/",
            "https://evil.io/",
        ] {
            assert!(!same_origin(&one, &uri(other)), "{other}");
        }
    }
}
