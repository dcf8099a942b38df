//! A lattice for tests, embedded or on a real nats-server, and hosts on it that do as a script says.
//!
//! A scripted host answers on the control interface as hosts of v1 do (recorded traffic, wire reference §3.1): it
//! accepts at once, tells with an event what came of it, and its inventory follows. The script says where it does
//! otherwise: refuses, fails, stays silent, talks nonsense, dies. Nothing runs on it. A scripted controller answers the
//! manifest API in the same way.

mod answers;
mod controller;
mod host;
mod outcomes;
mod script;
mod server;
mod target;

pub use controller::{ControllerScript, ScriptedApp, ScriptedController};
pub use host::ScriptedHost;
pub use script::{Outcome, Script, Shared};
pub use server::{SOON, TestLattice, soon};
pub use target::Target;
pub use wasmcloud_test_nats::example;
