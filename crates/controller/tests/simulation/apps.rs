//! Applications at random: few components with few labels, so that they get into each other's way.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmcloud_controller::store::tell_apart;
use wasmcloud_controller::{Application, Scales};
use wasmcloud_core::{ComponentId, ConfigName, ImageRef, Limits, Link, LinkName, Route};
use wasmcloud_manifest::{
    Autoscale, Desired, DesiredComponent, DesiredLink, DesiredProvider, Position, Rollout, Scaler,
    ScalerKind, SharedReference, Spread, Strategy,
};

use crate::rng::Rng;

/// The applications there are. The first one shares its provider with the last one.
pub(crate) const APPS: [&str; 3] = ["one", "two", "three"];
const NAMES: [&str; 3] = ["a", "b", "c"];
/// The provider of every application that has one.
pub(crate) const PROVIDER: &str = "p";

pub(crate) fn id(app: &str, name: &str) -> ComponentId {
    ComponentId::of_application(app, name).unwrap()
}

pub(crate) fn random(app: &str, rng: &mut Rng) -> Arc<Desired> {
    let config: ConfigName = format!("{app}-cfg").parse().unwrap();
    let names = &NAMES[..usize::try_from(rng.between(1, 3)).unwrap()];
    let with_config = rng.chance(600);
    let mut configs = BTreeMap::new();
    if with_config {
        configs.insert(
            config.clone(),
            BTreeMap::from([("k".to_owned(), rng.below(3).to_string())]),
        );
    }
    let uses = |rng: &mut Rng| {
        if with_config && rng.chance(500) {
            vec![config.clone()]
        } else {
            Vec::new()
        }
    };
    let mut components = Vec::new();
    for name in names {
        components.push(DesiredComponent {
            name: (*name).to_owned(),
            id: id(app, name),
            image: ImageRef::Oci(format!("acme/{name}:{}", rng.below(3))),
            content: None,
            link_suffix: None,
            limits: Limits::default(),
            scaler: rng
                .chance(900)
                .then(|| scaler(rng, 7))
                .map(|scaler| may_follow_load(name, scaler)),
            config: uses(rng),
            secrets: Vec::new(),
            triggers: Vec::new(),
            at: Position::default(),
        });
    }
    let mut providers = Vec::new();
    if rng.chance(600) || app == APPS[0] {
        providers.push(DesiredProvider {
            name: PROVIDER.to_owned(),
            id: id(app, PROVIDER),
            image: ImageRef::Oci(format!("acme/{PROVIDER}:{}", rng.below(2))),
            replaced: None,
            scaler: scaler(rng, 3),
            config: uses(rng),
            secrets: Vec::new(),
            at: Position::default(),
        });
    }
    let mut links = Vec::new();
    for name in names {
        if rng.chance(600) {
            let target = *rng.pick(names);
            links.push(link(rng, &id(app, name), &id(app, target), &uses));
        }
    }
    let mut references = Vec::new();
    if app == APPS[2] && rng.chance(600) {
        let provider = id(APPS[0], PROVIDER);
        links.push(link(rng, &id(app, "a"), &provider, &uses));
        references.push(SharedReference {
            name: "base".to_owned(),
            id: provider,
            application: APPS[0].to_owned(),
            component: PROVIDER.to_owned(),
            provider: true,
            at: Position::default(),
        });
    }
    // One link for each key: what the manifest checks.
    links.sort_by_key(|link: &DesiredLink| link.link.key());
    links.dedup_by_key(|link| link.link.key());
    let mut desired = Desired {
        file: String::new(),
        app: app.parse().unwrap(),
        version: None,
        description: None,
        shared: app == APPS[0],
        annotations: BTreeMap::new(),
        labels: BTreeMap::new(),
        components,
        providers,
        references,
        links,
        configs,
        external_configs: BTreeMap::new(),
        secrets: BTreeMap::new(),
        rollout: Rollout {
            // What is recreated does not keep serving.
            strategy: *rng.pick(&[Strategy::Rolling, Strategy::Canary]),
            ..Rollout::default()
        },
        links_required: false,
    };
    tell_apart(&mut desired);
    Arc::new(desired)
}

fn link(
    rng: &mut Rng,
    source: &ComponentId,
    target: &ComponentId,
    uses: &impl Fn(&mut Rng) -> Vec<ConfigName>,
) -> DesiredLink {
    let interfaces = if rng.chance(500) {
        vec!["one".to_owned()]
    } else {
        vec!["one".to_owned(), "two".to_owned()]
    };
    DesiredLink {
        link: Link {
            source: source.clone(),
            target: target.clone(),
            name: LinkName::default(),
            namespace: "acme".to_owned(),
            package: "db".to_owned(),
            interfaces,
            source_config: Vec::new(),
            target_config: uses(rng),
            route: Route::default(),
        },
        source_secrets: Vec::new(),
        target_secrets: Vec::new(),
        at: Position::default(),
    }
}

/// The second component of each application has as many instances as its load needs, unless it runs on all hosts.
fn may_follow_load(name: &str, scaler: Scaler) -> Scaler {
    let auto = Autoscale {
        max: MOST,
        utilization: Autoscale::DEFAULT_UTILIZATION,
        queue_time: Autoscale::DEFAULT_QUEUE_TIME,
        cooldown: Autoscale::DEFAULT_COOLDOWN,
    };
    let follows = name == NAMES[1] && scaler.kind == ScalerKind::Spread;
    Scaler {
        auto: follows.then_some(auto),
        ..scaler
    }
}

/// Most instances of a component that follows its load.
pub(crate) const MOST: u32 = 12;

/// The applications as they would be if somebody had written the numbers that follow the load.
pub(crate) fn scaled(applications: &[Application], scales: &Scales) -> Vec<Application> {
    let mut applications = applications.to_vec();
    let revisions = applications.iter_mut().filter_map(|app| app.deployed.as_mut());
    for revision in revisions {
        for component in &mut Arc::make_mut(&mut revision.desired).components {
            if let (Some(scaler), Some(scale)) = (&mut component.scaler, scales.get(&component.id))
                && scaler.auto.is_some()
            {
                scaler.instances = scale.wanted;
            }
        }
    }
    applications
}

fn scaler(rng: &mut Rng, most: u64) -> Scaler {
    let kind = if rng.chance(250) {
        ScalerKind::Daemon
    } else {
        ScalerKind::Spread
    };
    let spread = |label: &str, value: &str, weight: u64| Spread {
        name: value.to_owned(),
        requirements: BTreeMap::from([(label.to_owned(), value.to_owned())]),
        weight: u32::try_from(weight).unwrap(),
    };
    let spread = match rng.below(4) {
        0 | 1 => vec![Spread::anywhere()],
        2 => vec![
            spread("zone", "x", rng.between(1, 9)),
            spread("zone", "y", rng.between(1, 9)),
        ],
        _ => vec![
            spread("zone", "x", rng.between(1, 9)),
            spread("disk", "ssd", rng.between(1, 9)),
        ],
    };
    Scaler {
        kind,
        instances: u32::try_from(rng.below(most)).unwrap(),
        auto: None,
        spread,
    }
}
