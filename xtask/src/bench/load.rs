//! Load from `wrk`, and what it says about the answers.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::server::Server;
use crate::apt;

const CONNECTIONS: u32 = 64;

/// How much longer than it was told wrk may take: it waits for answers that are late.
const GRACE: Duration = Duration::from_secs(30);

/// What one turn showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Answers other than 2xx and 3xx, and broken connections.
    pub(super) failed: u64,
}

/// Installs `wrk` where it is missing.
pub(super) fn prepare() -> Result<()> {
    // It has no way to say its version without a failure, so only whether it starts counts.
    let starts = Command::new("wrk")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if starts.is_ok() {
        return Ok(());
    }
    apt::install("bench", &["wrk"], |command| {
        format!("the load comes from wrk: install it, on Debian as root with `{command}`")
    })
}

/// Asks for `/` over and over on all connections.
pub(super) fn run(address: SocketAddr, seconds: u32, logs: &Path) -> Result<Load> {
    let (connections, duration) = (format!("-c{CONNECTIONS}"), format!("-d{seconds}s"));
    let url = format!("http://{address}/");
    let words = ["wrk", "-t1", &connections, &duration, "--latency", &url].map(OsString::from);
    let limit = Duration::from_secs(u64::from(seconds)) + GRACE;
    let text = Server::output("wrk", &words, logs, limit)?;
    let load = parse(&text).with_context(|| format!("understand what wrk said:\n{text}"))?;
    if load.per_second <= 0.0 {
        bail!("nothing was answered:\n{text}");
    }
    Ok(load)
}

fn parse(text: &str) -> Option<Load> {
    let after = |label: &str| {
        text.lines()
            .find_map(|line| Some(line.trim().strip_prefix(label)?.trim()))
    };
    let errors = after("Socket errors:").unwrap_or_default();
    let errors = errors
        .split([' ', ','])
        .filter_map(|word| word.parse::<u64>().ok());
    let refused = match after("Non-2xx or 3xx responses:") {
        Some(number) => number.parse().ok()?,
        None => 0,
    };
    Some(Load {
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
        failed: errors.sum::<u64>() + refused,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let unit = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

impl Load {
    pub(super) fn to_json(self) -> Value {
        json!({
            "per_second": self.per_second, "p50_ms": self.p50_ms, "p99_ms": self.p99_ms, "failed": self.failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
Running 4s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.00ms  150.00us   9.00ms   95.00%
    Req/Sec    31.00k     1.00k   32.00k    80.00%
  Latency Distribution
     50%  850.00us
     75%    1.20ms
     90%    1.90ms
     99%    3.50ms
  124000 requests in 4.00s, 19.00MB read
";

    #[test]
    fn what_wrk_says_is_understood() {
        let load = parse(&format!(
            "{SAID}Requests/sec:  31000.50\nTransfer/sec:      4.70MB\n"
        ));
        let expected = Load {
            per_second: 31_000.5,
            p50_ms: 0.85,
            p99_ms: 3.5,
            failed: 0,
        };
        assert_eq!(load, Some(expected));
    }

    #[test]
    fn whatever_failed_is_counted() {
        let load = parse(&format!(
            "{SAID}  Socket errors: connect 0, read 3, write 0, timeout 4\n  Non-2xx or 3xx responses: 10\n\
             Requests/sec:  31000.50\n"
        ));
        assert_eq!(load.map(|load| load.failed), Some(17));
    }
}
