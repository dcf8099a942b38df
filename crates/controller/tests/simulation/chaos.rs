//! What people and machines do to the lattice while it is disturbed.

use std::sync::Arc;

use wasmcloud_controller::{
    Application, ObservedHost, Revision, RunningComponent, RunningProvider, Scale, StoreHealth,
};
use wasmcloud_core::{ComponentId, HostId, Link};
use wasmcloud_manifest::DesiredComponent;

use crate::apps::{self, APPS, MOST, PROVIDER};
use crate::rng::Rng;
use crate::run::World;
use crate::truth::OwnLinks;

/// The store of applications.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) applications: Vec<Application>,
    pub(crate) health: StoreHealth,
    /// All states it ever had.
    history: Vec<Vec<Application>>,
    /// The links that revisions of components have for their own.
    pub(crate) own_links: OwnLinks,
    /// What it lost when it was set back, and when it gets it again.
    pub(crate) lost: Option<(u64, Vec<Application>)>,
}

impl Store {
    fn change(&mut self, rng: &mut Rng, undeploy: bool) -> String {
        self.history.push(self.applications.clone());
        let name = *rng.pick(&APPS);
        let position = self.applications.iter().position(|app| app.name.as_str() == name);
        let position = position.unwrap_or_else(|| {
            let name = name.parse().unwrap();
            self.applications.push(Application {
                name,
                generation: 0,
                deployed: None,
                weight: None,
                paused: false,
                former: Vec::new(),
            });
            self.applications.len() - 1
        });
        let app = &mut self.applications[position];
        app.generation += 1;
        let next = (!undeploy).then(|| Revision {
            id: app.generation.to_string(),
            desired: apps::random(name, rng),
        });
        app.weight = rng.chance(300).then(|| *rng.pick(&[0, 20, 50]));
        if let Some(revision) = &next {
            self.own_links.note(&revision.desired);
        }
        let text = match &next {
            Some(revision) => format!("deploys {name} {}", describe(revision)),
            None => format!("undeploys {name}"),
        };
        app.former.extend(std::mem::replace(&mut app.deployed, next));
        text
    }

    fn set_back(&mut self, rng: &mut Rng, until: u64) -> String {
        let all = std::mem::take(&mut self.applications);
        // One that is empty is not even noticed: nothing says that there was more.
        let to_nothing = rng.chance(400) || self.history.is_empty();
        if !to_nothing {
            self.applications.clone_from(rng.pick(&self.history));
        }
        if !to_nothing || rng.chance(500) {
            self.health = StoreHealth::Suspect("it was set back".to_owned());
        }
        self.lost = Some((until, all));
        format!(
            "the store is set back to {} applications, {:?}",
            self.applications.len(),
            self.health
        )
    }

    /// Somebody puts back what was lost.
    pub(crate) fn restore(&mut self, now: u64) -> bool {
        let Some((_, lost)) = self.lost.take_if(|(until, _)| *until <= now) else {
            return false;
        };
        self.applications = lost;
        self.health = StoreHealth::Trusted;
        for app in &mut self.applications {
            app.generation += 1;
        }
        true
    }
}

fn describe(revision: &Revision) -> String {
    let desired = &revision.desired;
    let parts = desired.components.iter().map(|component| {
        let scaler = component.scaler.as_ref().map(scaler_text).unwrap_or_default();
        format!("{} {} {scaler}", component.id, component.image)
    });
    let providers = desired.providers.iter().map(|provider| {
        format!(
            "{} {} {}",
            provider.id,
            provider.image,
            scaler_text(&provider.scaler)
        )
    });
    let links = desired.links.iter().map(|link| link.link.to_string());
    parts.chain(providers).chain(links).collect::<Vec<_>>().join("; ")
}

fn scaler_text(scaler: &wasmcloud_manifest::Scaler) -> String {
    let spreads: Vec<String> = scaler
        .spread
        .iter()
        .map(|spread| format!("{:?}*{}", spread.requirements, spread.weight))
        .collect();
    format!(
        "{:?} {} over {}",
        scaler.kind,
        scaler.instances,
        spreads.join(" ")
    )
}

impl World<'_> {
    /// The lattice as it is at first, with things that nobody looks after.
    pub(crate) fn begin(&mut self) {
        let hosts = self.rng.between(1, 4);
        for number in 0..hosts {
            let mut runs = ObservedHost {
                in_place: self.rng.chance(750),
                candidates: self.rng.chance(750),
                link_suffix: self.rng.chance(750),
                ..ObservedHost::default()
            };
            for (label, values) in [("zone", ["x", "y"]), ("disk", ["ssd", "hdd"])] {
                if self.rng.chance(850) {
                    runs.labels
                        .insert(label.to_owned(), (*self.rng.pick(&values)).to_owned());
                }
            }
            for app in APPS {
                if self.rng.chance(120) {
                    runs.components.insert(apps::id(app, "a"), self.by_hand());
                }
                if self.rng.chance(80) {
                    let RunningComponent {
                        image, annotations, ..
                    } = self.by_hand();
                    let running = RunningProvider {
                        image,
                        annotations,
                        ..RunningProvider::default()
                    };
                    runs.providers.insert(apps::id(app, PROVIDER), running);
                }
            }
            self.say(|| format!("host H{number}: {runs:?}"));
            self.truth.add_host(&format!("H{number}"), runs);
        }
        if self.rng.chance(300) {
            let app = *self.rng.pick(&APPS);
            let link = Link {
                source: apps::id(app, "a"),
                target: "hand".parse().unwrap(),
                name: Default::default(),
                namespace: "acme".to_owned(),
                package: "db".to_owned(),
                interfaces: vec![(*self.rng.pick(&["one", "three"])).to_owned()],
                source_config: Vec::new(),
                target_config: Vec::new(),
                route: Default::default(),
            };
            self.say(|| format!("link by hand: {link}"));
            self.truth.links.push(link.clone());
            self.truth.by_hand.push(link);
        }
        self.truth
            .configs
            .insert("hand".parse().unwrap(), Default::default());
    }

    /// Something that nobody looks after, or somebody else.
    fn by_hand(&mut self) -> RunningComponent {
        let mut running = RunningComponent {
            image: "by/hand:1".to_owned(),
            count: 2,
            ..RunningComponent::default()
        };
        if self.rng.chance(300) {
            let by = "somebody else".to_owned();
            running
                .annotations
                .insert(wasmcloud_controller::marks::MANAGED_BY.to_owned(), by);
            running.annotations.insert(
                wasmcloud_controller::marks::APPSPEC.to_owned(),
                APPS[0].to_owned(),
            );
        }
        running
    }

    /// The load of something changes.
    fn load(&mut self) {
        if !self.loads.chance(80) {
            return;
        }
        let follows = |component: &&DesiredComponent| {
            let scaler = component.scaler.as_ref();
            scaler.is_some_and(|scaler| scaler.auto.is_some())
        };
        let deployed = self
            .store
            .applications
            .iter()
            .filter_map(|app| app.deployed.as_ref());
        let components = deployed.flat_map(|revision| revision.desired.components.iter().filter(follows));
        let ids: Vec<ComponentId> = components.map(|component| component.id.clone()).collect();
        if ids.is_empty() {
            return;
        }
        let id = self.loads.pick(&ids).clone();
        let wanted = u32::try_from(self.loads.between(1, MOST.into())).unwrap();
        self.say(|| format!("the load of {id} needs {wanted}"));
        let scale = Scale {
            wanted,
            ..Scale::default()
        };
        Arc::make_mut(&mut self.scales).insert(id, scale);
    }

    /// What people do while nothing disturbs: they deploy, and calls are shifted.
    pub(crate) fn roll_out(&mut self) {
        if self.rng.chance(60) {
            let text = self.store.change(&mut self.rng, false);
            self.say(|| text);
        }
        if self.rng.chance(60) {
            let weight = *self.rng.pick(&[Some(50), None]);
            let some = self.rng.below(APPS.len() as u64);
            let app = self.store.applications.get_mut(usize::try_from(some).unwrap());
            if let Some(app) = app.filter(|app| app.weight.is_some()) {
                app.weight = weight;
                let text = format!("{} goes on with {weight:?}", app.name);
                self.say(|| text);
            }
        }
    }

    pub(crate) fn disturb(&mut self) {
        let now = self.now;
        self.load();
        if self.store.lost.is_none() && self.rng.chance(60) {
            let undeploy = self.rng.chance(250);
            let text = self.store.change(&mut self.rng, undeploy);
            self.say(|| text);
        }
        if self.store.lost.is_none() && self.rng.chance(9) {
            let until = now + self.rng.between(1_000, 15_000);
            let text = self.store.set_back(&mut self.rng, until);
            self.say(|| text);
        }
        let ids: Vec<HostId> = self.truth.hosts.keys().cloned().collect();
        let id = self.rng.pick(&ids).clone();
        match self.rng.below(280) {
            0 | 1 => {
                let until = now + self.rng.between(500, 20_000);
                self.say(|| format!("{id} crashes until {until}"));
                self.truth.crash(&id, until);
            }
            2 | 3 => {
                let until = now + self.rng.between(500, 12_000);
                self.say(|| format!("{id} stands still until {until}"));
                let host = self.truth.hosts.get_mut(&id).unwrap();
                if host.up {
                    (host.paused, host.away_until) = (true, until);
                }
            }
            4 => {
                let zone = *self.rng.pick(&["x", "y"]);
                self.say(|| format!("{id} is in zone {zone} now"));
                self.truth
                    .hosts
                    .get_mut(&id)
                    .unwrap()
                    .runs
                    .labels
                    .insert("zone".to_owned(), zone.to_owned());
            }
            5 => {
                let host = self.truth.hosts.get_mut(&id).unwrap();
                host.runs.draining = !host.runs.draining;
                let draining = host.runs.draining;
                self.say(|| format!("{id} drains: {draining}"));
            }
            6 if self.truth.hosts.len() < 6 => {
                let number = self.truth.hosts.len();
                self.say(|| format!("H{number} joins"));
                self.truth.add_host(
                    &format!("H{number}"),
                    ObservedHost {
                        in_place: true,
                        link_suffix: self.rng.chance(500),
                        ..ObservedHost::default()
                    },
                );
            }
            7 => {
                let name = format!("manual{}", self.rng.below(3));
                let running = self.by_hand();
                let host = self.truth.hosts.get_mut(&id).unwrap();
                if host.up {
                    host.runs.components.insert(name.parse().unwrap(), running);
                }
            }
            8 => {
                // Somebody changes a link of ours.
                let at = usize::try_from(self.rng.below(8)).unwrap();
                let by_hand = &self.truth.by_hand;
                let mut ours = self.truth.links.iter_mut().filter(|link| !by_hand.contains(link));
                if let Some(link) = ours.nth(at) {
                    link.interfaces = vec!["two".to_owned()];
                }
            }
            9..=14 => {
                let at = usize::try_from(self.rng.below(self.controllers.len() as u64)).unwrap();
                let until = now + self.rng.between(200, 14_000);
                self.say(|| format!("controller {at} stands still until {until}"));
                self.controllers[at].paused_until = until;
            }
            _ => {}
        }
    }

    /// The disturbances end.
    pub(crate) fn calm(&mut self) {
        // Rollouts end.
        let lost = self
            .store
            .lost
            .iter_mut()
            .flat_map(|(_, applications)| applications);
        for app in self.store.applications.iter_mut().chain(lost) {
            app.weight = None;
        }
        self.say(|| "the disturbances end".to_owned());
        self.bus.disturbed = false;
        self.truth.disturbed = false;
        // Some hosts never come back.
        let all = self.truth.hosts.len();
        let gone: Vec<HostId> = self
            .truth
            .hosts
            .iter()
            .filter(|(_, host)| !host.up)
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone.into_iter().take(all - 1) {
            if self.rng.chance(500) {
                self.say(|| format!("{id} is gone for good"));
                self.truth.hosts.remove(&id);
            }
        }
        for host in self.truth.hosts.values_mut() {
            host.away_until = host.away_until.min(self.now + 2_000);
        }
        for controller in &mut self.controllers {
            controller.paused_until = controller.paused_until.min(self.now + 1_000);
        }
        if let Some((until, _)) = &mut self.store.lost {
            *until = self.now;
        }
    }
}
