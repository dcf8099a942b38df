//! The options that say which lattice is meant and how to reach it: the same for every command that asks hosts. The
//! names are those of v1 (wire reference §7.1), those of its `call` as aliases, and ours for what v1 has not. Those that
//! few need are shown by `--help` and not by `-h`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Lattice")]
pub(crate) struct LatticeArgs {
    /// NATS servers of the lattice, as `nats://host:4222`, with commas between several. A user and password, or a
    /// token, may be in it [default: that of the context, else the embedded lattice of this machine].
    #[arg(long, env = "WASMCLOUD_NATS_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) nats_url: Option<String>,
    /// The NATS server, without port, as v1 names it.
    #[arg(
        long,
        short = 'r',
        alias = "rpc-host",
        env = "WASMCLOUD_CTL_HOST",
        value_name = "HOST"
    )]
    pub(crate) ctl_host: Option<String>,
    /// The port of the NATS server.
    #[arg(
        long,
        short = 'p',
        alias = "rpc-port",
        env = "WASMCLOUD_CTL_PORT",
        value_name = "PORT"
    )]
    pub(crate) ctl_port: Option<u16>,
    /// Log in with this JWT, and the seed of its key.
    #[arg(
        long,
        alias = "rpc-jwt",
        env = "WASMCLOUD_CTL_JWT",
        hide_short_help = true,
        hide_env_values = true,
        value_name = "JWT"
    )]
    pub(crate) ctl_jwt: Option<String>,
    /// The seed for the JWT; without a JWT, log in with the key of this seed.
    #[arg(
        long,
        alias = "rpc-seed",
        env = "WASMCLOUD_CTL_SEED",
        hide_short_help = true,
        hide_env_values = true,
        value_name = "SEED"
    )]
    pub(crate) ctl_seed: Option<String>,
    /// Log in with a credentials file, as `nsc` writes it.
    #[arg(
        long,
        alias = "rpc-credsfile",
        env = "WASMCLOUD_CTL_CREDS",
        hide_short_help = true,
        value_name = "FILE"
    )]
    pub(crate) ctl_credsfile: Option<PathBuf>,
    /// Log in as this user.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_USER",
        hide_short_help = true,
        requires = "nats_password",
        value_name = "USER"
    )]
    pub(crate) nats_user: Option<String>,
    /// The password of the user. Better in the variable: others can see command lines.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_PASSWORD",
        hide_short_help = true,
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub(crate) nats_password: Option<String>,
    /// Log in with a token. Better in the variable: others can see command lines.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_TOKEN",
        hide_short_help = true,
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub(crate) nats_token: Option<String>,
    /// Log in with the key whose seed is in this file.
    #[arg(
        long,
        env = "WASMCLOUD_NATS_NKEY_SEED_FILE",
        hide_short_help = true,
        value_name = "FILE"
    )]
    pub(crate) nats_nkey_seed_file: Option<PathBuf>,
    /// Trust certificates of this authority, a PEM file, and refuse a server without TLS.
    #[arg(
        long,
        alias = "rpc-ca-file",
        env = "WASMCLOUD_CTL_TLS_CA_FILE",
        hide_short_help = true,
        value_name = "FILE"
    )]
    pub(crate) ctl_tls_ca_file: Option<PathBuf>,
    /// Begin with the TLS handshake, before the server says anything.
    #[arg(long, env = "WASMCLOUD_CTL_TLS_FIRST", hide_short_help = true)]
    pub(crate) ctl_tls_first: bool,
    /// What the hosts' control subjects begin with.
    #[arg(
        long,
        env = "WASMCLOUD_CTL_TOPIC_PREFIX",
        hide_short_help = true,
        default_value = "wasmbus.ctl",
        value_name = "TOPIC"
    )]
    pub(crate) ctl_topic_prefix: String,
    /// The JetStream domain of the lattice's state. Kept in contexts that `ctx new` makes; of commands only
    /// `app import --from-wadm` reads the state itself.
    #[arg(
        long,
        env = "WASMCLOUD_JS_DOMAIN",
        hide_short_help = true,
        value_name = "DOMAIN"
    )]
    pub(crate) js_domain: Option<String>,
    /// The lattice [default: that of the context, else `default`].
    #[arg(long, short = 'x', env = "WASMCLOUD_LATTICE", value_name = "NAME")]
    pub(crate) lattice: Option<String>,
    /// Longest wait for one answer, or for the end of a call, in milliseconds [default: that of the context, else 2000].
    #[arg(
        long,
        short = 't',
        aliases = ["rpc-timeout-ms", "timeout"],
        env = "WASMCLOUD_CTL_TIMEOUT_MS",
        value_name = "MS"
    )]
    pub(crate) timeout_ms: Option<u64>,
    /// A context: its name, or a file [default: what `wash ctx default` says].
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) context: Option<String>,
    /// Where the embedded lattice of this machine is looked for [default: $XDG_DATA_HOME/wasmcloud].
    #[arg(long, env = "WASMCLOUD_DATA_DIR", hide_short_help = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}
