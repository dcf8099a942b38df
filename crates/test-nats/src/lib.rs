//! A real nats-server for tests: of a chosen version, on a free port, watched, signalled, and gone when its test is.
//!
//! The binaries are put in place by `cargo xtask setup nats`, as `nats-server/VERSION/nats-server` in Cargo's target
//! directory. They are found from the test's own executable upwards, or where `WASMCLOUD_NATS_SERVERS` says. A missing
//! one is an error and never a skipped test.

mod example;
mod ports;
mod spawn;

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

pub use example::{example, interop};
pub use ports::free_address;
pub use spawn::spawn;

/// The versions that tests run against: the oldest that is supported, what most people have, the newest.
pub const VERSIONS: [&str; 3] = ["2.11.11", "2.12.8", "2.15.1"];

/// The version for tests that need any.
pub const DEFAULT_VERSION: &str = "2.12.8";

/// Longest wait for a server to accept connections, or to end.
const SOON: Duration = Duration::from_secs(30);

/// What is to be started.
#[derive(Clone, Debug)]
pub struct NatsServer {
    version: String,
    jetstream: bool,
    config: String,
}

/// A started server. Killed when it is dropped, and by the kernel when the test is (PDEATHSIG, set by `setpriv` of
/// util-linux where there is one).
#[derive(Debug)]
pub struct Running {
    launch: NatsServer,
    program: PathBuf,
    address: SocketAddr,
    dir: TempDir,
    child: Option<Child>,
}

impl Default for NatsServer {
    fn default() -> Self {
        Self::version(DEFAULT_VERSION)
    }
}

impl NatsServer {
    /// A server of this version, without JetStream and without a login.
    pub fn version(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            jetstream: false,
            config: String::new(),
        }
    }

    /// With JetStream, whose store lies in the server's temporary directory.
    #[must_use]
    pub fn jetstream(mut self) -> Self {
        self.jetstream = true;
        self
    }

    /// More text for the configuration file, for instance `max_payload: 4096` or `authorization { user: a, … }`.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    /// Starts it and waits until it accepts connections.
    pub fn start(self) -> Result<Running> {
        let program = binary(&self.version)?;
        let mut running = Running {
            launch: self,
            program,
            address: free_address()?,
            dir: tempfile::tempdir().context("make a temporary directory")?,
            child: None,
        };
        running.launch()?;
        Ok(running)
    }
}

/// Where the nats-server of a version is.
pub fn binary(version: &str) -> Result<PathBuf> {
    let tail = Path::new(version).join("nats-server");
    let named = env::var_os("WASMCLOUD_NATS_SERVERS").map(|dir| PathBuf::from(dir).join(&tail));
    let found = match named {
        Some(path) => Some(path),
        None => {
            let here = env::current_exe().context("find the test's own executable")?;
            let mut above = here.ancestors().map(|dir| dir.join("nats-server").join(&tail));
            above.find(|path| path.is_file())
        }
    };
    found.filter(|path| path.is_file()).with_context(|| {
        format!(
            "nats-server {version} is not there: run `cargo xtask setup nats` (or name the folder of \
             VERSION/nats-server in WASMCLOUD_NATS_SERVERS)"
        )
    })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        child.kill().context("kill nats-server")?;
        child.wait().context("wait for nats-server to end")?;
        Ok(())
    }

    /// Asks it to stop with SIGTERM and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let until = Instant::now() + SOON;
        loop {
            let Some(child) = &mut self.child else {
                return Ok(());
            };
            if child.try_wait().context("wait for nats-server")?.is_some() {
                self.child = None;
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "nats-server did not stop within {SOON:?}\n{}",
                self.log()
            );
            pause();
        }
    }

    /// SIGSTOP: it holds its connections and does nothing.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: it goes on.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Starts it again on the same port, with its store as it was left. Kills it before if it runs.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.launch()
    }

    /// The same with an empty store.
    pub fn restart_wiped(&mut self) -> Result<()> {
        self.kill()?;
        let store = self.dir.path().join("store");
        match fs::remove_dir_all(&store) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", store.display()))?;
            }
            _ => {}
        }
        self.launch()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("nats-server does not run")?;
        rustix::process::kill_process(Pid::from_child(child), signal).context("signal nats-server")
    }

    fn launch(&mut self) -> Result<()> {
        let config = self.dir.path().join("nats.conf");
        let mut text = format!("host: \"{}\"\nport: {}\n", self.address.ip(), self.address.port());
        if self.launch.jetstream {
            let store = self.dir.path().join("store");
            text.push_str(&format!("jetstream {{ store_dir: \"{}\" }}\n", store.display()));
        }
        text.push_str(&self.launch.config);
        fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))?;
        let mut command = dying_with_us(&self.program);
        command
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = spawn(command).with_context(|| format!("start {}", self.program.display()))?;
        self.child = Some(child);
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<()> {
        let until = Instant::now() + SOON;
        while TcpStream::connect_timeout(&self.address, SOON).is_err() {
            let Some(child) = &mut self.child else {
                bail!("nats-server does not run")
            };
            if let Some(status) = child.try_wait().context("wait for nats-server")? {
                bail!("nats-server ended with {status}\n{}", self.log());
            }
            ensure!(
                Instant::now() < until,
                "nats-server does not accept connections within {SOON:?}\n{}",
                self.log()
            );
            pause();
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill().ok();
        if std::thread::panicking() {
            eprintln!("--- nats-server {}\n{}", self.launch.version, self.log());
        }
    }
}

fn dying_with_us(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// A short rest between two looks at a state that nothing notifies about.
fn pause() {
    // The sender lives until after the wait, so this always lasts until the timeout.
    let (_sender, receiver) = mpsc::channel::<()>();
    receiver.recv_timeout(Duration::from_millis(5)).ok();
}
