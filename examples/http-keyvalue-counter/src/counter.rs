//! A counter in the key-value store, and the word in front of it from the configuration.

use crate::wasi::config::store as config;
use crate::wasi::keyvalue::{atomics, store};

/// The link decides which store this is; the bucket is a room in it.
const BUCKET: &str = "default";

pub struct Counter<'a> {
    bucket: store::Bucket,
    name: &'a str,
}

impl<'a> Counter<'a> {
    pub fn open(name: &'a str) -> Result<Self, String> {
        let bucket = store::open(BUCKET).map_err(|error| explain("open the bucket", BUCKET, error))?;
        Ok(Self { bucket, name })
    }

    /// Counts up by one and returns the new count. Counts from several instances never get lost.
    pub fn increment(&self) -> Result<u64, String> {
        atomics::increment(&self.bucket, self.name, 1).map_err(|error| explain("increment", self.name, error))
    }

    /// Forgets the count; the next one is 1.
    pub fn reset(&self) -> Result<(), String> {
        self.bucket
            .delete(self.name)
            .map_err(|error| explain("reset", self.name, error))
    }
}

/// The word in front of a counter.
pub fn prefix() -> Result<String, String> {
    match config::get("prefix") {
        Ok(prefix) => Ok(prefix.unwrap_or_else(|| "Counter".to_owned())),
        Err(config::Error::Upstream(why) | config::Error::Io(why)) => {
            Err(format!("read the configuration: {why}"))
        }
    }
}

fn explain(what: &str, name: &str, error: store::Error) -> String {
    let why = match error {
        store::Error::NoSuchStore => "there is no such store".to_owned(),
        store::Error::AccessDenied => "access denied".to_owned(),
        store::Error::Other(why) => why,
    };
    format!("{what} `{name}`: {why}")
}
