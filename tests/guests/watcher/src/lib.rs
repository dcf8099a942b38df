//! A component that is told of changes of keys, and writes down what it was told into the bucket that it was told of.

use exports::wasi::keyvalue::watcher::Guest;
use wasi::keyvalue::store::Bucket;

wit_bindgen::generate!({ path: "../wit", world: "watcher", generate_all });

struct Watcher;

impl Guest for Watcher {
    /// Copies the value of KEY to `seen/KEY`. A value `trap` is none that it can take.
    fn on_set(bucket: Bucket, key: String, value: Vec<u8>) {
        assert_ne!(value, b"trap", "it was told to");
        note(&bucket, &format!("seen/{key}"), &value);
    }

    /// Sets `gone/KEY`.
    fn on_delete(bucket: Bucket, key: String) {
        note(&bucket, &format!("gone/{key}"), b"");
    }
}

fn note(bucket: &Bucket, key: &str, value: &[u8]) {
    // What the host answers is in its log then, with the trap.
    bucket.set(key, value).expect("the bucket can be written to");
}

export!(Watcher);
