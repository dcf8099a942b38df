//! OAM applications (`core.oam.dev/v1beta1` `Application`): parse with positions, validate, resolve into desired
//! state. This crate reads text that it is handed and opens nothing; it knows neither NATS nor wasmtime.
//!
//! A manifest goes through three phases, each with types of its own:
//!
//! 1. text → *document*: what was written, every scalar with its position. YAML 1.2, of which JSON is a part, becomes
//!    a positioned tree; the tables that also make the [`json_schema`] check its form.
//! 2. document → [`Manifest`]: names, ids, links, secrets and routes make sense together.
//! 3. manifest → [`Desired`]: components, providers, links, configs and secret references as the other rooms know
//!    them, once it is known which directory files are in and which providers are built in ([`ResolveOptions`]).
//!
//! Every phase reports *all* problems it finds, each a [`Diagnostic`] with file, line, column, and a hint where there
//! is one. Nothing that a person wrote is dropped in silence: unknown fields and duplicate keys are errors, a trait of
//! unknown type is an error if a known one was meant, else a warning that it is ignored.
//!
//! # Limits
//!
//! | what | limit | because |
//! |---|---|---|
//! | text | [`MAX_BYTES`], 1 MiB | it travels in one NATS message |
//! | nesting of lists and maps | [`MAX_DEPTH`], 64 | the tree is walked recursively |
//! | values in the tree, those that aliases repeat counted each time | [`MAX_NODES`], 250,000 | alias bombs |
//! | text in the tree, that which aliases repeat counted each time | 4 MiB | alias bombs |
//! | problems told | [`MAX_DIAGNOSTICS`], 100 | nobody reads more; the rest is counted |
//! | documents | one | a manifest is one application |
//!
//! YAML merge keys (`<<`), tags other than those of the core schema, and keys that are not text are refused.

mod application;

mod changes;
mod check;
mod desired;
mod diagnostic;
mod document;
mod grammar;
mod manifest;
mod resolve;
mod schedule;
mod schema;
mod shape;
mod source;
mod tree;
mod validate;
mod yaml;

pub use changes::{Change, ChangeKind, FieldChange, Part};
pub use desired::{
    Autoscale, CronTrigger, Desired, DesiredComponent, DesiredLink, DesiredProvider, ExportedFunction,
    Missed, Overlap, Rollout, Scaler, ScalerKind, SecretRef, SharedReference, Spread, Strategy,
};
pub use diagnostic::{Diagnostic, Diagnostics, Level, MAX_DIAGNOSTICS, Related};
pub use manifest::Manifest;
pub use resolve::ResolveOptions;
pub use schedule::{InvalidSchedule, Schedule, UnknownZone};
pub use schema::json_schema;
pub use source::Position;
pub use yaml::{MAX_BYTES, MAX_DEPTH, MAX_NODES};
