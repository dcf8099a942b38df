//! What travels on a lattice: subjects, control requests and replies, events, state records, what a host and its
//! providers tell each other, and the calls between components and providers. The formats are those of wasmCloud v1
//! (wire reference §2, §3, §4), so that hosts, providers, controllers and tools made for v1 are understood and understand
//! us. This crate reads and writes bytes that it is handed; it opens nothing, waits for nothing and knows neither clock
//! nor chance.
//!
//! | module | what travels | where |
//! |---|---|---|
//! | [`subject`] | the names of all of it | |
//! | [`control`] | requests to hosts and their replies | `wasmbus.ctl.v1.{lattice}.…` |
//! | [`event`] | what happened, as CloudEvents | `wasmbus.evt.{lattice}.…` |
//! | [`state`] | components, links, claims, configs | buckets `LATTICEDATA_{lattice}`, `CONFIGDATA_{lattice}` |
//! | [`state_api`] | the state of an embedded lattice | `wasmcloud.state.v1.…` |
//! | [`provider`] | a host and its provider processes | stdin, `wasmbus.rpc.{lattice}.…` |
//! | [`rpc`] | calls, with the interfaces that v1's own providers have | `{lattice}.{id}.wrpc.0.0.1.…` |
//! | [`value`] | parameters and results whose types are known at run time, and their text | in calls |
//! | [`policy`] | what may start or be called | the policy topic |
//! | [`config_service`] | settings for a starting host | `wasmbus.cfg.{lattice}.req` |
//! | [`app`] | applications: the manifest API, and the records of them | `wadm.api.{lattice}.…`, bucket `APPDATA_{lattice}` |
//! | [`message`] | the texts of replies that people and programs know | |
//!
//! # Who is trusted
//!
//! Everything that arrives is read by [`Message::decode`], which first checks the size and then says which field is
//! wrong, and never panics. Requests ask a host to do something, so they are checked whole: their ids and names are
//! types of `wasmcloud-core`. Replies, events and records are what other hosts say about themselves; one odd name in
//! them must not hide all the rest, so they keep text as it came, and who acts on it converts it, as
//! [`Link`] into [`wasmcloud_core::Link`] with an error that names the field. References to images stay text
//! everywhere, because peers compare them as text.
//!
//! Calls are not JSON: [`value::Decoder`] reads their parameters and results, with errors that say where in them it goes
//! wrong, and tells bytes that are cut off from bytes that are wrong.
//!
//! Fields that are not known are ignored, except in [`state`], where writing a record back keeps them. `null` for a
//! list or map means an empty one: clients written in Go say so.
//!
//! # Limits
//!
//! | what | limit |
//! |---|---|
//! | a request, a record, a message between host and provider | [`MAX_REQUEST`], 1 MiB |
//! | a reply or an event | [`MAX_REPLY`], 8 MiB |
//! | labels, annotations, limits, constraints in one map | [`MAX_LABELS`], 1,000 |
//! | names in one list: configs, interfaces, tags | [`MAX_NAMES`], 1,000 |
//! | entries of a config | [`MAX_VALUES`], 10,000 |
//! | links, components, providers, claims in one list | [`MAX_ITEMS`], 100,000 |
//! | fields of a record that are not known here | the size of the record |
//! | nesting | 128 levels, as serde_json has it |
//! | nesting of values in calls | [`value::MAX_DEPTH`], 100 levels |
//! | memory of the values of one call | [`value::Limits`], 256 MiB where nobody chose otherwise |
//! | the name of an instance or function | 512 bytes |
//! | indices of a stream or future in a call | [`rpc::path::MAX_INDICES`], 16 |
//! | why a call failed | [`rpc::error::MAX_MESSAGE`], 2 KiB |

pub mod app;
pub mod config_service;
pub mod control;
pub mod event;
mod hidden;
mod json;
mod limit;
mod link;
pub mod message;
pub mod policy;
pub mod provider;
pub mod rpc;
pub mod state;
pub mod state_api;
pub mod subject;
mod text;
pub mod value;

pub use hidden::Hidden;
pub use json::{DecodeError, InvalidField, Message};
pub use limit::{Labels, MAX_ITEMS, MAX_LABELS, MAX_NAMES, MAX_REPLY, MAX_REQUEST, MAX_VALUES};
pub use link::Link;
