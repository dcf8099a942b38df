//! What goes wrong between a reference and its bytes.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::digest::Digest;
use crate::manifest::InvalidManifest;
use crate::reference::InvalidReference;
use crate::select::SelectError;

/// A cause from another library.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why there is no `Artifacts`.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A file with certificates cannot be used.
    #[error("read certificate authorities from {}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: BoxError,
    },
}

/// Why there are no bytes.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no such file.
    #[error("{} does not exist; hint: {}", path.display(), crate::file::build_hint(path))]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The reference is a directory, a pipe or a device.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// The content is over the limit.
    #[error("{} has {size} bytes, the limit is {limit}; hint: raise it with --max-component-size-bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Files are not read on this host.
    #[error(
        "this host does not read files, so not {}; hint: start it with --allow-file-load, or push the image to a \
         registry", path.display()
    )]
    FileRefused {
        /// The file.
        path: PathBuf,
    },
    /// A registry reference where only files are read.
    #[error(
        "{reference} is in a registry, and only files are read here; hint: `wash pull` it and use `file://`"
    )]
    Registry {
        /// The reference.
        reference: String,
    },
    /// A built-in provider has no bytes.
    #[error("`{name}` is a provider inside the host, not an image")]
    Builtin {
        /// Its name.
        name: String,
    },
    /// The reference breaks the grammar.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// The reference changes its meaning with time.
    #[error(
        "`{reference}` means another image tomorrow; hint: name a version (`:1.4.0`) or a digest (`@sha256:…`), or \
         allow it with --allow-latest"
    )]
    Latest {
        /// The reference.
        reference: String,
    },
    /// The registry is not on the list.
    #[error("registry of `{reference}` is not allowed on this host; allowed are {allowed}")]
    NotAllowed {
        /// The reference.
        reference: String,
        /// The list.
        allowed: String,
    },
    /// The registry did not give it.
    #[error("pull {reference}")]
    Pull {
        /// The reference.
        reference: String,
        /// Why not. Shared by all who waited for this pull.
        #[source]
        source: Arc<RegistryError>,
    },
}

/// Why something was not pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The target is a file or a built-in provider.
    #[error("`{0}` is not a reference into a registry; hint: push to `REGISTRY/REPOSITORY:TAG`")]
    NotARegistry(String),
    /// The reference breaks the grammar.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// A digest says what content is; it cannot be chosen.
    #[error("`{0}` has a digest, which follows from the content; hint: push to a tag")]
    ToDigest(String),
    /// `latest` is refused.
    #[error(
        "`{0}` would replace what others run as `latest`; hint: push to a version (`:1.4.0`), or allow it with --allow-latest"
    )]
    Latest(String),
    /// The registry is not on the list.
    #[error("registry of `{reference}` is not allowed; allowed are {allowed}")]
    NotAllowed {
        /// The reference.
        reference: String,
        /// The list.
        allowed: String,
    },
    /// The content is over the limit.
    #[error("the content has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The content is not what it was said to be.
    #[error("this is not a {expected}: {reason}")]
    Content {
        /// What was expected.
        expected: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The registry did not take it.
    #[error("push {reference}")]
    Push {
        /// The reference.
        reference: String,
        /// Why not.
        #[source]
        source: Box<RegistryError>,
    },
}

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

/// An error and its causes in one line, for logs.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
