//! Checks that a program is a capability provider.
//!
//! [`Trial::run`] starts the program as a host does, with host data on its standard input and nothing else in its
//! environment, on a NATS server that it is given, and asks of it what hosts and components ask: whether it becomes
//! healthy, answers calls (of hosts of today and of v1), takes links and config, ignores what is meant for others,
//! survives nonsense on every subject, and stops when told. It knows nothing of what the program is written with.
//!
//! ```no_run
//! # async fn test(nats_url: &str) -> Result<(), wasmcloud_provider_compliance::Report> {
//! use wasmcloud_provider_compliance::Trial;
//! use wasmcloud_wire::rpc::keyvalue::Exists;
//!
//! let nothing = Exists { bucket: "b".to_owned(), key: "k".to_owned() };
//! let trial = Trial::new("target/debug/my-provider", nats_url)
//!     .config("root", "/tmp/data")
//!     .linked("wasi", "keyvalue", &["store"])
//!     .call(&nothing, |exists| *exists == Ok(false));
//! trial.run().await.into_result()
//! # }
//! ```
//!
//! | file | is for |
//! |---|---|
//! | `trial` | what is tested, and with what |
//! | `process` | the program, started as a host starts it |
//! | `bench` | the other side: a host and a component on the lattice |
//! | `v1` | a caller that does exactly what hosts of v1 do |
//! | `checks` | what is asked of the program, one function each |
//! | `report` | what came of it |
//!
//! Must never know: `provider-sdk`, hosts, wasmtime.

mod bench;
mod checks;
mod process;
mod report;
mod trial;
mod v1;

pub use report::{Finding, Report};
pub use trial::Trial;
