//! What a provider is to the SDK: the trait that it implements.

use std::time::Duration;

use async_trait::async_trait;

use crate::functions::Functions;
use crate::link::{Config, Link, Secrets};
use crate::sdk::Sdk;

/// Any error of a provider. Whatever implements `std::error::Error` becomes one with `?`; so does `anyhow::Error`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A capability provider.
///
/// One value lives as long as the process: [`init`](Self::init) makes it, links and config change what it does, its
/// [`functions`](Self::functions) are called. All of that may happen at the same time, hence `&self`; links and config
/// are told one after the other.
///
/// What is told here may be cut off at any `.await`: every method has a time limit, see [`Options`]. A panic in one of
/// them is an error of what it was doing and does not end the process.
#[async_trait]
pub trait Provider: Sized + Send + Sync + 'static {
    /// Makes the provider. An error ends the process, and the host starts it again after a while.
    async fn init(start: Start) -> Result<Self, BoxError>;

    /// What components can call. The default is nothing, which is right for a provider that only calls components.
    fn functions(functions: Functions<Self>) -> Functions<Self> {
        functions
    }

    /// A link was made that this provider is part of, or one that exists has other config or secrets than before. The
    /// same link with the same content is not told twice.
    ///
    /// After an error the link does not exist for this provider: it is logged, [health](Self::health) mentions it, and
    /// the next put of the link tries again. If it existed before with other content,
    /// [`link_deleted`](Self::link_deleted) is told of that.
    async fn link_put(&self, link: &Link) -> Result<(), BoxError> {
        let _ = link;
        Ok(())
    }

    /// A link is no more. Told only for links that were put.
    async fn link_deleted(&self, link: &Link) {
        let _ = link;
    }

    /// The config of the provider is another than before; this is all of it.
    async fn config_updated(&self, config: &Config) -> Result<(), BoxError> {
        let _ = config;
        Ok(())
    }

    /// Whether the provider can do its work. The host asks every 30 seconds.
    async fn health(&self) -> Health {
        Health::well()
    }

    /// The process is about to end. All calls under way have ended, or have been given up.
    async fn shutdown(&self) {}

    /// The limits of this provider.
    fn options() -> Options {
        Options::default()
    }
}

/// What a provider has at its start.
#[derive(Clone, Debug)]
pub struct Start {
    /// Who and where it is, and how it calls components. Keep a clone.
    pub sdk: Sdk,
    /// Its config.
    pub config: Config,
    /// Its secrets.
    pub secrets: Secrets,
}

/// How a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it can do its work.
    pub healthy: bool,
    /// Why, or why not, for people. At most 4 KiB of it travel.
    pub message: Option<String>,
}

impl Health {
    /// It can do its work.
    pub fn well() -> Self {
        Self {
            healthy: true,
            message: None,
        }
    }

    /// It cannot, and why.
    pub fn ill(why: impl Into<String>) -> Self {
        Self {
            healthy: false,
            message: Some(why.into()),
        }
    }
}

/// How much a provider takes on, and how long things may take. `Options::default()` has the defaults; change the
/// fields that differ.
#[derive(Clone, Debug)]
pub struct Options {
    /// Calls that are handled at the same time. Further ones are refused as `full`, and their callers go to another
    /// process of the same provider if there is one. Default 1,024.
    pub max_calls: usize,
    /// Longest time for one call; a caller that waits for less says so. Default 10 min, the most that v1 lets a
    /// component run (wire reference §19).
    pub call_time: Duration,
    /// Longest time for [`Provider::init`], and for the first connection to the lattice. Default 30 s.
    pub start_time: Duration,
    /// Longest time for one change of a link or of the config. Default 30 s.
    pub change_time: Duration,
    /// Longest time for [`Provider::health`]. Default 1 s: the host waits for 2 s (wire reference §19).
    pub health_time: Duration,
    /// Longest time from the wish that the process ends to its end: calls under way and [`Provider::shutdown`] together.
    /// Default 10 s. A host may be less patient and kill the process earlier.
    pub drain_time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_calls: 1_024,
            call_time: Duration::from_secs(600),
            start_time: Duration::from_secs(30),
            change_time: Duration::from_secs(30),
            health_time: Duration::from_secs(1),
            drain_time: Duration::from_secs(10),
        }
    }
}
