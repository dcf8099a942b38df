//! External providers: programs that run in processes of their own, under supervision (design D5, wire reference §2.5).
//!
//! | file | is for |
//! |---|---|
//! | `provider` | what the host holds: a provider like the built-in ones |
//! | `supervise` | the life of one: start, ready, running, restart, stop |
//! | `process` | one process, its group and its end |
//! | `launch` | how a process is made to end with its host |
//! | `executable` | the program as a file |
//! | `output` | what it prints, into the log |
//! | `health`, `stop`, `links`, `host_data` | what it is asked and told |
//! | `pace` | when it is started again |
//!
//! Calls between components and external providers travel over the lattice and are not made here.

mod by_id;
mod error;
mod executable;
mod health;
mod host_data;
mod launch;
mod links;
mod options;
mod output;
mod pace;
mod process;
mod provider;
mod stop;
mod supervise;

use std::sync::Arc;

use wasmcloud_core::{ComponentId, HostId, LatticeName};
use wasmcloud_lattice::{Connection, Handover};
use wasmcloud_wire::event::Event;
use wasmcloud_wire::subject::{ProviderOperation, ProviderSubject, Token};

pub use self::error::ProcessError;
pub use self::launch::{Launcher, become_provider};
pub use self::options::{ProcessLimits, ProviderOptions};

pub(crate) use self::executable::store;
pub(crate) use self::links::{definition, without_configs};
pub(crate) use self::provider::ExternalProvider;

/// Tells the lattice what happened.
pub(crate) type Tell = Arc<dyn Fn(Event) + Send + Sync>;

/// What an external provider needs of its host: a lattice to be reached on.
pub(crate) struct Context {
    /// The host.
    pub(crate) host_id: HostId,
    /// The lattice.
    pub(crate) lattice: LatticeName,
    /// The connection over which providers are asked and told.
    pub(crate) rpc: Connection,
    /// How a provider connects as the host does.
    pub(crate) handover: Handover,
    /// How long a provider may wait for an answer, which it is told.
    pub(crate) rpc_timeout: std::time::Duration,
    /// The public curve key of the host. Secrets of links are sealed with the private one; there are none yet, so
    /// nobody keeps it.
    pub(crate) host_xkey: String,
    /// How processes are run.
    pub(crate) options: ProviderOptions,
    /// Where events go.
    pub(crate) tell: Tell,
}

impl Context {
    /// Where a provider, or one process of it, is asked or told something.
    fn subject(&self, provider: Token, operation: ProviderOperation) -> String {
        let lattice = self.lattice.clone();
        ProviderSubject {
            lattice,
            provider,
            operation,
        }
        .to_string()
    }
}

/// What stands behind a link to an external provider in a component's link table: calls go over the lattice, to this
/// id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct External {
    /// The provider.
    pub(crate) id: ComponentId,
}
