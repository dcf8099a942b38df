//! What can go wrong with the state.

use wasmcloud_wire::state_api::InvalidName;

use super::MAX_ENTRIES;
use crate::connection::CallError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the state was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The entry is not at the revision that was expected. Nothing was written.
    #[error("`{key}` in bucket {bucket} has changed: expected revision {expected}, it has {}", shown(.current))]
    Conflict {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What was expected; 0 is no entry.
        expected: u64,
        /// What it has, if that is known; 0 is no entry.
        current: Option<u64>,
    },
    /// The bucket is gone: its store was lost, or somebody deleted it.
    #[error(
        "bucket {bucket} is not there any more; hint: it is made again by the next host that starts or watches it"
    )]
    NoBucket {
        /// The bucket.
        bucket: String,
    },
    /// The value is too long. Nothing was written.
    #[error("the value of `{key}` in bucket {bucket} has {size} bytes, {limit}")]
    TooLarge {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// Its length in bytes.
        size: usize,
        /// What is allowed, in words.
        limit: String,
    },
    /// The key cannot be one.
    #[error("use a key of bucket {bucket}")]
    InvalidKey {
        /// The bucket.
        bucket: String,
        /// Why.
        #[source]
        source: InvalidName,
    },
    /// The time to live is shorter than can be kept.
    #[error("a time to live of {0:?} is too short; at least one second is possible")]
    InvalidTtl(std::time::Duration),
    /// The bucket is one that cannot be used, or not for this.
    #[error("bucket {bucket} {problem}; hint: {hint}")]
    WrongBucket {
        /// The bucket.
        bucket: String,
        /// What is wrong.
        problem: String,
        /// What helps.
        hint: &'static str,
    },
    /// A limit of the store is reached. Nothing was written.
    #[error("bucket {bucket} is full: {message}")]
    Full {
        /// The bucket.
        bucket: String,
        /// What the store said.
        message: String,
    },
    /// There are more entries than can be listed.
    #[error("bucket {bucket} has more than {MAX_ENTRIES} entries that begin with `{prefix}`")]
    TooMany {
        /// The bucket.
        bucket: String,
        /// What they begin with.
        prefix: String,
    },
    /// No answer, or no connection. A write may have happened.
    #[error("{operation} in bucket {bucket}: the state is not available")]
    Unavailable {
        /// What was to be done, with the key.
        operation: String,
        /// The bucket.
        bucket: String,
        /// What was waited for.
        #[source]
        source: BoxError,
    },
    /// The server has no JetStream.
    #[error(
        "bucket {bucket} cannot be opened: the server has no JetStream{}; \
         hint: start nats-server with `--jetstream`, or leave out the address to use the embedded lattice",
        .domain.as_ref().map(|domain| format!(" in domain `{domain}`")).unwrap_or_default()
    )]
    NoJetStream {
        /// The bucket.
        bucket: String,
        /// The domain that was asked for.
        domain: Option<String>,
    },
    /// The store answered something that is not known.
    #[error("{operation} in bucket {bucket}: the store said: {message}")]
    Refused {
        /// What was to be done.
        operation: String,
        /// The bucket.
        bucket: String,
        /// What it said.
        message: String,
    },
}

fn shown(revision: &Option<u64>) -> String {
    match revision {
        None => "another".to_owned(),
        Some(0) => "none, there is no such entry".to_owned(),
        Some(revision) => revision.to_string(),
    }
}

impl StateError {
    /// What a failed call means for an operation on a bucket.
    pub(super) fn call(bucket: &str, operation: &str, source: CallError) -> Self {
        Self::Unavailable {
            operation: operation.to_owned(),
            bucket: bucket.to_owned(),
            source: Box::new(source),
        }
    }

    /// An answer that is not of the form that is expected.
    pub(super) fn answer(bucket: &str, operation: &str, source: impl Into<BoxError>) -> Self {
        Self::Unavailable {
            operation: operation.to_owned(),
            bucket: bucket.to_owned(),
            source: source.into(),
        }
    }
}
