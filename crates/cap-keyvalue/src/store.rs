//! What a key-value backend must do, and the values it does it with. Mentions neither WIT nor wasmtime.
//!
//! Names, keys and values are checked when they are made, so a backend never meets one that is too large. Who may
//! use which bucket, and how long a call may take, is the caller's business.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

/// Longest key in bytes.
pub const MAX_KEY: usize = 1024;

/// Largest value in bytes, 8 MiB. Larger things belong into a blob store.
pub const MAX_VALUE: usize = 8 << 20;

/// Longest bucket name in bytes.
pub const MAX_BUCKET_NAME: usize = 256;

/// Most keys in one page of a listing: with keys of full length a page has 1 MB.
pub const MAX_PAGE: usize = 1000;

/// Most keys in one batch.
pub const MAX_BATCH: usize = 1000;

/// Most bytes of keys and values in one batch, and in the reply to one, 32 MiB.
pub const MAX_BATCH_BYTES: usize = 32 << 20;

/// Why a store did not do what it was asked to. The texts are for the author of the component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The name cannot be the name of a bucket.
    #[error("bucket name {name:?} {reason}")]
    InvalidBucket {
        /// The name as it was given, cut if it is long.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The backend does not create buckets and has none of this name.
    #[error("there is no bucket `{0}`")]
    NoSuchBucket(String),
    /// The backend refuses this caller.
    #[error("access denied")]
    AccessDenied,
    /// Something is larger than its limit.
    #[error("{what} has {size} {unit}, the limit is {limit}")]
    TooLarge {
        /// The thing.
        what: &'static str,
        /// Its size.
        size: usize,
        /// What the size counts.
        unit: &'static str,
        /// The limit.
        limit: usize,
    },
    /// An increment found something else than a decimal number. Starts with the text of v1 (wire reference,
    /// appendix D).
    #[error("Cannot increment a non-numerical value: key `{key}`")]
    NotANumber {
        /// The key.
        key: String,
    },
    /// The incremented number would leave the range of its type.
    #[error("incrementing key `{key}` would leave the range {min} to {max}")]
    Overflow {
        /// The key.
        key: String,
        /// Smallest number that can be returned.
        min: i128,
        /// Largest number that can be returned.
        max: i128,
    },
    /// There is no room.
    #[error("the key-value store is full: {0}")]
    Full(String),
    /// The invocation's time was over first.
    #[error("the invocation's deadline passed while waiting for {0}")]
    Deadline(String),
    /// The provider was stopped.
    #[error("the key-value provider was stopped")]
    Closed,
    /// The provider is on another host, and there is no answer of it that could be used.
    #[error("key-value provider `{target}`: {reason}")]
    Elsewhere {
        /// The provider's id.
        target: String,
        /// Why not, and what to do about it.
        reason: String,
    },
    /// What was asked for has no form in which it could travel to another host.
    #[error(
        "{what} cannot be asked of key-value provider `{target}`, which is on another host: calls travel as \
         `wrpc:keyvalue@0.2.0-draft`, which does not have it; hint: run the provider on the host of the component"
    )]
    CannotTravel {
        /// What was asked for.
        what: &'static str,
        /// The provider's id.
        target: String,
    },
    /// Who calls from another host has no link to the provider. Begins like the text of v1's provider for Redis (wire
    /// reference, appendix D).
    #[error(
        "No link found for component [{component}] with link name `{link}` to key-value provider `{provider}`; hint: \
         put a link for `wasi:keyvalue` between them"
    )]
    NotLinked {
        /// Who calls.
        component: String,
        /// Over which link it says it does.
        link: String,
        /// The provider's id.
        provider: String,
    },
    /// The parameters of a call from another host make no sense.
    #[error("the parameters of `{function}` are malformed: {reason}")]
    Malformed {
        /// The function.
        function: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

/// The name of a bucket: not empty, at most [`MAX_BUCKET_NAME`] bytes, no control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(Arc<str>);

impl BucketName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, StoreError> {
        let invalid = |reason| StoreError::InvalidBucket {
            name: name.chars().take(64).collect(),
            reason,
        };
        if name.is_empty() {
            return Err(invalid("is empty"));
        }
        if name.len() > MAX_BUCKET_NAME {
            return Err(invalid("is longer than 256 bytes"));
        }
        if name.chars().any(char::is_control) {
            return Err(invalid("contains a control character"));
        }
        Ok(Self(name.into()))
    }

    /// A name as a component wrote it, for a store elsewhere that has its own idea of what names are.
    pub(crate) fn as_written(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// A key of at most [`MAX_KEY`] bytes. Any text will do, the empty one too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// Checks a key.
    pub fn new(key: impl Into<String>) -> Result<Self, StoreError> {
        let key = key.into();
        within("the key", key.len(), "bytes", MAX_KEY)?;
        Ok(Self(key))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as owned text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// A value of at most [`MAX_VALUE`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(Bytes);

impl Value {
    /// Checks a value.
    pub fn new(value: impl Into<Bytes>) -> Result<Self, StoreError> {
        let value = value.into();
        within("the value", value.len(), "bytes", MAX_VALUE)?;
        Ok(Self(value))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes, owned.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

fn within(what: &'static str, size: usize, unit: &'static str, limit: usize) -> Result<(), StoreError> {
    if size > limit {
        return Err(StoreError::TooLarge {
            what,
            size,
            unit,
            limit,
        });
    }
    Ok(())
}

/// Refuses a batch with more than [`MAX_BATCH`] keys. Backends call this first.
pub fn check_batch(keys: usize) -> Result<(), StoreError> {
    within("the batch", keys, "keys", MAX_BATCH)
}

/// Refuses a batch of entries with more than [`MAX_BATCH`] keys or [`MAX_BATCH_BYTES`] bytes.
pub fn check_entries(entries: &[(Key, Value)]) -> Result<(), StoreError> {
    check_batch(entries.len())?;
    let bytes = entries
        .iter()
        .map(|(key, value)| key.0.len() + value.0.len())
        .sum();
    within("the batch", bytes, "bytes", MAX_BATCH_BYTES)
}

/// Counts the bytes of a batch reply while it is gathered, so that it never grows beyond [`MAX_BATCH_BYTES`].
#[derive(Debug, Default)]
pub struct ReplyBudget(usize);

impl ReplyBudget {
    /// Adds a value to the reply.
    pub fn take(&mut self, bytes: usize) -> Result<(), StoreError> {
        self.0 = self.0.saturating_add(bytes);
        within("the reply to the batch", self.0, "bytes", MAX_BATCH_BYTES)
    }
}

/// Where a listing goes on. Every backend accepts the cursors it gave out, and `Number` besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// After this key.
    After(String),
    /// A number: for backends in this crate, how many keys to pass over.
    Number(u64),
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the next page starts, if there may be one.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page of at most `limit` keys out of keys in order, of which it takes one more to see whether there is a
    /// next page.
    pub fn collect<E>(keys: impl Iterator<Item = Result<String, E>>, limit: usize) -> Result<Self, E> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut page = Self::default();
        for key in keys {
            if page.keys.len() == limit {
                page.next = page.keys.last().cloned().map(Cursor::After);
                return Ok(page);
            }
            page.keys.push(key?);
        }
        Ok(page)
    }
}

/// Which state of a key was seen. Two versions of one key are equal only if nothing was written between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u64);

impl Version {
    /// The version of a key that is not there.
    pub const ABSENT: Self = Self(0);
}

/// What became of a compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The value was written.
    Done,
    /// The key has another version by now; nothing was written.
    Changed,
}

/// What to add to a number, and which results its type can hold.
///
/// Numbers are decimal text, as the v1 providers for NATS and Redis kept them; a key that is absent or empty counts
/// as 0.
#[derive(Clone, Copy, Debug)]
pub struct Increment {
    by: i128,
    min: i128,
    max: i128,
}

impl Increment {
    /// Adds an unsigned number; the result must be one too.
    pub fn unsigned(by: u64) -> Self {
        Self {
            by: by.into(),
            min: 0,
            max: u64::MAX.into(),
        }
    }

    /// Adds a signed number; the result must be one too.
    pub fn signed(by: i64) -> Self {
        Self {
            by: by.into(),
            min: i64::MIN.into(),
            max: i64::MAX.into(),
        }
    }

    /// What to add, if it is a number that can travel (wire reference §4.6).
    pub(crate) fn delta(&self) -> Option<u64> {
        u64::try_from(self.by).ok()
    }

    /// The number after an increment that was made elsewhere.
    pub(crate) fn made(&self, key: &Key, number: u64) -> Result<i128, StoreError> {
        Some(i128::from(number))
            .filter(|number| (self.min..=self.max).contains(number))
            .ok_or_else(|| self.overflow(key))
    }

    fn overflow(&self, key: &Key) -> StoreError {
        StoreError::Overflow {
            key: key.0.clone(),
            min: self.min,
            max: self.max,
        }
    }

    /// The number after the increment, given the stored value.
    pub fn apply(&self, key: &Key, stored: Option<&[u8]>) -> Result<i128, StoreError> {
        let not_a_number = || StoreError::NotANumber { key: key.0.clone() };
        let current: i128 = match stored {
            None | Some([]) => 0,
            Some(text) => std::str::from_utf8(text)
                .map_err(|_| not_a_number())?
                .trim_ascii()
                .parse()
                .map_err(|_| not_a_number())?,
        };
        match current.checked_add(self.by) {
            Some(sum) if (self.min..=self.max).contains(&sum) => Ok(sum),
            _ => Err(self.overflow(key)),
        }
    }
}

/// A key-value backend: buckets of keys and values.
///
/// A write is done when its call returns: every later read sees it, and a durable backend still has it after the
/// process is killed. Buckets come into being with their first key. A caller that stops waiting for a write does not
/// learn whether it happened.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The value of a key.
    async fn get(&self, bucket: &BucketName, key: &Key) -> Result<Option<Bytes>, StoreError>;

    /// The value of a key and its version, for [`Store::compare_and_set`].
    async fn get_versioned(
        &self,
        bucket: &BucketName,
        key: &Key,
    ) -> Result<(Version, Option<Bytes>), StoreError>;

    /// Whether the key is there.
    async fn exists(&self, bucket: &BucketName, key: &Key) -> Result<bool, StoreError>;

    /// Sets the value of a key.
    async fn set(&self, bucket: &BucketName, key: Key, value: Value) -> Result<(), StoreError>;

    /// Removes a key; one that is not there is no error.
    async fn delete(&self, bucket: &BucketName, key: Key) -> Result<(), StoreError>;

    /// At most `limit` keys (and never more than [`MAX_PAGE`]), from the beginning or from a cursor. Keys that are
    /// there all the time appear once; what is written during a listing may or may not appear.
    async fn list_keys(
        &self,
        bucket: &BucketName,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Adds to a number, as one step: concurrent increments all count. Returns the new number.
    async fn increment(&self, bucket: &BucketName, key: Key, by: Increment) -> Result<i128, StoreError>;

    /// Sets the value if the key still has the given version.
    async fn compare_and_set(
        &self,
        bucket: &BucketName,
        key: Key,
        expected: Version,
        value: Value,
    ) -> Result<Swap, StoreError>;

    /// The values of several keys, in their order.
    async fn get_many(&self, bucket: &BucketName, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// Sets several keys; of a key named twice the last value stays.
    async fn set_many(&self, bucket: &BucketName, entries: Vec<(Key, Value)>) -> Result<(), StoreError>;

    /// Removes several keys; those not there are passed over.
    async fn delete_many(&self, bucket: &BucketName, keys: Vec<Key>) -> Result<(), StoreError>;

    /// Finishes what is under way and lets go of files and connections. Calls made after it fail with
    /// [`StoreError::Closed`].
    async fn close(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keys_and_values_have_limits() {
        assert!(BucketName::new("a bucket/with any name").is_ok());
        for bad in ["", "a\0b", "a\nb", &"x".repeat(MAX_BUCKET_NAME + 1)] {
            assert!(
                matches!(BucketName::new(bad), Err(StoreError::InvalidBucket { .. })),
                "{bad:?} must be refused"
            );
        }
        assert!(Key::new("k".repeat(MAX_KEY)).is_ok());
        assert_eq!(
            Key::new("k".repeat(MAX_KEY + 1)).unwrap_err().to_string(),
            "the key has 1025 bytes, the limit is 1024"
        );
        assert!(Value::new(vec![0; MAX_VALUE]).is_ok());
        assert!(Value::new(vec![0; MAX_VALUE + 1]).is_err());
    }

    #[test]
    fn increments_are_decimal_text_within_their_type() {
        let key = Key::new("n").unwrap();
        let unsigned = |stored: Option<&[u8]>, by| Increment::unsigned(by).apply(&key, stored);
        assert_eq!(unsigned(None, 3), Ok(3));
        assert_eq!(unsigned(Some(b""), 3), Ok(3));
        assert_eq!(unsigned(Some(b"40"), 2), Ok(42));
        assert_eq!(
            unsigned(Some(b"18446744073709551614"), 1),
            Ok(i128::from(u64::MAX))
        );
        assert!(matches!(
            unsigned(Some(b"18446744073709551615"), 1),
            Err(StoreError::Overflow { .. })
        ));
        for text in [&b"forty"[..], b"4.2", b"\xff", b"1 2"] {
            assert!(matches!(
                unsigned(Some(text), 1),
                Err(StoreError::NotANumber { .. })
            ));
        }
        assert_eq!(Increment::signed(-5).apply(&key, Some(b"3")), Ok(-2));
        assert!(
            Increment::signed(-1)
                .apply(&key, Some(i64::MIN.to_string().as_bytes()))
                .is_err()
        );
    }

    #[test]
    fn a_page_knows_whether_another_follows() {
        let keys = |n: usize| (0..n).map(|i| Ok::<_, ()>(format!("k{i}")));
        let page = Page::collect(keys(3), 2).unwrap();
        assert_eq!(page.keys, ["k0", "k1"]);
        assert_eq!(page.next, Some(Cursor::After("k1".into())));
        assert_eq!(Page::collect(keys(2), 2).unwrap().next, None);
        assert_eq!(
            Page::collect(keys(MAX_PAGE + 5), usize::MAX).unwrap().keys.len(),
            MAX_PAGE
        );
    }
}
