//! What a lattice has to look like when nothing disturbs it, worked out without the planner.

use std::collections::BTreeSet;

use wasmcloud_controller::{Application, Plan, StatusKind, largest_remainder, marks};
use wasmcloud_core::{ComponentId, HostId, Link};
use wasmcloud_manifest::{Desired, DesiredComponent, Scaler, ScalerKind};

use crate::truth::{Host, Truth};

type Labels = std::collections::BTreeMap<String, String>;

/// Something that runs: where, how many, from which image, whether it belongs to the application.
struct Runs<'t> {
    host: &'t HostId,
    count: u32,
    image: &'t str,
    ours: bool,
}

pub(crate) fn check(truth: &Truth, applications: &[Application], plan: &Plan) -> Result<(), String> {
    for app in applications {
        let wrong = |what: String| {
            Err(format!(
                "application {} is not what it should be: {what}",
                app.name
            ))
        };
        let found = match &app.deployed {
            Some(revision) => deployed(truth, app, &revision.desired, applications),
            None => Ok(Some(true)),
        };
        let satisfied = match found {
            Ok(satisfied) => satisfied,
            Err(what) => return wrong(what),
        };
        let used = used_by_others(app, applications);
        let status = &plan
            .reports
            .iter()
            .find(|report| report.app == app.name)
            .unwrap()
            .status;
        let left = leftovers(truth, app, &used);
        // A link that nobody looks after may keep one of ours from going, and what it uses.
        let blocked = truth.by_hand.iter().any(|link| names(app, &link.source));
        if satisfied == Some(true)
            && !blocked
            && let Some(left) = left
        {
            return wrong(format!("{left} is left over"));
        }
        let expect: &[StatusKind] = match (&app.deployed, satisfied) {
            (None, _) if used.is_empty() => &[StatusKind::Undeployed],
            (None, _) => &[StatusKind::Undeployed, StatusKind::Waiting],
            (Some(_), None) => continue,
            (Some(_), Some(true)) if used.is_empty() => &[StatusKind::Deployed],
            (Some(_), Some(true)) => &[StatusKind::Deployed, StatusKind::Waiting],
            (Some(_), Some(false)) => &[StatusKind::Failed, StatusKind::Waiting],
        };
        let excused = blocked && status.kind == StatusKind::Failed;
        if !excused && !expect.contains(&status.kind) {
            return wrong(format!("its status is {status}"));
        }
    }
    Ok(())
}

fn names(app: &Application, id: &ComponentId) -> bool {
    id.as_str().starts_with(&format!("{}-", app.name))
}

/// Whether everything of an application can be there, and is; `None` where that is hard to say, an error if something
/// could be there and is not.
fn deployed(
    truth: &Truth,
    app: &Application,
    desired: &Desired,
    applications: &[Application],
) -> Result<Option<bool>, String> {
    let mut satisfied = Some(true);
    for (name, values) in &desired.configs {
        if truth.configs.get(name) != Some(values) {
            return Err(format!(
                "config {name} is {:?}, not {values:?}",
                truth.configs.get(name)
            ));
        }
    }
    for component in &desired.components {
        let Some(scaler) = &component.scaler else { continue };
        let runs: Vec<Runs<'_>> = running(truth, |host| {
            let running = host.runs.components.get(&component.id)?;
            Some((
                running.count,
                running.image.as_str(),
                is_of(&running.annotations, app),
            ))
        });
        let free = |host: &HostId| {
            let knows = component.link_suffix.is_none() || truth.hosts[host].runs.link_suffix;
            knows && !runs.iter().any(|runs| runs.host == host && !runs.ours)
        };
        if waits_for_links(truth, component, desired) {
            satisfied = both(satisfied, None);
            continue;
        }
        let reach = reach(truth, scaler, free);
        let image = component.image.to_string();
        let placed = placed(scaler, &reach, &runs, &image, None)
            .map_err(|what| format!("{}: {what}", component.id))?;
        satisfied = both(satisfied, placed);
    }
    for provider in &desired.providers {
        let runs: Vec<Runs<'_>> = running(truth, |host| {
            let running = host.runs.providers.get(&provider.id)?;
            Some((1, running.image.as_str(), is_of(&running.annotations, app)))
        });
        let reach = reach(truth, &provider.scaler, |_| true);
        let image = provider.image.to_string();
        let placed = placed(&provider.scaler, &reach, &runs, &image, Some(1))
            .map_err(|what| format!("{}: {what}", provider.id))?;
        satisfied = both(satisfied, placed);
    }
    for link in &desired.links {
        let link = &link.link;
        if truth.by_hand.iter().any(|other| other.key() == link.key()) {
            // It may or may not be possible; that the other one stays is checked elsewhere.
            satisfied = both(satisfied, Some(truth.links.contains(link)));
        } else if !truth.links.contains(link) {
            return Err(format!("link {link} is not there or differs"));
        }
    }
    // Every revision of what is shared has what others use.
    let is_deployed = |name: &str| {
        applications
            .iter()
            .any(|app| app.name.as_str() == name && app.deployed.is_some())
    };
    let shared = desired
        .references
        .iter()
        .all(|reference| is_deployed(&reference.application));
    Ok(both(satisfied, Some(shared)))
}

/// Whether a component stays as it is because a link of somebody else is in the way of one that it would have by another
/// name than what runs.
fn waits_for_links(truth: &Truth, component: &DesiredComponent, desired: &Desired) -> bool {
    let mut hosts = truth.hosts.values();
    let has_others = hosts.any(|host| {
        let running = host.runs.components.get(&component.id);
        running.is_some_and(|running| {
            let candidate = running.candidate.iter().map(|candidate| &candidate.link_suffix);
            let mut all = candidate.chain([&running.link_suffix]);
            all.any(|suffix| *suffix != component.link_suffix)
        })
    });
    let mut links = desired.links.iter().map(|it| &it.link);
    let by_hand = links.any(|link| {
        let in_the_way = |other: &Link| other.key() == link.key();
        link.source == component.id && truth.by_hand.iter().any(in_the_way)
    });
    has_others && by_hand
}

fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn is_of(annotations: &Labels, app: &Application) -> bool {
    annotations
        .get(marks::MANAGED_BY)
        .is_some_and(|by| by == marks::MANAGER)
        && annotations
            .get(marks::APPSPEC)
            .is_some_and(|name| name == app.name.as_str())
}

fn running<'t>(truth: &'t Truth, look: impl Fn(&'t Host) -> Option<(u32, &'t str, bool)>) -> Vec<Runs<'t>> {
    let hosts = truth.hosts.iter();
    hosts
        .filter_map(|(host, it)| {
            look(it).map(|(count, image, ours)| Runs {
                host,
                count,
                image,
                ours,
            })
        })
        .collect()
}

/// The hosts that each spread may use.
fn reach<'t>(truth: &'t Truth, scaler: &Scaler, free: impl Fn(&HostId) -> bool) -> Vec<BTreeSet<&'t HostId>> {
    let fits = |host: &Host, wanted: &Labels| {
        !host.runs.draining
            && wanted
                .iter()
                .all(|(key, value)| host.runs.labels.get(key) == Some(value))
    };
    let spreads = scaler.spread.iter();
    spreads
        .map(|spread| {
            let hosts = truth
                .hosts
                .iter()
                .filter(|(id, host)| fits(host, &spread.requirements) && free(id));
            hosts.map(|(id, _)| id).collect()
        })
        .collect()
}

/// Whether all that is wanted can run and does; `None` where that is hard to say, an error if it could and does not. `at_most` is the most that one
/// host takes.
fn placed(
    scaler: &Scaler,
    reach: &[BTreeSet<&HostId>],
    runs: &[Runs<'_>],
    image: &str,
    at_most: Option<u32>,
) -> Result<Option<bool>, String> {
    let all: BTreeSet<&HostId> = reach.iter().flatten().copied().collect();
    let on = |hosts: &BTreeSet<&HostId>| -> u32 {
        // Of providers, those of others count.
        let there = runs
            .iter()
            .filter(|runs| hosts.contains(runs.host) && (runs.ours || at_most.is_some()));
        there.map(|runs| runs.count).sum()
    };
    let ours: u32 = runs.iter().filter(|runs| runs.ours).map(|runs| runs.count).sum();
    let foreign: u32 = runs
        .iter()
        .filter(|runs| !runs.ours && all.contains(runs.host))
        .map(|runs| runs.count)
        .sum();
    let foreign = at_most.map_or(0, |_| foreign);
    let (wanted, possible): (Vec<u32>, Vec<bool>) = match scaler.kind {
        ScalerKind::Daemon => {
            let each = if at_most.is_some() {
                scaler.instances.min(1)
            } else {
                scaler.instances
            };
            for host in &all {
                let here = on(&BTreeSet::from([*host]));
                // Too many stay as long as another spread has nowhere to go.
                let all_have = reach.iter().all(|hosts| !hosts.is_empty());
                if each > 0 && (here < each || (here > each && all_have)) {
                    return Err(format!("{here} run on {host}, {each} should"));
                }
            }
            let number = u32::try_from(all.len()).unwrap();
            (
                vec![each * number],
                reach.iter().map(|hosts| each == 0 || !hosts.is_empty()).collect(),
            )
        }
        ScalerKind::Spread => {
            let weights: Vec<u32> = scaler.spread.iter().map(|spread| spread.weight).collect();
            let shares = largest_remainder(scaler.instances, &weights);
            let room = |hosts: &BTreeSet<&HostId>| match at_most {
                Some(most) => most * u32::try_from(hosts.len()).unwrap(),
                None if hosts.is_empty() => 0,
                None => u32::MAX,
            };
            let possible = shares
                .iter()
                .zip(reach)
                .map(|(share, hosts)| *share <= room(hosts))
                .collect();
            (
                shares
                    .iter()
                    .zip(reach)
                    .map(|(share, hosts)| (*share).min(room(hosts)))
                    .collect(),
                possible,
            )
        }
    };
    let total: u32 = wanted.iter().sum();
    let apart = reach.iter().map(BTreeSet::len).sum::<usize>() == all.len();
    let possible = possible.iter().all(|possible| *possible);
    // Of spreads that share hosts, each may have room enough and both together not.
    let unsure = scaler.kind == ScalerKind::Spread && !apart && at_most.is_some();
    let satisfied = possible && !unsure;
    if scaler.kind == ScalerKind::Spread {
        for (share, hosts) in wanted.iter().zip(reach) {
            if on(hosts) < *share {
                return Err(format!("{} run on {hosts:?}, at least {share} should", on(hosts)));
            }
            if apart && satisfied && foreign == 0 && on(hosts) != *share {
                return Err(format!("{} run on {hosts:?}, {share} should", on(hosts)));
            }
        }
    }
    if satisfied && foreign == 0 && ours != total {
        return Err(format!("{ours} run, {total} should"));
    }
    for runs in runs.iter().filter(|runs| runs.ours && satisfied) {
        if runs.image != image || !all.contains(runs.host) {
            return Err(format!(
                "it runs on {} from {}, {image} should run on {all:?}",
                runs.host, runs.image
            ));
        }
    }
    Ok(if possible && unsure { None } else { Some(possible) })
}

/// What other applications use of this one.
fn used_by_others(app: &Application, applications: &[Application]) -> BTreeSet<ComponentId> {
    let others = applications.iter().filter(|other| other.name != app.name);
    let references = others
        .filter_map(|other| other.deployed.as_ref())
        .flat_map(|revision| &revision.desired.references);
    references
        .filter(|reference| reference.application == app.name.as_str())
        .map(|reference| reference.id.clone())
        .collect()
}

/// Something of an application that should not be there.
fn leftovers(truth: &Truth, app: &Application, used: &BTreeSet<ComponentId>) -> Option<String> {
    let desired = app.deployed.as_ref().map(|revision| &revision.desired);
    let wants_component = |id: &ComponentId| {
        desired.is_some_and(|desired| {
            desired
                .components
                .iter()
                .any(|it| it.id == *id && it.scaler.is_some())
        })
    };
    let wants_provider =
        |id: &ComponentId| desired.is_some_and(|desired| desired.providers.iter().any(|it| it.id == *id));
    for (host, it) in &truth.hosts {
        for (id, running) in &it.runs.components {
            if is_of(&running.annotations, app) && !wants_component(id) && !used.contains(id) {
                return Some(format!("component {id} on {host}"));
            }
        }
        for (id, running) in &it.runs.providers {
            if is_of(&running.annotations, app) && !wants_provider(id) && !used.contains(id) {
                return Some(format!("provider {id} on {host}"));
            }
        }
    }
    let links = truth
        .links
        .iter()
        .filter(|link| names(app, &link.source) && !truth.by_hand.contains(link));
    for link in links {
        let wanted = desired.is_some_and(|desired| desired.links.iter().any(|it| it.link == *link));
        if !wanted && !truth.by_hand.iter().any(|by_hand| by_hand.key() == link.key()) {
            return Some(format!("link {link}"));
        }
    }
    let mine = |name: &&wasmcloud_core::ConfigName| name.as_str().starts_with(&format!("{}-cfg", app.name));
    let wanted = |name: &&wasmcloud_core::ConfigName| {
        desired.is_some_and(|desired| desired.configs.contains_key(*name)) || !used.is_empty()
    };
    truth
        .configs
        .keys()
        .filter(mine)
        .find(|name| !wanted(name))
        .map(|name| format!("config {name}"))
}
