//! How a rollout goes on: when the next share of the calls goes to the new revision, when it has all of them, and when
//! it is given up.
//!
//! A rollout begins with a deployment where another revision was deployed, and ends when the new one is deployed with
//! all of the calls. Which share it has in a step is the policy's; whether a step is over is decided here from what the
//! last plan said and what hosts counted.

use std::time::Duration;

use wasmcloud_manifest::{Rollout, Strategy};
use wasmcloud_wire::Labels;

use crate::planning::backoff::FAILED_AFTER;
use crate::planning::components::revision_of;
use crate::planning::marks;
use crate::planning::model::Application;
use crate::planning::observed::{Calls, Observed, RunningComponent, is_image};
use crate::planning::status::{AppReport, StatusKind};
use crate::planning::unmarked::Unmarked;
use crate::planning::why::Wait;

/// Calls that a new revision has to have answered before the share of those that failed counts.
pub const ENOUGH_CALLS: u64 = 20;

/// How long a link may be refused by a host before a rollout is given up for it: hosts try again by themselves.
pub const REFUSED_FOR: Duration = Duration::from_secs(15);

/// What becomes of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is waited for.
    Wait,
    /// The next step begins.
    Step,
    /// It has succeeded.
    Done,
    /// It is given up, because of this.
    RollBack(String),
}

/// How a rollout stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// How long the present step is what runs everywhere; `None` while it is being made so.
    pub reached: Option<Duration>,
    /// Whether a former revision runs beside the new one.
    pub former: bool,
    /// How long the rollout is under way, as far as whoever leads knows.
    pub under_way: Duration,
    /// How the calls of the new revision went since the rollout began.
    pub calls: Calls,
}

/// How many of a hundred calls a revision gets in a step; `None` where it takes the place of the former one.
pub fn weight(rollout: &Rollout, step: usize) -> Option<u8> {
    match rollout.strategy {
        Strategy::Canary => rollout.steps.get(step).copied(),
        Strategy::BlueGreen => (step == 0).then_some(0),
        Strategy::Rolling | Strategy::Recreate => None,
    }
}

/// Decides what becomes of a rollout in a step.
pub fn judge(rollout: &Rollout, step: usize, report: &AppReport, standing: &Standing) -> Verdict {
    if let Some(why) = failure(rollout, report, standing) {
        return match rollout.rollback {
            true => Verdict::RollBack(why),
            false => Verdict::Wait,
        };
    }
    match weight(rollout, step) {
        None if report.status.kind == StatusKind::Deployed => Verdict::Done,
        None => Verdict::Wait,
        // There is nothing from which calls could be shifted.
        Some(_) if !standing.former && report.status.kind == StatusKind::Deployed => Verdict::Step,
        Some(_) if standing.former && standing.reached.is_some_and(|reached| reached >= pause(rollout)) => {
            Verdict::Step
        }
        Some(_) => Verdict::Wait,
    }
}

/// A policy for several strategies may say nothing of the pause; blue and green then switch at once.
fn pause(rollout: &Rollout) -> Duration {
    match rollout.strategy {
        Strategy::BlueGreen if rollout.pause == Rollout::default().pause => Duration::ZERO,
        _ => rollout.pause,
    }
}

/// What a rollout is given up for: something of it cannot be started, hosts do not take a link, or too many calls fail.
fn failure(rollout: &Rollout, report: &AppReport, standing: &Standing) -> Option<String> {
    for part in report.scalers.iter().chain(&report.prerequisites) {
        for wait in &part.decision.waits {
            match wait {
                Wait::Effect {
                    tries,
                    error: Some(error),
                    ..
                } if *tries >= FAILED_AFTER => {
                    return Some(format!("{} failed {tries} times: {error}", part.name));
                }
                Wait::Refused { host, why } if standing.under_way >= REFUSED_FOR => {
                    return Some(format!("host {host} does not take link {}: {why}", part.name));
                }
                _ => {}
            }
        }
    }
    let Calls { ended, failed } = standing.calls;
    let too_many = failed.saturating_mul(10_000) > ended.saturating_mul(rollout.max_failures.into());
    (rollout.strategy == Strategy::Canary && ended >= ENOUGH_CALLS && too_many)
        .then(|| format!("{failed} of {ended} calls of the new revision failed"))
}

/// What hosts have of a rollout that shifts calls bit by bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Whether a former revision of any component runs at all.
    pub former: bool,
    /// Whether the share of the present step is what all hosts have that run one.
    pub reached: bool,
    /// How the calls of the deployed revision went beside it.
    pub calls: Calls,
}

/// Looks at what hosts have of the rollout of an application.
pub fn shares(application: &Application, observed: &Observed) -> Shares {
    let mut shares = Shares {
        reached: true,
        ..Shares::default()
    };
    let unmarked = Unmarked::new(application);
    let deployed = application.deployed.iter();
    for component in deployed.flat_map(|deployed| &deployed.desired.components) {
        let Some(revision) = revision_of(&application.name, component) else {
            continue;
        };
        let is_new = |annotations: &Labels| annotations.get(marks::REVISION) == Some(&revision);
        let is_former = |running: &&RunningComponent| {
            unmarked.is_other(&component.id, &running.annotations, &revision)
                || !is_image(&running.image, &component.image)
        };
        for host in observed.hosts.values() {
            let running = host.components.get(&component.id);
            let ours = running.filter(|running| marks::is_of(&running.annotations, &application.name));
            let Some(running) = ours.filter(is_former) else {
                continue;
            };
            shares.former = true;
            match &running.candidate {
                Some(candidate) if is_new(&candidate.annotations) => {
                    shares.reached &= Some(candidate.weight) == application.weight;
                    shares.calls.ended += candidate.calls.ended;
                    shares.calls.failed += candidate.calls.failed;
                }
                // Others cannot have this one beside the former, and change when all calls do.
                _ => {
                    let has_links = component.link_suffix.is_none() || host.link_suffix;
                    shares.reached &= !(host.candidates && has_links);
                }
            }
        }
    }
    shares
}
