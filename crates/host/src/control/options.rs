//! How a host takes part in a lattice, and why it cannot.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmcloud_core::{HostId, Limits};
use wasmcloud_lattice::{CallError, ConnectError, LatticeOptions, StateError};
use wasmcloud_wire::subject::{Auctions, InvalidTopic};

use super::RecordError;
use crate::external::ProviderOptions;
use crate::identity::HostKey;
use crate::policy::PolicyOptions;

/// How a host takes part in a lattice. [`JoinOptions::new`] has the defaults of v1 (wire reference §2.1).
#[derive(Debug)]
pub struct JoinOptions {
    /// Which lattice, and how to reach it.
    pub lattice: LatticeOptions,
    /// Who the host is.
    pub key: HostKey,
    /// What its owner says of it.
    pub labels: BTreeMap<String, String>,
    /// Which auctions it takes part in.
    pub auctions: Auctions,
    /// How often it tells that it is there. 30 s.
    pub heartbeat: Duration,
    /// Who is asked before something starts and before a component is called; nobody by default.
    pub policy: Option<PolicyOptions>,
    /// Whether it asks the config service for credentials of registries when it starts.
    pub config_service: bool,
    /// Whether images of well-known providers are answered by the built-in ones (design D5).
    pub builtin_providers: bool,
    /// The limits of components for which a request states none.
    pub limits: Limits,
    /// How external providers are run.
    pub providers: ProviderOptions,
}

impl JoinOptions {
    /// A new host in this lattice.
    pub fn new(lattice: LatticeOptions) -> Self {
        Self {
            lattice,
            key: HostKey::generate(),
            labels: BTreeMap::new(),
            auctions: Auctions::default(),
            heartbeat: Duration::from_secs(30),
            policy: None,
            config_service: false,
            builtin_providers: true,
            limits: Limits::default(),
            providers: ProviderOptions::default(),
        }
    }
}

/// Why a host does not take part in a lattice.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The prefix of control subjects is none.
    #[error("use the control topic prefix")]
    Prefix(#[from] InvalidTopic),
    /// Another host has the same key.
    #[error(
        "a host with the id {id} is part of lattice `{lattice}` already ({name}, up {uptime}); two hosts cannot share a \
         seed, each would get half of the other's commands; hint: start this one with another seed, or without one"
    )]
    Duplicate {
        /// The id of both.
        id: HostId,
        /// The lattice.
        lattice: String,
        /// The friendly name of the other.
        name: String,
        /// For how long it runs.
        uptime: String,
    },
    /// The state of the lattice cannot be used.
    #[error("read the state of the lattice")]
    Records(#[from] RecordError),
    /// The state of the lattice cannot be followed.
    #[error("follow the state of the lattice")]
    State(#[from] StateError),
    /// The connection was lost on the way.
    #[error("listen to the control interface")]
    Subscribe(#[from] CallError),
}
