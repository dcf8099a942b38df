//! The handles that one instance has into others, and those others, which live as long as their handles.
//!
//! An instance has one session with each component whose resources it holds: an instance of that component, with its
//! slot, that answers all calls with these handles and all calls that may make more of them. When the last handle is
//! gone the session ends as a call does. It also ends with the instance that has it, and no destructor runs then: the
//! memory that one would tidy goes as well.

use std::sync::Arc;

use tokio::time::timeout_at;
use wasmcloud_capability::InstanceState;
use wasmtime::StoreContextMut;
use wasmtime::component::{Resource, ResourceAny, ResourceDynamic};

use crate::error::CallError;
use crate::live::Live;
use crate::prepared::Prepared;
use crate::values::mismatch;

/// A handle of an instance, in the table of its state, which limits how many there are.
#[derive(Clone, Copy)]
struct Handle {
    session: u64,
    /// The handle as the other instance's store has it.
    theirs: ResourceAny,
}

/// Another component's instance, and how many handles into it there are.
pub(crate) struct Session {
    number: u64,
    pub(crate) live: Live,
    handles: usize,
}

/// The sessions of one instance: a slot of its state. A session is taken out while it is in use, so one that does not
/// end well is gone.
#[derive(Default)]
struct Sessions {
    last: u64,
    resting: Vec<Session>,
}

/// Whether an instance has handles into others.
pub(crate) fn any(state: &InstanceState) -> bool {
    let sessions = state.get_slot::<Sessions>();
    sessions.is_some_and(|sessions| !sessions.resting.is_empty())
}

fn sessions(state: &mut InstanceState) -> &mut Sessions {
    state.slot(|_| Sessions::default())
}

impl Session {
    /// A session with an instance that was begun for a call.
    pub(crate) fn new(state: &mut InstanceState, live: Live) -> Self {
        let sessions = sessions(state);
        sessions.last += 1;
        Self {
            number: sessions.last,
            live,
            handles: 0,
        }
    }

    /// The resting session with a component, for a function of it. While two revisions of it run, an instance stays
    /// with the one that it began with: handles of both could not go into one call.
    pub(crate) fn with(
        state: &mut InstanceState,
        target: &Prepared,
        serves: impl Fn(&Prepared) -> bool,
    ) -> Option<Self> {
        Self::take(state, |session| {
            let with = session.live.prepared();
            let beside = || {
                with.profile.context.id() == target.profile.context.id() && !with.is_retired() && serves(with)
            };
            with.serial == target.serial || beside()
        })
    }

    /// Whose instance it is.
    pub(crate) fn prepared(&self) -> Arc<Prepared> {
        Arc::clone(self.live.prepared())
    }

    /// The resting session with this number.
    pub(crate) fn numbered(state: &mut InstanceState, number: u64) -> Option<Self> {
        Self::take(state, |session| session.number == number)
    }

    fn take(state: &mut InstanceState, is_it: impl Fn(&Self) -> bool) -> Option<Self> {
        // Most instances that ask have none; there is nothing to make for them.
        state.get_slot::<Sessions>()?;
        let resting = &mut sessions(state).resting;
        let at = resting.iter().position(is_it)?;
        Some(resting.swap_remove(at))
    }

    /// After something that ended well: waits for the next use, or ends if no handle is left.
    pub(crate) fn rest(mut self, state: &mut InstanceState) {
        if self.handles > 0 {
            self.live.rest();
            sessions(state).resting.push(self);
        }
    }

    /// Notes that owned handles went back to the component they came from.
    pub(crate) fn gave_back(&mut self, handles: usize) {
        self.handles = self.handles.saturating_sub(handles);
    }

    /// Makes a handle for the guest out of one that its other side returned.
    pub(crate) fn hand_out(
        &mut self,
        store: &mut StoreContextMut<'_, InstanceState>,
        resource: u32,
        theirs: ResourceAny,
    ) -> wasmtime::Result<ResourceAny> {
        let session = self.number;
        let handle = Handle { session, theirs };
        let state = store.data_mut();
        let entry = match state.table.push(handle) {
            Ok(entry) => entry,
            Err(_full) => {
                let most = state.table.max_capacity();
                let what = format!("it holds {most} handles, and an instance cannot hold more");
                return Err(mismatch(state.component_id(), what).into());
            }
        };
        self.handles += 1;
        ResourceDynamic::new_own(entry.rep(), resource).try_into_resource_any(store)
    }
}

/// What a guest's handle stands for: the number of the session, and the handle as the other store has it. An owned
/// handle is the guest's no longer.
pub(crate) fn look_up(
    store: &mut StoreContextMut<'_, InstanceState>,
    handle: ResourceAny,
) -> wasmtime::Result<(u64, ResourceAny)> {
    let handle = handle.try_into_resource_dynamic(&mut *store)?;
    let table = &mut store.data_mut().table;
    let handle = match handle.owned() {
        true => table.delete(Resource::<Handle>::new_own(handle.rep()))?,
        false => *table.get(&Resource::<Handle>::new_borrow(handle.rep()))?,
    };
    Ok((handle.session, handle.theirs))
}

/// The guest dropped a handle: runs the destructor where the resource is, within the time of a call.
pub(crate) async fn drop_handle(
    mut store: StoreContextMut<'_, InstanceState>,
    rep: u32,
) -> wasmtime::Result<()> {
    let state = store.data_mut();
    let handle = state.table.delete(Resource::<Handle>::new_own(rep))?;
    let Some(mut session) = Session::numbered(state, handle.session) else {
        return Err(gone(state).into());
    };
    let time = session.live.prepared().limits().deadline;
    let invocation = state.invocation().nested(state.component_id().clone(), time);
    session.live.resume(invocation);
    let deadline = session.live.deadline();
    let (theirs, _) = session.live.parts();
    let outcome = timeout_at(deadline, handle.theirs.resource_drop_async(theirs)).await;
    session.live.settle(outcome)?;
    session.live.do_not_count();
    session.gave_back(1);
    session.rest(store.data_mut());
    Ok(())
}

/// The instance behind a handle did not survive its last call.
pub(crate) fn gone(state: &InstanceState) -> CallError {
    let what = "the instance of the other component that a handle leads to is gone";
    mismatch(state.component_id(), what)
}
