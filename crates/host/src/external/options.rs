//! How the processes of external providers are run.

use std::time::Duration;

use wasmcloud_wire::provider::{LogLevel, OtelConfig};

use super::launch::Launcher;

/// How the processes of external providers are run. The default has the times of v1 (wire reference §19) where v1 had
/// any.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    /// How a process is made to end with its host.
    pub launcher: Launcher,
    /// How long a provider may take to answer that it stops, the `--provider-shutdown-delay-ms` of v1. 300 ms.
    pub shutdown_delay: Duration,
    /// How long a process may take until it can be asked for its health. 10 s.
    pub start_deadline: Duration,
    /// When a provider is first asked for its health, once it runs. 5 s.
    pub first_health_check: Duration,
    /// How often it is asked from then on. 30 s.
    pub health_interval: Duration,
    /// What a process may use.
    pub limits: ProcessLimits,
    /// What providers should log.
    pub log_level: LogLevel,
    /// Whether they should log JSON.
    pub structured_logging: bool,
    /// Where their traces, metrics and logs should go.
    pub otel: OtelConfig,
}

impl Default for ProviderOptions {
    fn default() -> Self {
        Self {
            launcher: Launcher::find(),
            shutdown_delay: Duration::from_millis(300),
            start_deadline: Duration::from_secs(10),
            first_health_check: Duration::from_secs(5),
            health_interval: Duration::from_secs(30),
            limits: ProcessLimits::default(),
            log_level: LogLevel::Info,
            structured_logging: false,
            otel: OtelConfig::default(),
        }
    }
}

/// What a provider's process, and each that it starts, may use. Never more than the host itself may. Kept on Linux
/// only. Processes never leave a core file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Bytes of address space. No limit by default: runtimes reserve far more than they use, so a number that is good
    /// for one provider ends another.
    pub address_space: Option<u64>,
    /// Open files, sockets included. 65,536.
    pub open_files: u64,
}

impl Default for ProcessLimits {
    fn default() -> Self {
        Self {
            address_space: None,
            open_files: 65_536,
        }
    }
}
