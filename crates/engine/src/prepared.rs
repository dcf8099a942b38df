//! A component that can be called: linked, proven to start, with its limits.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use wasmcloud_capability::{Caller, ComponentContext, InstanceState, Invocation};
use wasmcloud_core::Limits;
use wasmtime::component::{Instance, InstancePre, Linker};
use wasmtime::{PoolConcurrencyLimitError, Store, UpdateDeadline};

use crate::admit::Admit;
use crate::compile::Compiled;
use crate::error::{CallError, DeadlineExceeded, Refused, classify};
use crate::functions::{Function, Functions, ImportName};
use crate::imports::{self, UnsatisfiedImport};
use crate::kept::{Idle, Kept};
use crate::live::Live;
use crate::permits::{Permits, Slot};
use crate::profile::Profile;
use crate::signature::Signature;
use crate::stats::{Stats, Tally};

/// Longest time that the first instance may take to come into being.
const START_LIMIT: Duration = Duration::from_secs(10);

/// The number of the next component that is prepared.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// A page of linear memory, the unit in which wasmtime counts them.
const PAGE: u64 = 64 << 10;

/// Exports that a capability has resolved once per component, so that a call does not look them up.
pub type Exports = Box<dyn Any + Send + Sync>;

/// A capability that calls components: it says which exports it will call.
pub trait ResolveExports: Send + Sync {
    /// The resolved exports, or `None` where the component does not have them.
    fn resolve(&self, pre: &InstancePre<InstanceState>) -> Option<Exports>;
}

/// What a component is prepared from.
pub struct PrepareOptions<'a> {
    /// Its code.
    pub compiled: Compiled,
    /// Everything its imports need. From [`crate::Linkers`], with its own imports added.
    pub linker: &'a Linker<InstanceState>,
    /// What its instances share.
    pub context: Arc<ComponentContext>,
    /// What it may use.
    pub limits: Limits,
    /// Its counters.
    pub stats: Arc<Stats>,
    /// Who will call it.
    pub resolvers: &'a [Arc<dyn ResolveExports>],
    /// Who is asked before each call; without, everybody may call.
    pub admit: Option<Arc<dyn Admit>>,
}

/// Why a component does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Imports that nobody answers.
    #[error("{}", imports::explain(.0))]
    Imports(Vec<UnsatisfiedImport>),
    /// An import is offered, but not as the component wants it.
    #[error("link the component's imports")]
    Link(#[source] wasmtime::Error),
    /// The first instance failed.
    #[error("the first instance failed")]
    Instantiate(#[source] CallError),
    /// The memory the component starts with is above its limit.
    #[error(
        "the component needs {needs} bytes of memory to start, its limit is {limit}; hint: raise `memory` in the component's `runtime` trait"
    )]
    Memory {
        /// Initial size of its memories in bytes.
        needs: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// What shall wake a component is another one.
    #[error("the image is another one than when the component went to sleep; hint: deploy it again")]
    OtherCode,
}

/// A component that can be called.
pub struct Prepared {
    pub(crate) profile: Arc<Profile>,
    compiled: Compiled,
    pre: InstancePre<InstanceState>,
    exports: Vec<Exports>,
    functions: Functions,
    kept: Kept,
    /// Tells this one from all others that this process ever prepared.
    pub(crate) serial: u64,
}

impl Prepared {
    /// Links the component and instantiates it once, so that one that cannot start is found out here and not by its
    /// first caller.
    pub async fn start(options: PrepareOptions<'_>) -> Result<Arc<Self>, StartError> {
        let PrepareOptions {
            compiled,
            linker,
            context,
            limits,
            stats,
            resolvers,
            admit,
        } = options;
        if let Some(resources) = compiled.component.resources_required() {
            let needs = resources
                .max_initial_memory_size
                .unwrap_or(0)
                .saturating_mul(PAGE);
            if needs > limits.memory {
                return Err(StartError::Memory {
                    needs,
                    limit: limits.memory,
                });
            }
        }
        let profile = Arc::new(Profile {
            permits: Permits::new(context.id().clone(), limits.concurrency, limits.queue),
            digest: Arc::clone(&compiled.digest),
            described: Arc::clone(&compiled.described),
            context,
            limits,
            stats,
            tally: Tally::default(),
            admit,
        });
        let prepared = Self::link(profile, compiled, linker, resolvers)?;
        let first = Invocation::new(Caller::Host, START_LIMIT);
        let live = prepared.begin(first).await.map_err(StartError::Instantiate)?;
        live.release_unused();
        Ok(prepared)
    }

    /// Links the code of a component that slept. It was started before, so nothing is tried.
    pub fn wake(
        profile: Arc<Profile>,
        compiled: Compiled,
        linker: &Linker<InstanceState>,
        resolvers: &[Arc<dyn ResolveExports>],
    ) -> Result<Arc<Self>, StartError> {
        if profile.digest != compiled.digest {
            return Err(StartError::OtherCode);
        }
        Self::link(profile, compiled, linker, resolvers)
    }

    fn link(
        profile: Arc<Profile>,
        compiled: Compiled,
        linker: &Linker<InstanceState>,
        resolvers: &[Arc<dyn ResolveExports>],
    ) -> Result<Arc<Self>, StartError> {
        let pre = linker
            .instantiate_pre(&compiled.component)
            .map_err(StartError::Link)?;
        Ok(Arc::new(Self {
            exports: resolvers
                .iter()
                .filter_map(|resolver| resolver.resolve(&pre))
                .collect(),
            functions: Functions::of(&compiled),
            kept: Kept::default(),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            profile,
            compiled,
            pre,
        }))
    }

    /// Whether a function may be called; whoever begins a call for somebody else asks this first, and before anything
    /// is taken up. At the cost of a look at one field, unless there is somebody to ask.
    pub async fn admit(&self, interface: &str, function: &str, deadline: Instant) -> Result<(), CallError> {
        let Some(admit) = &self.profile.admit else {
            return Ok(());
        };
        let outcome = admit.admit(interface, function, deadline).await;
        if let Err(error) = &outcome {
            self.profile.stats.refused();
            let component = self.profile.context.id();
            tracing::debug!(target: "wasmcloud::component", %component, interface, function, "{error}");
        }
        outcome
    }

    /// A slot for one call, if one is free now. For whoever has somewhere else to go if none is.
    pub fn slot(&self) -> Option<Slot> {
        self.profile.permits.free()
    }

    /// What is said to a call that finds no slot and does not wait for one. It is not counted as refused: whoever made it
    /// has it in line elsewhere.
    pub fn full(&self) -> Refused {
        self.profile.permits.full()
    }

    /// A live instance for one call, within the component's limits.
    pub async fn begin(self: &Arc<Self>, invocation: Invocation) -> Result<Live, CallError> {
        self.begin_in(self.slot(), invocation).await
    }

    /// The same in a slot of this component; without one, the call waits in line for it.
    pub async fn begin_in(
        self: &Arc<Self>,
        slot: Option<Slot>,
        invocation: Invocation,
    ) -> Result<Live, CallError> {
        match self.try_begin(slot, invocation).await {
            Ok(live) => Ok(live),
            Err(error) => {
                if matches!(error, CallError::Refused(_)) {
                    self.profile.stats.refused();
                }
                Err(error)
            }
        }
    }

    async fn try_begin(
        self: &Arc<Self>,
        slot: Option<Slot>,
        invocation: Invocation,
    ) -> Result<Live, CallError> {
        if invocation.depth > Invocation::MAX_DEPTH {
            let component = self.profile.context.id().clone();
            return Err(Refused::TooDeep {
                component,
                depth: invocation.depth,
            }
            .into());
        }
        let slot = match slot {
            Some(slot) => slot,
            None => self.wait_for_slot(invocation.deadline).await?,
        };
        let begun = Instant::now();
        let (store, instance, uses) = match self.kept.take(&self.profile.limits) {
            Some(Idle {
                mut store,
                instance,
                uses,
                ..
            }) => {
                store.data_mut().set_invocation(invocation);
                store.set_epoch_deadline(1);
                (store, instance, uses)
            }
            None => {
                let (store, instance) = self.instantiate(invocation).await?;
                (store, instance, 0)
            }
        };
        Ok(Live::new(Arc::clone(self), store, instance, slot, begun, uses))
    }

    async fn wait_for_slot(&self, deadline: Instant) -> Result<Slot, Refused> {
        let begun = Instant::now();
        let slot = self.profile.permits.acquire(deadline).await;
        match slot {
            Err(Refused::Full { .. }) => self.profile.stats.turned_away(),
            _ => self.profile.stats.queued(begun.elapsed()),
        }
        slot
    }

    async fn instantiate(
        &self,
        invocation: Invocation,
    ) -> Result<(Store<InstanceState>, Instance), CallError> {
        let deadline = invocation.deadline;
        let state = InstanceState::new(
            Arc::clone(&self.profile.context),
            invocation,
            self.profile.limits.memory,
        );
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        // One epoch passed: give others their turn, or end the guest if its time is over.
        store.epoch_deadline_callback(|store| {
            if Instant::now() >= store.data().invocation().deadline {
                return Err(DeadlineExceeded.into());
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        self.profile.stats.instantiated();
        match timeout_at(deadline.into(), self.pre.instantiate_async(&mut store)).await {
            Ok(Ok(instance)) => Ok((store, instance)),
            Ok(Err(error)) if error.is::<PoolConcurrencyLimitError>() => Err(Refused::PoolFull {
                component: self.profile.context.id().clone(),
            }
            .into()),
            Ok(Err(error)) => Err(self.failed(&error, &store)),
            Err(_elapsed) => Err(self.failed(&DeadlineExceeded.into(), &store)),
        }
    }

    pub(crate) fn failed(&self, error: &wasmtime::Error, store: &Store<InstanceState>) -> CallError {
        let state = store.data();
        let error = classify(
            self.profile.context.id(),
            error,
            state.invocation().limit,
            state.limiter.exceeded(),
        );
        report(&error, state);
        error
    }

    /// The exports that a capability resolved, if the component has them.
    pub fn exports<T: 'static>(&self) -> Option<&T> {
        self.exports
            .iter()
            .find_map(|exports| exports.downcast_ref::<T>())
    }

    /// The function of an exported interface that answers an import of `interface`.
    pub(crate) fn function(&self, interface: &ImportName, function: &str) -> Option<&Function> {
        self.functions.find(interface, function)
    }

    /// The type of an exported function, or why its values cannot leave an instance.
    pub(crate) fn signature<'a>(
        &'a self,
        name: &str,
        function: &'a Function,
    ) -> &'a Result<Arc<Signature>, String> {
        function.signature(&self.compiled, name)
    }

    /// The span of one call, to be entered while it is polled. Its parent is the span that is entered now. Nothing, at
    /// the cost of a look at one flag, unless somebody traces.
    pub fn span(&self, invocation: &Invocation, interface: &str, function: &str) -> tracing::Span {
        // Name and operation as v1 had them (wire reference §9).
        tracing::info_span!(
            target: "wasmcloud::invocation",
            "component_invocation",
            component.id = %self.profile.context.id(),
            operation = %format_args!("{interface}/{function}"),
            invocation = %invocation.id,
        )
    }

    /// What stays of it while it sleeps.
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// The compiled component.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// What the component may use.
    pub fn limits(&self) -> &Limits {
        &self.profile.limits
    }

    /// What its instances share.
    pub fn context(&self) -> &Arc<ComponentContext> {
        &self.profile.context
    }

    /// Its counters.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.profile.stats
    }

    /// Calls running and calls waiting, now.
    pub fn in_use(&self) -> (u32, u32) {
        self.profile.in_use()
    }

    /// Instances that are kept for the next call, now.
    pub fn idle(&self) -> usize {
        self.kept.len()
    }

    /// Changes how many calls may run at once. Calls that run go on, and so do instances that are kept, as many as may
    /// run.
    pub fn resize(&self, concurrency: u32) {
        self.profile.permits.resize(concurrency);
        self.kept.shrink(concurrency);
    }

    /// Waits until no call runs or waits, at most `limit`. Says whether that came about.
    pub async fn drained(&self, limit: Duration) -> bool {
        self.profile.permits.drained(limit).await
    }

    /// Whether it was replaced or stopped.
    pub(crate) fn is_retired(&self) -> bool {
        self.kept.is_retired()
    }

    /// Keeps no instance any more: the component was replaced or stopped. Calls that found it go on.
    pub fn retire(&self) {
        self.kept.retire();
    }

    /// Takes an instance back after a call that ended well.
    pub(crate) fn keep(&self, idle: Idle) {
        self.kept
            .keep(idle, &self.profile.limits, self.profile.concurrency());
    }
}

/// The log line of a failed call. Written here and nowhere else, so that each failure has one.
fn report(error: &CallError, state: &InstanceState) {
    let component = state.component_id();
    let invocation = state.invocation().id;
    match error {
        CallError::Trap { trap, .. } | CallError::Limit { trap, .. } => tracing::error!(
            target: "wasmcloud::component", %component, %invocation, backtrace = %trap.backtrace, "{error}"
        ),
        _ => tracing::error!(target: "wasmcloud::component", %component, %invocation, "{error}"),
    }
}
