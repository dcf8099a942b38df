//! From options, context and this machine to a connected client. What is written on the command line or in the
//! environment comes before the context, the context before the embedded lattice of this machine, and that before
//! NATS' usual address.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use wasmcloud_client::Client;
use wasmcloud_core::LatticeName;
use wasmcloud_lattice::{Auth, Connection, NatsOptions};
use wasmcloud_wire::subject::Topic;

use super::context::{self, ContextFile, Contexts};
use super::lattice_args::LatticeArgs;
use crate::embedded::{Embedded, on_this_machine};
use crate::exit::{FAILURE, Failure, INVALID};
use crate::up::dirs;

/// Longest wait for a connection to a server that is not on this machine, or that is there and slow.
const CONNECT: Duration = Duration::from_secs(5);

/// The lattice that is meant and how it is reached.
struct Target {
    nats: NatsOptions,
    lattice: LatticeName,
    prefix: Topic,
    timeout: Duration,
    /// Why this address, for messages: "the default", "of context `x`".
    because: String,
}

/// Connects to the lattice that is meant.
pub(crate) async fn connect(args: &LatticeArgs) -> Result<Client, Failure> {
    let target = resolve(args).map_err(|error| Failure::new(INVALID, "lattice-options", error))?;
    let client = reach(target).await;
    client.map_err(|error| Failure::new(FAILURE, "no-lattice", error))
}

async fn reach(target: Target) -> Result<Client> {
    // Fails only if one is installed already, which is then the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let shown: Vec<String> = target.nats.servers.iter().map(ToString::to_string).collect();
    if shown.iter().all(|server| is_refused(server)) {
        bail!(
            "no lattice answers at {} ({}); hint: `wash up` starts one on this machine, `--nats-url` or `--context` \
             names another",
            shown.join(", "),
            target.because
        );
    }
    let connection = Connection::connect(&target.nats).await;
    let connection = connection.with_context(|| format!("reach the lattice ({})", target.because))?;
    Ok(Client::new(
        connection,
        target.lattice,
        &target.prefix,
        target.timeout,
    ))
}

/// Whether nobody listens at an address of this machine. Only here does the answer come at once and mean what it
/// says; elsewhere a server may be about to start.
fn is_refused(server: &str) -> bool {
    match on_this_machine(server) {
        Some(address) => match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => false,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        },
        None => false,
    }
}

/// The JetStream domain of the state of the lattice that is meant.
pub(crate) fn jetstream_domain(args: &LatticeArgs) -> Result<Option<String>, Failure> {
    let context = context(args).map_err(|error| Failure::new(INVALID, "lattice-options", error))?;
    Ok(args.js_domain.clone().or(context.js_domain))
}

fn context(args: &LatticeArgs) -> Result<ContextFile> {
    let context = match &args.context {
        Some(named) => Some(named_context(named)?),
        None => Contexts::find(None).load_default()?,
    };
    Ok(context.unwrap_or_default())
}

fn resolve(args: &LatticeArgs) -> Result<Target> {
    let context = context(args)?;
    let embedded = Embedded::below(&args.data_dir.clone().unwrap_or_else(dirs::data));
    let (mut nats, because) = address(args, &context, &embedded)?;
    let in_url = std::mem::take(&mut nats.auth);
    nats.auth = match (login(args)?, in_url) {
        (Some(_), url) if url != Auth::Anonymous => {
            bail!("the login is given twice, in --nats-url and beside it; hint: leave one out")
        }
        (Some(login), _) => login,
        (None, Auth::Anonymous) => match login_of(&context)? {
            Some(login) => login,
            None => embedded.login_for(&nats)?.unwrap_or_default(),
        },
        (None, url) => url,
    };
    let ca_file = args.ctl_tls_ca_file.as_ref().or(context.ctl_tls_ca_file.as_ref());
    nats.tls.ca_files = ca_file.into_iter().cloned().collect();
    nats.tls.first = args.ctl_tls_first || context.ctl_tls_first == Some(true);
    nats.tls.required = ca_file.is_some() || nats.tls.first;
    nats.name = "wash".to_owned();
    let timeout = Duration::from_millis(args.timeout_ms.or(context.ctl_timeout).unwrap_or(2_000));
    nats.request_timeout = timeout;
    nats.connect_timeout = CONNECT;
    nats.connect_deadline = CONNECT.max(timeout);
    let lattice = args.lattice.as_deref().or(context.lattice.as_deref());
    Ok(Target {
        nats,
        lattice: lattice.unwrap_or("default").parse()?,
        prefix: args.ctl_topic_prefix.parse()?,
        timeout,
        because,
    })
}

/// Something that is there as a file is one; anything else is a name.
fn named_context(named: &str) -> Result<ContextFile> {
    let path = Path::new(named);
    match path.is_file() || named.contains('/') {
        true => context::load(path),
        false => Contexts::find(None).load(named),
    }
}

fn address(args: &LatticeArgs, context: &ContextFile, embedded: &Embedded) -> Result<(NatsOptions, String)> {
    let by_parts = args.ctl_host.is_some() || args.ctl_port.is_some();
    if args.nats_url.is_some() && by_parts {
        bail!(
            "the server is named twice: --nats-url (WASMCLOUD_NATS_URL) and --ctl-host or --ctl-port \
             (WASMCLOUD_CTL_HOST, WASMCLOUD_CTL_PORT); hint: leave one out"
        );
    }
    if let Some(url) = &args.nats_url {
        return Ok((
            NatsOptions::new(url)?,
            "as --nats-url or WASMCLOUD_NATS_URL says".to_owned(),
        ));
    }
    let host = args.ctl_host.as_deref().or(context.ctl_host.as_deref());
    let port = args.ctl_port.or(context.ctl_port).unwrap_or(4222);
    let of_parts = || NatsOptions::host_port(host.unwrap_or("127.0.0.1"), port);
    if by_parts {
        return Ok((of_parts()?, "as --ctl-host and --ctl-port say".to_owned()));
    }
    if context.names_a_server() {
        return Ok((of_parts()?, format!("as context `{}` says", context.name)));
    }
    if let Some(endpoint) = embedded.endpoint()? {
        let nats = NatsOptions::new(&format!("nats://{}", endpoint.address))?;
        return Ok((
            nats,
            format!("the embedded lattice in {}", embedded.folder().display()),
        ));
    }
    let because = format!(
        "the usual address: none is named, and no embedded lattice runs in {}",
        embedded.folder().display()
    );
    Ok((NatsOptions::host_port("127.0.0.1", 4222)?, because))
}

/// The login on the command line or in the environment; there may be one.
fn login(args: &LatticeArgs) -> Result<Option<Auth>> {
    let mut given = Vec::new();
    if let (Some(user), Some(password)) = (&args.nats_user, &args.nats_password) {
        let auth = Auth::UserPassword {
            user: user.clone(),
            password: password.clone().into(),
        };
        given.push(("--nats-user", auth));
    }
    if let Some(token) = &args.nats_token {
        given.push(("--nats-token", Auth::Token(token.clone().into())));
    }
    if let Some(file) = &args.nats_nkey_seed_file {
        let seed = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        given.push(("--nats-nkey-seed-file", Auth::nkey(seed.trim().to_owned())?));
    }
    if let Some(file) = &args.ctl_credsfile {
        given.push(("--ctl-credsfile", Auth::CredentialsFile(file.clone())));
    }
    if let Some(auth) = jwt(args.ctl_jwt.as_ref(), args.ctl_seed.as_ref())? {
        given.push(("--ctl-seed", auth));
    }
    if given.len() > 1 {
        let names: Vec<_> = given.iter().map(|(name, _)| *name).collect();
        bail!("several logins are given: {}; hint: leave one", names.join(", "));
    }
    Ok(given.pop().map(|(_, auth)| auth))
}

fn login_of(context: &ContextFile) -> Result<Option<Auth>> {
    if let Some(file) = &context.ctl_credsfile {
        return Ok(Some(Auth::CredentialsFile(file.clone())));
    }
    let login = jwt(context.ctl_jwt.as_ref(), context.ctl_seed.as_ref());
    login.with_context(|| format!("log in as context `{}` says", context.name))
}

fn jwt(jwt: Option<&String>, seed: Option<&String>) -> Result<Option<Auth>> {
    Ok(match (jwt, seed) {
        (None, None) => None,
        (None, Some(seed)) => Some(Auth::nkey(seed.clone())?),
        (Some(jwt), Some(seed)) => Some(Auth::jwt(jwt.clone(), seed.clone())?),
        (Some(_), None) => bail!("a JWT needs the seed of its key; hint: add --ctl-seed"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_login_and_one_address() {
        let both = LatticeArgs {
            nats_token: Some("t".to_owned()),
            ctl_credsfile: Some("f".into()),
            ..LatticeArgs::default()
        };
        let error = login(&both).unwrap_err().to_string();
        assert!(error.contains("--nats-token, --ctl-credsfile"), "{error}");
        let jwt = LatticeArgs {
            ctl_jwt: Some("j".to_owned()),
            ..LatticeArgs::default()
        };
        assert!(login(&jwt).unwrap_err().to_string().contains("--ctl-seed"));
        let twice = LatticeArgs {
            nats_url: Some("nats://a".to_owned()),
            ctl_port: Some(1),
            ..LatticeArgs::default()
        };
        let embedded = Embedded::below(Path::new("/nowhere"));
        assert!(address(&twice, &ContextFile::default(), &embedded).is_err());
        let (_, because) = address(&LatticeArgs::default(), &ContextFile::default(), &embedded).unwrap();
        assert!(
            because.contains("no embedded lattice runs in /nowhere/lattice"),
            "{because}"
        );
    }
}
