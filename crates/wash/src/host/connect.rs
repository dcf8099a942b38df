//! From flags to a lattice: an embedded one, started or found on this machine, or NATS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use wasmcloud_broker::{Broker, BrokerConfig, BrokerError};
use wasmcloud_lattice::{Auth, LatticeOptions, NatsOptions, OptionsError};

use crate::embedded::Embedded;
use crate::exit::{Failure, INVALID, NOT_STARTED};
use crate::host::args::NatsArgs;
use crate::output::Output;

/// Where NATS servers usually are.
const NATS_HOST: &str = "127.0.0.1";
const NATS_PORT: u16 = 4222;

/// A lattice to take part in, and the broker where it is ours.
pub(crate) struct Chosen {
    pub(crate) options: LatticeOptions,
    /// The embedded lattice that this process runs.
    pub(crate) broker: Option<Broker>,
}

/// The lattice that the flags name; without any, the embedded one of this machine, which is started if `start` says so
/// and nobody runs it.
pub(crate) async fn choose(
    args: &NatsArgs,
    data_dir: &Path,
    start: bool,
    output: &Output,
) -> Result<Chosen, Failure> {
    let embedded = Embedded::below(data_dir);
    let joined = |options| {
        Ok(Chosen {
            options,
            broker: None,
        })
    };
    if args.names_servers(start) {
        return joined(args.named(&embedded)?);
    }
    if let Some(options) = args.running(&embedded)? {
        return joined(options);
    }
    if !start {
        return joined(args.named(&embedded)?);
    }
    let broker = match run_broker(args, embedded.folder(), output).await {
        Ok(broker) => broker,
        // Somebody else may have started one in the same moment.
        Err(failure) => return args.running(&embedded)?.map_or(Err(failure), joined),
    };
    let options = args.running(&embedded)?.ok_or_else(|| {
        let error = anyhow!(
            "the lattice that was just started in {} is gone",
            embedded.folder().display()
        );
        Failure::new(NOT_STARTED, "lattice", error)
    })?;
    Ok(Chosen {
        options,
        broker: Some(broker),
    })
}

async fn run_broker(args: &NatsArgs, dir: &Path, output: &Output) -> Result<Broker, Failure> {
    let failed = |error: BrokerError| Failure::new(NOT_STARTED, "lattice", error);
    let mut config = BrokerConfig::new(dir);
    if let Some(port) = args.nats_port {
        config.port = port;
        return Broker::start(config).await.map_err(failed);
    }
    match Broker::start(config.clone()).await {
        Err(BrokerError::PortInUse { port, owner }) => {
            // Nobody asked for that port, and `wash` finds the lattice on any.
            config.port = 0;
            let broker = Broker::start(config).await.map_err(failed)?;
            output.note(&format!(
                "port {port} is in use by {owner}, so the lattice listens on {}; to use a NATS server there: \
                 --nats-url nats://{NATS_HOST}:{port}",
                broker.address()
            ));
            Ok(broker)
        }
        other => other.map_err(failed),
    }
}

impl NatsArgs {
    /// Whether an address or a login was given. The port alone is that of the embedded lattice where one may be
    /// started.
    fn names_servers(&self, start: bool) -> bool {
        let port = self.nats_port.is_some() && !start;
        port || self.nats_connect_only
            || self.nats_url.is_some()
            || self.nats_host.is_some()
            || self.nats_creds.is_some()
            || self.nats_seed.is_some()
            || self.ctl_host.is_some()
            || self.ctl_port.is_some()
            || self.ctl_creds.is_some()
            || self.ctl_seed.is_some()
    }

    /// The embedded lattice, if somebody runs it.
    fn running(&self, embedded: &Embedded) -> Result<Option<LatticeOptions>, Failure> {
        let failed = |error| Failure::new(NOT_STARTED, "lattice", error);
        let Some(endpoint) = embedded.endpoint().map_err(failed)? else {
            return Ok(None);
        };
        let options = embedded.options(&endpoint).map_err(failed)?;
        self.lattice_options(options).map(Some)
    }

    /// The servers that the flags name, or where they usually are.
    fn named(&self, embedded: &Embedded) -> Result<LatticeOptions, Failure> {
        let control = self.connection(
            embedded,
            &Single {
                host: self.ctl_host.as_ref().or(self.nats_host.as_ref()),
                port: self.ctl_port.or(self.nats_port),
                jwt: self.ctl_jwt.as_ref().or(self.nats_jwt.as_ref()),
                seed: self.ctl_seed.as_ref().or(self.nats_seed.as_ref()),
                creds: self.ctl_creds.as_ref().or(self.nats_creds.as_ref()),
                tls: self.ctl_tls,
                own_address: self.ctl_host.is_some() || self.ctl_port.is_some(),
            },
        )?;
        let mut options = self.lattice_options(control)?;
        let apart = self.rpc_host.is_some()
            || self.rpc_port.is_some()
            || self.rpc_seed.is_some()
            || self.rpc_creds.is_some()
            || self.rpc_tls
            || self.ctl_host.is_some()
            || self.ctl_port.is_some()
            || self.ctl_seed.is_some()
            || self.ctl_creds.is_some()
            || self.ctl_tls;
        if apart {
            options.rpc = Some(self.connection(
                embedded,
                &Single {
                    host: self.rpc_host.as_ref().or(self.nats_host.as_ref()),
                    port: self.rpc_port.or(self.nats_port),
                    jwt: self.rpc_jwt.as_ref().or(self.nats_jwt.as_ref()),
                    seed: self.rpc_seed.as_ref().or(self.nats_seed.as_ref()),
                    creds: self.rpc_creds.as_ref().or(self.nats_creds.as_ref()),
                    tls: self.rpc_tls,
                    own_address: self.rpc_host.is_some() || self.rpc_port.is_some(),
                },
            )?);
        }
        Ok(options)
    }

    fn connection(&self, embedded: &Embedded, single: &Single<'_>) -> Result<NatsOptions, Failure> {
        let mut options = match &self.nats_url {
            Some(url) if !single.own_address => NatsOptions::new(url),
            _ => NatsOptions::host_port(
                single.host.map_or(NATS_HOST, String::as_str),
                single.port.unwrap_or(NATS_PORT),
            ),
        }
        .map_err(invalid)?;
        if let Some(file) = single.creds {
            options.auth = Auth::CredentialsFile(file.clone());
        } else if let Some(seed) = single.seed {
            let auth = match single.jwt {
                Some(jwt) => Auth::jwt(jwt.clone(), seed.clone()),
                None => Auth::nkey(seed.clone()),
            };
            options.auth = auth.map_err(invalid)?;
        } else if options.auth == Auth::Anonymous {
            let login = embedded.login_for(&options);
            let login = login.map_err(|error| Failure::new(NOT_STARTED, "lattice", error))?;
            options.auth = login.unwrap_or_default();
        }
        options.tls.required = self.nats_tls || single.tls;
        options.tls.first = self.nats_tls_first;
        options.tls.ca_files.clone_from(&self.nats_tls_ca);
        options.connect_deadline = self.connect_timeout;
        Ok(options)
    }

    fn lattice_options(&self, mut control: NatsOptions) -> Result<LatticeOptions, Failure> {
        control.request_timeout = Duration::from_millis(self.rpc_timeout_ms);
        let lattice = self.lattice.parse();
        let lattice =
            lattice.map_err(|error: wasmcloud_core::InvalidName| Failure::new(INVALID, "lattice", error))?;
        let mut options = LatticeOptions::new(lattice, control);
        options.control_prefix.clone_from(&self.ctl_topic_prefix);
        options.jetstream_domain.clone_from(&self.js_domain);
        Ok(options)
    }
}

/// One of the two connections, as the flags have it.
struct Single<'a> {
    host: Option<&'a String>,
    port: Option<u16>,
    jwt: Option<&'a String>,
    seed: Option<&'a String>,
    creds: Option<&'a PathBuf>,
    tls: bool,
    /// Whether it has an address that the common one does not stand for.
    own_address: bool,
}

fn invalid(error: OptionsError) -> Failure {
    Failure::new(INVALID, "lattice", error)
}
