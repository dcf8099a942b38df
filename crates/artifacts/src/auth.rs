//! Logging in to registries: what to send with a request, and what to do when that is not enough.
//!
//! Credentials are looked for when a registry first asks, so no helper program runs for one that does not. What came of
//! it (a header for one registry, repository and right) is a session, kept until it expires or is refused.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use parking_lot::{Mutex, RwLock};
use serde::Deserialize;
use tokio::time::Instant;

use crate::challenge::{self, Challenge, Realm};
use crate::credentials::{Credentials, basic, bearer};
use crate::docker::{self, Docker};
use crate::error::chain;
use crate::reference::registry_key;
use crate::registry_error::RegistryError;
use crate::transport::{Ask, Call, Transport};
use crate::{answer, transport};

/// Most sessions that are remembered; with more, those that expired are forgotten, then all.
const MAX_SESSIONS: usize = 1000;

/// Largest answer of a token server, in bytes.
const MAX_TOKEN_ANSWER: u64 = 256 << 10;

/// How long a token lives if nothing is said (distribution token specification).
const TOKEN_LIFE: Duration = Duration::from_secs(60);

/// Tokens are not used in the last seconds of their life, nor for more than an hour.
const TOKEN_MARGIN: Duration = Duration::from_secs(10);
const TOKEN_MOST: Duration = Duration::from_secs(3600);

/// Who asks whom for what right.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) registry: String,
    pub(crate) repository: String,
    pub(crate) push: bool,
}

struct Session {
    header: HeaderValue,
    expires: Instant,
}

pub(crate) struct Auth {
    credentials: RwLock<BTreeMap<String, Credentials>>,
    sessions: Mutex<HashMap<Scope, Session>>,
    docker: Option<Docker>,
    /// What Docker's config said lately, by registry. The lock is held while it is asked, so that a burst of pulls
    /// starts one helper and not one each.
    looked_up: tokio::sync::Mutex<HashMap<String, (Instant, Known)>>,
}

/// How long an answer of Docker's config counts. Short, so that a `docker login` takes effect.
const LOOKED_UP_LIFE: Duration = Duration::from_secs(30);

/// What was found to log in with, and in words where, for messages.
#[derive(Clone)]
struct Known {
    credentials: Option<Credentials>,
    origin: String,
}

/// What to do about a request that was refused.
pub(crate) enum Step {
    /// Send it again with this header.
    Retry(HeaderValue),
    /// Give up; the text says with what credentials we came and what may help.
    Refused(String),
}

impl Auth {
    pub(crate) fn new(credentials: &BTreeMap<String, Credentials>, docker: Option<Docker>) -> Self {
        let auth = Self {
            credentials: RwLock::default(),
            sessions: Mutex::default(),
            docker,
            looked_up: tokio::sync::Mutex::default(),
        };
        auth.put(credentials);
        auth
    }

    /// Replaces the credentials of these registries and forgets the sessions made with the old.
    pub(crate) fn put(&self, credentials: &BTreeMap<String, Credentials>) {
        let named: BTreeMap<_, _> = credentials
            .iter()
            .map(|(name, value)| (registry_key(name), value.clone()))
            .collect();
        self.sessions
            .lock()
            .retain(|scope, _| !named.contains_key(&scope.registry));
        self.credentials.write().extend(named);
    }

    /// The header to send without being asked.
    pub(crate) fn header(&self, scope: &Scope) -> Option<HeaderValue> {
        if let Some(session) = self.sessions.lock().get(scope)
            && session.expires > Instant::now()
        {
            return Some(session.header.clone());
        }
        match self.credentials.read().get(&scope.registry) {
            Some(Credentials::Token(token)) => bearer(token.reveal()),
            _ => None,
        }
    }

    /// What to do about a 401. `sent` is whether the request carried a session or token of ours.
    pub(crate) async fn step(
        &self,
        transport: &Transport,
        registry: &Uri,
        scope: &Scope,
        headers: &HeaderMap,
        call: &Call,
    ) -> Result<Step, RegistryError> {
        self.sessions.lock().remove(scope);
        let known = self.known(&scope.registry).await;
        if let Some(Credentials::Token(_)) = known.credentials
            && known.origin == EXPLICIT
        {
            return Ok(Step::Refused("the token given for it is not accepted".to_owned()));
        }
        let wrong = |reason: String| RegistryError::Login {
            host: scope.registry.clone(),
            reason,
        };
        let (header, life) = match challenge::read(headers) {
            Ok(Challenge::Basic) => match &known.credentials {
                Some(Credentials::Basic { username, password }) => (basic(username, password), TOKEN_MOST),
                Some(Credentials::Token(token)) => (bearer(token.reveal()), TOKEN_MOST),
                _ => return Ok(Step::Refused(known.advice(&scope.registry))),
            },
            Ok(Challenge::Bearer(realm)) => {
                let token = self.token(transport, registry, scope, &realm, &known, call).await;
                match token {
                    Ok((token, life)) => (bearer(&token), life),
                    Err(RegistryError::Denied { .. }) => {
                        return Ok(Step::Refused(known.advice(&scope.registry)));
                    }
                    Err(RegistryError::Login { host, reason }) => {
                        return Err(RegistryError::Login { host, reason });
                    }
                    Err(source) => {
                        return Err(RegistryError::Token {
                            host: scope.registry.clone(),
                            source: Box::new(source),
                        });
                    }
                }
            }
            Err(schemes) if schemes.is_empty() => {
                return Ok(Step::Refused(known.advice(&scope.registry)));
            }
            Err(schemes) => {
                return Err(wrong(format!(
                    "it offers only {}; Basic and Bearer are known here",
                    schemes.join(", ")
                )));
            }
        };
        let header =
            header.ok_or_else(|| wrong("the credentials hold characters that no header may".to_owned()))?;
        self.remember(scope, &header, life);
        Ok(Step::Retry(header))
    }

    /// What to say when the registry refuses also what it asked for.
    pub(crate) async fn refused(&self, scope: &Scope) -> String {
        self.sessions.lock().remove(scope);
        self.known(&scope.registry).await.advice(&scope.registry)
    }

    fn remember(&self, scope: &Scope, header: &HeaderValue, life: Duration) {
        let now = Instant::now();
        let mut sessions = self.sessions.lock();
        if sessions.len() >= MAX_SESSIONS {
            sessions.retain(|_, session| session.expires > now);
            if sessions.len() >= MAX_SESSIONS {
                sessions.clear();
            }
        }
        let session = Session {
            header: header.clone(),
            expires: now + life,
        };
        sessions.insert(scope.clone(), session);
    }

    /// What there is for a registry. A broken config or helper is no reason not to ask anonymously: most images are
    /// public. If that fails, the message says what was broken.
    async fn known(&self, registry: &str) -> Known {
        if let Some(credentials) = self.credentials.read().get(registry) {
            return Known {
                credentials: Some(credentials.clone()),
                origin: EXPLICIT.to_owned(),
            };
        }
        let Some(docker) = &self.docker else {
            return Known {
                credentials: None,
                origin: String::new(),
            };
        };
        let mut looked_up = self.looked_up.lock().await;
        if let Some((at, known)) = looked_up.get(registry)
            && at.elapsed() < LOOKED_UP_LIFE
        {
            return known.clone();
        }
        let known = match docker::find(docker, registry).await {
            Ok(credentials) => Known {
                origin: credentials
                    .as_ref()
                    .map(|_| docker.config.display().to_string())
                    .unwrap_or_default(),
                credentials,
            },
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(
                    registry,
                    error,
                    "no credentials from Docker's config, going on without"
                );
                Known {
                    credentials: None,
                    origin: error,
                }
            }
        };
        looked_up.retain(|_, (at, _)| at.elapsed() < LOOKED_UP_LIFE);
        looked_up.insert(registry.to_owned(), (Instant::now(), known.clone()));
        known
    }

    async fn token(
        &self,
        transport: &Transport,
        registry: &Uri,
        scope: &Scope,
        realm: &Realm,
        known: &Known,
        call: &Call,
    ) -> Result<(String, Duration), RegistryError> {
        let wrong = |reason: &str| RegistryError::Login {
            host: scope.registry.clone(),
            reason: format!("its token server {reason}"),
        };
        let uri: Uri = realm.url.parse().map_err(|_| wrong("has no usable address"))?;
        match (registry.scheme_str(), uri.scheme_str()) {
            (_, Some("https")) | (Some("http"), Some("http")) => {}
            _ => return Err(wrong("is not asked over HTTPS, so it is told no password")),
        }
        let rights = if scope.push { "pull,push" } else { "pull" };
        let wanted = realm.scope.clone();
        let wanted = wanted.unwrap_or_else(|| format!("repository:{}:{rights}", scope.repository));
        let mut form = format!("scope={}", encode(&wanted));
        if let Some(service) = &realm.service {
            form.push_str(&format!("&service={}", encode(service)));
        }
        let (ask, header) = match &known.credentials {
            Some(Credentials::Identity(token)) => {
                form.push_str("&grant_type=refresh_token&client_id=wash&refresh_token=");
                form.push_str(&encode(token.reveal()));
                let mut ask = Ask::new(Method::POST, uri.clone()).header(
                    CONTENT_TYPE,
                    HeaderValue::from_static("application/x-www-form-urlencoded"),
                );
                ask.body = Bytes::from(form);
                (ask, None)
            }
            other => {
                let header = match other {
                    Some(Credentials::Basic { username, password }) => basic(username, password),
                    Some(Credentials::Token(token)) => bearer(token.reveal()),
                    _ => None,
                };
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                let glue = if path.contains('?') { '&' } else { '?' };
                let mut parts = uri.clone().into_parts();
                let path = format!("{path}{glue}{form}").parse();
                parts.path_and_query = Some(path.map_err(|_| wrong("has no usable address"))?);
                let full = Uri::from_parts(parts).map_err(|_| wrong("has no usable address"))?;
                (Ask::new(Method::GET, full), header)
            }
        };
        let ask = ask.header(ACCEPT, HeaderValue::from_static("application/json"));
        let response = transport.send(&ask, header.as_ref(), call).await?;
        let what = || format!("the token server {}", transport::host(&uri));
        if response.status() != StatusCode::OK {
            return Err(answer::failure(response, transport::host(&uri), what(), call).await);
        }
        let bytes = call.body(response.into_body(), MAX_TOKEN_ANSWER, &what).await?;
        // Without the parser's words, which could quote the token.
        let answer: TokenAnswer =
            serde_json::from_slice(&bytes).map_err(|_| wrong("gave an answer that is no token"))?;
        let token = answer
            .token
            .or(answer.access_token)
            .filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| wrong("gave an answer without token"))?;
        let life = answer.expires_in.map_or(TOKEN_LIFE, Duration::from_secs);
        Ok((token, life.saturating_sub(TOKEN_MARGIN).min(TOKEN_MOST)))
    }
}

/// Where credentials come from that were given to us.
const EXPLICIT: &str = "its settings here";

impl Known {
    fn advice(&self, registry: &str) -> String {
        match (&self.credentials, self.origin.as_str()) {
            (Some(Credentials::Basic { username, .. }), origin) => {
                format!("it does not exist or user `{username}` (from {origin}) may not do this")
            }
            (Some(_), origin) => {
                format!("it does not exist or the token (from {origin}) does not allow this")
            }
            (None, "") => format!(
                "it does not exist or needs a login; hint: `docker login {registry}`, or give credentials for it"
            ),
            (None, broken) => format!("asked without credentials, because of this: {broken}"),
        }
    }
}

/// What a token server answers. Numbers may be missing or, with some servers, null.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Percent-encodes a value of a query or form (RFC 3986, unreserved characters stay).
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
