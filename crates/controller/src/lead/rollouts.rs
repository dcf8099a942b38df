//! Rollouts under way: how long each step lasts already, and what the store is told when one goes on, ends or is given
//! up. What that depends on is decided by [`judge`].

use std::collections::BTreeMap;
use std::time::Duration;

use wasmcloud_core::AppName;
use wasmcloud_manifest::Rollout;
use wasmcloud_wire::message::chain;

use crate::planning::{
    AppReport, Application, Moment, Observed, Standing, Verdict, judge, report_of, shares,
};
use crate::store::{Snapshot, Store, StoreError};

/// What is known of the rollouts under way. Whoever begins to lead begins anew: a step then lasts longer.
#[derive(Debug, Default)]
pub(crate) struct Rollouts {
    known: BTreeMap<AppName, Known>,
}

#[derive(Debug)]
struct Known {
    generation: u64,
    step: usize,
    begun: Moment,
    /// Since when the share of the step is what runs everywhere.
    reached: Option<Moment>,
}

/// Something the store is to be told.
#[derive(Debug)]
pub(crate) struct Change {
    app: AppName,
    generation: u64,
    step: usize,
    verdict: Verdict,
}

impl Rollouts {
    /// Whether calls are counted for any rollout, so that hosts have to be asked again and again.
    pub(crate) fn count_calls(&self) -> bool {
        self.known.values().any(|known| known.reached.is_some())
    }

    /// Whether there are any.
    pub(crate) fn are_under_way(&self) -> bool {
        !self.known.is_empty()
    }

    /// Looks at all rollouts after a plan, whose reports are by name.
    pub(crate) fn look(
        &mut self,
        snapshot: &Snapshot,
        reports: &[AppReport],
        observed: &Observed,
        now: Moment,
    ) -> Vec<Change> {
        let mut known = std::mem::take(&mut self.known);
        let mut changes = Vec::new();
        for application in &snapshot.applications {
            let name = &application.name;
            let record = snapshot.records.get(name);
            let Some(rollout) = record.and_then(|record| record.rollout.as_ref()) else {
                continue;
            };
            let Some(report) = report_of(reports, name) else {
                continue;
            };
            let Some(policy) = application
                .deployed
                .as_ref()
                .map(|deployed| &deployed.desired.rollout)
            else {
                continue;
            };
            let same = |known: &Known| known.generation == application.generation;
            let mut row = known.remove(name).filter(same).unwrap_or(Known {
                generation: application.generation,
                step: rollout.step,
                begun: now,
                reached: None,
            });
            if row.step != rollout.step {
                (row.step, row.reached) = (rollout.step, None);
            }
            let verdict = row.judge(policy, application, report, observed, now);
            if verdict != Verdict::Wait && !application.paused {
                changes.push(Change {
                    app: name.clone(),
                    generation: application.generation,
                    step: rollout.step,
                    verdict,
                });
            }
            self.known.insert(name.clone(), row);
        }
        changes
    }
}

impl Known {
    fn judge(
        &mut self,
        policy: &Rollout,
        application: &Application,
        report: &AppReport,
        observed: &Observed,
        now: Moment,
    ) -> Verdict {
        let shares = shares(application, observed);
        let reached = application.weight.is_some() && shares.former && shares.reached;
        self.reached = reached.then(|| self.reached.unwrap_or(now));
        let since = |moment: Moment| -> Duration { now.saturating_sub(moment) };
        let standing = Standing {
            reached: self.reached.map(since),
            former: shares.former,
            under_way: since(self.begun),
            calls: shares.calls,
        };
        judge(policy, self.step, report, &standing)
    }
}

/// Tells the store. What is not written down is decided again after the next plan.
pub(crate) async fn write_down(store: &Store, changes: Vec<Change>) {
    for change in changes {
        let app = change.app.clone();
        if let Err(error) = write(store, change).await {
            tracing::warn!(%app, error = chain(&error), "how a rollout goes on could not be written down yet");
        }
    }
}

async fn write(store: &Store, change: Change) -> Result<(), StoreError> {
    let Change {
        app,
        generation,
        step,
        verdict,
    } = change;
    match verdict {
        Verdict::Wait => {}
        Verdict::Step => {
            if store.step_rollout(&app, generation, step).await? {
                tracing::info!(%app, generation, step = step + 1, "the next step of a rollout begins");
            }
        }
        Verdict::Done => {
            if store.end_rollout(&app, generation).await? {
                tracing::info!(%app, generation, "a rollout has taken over");
            }
        }
        Verdict::RollBack(why) => {
            if store.give_up_rollout(&app, generation, &why).await? {
                tracing::warn!(%app, generation, why, "a rollout is given up, the revision before runs again");
            }
        }
    }
    Ok(())
}
