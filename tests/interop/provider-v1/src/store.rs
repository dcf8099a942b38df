//! The buckets, one set of them for each link, and the diary among them.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::RwLock;
use wasmcloud_provider_sdk::{
    Context, LinkConfig, LinkDeleteInfo, Provider, ProviderConfigUpdate, ProviderInitConfig,
};

use crate::bindings::exports::wrpc::keyvalue::atomics;
use crate::bindings::exports::wrpc::keyvalue::store::{self, Error, KeyResponse};
use crate::broker::Broker;
use crate::diary::Diary;

/// The bucket whose every value is the diary.
const DIARY: &str = "diary";

/// The key of a link's config that says where its counters begin.
const FIRST: &str = "first";

/// The key of a link's config that says which messages its component hears.
const SUBSCRIPTION: &str = "subscription";

/// Who calls: the component and the name of its link.
type Caller = (String, String);

/// What belongs to one link.
#[derive(Debug, Default)]
struct Linked {
    first: u64,
    values: HashMap<(String, String), Bytes>,
}

/// The provider; copies are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    diary: Arc<Diary>,
    broker: Arc<Broker>,
    links: Arc<RwLock<HashMap<Caller, Linked>>>,
}

impl Store {
    /// The provider has come to its end by itself.
    pub(crate) async fn ended(&self) -> Result<()> {
        self.diary.note(json!({ "ended": self.links.read().await.len() }))
    }

    /// The messages.
    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Writes down that it was called.
    pub(crate) fn note_call(&self, context: Option<Context>, what: Value) -> Result<()> {
        let context = context.unwrap_or_default();
        self.diary
            .note(json!({ "by": context.component, "link": context.link_name(), "called": what }))
    }

    /// Does something with what belongs to the caller's link.
    async fn with<T>(
        &self,
        context: Option<Context>,
        act: impl FnOnce(&mut Linked) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let context = context.unwrap_or_default();
        let source = context.component.clone().unwrap_or_default();
        let caller = (source, context.link_name().to_owned());
        match self.links.write().await.get_mut(&caller) {
            Some(linked) => act(linked),
            None => Err(Error::Other(format!(
                "`{}` is not linked by the name `{}`",
                caller.0, caller.1
            ))),
        }
    }
}

impl Provider for Store {
    async fn init(&self, config: impl ProviderInitConfig) -> Result<()> {
        self.diary.begin(&config)
    }

    async fn on_config_update(&self, update: impl ProviderConfigUpdate) -> Result<()> {
        self.diary.note(json!({ "config": update.get_values() }))
    }

    async fn receive_link_config_as_target(&self, link: LinkConfig<'_>) -> Result<()> {
        self.diary.link(&link)?;
        let first = match link.config.get(FIRST) {
            Some(first) => first.parse()?,
            None => 0,
        };
        let caller = (link.source_id.to_owned(), link.link_name.to_owned());
        self.links.write().await.entry(caller).or_default().first = first;
        Ok(())
    }

    async fn receive_link_config_as_source(&self, link: LinkConfig<'_>) -> Result<()> {
        self.diary.link(&link)?;
        let subject = link.config.get(SUBSCRIPTION).context("a subscription")?;
        self.broker
            .subscribe(link.target_id, link.link_name, subject)
            .await;
        Ok(())
    }

    async fn delete_link_as_source(&self, info: impl LinkDeleteInfo) -> Result<()> {
        let (target, name) = (info.get_target_id(), info.get_link_name());
        self.diary.note(json!({ "deleted to": target, "name": name }))?;
        self.broker.unsubscribe(target, name).await;
        Ok(())
    }

    async fn delete_link_as_target(&self, info: impl LinkDeleteInfo) -> Result<()> {
        let caller = (info.get_source_id().to_owned(), info.get_link_name().to_owned());
        self.diary
            .note(json!({ "deleted": caller.0, "name": caller.1 }))?;
        self.links.write().await.remove(&caller);
        Ok(())
    }

    async fn shutdown(&self) -> Result<()> {
        self.diary.note(json!({ "shutdown": true }))
    }
}

impl store::Handler<Option<Context>> for Store {
    async fn get(
        &self,
        context: Option<Context>,
        bucket: String,
        key: String,
    ) -> Result<Result<Option<Bytes>, Error>> {
        if bucket == DIARY {
            return Ok(Ok(Some(self.diary.read().into())));
        }
        Ok(self
            .with(context, |linked| Ok(linked.values.get(&(bucket, key)).cloned()))
            .await)
    }

    async fn set(
        &self,
        context: Option<Context>,
        bucket: String,
        key: String,
        value: Bytes,
    ) -> Result<Result<(), Error>> {
        let set = |linked: &mut Linked| {
            linked.values.insert((bucket, key), value);
            Ok(())
        };
        Ok(self.with(context, set).await)
    }

    async fn delete(
        &self,
        context: Option<Context>,
        bucket: String,
        key: String,
    ) -> Result<Result<(), Error>> {
        let delete = |linked: &mut Linked| {
            linked.values.remove(&(bucket, key));
            Ok(())
        };
        Ok(self.with(context, delete).await)
    }

    async fn exists(
        &self,
        context: Option<Context>,
        bucket: String,
        key: String,
    ) -> Result<Result<bool, Error>> {
        Ok(self
            .with(context, |linked| Ok(linked.values.contains_key(&(bucket, key))))
            .await)
    }

    async fn list_keys(
        &self,
        context: Option<Context>,
        bucket: String,
        _cursor: Option<u64>,
    ) -> Result<Result<KeyResponse, Error>> {
        let list = |linked: &mut Linked| {
            let mut keys: Vec<_> = linked
                .values
                .keys()
                .filter(|(of, _)| *of == bucket)
                .map(|(_, key)| key.clone())
                .collect();
            keys.sort_unstable();
            Ok(KeyResponse { keys, cursor: None })
        };
        Ok(self.with(context, list).await)
    }
}

impl atomics::Handler<Option<Context>> for Store {
    async fn increment(
        &self,
        context: Option<Context>,
        bucket: String,
        key: String,
        delta: u64,
    ) -> Result<Result<u64, Error>> {
        let add = |linked: &mut Linked| {
            let place = (bucket, key);
            let before = match linked.values.get(&place) {
                Some(text) => number(text)?,
                None => linked.first,
            };
            let sum = before
                .checked_add(delta)
                .ok_or_else(|| Error::Other("the number is too large".to_owned()))?;
            linked.values.insert(place, sum.to_string().into());
            Ok(sum)
        };
        Ok(self.with(context, add).await)
    }
}

fn number(text: &Bytes) -> Result<u64, Error> {
    str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::Other("the value is not a number".to_owned()))
}
