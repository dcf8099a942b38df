//! Calls that are for this client and not for whoever of a group the server picks.
//!
//! They come through the inbox, which sorts and never waits: each server of the client has a door with a short queue.

use std::collections::HashMap;

use async_nats::Message;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode};

use super::Rpc;

/// Calls that may wait at one door. Servers take them as fast as they come; what they refuse, they refuse themselves.
const QUEUE: usize = 1_024;

/// A call that came through a door.
pub(super) struct Knock {
    /// What is called.
    pub(super) subject: String,
    pub(super) message: Message,
}

/// The doors of a client, by the group they belong to.
#[derive(Default)]
pub(super) struct Doors(Mutex<HashMap<Box<str>, mpsc::Sender<Knock>>>);

impl Doors {
    /// A call of a function of one of the groups. If it cannot be taken, the caller is to hear why; it may go elsewhere.
    pub(super) fn deliver(&self, subject: &str, message: &Message) -> Result<(), RpcErrorBody> {
        let doors = self.0.lock();
        // A group is the lattice and the id, and either may have dots.
        let mut ends = subject.match_indices('.');
        let door = ends.find_map(|(end, _)| doors.get(subject.get(..end)?));
        let Some(door) = door else {
            let why = "nobody here serves it any more";
            return Err(RpcErrorBody::new(RpcErrorCode::NotRunning, why));
        };
        let knock = Knock {
            subject: subject.to_owned(),
            message: message.clone(),
        };
        door.try_send(knock).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                let why = format!("{QUEUE} calls wait to be taken, more may not");
                RpcErrorBody::new(RpcErrorCode::Full, why)
            }
            mpsc::error::TrySendError::Closed(_) => {
                RpcErrorBody::new(RpcErrorCode::Draining, "it is being stopped here")
            }
        })
    }
}

/// The door of one server. Dropping it closes it.
pub(super) struct Door {
    rpc: Rpc,
    group: Box<str>,
    /// Ours, to tell it from one that was opened for the same group after it.
    sender: mpsc::WeakSender<Knock>,
    knocks: mpsc::Receiver<Knock>,
}

impl Door {
    /// Opens the door of a group.
    pub(super) fn open(rpc: &Rpc, group: &str) -> Self {
        let (sender, knocks) = mpsc::channel(QUEUE);
        let weak = sender.downgrade();
        rpc.0.doors.0.lock().insert(group.into(), sender);
        Self {
            rpc: rpc.clone(),
            group: group.into(),
            sender: weak,
            knocks,
        }
    }

    /// The next call; `None` when there will be no more.
    pub(super) async fn next(&mut self) -> Option<Knock> {
        self.knocks.recv().await
    }

    /// Takes no more calls, and hands out one that is still there.
    pub(super) fn last(&mut self) -> Option<Knock> {
        self.knocks.close();
        self.knocks.try_recv().ok()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut doors = self.rpc.0.doors.0.lock();
        let ours = self.sender.upgrade();
        let is_ours =
            |sender: &mpsc::Sender<Knock>| ours.as_ref().is_some_and(|ours| ours.same_channel(sender));
        if doors.get(&self.group).is_some_and(is_ours) {
            doors.remove(&self.group);
        }
    }
}
