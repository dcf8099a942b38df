//! Calls whose parameters come as bytes: the callee's side of a call from elsewhere.
//!
//! In steps, so that whoever has the call can refuse it while nothing has begun: find the function, ask whether it may
//! be called, get a live instance for it, and only then read the parameters and run.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout_at;
use wasmcloud_capability::Invocation;
use wasmtime::component::{ComponentExportIndex, Val};

use crate::dynamic::not_exported;
use crate::error::CallError;
use crate::functions::ImportName;
use crate::live::Live;
use crate::permits::Slot;
use crate::prepared::Prepared;
use crate::signature::Signature;
use crate::typed::{self, Ready};
use crate::values::{self, Unfit, mismatch};

/// The names that a call has for a function, read once.
#[derive(Debug)]
pub struct Called {
    interface: Option<Box<str>>,
    import: ImportName,
    function: Box<str>,
}

impl Called {
    /// A function of an interface (with version), or at the root.
    pub fn new(interface: Option<&str>, function: &str) -> Self {
        Self {
            import: ImportName::new(interface.unwrap_or_default()),
            interface: interface.map(Box::from),
            function: function.into(),
        }
    }

    /// The interface, as it was called.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// The function.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Whether a component exports it, be it with a type whose values cannot travel.
    pub fn is_served_by(&self, target: &Prepared) -> bool {
        target.function(&self.import, &self.function).is_some()
    }
}

/// An exported function that can be called from elsewhere.
#[derive(Clone)]
pub struct Exported {
    target: Arc<Prepared>,
    index: ComponentExportIndex,
    interface: Option<Arc<str>>,
    called: Arc<Called>,
    signature: Arc<Signature>,
}

/// A function with a live instance to run it.
pub struct EncodedCall {
    exported: Exported,
    live: Live,
}

impl Exported {
    /// The function that answers a call, by the rules of [`wasmcloud_core::InterfaceName::satisfies`].
    pub fn find(target: &Arc<Prepared>, called: &Arc<Called>) -> Result<Self, CallError> {
        let id = target.context().id();
        let Called { import, function, .. } = &**called;
        let Some(exported) = target.function(import, function) else {
            return Err(not_exported(id, import, function));
        };
        let signature = match target.signature(function, exported) {
            Ok(signature) => Arc::clone(signature),
            Err(what) => {
                let what = format!("its `{function}` cannot be called from another host: {what}");
                return Err(mismatch(id, what));
            }
        };
        Ok(Self {
            index: exported.index,
            interface: exported.interface.clone(),
            called: Arc::clone(called),
            signature,
            target: Arc::clone(target),
        })
    }

    /// Its type.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Whether these bytes are all of the parameters, and nothing else. For callers that do not say so.
    pub fn is_whole(&self, params: &[u8]) -> bool {
        match typed::form(&self.signature) {
            Some(form) => form.is_whole(params),
            None => values::decode_params(&self.signature, params).is_ok(),
        }
    }

    /// Whether it may be called.
    pub async fn admit(&self, deadline: Instant) -> Result<(), CallError> {
        let interface = self.interface.as_deref().unwrap_or_default();
        let function = self.called.function();
        self.target.admit(interface, function, deadline).await
    }

    /// Gets a live instance, within the component's limits: in this slot of the component, or when its turn has come.
    pub async fn begin(self, slot: Option<Slot>, invocation: Invocation) -> Result<EncodedCall, CallError> {
        let live = self.target.begin_in(slot, invocation).await?;
        Ok(EncodedCall { exported: self, live })
    }
}

impl EncodedCall {
    /// Runs the function, and answers its encoded results.
    pub async fn run(mut self, params: &[u8]) -> Result<Vec<u8>, CallError> {
        let Exported {
            target,
            index,
            called,
            signature,
            ..
        } = &self.exported;
        let (id, name) = (target.context().id(), called.function());
        let params = Params::read(signature, params).map_err(|what| CallError::Malformed {
            component: id.clone(),
            reason: format!("the parameters of its `{name}` are not of the type `{signature}`: {what}"),
        })?;
        let deadline = self.live.deadline();
        let (store, instance) = self.live.parts();
        let Some(func) = instance.get_func(&mut *store, index) else {
            return Err(mismatch(id, format!("its `{name}` is not a function")));
        };
        let results = match params {
            Params::Typed(params) => {
                let outcome = timeout_at(deadline, params.run(store, func)).await;
                return self.live.settle(outcome);
            }
            Params::Values(params) => {
                let mut results = vec![Val::Bool(false); signature.results.len()];
                let outcome = timeout_at(deadline, func.call_async(store, &params, &mut results)).await;
                self.live.settle(outcome)?;
                results
            }
        };
        values::encode_results(signature, &results)
            .map_err(|what| mismatch(id, format!("what its `{name}` returned cannot travel: {what}")))
    }
}

/// The parameters of one call.
enum Params {
    Typed(Box<dyn Ready>),
    Values(Vec<Val>),
}

impl Params {
    fn read(signature: &Signature, bytes: &[u8]) -> Result<Self, Unfit> {
        Ok(match typed::form(signature) {
            Some(form) => Self::Typed(form.params(bytes)?),
            None => Self::Values(values::decode_params(signature, bytes)?),
        })
    }
}
