//! Components: which of them run where, and what is done about it.
//!
//! A host has one entry for each component id, so several spreads that choose one host add up there. What comes is
//! started first; what goes is stopped when all that comes was seen to run.

use std::collections::HashMap;
use std::rc::Rc;

use wasmcloud_core::{AppName, ComponentId, Limits, LinkSuffix};
use wasmcloud_manifest::{DesiredComponent, Scaler, ScalerKind, Strategy};

use crate::planning::app::App;
use crate::planning::configs::Unready;
use crate::planning::daemon;
use crate::planning::desk::{self, Desk};
use crate::planning::marks::{self, Hashes, Part};
use crate::planning::observed::{Candidate, RunningComponent, is_image};
use crate::planning::scaler::{self, Targets, eligible, part_kind, remembered, shares};
use crate::planning::spread::Division;
use crate::planning::status::{PartReport, Status, StatusKind};
use crate::planning::step::{Action, Step};
use crate::planning::view::View;
use crate::planning::why::{Decision, OnHost, Share, Wait};

/// Plans one component; nothing is said of one that has no scaler.
pub(crate) fn plan<'a>(
    app: &App<'a>,
    component: &'a DesiredComponent,
    unready: &Unready<'_>,
    missing: &HashMap<&ComponentId, Vec<Wait>>,
    view: &mut View<'a>,
    desk: &mut Desk<'_>,
) -> Option<PartReport> {
    let scaler = component.scaler.as_ref()?;
    let image = component.image.to_string();
    let part = part(app.name, component, scaler, &image);
    Some(scaler::report(app, &part, unready, |hashes, decision| {
        if let Some(waits) = missing.get(&component.id) {
            decision.waits.extend(waits.iter().cloned());
            return Status::new(StatusKind::Reconciling, "Waiting for links");
        }
        let image = &image;
        let scale = scaler.auto.and_then(|_| app.scales.get(&component.id));
        decision.scale = scale.copied();
        Scaling {
            app,
            component,
            scaler,
            instances: scale.map_or(scaler.instances, |scale| scale.wanted),
            image,
            hashes,
        }
        .plan(view, desk, decision)
    }))
}

fn part<'p>(app: &'p AppName, component: &'p DesiredComponent, scaler: &Scaler, image: &'p str) -> Part<'p> {
    Part {
        kind: part_kind(scaler),
        app,
        name: &component.name,
        id: &component.id,
        image,
        content: component.content.as_deref(),
        link_suffix: component.link_suffix.as_ref().map(LinkSuffix::as_str),
        concurrency: concurrency(component, scaler),
        config: &component.config,
        secrets: &component.secrets,
        limits: Some(&component.limits),
    }
}

/// How many invocations each host may have at once, where the manifest says another number than that of instances.
fn concurrency(component: &DesiredComponent, scaler: &Scaler) -> Option<u32> {
    let usual = scaler.auto.map_or(scaler.instances, |auto| auto.max);
    Some(component.limits.concurrency).filter(|calls| *calls != usual)
}

/// What is written on a component as its revision; nothing on one that has no scaler.
pub(crate) fn revision_of(app: &AppName, component: &DesiredComponent) -> Option<String> {
    let image = component.image.to_string();
    let scaler = component.scaler.as_ref()?;
    Some(part(app, component, scaler, &image).hashes().revision)
}

/// One component that may be scaled.
struct Scaling<'p, 'a> {
    app: &'p App<'a>,
    component: &'a DesiredComponent,
    scaler: &'a Scaler,
    /// How many there shall be.
    instances: u32,
    image: &'p str,
    hashes: &'p Hashes,
}

/// A change on one host.
struct Change<'a> {
    place: usize,
    target: u32,
    running: Option<&'a RunningComponent>,
    why: String,
}

impl<'a> Scaling<'_, 'a> {
    fn plan(&self, view: &mut View<'a>, desk: &mut Desk<'_>, decision: &mut Decision) -> Status {
        let entries = view.component(&self.component.id).to_vec();
        let is_ours = |running: &RunningComponent| marks::is_of(&running.annotations, self.app.name);
        let (ours, foreign): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(_, running)| is_ours(running));
        let foreign: Vec<usize> = foreign.into_iter().map(|(place, _)| place).collect();
        let mut taken = foreign.clone();
        taken.extend(self.unfit(view));
        let eligible = eligible(self.scaler, view, &taken);
        let targets = self.targets(&eligible, &ours, view, desk);

        let (mut ups, mut downs, mut shifting) = (Vec::new(), Vec::new(), false);
        for (place, target) in targets.counts.iter().copied().enumerate() {
            let running = ours
                .iter()
                .find(|(at, _)| *at == place)
                .map(|(_, running)| *running);
            if target > 0 || running.is_some() {
                decision.hosts.extend(view.hosts.get(place).map(|host| OnHost {
                    host: host.id.clone(),
                    runs: running.map_or(0, |running| running.count),
                    wanted: target,
                }));
            }
            shifting |= running.is_some_and(|running| target > 0 && self.is_other(running));
            if let Some((up, why)) = self.change(target, running, self.candidates(place, view)) {
                let change = Change {
                    place,
                    target,
                    running,
                    why,
                };
                if up { ups.push(change) } else { downs.push(change) }
            }
        }
        let problem = self.unsatisfied(&eligible, &foreign, view, decision);
        let scaling = format!("Scaling component on {} host(s)", ups.len().max(downs.len()));
        let ineligible = !downs.is_empty()
            && downs
                .iter()
                .all(|down| !eligible.iter().any(|hosts| hosts.contains(&down.place)));
        let doing = match ineligible && ups.is_empty() {
            true => "Found components running on ineligible hosts, removing them.",
            false => &scaling,
        };
        // While calls are shifted, what shall run has only some of them.
        let waiting = !ups.is_empty() || problem.is_some() || (shifting && self.app.weight.is_some());
        // What changes and shall have fewer keeps what it has until the others have more.
        let grows = |up: &Change<'_>| up.running.is_none_or(|running| running.count < up.target);
        if problem.is_some() || ups.iter().any(grows) {
            for up in &mut ups {
                up.target = up.target.max(up.running.map_or(0, |running| running.count));
            }
        }
        let changing = !ups.is_empty() || !downs.is_empty();
        let mut waits = self.ask_for_ups(ups, &targets, view, desk);
        match waiting {
            true if !downs.is_empty() => waits.push(Wait::Additions),
            true => {}
            false => waits.extend(
                downs
                    .into_iter()
                    .filter_map(|down| Some(desk.want(self.step(&down, &[], view)?))),
            ),
        }
        let status = match problem {
            Some(problem) => Status::new(StatusKind::Failed, problem),
            None if changing => desk::status(doing, &waits),
            None if shifting => {
                let weight = self.app.weight.unwrap_or_default();
                let text = format!("{weight} % of the calls go to the new revision");
                Status::new(StatusKind::Reconciling, text)
            }
            None => Status::deployed(),
        };
        decision.waits.extend(waits);
        status
    }

    fn targets(
        &self,
        eligible: &[Rc<[usize]>],
        ours: &[(usize, &RunningComponent)],
        view: &View<'_>,
        desk: &Desk<'_>,
    ) -> Targets<'a> {
        if self.scaler.kind == ScalerKind::Daemon {
            return daemon::targets(self.scaler, eligible, view.hosts.len());
        }
        let mut running = vec![0; view.hosts.len()];
        let mut set = |place: usize, count: u32| {
            if let Some(running) = running.get_mut(place) {
                *running = count;
            }
        };
        for (place, component) in ours {
            set(*place, component.count);
        }
        let avoid = remembered(&self.component.id, view, desk, set);
        let eligible: Vec<&[usize]> = eligible.iter().map(|hosts| &**hosts).collect();
        let totals = shares(self.scaler, self.instances);
        let division = Division {
            totals: &totals,
            eligible: &eligible,
            running: &running,
            rank: &view.rank(),
            avoid: &avoid,
            rebalance_over: view.options.rebalance_over,
        };
        let flow = division.divide();
        let names = |host: usize| {
            let spreads = self.scaler.spread.iter().enumerate();
            let chose = spreads.filter(|(spread, _)| flow.given(*spread, host) > 0);
            chose.map(|(_, spread)| spread.name.as_str()).collect()
        };
        Targets {
            spreads: (0..view.hosts.len()).map(names).collect(),
            counts: flow.taken().to_vec(),
        }
    }

    /// What has to change on a host: whether something comes, and why.
    fn change(
        &self,
        target: u32,
        running: Option<&RunningComponent>,
        candidates: bool,
    ) -> Option<(bool, String)> {
        match running {
            None if target == 0 => None,
            None => Some((true, format!("{target} shall run here, it does not run"))),
            Some(running) if target == 0 => Some((false, format!("{} run here, none shall", running.count))),
            Some(running) if self.is_other(running) && self.app.weight.is_some() => {
                let weight = self.app.weight.filter(|_| candidates)?;
                let has = self
                    .candidate(running)
                    .is_some_and(|candidate| candidate.weight == weight);
                (!has).then(|| (true, format!("the new revision gets {weight} % of the calls")))
            }
            Some(running) if !is_image(&running.image, &self.component.image) => Some((
                true,
                format!("it runs from {}, not from {}", running.image, self.image),
            )),
            Some(running) if self.is_other_revision(running) => {
                Some((true, "its configs, secrets or limits have changed".to_owned()))
            }
            Some(running) if running.candidate.is_some() => {
                Some((true, "another revision runs beside it".to_owned()))
            }
            Some(running) if running.count != target => Some((
                running.count < target,
                format!("{} run here, {target} shall", running.count),
            )),
            Some(_) => None,
        }
    }

    fn is_other_revision(&self, running: &RunningComponent) -> bool {
        let (id, revision) = (&self.component.id, &self.hashes.revision);
        self.app.unmarked.is_other(id, &running.annotations, revision)
    }

    /// Whether another revision runs than the one that shall.
    fn is_other(&self, running: &RunningComponent) -> bool {
        !is_image(&running.image, &self.component.image) || self.is_other_revision(running)
    }

    /// The revision that shall run, where it runs beside another one.
    fn candidate<'r>(&self, running: &'r RunningComponent) -> Option<&'r Candidate> {
        let candidate = running.candidate.as_ref()?;
        let revision = candidate.annotations.get(marks::REVISION);
        revision
            .is_some_and(|revision| *revision == self.hashes.revision)
            .then_some(candidate)
    }

    fn candidates(&self, place: usize, view: &View<'_>) -> bool {
        view.hosts.get(place).is_some_and(|host| host.host.candidates)
    }

    /// The hosts that cannot run it whatever their labels.
    fn unfit(&self, view: &View<'_>) -> Vec<usize> {
        match self.component.link_suffix {
            Some(_) => scaler::without_own_links(view),
            None => Vec::new(),
        }
    }

    fn in_place(&self, place: usize, view: &View<'_>) -> bool {
        view.hosts.get(place).is_some_and(|host| host.host.in_place)
    }

    /// The path that the component has to answer before it gets calls: those that come over HTTP are probed.
    fn probe(&self) -> Option<String> {
        let path = self.app.desired.rollout.probe.as_ref()?;
        let mut links = self.app.desired.links.iter().map(|link| &link.link);
        let probed = links.any(|link| {
            link.target == self.component.id && link.namespace == "wasi" && link.package == "http"
        });
        probed.then(|| path.clone())
    }

    fn ask_for_ups(
        &self,
        ups: Vec<Change<'a>>,
        targets: &Targets<'_>,
        view: &mut View<'a>,
        desk: &mut Desk<'_>,
    ) -> Vec<Wait> {
        let strategy = self.app.desired.rollout.strategy;
        let other = |up: &Change<'_>| up.running.is_some_and(|running| self.is_other(running));
        // Nothing new begins before all that was there has ended.
        let ending = strategy == Strategy::Recreate && ups.iter().any(other);
        // Others are changed when the first ones were seen to run, so a revision that cannot start stops there.
        let mut changing = match (strategy, self.app.weight) {
            (Strategy::Rolling, None) => {
                (targets.counts.iter().filter(|count| **count > 0).count() / 4).max(1)
            }
            _ => usize::MAX,
        };
        // A host that cannot replace in place stops first. One such host at a time, and only while all others run.
        let mut gap = ups.iter().any(|up| up.running.is_none());
        let mut waits = Vec::with_capacity(ups.len());
        for up in ups {
            let (other, stops) = (other(&up), self.stops_first(&up, view));
            let alone = targets.counts.iter().filter(|count| **count > 0).count() <= 1;
            let waits_for_others = match ending {
                true => !other,
                false => (stops && gap && !alone) || (other && changing == 0),
            };
            if waits_for_others {
                waits.push(Wait::OneByOne);
                continue;
            }
            gap |= stops;
            if other {
                changing = changing.saturating_sub(1);
            }
            if up.running.is_none() {
                view.burden(up.place);
            }
            let spreads = targets
                .spreads
                .get(up.place)
                .map(Vec::as_slice)
                .unwrap_or_default();
            if let Some(step) = self.step(&up, spreads, view) {
                waits.push(desk.want(step));
            }
        }
        waits
    }

    fn stops_first(&self, change: &Change<'_>, view: &View<'_>) -> bool {
        let recreate = self.app.desired.rollout.strategy == Strategy::Recreate;
        // A v1 host that is told new limits only keeps what it has, annotations included (v1 wire reference §2.4).
        let other = change.running.is_some_and(|running| self.is_other(running));
        (recreate || !self.in_place(change.place, view)) && change.target > 0 && other
    }

    fn step(&self, change: &Change<'_>, spreads: &[&str], view: &View<'_>) -> Option<Step> {
        let host = view.hosts.get(change.place)?.id.clone();
        let id = self.component.id.clone();
        let action = match change.running {
            Some(running) if change.target == 0 || self.stops_first(change, view) => Action::StopComponent {
                host,
                id,
                image: running.image.clone(),
                annotations: running.annotations.clone(),
            },
            running => Action::ScaleComponent {
                host,
                id,
                image: self.component.image.clone(),
                count: change.target,
                annotations: match running {
                    // The spreads of what merely has too many are those it has.
                    Some(running) if spreads.is_empty() => running.annotations.clone(),
                    _ => self.app.annotations(self.hashes, spreads),
                },
                config: self
                    .component
                    .config
                    .iter()
                    .chain(&self.component.secrets)
                    .cloned()
                    .collect(),
                limits: Limits {
                    concurrency: concurrency(self.component, self.scaler).unwrap_or(change.target),
                    ..self.component.limits.clone()
                },
                weight: self
                    .app
                    .weight
                    .filter(|_| running.is_some_and(|running| self.is_other(running))),
                probe: self.probe(),
                links_required: self.app.desired.links_required,
                link_suffix: self.component.link_suffix.clone(),
                allow_update: running.is_some_and(|running| !is_image(&running.image, &self.component.image)),
            },
        };
        Some(Step {
            app: self.app.name.clone(),
            action,
            why: change.why.clone(),
        })
    }

    /// What to say of spreads that no host can take.
    fn unsatisfied(
        &self,
        eligible: &[Rc<[usize]>],
        foreign: &[usize],
        view: &View<'a>,
        decision: &mut Decision,
    ) -> Option<String> {
        let mut problems = Vec::new();
        let totals = shares(self.scaler, self.instances);
        for ((spread, wanted), hosts) in self.scaler.spread.iter().zip(totals).zip(eligible) {
            decision.shares.push(Share {
                spread: spread.name.clone(),
                wanted,
                eligible: hosts.len(),
            });
            if wanted == 0 || !hosts.is_empty() {
                continue;
            }
            let (name, image) = (&spread.name, self.image);
            let base = match self.scaler.kind {
                ScalerKind::Spread => {
                    format!("Could not satisfy spread {name} for {image}, 0/1 eligible hosts found.")
                }
                ScalerKind::Daemon => {
                    format!("Could not satisfy daemonscaler {name} for {image}, 0 eligible hosts found.")
                }
            };
            let mut labels = view.labels_missing(&spread.requirements);
            labels.push_str(&scaler::unfit_in_words(&self.unfit(view), spread, view));
            for host in foreign.iter().filter_map(|place| view.hosts.get(*place)) {
                let what = format!("`{}` on host {}", self.component.id, host.id);
                labels.push_str(&format!("; {what} was not started by this application"));
                decision.waits.push(Wait::Foreign(what));
            }
            decision.waits.push(Wait::Hosts(labels.clone()));
            problems.push(format!("{base} {labels}"));
        }
        (!problems.is_empty()).then(|| problems.join(", "))
    }
}
