//! Takes the changes of one link to its component, one after another, so that they are taken in the order in which they
//! happened: here first, else wherever in the lattice it runs, as far as the route of the link allows (design decision
//! D4).

use std::sync::Arc;
use std::time::Duration;

use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_core::{ComponentId, Limits, LinkName, Route};
use wasmcloud_engine::{CallError, Prepared, Target};
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{self, RpcError};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::keyvalue::{OnDelete, OnSet};
use wasmcloud_wire::rpc::{Call, header};

use super::exports::{self, Told, ToldBucket};
use super::feed::{Change, Feed};
use crate::store::BucketName;

/// Tells one component.
pub(crate) struct Teller {
    /// Who tells.
    pub(crate) provider: ComponentId,
    /// The name of the link.
    pub(crate) name: LinkName,
    /// How calls travel.
    pub(crate) route: Route,
    /// What is watched.
    pub(crate) bucket: BucketName,
    /// Who is told.
    pub(crate) to: ComponentId,
    /// Where it would be on this host, if that is known.
    pub(crate) here: Option<Arc<Target>>,
    /// What takes calls to other hosts, if this one is part of a lattice.
    pub(crate) elsewhere: Option<rpc::Caller>,
}

/// Why a component was not told.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Lattice(#[from] RpcError),
    #[error(
        "it does not run on this host, and the link does not lead to others; hint: the route of the link"
    )]
    Nowhere,
}

impl Teller {
    /// Tells until the feed ends.
    pub(crate) async fn run(self, mut feed: Feed) {
        let (provider, component) = (&self.provider, &self.to);
        let mut failing = false;
        while let Some(change) = feed.next().await {
            let lost = feed.lost();
            if lost > 0 {
                tracing::warn!(
                    target: "wasmcloud::keyvalue", %provider, %component, lost,
                    "changes were not told: the component takes them slower than they come"
                );
            }
            match self.tell(change).await {
                Ok(()) => failing = false,
                // Once until it works again: there may be very many changes.
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(
                        target: "wasmcloud::keyvalue", %provider, %component, error = chain(&error),
                        "a change was not told"
                    );
                }
                Err(error) => {
                    tracing::debug!(
                        target: "wasmcloud::keyvalue", %provider, %component, error = chain(&error),
                        "a change was not told"
                    );
                }
            }
        }
    }

    async fn tell(&self, change: Change) -> Result<(), NotTold> {
        let here = self.here.as_ref().filter(|_| self.route != Route::Lattice);
        let chosen = match here {
            Some(target) => Some(target.choose_awake(None, exports::can_be_told).await),
            None => None,
        };
        match chosen {
            Some(Ok(component)) => Ok(self.tell_here(&component, change).await?),
            Some(Err(refused)) if self.route == Route::Local => Err(CallError::from(refused).into()),
            _ => self.tell_elsewhere(change).await,
        }
    }

    fn invocation(&self, time: Duration) -> Invocation {
        Invocation::new(Caller::Provider(self.provider.clone()), time)
    }

    async fn tell_here(&self, component: &Arc<Prepared>, change: Change) -> Result<(), CallError> {
        let is_set = change.value.is_some();
        let invocation = self.invocation(component.limits().deadline);
        exports::admit(component, is_set, invocation.deadline).await?;
        let begun = exports::begin(component, is_set, invocation).await?;
        let told = Told {
            by: Some(self.provider.clone()),
            bucket: ToldBucket::Named(self.bucket.clone()),
            key: change.key,
            value: change.value,
        };
        begun.tell(told).await
    }

    async fn tell_elsewhere(&self, change: Change) -> Result<(), NotTold> {
        let (bucket, key) = (self.bucket.to_string(), change.key);
        match change.value {
            Some(value) => {
                let value = value.into();
                self.call(&OnSet { bucket, key, value }).await
            }
            None => self.call(&OnDelete { bucket, key }).await,
        }
    }

    async fn call<C: Call>(&self, call: &C) -> Result<(), NotTold> {
        let caller = self.elsewhere.as_ref().filter(|_| self.route != Route::Local);
        let caller = caller.ok_or(NotTold::Nowhere)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::TARGET_ID, self.to.as_str());
        // Whoever runs it has its own limit, which is not known here.
        let invocation = self.invocation(Limits::DEFAULT_DEADLINE);
        let request = rpc::Request {
            source: &self.provider,
            link_name: self.name.as_str(),
            target: &self.to,
            instance: C::INSTANCE,
            function: C::FUNCTION,
            depth: invocation.depth,
            deadline: invocation.deadline.into(),
            signature: None,
            headers,
            params: call.to_bytes().into(),
        };
        caller.call(request).await?.results().await?;
        Ok(())
    }
}
