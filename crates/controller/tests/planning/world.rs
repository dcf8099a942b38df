//! A lattice in which every step takes effect at once, and words to describe it in.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmcloud_controller::store::tell_apart;
use wasmcloud_controller::{
    Application, Lattice, Memory, Moment, Observed, ObservedHost, Options, Plan, Revision, RunningComponent,
    RunningProvider, Sample, Status, Wait,
};
use wasmcloud_manifest::{Desired, Manifest, ResolveOptions};

/// A lattice, what runs in it and what is remembered.
pub(crate) struct World(pub(crate) Sample);

/// An application manifest with these components, in the form that YAML has on one line.
pub(crate) fn manifest(app: &str, components: &[&str]) -> String {
    let list: String = components
        .iter()
        .map(|component| format!("    - {component}\n"))
        .collect();
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{ name: {app} }}\nspec:\n  components:\n{list}"
    )
}

/// A component with a spreadscaler; `more` is put into its spread.
pub(crate) fn component(name: &str, image: &str, instances: u32, spread: &str) -> String {
    format!(
        "{{ name: {name}, type: component, properties: {{ image: '{image}' }}, traits: [ {{ type: spreadscaler, properties: {{ instances: {instances}{spread} }} }} ] }}"
    )
}

pub(crate) fn desired(text: &str) -> Desired {
    let (manifest, _) = Manifest::parse("app.yaml", text).unwrap();
    let mut desired = manifest.resolve(&ResolveOptions::default()).unwrap();
    tell_apart(&mut desired);
    desired
}

impl World {
    /// Hosts by id and labels: `"NA zone=eu, NB"`.
    pub(crate) fn new(hosts: &str) -> Self {
        let mut world = Self(Sample {
            lattice: Lattice {
                epoch: 7,
                applications: Vec::new(),
                scales: Arc::default(),
            },
            observed: Observed::default(),
            memory: Memory::default(),
            now: Moment::from_secs(100),
            options: Options::default(),
        });
        for host in hosts.split(", ") {
            world.add_host(host);
        }
        world
    }

    pub(crate) fn add_host(&mut self, host: &str) {
        let mut words = host.split(' ');
        let id = words.next().unwrap().parse().unwrap();
        let labels = words.map(|word| word.split_once('=').unwrap());
        let host = ObservedHost {
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            last_seen: self.0.now,
            in_place: true,
            link_suffix: true,
            ..ObservedHost::default()
        };
        self.0.observed.hosts.insert(id, host);
    }

    pub(crate) fn host(&mut self, id: &str) -> &mut ObservedHost {
        self.0.observed.hosts.get_mut(id).unwrap()
    }

    pub(crate) fn app(&mut self, name: &str) -> &mut Application {
        let mut applications = self.0.lattice.applications.iter_mut();
        applications.find(|app| app.name.as_str() == name).unwrap()
    }

    /// Deploys an application, or another revision of it.
    pub(crate) fn deploy(&mut self, text: &str) {
        let desired = Arc::new(desired(text));
        let name = desired.app.clone();
        let applications = &mut self.0.lattice.applications;
        if !applications.iter().any(|app| app.name == name) {
            let name = name.clone();
            applications.push(Application {
                name,
                generation: 0,
                deployed: None,
                weight: None,
                paused: false,
                former: Vec::new(),
            });
        }
        let app = self.app(name.as_str());
        app.generation += 1;
        let revision = Revision {
            id: app.generation.to_string(),
            desired,
        };
        app.former.extend(app.deployed.replace(revision));
    }

    pub(crate) fn undeploy(&mut self, name: &str) {
        let app = self.app(name);
        app.generation += 1;
        app.former.extend(app.deployed.take());
    }

    /// Starts a component that nobody looks after.
    pub(crate) fn start_by_hand(&mut self, host: &str, id: &str, count: u32) {
        let running = RunningComponent {
            image: "by/hand:1".to_owned(),
            count,
            annotations: BTreeMap::new(),
            ..RunningComponent::default()
        };
        self.host(host).components.insert(id.parse().unwrap(), running);
    }

    /// Starts a provider that nobody looks after.
    pub(crate) fn start_provider_by_hand(&mut self, host: &str, id: &str, image: &str) {
        let running = RunningProvider {
            image: image.to_owned(),
            ..RunningProvider::default()
        };
        self.host(host).providers.insert(id.parse().unwrap(), running);
    }

    /// Lets time pass, in which all hosts are heard of.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let all: Vec<String> = self.0.observed.hosts.keys().map(ToString::to_string).collect();
        self.pass_with(seconds, &all.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Lets time pass, in which only some hosts are heard of.
    pub(crate) fn pass_with(&mut self, seconds: u64, heard: &[&str]) {
        self.0.now += Moment::from_secs(seconds);
        for (id, host) in &mut self.0.observed.hosts {
            if heard.contains(&id.as_str()) {
                host.last_seen = self.0.now;
            }
        }
    }

    /// Plans, and nothing takes effect.
    pub(crate) fn plan(&mut self) -> Plan {
        self.0.plan()
    }

    /// Plans and has the steps take effect; answers them as text.
    pub(crate) fn round(&mut self) -> Vec<String> {
        let plan = self.0.plan();
        self.0.carry_out(&plan);
        steps(&plan)
    }

    /// Plans until nothing is left to be done; answers all steps.
    pub(crate) fn settle(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..20 {
            let steps = self.round();
            if steps.is_empty() && !self.waits_for_word() {
                return all;
            }
            all.extend(steps);
            self.pass(1);
        }
        panic!("it never ends: {all:#?}");
    }

    /// Whether hosts have to say whether they take a link.
    fn waits_for_word(&mut self) -> bool {
        let plan = self.plan();
        let mut parts = plan.reports.iter().flat_map(|report| &report.scalers);
        parts.any(|part| {
            let mut waits = part.decision.waits.iter();
            waits.any(|wait| matches!(wait, Wait::Word { .. }))
        })
    }

    /// The same, and only some hosts are heard of meanwhile.
    pub(crate) fn settle_with(&mut self, heard: &[&str]) {
        for _ in 0..20 {
            if self.round().is_empty() {
                return;
            }
            self.pass_with(1, heard);
        }
        panic!("it never ends");
    }

    pub(crate) fn status(&mut self, app: &str) -> Status {
        let plan = self.0.plan();
        let report = plan
            .reports
            .iter()
            .find(|report| report.app.as_str() == app)
            .unwrap();
        report.status.clone()
    }

    /// Where something runs, components with their number: `"NA shop-cart 3"`.
    pub(crate) fn runs(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (id, host) in &self.0.observed.hosts {
            found.extend(
                host.components
                    .iter()
                    .map(|(component, running)| format!("{id} {component} {}", running.count)),
            );
            found.extend(host.providers.keys().map(|provider| format!("{id} {provider}")));
        }
        found
    }
}

/// The steps of a plan, without their reasons.
pub(crate) fn steps(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| step.to_string().split(": ").next().unwrap().to_owned())
        .collect()
}
