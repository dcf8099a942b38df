//! What a plan may take away: nothing that is still needed, as far as whoever plans can see.

use std::collections::BTreeMap;

use wasmcloud_controller::{Action, Application, Lattice, Observed, Options, Plan, marks};
use wasmcloud_core::{AppName, ComponentId, HostId, Link, LinkSuffix};
use wasmcloud_manifest::{DesiredComponent, ScalerKind};

use crate::leader::time;
use crate::truth::Checked;

/// Instances of a component on a host: how many, from which image.
type Entries<'o> = BTreeMap<&'o HostId, (u32, &'o str)>;

pub(crate) fn check(lattice: &Lattice, observed: &Observed, plan: &Plan, now: u64) -> Checked {
    configs_are_there(lattice, observed, plan)?;
    what_others_use_stays(lattice, plan)?;
    revisions_have_their_links(lattice, observed, plan)?;
    additions_come_first(lattice, observed, plan, now)
}

/// What uses a config of its application finds the right values.
fn configs_are_there(lattice: &Lattice, observed: &Observed, plan: &Plan) -> Checked {
    for step in &plan.steps {
        let used: Vec<_> = match &step.action {
            Action::ScaleComponent { config, .. } | Action::StartProvider { config, .. } => {
                config.iter().collect()
            }
            Action::PutLink(link) | Action::TurnLink { link, .. } => {
                link.source_config.iter().chain(&link.target_config).collect()
            }
            _ => continue,
        };
        let app = lattice.applications.iter().find(|app| app.name == step.app);
        let Some(revision) = app.and_then(|app| app.deployed.as_ref()) else {
            return Err(format!("{step}, for an application that is not deployed"));
        };
        for name in used {
            if revision.desired.configs.get(name) != observed.configs.get(name) {
                return Err(format!("{step}, and config {name} is not as it should be"));
            }
        }
    }
    Ok(())
}

/// No revision gets calls of another one before its own links are there, and none loses them before its calls have ended.
fn revisions_have_their_links(lattice: &Lattice, observed: &Observed, plan: &Plan) -> Checked {
    let own = |id: &ComponentId, suffix: &LinkSuffix, link: &Link| {
        link.source == *id && link.name.parts().is_some_and(|(_, of)| of == *suffix)
    };
    for step in &plan.steps {
        let app = lattice.applications.iter().find(|app| app.name == step.app);
        let Some(revision) = app.and_then(|app| app.deployed.as_ref()) else {
            continue;
        };
        match &step.action {
            Action::ScaleComponent {
                host,
                id,
                link_suffix: Some(suffix),
                ..
            } => {
                let running = observed.hosts.get(host).and_then(|host| host.components.get(id));
                let Some(running) = running.filter(|it| it.link_suffix.as_ref() != Some(suffix)) else {
                    continue;
                };
                let mut links = revision.desired.links.iter().map(|it| &it.link);
                let missing = links.find(|link| own(id, suffix, link) && !observed.links.contains(link));
                if let Some(link) = missing {
                    let with = &running.link_suffix;
                    return Err(format!(
                        "{step}, where one with {with:?} runs, and {link} is not there"
                    ));
                }
            }
            Action::DeleteLink(key) => {
                let Some((_, suffix)) = key.name.parts() else {
                    continue;
                };
                // On hosts of v1 a link is put right by a deletion.
                if revision.desired.links.iter().any(|it| it.link.key() == *key) {
                    continue;
                }
                for (host, it) in &observed.hosts {
                    let Some(running) = it.components.get(&key.source) else {
                        continue;
                    };
                    let candidate = running.candidate.iter().map(|candidate| &candidate.link_suffix);
                    let mut all = candidate.chain([&running.link_suffix]).chain(&running.leaving);
                    if all.any(|of| of.as_ref() == Some(&suffix)) {
                        return Err(format!("{step}, and {host} has calls that need it"));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// An application that is undeployed keeps what others use.
fn what_others_use_stays(lattice: &Lattice, plan: &Plan) -> Checked {
    let deployed = lattice
        .applications
        .iter()
        .filter_map(|app| app.deployed.as_ref());
    let used: Vec<&ComponentId> = deployed
        .flat_map(|revision| &revision.desired.references)
        .map(|reference| &reference.id)
        .collect();
    for app in lattice.applications.iter().filter(|app| app.deployed.is_none()) {
        let stops = plan
            .steps
            .iter()
            .filter(|step| step.app == app.name)
            .find(|step| match &step.action {
                Action::StopComponent { id, .. } | Action::StopProvider { id, .. } => used.contains(&id),
                _ => false,
            });
        if let Some(step) = stops {
            return Err(format!("{step}, and others use it"));
        }
    }
    Ok(())
}

/// What goes, goes when what comes was seen to run.
fn additions_come_first(lattice: &Lattice, observed: &Observed, plan: &Plan, now: u64) -> Checked {
    for app in &lattice.applications {
        let Some(revision) = &app.deployed else { continue };
        let components = &revision.desired.components;
        let spread: Vec<&DesiredComponent> = components
            .iter()
            .filter(|it| {
                it.scaler
                    .as_ref()
                    .is_some_and(|scaler| scaler.kind == ScalerKind::Spread)
            })
            .collect();
        for component in &spread {
            let before = entries(observed, app, &component.id, now);
            let mut after = before.clone();
            for step in plan.steps.iter().filter(|step| step.app == app.name) {
                apply(&step.action, component, observed, &mut after);
            }
            let fewer = before
                .iter()
                .any(|(host, (count, _))| after.get(host).map_or(0, |after| after.0) < *count);
            let wanted = component.scaler.as_ref().map_or(0, |scaler| scaler.instances);
            let left = after.values().map(|(count, _)| u64::from(*count)).sum::<u64>();
            if fewer && left < u64::from(wanted) {
                return Err(format!(
                    "{} keeps {left} of {wanted} instances: {:?}",
                    component.id, plan.steps
                ));
            }
        }
        let removes = |action: &Action| match action {
            Action::StopComponent { id, .. } => {
                !components.iter().any(|it| it.id == *id && it.scaler.is_some())
            }
            Action::DeleteConfig(_) => true,
            _ => false,
        };
        let Some(step) = plan
            .steps
            .iter()
            .find(|step| step.app == app.name && removes(&step.action))
        else {
            continue;
        };
        for component in spread {
            let entries = entries(observed, app, &component.id, now);
            let wanted = component.scaler.as_ref().map_or(0, |scaler| scaler.instances);
            let image = component.image.to_string();
            let ready = entries
                .values()
                .filter(|(_, from)| *from == image)
                .map(|(count, _)| *count)
                .sum::<u32>();
            if ready < wanted {
                return Err(format!(
                    "{step}, and only {ready} of {wanted} instances of {} run",
                    component.id
                ));
            }
        }
    }
    Ok(())
}

fn entries<'o>(observed: &'o Observed, app: &Application, id: &ComponentId, now: u64) -> Entries<'o> {
    let is_there = |seen| time(now).saturating_sub(seen) < Options::default().lost_after;
    let hosts = observed.hosts.iter().filter(|(_, host)| is_there(host.last_seen));
    let running = hosts.filter_map(|(host, it)| Some((host, it.components.get(id)?)));
    let ours = running.filter(|(_, running)| is_of(&running.annotations, &app.name));
    ours.map(|(host, running)| (host, (running.count, running.image.as_str())))
        .collect()
}

fn is_of(annotations: &BTreeMap<String, String>, app: &AppName) -> bool {
    annotations
        .get(marks::MANAGED_BY)
        .is_some_and(|by| by == marks::MANAGER)
        && annotations
            .get(marks::APPSPEC)
            .is_some_and(|name| name == app.as_str())
}

/// What an action takes away; what it adds is not there before it is seen. A host of v1 has to stop what it replaces.
fn apply(action: &Action, component: &DesiredComponent, observed: &Observed, after: &mut Entries<'_>) {
    match action {
        // What runs there goes on beside it.
        Action::ScaleComponent { weight: Some(_), .. } => {}
        Action::ScaleComponent { host, id, count, .. } if *id == component.id => {
            if let Some((now, _)) = after.get_mut(host) {
                *now = (*now).min(*count);
            }
        }
        Action::StopComponent { host, id, .. } if *id == component.id && observed.hosts[host].in_place => {
            after.remove(host);
        }
        _ => {}
    }
}
