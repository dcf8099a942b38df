//! What a provider should know, what it was told, and the way from the one to the other (wire reference §2.5).
//!
//! Changes are not queued. There is what should be, which is replaced, and what was told; a task tells the difference
//! until there is none. So a provider that was out of reach for a while learns what counts, in order, and nothing
//! grows meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use wasmcloud_capability::{BoundLink, ConfigMap};
use wasmcloud_core::{ComponentId, LinkKey};
use wasmcloud_lattice::CallError;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::provider::InterfaceLinkDefinition;
use wasmcloud_wire::state::Config;
use wasmcloud_wire::subject::{ProviderOperation, Token};

use super::Context;
use super::by_id::ById;
use crate::links::LinkId;

/// How long to wait before something that could not be told is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What a provider should know.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) config: ConfigMap,
    pub(super) links: BTreeMap<LinkId, Arc<InterfaceLinkDefinition>>,
}

impl Known {
    /// A link is there, with what the provider needs of it. Takes the place of one with the same key that has an
    /// interface in common with it: that is gone (wire reference §3.1).
    pub(super) fn put(&mut self, bound: &BoundLink) {
        let link = &bound.link;
        let key = link.key();
        self.links.retain(|(known, target), definition| {
            let shared = || {
                link.interfaces
                    .iter()
                    .any(|name| definition.interfaces.contains(name))
            };
            *known != key || *target == link.target || !shared()
        });
        self.links
            .insert((key, link.target.clone()), Arc::new(definition(bound)));
    }

    /// The links with this key are gone.
    pub(super) fn remove(&mut self, key: &LinkKey) {
        self.links.retain(|(known, _), _| known != key);
    }
}

/// A link as providers read it. There are no secrets yet; configs with secrets are refused before.
pub(crate) fn definition(bound: &BoundLink) -> InterfaceLinkDefinition {
    let link = &bound.link;
    InterfaceLinkDefinition {
        source_id: link.source.to_string(),
        target: link.target.to_string(),
        name: link.name.to_string(),
        wit_namespace: link.namespace.clone(),
        wit_package: link.package.clone(),
        interfaces: link.interfaces.clone(),
        source_config: bound.source_config.clone(),
        target_config: bound.target_config.clone(),
        source_secrets: None,
        target_secrets: None,
    }
}

/// One thing to tell.
#[derive(Debug, PartialEq)]
enum Step {
    Del(LinkId, Arc<InterfaceLinkDefinition>),
    Put(LinkId, Arc<InterfaceLinkDefinition>),
    Config(ConfigMap),
}

/// What has to be told so that who knows `told` knows `known`. Links that are gone come first: a new one may need
/// their place.
fn steps(told: &Known, known: &Known) -> Vec<Step> {
    let gone = told.links.iter().filter(|(id, _)| !known.links.contains_key(*id));
    let put = known
        .links
        .iter()
        .filter(|(id, definition)| told.links.get(*id) != Some(*definition));
    let config = (told.config != known.config).then(|| Step::Config(known.config.clone()));
    gone.map(|(id, definition)| Step::Del(id.clone(), Arc::clone(definition)))
        .chain(put.map(|(id, definition)| Step::Put(id.clone(), Arc::clone(definition))))
        .chain(config)
        .collect()
}

/// Tells one process of a provider what changes from `told` on, for ever.
///
/// Links go to the key of the process. That of a deletion is ours alone: providers of v1 listen for deletions on
/// their id, where whoever handles the request publishes them (`control`), once for all hosts; what they forgot there
/// and should know they are told again.
pub(super) async fn deliver(
    context: &Context,
    id: &ComponentId,
    key: &Token,
    mut known: watch::Receiver<Known>,
    mut told: Known,
    mut by_id: ById,
) {
    loop {
        let wanted = known.borrow_and_update().clone();
        let steps = steps(&told, &wanted);
        match tell(context, id, key, &steps).await {
            Ok(()) => {
                for step in &steps {
                    if let Step::Put(link, _) = step {
                        by_id.told(link);
                    }
                }
                told = wanted;
                tokio::select! {
                    changed = known.changed() => if changed.is_err() {
                        // Nothing changes any more.
                        std::future::pending::<()>().await;
                    },
                    link = by_id.again(&told) => {
                        told.links.remove(&link);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(provider = %id, error = chain(&error), "a change was not told to the provider; trying again");
                sleep(AGAIN).await;
            }
        }
    }
}

async fn tell(context: &Context, id: &ComponentId, key: &Token, steps: &[Step]) -> Result<(), CallError> {
    if steps.is_empty() {
        return Ok(());
    }
    for step in steps {
        let (subject, payload) = match step {
            Step::Del(_, definition) => (
                context.subject(key.clone(), ProviderOperation::LinkDel),
                without_configs(definition).encode(),
            ),
            Step::Put(_, definition) => (
                context.subject(key.clone(), ProviderOperation::LinkPut),
                definition.encode(),
            ),
            Step::Config(config) => (
                context.subject(id.clone().into(), ProviderOperation::ConfigUpdate),
                Config(config.clone()).encode(),
            ),
        };
        match context.rpc.publish(&subject, None, payload.into()).await {
            // It will not be shorter the next time.
            Err(error @ CallError::TooLarge { .. }) => {
                tracing::error!(provider = %id, error = chain(&error), "a change cannot be told to the provider");
            }
            sent => sent?,
        }
    }
    // What the server has not confirmed is told again.
    context.rpc.barrier(context.rpc.default_deadline()).await
}

/// A link that is gone, as v1 tells it: without the values of its configs.
pub(crate) fn without_configs(definition: &InterfaceLinkDefinition) -> InterfaceLinkDefinition {
    InterfaceLinkDefinition {
        source_config: BTreeMap::new(),
        target_config: BTreeMap::new(),
        ..definition.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(source: &str, target: &str, interfaces: &[&str], config: &str) -> BoundLink {
        let link = wasmcloud_wire::Link {
            source_id: source.to_owned(),
            target: target.to_owned(),
            name: "default".to_owned(),
            wit_namespace: "wasi".to_owned(),
            wit_package: "keyvalue".to_owned(),
            interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
            ..wasmcloud_wire::Link::default()
        };
        BoundLink {
            link: (&link).try_into().unwrap(),
            source_config: ConfigMap::new(),
            target_config: ConfigMap::from([("k".to_owned(), config.to_owned())]),
        }
    }

    fn id(bound: &BoundLink) -> LinkId {
        (bound.link.key(), bound.link.target.clone())
    }

    #[test]
    fn the_difference_is_told_and_nothing_else() {
        let (a, b) = (bound("a", "p", &["store"], "1"), bound("b", "p", &["store"], "1"));
        let mut told = Known::default();
        told.put(&a);
        assert_eq!(steps(&told, &told), []);
        let mut known = told.clone();
        known.remove(&a.link.key());
        known.put(&b);
        known.config.insert("x".to_owned(), "y".to_owned());
        let arc = |bound| Arc::new(definition(bound));
        assert_eq!(
            steps(&told, &known),
            [
                Step::Del(id(&a), arc(&a)),
                Step::Put(id(&b), arc(&b)),
                Step::Config(known.config.clone()),
            ]
        );
        let changed = bound("a", "p", &["store"], "2");
        let mut known = told.clone();
        known.put(&changed);
        assert_eq!(steps(&told, &known), [Step::Put(id(&a), arc(&changed))]);
    }

    #[test]
    fn a_link_that_turns_takes_the_place_of_the_former() {
        let mut known = Known::default();
        known.put(&bound("p", "a", &["store"], "1"));
        known.put(&bound("p", "b", &["watcher"], "1"));
        assert_eq!(
            known.links.len(),
            2,
            "disjoint interfaces may go to different targets"
        );
        known.put(&bound("p", "c", &["store", "batch"], "1"));
        let targets: Vec<&str> = known.links.keys().map(|(_, target)| target.as_str()).collect();
        assert_eq!(targets, ["b", "c"]);
    }
}
