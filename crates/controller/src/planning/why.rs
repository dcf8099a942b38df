//! Why a part of an application is as it is: what was decided last, from what, and what it waits for. As data, and as
//! text for people.

use std::fmt;

use wasmcloud_core::{AppName, ComponentId, ConfigName, HostId};

use crate::planning::autoscale::Scale;
use crate::planning::model::Moment;
use crate::planning::step::StepKey;

/// The last decision about one part of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What the manifest calls it, where that is another name.
    pub alias: Option<String>,
    /// For components whose number follows their load: what it came to.
    pub scale: Option<Scale>,
    /// For components and providers: how the instances are divided.
    pub shares: Vec<Share>,
    /// For components and providers: the hosts where something of it runs or shall run.
    pub hosts: Vec<OnHost>,
    /// What it waits for.
    pub waits: Vec<Wait>,
}

/// One spread of a component or provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name.
    pub spread: String,
    /// How many instances (for a provider: hosts) it shall have; with a `daemonscaler`, on each host.
    pub wanted: u32,
    /// How many hosts may take them.
    pub eligible: usize,
}

/// What one host has of a component or provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnHost {
    /// The host.
    pub host: HostId,
    /// How many instances run there.
    pub runs: u32,
    /// How many shall.
    pub wanted: u32,
}

/// What a part waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Something was sent just now; its effect was not seen yet.
    Sent(StepKey),
    /// Something was sent before, and is sent again at a certain moment if it shows no effect until then.
    Effect {
        /// What was sent.
        step: StepKey,
        /// How often.
        tries: u32,
        /// When it is sent again.
        until: Moment,
        /// What was last said against it.
        error: Option<String>,
    },
    /// A config or secret of the application is not as it should be yet.
    Config(ConfigName),
    /// A link of it is not there yet, without which it is refused.
    Link(String),
    /// A link of it was put a moment ago. A host that refuses it says so by then.
    Word {
        /// The link.
        link: String,
        /// When it has had the time for that.
        until: Moment,
    },
    /// What calls shall go to does not run yet.
    Target(ComponentId),
    /// A config that the application uses and does not own does not exist.
    NoConfig(ConfigName),
    /// Another application has the same thing for its own.
    Taken {
        /// What: an id, a config, a link.
        what: String,
        /// Whose it is.
        by: AppName,
    },
    /// Something stands in the way that is not ours.
    Foreign(String),
    /// No host, or not enough of them, has the labels.
    Hosts(String),
    /// What goes waits until what comes was seen.
    Additions,
    /// It goes when what uses it is gone.
    Users,
    /// Other applications use it.
    Shared(Vec<AppName>),
    /// It uses something of an application that does not run or does not share it.
    NotShared(String),
    /// Hosts are changed one after the other.
    OneByOne,
    /// There was no room for its steps in this plan.
    Room,
    /// Nothing is changed, because the store cannot be believed.
    Store(String),
    /// Nothing is changed, because hosts may be missing among those that were heard of.
    Partial,
    /// Nothing of the application is changed, because somebody has paused it.
    Paused,
    /// A host does not put a link into effect.
    Refused {
        /// Which host.
        host: HostId,
        /// Why not.
        why: String,
    },
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(step) => write!(f, "for the effect of: {step}"),
            Self::Effect {
                step, tries, error, ..
            } => {
                write!(f, "for the effect of: {step}")?;
                match tries {
                    0 | 1 => {}
                    tries => write!(f, ", tried {tries} times")?,
                }
                if let Some(error) = error {
                    write!(f, ", last error: {error}")?;
                }
                Ok(())
            }
            Self::Config(name) => write!(f, "for config `{name}`, which is not as it should be yet"),
            Self::Word { link, .. } => write!(f, "for hosts to say whether they take link `{link}`"),
            Self::Link(link) => write!(f, "for link `{link}`, which is not there yet"),
            Self::Target(id) => write!(f, "for `{id}` to run before calls go there"),
            Self::NoConfig(name) => write!(f, "for config `{name}`, which nobody has put"),
            Self::Taken { what, by } => write!(f, "for {what}, which application `{by}` has for its own"),
            Self::Foreign(what) => write!(f, "for {what}, which somebody else put or started"),
            Self::Hosts(what) => write!(f, "for hosts: {what}"),
            Self::Additions => f.write_str("for the rest of the application to run before it goes"),
            Self::Users => f.write_str("for what uses it to end"),
            Self::Shared(by) => {
                f.write_str("for applications that use it:")?;
                by.iter().try_for_each(|app| write!(f, " `{app}`"))
            }
            Self::NotShared(what) => f.write_str(what),
            Self::OneByOne => f.write_str("for another host to be done first"),
            Self::Room => f.write_str("for the steps of this plan to be done"),
            Self::Partial => f.write_str("for all hosts to be heard of"),
            Self::Paused => f.write_str("for somebody to resume the application"),
            Self::Refused { host, why } => write!(f, "for host {host} to take it: {why}"),
            Self::Store(why) => write!(f, "for somebody to make sure of the store: {why}"),
        }
    }
}

impl Decision {
    /// What was last said against what is being done.
    pub fn error(&self) -> Option<&str> {
        self.waits.iter().find_map(|wait| match wait {
            Wait::Effect { error, .. } => error.as_deref(),
            _ => None,
        })
    }

    /// When something is tried again if nothing happens; `None` where nothing is under way.
    pub fn next_retry(&self) -> Option<Moment> {
        let moments = self.waits.iter().filter_map(|wait| match wait {
            Wait::Effect { until, .. } | Wait::Word { until, .. } => Some(*until),
            _ => None,
        });
        moments.min()
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scale) = &self.scale {
            writeln!(f, "autoscaler: {scale}")?;
        }
        for share in &self.shares {
            let Share {
                spread,
                wanted,
                eligible,
            } = share;
            writeln!(f, "spread `{spread}`: {wanted} wanted, {eligible} eligible hosts")?;
        }
        for OnHost { host, runs, wanted } in &self.hosts {
            writeln!(f, "host {host}: {runs} run, {wanted} wanted")?;
        }
        if self.waits.is_empty() {
            return writeln!(f, "waits for nothing");
        }
        self.waits.iter().try_for_each(|wait| writeln!(f, "waits {wait}"))
    }
}
