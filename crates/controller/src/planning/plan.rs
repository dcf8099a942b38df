//! From what should run and what does to the steps between, and to what can be said of each application.
//!
//! Pure: the same input gives the same plan, in whatever order things were observed. What may be done is decided in
//! the modules for configs, links, providers, components and leftovers; here they are put together.

use std::collections::HashMap;

use wasmcloud_core::AppName;

use crate::planning::app::{self, App, Ours, Reports};
use crate::planning::autoscale::Scales;
use crate::planning::backoff::Memory;
use crate::planning::claims::{self, Claims};
use crate::planning::desk::Desk;
use crate::planning::leftovers::Leftovers;
use crate::planning::links::Known;
use crate::planning::model::{Application, Lattice, Moment, Options, Revision};
use crate::planning::observed::{Observed, StoreHealth};
use crate::planning::shared::{self, Retained};
use crate::planning::status::{AppReport, PartReport, Status, StatusKind};
use crate::planning::step::Step;
use crate::planning::unmarked::Unmarked;
use crate::planning::view::View;
use crate::planning::why::{Decision, Wait};
use crate::planning::{components, configs, links, providers};

/// What v1 says of an application that is undeployed (wire reference §16).
const UNDEPLOYED: &str = "Manifest has been undeployed";

/// What is to be done, and how things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The epoch of the lease under which this was planned. Whoever carries it out refuses if it has another one.
    pub epoch: u64,
    /// What is to be done, in this order. They count as sent: [`Memory::failed`] is to be told of those that fail.
    pub steps: Vec<Step>,
    /// How each application fares, by name.
    pub reports: Vec<AppReport>,
    /// Applications of which something runs and that the store does not know. They are left alone.
    pub orphans: Vec<Orphan>,
    /// Whether the store was believed. Worse than what was observed where something runs that the store should know.
    pub store: StoreHealth,
}

/// An application that runs and that the store does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its name, as it is written on what runs.
    pub app: String,
    /// How many components and providers of it run.
    pub running: usize,
    /// The greatest generation that is written on any of them. Who puts the application into the store again gives it a
    /// greater one.
    pub generation: u64,
}

/// Decides what is to be done. Steps count as sent, and `memory` remembers them.
pub fn plan(
    lattice: &Lattice,
    observed: &Observed,
    now: Moment,
    memory: &mut Memory,
    options: &Options,
) -> Plan {
    let mut view = View::new(observed, options, now);
    let ours = app::ours(&view);
    let applications = claims::by_name(lattice);
    let store = believe(&observed.store, &applications, &ours);
    let held = match &store {
        StoreHealth::Suspect(why) => Some(Wait::Store(why.clone())),
        StoreHealth::Trusted => observed.partial.then_some(Wait::Partial),
    };
    let claims = Claims::new(&applications, &view);
    let mut desk = Desk::new(memory, now, held, options.max_steps);
    let nothing = Ours::default();
    let mut reports = Vec::with_capacity(applications.len());
    for application in &applications {
        let ours = ours.get(application.name.as_str()).unwrap_or(&nothing);
        reports.push(report(
            (application, &lattice.scales),
            &applications,
            &claims,
            ours,
            &mut view,
            &mut desk,
        ));
    }
    let mut orphans: Vec<Orphan> = ours
        .iter()
        .filter(|(app, _)| {
            applications
                .binary_search_by(|known| known.name.as_str().cmp(app))
                .is_err()
        })
        .map(|(app, ours)| Orphan {
            app: (*app).to_owned(),
            running: ours.components.len() + ours.providers.len(),
            generation: ours.generation,
        })
        .collect();
    orphans.sort_by(|one, other| one.app.cmp(&other.app));
    let steps = desk.finish(|host| view.place(host).is_some());
    Plan {
        epoch: lattice.epoch,
        steps,
        reports,
        orphans,
        store,
    }
}

impl Plan {
    /// How a part of an application fares and what was decided about it: a component or provider by its id or its name
    /// in the manifest, a link by its ends (`a -(wasi:http)-> b`), a config by its name.
    pub fn why(&self, app: &AppName, name: &str) -> Option<(&Status, &Decision)> {
        let report = report_of(&self.reports, app)?;
        let parts = || report.scalers.iter().chain(&report.prerequisites);
        let named = |part: &&PartReport| part.name == name;
        let found = parts()
            .find(named)
            .or_else(|| parts().find(|part| part.decision.alias.as_deref() == Some(name)))?;
        Some((&found.status, &found.decision))
    }
}

/// The report on an application; reports are by name.
pub(crate) fn report_of<'r>(reports: &'r [AppReport], app: &AppName) -> Option<&'r AppReport> {
    let found = reports.binary_search_by(|report| report.app.cmp(app));
    reports.get(found.ok()?)
}

/// What runs tells on a store that has lost writes.
fn believe(told: &StoreHealth, applications: &[&Application], ours: &HashMap<&str, Ours<'_>>) -> StoreHealth {
    if let StoreHealth::Suspect(_) = told {
        return told.clone();
    }
    for application in applications {
        let (name, generation) = (&application.name, application.generation);
        let running = ours.get(name.as_str()).map_or(0, |ours| ours.generation);
        if running > generation {
            return StoreHealth::Suspect(format!(
                "the store has generation {generation} of application {name}, generation {running} of it runs"
            ));
        }
    }
    StoreHealth::Trusted
}

fn report<'a>(
    (application, scales): (&'a Application, &'a Scales),
    applications: &[&'a Application],
    claims: &'a Claims<'a>,
    ours: &Ours<'a>,
    view: &mut View<'a>,
    desk: &mut Desk<'_>,
) -> AppReport {
    let revision = application.deployed.as_ref();
    let desired = revision.map(|revision| &*revision.desired);
    let links = |revision: &'a Revision| revision.desired.links.as_slice();
    let known = Known::new(
        application.revisions().map(links),
        revision.map(links).unwrap_or_default(),
    );
    let mut reports = Reports::default();
    desk.pause(application.paused);
    if let Some(desired) = desired {
        let app = App {
            name: &application.name,
            generation: application.generation,
            weight: application.weight,
            desired,
            claims,
            unmarked: Unmarked::new(application),
            scales,
        };
        let (unready, prerequisites) = configs::plan(&app, view, desk);
        reports.prerequisites = prerequisites;
        let scalers = &mut reports.scalers;
        scalers.extend(
            desired
                .references
                .iter()
                .filter_map(|reference| shared::check(reference, applications)),
        );
        // Links first: components may have to wait for theirs.
        let planned: Vec<PartReport> = desired
            .links
            .iter()
            .map(|link| links::plan(&app, link, &known, &unready, view, desk))
            .collect();
        let missing = links::missing(desired, &planned, view, desk);
        for component in &desired.components {
            scalers.extend(components::plan(&app, component, &unready, &missing, view, desk));
        }
        scalers.extend(planned);
        for provider in &desired.providers {
            scalers.push(providers::plan(&app, provider, &unready, view, desk));
        }
    }
    let settled =
        |part: &PartReport| matches!(part.status.kind, StatusKind::Deployed | StatusKind::Unhealthy);
    let settled = reports.scalers.iter().chain(&reports.prerequisites).all(settled);
    let retained = Retained::new(application, claims);
    let leftovers = Leftovers {
        application,
        claims,
        known: &known,
        ours,
        retained: &retained,
        view,
        settled,
    };
    reports.scalers.extend(leftovers.plan(desk));
    let status = match revision {
        None if reports.scalers.is_empty() => {
            let text = if application.generation > 0 {
                UNDEPLOYED
            } else {
                ""
            };
            Status::new(StatusKind::Undeployed, text)
        }
        _ => Status::of_all(reports.scalers.iter().map(|part| &part.status)),
    };
    AppReport {
        app: application.name.clone(),
        revision: revision.map(|revision| revision.id.clone()),
        status,
        scalers: reports.scalers,
        prerequisites: reports.prerequisites,
    }
}
