//! The client against scripted hosts, on the embedded lattice and on real nats-servers.

mod apps;
mod asking;
mod gathering;
mod listening;
mod recorded;
mod support;
mod waiting;
