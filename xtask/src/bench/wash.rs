//! `wash up` with applications that are made for a measurement.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::build;
use super::server::Server;

/// How instances are made; the words of the manifest.
#[derive(Clone, Copy)]
pub(super) enum Instance {
    Fresh,
    Reuse,
}

/// A component of an application. The file lies beside the manifest or below.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) file: String,
    /// Where it answers HTTP, if it does.
    pub(super) address: Option<SocketAddr>,
}

/// Writes the manifest of an application to `file`.
pub(super) fn write_manifest(file: &Path, parts: &[Part], instance: Instance) -> Result<()> {
    fs::write(file, manifest(parts, instance)).with_context(|| format!("write {}", file.display()))
}

fn manifest(parts: &[Part], instance: Instance) -> String {
    let mut text = "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: bench
  annotations:
    version: v0.1.0
spec:
  components:
"
    .to_owned();
    for Part { name, file, .. } in parts {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "    - name: {name}
      type: component
      properties:
        image: file://./{file}
      traits:
        - type: spreadscaler
          properties:
            instances: 256
"
        );
        if matches!(instance, Instance::Reuse) {
            text.push_str("        - type: runtime\n          properties:\n            instance: reuse\n");
        }
    }
    text.push_str(
        "    - name: http-server
      type: capability
      properties:
        image: ghcr.io/wasmcloud/http-server:0.27.0
      traits:
",
    );
    let routed = parts
        .iter()
        .filter_map(|part| Some((&part.name, part.address.as_ref()?)));
    for (name, address) in routed {
        let _ = write!(
            text,
            "        - type: link
          properties:
            name: {name}
            target:
              name: {name}
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source:
              config:
                - name: http-{name}
                  properties:
                    address: {address}
"
        );
    }
    text
}

/// What a start of `wash` takes besides the manifest.
pub(super) struct Wash {
    program: PathBuf,
}

impl Wash {
    pub(super) fn find() -> Result<Self> {
        Ok(Self {
            program: build::program("wash")?,
        })
    }

    /// Starts it. Data and logs go to `dir`.
    pub(super) fn up(&self, name: &str, manifest: &Path, cache: &Path, dir: &Path) -> Result<Server> {
        Server::start(name, &self.words(false, manifest, cache, dir), dir, None)
    }

    /// Starts it and listens to what it says happens.
    pub(super) fn up_with_events(
        &self,
        name: &str,
        manifest: &Path,
        cache: &Path,
        dir: &Path,
    ) -> Result<(Server, Events)> {
        let words = self.words(true, manifest, cache, dir);
        let mut server = Server::start(name, &words, dir, Some(Stdio::piped()))?;
        let stdout = server.take_stdout().context("a pipe was asked for")?;
        Ok((server, Events::of(stdout)))
    }

    /// Starts it with nothing on it, and listens to what it says happens.
    pub(super) fn up_empty(
        &self,
        name: &str,
        cache: &Path,
        dir: &Path,
        more: &[OsString],
    ) -> Result<(Server, Events)> {
        let mut words: Vec<OsString> = vec![self.program.clone().into()];
        words.extend(["-o", "json", "up", "--log-level", "error", "--data-dir"].map(Into::into));
        words.extend([
            dir.join("data").into_os_string(),
            "--cache-dir".into(),
            cache.into(),
        ]);
        words.extend_from_slice(more);
        let mut server = Server::start(name, &words, dir, Some(Stdio::piped()))?;
        let stdout = server.take_stdout().context("a pipe was asked for")?;
        Ok((server, Events::of(stdout)))
    }

    fn words(&self, json: bool, manifest: &Path, cache: &Path, dir: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![self.program.clone().into()];
        if json {
            words.extend(["-o", "json"].map(Into::into));
        }
        words.extend(["up".into(), manifest.into()]);
        words.extend(["--data-dir".into(), dir.join("data").into_os_string()]);
        words.extend(["--cache-dir".into(), cache.into()]);
        words.extend(["--log-level", "warn"].map(Into::into));
        words
    }
}

/// Something that `wash` said happened, and when we heard it.
pub(super) struct Event {
    pub(super) at: Instant,
    pub(super) value: Value,
}

impl Event {
    fn text(&self, field: &str) -> &str {
        self.value.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it says that a component has started.
    pub(super) fn is_component(&self) -> bool {
        self.text("event") == "step" && self.text("kind") == "component"
    }

    /// Whether it says that the application answers.
    pub(super) fn is_ready(&self) -> bool {
        self.text("event") == "ready"
    }
}

pub(super) struct Events(Receiver<Event>);

impl Events {
    fn of(stdout: ChildStdout) -> Self {
        let (sender, receiver) = mpsc::channel();
        // Ends with the pipe, that is with the process.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let at = Instant::now();
                if let Ok(value) = serde_json::from_str(&line) {
                    let _ = sender.send(Event { at, value });
                }
            }
        });
        Self(receiver)
    }

    /// Hands every event to `look` until the application answers. Returns that last one.
    pub(super) fn until_ready(
        &self,
        server: &Server,
        limit: Duration,
        mut look: impl FnMut(&Event),
    ) -> Result<Event> {
        let deadline = Instant::now() + limit;
        loop {
            let event = match self
                .0
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("wash was not ready within {} s{}", limit.as_secs(), server.said())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("wash ended before it was ready{}", server.said())
                }
            };
            look(&event);
            if event.text("event") == "error" {
                bail!("wash did not start: {}", event.value);
            }
            if event.is_ready() {
                return Ok(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_what_is_asked_for() {
        let part = |name: &str, address: Option<&str>| Part {
            name: name.to_owned(),
            file: format!("{name}.wasm"),
            address: address.and_then(|address| address.parse().ok()),
        };
        let text = manifest(
            &[part("a", Some("127.0.0.1:81")), part("b", None)],
            Instance::Reuse,
        );
        assert!(text.contains("image: file://./b.wasm"));
        assert_eq!(text.matches("instance: reuse").count(), 2);
        assert_eq!(text.matches("type: link").count(), 1);
        assert!(text.contains("address: 127.0.0.1:81"));
    }
}
