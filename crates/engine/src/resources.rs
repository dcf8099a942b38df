//! Calls of functions whose values are or hold handles, between two components of this host.
//!
//! Each side has its own store, and a handle means something in one store only. So the caller's handles are the
//! host's, and stand for those that the callee's store has (`handles`): on the way there a call's parameters are
//! searched for the former, and on the way back its results for the latter. Streams of WASI move (`streams`). What may
//! pass is seen before anything runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::timeout_at;
use tracing::Instrument as _;
use wasmcloud_capability::{InstanceState, Invocation};
use wasmtime::component::{LinkerInstance, ResourceAny, ResourceType, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use crate::compile::Compiled;
use crate::dynamic::{Import, Routed, Values, not_exported};
use crate::error::CallError;
use crate::handles::{self, Session};
use crate::prepared::Prepared;
use crate::shape::{self, Kind, Resource, Resources, Shapes};
use crate::streams::{self, Moved};
use crate::values::mismatch;

/// An imported interface in whose types there are resources.
pub(crate) struct Interface {
    /// Whether another component has a part of its state in the caller's hands.
    shared: bool,
    functions: HashMap<String, Result<Shapes, String>>,
}

impl Interface {
    /// Looks at an imported interface and defines its resources. Nothing, if there are none.
    pub(crate) fn link(
        instance: &mut LinkerInstance<'_, InstanceState>,
        compiled: &Compiled,
        import: &str,
        functions: &[String],
    ) -> wasmtime::Result<Option<Self>> {
        if !shape::names_resource(compiled, import) {
            return Ok(None);
        }
        let resources = Resources::of(compiled);
        let mut shared = false;
        for resource in resources.defined_by(import) {
            if let Kind::Imported(number) = resource.kind {
                shared = true;
                let ty = ResourceType::host_dynamic(number);
                instance.resource_async(&resource.name, ty, |store, rep| {
                    Box::new(handles::drop_handle(store, rep))
                })?;
            }
        }
        let functions: HashMap<_, _> = functions
            .iter()
            .filter_map(|name| {
                let function = shape::imported(compiled, import, name)?;
                Some((name.clone(), Shapes::of(&function, &resources)))
            })
            .collect();
        let imported = |resource: &Resource| matches!(resource.kind, Kind::Imported(_));
        shared |= functions
            .values()
            .filter_map(|shapes| shapes.as_ref().ok())
            .any(|shapes| shapes.resources.iter().any(imported));
        Ok(Some(Self { shared, functions }))
    }

    /// The types of a function, unless calls of it are those of any function without handles.
    pub(crate) fn take(&mut self, function: &str) -> Option<Result<Shapes, String>> {
        let shapes = self.functions.remove(function)?;
        let handles = shapes.as_ref().is_ok_and(|shapes| !shapes.resources.is_empty());
        (self.shared || handles).then_some(shapes)
    }
}

/// An imported function of such an interface.
pub(crate) struct Function {
    pub(crate) import: Import,
    /// Its type, or why its values cannot leave the caller.
    pub(crate) shapes: Result<Shapes, String>,
}

/// What was found in the parameters of one call.
#[derive(Default)]
struct Given {
    /// The session that the handles belong to.
    session: Option<u64>,
    /// Handles that the caller gave away.
    owned: usize,
    streams: Vec<Moved>,
}

impl Function {
    /// Makes a call.
    pub(crate) async fn run(
        &self,
        mut store: StoreContextMut<'_, InstanceState>,
        params: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let shapes = match &self.shapes {
            Ok(shapes) => shapes,
            Err(what) => return Err(self.unfit(store.data(), what).into()),
        };
        if shapes.resources.is_empty() && !handles::any(store.data()) {
            return self.run_plain(store, params, results).await;
        }
        let mut values = params.to_vec();
        let mut given = Given::default();
        for (shape, value) in shapes.params.iter().zip(&mut values) {
            shape.visit(value, &mut |resource, owned, handle| {
                self.give(&mut store, &mut given, resource, owned, handle)
            })?;
        }
        let (target, session) = match given.session {
            Some(number) => {
                let state = store.data_mut();
                let session = Session::numbered(state, number).ok_or_else(|| handles::gone(state))?;
                (session.prepared(), Some(session))
            }
            None => match self.import.route(&mut store).await? {
                // What has state here stays here, also where it has to wait in line.
                Routed::Local(target) | Routed::Overflow { local: target, .. } => {
                    let state = store.data_mut();
                    let session = Session::with(state, &target, |with| self.import.is_served_by(with));
                    let target = session.as_ref().map_or(target, Session::prepared);
                    (target, session)
                }
                Routed::Remote(remote) if !shapes.resources.is_empty() => {
                    let what = self.import.not_here("it passes resources", &remote);
                    return Err(self.unfit(store.data(), &what).into());
                }
                Routed::Remote(_) => return self.run_plain(store, params, results).await,
            },
        };
        if session.is_none() && shapes.resources.is_empty() {
            return self.run_plain(store, params, results).await;
        }
        let state = store.data_mut();
        self.check(state, &target, shapes)?;
        let caller = state.component_id().clone();
        let invocation = state.invocation().nested(caller, target.limits().deadline);
        let import = &self.import;
        let span = target.span(&invocation, &import.interface.unversioned, &import.function);
        let call = Call {
            target,
            session,
            invocation,
            given,
            values,
        };
        self.call(store, call, shapes, results).instrument(span).await
    }

    /// A call without handles, of a component whose state is in nobody's hands, is like any other.
    async fn run_plain(
        &self,
        store: StoreContextMut<'_, InstanceState>,
        params: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        self.import.run(store, Values { params, results }).await?;
        Ok(())
    }

    async fn call(
        &self,
        mut store: StoreContextMut<'_, InstanceState>,
        mut call: Call,
        shapes: &Shapes,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let target = &call.target;
        let (id, function) = (target.context().id(), &*self.import.function);
        let Some(exported) = target.function(&self.import.interface, function) else {
            let error = match call.given.session {
                Some(_) => self.unfit(
                    store.data(),
                    &format!(
                        "it passes a handle of component `{id}`, which does not export this; a handle goes to the \
                         component that made it, and to no other"
                    ),
                ),
                None => not_exported(id, &self.import.interface, function),
            };
            return Err(error.into());
        };
        let named = exported.interface.as_deref().unwrap_or_default();
        target.admit(named, function, call.invocation.deadline).await?;
        let mut session = match call.session {
            Some(mut session) => {
                session.live.resume(call.invocation);
                session
            }
            None => {
                let live = target.begin(call.invocation).await?;
                Session::new(store.data_mut(), live)
            }
        };
        let deadline = session.live.deadline();
        let (theirs, instance) = session.live.parts();
        let mut streams = call.given.streams.into_iter();
        for (shape, value) in shapes.params.iter().zip(&mut call.values) {
            shape.visit(value, &mut |resource, _, handle| {
                if resource.kind.is_stream()
                    && let Some(stream) = streams.next()
                {
                    *handle = streams::put(theirs.as_context_mut(), stream)?;
                }
                Ok(())
            })?;
        }
        let Some(func) = instance.get_func(&mut *theirs, exported.index) else {
            return Err(mismatch(id, format!("its `{function}` is not a function")).into());
        };
        let outcome = timeout_at(deadline, func.call_async(theirs, &call.values, results)).await;
        session.live.settle(outcome)?;
        session.gave_back(call.given.owned);
        for (shape, value) in shapes.results.iter().zip(results) {
            shape.visit(value, &mut |resource, _, handle| {
                *handle = match resource.kind {
                    Kind::InputStream | Kind::OutputStream => {
                        let (theirs, _) = session.live.parts();
                        let stream = streams::take(&mut theirs.as_context_mut(), resource.kind, *handle)?;
                        streams::put(store.as_context_mut(), stream)?
                    }
                    Kind::Imported(number) => session.hand_out(&mut store, number, *handle)?,
                    Kind::Own => return Err(self.foreign(store.data(), resource).into()),
                };
                Ok(())
            })?;
        }
        session.rest(store.data_mut());
        Ok(())
    }

    /// Takes one handle of the caller's, and leaves in its place what the callee will see.
    fn give(
        &self,
        store: &mut StoreContextMut<'_, InstanceState>,
        given: &mut Given,
        resource: &Resource,
        owned: bool,
        handle: &mut ResourceAny,
    ) -> wasmtime::Result<()> {
        if resource.kind.is_stream() {
            if !owned {
                let name = &resource.name;
                let what = format!(
                    "it lends an `{name}`, and only one that is given away can go to another component"
                );
                return Err(self.unfit(store.data(), &what).into());
            }
            given.streams.push(streams::take(store, resource.kind, *handle)?);
            return Ok(());
        }
        let (session, theirs) = match handles::look_up(store, *handle) {
            Ok(found) => found,
            Err(_) => return Err(self.foreign(store.data(), resource).into()),
        };
        if given.session.is_some_and(|other| other != session) {
            let what = "its handles are of two instances, and one of them cannot see the other's; they were made by \
                        different components, or before and after an update of one";
            return Err(self.unfit(store.data(), what).into());
        }
        given.session = Some(session);
        given.owned += usize::from(owned);
        *handle = theirs;
        Ok(())
    }

    /// Both sides must mean the same type, and the resources in it must be the callee's own or streams.
    fn check(&self, caller: &InstanceState, target: &Prepared, shapes: &Shapes) -> Result<(), CallError> {
        let import = &self.import;
        if import.checked.load(Ordering::Relaxed) == target.serial {
            return Ok(());
        }
        // What is not exported has an error of its own.
        if let Some(exported) = target.function(&import.interface, &import.function) {
            let interface = exported.interface.as_deref();
            let theirs = shape::of_export(target.compiled(), interface, &import.function);
            let theirs = theirs.map_err(|what| self.unfit(caller, &what))?;
            if *shapes != theirs {
                let id = target.context().id();
                let what =
                    format!("it is imported as `{shapes}`, and component `{id}` exports it as `{theirs}`");
                return Err(self.unfit(caller, &what));
            }
            let mut both = shapes.resources.iter().zip(&theirs.resources);
            let foreign = both.find(|(ours, theirs)| match ours.kind {
                Kind::Imported(_) => theirs.kind != Kind::Own,
                kind => theirs.kind != kind,
            });
            if let Some((_, resource)) = foreign {
                return Err(self.foreign(caller, resource));
            }
        }
        import.checked.store(target.serial, Ordering::Relaxed);
        Ok(())
    }

    fn unfit(&self, caller: &InstanceState, what: &str) -> CallError {
        let (raw, function) = (&self.import.raw, &self.import.function);
        mismatch(caller.component_id(), format!("`{function}` of `{raw}`: {what}"))
    }

    fn foreign(&self, caller: &InstanceState, resource: &Resource) -> CallError {
        let Resource { interface, name, .. } = resource;
        self.unfit(
            caller,
            &format!(
                "`{name}` of `{interface}` is a resource of neither side; what passes are the callee's own, and streams \
                 of wasi:io"
            ),
        )
    }
}

/// One call, with its parameters as the callee will see them.
struct Call {
    target: Arc<Prepared>,
    session: Option<Session>,
    invocation: Invocation,
    given: Given,
    values: Vec<Val>,
}
