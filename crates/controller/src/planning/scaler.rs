//! What components and providers have in common: a scaler, hosts it may use, and what keeps both from being placed.

use std::rc::Rc;

use wasmcloud_core::ComponentId;
use wasmcloud_manifest::{Scaler, ScalerKind, Spread};
use wasmcloud_wire::control::FEATURE_LINK_SUFFIX;

use crate::planning::app::App;
use crate::planning::configs::{self, Unready};
use crate::planning::desk::Desk;
use crate::planning::marks::{Hashes, Part};
use crate::planning::share::largest_remainder;
use crate::planning::status::{PartKind, PartReport, Status, StatusKind};
use crate::planning::view::View;
use crate::planning::why::{Decision, Wait};

/// Most hosts that are avoided for one component or provider. Where it fails on more, it is not the hosts' fault, and
/// trying all others in turn would help nobody.
const MAX_AVOIDED: usize = 3;

/// What shall be on the hosts, by their places.
pub(crate) struct Targets<'a> {
    /// How many on each host.
    pub(crate) counts: Vec<u32>,
    /// The names of the spreads that chose a host.
    pub(crate) spreads: Vec<Vec<&'a str>>,
}

/// The hosts that each spread of a scaler may use.
pub(crate) fn eligible<'a>(scaler: &'a Scaler, view: &View<'a>, taken: &[usize]) -> Vec<Rc<[usize]>> {
    let spreads = scaler
        .spread
        .iter()
        .map(|spread| view.eligible(&spread.requirements));
    if taken.is_empty() {
        return spreads.collect();
    }
    let free = |hosts: Rc<[usize]>| {
        hosts
            .iter()
            .copied()
            .filter(|host| !taken.contains(host))
            .collect()
    };
    spreads.map(free).collect()
}

/// The hosts on which no revision can have links of its own.
pub(crate) fn without_own_links(view: &View<'_>) -> Vec<usize> {
    let hosts = view.hosts.iter().enumerate();
    let unfit = hosts.filter(|(_, host)| !host.host.link_suffix);
    unfit.map(|(place, _)| place).collect()
}

/// Says of these hosts why a spread may not use them, if they have its labels; how many there are in place of all ids.
pub(crate) fn unfit_in_words<'a>(unfit: &[usize], spread: &'a Spread, view: &View<'a>) -> String {
    let fitting = view.eligible(&spread.requirements);
    let mut unfit = unfit.iter().filter(|host| fitting.contains(host));
    let Some(host) = unfit.next().and_then(|first| view.hosts.get(*first)) else {
        return String::new();
    };
    let more = match unfit.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "; not for host {}{more}: links of one revision alone, which canary and blue-green rollouts need, are not known \
         there (feature `{FEATURE_LINK_SUFFIX}`)",
        host.id
    )
}

/// How many each spread of a scaler shall have of `instances`, or with a `daemonscaler`, have on each host.
pub(crate) fn shares(scaler: &Scaler, instances: u32) -> Vec<u32> {
    match scaler.kind {
        ScalerKind::Spread => {
            let weights: Vec<u32> = scaler.spread.iter().map(|spread| spread.weight).collect();
            largest_remainder(instances, &weights)
        }
        ScalerKind::Daemon => vec![instances; scaler.spread.len()],
    }
}

/// The kind of the part that a scaler makes.
pub(crate) fn part_kind(scaler: &Scaler) -> PartKind {
    match scaler.kind {
        ScalerKind::Spread => PartKind::Spread,
        ScalerKind::Daemon => PartKind::Daemon,
    }
}

/// The hosts where something failed several times, as far as they are avoided, and what hosts will have of it.
pub(crate) fn remembered(
    id: &ComponentId,
    view: &View<'_>,
    desk: &Desk<'_>,
    mut expected: impl FnMut(usize, u32),
) -> Vec<bool> {
    let mut avoid = vec![false; view.hosts.len()];
    let mut left = MAX_AVOIDED;
    for remembered in desk.memory().of(id) {
        let Some(place) = view.place(remembered.host) else {
            continue;
        };
        if let Some(count) = remembered.expected {
            expected(place, count);
        }
        if let Some(avoid) = avoid.get_mut(place).filter(|_| remembered.avoid && left > 0) {
            *avoid = true;
            left -= 1;
        }
    }
    avoid
}

/// The report on a part: `place` decides where it runs, if its id is free and its configs are there.
pub(crate) fn report(
    app: &App<'_>,
    part: &Part<'_>,
    unready: &Unready<'_>,
    place: impl FnOnce(&Hashes, &mut Decision) -> Status,
) -> PartReport {
    let hashes = part.hashes();
    let mut decision = Decision {
        alias: Some(part.name.to_owned()),
        ..Decision::default()
    };
    let waits = unready.of(part.config.iter().chain(part.secrets));
    let id = part.id;
    let status = match app.claims.id_of_other(id, app.name) {
        Some(by) => {
            decision.waits.push(Wait::Taken {
                what: format!("id `{id}`"),
                by: by.clone(),
            });
            // As v1 says it.
            let text =
                format!("Component identifier '{id}' is already deployed in a different application '{by}'.");
            Status::new(StatusKind::Failed, text)
        }
        None if waits.is_empty() => place(&hashes, &mut decision),
        None => {
            decision.waits = waits;
            configs::unready(&decision.waits)
        }
    };
    PartReport {
        id: hashes.scaler,
        kind: part.kind,
        name: id.to_string(),
        status,
        decision,
    }
}
