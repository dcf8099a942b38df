//! What the leader says of applications after each plan.

use std::collections::BTreeMap;

use wasmcloud_core::AppName;

use crate::planning::{AppReport, Lattice, Plan, StoreHealth, Wait, report_of};

/// How applications fare by the last plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How each application fares, by name.
    pub reports: Vec<AppReport>,
    /// The generation of each application that was planned.
    pub generations: BTreeMap<AppName, u64>,
    /// Why nothing at all is changed at the moment, where it is so.
    pub held: Option<String>,
}

impl Told {
    /// What a plan says. `partial` is [`Observed::partial`](crate::Observed::partial).
    pub fn of(plan: &Plan, lattice: &Lattice, partial: bool) -> Self {
        let planned = lattice.applications.iter();
        Self {
            reports: plan.reports.clone(),
            generations: planned.map(|app| (app.name.clone(), app.generation)).collect(),
            held: match &plan.store {
                StoreHealth::Suspect(why) => Some(Wait::Store(why.clone()).to_string()),
                StoreHealth::Trusted => partial.then(|| Wait::Partial.to_string()),
            }
            .map(|wait| format!("waiting {wait}")),
        }
    }

    /// What is said of one application.
    pub fn report(&self, app: &AppName) -> Option<&AppReport> {
        report_of(&self.reports, app)
    }
}
