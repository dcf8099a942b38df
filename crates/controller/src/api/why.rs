//! Why the parts of an application are as they are, in the words of the API.

use wasmcloud_wire::app::{PartDecision, ScaleDecision, SpreadDecision};

use super::status::{hosts, of_status, waits};
use crate::planning::{AppReport, PartReport, Share};

/// The decisions about the parts that are meant: all where none is named. A part is named by its id, the ends of a link
/// or what the manifest calls it.
pub(super) fn decisions(report: &AppReport, named: Option<&str>) -> Vec<PartDecision> {
    let parts = || report.scalers.iter().chain(&report.prerequisites);
    let by_name = |part: &&PartReport| named.is_none_or(|named| part.name == named);
    let by_alias = |part: &&PartReport| part.decision.alias.as_deref() == named;
    let found: Vec<_> = parts().filter(by_name).map(decision).collect();
    match found.is_empty() {
        true => parts().filter(by_alias).map(decision).collect(),
        false => found,
    }
}

fn decision(part: &PartReport) -> PartDecision {
    let spread = |share: &Share| SpreadDecision {
        name: share.spread.clone(),
        wanted: share.wanted,
        eligible: share.eligible,
    };
    let scale = part.decision.scale.map(|scale| ScaleDecision {
        wanted: scale.wanted,
        needed: scale.needed,
        load_percent: scale.load,
        queue_us: u64::try_from(scale.queue_time.as_micros()).unwrap_or(u64::MAX),
        text: scale.to_string(),
    });
    PartDecision {
        kind: part.kind.name().to_owned(),
        name: part.name.clone(),
        alias: part.decision.alias.clone(),
        status: of_status(&part.status),
        scale,
        spreads: part.decision.shares.iter().map(spread).collect(),
        hosts: hosts(&part.decision),
        waits: waits(&part.decision),
    }
}
