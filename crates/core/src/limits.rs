//! What one component may use of a host, and the units people write it in.

use std::time::Duration;

/// How instances are made for invocations (design D8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InstanceMode {
    /// A fresh instance for every invocation: nothing survives a call.
    #[default]
    Fresh,
    /// An instance is kept and called again, one invocation at a time, at most `max_reuse` times.
    Reuse,
}

/// The limits of one component on one host. [`Limits::default`] documents the value each has where the manifest
/// is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance in bytes, all its memories together.
    pub memory: u64,
    /// Wall-clock time of one invocation, waiting for a free slot included.
    pub deadline: Duration,
    /// Whether instances are kept.
    pub instance: InstanceMode,
    /// How often an instance is called before it is replaced; only with [`InstanceMode::Reuse`].
    pub max_reuse: u32,
    /// How many invocations run at once on one host.
    pub concurrency: u32,
    /// How many invocations may wait for a free slot; the next one is refused at once.
    pub queue: u32,
    /// After how long without an invocation its code leaves the memory of the host; the next invocation waits until it
    /// is back. `None`: never.
    pub idle: Option<Duration>,
}

impl Limits {
    /// Default of [`Limits::memory`]: 256 MiB, as in v1 (wire reference §2.1).
    pub const DEFAULT_MEMORY: u64 = 256 << 20;
    /// Default of [`Limits::deadline`]: 30 seconds. v1 allowed ten minutes (wire reference §2.1), which makes a
    /// stuck call look like a hang.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
    /// Default of [`Limits::max_reuse`].
    pub const DEFAULT_MAX_REUSE: u32 = 100_000;
    /// Default of [`Limits::concurrency`] where no scaler states a number of instances.
    pub const DEFAULT_CONCURRENCY: u32 = 256;
    /// Default of [`Limits::queue`]: waiting invocations for each host.
    pub const DEFAULT_QUEUE: u32 = 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: Self::DEFAULT_MEMORY,
            deadline: Self::DEFAULT_DEADLINE,
            instance: InstanceMode::Fresh,
            max_reuse: Self::DEFAULT_MAX_REUSE,
            concurrency: Self::DEFAULT_CONCURRENCY,
            queue: Self::DEFAULT_QUEUE,
            idle: None,
        }
    }
}

/// A size or a time that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// Not a number of bytes.
    #[error("`{0}` is not a size; write bytes or a number with `KiB`, `MiB` or `GiB`, for example `64MiB`")]
    Bytes(String),
    /// Not a length of time.
    #[error("`{0}` is not a duration; write a number with `ms`, `s`, `m` or `h`, for example `500ms`")]
    Duration(String),
}

/// Reads a size: `1048576`, `512KiB`, `64MiB`, `1GiB` (also `64Mi` and `64MB`, where `M` is 1,000,000 with `B`).
pub fn parse_bytes(raw: &str) -> Result<u64, InvalidLimit> {
    let invalid = || InvalidLimit::Bytes(raw.to_owned());
    let (number, unit) = split_unit(raw);
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" | "Ki" => 1 << 10,
        "MiB" | "Mi" => 1 << 20,
        "GiB" | "Gi" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(invalid()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .ok_or_else(invalid)
}

/// Reads a length of time: `250ms`, `30s`, `10m`, `1h`. A bare number has no unit and is refused.
pub fn parse_duration(raw: &str) -> Result<Duration, InvalidLimit> {
    let invalid = || InvalidLimit::Duration(raw.to_owned());
    let (number, unit) = split_unit(raw);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(invalid()),
    };
    let total = number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(millis))
        .ok_or_else(invalid)?;
    Ok(Duration::from_millis(total))
}

fn split_unit(raw: &str) -> (&str, &str) {
    let raw = raw.trim();
    let end = raw.find(|c: char| !c.is_ascii_digit()).unwrap_or(raw.len());
    let (number, unit) = raw.split_at(end);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations() {
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("64 Mi"), Ok(64 << 20));
        assert_eq!(parse_bytes("1000"), Ok(1000));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        for bad in [
            "",
            "MiB",
            "1.5GiB",
            "-1",
            "99999999999999999999",
            "18446744073709551615GiB",
        ] {
            assert!(parse_bytes(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "5", "5 days", "s", "-5s"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }
}
