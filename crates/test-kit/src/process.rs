//! A real `wash` process: started, watched, signalled, and gone when its test is.
//!
//! Threads read what it prints and notice its end; a test waits for what it wants to see, with a deadline, and a
//! wait that ends without it says everything that was printed. Should the test itself be killed, the kernel kills the
//! process (PDEATHSIG, set by `setpriv` of util-linux where there is one).

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything a test expects to happen. Generous: a machine under load is slow, and a test that
/// passes never waits for it.
pub const SOON: Duration = Duration::from_secs(30);

/// What is to be started.
pub struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    /// What it reads on stdin, as a file.
    stdin: Option<PathBuf>,
    dir: Arc<TempDir>,
}

/// A running or ended process.
pub struct Wash {
    shared: Arc<Shared>,
    pid: Pid,
    dir: Arc<TempDir>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    stdout: Vec<String>,
    stderr: Vec<String>,
    open_pipes: u8,
    exit: Option<ExitStatus>,
}

/// How a process ended: 128 and the number of the signal where a signal ended it, as shells say it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// The lines on stdout.
    pub stdout: Vec<String>,
    /// The lines on stderr.
    pub stderr: Vec<String>,
}

impl Ended {
    /// Everything that was printed.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.stdout.join("\n"), self.stderr.join("\n"))
    }

    /// The lines on stdout that are JSON.
    pub fn events(&self) -> Vec<Value> {
        self.stdout
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

impl Launch {
    /// `PROGRAM ARGS…`, with nothing added.
    pub fn command(program: impl Into<PathBuf>, args: &[&str]) -> Result<Self> {
        let dir = Arc::new(tempfile::tempdir().context("make a temporary directory")?);
        let args = args.iter().map(OsString::from).collect();
        // Nothing of the one who runs the tests leaks in.
        let env = vec![
            ("HOME".into(), dir.path().join("home").into()),
            ("NO_COLOR".into(), "1".into()),
        ];
        Ok(Self {
            program: program.into(),
            args,
            env,
            stdin: None,
            dir,
        })
    }

    /// `wash -o json up MANIFEST` with a data directory of its own. Compiled code is shared by all tests that give
    /// the same `cache`: compiling is most of what a start costs.
    pub fn up(program: impl Into<PathBuf>, cache: &Path, manifest: &str) -> Result<Self> {
        let launch = Self::command(program, &["-o", "json", "up"])?;
        let file = launch.file("wadm.yaml");
        fs::write(&file, manifest).with_context(|| format!("write {}", file.display()))?;
        let data = launch.file("data");
        Ok(launch
            .arg(file)
            .arg("--data-dir")
            .arg(data)
            .arg("--cache-dir")
            .arg(cache))
    }

    /// `wash -o json host` in the lattice at this address, with a data directory of its own.
    pub fn host(program: impl Into<PathBuf>, cache: &Path, nats_url: &str) -> Result<Self> {
        let launch = Self::command(
            program,
            &["-o", "json", "host", "--allow-file-load", "--nats-url"],
        )?;
        let data = launch.file("data");
        Ok(launch
            .arg(nats_url)
            .arg("--data-dir")
            .arg(data)
            .arg("--cache-dir")
            .arg(cache))
    }

    /// A path in the temporary directory, where the manifest is `wadm.yaml` and the data is below `data`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Gives it something to read on stdin, which is empty otherwise.
    pub fn stdin(mut self, text: &str) -> Result<Self> {
        let file = self.file("stdin");
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        self.stdin = Some(file);
        Ok(self)
    }

    /// Starts the process.
    pub fn start(&self) -> Result<Wash> {
        let mut command = dying_with_us(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
            .current_dir(self.dir.path())
            .stdin(match &self.stdin {
                None => Stdio::null(),
                Some(file) => fs::File::open(file).context("open what it reads")?.into(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = wasmcloud_test_nats::spawn(command)
            .with_context(|| format!("start {}", self.program.display()))?;
        let pid = Pid::from_child(&child);
        let seen = Seen {
            open_pipes: 2,
            ..Seen::default()
        };
        let shared = Arc::new(Shared {
            seen: Mutex::new(seen),
            changed: Condvar::new(),
        });
        let stdout = child.stdout.take().context("its stdout is a pipe")?;
        let stderr = child.stderr.take().context("its stderr is a pipe")?;
        read(&shared, stdout, |seen| &mut seen.stdout);
        read(&shared, stderr, |seen| &mut seen.stderr);
        let waiting = Arc::clone(&shared);
        std::thread::spawn(move || wait(&waiting, child, pid));
        Ok(Wash {
            shared,
            pid,
            dir: Arc::clone(&self.dir),
        })
    }

    /// Starts the process and waits until it is ready.
    pub fn ready(&self) -> Result<Wash> {
        let wash = self.start()?;
        wash.wait_ready(SOON)?;
        Ok(wash)
    }

    /// Runs the process to its end.
    pub fn run(&self) -> Result<Ended> {
        self.run_within(SOON)
    }

    /// Runs a process that may take longer than others to its end.
    pub fn run_within(&self, limit: Duration) -> Result<Ended> {
        self.start()?.wait_exit(limit)
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

fn read(shared: &Arc<Shared>, pipe: impl Read + Send + 'static, lines: fn(&mut Seen) -> &mut Vec<String>) {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            lines(&mut shared.seen()).push(text);
            shared.changed.notify_all();
            line.clear();
        }
        shared.seen().open_pipes -= 1;
        shared.changed.notify_all();
    });
}

fn wait(shared: &Shared, mut child: Child, pid: Pid) {
    // Without reaping, so that the pid stays ours until `exit` says that it is not any more.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while rustix::process::waitid(WaitId::Pid(pid), options)
        .is_err_and(|error| error == rustix::io::Errno::INTR)
    {}
    let mut seen = shared.seen();
    seen.exit = child.wait().ok();
    drop(seen);
    shared.changed.notify_all();
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn report(&self) -> String {
        let mut text = String::new();
        for (name, lines) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let _ = writeln!(text, "--- {name}");
            lines.iter().for_each(|line| text.extend([line, "\n"]));
        }
        match self.exit {
            Some(exit) => text.extend(["--- ended: ", &exit.to_string()]),
            None => text.push_str("--- it runs"),
        }
        text
    }
}

impl Wash {
    /// The process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// A path in the temporary directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces the manifest as editors do: whole, by rename.
    pub fn rewrite_manifest(&self, text: &str) -> Result<()> {
        replace_file(&self.file("wadm.yaml"), text.as_bytes())
    }

    /// Waits until `look` finds something in (stdout, stderr).
    pub fn wait_for<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&[String], &[String]) -> Option<T>,
    ) -> Result<T> {
        self.wait_seen(what, limit, |seen| {
            let found = look(&seen.stdout, &seen.stderr);
            if found.is_none() && seen.exit.is_some() && seen.open_pipes == 0 {
                return Some(Err(anyhow!("it ended without {what}\n{}", seen.report())));
            }
            found.map(Ok)
        })?
    }

    fn wait_seen<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&Seen) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut seen = self.shared.seen();
        loop {
            if let Some(found) = look(&seen) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("no {what} within {limit:?}\n{}", seen.report());
            }
            let woken = self.shared.changed.wait_timeout(seen, left);
            seen = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the application answers; says where.
    pub fn wait_ready(&self, limit: Duration) -> Result<Vec<String>> {
        let event = self.wait_event("ready", 1, limit)?;
        let urls = event.get("urls").and_then(Value::as_array).into_iter().flatten();
        Ok(urls.filter_map(|url| url.as_str().map(str::to_owned)).collect())
    }

    /// Waits for the nth event of a kind, counted from 1.
    pub fn wait_event(&self, kind: &str, nth: usize, limit: Duration) -> Result<Value> {
        self.wait_for(&format!("event `{kind}` number {nth}"), limit, |stdout, _| {
            let events = stdout
                .iter()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            events
                .filter(|event| event.get("event").is_some_and(|name| name == kind))
                .nth(nth - 1)
        })
    }

    /// Waits for a line on stderr that holds all of these words, and returns it.
    pub fn wait_log(&self, words: &[&str], limit: Duration) -> Result<String> {
        self.wait_for(&format!("log line with {words:?}"), limit, |_, stderr| {
            stderr
                .iter()
                .find(|line| words.iter().all(|word| line.contains(word)))
                .cloned()
        })
    }

    /// The lines on stderr so far.
    pub fn log(&self) -> Vec<String> {
        self.shared.seen().stderr.clone()
    }

    /// The JSON events so far.
    pub fn events(&self) -> Vec<Value> {
        self.shared
            .seen()
            .stdout
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) -> Result<()> {
        self.signal(Signal::INT)
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Sends SIGSTOP: it holds its connections and does nothing.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Sends SIGCONT: it goes on.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.wait_exit(SOON).map(|_| ())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let seen = self.shared.seen();
        match seen.exit {
            // The pid may be another process by now.
            Some(_) => bail!("it has ended already\n{}", seen.report()),
            None => rustix::process::kill_process(self.pid, signal).context("signal wash"),
        }
    }

    /// Waits for the end.
    pub fn wait_exit(&self, limit: Duration) -> Result<Ended> {
        self.wait_seen("end of the process", limit, |seen| {
            let exit = seen.exit.filter(|_| seen.open_pipes == 0)?;
            let code = exit
                .code()
                .or_else(|| exit.signal().map(|signal| 128 + signal))
                .unwrap_or(-1);
            Some(Ended {
                code,
                stdout: seen.stdout.clone(),
                stderr: seen.stderr.clone(),
            })
        })
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.seen().exit.is_some()
    }

    /// Ctrl-C, and a check that it leaves in order.
    pub fn stop(&self) -> Result<Ended> {
        self.interrupt()?;
        let ended = self.wait_exit(SOON)?;
        match ended.code {
            0 => Ok(ended),
            code => bail!("it left with {code}\n{}", self.shared.seen().report()),
        }
    }

    /// Memory in use now and at the most so far, in bytes, as the kernel counts it.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
            kib.map(|kib| kib << 10)
                .with_context(|| format!("no {name} in {path}"))
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }
}

impl Drop for Wash {
    fn drop(&mut self) {
        if self.signal(Signal::KILL).is_ok() {
            let _ = self.wait_exit(SOON);
        }
        if std::thread::panicking() {
            eprintln!("{}", self.shared.seen().report());
        }
    }
}

/// Puts a file in the place of another in one step.
pub fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".new");
    fs::write(&partial, content).with_context(|| format!("write {}", Path::new(&partial).display()))?;
    fs::rename(&partial, path).with_context(|| format!("replace {}", path.display()))
}
