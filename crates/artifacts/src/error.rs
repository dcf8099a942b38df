//! What goes wrong between a reference and its bytes.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::options::Kind;
use crate::reference::InvalidReference;
use crate::registry_error::RegistryError;

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
    #[error("{} has {size} bytes, the limit is {limit}{}", path.display(), crate::file::limit_hint(*kind))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: Kind,
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
