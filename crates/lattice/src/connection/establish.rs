//! The first connection: attempts with pauses until a deadline, and a look at who answered.

use std::error::Error as _;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, rustls};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, warn};

use super::ConnectError;
use crate::options::{Auth, NatsOptions, OptionsError, check_seed};

/// The oldest nats-server that will do: 2.11 brought the time to live of single keys, which leases need.
pub const MIN_SERVER_VERSION: ServerVersion = ServerVersion { major: 2, minor: 11 };

/// First and longest pause between attempts. A reconnect goes on for ever with the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The part of a server's version that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion {
    /// The 2 of 2.11.3.
    pub major: u32,
    /// The 11 of 2.11.3.
    pub minor: u32,
}

impl ServerVersion {
    /// Reads `2.11.3`, `v2.12.0-beta.1` and the like.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        Some(Self {
            major: parts.next()?.parse().ok()?,
            minor: parts.next()?.parse().ok()?,
        })
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What the client's callback tells the supervisor. The callback only counts and wakes: what it has to say may be
/// left out by the client when much happens, so the supervisor looks for itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals {
    pub(super) wake: Arc<Notify>,
    pub(super) dropped: Arc<AtomicU64>,
}

pub(super) struct Established {
    pub(super) client: Client,
    pub(super) signals: Signals,
}

pub(super) async fn establish(options: &NatsOptions) -> Result<Established, ConnectError> {
    let began = Instant::now();
    let deadline = began + options.connect_deadline;
    let address = options.shown();
    let addresses: Vec<ServerAddr> = options.servers.iter().map(|url| url.address().clone()).collect();
    if addresses.is_empty() {
        return Err(OptionsError::NoServer.into());
    }
    let mut tries = 0;
    let mut last = None;
    loop {
        tries += 1;
        let signals = Signals::default();
        let prepared = client_options(options, &signals).await?;
        let attempt = timeout_at(deadline, prepared.connect(addresses.clone())).await;
        match attempt {
            Ok(Ok(client)) => {
                check_version(&client, &address)?;
                return Ok(Established { client, signals });
            }
            Ok(Err(source)) => {
                let source = final_or_again(source, &address, options)?;
                warn!(server = %address, attempt = tries, error = %cause(&source), "cannot connect to NATS, trying again");
                last = Some(source);
            }
            Err(_) => {
                debug!(server = %address, attempt = tries, "the deadline passed while connecting to NATS")
            }
        }
        let again = Instant::now() + pause(tries);
        if again >= deadline {
            return Err(ConnectError::Unreachable {
                cause: last.as_ref().map_or("no answer".to_owned(), cause),
                hint: hint(last.as_ref()),
                address,
                tries,
                waited: began.elapsed(),
            });
        }
        sleep_until(again).await;
    }
}

/// What no further attempt would change is the end.
fn final_or_again(
    source: async_nats::ConnectError,
    address: &str,
    options: &NatsOptions,
) -> Result<async_nats::ConnectError, ConnectError> {
    let address = || address.to_owned();
    match source.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            Err(ConnectError::Refused {
                address: address(),
                login: login(&options.auth),
                source,
            })
        }
        ConnectErrorKind::Tls => Err(ConnectError::Tls {
            address: address(),
            source,
        }),
        _ if is_tls(&source) => Err(ConnectError::Tls {
            address: address(),
            source,
        }),
        _ => Ok(source),
    }
}

fn is_tls(error: &async_nats::ConnectError) -> bool {
    let mut next = error.source();
    while let Some(source) = next {
        if source.is::<rustls::Error>() {
            return true;
        }
        // The source of an IO error is what it wraps's source, not what it wraps.
        let wrapped = source
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if wrapped.is_some_and(|wrapped| wrapped.is::<rustls::Error>()) {
            return true;
        }
        next = source.source();
    }
    false
}

/// The innermost reason, which is the one that people look for.
fn cause(error: &async_nats::ConnectError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn hint(error: Option<&async_nats::ConnectError>) -> &'static str {
    match error.map(async_nats::ConnectError::kind) {
        Some(ConnectErrorKind::Dns) => "check the name of the host",
        None | Some(ConnectErrorKind::TimedOut) => {
            "check that nothing holds the traffic back, and whether the server expects TLS first"
        }
        _ => "check that nats-server runs there, or leave out the address to use the embedded lattice",
    }
}

fn login(auth: &Auth) -> &'static str {
    match auth {
        Auth::Anonymous => "none was given",
        Auth::UserPassword { .. } => "user and password",
        Auth::Token(_) => "token",
        Auth::Nkey { .. } => "nkey seed",
        Auth::Jwt { .. } => "JWT and seed",
        Auth::CredentialsFile(_) => "credentials file",
    }
}

fn check_version(client: &Client, address: &str) -> Result<(), ConnectError> {
    let info = client.server_info();
    match ServerVersion::parse(&info.version) {
        Some(version) if version >= MIN_SERVER_VERSION => Ok(()),
        _ => Err(ConnectError::OldServer {
            address: address.to_owned(),
            found: info
                .version
                .chars()
                .take(64)
                .collect::<String>()
                .escape_debug()
                .to_string(),
            needed: MIN_SERVER_VERSION,
        }),
    }
}

async fn client_options(options: &NatsOptions, signals: &Signals) -> Result<ConnectOptions, ConnectError> {
    let first = AtomicBool::new(true);
    let mut built = with_auth(&options.auth)
        .await?
        .name(&options.name)
        .connection_timeout(options.connect_timeout)
        .request_timeout(Some(options.request_timeout))
        .subscription_capacity(options.subscription_capacity.max(1))
        .ping_interval(options.ping_interval)
        .max_reconnects(None)
        .require_tls(options.tls.required)
        .reconnect_delay_callback(move |attempts| {
            // The first connection is not a reconnect, and its attempts are paced by us.
            match first.swap(false, Ordering::Relaxed) {
                true => Duration::ZERO,
                false => pause(u32::try_from(attempts).unwrap_or(u32::MAX)),
            }
        })
        .event_callback({
            let signals = signals.clone();
            move |event| {
                if matches!(event, Event::SlowConsumer(_)) {
                    signals.dropped.fetch_add(1, Ordering::Relaxed);
                }
                signals.wake.notify_one();
                std::future::ready(())
            }
        });
    if options.tls.first {
        built = built.tls_first();
    }
    for file in &options.tls.ca_files {
        built = built.add_root_certificates(readable(file).await?);
    }
    if let Some(client) = &options.tls.client {
        built =
            built.add_client_certificate(readable(&client.certificate).await?, readable(&client.key).await?);
    }
    Ok(built)
}

/// A file that is not there should be said to be so, and not "TLS error".
async fn readable(path: &std::path::Path) -> Result<std::path::PathBuf, OptionsError> {
    match tokio::fs::File::open(path).await {
        Ok(_) => Ok(path.to_owned()),
        Err(source) => Err(OptionsError::TlsFile {
            path: path.to_owned(),
            source,
        }),
    }
}

async fn with_auth(auth: &Auth) -> Result<ConnectOptions, ConnectError> {
    let options = ConnectOptions::new();
    Ok(match auth {
        Auth::Anonymous => options,
        Auth::UserPassword { user, password } => {
            options.user_and_password(user.clone(), password.reveal().to_owned())
        }
        Auth::Token(token) => options.token(token.reveal().to_owned()),
        Auth::Nkey { seed } => {
            check_seed(seed.reveal())?;
            options.nkey(seed.reveal().to_owned())
        }
        Auth::Jwt { jwt, seed } => {
            let pair = Arc::new(check_seed(seed.reveal())?);
            options.jwt(jwt.reveal().to_owned(), move |nonce| {
                let pair = pair.clone();
                async move { pair.sign(&nonce).map_err(async_nats::AuthError::new) }
            })
        }
        Auth::CredentialsFile(path) => {
            let unusable = |source| OptionsError::Credentials {
                path: path.clone(),
                source,
            };
            let text = tokio::fs::read_to_string(path).await.map_err(unusable)?;
            options.credentials(&text).map_err(unusable)?
        }
    })
}

/// How long to rest after this many attempts: doubled each time up to the longest, and then somewhere between half
/// of that and all of it, so that hosts that lost a server together do not come back together.
fn pause(attempts: u32) -> Duration {
    let doubled = FIRST_PAUSE
        .saturating_mul(1 << attempts.saturating_sub(1).min(16))
        .min(LONGEST_PAUSE);
    // The keys of a hasher are random, which is chance enough for this.
    let chance = RandomState::new().build_hasher().finish() % 1_000;
    doubled / 2 + doubled.mul_f64(chance as f64 / 2_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        for attempts in [1, 2, 5, 10, 1_000, u32::MAX] {
            let pause = pause(attempts);
            assert!(pause >= FIRST_PAUSE / 2 && pause <= LONGEST_PAUSE, "{pause:?}");
        }
        assert!(pause(1) <= FIRST_PAUSE);
        assert!(pause(100) >= LONGEST_PAUSE / 2);
        assert!((0..100).any(|_| pause(50) != pause(50)));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let at_least =
            |text: &str| ServerVersion::parse(text).is_some_and(|version| version >= MIN_SERVER_VERSION);
        assert!(
            ["2.11.0", "2.11.0-RC.1", "v2.12.0-wasmcloud", "3.0"]
                .into_iter()
                .all(at_least)
        );
        assert!(
            !["2.9.25", "2.10.27", "1.99.0", "", "2", "x.y"]
                .into_iter()
                .any(at_least)
        );
    }
}
