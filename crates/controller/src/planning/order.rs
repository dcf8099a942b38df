//! In which order the steps of a plan are carried out: each finds what it needs.
//!
//! Configs come before what reads them, links before what calls over them, providers before components, and what goes
//! comes after all that comes; what an application has no use for any more is not even planned before the rest of it
//! was seen to run. A link or provider that is in the way of its successor goes first. Steps of one phase may be
//! carried out side by side if they have different keys; a phase begins when all steps of the one before were answered.

use crate::planning::step::{Action, Step, StepKey};

/// When a step is carried out, compared with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Configs and references to secrets.
    Configs,
    /// Links that make room for others, or go for good.
    LinksGo,
    /// Links.
    Links,
    /// Providers that make room for their successors, or go for good.
    ProvidersGo,
    /// Providers.
    Providers,
    /// Components that start or change.
    Components,
    /// Components that go.
    ComponentsGo,
    /// Configs that go.
    ConfigsGo,
}

impl Action {
    /// When it is carried out.
    pub fn phase(&self) -> Phase {
        match self {
            Self::PutConfig { .. } => Phase::Configs,
            Self::DeleteLink(_) => Phase::LinksGo,
            Self::PutLink(_) | Self::TurnLink { .. } => Phase::Links,
            Self::StopProvider { .. } => Phase::ProvidersGo,
            Self::StartProvider { .. } => Phase::Providers,
            Self::ScaleComponent { .. } => Phase::Components,
            Self::StopComponent { .. } => Phase::ComponentsGo,
            Self::DeleteConfig(_) => Phase::ConfigsGo,
        }
    }
}

/// By phase, then by what they are about.
pub(crate) fn sort(steps: &mut [Step]) {
    steps.sort_by_cached_key(|step| -> (Phase, StepKey) { (step.action.phase(), step.action.key()) });
}
