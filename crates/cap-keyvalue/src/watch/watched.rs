//! Which changes a link wants to hear of. The config key and its form are those of v1's provider for Redis (wire
//! reference §6.5): `watch: SET@cart,DEL@cart`. New is that a key that ends in `*` stands for all that begin so.

use wasmcloud_capability::ProviderError;

use crate::store::{BucketName, MAX_KEY};

/// The config key that says which changes.
pub(crate) const WATCH: &str = "watch";
/// The config keys of a link to a component that is told of changes.
pub(crate) const KEYS: &[&str] = &[WATCH, "bucket"];
/// Most entries of one link: each write is compared with all of them.
const MAX_ENTRIES: usize = 100;

/// The changes that a link wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    /// The bucket they are in.
    pub(crate) bucket: BucketName,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    is_set: bool,
    key: String,
    /// All keys that begin with `key`.
    is_prefix: bool,
}

impl Watched {
    /// Reads the value of [`WATCH`].
    pub(crate) fn parse(written: &str, bucket: BucketName) -> Result<Self, ProviderError> {
        let invalid = |reason: String| ProviderError::Config {
            key: WATCH.to_owned(),
            reason,
        };
        let mut entries = Vec::new();
        for entry in written
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            let shown: String = entry.chars().take(64).collect();
            let unknown = || invalid(format!("`{shown}` is neither `SET@KEY` nor `DEL@KEY`"));
            let (what, key) = entry.split_once('@').ok_or_else(unknown)?;
            let is_set = match what.to_ascii_uppercase().as_str() {
                "SET" => true,
                "DEL" => false,
                _ => return Err(unknown()),
            };
            if key.is_empty() {
                return Err(invalid(format!(
                    "`{shown}` names no key; `{what}@*` means all keys"
                )));
            }
            if key.len() > MAX_KEY {
                return Err(invalid(format!(
                    "the key of `{shown}…` is longer than {MAX_KEY} bytes"
                )));
            }
            if entries.len() == MAX_ENTRIES {
                return Err(invalid(format!(
                    "it has more than {MAX_ENTRIES} entries; hint: `SET@begin*` stands for all keys that begin so"
                )));
            }
            let prefix = key.strip_suffix('*');
            entries.push(Entry {
                is_set,
                key: prefix.unwrap_or(key).to_owned(),
                is_prefix: prefix.is_some(),
            });
        }
        if entries.is_empty() {
            return Err(invalid(
                "it names no change; for example `SET@cart,DEL@cart`, or `SET@*`".to_owned(),
            ));
        }
        Ok(Self { bucket, entries })
    }

    /// Whether it wants to hear that this key was set, or removed.
    pub(crate) fn wants(&self, bucket: &BucketName, key: &str, is_set: bool) -> bool {
        self.bucket == *bucket
            && self.entries.iter().any(|entry| {
                entry.is_set == is_set
                    && match entry.is_prefix {
                        true => key.starts_with(&entry.key),
                        false => key == entry.key,
                    }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str) -> Result<Watched, String> {
        let bucket = BucketName::new("b").unwrap();
        Watched::parse(written, bucket).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_and_beginnings_of_keys_are_watched() {
        let (b, other) = (BucketName::new("b").unwrap(), BucketName::new("c").unwrap());
        let watched = parse("SET@cart, del@cart ,SET@user:*,").unwrap();
        for (bucket, key, is_set, wanted) in [
            (&b, "cart", true, true),
            (&b, "cart", false, true),
            (&b, "carts", true, false),
            (&b, "user:", true, true),
            (&b, "user:7", true, true),
            (&b, "user:7", false, false),
            (&b, "user", true, false),
            (&other, "cart", true, false),
        ] {
            assert_eq!(
                watched.wants(bucket, key, is_set),
                wanted,
                "{bucket} {key} {is_set}"
            );
        }
        let all = parse("DEL@*").unwrap();
        assert!(all.wants(&b, "", false) && all.wants(&b, "x", false) && !all.wants(&b, "x", true));
        // Only the first `@` divides.
        assert!(parse("SET@a@b").unwrap().wants(&b, "a@b", true));
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for (written, why) in [
            ("", "config key `watch`: it names no change"),
            (" , ", "it names no change"),
            ("cart", "`cart` is neither `SET@KEY` nor `DEL@KEY`"),
            ("GET@cart", "`GET@cart` is neither"),
            ("SET@", "`SET@` names no key; `SET@*` means all keys"),
        ] {
            let error = parse(written).unwrap_err();
            assert!(error.contains(why), "{written}: {error}");
        }
        let many = "SET@k,".repeat(MAX_ENTRIES);
        assert!(parse(&many).is_ok());
        assert!(
            parse(&format!("{many}SET@k"))
                .unwrap_err()
                .contains("more than 100 entries")
        );
        let long = "k".repeat(MAX_KEY + 1);
        assert!(
            parse(&format!("SET@{long}"))
                .unwrap_err()
                .contains("longer than 1024 bytes")
        );
    }
}
