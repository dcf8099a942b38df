//! State over request and reply, as the embedded lattice serves it (additive to the wasmCloud v1 wire, which has
//! JetStream for this).
//!
//! A request is JSON on the subject `wasmcloud.state.v1.{bucket}`, the reply is JSON to its reply subject:
//!
//! ```text
//! {"op":"get","key":"a"}                                  {"ok":{"entry":{"key":"a","revision":3,"value":"aGk="}}}
//! {"op":"put","key":"a","value":"aGk=","expected":3}      {"ok":{"revision":4}}
//! {"op":"put","key":"a","value":"aGk=","ttl_ms":5000}     {"ok":{"revision":5}}
//! {"op":"delete","key":"a","expected":5}                  {"ok":{"revision":6}}
//! {"op":"list","prefix":"a","after":"ab","limit":100}     {"ok":{"entries":[…],"revision":6,"more":false}}
//!                                                         {"error":{"kind":"conflict","message":"…","revision":4}}
//! ```
//!
//! Values are base64 (standard alphabet, padded). Fields that a reader does not know are ignored. `expected` is the
//! revision of the entry to be replaced or deleted; 0 says that there must be none.
//!
//! Every change of a bucket, deletes and expiries included, takes the next number of the bucket as its revision, by
//! exactly one. A write is answered after it is durable, and after its [`Change`] was published on
//! `wasmcloud.state.v1.{bucket}.changed`; changes come in the order of their revisions.
//!
//! To **watch** a bucket: subscribe to the changes and let a PING/PONG pass, then list, page by page, then apply the
//! changes in their order, leaving out those that are not newer than what is known of their key: the revision of the
//! entry that was listed, or, if none was, the revision that came with the page it would have been on. From then on a
//! revision that is not the last one plus one means that changes were missed, and so does a new connection: list
//! again.

mod names;

use serde::{Deserialize, Serialize};

pub use names::{BucketName, InvalidName, Key, Prefix, StateSubject, Value, ValueTooLong};

/// What all subjects of the state begin with; a dot and the bucket follow.
pub const SUBJECT_PREFIX: &str = "wasmcloud.state.v1";

/// Longest bucket name, in bytes. NATS sets no limit; the longest of v1 is `LATTICEDATA_` and a lattice.
pub const MAX_BUCKET_LEN: usize = 128;

/// Longest key, in bytes. It has to leave room in a change for the value.
pub const MAX_KEY_LEN: usize = 1_024;

/// Longest value, in bytes: as base64, with the longest key, it fits into a NATS message of 1 MiB.
pub const MAX_VALUE_LEN: usize = 700 << 10;

/// Longest request, reply or change, in bytes: the usual `max_payload` of NATS.
pub const MAX_MESSAGE_LEN: usize = 1 << 20;

/// Most entries of one page.
pub const MAX_PAGE_LEN: usize = 1_000;

/// From this many bytes of keys and values (as base64) on a page takes no further entry, so that with one of the
/// longest values it stays below [`MAX_MESSAGE_LEN`].
pub const PAGE_BYTES: usize = 64 << 10;

/// Longest time to live: a hundred years of 365 days, in milliseconds.
pub const MAX_TTL_MS: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;

/// What is asked of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Request {
    /// Read one entry. Answered with [`Done::Got`], or [`ErrorKind::NotFound`].
    Get {
        /// Which.
        key: Key,
    },
    /// Write one entry. Answered with [`Done::Written`], [`ErrorKind::Conflict`] or [`ErrorKind::Full`].
    Put {
        /// Which.
        key: Key,
        /// What.
        value: Value,
        /// The revision it must have; 0 is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
        /// After how many milliseconds it is deleted; without, never, also if the entry it replaces had a time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// Delete one entry. Answered with [`Done::Written`], or [`ErrorKind::Conflict`]. Without `expected` it is no
    /// error, and no change, if there is no such entry: the revision is then that of the bucket.
    Delete {
        /// Which.
        key: Key,
        /// The revision it must have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
    },
    /// Read entries in the order of their keys, as bytes. Answered with [`Done::Page`].
    List {
        /// What the keys begin with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<Prefix>,
        /// Only keys behind this one: the last one of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Key>,
        /// Most entries to answer; never more than [`MAX_PAGE_LEN`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
}

/// A key and what is stored there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The revision of the write that stored it.
    pub revision: u64,
    /// The value.
    pub value: Value,
}

/// What a request that went well is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// What [`Request::Get`] found.
    Got(Entry),
    /// [`Request::Put`] or [`Request::Delete`] is durable, with this revision.
    Written {
        /// The revision.
        revision: u64,
    },
    /// What [`Request::List`] found.
    Page {
        /// The entries, in the order of their keys.
        entries: Vec<Entry>,
        /// The revision of the bucket at the moment that the page shows.
        revision: u64,
        /// Whether keys follow behind the last one.
        more: bool,
    },
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refusal {
    /// The reason, for programs.
    pub kind: ErrorKind,
    /// The reason, for people.
    pub message: String,
    /// With [`ErrorKind::Conflict`]: the revision that the entry has; 0 is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// Reasons to refuse a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The entry has another revision than was expected.
    Conflict,
    /// There is no such entry.
    NotFound,
    /// The value or the request is longer than allowed.
    TooLarge,
    /// The request makes no sense.
    Invalid,
    /// A limit of the lattice is reached, or the disk is full. Nothing was written.
    Full,
    /// It cannot be done now: too many requests wait, or the file cannot be read or written. Whether a write has
    /// happened is not known.
    Unavailable,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// What travels back.
pub type Reply = Result<Done, Refusal>;

/// One change of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The revision of the bucket with this change.
    pub revision: u64,
    /// What changed.
    pub key: Key,
    /// How.
    #[serde(flatten)]
    pub op: ChangeOp,
}

/// How an entry changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum ChangeOp {
    /// It was written.
    Put {
        /// What is there now.
        value: Value,
    },
    /// It was deleted, or its time was over.
    Delete,
}

/// Bytes that are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MAX_MESSAGE_LEN`]; the number is the length in bytes.
    #[error("the message has {0} bytes, the limit is {MAX_MESSAGE_LEN}")]
    TooLong(usize),
    /// Not the JSON that is expected.
    #[error("the message is not what the state expects")]
    Json(#[source] serde_json::Error),
    /// A reply that is neither a result nor an error.
    #[error("the reply has neither `ok` nor `error`, or an `ok` of no known form")]
    Reply,
}

/// The JSON of a reply.
#[derive(Serialize, Deserialize)]
struct RawReply {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok: Option<RawDone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

#[derive(Default, Serialize, Deserialize)]
struct RawDone {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<Entry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<Entry>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

impl Request {
    /// Reads a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes)
    }

    /// The request as it travels.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }
}

impl Change {
    /// Reads a change.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes)
    }

    /// The change as it travels.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }
}

/// Reads a reply.
pub fn decode_reply(bytes: &[u8]) -> Result<Reply, DecodeError> {
    let raw: RawReply = decode(bytes)?;
    match (raw.ok, raw.error) {
        (None, Some(refusal)) => Ok(Err(refusal)),
        (Some(done), None) => {
            let done = match done {
                RawDone {
                    entry: Some(entry), ..
                } => Done::Got(entry),
                RawDone {
                    entries: Some(entries),
                    revision: Some(revision),
                    more: Some(more),
                    ..
                } => Done::Page {
                    entries,
                    revision,
                    more,
                },
                RawDone {
                    entries: None,
                    revision: Some(revision),
                    ..
                } => Done::Written { revision },
                _ => return Err(DecodeError::Reply),
            };
            Ok(Ok(done))
        }
        _ => Err(DecodeError::Reply),
    }
}

/// The reply as it travels.
pub fn encode_reply(reply: &Reply) -> Vec<u8> {
    let (ok, error) = match reply {
        Ok(Done::Got(entry)) => (
            RawDone {
                entry: Some(entry.clone()),
                ..RawDone::default()
            },
            None,
        ),
        Ok(Done::Written { revision }) => (
            RawDone {
                revision: Some(*revision),
                ..RawDone::default()
            },
            None,
        ),
        Ok(Done::Page {
            entries,
            revision,
            more,
        }) => (
            RawDone {
                entries: Some(entries.clone()),
                revision: Some(*revision),
                more: Some(*more),
                entry: None,
            },
            None,
        ),
        Err(refusal) => (RawDone::default(), Some(refusal.clone())),
    };
    let ok = error.is_none().then_some(ok);
    encode(&RawReply { ok, error })
}

fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_MESSAGE_LEN {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    serde_json::from_slice(bytes).map_err(DecodeError::Json)
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Writing to memory cannot fail, and none of the types here has what JSON has not.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
