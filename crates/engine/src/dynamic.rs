//! Calls by component type: an import of one component answered by an export of another, without generated code.
//!
//! Both sides live in this process: values go from one store to the other as they are, nothing is encoded.

use std::sync::Arc;

use tokio::time::timeout_at;
use tracing::Instrument as _;
use wasmcloud_capability::{InstanceState, Invocation};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Val};

use crate::compile::Compiled;
use crate::error::CallError;
use crate::prepared::{ImportName, Prepared};

/// Decides who answers a component's call. The host implements it.
pub trait CallRoute: Send + Sync + 'static {
    /// The component behind the caller's link for `interface` (`namespace:package/interface`, no version).
    fn local(&self, caller: &InstanceState, interface: &str) -> Result<Arc<Prepared>, CallError>;
}

/// Adds an imported interface to a component's linker: each of its functions calls whatever component `route`
/// finds at the time of the call.
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
    for function in &item.functions {
        let function: Arc<str> = function.as_str().into();
        let interface = Arc::clone(&interface);
        let route = Arc::clone(route);
        let name = Arc::clone(&function);
        instance.func_new_async(&name, move |store, _ty, params, results| {
            let call = Call {
                route: Arc::clone(&route),
                interface: Arc::clone(&interface),
                function: Arc::clone(&function),
            };
            Box::new(call.run(store, params, results))
        })?;
    }
    Ok(())
}

struct Call {
    route: Arc<dyn CallRoute>,
    interface: Arc<ImportName>,
    function: Arc<str>,
}

impl Call {
    async fn run(
        self,
        store: StoreContextMut<'_, InstanceState>,
        params: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let caller = store.data();
        let target = self.route.local(caller, &self.interface.unversioned)?;
        let invocation = caller
            .invocation()
            .nested(caller.component_id().clone(), target.limits.deadline);
        call(
            &target,
            invocation,
            &self.interface,
            &self.function,
            params,
            results,
        )
        .await?;
        Ok(())
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
    call(
        target,
        invocation,
        &ImportName::new(interface),
        function,
        params,
        results,
    )
    .await
}

async fn call(
    target: &Arc<Prepared>,
    invocation: Invocation,
    interface: &ImportName,
    function: &str,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), CallError> {
    let span = target.span(&invocation, &interface.unversioned, function);
    call_in_span(target, invocation, interface, function, params, results)
        .instrument(span)
        .await
}

async fn call_in_span(
    target: &Arc<Prepared>,
    invocation: Invocation,
    interface: &ImportName,
    function: &str,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), CallError> {
    let mismatch = |reason: String| CallError::Mismatch {
        component: target.context.id().clone(),
        reason,
    };
    let Some(index) = target.function(interface, function) else {
        let wanted = interface
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!("{name} "));
        return Err(mismatch(format!(
            "it does not export `{function}` of `{}`",
            wanted.trim_end()
        )));
    };
    if params.iter().any(holds_handle) {
        return Err(mismatch(format!(
            "resources cannot be passed to `{function}` of another component"
        )));
    }
    let mut live = target.begin(invocation).await?;
    let deadline = live.deadline();
    let (store, instance) = live.parts();
    let Some(func) = instance.get_func(&mut *store, index) else {
        return Err(mismatch(format!("its `{function}` is not a function")));
    };
    let outcome = timeout_at(deadline, func.call_async(&mut *store, params, results)).await;
    live.settle(outcome)?;
    if results.iter().any(holds_handle) {
        return Err(mismatch(format!(
            "`{function}` returns a resource, which cannot leave its component"
        )));
    }
    Ok(())
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
