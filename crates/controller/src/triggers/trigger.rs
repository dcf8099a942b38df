//! One trigger of one application, and how it is known.

use wasmcloud_core::{AppName, ComponentId};
use wasmcloud_manifest::{CronTrigger, Desired};
use wasmcloud_wire::app::cron_key;

use crate::planning::marks;

/// Most triggers of a lattice that are looked at; further ones are never called for, which is logged.
pub const MAX_TRIGGERS: usize = 1_000;

/// Digits of the hash in a key, 64 bits: the triggers of one application are told apart.
const DIGITS: usize = 16;

/// A function of a component that is called by the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The application.
    pub app: AppName,
    /// The component, by its id in the lattice.
    pub component: ComponentId,
    /// What is called when.
    pub cron: CronTrigger,
}

impl Trigger {
    /// All triggers of an application that is deployed.
    pub fn of(desired: &Desired) -> impl Iterator<Item = Self> {
        desired.components.iter().flat_map(|component| {
            component.triggers.iter().map(|cron| Self {
                app: desired.app.clone(),
                component: component.id.clone(),
                cron: cron.clone(),
            })
        })
    }

    /// The key of its record. It stays the same as long as component, schedule and function do.
    pub fn key(&self) -> String {
        let texts = [
            self.component.to_string(),
            self.cron.schedule.to_string(),
            self.cron.function.to_string(),
        ];
        let hash = marks::hash(texts.iter().map(String::as_str));
        cron_key(&self.app, hash.get(..DIGITS).unwrap_or_default())
    }
}
