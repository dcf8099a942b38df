//! What an operator sets, with defaults, and where the process finds its own.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::credentials::Credentials;

/// What a reference is expected to name. Decides which media types count and which size limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A WebAssembly component (or core module).
    Component,
    /// A capability provider: a provider archive.
    Provider,
    /// Either, for tools that look at whatever a reference names.
    Either,
}

/// The largest content that is accepted, in bytes. Enforced while receiving, whatever the registry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SizeLimits {
    /// For a component; 50 MiB unless set, as in v1 (wire reference §2.1, `--max-component-size-bytes`).
    pub component: u64,
    /// For a provider archive, which holds programs for several machines; 300 MiB unless set.
    pub provider: u64,
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self {
            component: 50 << 20,
            provider: 300 << 20,
        }
    }
}

/// How artifacts are had. The default reads nothing from the environment and asks registries anonymously;
/// [`ArtifactOptions::from_env`] is what a program wants.
#[derive(Clone, Debug)]
pub struct ArtifactOptions {
    /// Where pulled content is kept; `None` keeps nothing.
    pub cache: Option<CacheOptions>,
    /// Accept references without tag or digest, and `latest` (v1 `--allow-latest`). Denied unless set.
    pub allow_latest: bool,
    /// Read `file://` references (v1 `--allow-file-load`). Denied unless set: on a lattice, whoever may start a
    /// component would read any file of the host.
    pub allow_file_load: bool,
    /// The registries that may be asked: `ghcr.io`, `localhost:5000`, or with a part of the repository,
    /// `ghcr.io/acme`. `None` means all.
    pub allowed_registries: Option<Vec<String>>,
    /// Settings of single registries, by name.
    pub registries: BTreeMap<String, RegistryOptions>,
    /// Credentials by registry; they come before Docker's config. Replaced live with
    /// [`set_credentials`](crate::Artifacts::set_credentials).
    pub credentials: BTreeMap<String, Credentials>,
    /// Certificate authorities that all registries may use besides those of the system: PEM files (v1 `--tls-ca-path`).
    pub ca_files: Vec<PathBuf>,
    /// Docker's `config.json`, asked for registries without credentials of their own. It need not exist.
    pub docker_config: Option<PathBuf>,
    /// The folder of Docker's credential helpers; `None` means the folders of `PATH`.
    pub docker_helpers: Option<PathBuf>,
    /// How long a credential helper may take; 10 s unless set.
    pub helper_timeout: Duration,
    /// The proxies to go through.
    pub proxies: Proxies,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How often and when failed requests are repeated.
    pub retry: RetryOptions,
    /// Pulls and pushes at a time; 4 unless set. More wait.
    pub concurrent: usize,
    /// Pulls and pushes that may wait; 1000 unless set. More are refused.
    pub queued: usize,
}

impl Default for ArtifactOptions {
    fn default() -> Self {
        Self {
            cache: None,
            allow_latest: false,
            allow_file_load: false,
            allowed_registries: None,
            registries: BTreeMap::new(),
            credentials: BTreeMap::new(),
            ca_files: Vec::new(),
            docker_config: None,
            docker_helpers: None,
            helper_timeout: Duration::from_secs(10),
            proxies: Proxies::default(),
            timeouts: Timeouts::default(),
            retry: RetryOptions::default(),
            concurrent: 4,
            queued: 1000,
        }
    }
}

impl ArtifactOptions {
    /// The defaults with what the environment says: Docker's config (`DOCKER_CONFIG`, else `~/.docker`) and proxies
    /// (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, also in lower case).
    #[must_use]
    pub fn from_env() -> Self {
        let folder = match env::var_os("DOCKER_CONFIG").filter(|value| !value.is_empty()) {
            Some(folder) => Some(PathBuf::from(folder)),
            None => env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")),
        };
        Self {
            docker_config: folder.map(|folder| folder.join("config.json")),
            proxies: Proxies::from_env(),
            ..Self::default()
        }
    }
}

/// The cache on disk.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// Its folder. Made if it is missing; only this user may read it.
    pub dir: PathBuf,
    /// Most bytes of content; what was used longest ago goes first.
    pub max_bytes: u64,
}

impl CacheOptions {
    /// A cache of at most 2 GiB in `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: 2 << 30,
        }
    }
}

/// Settings of one registry.
#[derive(Clone, Debug, Default)]
pub struct RegistryOptions {
    /// Which protocol it speaks.
    pub protocol: Protocol,
    /// Certificate authorities for this registry alone, besides all others: PEM files.
    pub ca_files: Vec<PathBuf>,
}

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTPS, except for registries on this machine (`localhost`, 127.0.0.0/8, `[::1]`) that have no certificate
    /// authority of their own: what never leaves the machine needs no TLS, and nobody has a certificate for it.
    #[default]
    Auto,
    /// HTTPS, also on this machine.
    Https,
    /// Plain HTTP (v1 `--allowed-insecure`): anybody on the way can read credentials, and choose what a tag means.
    Http,
}

/// The proxies to go through: URLs as in the environment variables of the same names. Only `http://` proxies work.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For HTTPS registries.
    pub https: Option<String>,
    /// For plain HTTP registries.
    pub http: Option<String>,
    /// Hosts, domains and address ranges that are asked directly, separated by commas; `*` means all.
    pub no: Option<String>,
}

impl Proxies {
    /// What the environment says.
    #[must_use]
    pub fn from_env() -> Self {
        let get = |name: &str| {
            let lower = env::var(name.to_ascii_lowercase()).ok();
            let found = lower.or_else(|| match (name, env::var_os("REQUEST_METHOD")) {
                // In a CGI program this is a header of the client (CVE-2016-5385).
                ("HTTP_PROXY", Some(_)) => None,
                _ => env::var(name).ok(),
            });
            found.filter(|value| !value.is_empty())
        };
        let all = get("ALL_PROXY");
        Self {
            https: get("HTTPS_PROXY").or_else(|| all.clone()),
            http: get("HTTP_PROXY").or(all),
            no: get("NO_PROXY"),
        }
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Proxy URLs may contain passwords.
        f.debug_struct("Proxies")
            .field("https", &self.https.is_some())
            .field("http", &self.http.is_some())
            .field("no", &self.no)
            .finish()
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Connecting to a registry; 10 s unless set.
    pub connect: Duration,
    /// Without a byte in either direction; 30 s unless set.
    pub idle: Duration,
    /// A pull or push in all, with waiting and repeating; 10 minutes unless set.
    pub total: Duration,
    /// Asking the registry what a tag means while a copy is in the cache; 5 s unless set. Then the copy is used, so that
    /// a registry that is down does not hold up a start.
    pub with_cached_copy: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(600),
            with_cached_copy: Duration::from_secs(5),
        }
    }
}

/// How failed requests are repeated.
#[derive(Clone, Copy, Debug)]
pub struct RetryOptions {
    /// Tries in all without getting further; 5 unless set.
    pub attempts: u32,
    /// The wait after the first failure; 250 ms unless set. Doubles with each failure.
    pub first: Duration,
    /// The longest such wait; 8 s unless set.
    pub longest: Duration,
    /// The longest wait that a registry may ask for with `Retry-After`; 60 s unless set. Over that the pull fails at once.
    pub longest_retry_after: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_millis(250),
            longest: Duration::from_secs(8),
            longest_retry_after: Duration::from_secs(60),
        }
    }
}
