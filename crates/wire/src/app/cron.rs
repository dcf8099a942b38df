//! What a lattice remembers of a function that is called by the clock (trait `cron`), in the bucket of the applications.
//!
//! Moments are whole seconds since 1970, as the clock of the host that leads has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmcloud_core::AppName;

use crate::json::Message;
use crate::limit::{self, MAX_REQUEST};

/// What keys of [`CronRecord`]s begin with.
pub const CRON_PREFIX: &str = "CRON_";

/// Most calls of one trigger that are under way at the same time.
pub const MAX_CLAIMS: usize = 16;

/// The key of a trigger of an application; `hash` tells its triggers apart. Names of applications have no dot.
pub fn cron_key(app: &AppName, hash: &str) -> String {
    format!("{CRON_PREFIX}{app}.{hash}")
}

/// A trigger: up to when its ticks are settled, and what became of the last one. Only written by compare-and-set: who
/// writes a tick as settled is the one who calls for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronRecord {
    /// The component that is called, for people.
    #[serde(default)]
    pub component: String,
    /// The function that is called, for people.
    #[serde(default)]
    pub function: String,
    /// The schedule with its time zone, for people.
    #[serde(default)]
    pub schedule: String,
    /// All ticks up to this moment are settled: called for, skipped or missed.
    pub settled: u64,
    /// The calls that were claimed and of which nobody has told yet what became of them.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "limit::list::<_, _, MAX_CLAIMS>"
    )]
    pub claims: Vec<CronClaim>,
    /// The last tick that was missed and is still to be called for; only where the manifest says `missed: once`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed: Option<CronOwed>,
    /// What became of the last tick of which that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<CronLast>,
    /// Fields of newer versions, kept.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A call that somebody makes, and nobody else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronClaim {
    /// The tick.
    pub tick: u64,
    /// Who makes it: different for each time that a host begins to lead.
    pub by: String,
    /// Until when it is known what became of it; later, whoever made it is gone.
    pub until: u64,
}

/// A call that is still to be made for missed ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronOwed {
    /// The last of the ticks.
    pub tick: u64,
    /// Not before this moment.
    pub from: u64,
}

/// What became of a tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronLast {
    /// The tick.
    pub tick: u64,
    /// What became of it.
    pub outcome: CronOutcome,
    /// Why, where it was not called or the call failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// How long the call took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CronOutcome {
    /// The function was called and returned.
    Ok,
    /// It was called and failed, or refused.
    Failed,
    /// It was not called, because an earlier call still ran.
    Skipped,
    /// It was not called, because nobody led or the component did not run.
    Missed,
    /// Something that is not known here.
    #[default]
    #[serde(other)]
    Other,
}

impl Message for CronRecord {
    const WHAT: &'static str = "cron record";
    const MAX: usize = MAX_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = CronRecord {
            settled: 60,
            claims: vec![CronClaim {
                tick: 60,
                by: "a".to_owned(),
                until: 95,
            }],
            owed: Some(CronOwed { tick: 30, from: 70 }),
            last: Some(CronLast {
                tick: 0,
                outcome: CronOutcome::Failed,
                error: "trap".to_owned(),
                took_ms: Some(3),
            }),
            ..CronRecord::default()
        };
        assert_eq!(CronRecord::decode(&record.encode()).unwrap(), record);
        let newer = br#"{"settled":1,"later":true,"last":{"tick":1,"outcome":"postponed"}}"#;
        let read = CronRecord::decode(newer).unwrap();
        assert_eq!(read.last.as_ref().unwrap().outcome, CronOutcome::Other);
        assert!(
            String::from_utf8(read.encode())
                .unwrap()
                .contains(r#""later":true"#)
        );
        let claims = vec![CronClaim::default(); MAX_CLAIMS + 1];
        let many = CronRecord {
            claims,
            ..CronRecord::default()
        };
        assert!(CronRecord::decode(&many.encode()).is_err());
        assert_eq!(cron_key(&"shop".parse().unwrap(), "1f"), "CRON_shop.1f");
    }
}
