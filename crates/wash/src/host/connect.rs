//! From flags to a lattice: an embedded one, started or found on this machine, or NATS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmcloud_broker::{Broker, BrokerConfig, BrokerError, Credentials, Endpoint};
use wasmcloud_lattice::{Auth, LatticeOptions, NatsOptions, OptionsError};

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

/// The folder of the embedded lattice.
pub(crate) fn lattice_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("lattice")
}

/// The lattice that the flags name; without any, the embedded one of this machine, which is started if `start` says so
/// and nobody runs it.
pub(crate) async fn choose(
    args: &NatsArgs,
    data_dir: &Path,
    start: bool,
    output: &Output,
) -> Result<Chosen, Failure> {
    let dir = lattice_dir(data_dir);
    if args.names_servers(start) {
        return Ok(Chosen {
            options: args.named()?,
            broker: None,
        });
    }
    if let Some(options) = args.embedded(&dir)? {
        return Ok(Chosen {
            options,
            broker: None,
        });
    }
    if !start {
        return Ok(Chosen {
            options: args.named()?,
            broker: None,
        });
    }
    let broker = match run_broker(args, &dir, output).await {
        Ok(broker) => broker,
        Err(failure) => {
            // Somebody else may have started one in the same moment.
            return match args.embedded(&dir)? {
                Some(options) => Ok(Chosen {
                    options,
                    broker: None,
                }),
                None => Err(failure),
            };
        }
    };
    let credentials = broker.credentials().clone();
    Ok(Chosen {
        options: args.lattice_options(embedded_options(&broker.address().to_string(), credentials)?)?,
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

fn embedded_options(address: &str, credentials: Credentials) -> Result<NatsOptions, Failure> {
    let mut options = NatsOptions::new(&format!("nats://{address}")).map_err(invalid)?;
    // With the key and not the password: what providers are told has room for a key only.
    options.auth = Auth::nkey(credentials.nkey_seed).map_err(invalid)?;
    Ok(options)
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

    /// The embedded lattice that somebody runs on this machine.
    fn embedded(&self, dir: &Path) -> Result<Option<LatticeOptions>, Failure> {
        let found = Endpoint::load(dir).and_then(|endpoint| Ok((endpoint, Credentials::load(dir)?)));
        let found = found.map_err(|error| Failure::new(NOT_STARTED, "lattice", error))?;
        match found {
            (Some(endpoint), Some(credentials)) => {
                let options = embedded_options(&endpoint.address.to_string(), credentials)?;
                Ok(Some(self.lattice_options(options)?))
            }
            _ => Ok(None),
        }
    }

    /// The servers that the flags name, or where they usually are.
    fn named(&self) -> Result<LatticeOptions, Failure> {
        let control = self.connection(&Single {
            host: self.ctl_host.as_ref().or(self.nats_host.as_ref()),
            port: self.ctl_port.or(self.nats_port),
            jwt: self.ctl_jwt.as_ref().or(self.nats_jwt.as_ref()),
            seed: self.ctl_seed.as_ref().or(self.nats_seed.as_ref()),
            creds: self.ctl_creds.as_ref().or(self.nats_creds.as_ref()),
            tls: self.ctl_tls,
            own_address: self.ctl_host.is_some() || self.ctl_port.is_some(),
        })?;
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
            options.rpc = Some(self.connection(&Single {
                host: self.rpc_host.as_ref().or(self.nats_host.as_ref()),
                port: self.rpc_port.or(self.nats_port),
                jwt: self.rpc_jwt.as_ref().or(self.nats_jwt.as_ref()),
                seed: self.rpc_seed.as_ref().or(self.nats_seed.as_ref()),
                creds: self.rpc_creds.as_ref().or(self.nats_creds.as_ref()),
                tls: self.rpc_tls,
                own_address: self.rpc_host.is_some() || self.rpc_port.is_some(),
            })?);
        }
        Ok(options)
    }

    fn connection(&self, single: &Single<'_>) -> Result<NatsOptions, Failure> {
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
