//! The lease: which host's controller leads the lattice (ADR 3).

use serde::{Deserialize, Serialize};
use wasmcloud_core::HostId;

use crate::control::Epoch;
use crate::json::Message;
use crate::limit::MAX_REQUEST;
use crate::text;

/// The key of the lease of the controller, in the bucket [`lease_bucket`](super::lease_bucket).
pub const CONTROLLER_LEASE: &str = "controller";

/// Who has a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// The host.
    #[serde(with = "text")]
    pub holder: HostId,
    /// Its friendly name.
    #[serde(default)]
    pub name: String,
    /// The revision of the write with which it took the lease. Nobody knows it before that write, so it is not stated
    /// there; some may write 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Something of its own for each time that somebody took it: revisions begin anew where the store was lost.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub term: String,
}

impl LeaseRecord {
    /// The epoch of the holder, where `revision` is that of the entry.
    pub fn epoch(&self, revision: u64) -> Option<Epoch> {
        Epoch::new(self.epoch.filter(|epoch| *epoch != 0).unwrap_or(revision))
    }
}

impl Message for LeaseRecord {
    const WHAT: &'static str = "lease record";
    const MAX: usize = MAX_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_write_has_the_epoch_in_its_revision() {
        let check = |text: &str, epoch: u64| {
            let record = LeaseRecord::decode(text.as_bytes()).unwrap();
            assert_eq!(record.epoch(9), Epoch::new(epoch), "{text}");
        };
        check(r#"{"holder":"N1","name":"a"}"#, 9);
        check(r#"{"holder":"N1","name":"a","epoch":0}"#, 9);
        check(r#"{"holder":"N1","epoch":4,"more":true}"#, 4);
        let taken = LeaseRecord {
            holder: "N1".parse().unwrap(),
            name: "a".to_owned(),
            epoch: None,
            term: String::new(),
        };
        assert_eq!(taken.encode(), br#"{"holder":"N1","name":"a"}"#);
        for bad in ["", "{}", r#"{"holder":""}"#, r#"{"holder":"N1","epoch":-1}"#] {
            assert!(LeaseRecord::decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
