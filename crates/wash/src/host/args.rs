//! The flags of a host, for `wash host` and `wash up`. Names and environment variables are those of v1 (wire reference
//! §2.1) wherever it had them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::{ControllerMode, RegistryArgs, Switch, bytes, duration, label};
use crate::telemetry::TelemetryArgs;

#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// Where providers and the embedded lattice keep their data [default: $XDG_DATA_HOME/wasmcloud].
    #[arg(long, env = "WASMCLOUD_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where compiled code and pulled images are kept [default: $XDG_CACHE_HOME/wasmcloud].
    #[arg(long, env = "WASMCLOUD_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Keep no compiled code: compile at each start.
    #[arg(long, conflicts_with = "cache_dir")]
    pub(crate) no_cache: bool,
    /// Whether this host may lead the applications of its lattice: `auto` leaves them to a controller of v1 (wadm) if
    /// one runs.
    #[arg(long, env = "WASMCLOUD_CONTROLLER", value_enum, default_value_t)]
    pub(crate) controller: ControllerMode,
    /// Whether images of well-known providers are answered by the built-in ones.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) builtin_providers: Switch,
    /// A label of this host, KEY=VALUE; can be repeated. `WASMCLOUD_LABEL_<KEY>` does the same.
    #[arg(long, short, value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// The seed of this host's key, `SN…` [default: a new key].
    #[arg(long, env = "WASMCLOUD_HOST_SEED", hide_env_values = true)]
    pub(crate) host_seed: Option<String>,
    /// Whether `file://` images may be read from this host [default: true for `wash up`, else false].
    #[arg(long, env = "WASMCLOUD_ALLOW_FILE_LOAD", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) allow_file_load: Option<bool>,
    /// Component instances at once on this host.
    #[arg(long, env = "WASMCLOUD_MAX_INSTANCES", default_value_t = 1000)]
    pub(crate) max_instances: u32,
    /// Upper bound of any component's memory, for example `4GiB`.
    #[arg(long, env = "WASMCLOUD_MAX_LINEAR_MEMORY", value_parser = bytes, default_value = "4GiB")]
    pub(crate) max_linear_memory_bytes: u64,
    /// Largest component file, for example `50MiB`.
    #[arg(long, env = "WASMCLOUD_MAX_COMPONENT_SIZE", value_parser = bytes, default_value = "50MiB")]
    pub(crate) max_component_size_bytes: u64,
    /// Longest invocation of a component that states no limit of its own.
    #[arg(
        long,
        env = "WASMCLOUD_MAX_EXECUTION_TIME_MS",
        default_value_t = 30_000,
        value_name = "MS"
    )]
    pub(crate) max_execution_time_ms: u64,
    /// How long requests under way may take when something stops, for example `10s`.
    #[arg(long, value_parser = duration, default_value = "10s")]
    pub(crate) drain: Duration,
    /// How long a provider that is a process of its own may take to say that it stops, before it gets a signal.
    #[arg(
        long,
        alias = "provider-shutdown-delay",
        env = "WASMCLOUD_PROV_SHUTDOWN_DELAY_MS",
        default_value_t = 300,
        value_name = "MS"
    )]
    pub(crate) provider_shutdown_delay_ms: u64,
    /// How long a provider that is a process of its own may take from its start until it answers, for example `30s`.
    #[arg(long, env = "WASMCLOUD_PROV_START_TIMEOUT", value_parser = duration, default_value = "10s")]
    pub(crate) provider_start_timeout: Duration,
    /// Upper bound of the address space of such a provider's process, for example `4GiB` [default: none].
    #[arg(long, env = "WASMCLOUD_PROV_MAX_MEMORY", value_parser = bytes)]
    pub(crate) provider_max_memory: Option<u64>,
    /// How often this host tells the lattice that it is there; after its start and after a reconnect more often at first.
    #[arg(long, env = "WASMCLOUD_HEARTBEAT_INTERVAL", default_value_t = 30, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) heartbeat_interval_seconds: u64,
    /// Whether this host says that it could run a component when all hosts are asked.
    #[arg(long, env = "WASMCLOUD_COMPONENT_AUCTION_ENABLED", default_value_t = true,
          action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) enable_component_auction: bool,
    /// Whether this host says that it could run a provider when all hosts are asked.
    #[arg(long, env = "WASMCLOUD_PROVIDER_AUCTION_ENABLED", default_value_t = true,
          action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) enable_provider_auction: bool,
    /// Ask the lattice's config service for credentials of registries at the start.
    #[arg(long, env = "WASMCLOUD_CONFIG_SERVICE")]
    pub(crate) config_service_enabled: bool,
    #[command(flatten)]
    pub(crate) nats: NatsArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryArgs,
    #[command(flatten)]
    pub(crate) obsolete: ObsoleteArgs,
}

/// How the lattice is reached. `--ctl-*` and `--rpc-*` are for the one or the other connection, the rest for both.
#[derive(Debug, Args)]
#[command(next_help_heading = "Lattice")]
pub(crate) struct NatsArgs {
    /// The lattice this host belongs to.
    #[arg(long, short = 'x', env = "WASMCLOUD_LATTICE", default_value = "default")]
    pub(crate) lattice: String,
    /// The NATS servers, for example `nats://user:password@10.0.0.1:4222`; several with commas between them.
    #[arg(long, env = "WASMCLOUD_NATS_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) nats_url: Option<String>,
    /// The host name of a NATS server.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_HOST",
        value_name = "HOST",
        conflicts_with = "nats_url"
    )]
    pub(crate) nats_host: Option<String>,
    /// The port of a NATS server [default: 4222]; for an embedded lattice, the port it listens on.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_PORT",
        value_name = "PORT",
        conflicts_with = "nats_url"
    )]
    pub(crate) nats_port: Option<u16>,
    /// A JWT to log in with.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_JWT",
        requires = "nats_seed",
        hide_env_values = true,
        value_name = "JWT"
    )]
    pub(crate) nats_jwt: Option<String>,
    /// The seed that belongs to the JWT; alone, an nkey to log in with.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_SEED",
        hide_env_values = true,
        value_name = "SEED"
    )]
    pub(crate) nats_seed: Option<String>,
    /// A credentials file to log in with.
    #[arg(long, alias = "nats-credsfile", env = "WASMCLOUD_NATS_CREDS", value_name = "FILE", conflicts_with_all = ["nats_jwt", "nats_seed"])]
    pub(crate) nats_creds: Option<PathBuf>,
    /// Refuse NATS servers without TLS.
    #[arg(long, env = "WASMCLOUD_NATS_TLS")]
    pub(crate) nats_tls: bool,
    /// Begin with TLS before the server says anything.
    #[arg(long, env = "WASMCLOUD_NATS_TLS_FIRST")]
    pub(crate) nats_tls_first: bool,
    /// PEM files of certificate authorities of NATS servers, separated by commas, in place of those of the system.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_TLS_CA",
        value_delimiter = ',',
        value_name = "FILE"
    )]
    pub(crate) nats_tls_ca: Vec<PathBuf>,
    /// Start no embedded lattice: connect to NATS at its usual place, 127.0.0.1:4222, or where other flags say.
    #[arg(long)]
    pub(crate) nats_connect_only: bool,
    /// The JetStream domain of the lattice's state.
    #[arg(
        long,
        alias = "wasmcloud-js-domain",
        env = "WASMCLOUD_JS_DOMAIN",
        value_name = "DOMAIN"
    )]
    pub(crate) js_domain: Option<String>,
    /// How long to try to reach the lattice, for example `30s`.
    #[arg(long, env = "WASMCLOUD_CONNECT_TIMEOUT", value_parser = duration, default_value = "30s")]
    pub(crate) connect_timeout: Duration,
    /// What subjects of the control interface begin with.
    #[arg(
        long,
        env = "WASMCLOUD_CTL_TOPIC_PREFIX",
        default_value = "wasmbus.ctl",
        value_name = "PREFIX"
    )]
    pub(crate) ctl_topic_prefix: String,
    /// How long a request on the lattice may take.
    #[arg(long, env = "WASMCLOUD_RPC_TIMEOUT_MS", default_value_t = 2000, value_name = "MS",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rpc_timeout_ms: u64,
    /// The host name of the NATS server for control.
    #[arg(long, env = "WASMCLOUD_CTL_HOST", value_name = "HOST")]
    pub(crate) ctl_host: Option<String>,
    /// Its port.
    #[arg(long, env = "WASMCLOUD_CTL_PORT", value_name = "PORT")]
    pub(crate) ctl_port: Option<u16>,
    /// A JWT for it.
    #[arg(
        long,
        env = "WASMCLOUD_CTL_JWT",
        requires = "ctl_seed",
        hide_env_values = true,
        value_name = "JWT"
    )]
    pub(crate) ctl_jwt: Option<String>,
    /// The seed for it.
    #[arg(long, env = "WASMCLOUD_CTL_SEED", hide_env_values = true, value_name = "SEED")]
    pub(crate) ctl_seed: Option<String>,
    /// A credentials file for it.
    #[arg(long, alias = "ctl-credsfile", env = "WASMCLOUD_CTL_CREDS", value_name = "FILE", conflicts_with_all = ["ctl_jwt", "ctl_seed"])]
    pub(crate) ctl_creds: Option<PathBuf>,
    /// Refuse it without TLS.
    #[arg(long, env = "WASMCLOUD_CTL_TLS")]
    pub(crate) ctl_tls: bool,
    /// The host name of the NATS server for calls.
    #[arg(long, env = "WASMCLOUD_RPC_HOST", value_name = "HOST")]
    pub(crate) rpc_host: Option<String>,
    /// Its port.
    #[arg(long, env = "WASMCLOUD_RPC_PORT", value_name = "PORT")]
    pub(crate) rpc_port: Option<u16>,
    /// A JWT for it.
    #[arg(
        long,
        env = "WASMCLOUD_RPC_JWT",
        requires = "rpc_seed",
        hide_env_values = true,
        value_name = "JWT"
    )]
    pub(crate) rpc_jwt: Option<String>,
    /// The seed for it.
    #[arg(long, env = "WASMCLOUD_RPC_SEED", hide_env_values = true, value_name = "SEED")]
    pub(crate) rpc_seed: Option<String>,
    /// A credentials file for it.
    #[arg(long, alias = "rpc-credsfile", env = "WASMCLOUD_RPC_CREDS", value_name = "FILE", conflicts_with_all = ["rpc_jwt", "rpc_seed"])]
    pub(crate) rpc_creds: Option<PathBuf>,
    /// Refuse it without TLS.
    #[arg(long, env = "WASMCLOUD_RPC_TLS")]
    pub(crate) rpc_tls: bool,
}

/// Who decides what may start and be called.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyArgs {
    /// The topic of a policy service that is asked before something starts and before a component is called; without,
    /// everything may.
    #[arg(long, env = "WASMCLOUD_POLICY_TOPIC", value_name = "TOPIC")]
    pub(crate) policy_topic: Option<String>,
    /// The topic on which the policy service changes its decisions.
    #[arg(
        long,
        env = "WASMCLOUD_POLICY_CHANGES_TOPIC",
        requires = "policy_topic",
        value_name = "TOPIC"
    )]
    pub(crate) policy_changes_topic: Option<String>,
    /// How long the policy service may take; no answer means no.
    #[arg(
        long,
        env = "WASMCLOUD_POLICY_TIMEOUT",
        default_value_t = 1000,
        value_name = "MS"
    )]
    pub(crate) policy_timeout_ms: u64,
}

/// Flags of v1 that mean nothing here. They are taken, so that what starts v1 hosts starts these, and each says why it
/// has no effect.
#[derive(Debug, Args)]
pub(crate) struct ObsoleteArgs {
    #[arg(long, env = "WASMCLOUD_MAX_COMPONENTS", hide = true)]
    max_components: Option<String>,
    #[arg(long, env = "WASMCLOUD_MAX_CORE_INSTANCES_PER_COMPONENT", hide = true)]
    max_core_instances_per_component: Option<String>,
    #[arg(long, env = "WASMCLOUD_SECRETS_TOPIC", hide = true)]
    secrets_topic: Option<String>,
    #[arg(long, env = "WASMCLOUD_FLAME_GRAPH", hide = true)]
    flame_graph: Option<String>,
    #[arg(long, env = "WASMCLOUD_EXPERIMENTAL_FEATURES", hide = true)]
    feature: Vec<String>,
    #[arg(long, hide = true)]
    multi_local: bool,
    #[arg(long, hide = true)]
    disable_wadm: bool,
    #[arg(long, hide = true)]
    wasmcloud_start_only: bool,
    #[arg(long, hide = true)]
    nats_websocket_port: Option<String>,
    #[arg(long, hide = true)]
    nats_version: Option<String>,
    #[arg(long, hide = true)]
    wasmcloud_version: Option<String>,
    #[arg(long, hide = true)]
    wadm_version: Option<String>,
}

impl ObsoleteArgs {
    /// What to tell whoever used one of them.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let told = [
            (
                self.max_components.is_some(),
                "--max-components",
                "components cost a host nothing while they are idle; --max-instances limits what runs",
            ),
            (
                self.max_core_instances_per_component.is_some(),
                "--max-core-instances-per-component",
                "instances are limited by their memory",
            ),
            (
                self.secrets_topic.is_some(),
                "--secrets-topic",
                "this version reads no secrets; what needs one does not start",
            ),
            (
                self.flame_graph.is_some(),
                "--flame-graph",
                "`perf record` shows where a host spends its time, without slowing it down",
            ),
            (
                !self.feature.is_empty(),
                "--feature",
                "the built-in providers are always there (--builtin-providers off turns them off)",
            ),
            (
                self.multi_local,
                "--multi-local",
                "a second host on this machine joins the lattice of the first",
            ),
            (
                self.disable_wadm,
                "--disable-wadm",
                "no process of its own manages applications",
            ),
            (
                self.wasmcloud_start_only,
                "--wasmcloud-start-only",
                "this program is the host, nothing is downloaded",
            ),
            (
                self.nats_websocket_port.is_some(),
                "--nats-websocket-port",
                "the embedded lattice speaks the NATS protocol over TCP only",
            ),
            (
                self.nats_version.is_some(),
                "--nats-version",
                "nothing is downloaded; --nats-url uses a NATS server that is there",
            ),
            (
                self.wasmcloud_version.is_some(),
                "--wasmcloud-version",
                "this program is the host, nothing is downloaded",
            ),
            (
                self.wadm_version.is_some(),
                "--wadm-version",
                "no process of its own manages applications",
            ),
        ];
        told.into_iter()
            .filter(|(used, ..)| *used)
            .map(|(_, flag, why)| format!("warning: {flag} has no effect: {why}"))
            .collect()
    }
}

impl HostArgs {
    /// The labels that were given: in the environment, and, with more weight, on the command line.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (String, String)> {
        let prefix = "WASMCLOUD_LABEL_";
        let named = std::env::vars_os().filter_map(move |(name, value)| {
            let key = name.to_str()?.strip_prefix(prefix)?.to_owned();
            (!key.is_empty()).then_some((key, value.into_string().ok()?))
        });
        named.chain(self.label.clone())
    }
}
