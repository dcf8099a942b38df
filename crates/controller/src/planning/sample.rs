//! Lattices of any size, to measure how long planning takes (`cargo xtask bench control`).

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmcloud_core::{
    AppName, ComponentId, ConfigName, HostId, ImageRef, InvalidName, Limits, Link, LinkName,
};
use wasmcloud_manifest::{
    Desired, DesiredComponent, DesiredLink, Position, Rollout, Scaler, ScalerKind, Spread,
};

use crate::planning::backoff::Memory;
use crate::planning::model::{Application, Lattice, Moment, Options, Revision};
use crate::planning::observed::{Candidate, Observed, ObservedHost, RunningComponent, RunningProvider};
use crate::planning::plan::{Plan, plan};
use crate::planning::step::Action;

/// Components in one application of a sample.
const IN_APPLICATION: usize = 1_000;
/// Labels by which spreads choose hosts.
const ZONES: usize = 4;
/// Instances of each component.
const INSTANCES: u32 = 5;

/// A lattice, what runs in it, and what is remembered: everything that planning needs.
pub struct Sample {
    /// What should run.
    pub lattice: Lattice,
    /// What runs.
    pub observed: Observed,
    /// What is remembered.
    pub memory: Memory,
    /// The moment of the next plan.
    pub now: Moment,
    /// How it is planned.
    pub options: Options,
}

impl Sample {
    /// So many components, each with a config, a link to the next one and two spreads, on so many empty hosts.
    pub fn new(components: usize, hosts: usize) -> Result<Self, InvalidName> {
        let mut applications = Vec::new();
        let mut left = components;
        while left > 0 {
            let size = left.min(IN_APPLICATION);
            applications.push(application(applications.len(), size)?);
            left -= size;
        }
        let host = |number: usize| -> Result<(HostId, ObservedHost), InvalidName> {
            let zone = ("zone".to_owned(), format!("z{}", number % ZONES));
            let labels = BTreeMap::from([zone, ("number".to_owned(), number.to_string())]);
            let host = ObservedHost {
                labels,
                in_place: true,
                ..ObservedHost::default()
            };
            Ok((format!("N{number:04}").parse()?, host))
        };
        Ok(Self {
            lattice: Lattice {
                epoch: 1,
                applications,
                scales: Arc::default(),
            },
            observed: Observed {
                hosts: (0..hosts).map(host).collect::<Result<_, _>>()?,
                ..Observed::default()
            },
            memory: Memory::default(),
            now: Moment::from_secs(1),
            options: Options {
                max_steps: usize::MAX,
                ..Options::default()
            },
        })
    }

    /// Makes the next plan.
    pub fn plan(&mut self) -> Plan {
        plan(
            &self.lattice,
            &self.observed,
            self.now,
            &mut self.memory,
            &self.options,
        )
    }

    /// Has the steps of a plan take effect. Answers how many there were.
    pub fn carry_out(&mut self, plan: &Plan) -> usize {
        for step in &plan.steps {
            apply(&mut self.observed, &step.action);
        }
        plan.steps.len()
    }

    /// Loses the first host, with all that runs on it.
    pub fn lose_a_host(&mut self) {
        self.observed.hosts.pop_first();
    }

    /// Plans until nothing is left to be done. Answers how many plans that took, `limit` at most.
    pub fn settle(&mut self, limit: usize) -> usize {
        (0..limit)
            .find(|_| {
                let plan = self.plan();
                self.carry_out(&plan) == 0
            })
            .unwrap_or(limit)
    }
}

/// What a lattice looks like after an action, where nothing goes wrong.
fn apply(observed: &mut Observed, action: &Action) {
    match action {
        Action::ScaleComponent {
            host,
            id,
            image,
            count,
            annotations,
            weight,
            link_suffix,
            ..
        } => {
            let Some(host) = observed.hosts.get_mut(host) else {
                return;
            };
            match (weight, host.components.get_mut(id)) {
                (Some(weight), Some(running)) => {
                    running.candidate = Some(Candidate {
                        image: image.to_string(),
                        annotations: annotations.clone(),
                        weight: *weight,
                        link_suffix: link_suffix.clone(),
                        ..Candidate::default()
                    });
                }
                _ => {
                    let running = RunningComponent {
                        image: image.to_string(),
                        count: *count,
                        annotations: annotations.clone(),
                        link_suffix: link_suffix.clone(),
                        ..RunningComponent::default()
                    };
                    host.components.insert(id.clone(), running);
                }
            }
        }
        Action::StopComponent { host, id, .. } => {
            if let Some(host) = observed.hosts.get_mut(host) {
                host.components.remove(id);
            }
        }
        Action::StartProvider {
            host,
            id,
            image,
            annotations,
            ..
        } => {
            let running = RunningProvider {
                image: image.to_string(),
                annotations: annotations.clone(),
                ..RunningProvider::default()
            };
            if let Some(host) = observed.hosts.get_mut(host) {
                host.providers.insert(id.clone(), running);
            }
        }
        Action::StopProvider { host, id } => {
            if let Some(host) = observed.hosts.get_mut(host) {
                host.providers.remove(id);
            }
        }
        Action::PutLink(link) => {
            observed
                .links
                .retain(|other| other.key() != link.key() || other.target != link.target);
            observed.links.push(link.clone());
        }
        Action::TurnLink { link, from } => {
            observed
                .links
                .retain(|other| other.key() != link.key() || other.target != *from);
            observed.links.push(link.clone());
        }
        Action::DeleteLink(key) => observed.links.retain(|link| link.key() != *key),
        Action::PutConfig { name, values } => drop(observed.configs.insert(name.clone(), values.clone())),
        Action::DeleteConfig(name) => drop(observed.configs.remove(name)),
    }
}

fn application(number: usize, size: usize) -> Result<Application, InvalidName> {
    let app: AppName = format!("app{number}").parse()?;
    let id = |component: usize| ComponentId::of_application(app.as_str(), &format!("c{}", component % size));
    let mut components = Vec::with_capacity(size);
    let mut links = Vec::with_capacity(size);
    let mut configs = BTreeMap::new();
    for component in 0..size {
        let config: ConfigName = format!("{app}-c{component}").parse()?;
        configs.insert(
            config.clone(),
            BTreeMap::from([("number".to_owned(), component.to_string())]),
        );
        let spread = |zone: usize, weight: u32| Spread {
            name: format!("z{zone}"),
            requirements: BTreeMap::from([("zone".to_owned(), format!("z{zone}"))]),
            weight,
        };
        let scaler = Scaler {
            kind: ScalerKind::Spread,
            instances: INSTANCES,
            auto: None,
            spread: vec![spread(component % ZONES, 60), spread((component + 1) % ZONES, 40)],
        };
        components.push(DesiredComponent {
            name: format!("c{component}"),
            id: id(component)?,
            image: ImageRef::Oci(format!("registry.example/{app}/c{component}:1")),
            content: None,
            link_suffix: None,
            limits: Limits::default(),
            scaler: Some(scaler),
            config: vec![config],
            secrets: Vec::new(),
            triggers: Vec::new(),
            at: Position::default(),
        });
        links.push(DesiredLink {
            link: Link {
                source: id(component)?,
                target: id(component + 1)?,
                name: LinkName::default(),
                namespace: "sample".to_owned(),
                package: "next".to_owned(),
                interfaces: vec!["call".to_owned()],
                source_config: Vec::new(),
                target_config: Vec::new(),
                route: wasmcloud_core::Route::default(),
            },
            source_secrets: Vec::new(),
            target_secrets: Vec::new(),
            at: Position::default(),
        });
    }
    let desired = Desired {
        file: String::new(),
        app: app.clone(),
        version: None,
        description: None,
        shared: false,
        annotations: BTreeMap::new(),
        labels: BTreeMap::new(),
        components,
        providers: Vec::new(),
        references: Vec::new(),
        links,
        configs,
        external_configs: BTreeMap::new(),
        secrets: BTreeMap::new(),
        rollout: Rollout::default(),
        links_required: false,
    };
    let revision = Revision {
        id: "1".to_owned(),
        desired: Arc::new(desired),
    };
    Ok(Application {
        name: app,
        generation: 1,
        deployed: Some(revision),
        weight: None,
        paused: false,
        former: Vec::new(),
    })
}
