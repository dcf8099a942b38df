//! What goes wrong with a registry, and what follows from it: whether to try again, whether a cached copy may serve.

use std::time::Duration;

use http::StatusCode;

use crate::digest::Digest;
use crate::error::BoxError;
use crate::manifest::InvalidManifest;
use crate::select::SelectError;

/// What goes wrong with a registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no connection.
    #[error("connect to {host}{hint}")]
    Connect {
        /// Host and port.
        host: String,
        /// What may help, with `; hint: ` in front.
        hint: &'static str,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// The connection ended in the middle.
    #[error("{what} was cut off")]
    Interrupted {
        /// The request.
        what: String,
        /// How.
        #[source]
        source: BoxError,
    },
    /// Nothing came.
    #[error("{what}: nothing came for {} s", after.as_secs_f32())]
    Idle {
        /// The request.
        what: String,
        /// How long nothing came.
        after: Duration,
    },
    /// It took too long in all.
    #[error("{what} did not end in time")]
    Deadline {
        /// The request that was under way.
        what: String,
    },
    /// The registry says that it cannot answer now.
    #[error("{host} answers {status}{detail}{}", retry_after.map(|after| format!("; it asks to come back in {} s", after.as_secs())).unwrap_or_default())]
    Unwell {
        /// Host and port.
        host: String,
        /// 429 or 5xx.
        status: StatusCode,
        /// When to come back, if it said so.
        retry_after: Option<Duration>,
        /// What it said, with `: ` in front.
        detail: String,
    },
    /// The registry does not know us, or knows us and says no.
    #[error("{what}: {host} answers {status}{detail}; {hint}")]
    Denied {
        /// The request.
        what: String,
        /// Host and port.
        host: String,
        /// 401 or 403.
        status: StatusCode,
        /// What it said, with `: ` in front.
        detail: String,
        /// With what credentials we came, and what to do.
        hint: String,
    },
    /// The registry does not have it.
    #[error("the registry has no {what}{detail}")]
    NotFound {
        /// What was asked for.
        what: String,
        /// What it said, with `: ` in front.
        detail: String,
    },
    /// Another status.
    #[error("{what}: unexpected status {status}{detail}")]
    Status {
        /// The request.
        what: String,
        /// The status.
        status: StatusCode,
        /// What it said, with `: ` in front.
        detail: String,
    },
    /// The registry asks for a kind of login that is unknown or unsafe.
    #[error("log in to {host}: {reason}")]
    Login {
        /// Host and port.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The token server did not give a token.
    #[error("get a token for {host}")]
    Token {
        /// The registry.
        host: String,
        /// Why not.
        #[source]
        source: Box<Self>,
    },
    /// A redirect that is not followed.
    #[error("{what}: redirect refused, {reason}")]
    Redirect {
        /// The request.
        what: String,
        /// Why.
        reason: String,
    },
    /// A manifest that cannot be used.
    #[error("manifest {digest} of {repository}")]
    Manifest {
        /// The repository.
        repository: String,
        /// The manifest.
        digest: Digest,
        /// Why not.
        #[source]
        source: InvalidManifest,
    },
    /// The manifest names nothing that fits.
    #[error("manifest {digest} of {repository}")]
    Select {
        /// The repository.
        repository: String,
        /// The manifest.
        digest: Digest,
        /// Why not.
        #[source]
        source: Box<SelectError>,
    },
    /// Content that is not what its digest says.
    #[error("{what}: the content has digest {got}")]
    Digest {
        /// What was asked for, with the digest it should have.
        what: String,
        /// The digest it has.
        got: Digest,
    },
    /// Less content than announced.
    #[error("{what} ends after {got} bytes of {want}")]
    Truncated {
        /// What was asked for.
        what: String,
        /// Bytes received.
        got: u64,
        /// Bytes announced.
        want: u64,
    },
    /// The registry contradicts the manifest about a size.
    #[error("{what}: the registry sends {got} bytes, the manifest says {want}")]
    Length {
        /// What was asked for.
        what: String,
        /// Bytes by its header, or received.
        got: u64,
        /// Bytes by the manifest.
        want: u64,
    },
    /// Over a limit.
    #[error("{what} has {size} bytes, the limit is {limit}{hint}")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// Its size in bytes, or how much of it had come.
        size: u64,
        /// The limit in bytes.
        limit: u64,
        /// How to raise it, with `; hint: ` in front.
        hint: &'static str,
    },
    /// Too many wait already.
    #[error("{0} pulls and pushes wait already")]
    Full(usize),
    /// The task that pulled is gone.
    #[error("the pull was broken off")]
    Aborted,
}

impl RegistryError {
    /// Whether the same request may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Connect { hint, .. } => hint.is_empty(),
            Self::Interrupted { .. } | Self::Idle { .. } | Self::Truncated { .. } => true,
            Self::Unwell { status, .. } => *status != StatusCode::NOT_IMPLEMENTED,
            Self::Token { source, .. } => source.may_pass(),
            _ => false,
        }
    }

    /// Whether the registry failed to answer, as opposed to having answered: then the last good copy may serve. That a
    /// certificate is not believed counts as no answer: the copy was verified when it was pulled, and whoever can
    /// forge a registry could as well cut it off.
    pub(crate) fn is_no_answer(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Interrupted { .. }
            | Self::Idle { .. }
            | Self::Deadline { .. }
            | Self::Unwell { .. } => true,
            Self::Token { source, .. } => source.is_no_answer(),
            _ => false,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unwell { retry_after, .. } => *retry_after,
            Self::Token { source, .. } => source.retry_after(),
            _ => None,
        }
    }
}
