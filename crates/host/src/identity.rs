//! Who a host is: its key, the name people remember, its labels.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use nkeys::{KeyPair, KeyPairType};
use parking_lot::RwLock;
use wasmcloud_core::HostId;

/// Labels one host may have.
const MAX_LABELS: usize = 1_000;

/// Name and value of a label that is put while the host runs, in bytes. Kubernetes allows 380.
const MAX_LABEL: usize = 512;

/// Labels with this prefix are set by the host alone (v1 wire reference §1).
const BUILTIN: &str = "hostcore.";

/// The Ed25519 key of a host. Its public half (`N…`) is the host's id.
pub struct HostKey(KeyPair);

/// Text that is not the seed of a host key.
#[derive(Debug, thiserror::Error)]
#[error(
    "the seed is not that of a host; 58 characters that begin with `SN` are expected, as `nk -gen server` makes"
)]
pub struct InvalidSeed;

impl HostKey {
    /// A new key.
    pub fn generate() -> Self {
        Self(KeyPair::new_server())
    }

    /// The key with this seed, `SN…`.
    pub fn from_seed(seed: &str) -> Result<Self, InvalidSeed> {
        // What the library says is left out: it may repeat parts of the seed.
        let pair = KeyPair::from_seed(seed.trim()).map_err(|_| InvalidSeed)?;
        match pair.key_pair_type() {
            KeyPairType::Server => Ok(Self(pair)),
            _ => Err(InvalidSeed),
        }
    }

    /// The public half.
    #[allow(clippy::expect_used, reason = "a public key is letters and digits")]
    pub fn id(&self) -> HostId {
        self.0.public_key().parse().expect("a public key is a name")
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostKey").field(&self.0.public_key()).finish()
    }
}

/// A label that cannot be set or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// It is the host's own.
    #[error("hostcore.* labels cannot be set dynamically")]
    Builtin,
    /// It has no name.
    #[error("a label needs a name")]
    Empty,
    /// It is too long: all labels go into every answer to a ping.
    #[error("name and value of a label may have {MAX_LABEL} bytes, these have {0}")]
    TooLong(usize),
    /// There are too many.
    #[error("this host has {MAX_LABELS} labels, more are not allowed")]
    Full,
}

/// Who a host is. What changes is behind a lock that is held for a copy only.
#[derive(Debug)]
pub struct Identity {
    /// Its public key.
    pub id: HostId,
    /// A name that people can remember; the same for the same key.
    pub friendly_name: String,
    /// The version of its software.
    pub version: &'static str,
    started: Instant,
    labels: RwLock<BTreeMap<String, String>>,
}

impl Identity {
    /// The host with this key. `labels` are those that its owner gave; the ones that every host has are added, and
    /// win: a host does not lie about its processor.
    pub fn new(key: &HostKey, labels: BTreeMap<String, String>) -> Self {
        let id = key.id();
        Self {
            friendly_name: friendly_name(id.as_str()),
            id,
            version: env!("CARGO_PKG_VERSION"),
            started: Instant::now(),
            labels: RwLock::new(labels.into_iter().chain(builtin_labels()).collect()),
        }
    }

    /// All labels now.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.labels.read().clone()
    }

    /// Whether each of these is a label of this host, with the same value.
    pub fn has_labels(&self, wanted: &BTreeMap<String, String>) -> bool {
        let labels = self.labels.read();
        wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// Sets a label.
    pub fn put_label(&self, key: String, value: String) -> Result<(), LabelError> {
        check_label(&key)?;
        let len = key.len() + value.len();
        if len > MAX_LABEL {
            return Err(LabelError::TooLong(len));
        }
        let mut labels = self.labels.write();
        if labels.len() >= MAX_LABELS && !labels.contains_key(&key) {
            return Err(LabelError::Full);
        }
        labels.insert(key, value);
        Ok(())
    }

    /// Removes a label. Says whether it was there.
    pub fn delete_label(&self, key: &str) -> Result<bool, LabelError> {
        check_label(key)?;
        Ok(self.labels.write().remove(key).is_some())
    }

    /// How long this host runs.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

fn check_label(key: &str) -> Result<(), LabelError> {
    if key.is_empty() {
        Err(LabelError::Empty)
    } else if key.starts_with(BUILTIN) {
        Err(LabelError::Builtin)
    } else {
        Ok(())
    }
}

/// The labels that every host has (v1 wire reference §1).
pub fn builtin_labels() -> impl Iterator<Item = (String, String)> {
    [
        ("hostcore.arch", std::env::consts::ARCH),
        ("hostcore.os", std::env::consts::OS),
        ("hostcore.osfamily", std::env::consts::FAMILY),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
}

const ADJECTIVES: [&str; 32] = [
    "amber", "bold", "brave", "bright", "calm", "clear", "clever", "cosy", "crisp", "eager", "fair",
    "gentle", "golden", "happy", "hardy", "keen", "kind", "lively", "lucky", "mellow", "merry", "mild",
    "neat", "noble", "proud", "quick", "quiet", "rapid", "silver", "steady", "swift", "warm",
];
const NOUNS: [&str; 32] = [
    "anchor", "badger", "beacon", "birch", "bridge", "brook", "canyon", "cedar", "comet", "coral", "crane",
    "delta", "falcon", "fern", "forest", "glacier", "harbor", "heron", "island", "lantern", "maple",
    "meadow", "orchid", "otter", "pebble", "pine", "river", "sparrow", "summit", "thicket", "tide", "willow",
];

/// `adjective-noun-NNNN`, as v1 names hosts (wire reference §1), made of the key so that a host that starts again has
/// the name it had. FNV-1a is enough: nothing but looks depends on it.
fn friendly_name(id: &str) -> String {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let pick = |words: &[&'static str; 32], shift: u32| {
        let at = (hash >> shift) as usize % words.len();
        words.get(at).copied().unwrap_or_default()
    };
    format!(
        "{}-{}-{:04}",
        pick(&ADJECTIVES, 40),
        pick(&NOUNS, 50),
        hash % 10_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_host_again() {
        let key = HostKey::generate();
        let seed = key.0.seed().unwrap();
        let again = HostKey::from_seed(&seed).unwrap();
        assert_eq!(key.id(), again.id());
        assert!(key.id().as_str().starts_with('N'));
        let (one, two) = (
            Identity::new(&key, BTreeMap::new()),
            Identity::new(&again, BTreeMap::new()),
        );
        assert_eq!(one.friendly_name, two.friendly_name);
        assert_eq!(one.friendly_name.split('-').count(), 3);
        assert!(!format!("{key:?}").contains(&seed));
    }

    #[test]
    fn other_seeds_are_refused() {
        for seed in ["", "SN", &KeyPair::new_user().seed().unwrap()] {
            assert!(HostKey::from_seed(seed).is_err(), "{seed:?}");
        }
    }

    #[test]
    fn labels() {
        let given = [("region", "eu"), ("hostcore.os", "templeos")];
        let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let identity = Identity::new(&HostKey::generate(), given.into());
        let wanted = |pairs: &[(&str, &str)]| {
            identity.has_labels(
                &pairs
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            )
        };
        assert!(wanted(&[]) && wanted(&[("region", "eu")]) && !wanted(&[("region", "us")]));
        assert!(!wanted(&[("hostcore.os", "templeos")]));
        assert_eq!(
            identity.put_label("hostcore.os".to_owned(), "x".to_owned()),
            Err(LabelError::Builtin)
        );
        assert_eq!(
            identity.put_label(String::new(), "x".to_owned()),
            Err(LabelError::Empty)
        );
        assert_eq!(
            identity.put_label("disk".to_owned(), "x".repeat(MAX_LABEL)),
            Err(LabelError::TooLong(MAX_LABEL + 4))
        );
        identity.put_label("disk".to_owned(), "ssd".to_owned()).unwrap();
        assert_eq!(identity.delete_label("disk"), Ok(true));
        assert_eq!(identity.delete_label("disk"), Ok(false));
        for n in 0..MAX_LABELS {
            identity.put_label(format!("l{n}"), String::new()).ok();
        }
        assert_eq!(
            identity.put_label("one-more".to_owned(), String::new()),
            Err(LabelError::Full)
        );
        assert_eq!(identity.put_label("region".to_owned(), "us".to_owned()), Ok(()));
    }
}
