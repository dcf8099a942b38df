//! Calls by component type: an import of one component answered by an export of another, without generated code.
//!
//! If both sides live in this process, values go from one store to the other as they are and nothing is encoded.
//! Otherwise the values become bytes (`encoded`) and somebody who knows the way takes them.

mod overflow;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::timeout_at;
use tracing::Instrument as _;
use wasmcloud_capability::{InstanceState, Invocation, LinkEntry};
use wasmcloud_core::{ComponentId, Route};
use wasmtime::component::{Func, Linker, Val};
use wasmtime::{Store, StoreContextMut};

use crate::compile::Compiled;
use crate::error::{CallError, DeadlineExceeded, Refused};
use crate::functions::ImportName;
use crate::prepared::Prepared;
use crate::resources::{Function, Interface};
use crate::signature::{self, Signature};
use crate::target::Target;
use crate::typed;
use crate::values::{self, Unfit, mismatch};

use self::overflow::Overflow;

/// Decides who answers a component's call. The host implements it.
pub trait CallRoute: Send + Sync + 'static {
    /// Where the caller's link for `interface` (`namespace:package/interface`, no version) leads now. `serves` says
    /// whether a component has the function that is called, see [`Target::choose`](crate::Target::choose).
    fn route(
        &self,
        caller: &InstanceState,
        interface: &str,
        serves: &dyn Fn(&Prepared) -> bool,
    ) -> Result<Routed, Unrouted>;

    /// The way elsewhere for a call over a link that [`Routed::Overflow`] came with, if there is one.
    fn elsewhere(&self, link: Arc<LinkEntry>) -> Option<Remote>;
}

/// Who answers a call.
pub enum Routed {
    /// A component in this process.
    Local(Arc<Prepared>),
    /// Somebody elsewhere.
    Remote(Remote),
    /// A component in this process, or where all its slots are in use, whoever has one ([`CallRoute::elsewhere`]).
    Overflow {
        /// The component.
        local: Arc<Prepared>,
        /// The link that leads to it.
        link: Arc<LinkEntry>,
    },
}

/// Why nobody can be called now.
pub enum Unrouted {
    /// A component in this process would answer, and sleeps. Who wakes it asks again.
    Asleep(Arc<Target>),
    /// Nobody answers.
    Nobody(CallError),
}

impl From<CallError> for Unrouted {
    fn from(error: CallError) -> Self {
        Self::Nobody(error)
    }
}

impl From<Refused> for Unrouted {
    fn from(refused: Refused) -> Self {
        Self::Nobody(refused.into())
    }
}

/// The way to somebody elsewhere.
pub struct Remote {
    /// Who takes calls there.
    pub by: Arc<dyn RemoteCall>,
    /// The link that leads there.
    pub link: Arc<LinkEntry>,
}

/// Takes calls elsewhere. The host implements it.
#[async_trait]
pub trait RemoteCall: Send + Sync + 'static {
    /// Makes a call with encoded parameters, and answers its encoded results.
    async fn call(&self, call: EncodedRequest<'_>) -> Result<Bytes, CallError>;

    /// Whether somebody elsewhere may have a slot for a call of this component, as far as is known. A look at a table.
    fn may_have_room(&self, target: &ComponentId) -> bool;

    /// The same as [`RemoteCall::call`] for a call that can also wait in line here: nothing where nobody elsewhere has a
    /// slot for it now. Then nothing has begun.
    async fn call_now(&self, call: EncodedRequest<'_>) -> Result<Option<Bytes>, CallError>;
}

/// A call with encoded parameters.
pub struct EncodedRequest<'a> {
    /// Who calls.
    pub caller: &'a ComponentId,
    /// The link that leads to the callee.
    pub link: &'a LinkEntry,
    /// The call.
    pub invocation: Invocation,
    /// The interface, with its version as the caller imports it.
    pub interface: &'a str,
    /// The function.
    pub function: &'a str,
    /// What the caller takes its type for.
    pub signature: &'a Signature,
    /// The encoded parameters.
    pub params: Bytes,
}

/// Adds an imported interface to a component's linker: each of its functions calls whoever `route` finds at the time
/// of the call.
pub fn link_dynamic_import(
    linker: &mut Linker<InstanceState>,
    compiled: &Compiled,
    import: &str,
    route: &Arc<dyn CallRoute>,
) -> wasmtime::Result<()> {
    let Some(item) = compiled
        .described()
        .imports
        .iter()
        .find(|item| item.name == import)
    else {
        return Err(wasmtime::format_err!("the component has no import `{import}`"));
    };
    let interface = Arc::new(ImportName::new(import));
    let mut instance = linker.instance(import)?;
    let mut resources = Interface::link(&mut instance, compiled, import, &item.functions)?;
    for function in &item.functions {
        let call = Import {
            route: Arc::clone(route),
            raw: import.into(),
            interface: Arc::clone(&interface),
            function: function.as_str().into(),
            signature: signature::imported(compiled, import, function)
                .unwrap_or_else(|| Err("it is no function".to_owned())),
            checked: AtomicU64::new(0),
        };
        if let Some(shapes) = resources.as_mut().and_then(|interface| interface.take(function)) {
            let call = Arc::new(Function { import: call, shapes });
            instance.func_new_async(function, move |store, _ty, params, results| {
                let call = Arc::clone(&call);
                Box::new(async move { call.run(store, params, results).await })
            })?;
            continue;
        }
        let call = Arc::new(call);
        match call.signature.as_ref().ok().and_then(typed::form) {
            Some(form) => form.link(&mut instance, call)?,
            None => instance.func_new_async(function, move |store, _ty, params, results| {
                let call = Arc::clone(&call);
                Box::new(async move {
                    call.run(store, Values { params, results }).await?;
                    Ok(())
                })
            })?,
        }
    }
    Ok(())
}

/// The parameters of one call, and the way to its results, however wasmtime holds them.
pub(crate) trait Carried: Send + Sized {
    type Results: Send;

    /// Whether one of them is a handle, which means something in one store only.
    fn holds_handle(&self) -> bool;

    /// Calls an exported function with them.
    fn call(
        self,
        store: &mut Store<InstanceState>,
        func: Func,
    ) -> impl Future<Output = wasmtime::Result<Self::Results>> + Send;

    /// Whether a result is a handle.
    fn returned_handle(results: &Self::Results) -> bool;

    /// Their bytes.
    fn encode(&self, signature: &Signature) -> Result<Vec<u8>, Unfit>;

    /// Reads the results.
    fn decode(self, signature: &Signature, results: &[u8]) -> Result<Self::Results, Unfit>;
}

/// Values of any type, in wasmtime's form for what is known at run time only.
pub(crate) struct Values<'a> {
    pub(crate) params: &'a [Val],
    pub(crate) results: &'a mut [Val],
}

impl<'a> Carried for Values<'a> {
    type Results = &'a [Val];

    fn holds_handle(&self) -> bool {
        self.params.iter().any(holds_handle)
    }

    async fn call(self, store: &mut Store<InstanceState>, func: Func) -> wasmtime::Result<&'a [Val]> {
        func.call_async(store, self.params, self.results).await?;
        Ok(self.results)
    }

    fn returned_handle(results: &&'a [Val]) -> bool {
        results.iter().any(holds_handle)
    }

    fn encode(&self, signature: &Signature) -> Result<Vec<u8>, Unfit> {
        values::encode_params(signature, self.params)
    }

    fn decode(self, signature: &Signature, results: &[u8]) -> Result<&'a [Val], Unfit> {
        let values = values::decode_results(signature, results)?;
        for (place, value) in self.results.iter_mut().zip(values) {
            *place = value;
        }
        Ok(self.results)
    }
}

/// An imported function.
pub(crate) struct Import {
    route: Arc<dyn CallRoute>,
    /// The interface as the component writes it.
    pub(crate) raw: Box<str>,
    pub(crate) interface: Arc<ImportName>,
    pub(crate) function: Box<str>,
    /// Its type, or why its values cannot travel.
    signature: Result<Signature, String>,
    /// The component whose export was found to have this type last, by its serial.
    pub(crate) checked: AtomicU64,
}

impl Import {
    /// Its name.
    pub(crate) fn function(&self) -> &str {
        &self.function
    }

    /// Who answers a call now. One that sleeps is woken.
    pub(crate) async fn route(
        &self,
        store: &mut StoreContextMut<'_, InstanceState>,
    ) -> Result<Routed, CallError> {
        let serves = |target: &Prepared| self.is_served_by(target);
        loop {
            let caller = store.data();
            match self.route.route(caller, &self.interface.unversioned, &serves) {
                Ok(routed) => return Ok(routed),
                Err(Unrouted::Asleep(target)) => {
                    let deadline = Some(caller.invocation().deadline);
                    // In a box: hardly any call has to do with it.
                    Box::pin(target.wake(deadline)).await?;
                }
                Err(Unrouted::Nobody(error)) => return Err(error),
            }
        }
    }

    /// Whether a component has this function.
    pub(crate) fn is_served_by(&self, target: &Prepared) -> bool {
        target.function(&self.interface, &self.function).is_some()
    }

    /// Why a call cannot go where the link leads, and what would help.
    pub(crate) fn not_here(&self, what: &str, remote: &Remote) -> String {
        let target = &remote.link.target;
        match remote.link.route {
            Route::Lattice => format!(
                "{what}, and the route of the link to `{target}` is `lattice`; hint: with `auto` or `local` the call \
                 stays on this host if `{target}` runs here"
            ),
            _ => format!(
                "{what}, and `{target}` does not run on this host; hint: start it here, where both sides have to be"
            ),
        }
    }

    /// Makes a call.
    pub(crate) async fn run<C: Carried>(
        &self,
        mut store: StoreContextMut<'_, InstanceState>,
        params: C,
    ) -> wasmtime::Result<C::Results> {
        let routed = self.route(&mut store).await?;
        let caller = store.data();
        match routed {
            Routed::Local(target) => {
                self.check(caller.component_id(), &target)?;
                let invocation = caller
                    .invocation()
                    .nested(caller.component_id().clone(), target.profile.limits.deadline);
                Ok(call(&target, invocation, &self.interface, &self.function, params, None).await?)
            }
            Routed::Overflow { local, link } => {
                self.check(caller.component_id(), &local)?;
                let invocation = caller
                    .invocation()
                    .nested(caller.component_id().clone(), local.profile.limits.deadline);
                let overflow = Overflow { import: self, link };
                let (interface, function) = (&self.interface, &self.function);
                Ok(call(&local, invocation, interface, function, params, Some(overflow)).await?)
            }
            Routed::Remote(remote) => {
                // Whoever answers has limits of its own; here the caller's time is what counts.
                let invocation = caller.invocation();
                let invocation = invocation.nested(caller.component_id().clone(), invocation.remaining());
                let caller = caller.component_id().clone();
                self.call_remote(&caller, &remote, invocation, params).await
            }
        }
    }

    /// Both sides must mean the same type; wasmtime would say so too, in words that name neither.
    fn check(&self, caller: &ComponentId, target: &Prepared) -> Result<(), CallError> {
        if self.checked.load(Ordering::Relaxed) == target.serial {
            return Ok(());
        }
        if let (Ok(wanted), Some(function)) =
            (&self.signature, target.function(&self.interface, &self.function))
            && let Ok(have) = target.signature(&self.function, function)
            && **have != *wanted
        {
            let (raw, function, id) = (&self.raw, &self.function, target.profile.context.id());
            return Err(mismatch(
                caller,
                format!(
                    "it imports `{function}` of `{raw}` as `{wanted}`, and component `{id}` exports it as `{have}`"
                ),
            ));
        }
        self.checked.store(target.serial, Ordering::Relaxed);
        Ok(())
    }

    async fn call_remote<C: Carried>(
        &self,
        caller: &ComponentId,
        remote: &Remote,
        invocation: Invocation,
        params: C,
    ) -> wasmtime::Result<C::Results> {
        let (raw, function) = (&self.raw, &self.function);
        let unfit = |what: String| mismatch(caller, format!("`{function}` of `{raw}`: {what}"));
        let signature = self.signature.as_ref();
        let signature = signature.map_err(|what| unfit(self.not_here(what, remote)))?;
        let encoded = params.encode(signature).map_err(unfit)?;
        let deadline = invocation.deadline;
        let request = EncodedRequest {
            caller,
            link: &remote.link,
            invocation,
            interface: raw,
            function,
            signature,
            params: encoded.into(),
        };
        let bytes = match remote.by.call(request).await {
            Ok(bytes) => bytes,
            // The caller's own time is over, whoever noticed first.
            Err(_) if std::time::Instant::now() >= deadline => return Err(DeadlineExceeded.into()),
            Err(error) => return Err(error.into()),
        };
        Ok(self.answered(remote, signature, params, &bytes)?)
    }

    /// Reads what came from elsewhere.
    fn answered<C: Carried>(
        &self,
        remote: &Remote,
        signature: &Signature,
        params: C,
        results: &[u8],
    ) -> Result<C::Results, CallError> {
        let (raw, function) = (&self.raw, &self.function);
        params.decode(signature, results).map_err(|what| {
            let what = format!(
                "what it answered to `{function}` of `{raw}` is not of the type `{signature}`: {what}"
            );
            mismatch(&remote.link.target, what)
        })
    }
}

/// Calls an exported function by the name of its interface and its own, with values that fit its type.
pub async fn call_export(
    target: &Arc<Prepared>,
    invocation: Invocation,
    interface: &str,
    function: &str,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), CallError> {
    let interface = ImportName::new(interface);
    call(
        target,
        invocation,
        &interface,
        function,
        Values { params, results },
        None,
    )
    .await?;
    Ok(())
}

async fn call<C: Carried>(
    target: &Arc<Prepared>,
    invocation: Invocation,
    interface: &ImportName,
    function: &str,
    params: C,
    overflow: Option<Overflow<'_>>,
) -> Result<C::Results, CallError> {
    let span = target.span(&invocation, &interface.unversioned, function);
    call_in_span(target, invocation, interface, function, params, overflow)
        .instrument(span)
        .await
}

async fn call_in_span<C: Carried>(
    target: &Arc<Prepared>,
    invocation: Invocation,
    interface: &ImportName,
    function: &str,
    mut params: C,
    overflow: Option<Overflow<'_>>,
) -> Result<C::Results, CallError> {
    let id = target.profile.context.id();
    let Some(exported) = target.function(interface, function) else {
        return Err(not_exported(id, interface, function));
    };
    if params.holds_handle() {
        let what = format!("a stream or future cannot be passed to `{function}` of another component");
        return Err(mismatch(id, what));
    }
    let named = exported.interface.as_deref().unwrap_or_default();
    target.admit(named, function, invocation.deadline).await?;
    let slot = target.slot();
    if slot.is_none()
        && let Some(overflow) = overflow
    {
        // In a box, so that those who find a slot do not carry the room for it.
        params = match Box::pin(overflow.elsewhere(target, &invocation, params)).await? {
            ControlFlow::Break(results) => return Ok(results),
            ControlFlow::Continue(params) => params,
        };
    }
    let mut live = target.begin_in(slot, invocation).await?;
    let deadline = live.deadline();
    let (store, instance) = live.parts();
    let Some(func) = instance.get_func(&mut *store, exported.index) else {
        return Err(mismatch(id, format!("its `{function}` is not a function")));
    };
    let outcome = timeout_at(deadline, params.call(store, func)).await;
    let results = live.settle(outcome)?;
    if C::returned_handle(&results) {
        let what = format!("`{function}` returns a stream or future, which cannot leave its component");
        return Err(mismatch(id, what));
    }
    Ok(results)
}

pub(crate) fn not_exported(id: &ComponentId, interface: &ImportName, function: &str) -> CallError {
    let of = match &interface.name {
        Some(name) => format!(" of `{name}`"),
        None => String::new(),
    };
    mismatch(id, format!("it does not export `{function}`{of}"))
}

/// Handles mean something in one store only.
fn holds_handle(value: &Val) -> bool {
    match value {
        Val::Bool(_) | Val::S8(_) | Val::U8(_) | Val::S16(_) | Val::U16(_) | Val::S32(_) | Val::U32(_) => {
            false
        }
        Val::S64(_) | Val::U64(_) | Val::Float32(_) | Val::Float64(_) | Val::Char(_) | Val::String(_) => {
            false
        }
        Val::Enum(_) | Val::Flags(_) => false,
        // Lists of bytes are long and common; one look at the first element is enough, elements have one type.
        Val::List(values) => match values.first() {
            Some(Val::U8(_)) | None => false,
            Some(_) => values.iter().any(holds_handle),
        },
        Val::Tuple(values) => values.iter().any(holds_handle),
        Val::Record(fields) => fields.iter().any(|(_, value)| holds_handle(value)),
        Val::Variant(_, payload) | Val::Option(payload) => payload.as_deref().is_some_and(holds_handle),
        Val::Result(Ok(payload) | Err(payload)) => payload.as_deref().is_some_and(holds_handle),
        _ => true,
    }
}
