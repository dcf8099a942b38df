//! What all processes of a provider hear on its id (wire reference §2.5), heard along with them.
//!
//! A process of v1 forgets a link when it hears there that it was deleted. If the link is put again at once, two things
//! go wrong. This host may see nothing of it: a bucket keeps the last value of a record, and what providers should know
//! keeps no more; then the process would not be told of the link again. And the SDK of v1 hears deletions and puts on
//! two subscriptions and takes them in any order; then it ignores the put as one that it knows, and deletes the link.
//! So the process is told where it would not be, and once more when it has settled: a link that it has it ignores.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::{Instant, sleep_until};
use wasmcloud_core::{ComponentId, Link};
use wasmcloud_lattice::{CallError, Message, Subscription};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::provider::InterfaceLinkDefinition;
use wasmcloud_wire::subject::ProviderOperation;

use super::Context;
use super::links::Known;
use crate::links::LinkId;

/// How long after a put a process has certainly taken what came with it.
const SETTLED: Duration = Duration::from_secs(1);

/// How long a deletion of a link that is not there is kept in mind, for the case that it is put again.
const RECENT: Duration = Duration::from_secs(10);

/// Deletions that are kept in mind; more at a time are as if they were not heard.
const MAX_DELETED: usize = 10_000;

/// What one process heard of the links that it was told of.
pub(super) struct ById {
    /// Nothing if the server could not be asked; then everything is as if nothing were heard.
    messages: Option<Subscription>,
    deleted: BTreeMap<LinkId, Deleted>,
}

/// A link whose deletion was heard.
struct Deleted {
    heard: Instant,
    /// When the process was told of the link after that.
    told: Option<Instant>,
}

impl ById {
    /// Listens from now on, which should be before a process does.
    pub(super) async fn listen(context: &Context, id: &ComponentId) -> Self {
        let messages = subscribe(context, id).await.inspect_err(|error| {
            tracing::warn!(provider = %id, error = chain(error), "it is not heard what the provider hears of links");
        });
        Self {
            messages: messages.ok(),
            deleted: BTreeMap::new(),
        }
    }

    /// The process was told of a link.
    pub(super) fn told(&mut self, link: &LinkId) {
        if let Some(deleted) = self.deleted.get_mut(link) {
            deleted.told = Some(Instant::now());
        }
    }

    /// Waits for a link of which the process has to be told although it was. May be dropped at any time.
    pub(super) async fn again(&mut self, told: &Known) -> LinkId {
        loop {
            self.deleted.retain(|link, deleted| {
                deleted.told.is_some() || told.links.contains_key(link) || deleted.heard.elapsed() < RECENT
            });
            let told_at = |(link, deleted): (&LinkId, &Deleted)| Some((deleted.told?, link.clone()));
            let settled = self.deleted.iter().filter_map(told_at).min();
            tokio::select! {
                link = settled_link(settled) => {
                    self.deleted.remove(&link);
                    return link;
                }
                message = next(&mut self.messages) => {
                    let link = self.hear(&message.subject, &message.payload);
                    if let Some(link) = link.filter(|link| told.links.contains_key(link)) {
                        return link;
                    }
                }
            }
        }
    }

    /// Answers the link that is put and was not told since it was deleted.
    fn hear(&mut self, subject: &str, payload: &[u8]) -> Option<LinkId> {
        let link = match read(payload) {
            Ok(link) => link,
            Err(error) => {
                tracing::debug!(error, "something else than a link was told by id");
                return None;
            }
        };
        if subject.ends_with(".put") {
            let deleted = self.deleted.get(&link)?;
            return deleted.told.is_none().then_some(link);
        }
        if self.deleted.len() < MAX_DELETED || self.deleted.contains_key(&link) {
            let heard = Instant::now();
            self.deleted.insert(link, Deleted { heard, told: None });
        }
        None
    }
}

async fn subscribe(context: &Context, id: &ComponentId) -> Result<Subscription, CallError> {
    let put = context.subject(id.clone().into(), ProviderOperation::LinkPut);
    // Both in one subscription, so that they come in their order.
    let both = format!("{}.*", put.trim_end_matches(".put"));
    let messages = context.rpc.subscribe(&both).await?;
    context.rpc.barrier(context.rpc.default_deadline()).await?;
    Ok(messages)
}

async fn next(messages: &mut Option<Subscription>) -> Message {
    if let Some(messages) = messages
        && let Some(message) = messages.next().await
    {
        return message;
    }
    std::future::pending().await
}

async fn settled_link(told: Option<(Instant, LinkId)>) -> LinkId {
    match told {
        Some((told, link)) => {
            sleep_until(told + SETTLED).await;
            link
        }
        None => std::future::pending().await,
    }
}

/// The link that is meant.
fn read(payload: &[u8]) -> Result<LinkId, String> {
    let heard = InterfaceLinkDefinition::decode(payload).map_err(|error| chain(&error))?;
    let link = wasmcloud_wire::Link {
        source_id: heard.source_id,
        target: heard.target,
        name: heard.name,
        wit_namespace: heard.wit_namespace,
        wit_package: heard.wit_package,
        interfaces: heard.interfaces,
        ..wasmcloud_wire::Link::default()
    };
    let link = Link::try_from(&link).map_err(|error| chain(&error))?;
    Ok((link.key(), link.target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: &str = "wasmbus.rpc.default.p.linkdefs.put";
    const DEL: &str = "wasmbus.rpc.default.p.linkdefs.del";

    fn deaf() -> ById {
        ById {
            messages: None,
            deleted: BTreeMap::new(),
        }
    }

    fn payload(source: &str) -> Vec<u8> {
        InterfaceLinkDefinition {
            source_id: source.to_owned(),
            target: "p".to_owned(),
            name: "default".to_owned(),
            wit_namespace: "wasi".to_owned(),
            wit_package: "keyvalue".to_owned(),
            interfaces: vec!["store".to_owned()],
            ..InterfaceLinkDefinition::default()
        }
        .encode()
    }

    #[test]
    fn a_put_counts_where_the_link_was_deleted_and_not_told_since() {
        let (a, b) = (payload("a"), payload("b"));
        let id = read(&a).unwrap();
        let mut by_id = deaf();
        assert_eq!(by_id.hear(PUT, &a), None);
        assert_eq!(by_id.hear(DEL, &a), None);
        assert_eq!(by_id.hear(PUT, &b), None);
        assert_eq!(by_id.hear(PUT, b"{}"), None);
        assert_eq!(by_id.hear(PUT, &a), Some(id.clone()));
        by_id.told(&id);
        assert_eq!(by_id.hear(PUT, &a), None);
        assert_eq!(by_id.hear(DEL, &a), None);
        assert_eq!(by_id.hear(PUT, &a), Some(id));
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_told_after_its_deletion_is_told_once_more() {
        let (began, known) = (Instant::now(), Known::default());
        let id = read(&payload("a")).unwrap();
        let mut by_id = deaf();
        by_id.hear(DEL, &payload("a"));
        by_id.told(&id);
        assert_eq!(by_id.again(&known).await, id);
        assert!(began.elapsed() >= SETTLED);
        by_id.told(&id);
        let once = tokio::time::timeout(RECENT, by_id.again(&known)).await;
        assert!(once.is_err(), "{once:?}");
    }
}
