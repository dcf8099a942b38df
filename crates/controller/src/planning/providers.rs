//! Providers: at most one of each id on a host, on as many hosts as the scaler says.
//!
//! Any provider with the id counts, whoever started it (as in v1, wire reference §8.6): two would answer the same
//! calls. Only our own are stopped. A provider cannot be changed while it runs, so another image or other configs mean
//! a stop and a start, one host after the other.

use std::rc::Rc;

use wasmcloud_core::{AppName, ImageRef};
use wasmcloud_manifest::{DesiredProvider, ScalerKind};

use crate::planning::app::App;
use crate::planning::configs::Unready;
use crate::planning::daemon;
use crate::planning::desk::{self, Desk};
use crate::planning::flow::Flow;
use crate::planning::marks::{self, Hashes, Part};
use crate::planning::observed::{Health, RunningProvider, is_image};
use crate::planning::scaler::{self, eligible, part_kind, remembered, shares};
use crate::planning::status::{PartReport, Status, StatusKind};
use crate::planning::step::{Action, Step};
use crate::planning::view::View;
use crate::planning::why::{Decision, OnHost, Share, Wait};

/// Plans one provider.
pub(crate) fn plan<'a>(
    app: &App<'a>,
    provider: &'a DesiredProvider,
    unready: &Unready<'_>,
    view: &mut View<'a>,
    desk: &mut Desk<'_>,
) -> PartReport {
    let image = meant(provider);
    let text = image.to_string();
    let part = part(app.name, provider, &text);
    scaler::report(app, &part, unready, |hashes, decision| {
        Starting {
            app,
            provider,
            image,
            hashes,
        }
        .plan(view, desk, decision)
    })
}

/// v1 hosts do not know our built-in providers, and our hosts know which image means which of them.
fn meant(provider: &DesiredProvider) -> &ImageRef {
    provider.replaced.as_ref().unwrap_or(&provider.image)
}

fn part<'p>(app: &'p AppName, provider: &'p DesiredProvider, image: &'p str) -> Part<'p> {
    Part {
        kind: part_kind(&provider.scaler),
        app,
        name: &provider.name,
        id: &provider.id,
        image,
        content: None,
        link_suffix: None,
        concurrency: None,
        config: &provider.config,
        secrets: &provider.secrets,
        limits: None,
    }
}

/// What is written on a provider as its revision.
pub(crate) fn revision_of(app: &AppName, provider: &DesiredProvider) -> String {
    part(app, provider, &meant(provider).to_string())
        .hashes()
        .revision
}

/// One provider that may be started.
struct Starting<'p, 'a> {
    app: &'p App<'a>,
    provider: &'a DesiredProvider,
    image: &'p ImageRef,
    hashes: &'p Hashes,
}

impl<'a> Starting<'_, 'a> {
    fn plan(&self, view: &mut View<'a>, desk: &mut Desk<'_>, decision: &mut Decision) -> Status {
        let entries = view.provider(&self.provider.id).to_vec();
        let eligible = eligible(&self.provider.scaler, view, &[]);
        let (wanted, problem) = self.wanted(&eligible, &entries, view, desk, decision);
        let running = |place: usize| {
            entries
                .iter()
                .find(|(at, _)| *at == place)
                .map(|(_, running)| *running)
        };

        let (mut starts, mut replaced, mut surplus) = (Vec::new(), Vec::new(), Vec::new());
        let mut unhealthy = 0;
        for (place, wanted) in wanted.iter().copied().enumerate() {
            let now = running(place);
            if wanted || now.is_some() {
                decision.hosts.extend(view.hosts.get(place).map(|host| OnHost {
                    host: host.id.clone(),
                    runs: u32::from(now.is_some()),
                    wanted: u32::from(wanted),
                }));
            }
            match now {
                None if wanted => starts.push(place),
                Some(running) if wanted => {
                    unhealthy += usize::from(running.health == Health::Unhealthy);
                    if let Some(why) = self.differs(running) {
                        replaced.push((place, why));
                    }
                }
                Some(running) if marks::is_of(&running.annotations, self.app.name) => surplus.push(place),
                _ => {}
            }
        }
        let settled = starts.is_empty() && problem.is_none();
        let changing = starts.len() + replaced.len() + surplus.len();
        let mut waits = Vec::new();
        for place in &starts {
            view.burden(*place);
            waits.extend(self.start(*place, view).map(|step| desk.want(step)));
        }
        if !surplus.is_empty() {
            match settled && replaced.is_empty() {
                true => waits.extend(surplus.iter().filter_map(|place| {
                    Some(desk.want(self.stop(*place, view, "it shall not run here".to_owned())?))
                })),
                false => waits.push(Wait::Additions),
            }
        }
        let mut replaced = replaced.into_iter();
        // One at a time, and only while it runs everywhere else.
        if starts.is_empty()
            && let Some((place, why)) = replaced.next()
        {
            waits.extend(self.stop(place, view, why).map(|step| desk.want(step)));
        }
        if replaced.next().is_some() {
            waits.push(Wait::OneByOne);
        }
        let status = match problem {
            Some(problem) => Status::new(StatusKind::Failed, problem),
            None if changing > 0 => desk::status(&format!("Scaling provider on {changing} host(s)"), &waits),
            None if unhealthy > 0 => Status::new(
                StatusKind::Unhealthy,
                format!("Unhealthy provider on {unhealthy} host(s)"),
            ),
            None => Status::deployed(),
        };
        decision.waits.extend(waits);
        status
    }

    /// On which hosts it shall run, and what to say if those are not enough.
    fn wanted(
        &self,
        eligible: &[Rc<[usize]>],
        entries: &[(usize, &RunningProvider)],
        view: &View<'_>,
        desk: &Desk<'_>,
        decision: &mut Decision,
    ) -> (Vec<bool>, Option<String>) {
        let scaler = &self.provider.scaler;
        let totals = shares(scaler, scaler.instances);
        for ((spread, wanted), hosts) in scaler.spread.iter().zip(&totals).zip(eligible) {
            let (spread, wanted) = (spread.name.clone(), *wanted);
            decision.shares.push(Share {
                spread,
                wanted,
                eligible: hosts.len(),
            });
        }
        let mut problems = Vec::new();
        let mut problem = |base: String, spread: &wasmcloud_manifest::Spread| {
            let labels = view.labels_missing(&spread.requirements);
            decision.waits.push(Wait::Hosts(labels.clone()));
            problems.push(format!("{base} {labels}"));
        };
        let wanted = if scaler.kind == ScalerKind::Daemon {
            for (spread, _) in scaler
                .spread
                .iter()
                .zip(eligible)
                .filter(|(_, hosts)| hosts.is_empty())
            {
                if scaler.instances > 0 {
                    let (name, image) = (&spread.name, self.image);
                    problem(
                        format!("Could not satisfy daemonscaler {name} for {image}, 0 eligible hosts found."),
                        spread,
                    );
                }
            }
            let targets = daemon::targets(scaler, eligible, view.hosts.len());
            targets.counts.into_iter().map(|count| count > 0).collect()
        } else {
            let eligible: Vec<&[usize]> = eligible.iter().map(|hosts| &**hosts).collect();
            let flow = self.divide(&totals, &eligible, entries, view, desk);
            for (place, (spread, total)) in scaler.spread.iter().zip(&totals).enumerate() {
                let short = flow.left(place);
                if short > 0 {
                    let (name, image, found) = (&spread.name, self.image, total - short);
                    problem(
                        format!(
                            "Could not satisfy spread {name} for {image}, {found}/{total} eligible hosts found."
                        ),
                        spread,
                    );
                }
            }
            flow.taken().iter().map(|count| *count > 0).collect()
        };
        (wanted, (!problems.is_empty()).then(|| problems.join(", ")))
    }

    /// Those that cannot be stopped count first, then those that run, then hosts with little to do, and those where it
    /// failed last.
    fn divide<'f>(
        &self,
        totals: &'f [u32],
        eligible: &'f [&'f [usize]],
        entries: &[(usize, &RunningProvider)],
        view: &View<'_>,
        desk: &Desk<'_>,
    ) -> Flow<'f> {
        let is_ours = |running: &RunningProvider| marks::is_of(&running.annotations, self.app.name);
        let mut runs = vec![false; view.hosts.len()];
        let mut set = |place: usize| {
            runs.get_mut(place)
                .is_some_and(|runs| !std::mem::replace(runs, true))
        };
        let mut stages: [Vec<(usize, u32)>; 4] = Default::default();
        let [foreign, ours, free, avoided] = &mut stages;
        for (place, running) in entries {
            set(*place);
            if is_ours(running) {
                &mut *ours
            } else {
                &mut *foreign
            }
            .push((*place, 1));
        }
        let avoid = remembered(&self.provider.id, view, desk, |place, count| {
            if count > 0 && set(place) {
                ours.push((place, 1));
            }
        });
        let mut others: Vec<(usize, usize)> = view
            .rank()
            .into_iter()
            .enumerate()
            .map(|(place, rank)| (rank, place))
            .collect();
        others.sort_unstable();
        for (_, place) in others {
            if runs.get(place) == Some(&false) {
                if avoid.get(place) == Some(&true) {
                    &mut *avoided
                } else {
                    &mut *free
                }
                .push((place, 1));
            }
        }
        let mut flow = Flow::new(totals, eligible, view.hosts.len());
        let mut room = Vec::new();
        for stage in stages {
            room.extend(stage);
            flow.augment(&room);
        }
        flow
    }

    /// Why one of ours has to be started anew.
    fn differs(&self, running: &RunningProvider) -> Option<String> {
        if !marks::is_of(&running.annotations, self.app.name) {
            return None;
        }
        if !is_image(&running.image, self.image) && !is_image(&running.image, &self.provider.image) {
            return Some(format!("it runs from {}, not from {}", running.image, self.image));
        }
        let (id, revision) = (&self.provider.id, &self.hashes.revision);
        let other = self.app.unmarked.is_other(id, &running.annotations, revision);
        other.then(|| "its configs or secrets have changed".to_owned())
    }

    fn start(&self, place: usize, view: &View<'_>) -> Option<Step> {
        let host = view.hosts.get(place)?;
        let spreads = &self.provider.scaler.spread;
        let fits = spreads.iter().filter(|spread| {
            spread
                .requirements
                .iter()
                .all(|(key, value)| host.host.labels.get(key) == Some(value))
        });
        let names: Vec<&str> = fits.map(|spread| spread.name.as_str()).collect();
        Some(Step {
            app: self.app.name.clone(),
            action: Action::StartProvider {
                host: host.id.clone(),
                id: self.provider.id.clone(),
                image: self.image.clone(),
                config: self
                    .provider
                    .config
                    .iter()
                    .chain(&self.provider.secrets)
                    .cloned()
                    .collect(),
                annotations: self.app.annotations(self.hashes, &names),
            },
            why: "it shall run here, it does not run".to_owned(),
        })
    }

    fn stop(&self, place: usize, view: &View<'_>, why: String) -> Option<Step> {
        let host = view.hosts.get(place)?.id.clone();
        let action = Action::StopProvider {
            host,
            id: self.provider.id.clone(),
        };
        Some(Step {
            app: self.app.name.clone(),
            action,
            why,
        })
    }
}
