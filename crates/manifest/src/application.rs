//! An application that makes sense: what [`crate::validate`] makes of a document.
//!
//! Names are checked, ids are known, and every link has both ends. What is left to [`crate::resolve`] is what
//! depends on where the application will run: files and built-in providers.

use std::collections::BTreeMap;

use wasmcloud_core::{AppName, ComponentId, ConfigName, ImageRef, Limits, Link};

use crate::desired::{CronTrigger, Rollout, Scaler, SecretRef};
use crate::source::{Position, Spanned};

#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) name: AppName,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) shared: bool,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) parts: Vec<Part>,
    pub(crate) configs: BTreeMap<ConfigName, BTreeMap<String, String>>,
    pub(crate) secrets: BTreeMap<ConfigName, SecretRef>,
    pub(crate) rollout: Rollout,
}

/// A component, a provider, or a reference to one of another application.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: Spanned<String>,
    pub(crate) id: ComponentId,
    pub(crate) kind: PartKind,
    pub(crate) config: Vec<ConfigUse>,
    pub(crate) secrets: Vec<ConfigName>,
    pub(crate) links: Vec<PartLink>,
}

#[derive(Clone, Debug)]
pub(crate) enum PartKind {
    Component {
        image: Spanned<ImageRef>,
        limits: Limits,
        scaler: Option<Scaler>,
        triggers: Vec<CronTrigger>,
    },
    Provider {
        image: Spanned<ImageRef>,
        scaler: Scaler,
    },
    Shared {
        application: String,
        component: String,
        provider: bool,
    },
}

/// A config by the name it has in the lattice.
#[derive(Clone, Debug)]
pub(crate) struct ConfigUse {
    pub(crate) name: ConfigName,
    /// Whether this application does not define it, so that it must exist already.
    pub(crate) external: bool,
    pub(crate) at: Position,
}

#[derive(Clone, Debug)]
pub(crate) struct PartLink {
    pub(crate) link: Link,
    pub(crate) configs: Vec<ConfigUse>,
    pub(crate) source_secrets: Vec<ConfigName>,
    pub(crate) target_secrets: Vec<ConfigName>,
    pub(crate) at: Position,
}
