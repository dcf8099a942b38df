//! What a registry can be asked for (OCI distribution spec 1.1): tags, manifests and blobs, with login and repetition.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use hyper::body::Incoming;

use crate::answer;
use crate::auth::{Auth, Scope, Step};
use crate::digest::{Digest, Hasher};
use crate::manifest::{self, Descriptor, MAX_MANIFEST_BYTES};
use crate::options::RetryOptions;
use crate::progress::Stage;
use crate::registry_error::RegistryError;
use crate::retry::Backoff;
use crate::transport::{Ask, Call, Transport, What, host, same_origin};

/// The header in which a registry says what a tag means.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// Memory reserved before content comes, in bytes; a size from outside reserves no more.
const FIRST_RESERVE: u64 = 1 << 20;

/// One repository in one registry, for one pull or push.
pub(crate) struct Registry<'a> {
    pub(crate) transport: Arc<Transport>,
    pub(crate) auth: &'a Auth,
    pub(crate) retry: RetryOptions,
    pub(crate) call: Call,
    pub(crate) scope: Scope,
    /// `https://HOST` or `http://HOST`.
    pub(crate) base: Uri,
}

impl Registry<'_> {
    /// The URI of something in this repository, such as `blobs/sha256:…`. Its parts were checked when they were parsed.
    pub(crate) fn uri(&self, rest: &str) -> Uri {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = format!("/v2/{}/{rest}", self.scope.repository).parse().ok();
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// What is asked for, in words for messages.
    pub(crate) fn what(&self, kind: &str, name: &str) -> String {
        format!(
            "{kind} `{name}` in {}/{}",
            self.scope.registry, self.scope.repository
        )
    }

    /// Asks once, logging in if the registry wants that. Gives every success, and whatever status `also` names.
    pub(crate) async fn once(
        &self,
        ask: &Ask,
        also: &[StatusCode],
        what: What<'_>,
    ) -> Result<Response<Incoming>, RegistryError> {
        let accepted = |status: StatusCode| status.is_success() || also.contains(&status);
        // An upload may be continued elsewhere, where nobody is told who we are.
        let home = same_origin(&self.base, &ask.uri);
        let header = self.auth.header(&self.scope).filter(|_| home);
        let mut response = self.transport.send(ask, header.as_ref(), &self.call).await?;
        if accepted(response.status()) {
            return Ok(response);
        }
        let mut advice = None;
        if response.status() == StatusCode::UNAUTHORIZED && home {
            let step = self
                .auth
                .step(
                    &self.transport,
                    &self.base,
                    &self.scope,
                    response.headers(),
                    &self.call,
                )
                .await?;
            match step {
                Step::Refused(text) => advice = Some(text),
                Step::Retry(header) => {
                    response = self.transport.send(ask, Some(&header), &self.call).await?;
                    if accepted(response.status()) {
                        return Ok(response);
                    }
                }
            }
        }
        match answer::failure(response, host(&self.base), what(), &self.call).await {
            RegistryError::Denied {
                what,
                host,
                status,
                detail,
                ..
            } => Err(RegistryError::Denied {
                what,
                host,
                status,
                detail,
                hint: match advice {
                    Some(text) => text,
                    None => self.auth.refused(&self.scope).await,
                },
            }),
            other => Err(other),
        }
    }

    pub(crate) fn backoff(&self) -> Backoff<'_> {
        Backoff::new(&self.retry, self.call.deadline)
    }

    /// What a tag means, by the registry's word, without fetching it: a `HEAD` does not count against the limits of
    /// registries that count pulls. `None` if the registry does not say.
    pub(crate) async fn head(&self, tag: &str) -> Result<Option<Digest>, RegistryError> {
        let ask = Ask::new(Method::HEAD, self.uri(&format!("manifests/{tag}")));
        let ask = ask.header(ACCEPT, HeaderValue::from_static(manifest::ACCEPT));
        let mut backoff = self.backoff();
        loop {
            match self.once(&ask, &[], &|| self.what("manifest", tag)).await {
                Ok(response) => return Ok(said_digest(response.headers())),
                Err(error) => backoff.pause(error, &self.call.reporter).await?,
            }
        }
    }

    /// The manifest or index that a tag or digest names, with its digest. Asked for by digest, it has that digest.
    pub(crate) async fn manifest(
        &self,
        name: &str,
        expected: Option<Digest>,
    ) -> Result<(Digest, Bytes), RegistryError> {
        let ask = Ask::new(Method::GET, self.uri(&format!("manifests/{name}")));
        let ask = ask.header(ACCEPT, HeaderValue::from_static(manifest::ACCEPT));
        let what = || self.what("manifest", name);
        let mut backoff = self.backoff();
        loop {
            let result = async {
                let response = self.once(&ask, &[], &what).await?;
                let said = said_digest(response.headers());
                let bytes = self
                    .call
                    .body(response.into_body(), MAX_MANIFEST_BYTES, &what)
                    .await?;
                Ok((said, bytes))
            };
            match result.await {
                Ok((said, bytes)) => {
                    let got = Digest::of(&bytes);
                    let wrong = |digest: Digest| digest != got;
                    if expected.is_some_and(wrong) || said.is_some_and(wrong) {
                        return Err(RegistryError::Digest { what: what(), got });
                    }
                    return Ok((got, bytes.into()));
                }
                Err(error) => backoff.pause(error, &self.call.reporter).await?,
            }
        }
    }

    /// The content that a descriptor names, verified. Goes on where it stopped when the connection is lost, if the
    /// registry can do that.
    pub(crate) async fn blob(&self, blob: &Descriptor) -> Result<Bytes, RegistryError> {
        let mut part = Part::new(blob);
        let mut restarted = false;
        let mut backoff = self.backoff();
        loop {
            let before = part.bytes.len();
            let error = match self.receive(&mut part).await {
                Ok(()) => match part.verify(|| self.what("blob", &blob.digest.to_string())) {
                    Ok(bytes) => return Ok(bytes),
                    // Pieced together, the parts may have come from servers that disagree; whole, it is wrong.
                    Err(_) if part.resumed && !restarted => {
                        restarted = true;
                        part = Part::new(blob);
                        continue;
                    }
                    Err(error) => return Err(error),
                },
                Err(error) => error,
            };
            if part.bytes.len() > before {
                backoff.progressed();
            }
            backoff.pause(error, &self.call.reporter).await?;
        }
    }

    /// Receives what is missing of a blob.
    async fn receive(&self, part: &mut Part<'_>) -> Result<(), RegistryError> {
        let want = part.blob.size;
        let what = || self.what("blob", &part.blob.digest.to_string());
        let mut ask = Ask::new(Method::GET, self.uri(&format!("blobs/{}", part.blob.digest)));
        let have = part.bytes.len() as u64;
        if have > 0 {
            let range = HeaderValue::from_str(&format!("bytes={have}-"));
            ask.headers.extend(range.ok().map(|range| (RANGE, range)));
        }
        let response = self
            .once(&ask, &[StatusCode::RANGE_NOT_SATISFIABLE], &what)
            .await?;
        let headers = response.headers();
        let resumes = response.status() == StatusCode::PARTIAL_CONTENT && range_starts(headers, have, want);
        if resumes {
            part.resumed = true;
        } else {
            part.start_over();
            if response.status() != StatusCode::OK {
                // It does not do ranges, or not this one; the next try asks for everything.
                return Err(RegistryError::Truncated {
                    what: what(),
                    got: 0,
                    want,
                });
            }
            let said = headers
                .get(CONTENT_LENGTH)
                .and_then(|value| value.to_str().ok()?.parse().ok());
            if let Some(got) = said
                && got != want
            {
                return Err(RegistryError::Length {
                    what: what(),
                    got,
                    want,
                });
            }
        }
        let mut body = response.into_body();
        let reporter = &self.call.reporter;
        reporter.set(Stage::Downloading, part.bytes.len() as u64, want);
        while let Some(chunk) = self.call.chunk(&mut body, &what).await? {
            let got = part.bytes.len() as u64 + chunk.len() as u64;
            if got > want {
                return Err(RegistryError::Length {
                    what: what(),
                    got,
                    want,
                });
            }
            part.push(&chunk);
            reporter.add(chunk.len() as u64);
        }
        let got = part.bytes.len() as u64;
        if got < want {
            return Err(RegistryError::Truncated {
                what: what(),
                got,
                want,
            });
        }
        Ok(())
    }
}

/// As much of a blob as has come.
struct Part<'a> {
    blob: &'a Descriptor,
    bytes: Vec<u8>,
    hasher: Hasher,
    /// Whether the bytes came in more than one answer.
    resumed: bool,
}

impl<'a> Part<'a> {
    fn new(blob: &'a Descriptor) -> Self {
        let reserve = usize::try_from(blob.size.min(FIRST_RESERVE)).unwrap_or(0);
        Self {
            blob,
            bytes: Vec::with_capacity(reserve),
            hasher: Hasher::new(),
            resumed: false,
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        self.hasher.update(chunk);
        self.bytes.extend_from_slice(chunk);
    }

    fn start_over(&mut self) {
        *self = Self::new(self.blob);
    }

    fn verify(&mut self, what: impl Fn() -> String) -> Result<Bytes, RegistryError> {
        let hasher = std::mem::replace(&mut self.hasher, Hasher::new());
        let got = hasher.finish();
        if got == self.blob.digest {
            Ok(std::mem::take(&mut self.bytes).into())
        } else {
            Err(RegistryError::Digest { what: what(), got })
        }
    }
}

fn said_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

/// Whether an answer is the rest that was asked for: `bytes HAVE-LAST/TOTAL`, the total may be `*`.
fn range_starts(headers: &HeaderMap, have: u64, want: u64) -> bool {
    let parsed = || {
        let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let fits = first.parse() == Ok(have)
            && last.parse::<u64>().is_ok_and(|last| last < want)
            && (total == "*" || total.parse() == Ok(want));
        Some(fits)
    };
    parsed().unwrap_or(false)
}
