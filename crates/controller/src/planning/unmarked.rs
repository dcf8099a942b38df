//! What v1's wadm has started does not say which revision it is of. It is left as it is, until another revision is
//! deployed: then it is what a former one says, and taken for another one where that is different.

use std::cell::OnceCell;
use std::collections::HashMap;

use wasmcloud_core::ComponentId;
use wasmcloud_wire::Labels;

use crate::planning::marks;
use crate::planning::model::Application;
use crate::planning::{components, providers};

/// What the former revisions of an application say of its parts.
pub(crate) struct Unmarked<'a> {
    application: &'a Application,
    /// The revisions of each part. Hardly ever asked for, so made when it is.
    former: OnceCell<HashMap<&'a ComponentId, Vec<String>>>,
}

impl<'a> Unmarked<'a> {
    pub(crate) fn new(application: &'a Application) -> Self {
        Self {
            application,
            former: OnceCell::new(),
        }
    }

    /// Whether something of the application that runs with these annotations is of another revision than this one.
    pub(crate) fn is_other(&self, id: &ComponentId, annotations: &Labels, revision: &str) -> bool {
        match annotations.get(marks::REVISION) {
            Some(stated) => stated != revision,
            None => {
                let former = self.former.get_or_init(|| self.collect()).get(id);
                former.is_some_and(|former| former.iter().any(|former| former != revision))
            }
        }
    }

    fn collect(&self) -> HashMap<&'a ComponentId, Vec<String>> {
        let app = &self.application.name;
        let mut found: HashMap<_, Vec<String>> = HashMap::new();
        for desired in self.application.former.iter().map(|revision| &revision.desired) {
            for component in &desired.components {
                let revision = components::revision_of(app, component);
                found.entry(&component.id).or_default().extend(revision);
            }
            for provider in &desired.providers {
                let revision = providers::revision_of(app, provider);
                found.entry(&provider.id).or_default().push(revision);
            }
        }
        found
    }
}
