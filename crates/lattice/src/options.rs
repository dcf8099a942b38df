//! How a lattice is connected to: addresses, logins, TLS, names and times. Secrets are not shown in debug output.

use std::path::PathBuf;
use std::time::Duration;

use nkeys::KeyPair;
use wasmcloud_core::LatticeName;
use wasmcloud_wire::Hidden;

use crate::server_url::{InvalidUrl, ServerUrl};

/// How to reach and log in to NATS. [`NatsOptions::new`] has the defaults; change the fields that differ.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// Servers of one cluster; any of them will do. At least one.
    pub servers: Vec<ServerUrl>,
    /// Who we are.
    pub auth: Auth,
    /// Whether and how the connection is encrypted.
    pub tls: Tls,
    /// What the server's operators see us as. Default `wasmbus`, as v1 (wire reference §2.1).
    pub name: String,
    /// Longest wait for one attempt to connect, login included. Default 5 s.
    pub connect_timeout: Duration,
    /// Longest wait for the first connection, over all attempts. Default 10 s.
    pub connect_deadline: Duration,
    /// Longest wait for an answer where the caller gives no deadline of his own. Default 2 s, the `--rpc-timeout-ms`
    /// of v1.
    pub request_timeout: Duration,
    /// Messages that may wait in one subscription; further ones are lost, counted and told of. Default 65,536.
    pub subscription_capacity: usize,
    /// How often a silent server is asked whether it is there; after two questions without an answer the connection
    /// counts as lost. Default 20 s.
    pub ping_interval: Duration,
}

/// How to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    #[default]
    Anonymous,
    /// With user and password.
    UserPassword {
        /// The user.
        user: String,
        /// The password.
        password: Hidden,
    },
    /// With a token.
    Token(Hidden),
    /// With a key: the server knows the public part and has us sign.
    Nkey {
        /// The seed of a user key, `SU…`.
        seed: Hidden,
    },
    /// With a signed statement of who we are, and the key that it names.
    Jwt {
        /// The JWT of the user.
        jwt: Hidden,
        /// The seed of the user key, `SU…`.
        seed: Hidden,
    },
    /// The same from a file, as `nsc generate creds` writes it. Read at each attempt of the first connection.
    CredentialsFile(PathBuf),
}

/// Encryption. Used in any case if the server requires it, or its address begins with `tls://`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Refuse a server that does not offer it.
    pub required: bool,
    /// Begin with the handshake, before the server says anything (its setting `handshake_first`).
    pub first: bool,
    /// Certificate authorities to trust, as PEM files, in place of those of the system.
    pub ca_files: Vec<PathBuf>,
    /// What we show of ourselves.
    pub client: Option<ClientCertificate>,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those between it and an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Which lattice, and how to reach it.
#[derive(Clone, Debug)]
pub struct LatticeOptions {
    /// The name of the lattice. Default `default`.
    pub lattice: LatticeName,
    /// The connection for control, events and state.
    pub control: NatsOptions,
    /// The connection for calls; without, one more like that for control (wire reference §2.1).
    pub rpc: Option<NatsOptions>,
    /// What subjects of the control interface begin with. Default `wasmbus.ctl` (wire reference §2.1).
    pub control_prefix: String,
    /// The JetStream domain of the state; without, the server's own.
    pub jetstream_domain: Option<String>,
}

/// Options that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// An address that is none.
    #[error("read the address of the NATS server")]
    Url(#[from] InvalidUrl),
    /// No address.
    #[error("no NATS server is named; hint: `nats://127.0.0.1:4222` is the usual one on this machine")]
    NoServer,
    /// The addresses of one list have different logins in them.
    #[error(
        "the addresses of the NATS servers hold different logins; give the login once, beside the addresses"
    )]
    Logins,
    /// A seed that is none.
    #[error("the seed is not that of a user key; 58 characters that begin with `SU` are expected")]
    Seed,
    /// A file of credentials that cannot be used.
    #[error("read credentials from {path}")]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file of certificates or keys that is not there.
    #[error("read {path} for TLS")]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A name or prefix that does not fit into a subject.
    #[error(
        "{what} `{text}` cannot be part of a subject; names of letters, digits, `-` and `_`, with dots between, are expected"
    )]
    Subject {
        /// What it was to be.
        what: &'static str,
        /// What it is.
        text: String,
    },
}

impl NatsOptions {
    /// The defaults, for one address or several with commas between them. A login in the addresses is used.
    pub fn new(urls: &str) -> Result<Self, OptionsError> {
        let mut servers = Vec::new();
        let mut auth: Option<Auth> = None;
        for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let (server, login) = ServerUrl::parse(url)?;
            servers.push(server);
            match (&auth, login) {
                (Some(before), Some(login)) if *before != login => return Err(OptionsError::Logins),
                (_, Some(login)) => auth = Some(login),
                (_, None) => {}
            }
        }
        if servers.is_empty() {
            return Err(OptionsError::NoServer);
        }
        Ok(Self {
            servers,
            auth: auth.unwrap_or_default(),
            tls: Tls::default(),
            name: "wasmbus".to_owned(),
            connect_timeout: Duration::from_secs(5),
            connect_deadline: Duration::from_secs(10),
            request_timeout: Duration::from_secs(2),
            subscription_capacity: 65_536,
            ping_interval: Duration::from_secs(20),
        })
    }

    /// The defaults, for a host and a port, as the flags of v1 have them.
    pub fn host_port(host: &str, port: u16) -> Result<Self, OptionsError> {
        match host.contains(':') && !host.starts_with('[') {
            true => Self::new(&format!("nats://[{host}]:{port}")),
            false => Self::new(&format!("nats://{host}:{port}")),
        }
    }

    /// The addresses, for messages.
    pub(crate) fn shown(&self) -> String {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        servers.join(", ")
    }
}

impl Auth {
    /// With a key. Checks that the seed is one.
    pub fn nkey(seed: String) -> Result<Self, OptionsError> {
        check_seed(&seed)?;
        Ok(Self::Nkey { seed: seed.into() })
    }

    /// With a JWT and its key. Checks that the seed is one.
    pub fn jwt(jwt: String, seed: String) -> Result<Self, OptionsError> {
        check_seed(&seed)?;
        Ok(Self::Jwt {
            jwt: jwt.into(),
            seed: seed.into(),
        })
    }
}

pub(crate) fn check_seed(seed: &str) -> Result<KeyPair, OptionsError> {
    // The source is left out: what it says of the text is not for logs.
    match KeyPair::from_seed(seed) {
        Ok(pair) if pair.key_pair_type() == nkeys::KeyPairType::User => Ok(pair),
        _ => Err(OptionsError::Seed),
    }
}

impl LatticeOptions {
    /// The defaults for a lattice behind a connection.
    pub fn new(lattice: LatticeName, control: NatsOptions) -> Self {
        Self {
            lattice,
            control,
            rpc: None,
            control_prefix: "wasmbus.ctl".to_owned(),
            jetstream_domain: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        check_subject("the control topic prefix", &self.control_prefix)?;
        match &self.jetstream_domain {
            Some(domain) => check_subject("the JetStream domain", domain),
            None => Ok(()),
        }
    }
}

pub(crate) fn check_subject(what: &'static str, text: &str) -> Result<(), OptionsError> {
    let part = |part: &str| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !part.is_empty() && part.bytes().all(fine)
    };
    if text.len() <= 256 && text.split('.').all(part) {
        return Ok(());
    }
    Err(OptionsError::Subject {
        what,
        text: text
            .chars()
            .take(64)
            .collect::<String>()
            .escape_debug()
            .to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_debug_output() {
        let mut options = NatsOptions::new("nats://me:s3cret@a, nats://b").unwrap();
        let seed = KeyPair::new_user().seed().unwrap();
        for auth in [
            options.auth.clone(),
            Auth::Token("s3cret".to_owned().into()),
            Auth::nkey(seed.clone()).unwrap(),
            Auth::jwt("s3cret".to_owned(), seed.clone()).unwrap(),
        ] {
            options.auth = auth;
            let shown = format!("{options:?}");
            assert!(!shown.contains("s3cret") && !shown.contains(&seed), "{shown}");
        }
    }

    #[test]
    fn options_that_cannot_work_are_refused() {
        assert!(matches!(NatsOptions::new(" , "), Err(OptionsError::NoServer)));
        let two = NatsOptions::new("nats://a:b@h,nats://c:d@h");
        assert!(matches!(two, Err(OptionsError::Logins)));
        let server = KeyPair::new_server().seed().unwrap();
        assert!(matches!(Auth::nkey(server), Err(OptionsError::Seed)));
        let mut options = LatticeOptions::new("l".parse().unwrap(), NatsOptions::new("h").unwrap());
        assert!(options.check().is_ok());
        options.jetstream_domain = Some("a.>".to_owned());
        assert!(options.check().is_err());
    }

    #[test]
    fn hosts_may_be_ipv6() {
        let options = NatsOptions::host_port("::1", 4222).unwrap();
        assert_eq!(options.shown(), "nats://[::1]:4222");
    }
}
