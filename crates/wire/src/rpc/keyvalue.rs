//! `wrpc:keyvalue@0.2.0-draft`: how `wasi:keyvalue` travels (wire reference §4.6). A bucket is the text with which the
//! component opened it.

use super::macros::{call, record, variant};

/// The interface of values one at a time.
pub const STORE: &str = "wrpc:keyvalue/store@0.2.0-draft";
/// The interface of counters.
pub const ATOMICS: &str = "wrpc:keyvalue/atomics@0.2.0-draft";
/// The interface of values many at a time.
pub const BATCH: &str = "wrpc:keyvalue/batch@0.2.0-draft";
/// The interface of a component that is told of changes.
pub const WATCHER: &str = "wrpc:keyvalue/watcher@0.2.0-draft";

variant! {
    /// Why it did not work.
    Error {
        /// There is no such bucket.
        NoSuchStore = "no-such-store",
        /// The component may not use it.
        AccessDenied = "access-denied",
        /// Something else, in words.
        Other(String) = "other",
    }
}

record! {
    /// Some keys of a bucket.
    KeyResponse {
        /// The keys.
        keys: Vec<String> = "keys",
        /// With what to ask for the next ones; nothing where there are no more.
        cursor: Option<u64> = "cursor",
    }
}

call! {
    /// The value of a key, if it has one.
    Get {
        /// The bucket.
        bucket: String = "bucket",
        /// The key.
        key: String = "key",
    } = "get" @ STORE => Result<Option<Vec<u8>>, Error>
}

call! {
    /// Gives a key a value.
    Set {
        /// The bucket.
        bucket: String = "bucket",
        /// The key.
        key: String = "key",
        /// The value.
        value: Vec<u8> = "value",
    } = "set" @ STORE => Result<(), Error>
}

call! {
    /// Removes a key, if it is there.
    Delete {
        /// The bucket.
        bucket: String = "bucket",
        /// The key.
        key: String = "key",
    } = "delete" @ STORE => Result<(), Error>
}

call! {
    /// Whether a key has a value.
    Exists {
        /// The bucket.
        bucket: String = "bucket",
        /// The key.
        key: String = "key",
    } = "exists" @ STORE => Result<bool, Error>
}

call! {
    /// Some of the keys.
    ListKeys {
        /// The bucket.
        bucket: String = "bucket",
        /// Where the last answer ended.
        cursor: Option<u64> = "cursor",
    } = "list-keys" @ STORE => Result<KeyResponse, Error>
}

call! {
    /// Adds to the number that a key has, and returns the sum.
    Increment {
        /// The bucket.
        bucket: String = "bucket",
        /// The key.
        key: String = "key",
        /// How much.
        delta: u64 = "delta",
    } = "increment" @ ATOMICS => Result<u64, Error>
}

call! {
    /// The keys and values of some keys, in the order asked; nothing for those that have none.
    GetMany {
        /// The bucket.
        bucket: String = "bucket",
        /// The keys.
        keys: Vec<String> = "keys",
    } = "get-many" @ BATCH => Result<Vec<Option<(String, Vec<u8>)>>, Error>
}

call! {
    /// Gives some keys values.
    SetMany {
        /// The bucket.
        bucket: String = "bucket",
        /// The keys and values.
        key_values: Vec<(String, Vec<u8>)> = "key-values",
    } = "set-many" @ BATCH => Result<(), Error>
}

call! {
    /// Removes some keys.
    DeleteMany {
        /// The bucket.
        bucket: String = "bucket",
        /// The keys.
        keys: Vec<String> = "keys",
    } = "delete-many" @ BATCH => Result<(), Error>
}

call! {
    /// Tells a component that a key has a value. v1 components read the bucket as a number (wire reference §5.3).
    OnSet {
        /// The bucket.
        bucket: String = "bucket",
        /// The key.
        key: String = "key",
        /// The value.
        value: Vec<u8> = "value",
    } = "on-set" @ WATCHER => ()
}

call! {
    /// Tells a component that a key was removed.
    OnDelete {
        /// The bucket.
        bucket: String = "bucket",
        /// The key.
        key: String = "key",
    } = "on-delete" @ WATCHER => ()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::{Call, Payload};

    #[test]
    fn calls_are_the_bytes_of_their_parts() {
        let get = Get {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
        };
        assert_eq!(get.to_bytes(), [1, b'b', 1, b'k']);
        let many: <GetMany as Call>::Result = Ok(vec![None, Some(("k".to_owned(), vec![7]))]);
        assert_eq!(many.to_bytes(), [0, 2, 0, 1, 1, b'k', 1, 7]);
        let denied: <Set as Call>::Result = Err(Error::AccessDenied);
        assert_eq!(denied.to_bytes(), [1, 1]);
        assert_eq!(<OnSet as Call>::Result::from_bytes(&[]), Ok(()));
        let keys: <ListKeys as Call>::Result = Ok(KeyResponse {
            keys: vec!["k".to_owned()],
            cursor: Some(300),
        });
        assert_eq!(keys.to_bytes(), [0, 1, 1, b'k', 1, 0xac, 0x02]);
        assert_eq!(
            GetMany::from_bytes(&[1, b'b', 2, 1, b'k', 1, 0xff])
                .unwrap_err()
                .to_string(),
            "keys[1]: the text is not UTF-8 from byte 0 on"
        );
    }
}
