//! Desired state: what should run because of one manifest, in terms that every room understands.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use wasmcloud_core::{AppName, ComponentId, ConfigName, ImageRef, InterfaceName, Limits, Link, LinkSuffix};

use crate::schedule::Schedule;
use crate::source::Position;

/// Everything that should be in a lattice because of one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// What messages call the manifest; the places below are places in it.
    pub file: String,
    /// The name of the application.
    pub app: AppName,
    /// The version that the manifest states.
    pub version: Option<String>,
    /// What the manifest says the application is.
    pub description: Option<String>,
    /// Whether other applications may use its components.
    pub shared: bool,
    /// All annotations of the manifest, `version` and `description` included.
    pub annotations: BTreeMap<String, String>,
    /// The labels of the manifest.
    pub labels: BTreeMap<String, String>,
    /// The components, in the order of the manifest.
    pub components: Vec<DesiredComponent>,
    /// The capability providers, in the order of the manifest.
    pub providers: Vec<DesiredProvider>,
    /// The components and providers of other applications that this one links to or from.
    pub references: Vec<SharedReference>,
    /// The links, in the order of the manifest.
    pub links: Vec<DesiredLink>,
    /// The configs that this application owns, by the name they have in the lattice.
    pub configs: BTreeMap<ConfigName, BTreeMap<String, String>>,
    /// The configs that it uses and does not own, with the places that name them; they must exist.
    pub external_configs: BTreeMap<ConfigName, Position>,
    /// The secrets that it uses, by the name of the config that holds the reference.
    pub secrets: BTreeMap<ConfigName, SecretRef>,
    /// How it takes over from the revision before.
    pub rollout: Rollout,
    /// Whether a component is refused that imports what no link answers. No manifest says so: whoever has it run does.
    pub links_required: bool,
}

/// How a new revision takes over from the one before (policy of type `policy.rollout.wasmcloud.dev/v1alpha1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The way.
    pub strategy: Strategy,
    /// For a canary, the percentages of calls that the new revision gets one after the other, before it gets all.
    pub steps: Vec<u8>,
    /// For a canary, how long each step lasts; for blue-green, how long both are there before the switch.
    pub pause: Duration,
    /// For a canary, the share of failed calls above which it is rolled back, in hundredths of a percent.
    pub max_failures: u16,
    /// The path that HTTP components have to answer before they get calls.
    pub probe: Option<String>,
    /// Whether a rollout that fails goes back by itself.
    pub rollback: bool,
}

impl Rollout {
    /// Longest pause of a step.
    pub const MAX_PAUSE: Duration = Duration::from_secs(86_400);
    /// Most steps.
    pub const MAX_STEPS: usize = 20;
    /// Longest path of a probe, in bytes.
    pub const MAX_PROBE: usize = 1_024;
}

/// The way in which a new revision takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Host by host.
    #[default]
    Rolling,
    /// It gets a growing share of the calls.
    Canary,
    /// It is started everywhere, and then gets all calls at once.
    BlueGreen,
    /// What runs ends before it is started.
    Recreate,
}

/// A component that should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredComponent {
    /// Its name in the manifest.
    pub name: String,
    /// Its id in the lattice.
    pub id: ComponentId,
    /// Where its code comes from; file paths are joined to [`ResolveOptions::base_dir`].
    ///
    /// [`ResolveOptions::base_dir`]: crate::ResolveOptions::base_dir
    pub image: ImageRef,
    /// What tells its code from other code of the same image, where that is known: a file may change. No manifest says
    /// so: whoever has it run does.
    pub content: Option<String>,
    /// What the names of its links end in, where they are of this revision alone. No manifest says so: whoever has it run
    /// does, and names them so.
    pub link_suffix: Option<LinkSuffix>,
    /// What it may use on each host.
    pub limits: Limits,
    /// How many run where; without one it is not started.
    pub scaler: Option<Scaler>,
    /// Its configs, later ones override earlier ones.
    pub config: Vec<ConfigName>,
    /// Its secrets: keys of [`Desired::secrets`].
    pub secrets: Vec<ConfigName>,
    /// When which of its functions is called, in the order of the manifest; no two have the same schedule and function.
    pub triggers: Vec<CronTrigger>,
    /// Where the manifest names it.
    pub at: Position,
}

/// A function of a component that is called by the clock, once per tick in the whole lattice (trait `cron`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronTrigger {
    /// When.
    pub schedule: Schedule,
    /// What: it takes no parameters, and what it returns is not looked at.
    pub function: ExportedFunction,
    /// What becomes of ticks at which it could not be called.
    pub missed: Missed,
    /// Time for one call; above 0, and at most [`CronTrigger::MAX_DEADLINE`].
    pub deadline: Duration,
    /// What becomes of a tick while the call of an earlier one still runs.
    pub overlap: Overlap,
    /// Where the manifest has it.
    pub at: Position,
}

impl CronTrigger {
    /// Time for one call where the manifest states none: as for any invocation ([`Limits::default`]).
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
    /// Longest time for one call.
    pub const MAX_DEADLINE: Duration = Duration::from_secs(3_600);
}

/// A function that a component exports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExportedFunction {
    /// The interface, with the version where one is written.
    pub interface: InterfaceName,
    /// The function in it.
    pub name: String,
}

impl fmt::Display for ExportedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.interface, self.name)
    }
}

/// What becomes of ticks of a [`CronTrigger`] at which nobody led or the component did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missed {
    /// Nothing.
    #[default]
    Skip,
    /// One call, as soon as that is possible, for all those of the last hour.
    Once,
}

/// What becomes of a tick of a [`CronTrigger`] while the call of an earlier one still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overlap {
    /// Nothing.
    #[default]
    Skip,
    /// A call beside the other.
    Allow,
}

/// A capability provider that should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredProvider {
    /// Its name in the manifest.
    pub name: String,
    /// Its id in the lattice.
    pub id: ComponentId,
    /// What runs: [`ImageRef::Builtin`] for a provider inside the host, else a process.
    pub image: ImageRef,
    /// The reference as the manifest has it, where a built-in provider takes the place of an image.
    pub replaced: Option<ImageRef>,
    /// On how many hosts it runs, and on which.
    pub scaler: Scaler,
    /// Its configs, later ones override earlier ones.
    pub config: Vec<ConfigName>,
    /// Its secrets: keys of [`Desired::secrets`].
    pub secrets: Vec<ConfigName>,
    /// Where the manifest names it.
    pub at: Position,
}

/// How many instances run where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaler {
    /// How instances are counted.
    pub kind: ScalerKind,
    /// For a component, how many invocations run at once, at least where `auto` says how many more; for a provider, on
    /// how many hosts it runs. 0 stops it.
    pub instances: u32,
    /// How many more there are when there is more to do.
    pub auto: Option<Autoscale>,
    /// The shares by host labels; never empty, and at least one has a weight above 0.
    pub spread: Vec<Spread>,
}

/// Between which numbers the instances of a component follow its load, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscale {
    /// Most instances; at least [`Scaler::instances`].
    pub max: u32,
    /// The percent of the instances that shall be in use, from 1 to 100.
    pub utilization: u8,
    /// Longest time that invocations shall wait for an instance, on average.
    pub queue_time: Duration,
    /// How long fewer instances have to be enough before there are fewer.
    pub cooldown: Duration,
}

impl Autoscale {
    /// Default of [`Autoscale::utilization`]: room for bursts until there are more instances, as Kubernetes' users leave
    /// to their autoscaler.
    pub const DEFAULT_UTILIZATION: u8 = 70;
    /// Default of [`Autoscale::queue_time`].
    pub const DEFAULT_QUEUE_TIME: Duration = Duration::from_millis(100);
    /// Default of [`Autoscale::cooldown`]: load that comes back within a minute finds its instances.
    pub const DEFAULT_COOLDOWN: Duration = Duration::from_secs(60);
    /// After how long without an invocation a component sleeps whose fewest instances are 0 and that says nothing else.
    pub const DEFAULT_IDLE: Duration = Duration::from_secs(300);
}

/// How the instances of a [`Scaler`] are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScalerKind {
    /// `spreadscaler`: so many in the whole lattice, divided by weight.
    Spread,
    /// `daemonscaler`: so many on every eligible host.
    Daemon,
}

/// The share of a [`Scaler`]'s instances that goes to hosts with certain labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Its name, seen in status and annotations.
    pub name: String,
    /// Labels that a host must have with these values.
    pub requirements: BTreeMap<String, String>,
    /// Its weight among the shares.
    pub weight: u32,
}

impl Spread {
    /// The weight of a share that states none (v1 wire reference §8.1).
    pub const DEFAULT_WEIGHT: u32 = 100;

    /// The share where the manifest has none: any host (v1 wire reference Appendix A).
    pub fn anywhere() -> Self {
        Self {
            name: "default".to_owned(),
            requirements: BTreeMap::new(),
            weight: Self::DEFAULT_WEIGHT,
        }
    }
}

impl Scaler {
    /// The scaler of a provider that states none: one instance anywhere (v1 wire reference §8.1).
    pub fn one_anywhere() -> Self {
        Self {
            kind: ScalerKind::Spread,
            instances: 1,
            auto: None,
            spread: vec![Spread::anywhere()],
        }
    }
}

/// A component or provider of another application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedReference {
    /// Its name in this manifest.
    pub name: String,
    /// Its id in the lattice.
    pub id: ComponentId,
    /// The application that shares it.
    pub application: String,
    /// Its name there.
    pub component: String,
    /// Whether the manifest says that it is a provider.
    pub provider: bool,
    /// Where the manifest names it.
    pub at: Position,
}

/// A link that should exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredLink {
    /// The link, with the names of its configs.
    pub link: Link,
    /// Secrets for its source: keys of [`Desired::secrets`].
    pub source_secrets: Vec<ConfigName>,
    /// Secrets for its target: keys of [`Desired::secrets`].
    pub target_secrets: Vec<ConfigName>,
    /// Where the manifest has it.
    pub at: Position,
}

/// Where the value of a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// The name under which it is read.
    pub name: String,
    /// The policy that names the backend.
    pub policy: String,
    /// The backend.
    pub backend: String,
    /// What the policy hands to the backend besides its name.
    pub policy_properties: BTreeMap<String, String>,
    /// The key in the backend.
    pub key: String,
    /// The field of the value.
    pub field: Option<String>,
    /// The version of the value.
    pub version: Option<String>,
}
