//! The limits of a component as control requests and inventories carry them: a map of texts.
//!
//! v1 knows two keys (wire reference §2.3); the others are ours, so that a component started over the lattice can have
//! every setting a manifest can give it. A key that is not known is refused: a limit that nobody keeps is worse than
//! an error.

use wasmcloud_core::{InstanceMode, Limits, nearest, parse_duration};

use crate::limit::Labels;

/// Bytes of linear memory (v1).
const MEMORY: &str = "max_memory_limit";
/// Whole seconds of one invocation (v1).
const TIME: &str = "max_execution_time";
/// The same as a duration with a unit, where seconds are too coarse.
const DEADLINE: &str = "deadline";
/// `fresh` or `reuse`.
const INSTANCE: &str = "instance";
/// Calls of a kept instance.
const MAX_REUSE: &str = "max_reuse";
/// Invocations that may wait.
const QUEUE: &str = "queue";
/// Time without an invocation after which the component sleeps, as a duration with a unit, or `never`.
const IDLE: &str = "idle";
const NEVER: &str = "never";

/// Invocations at once, where that is another number than the count.
const CONCURRENCY: &str = "concurrency";

const KEYS: [&str; 8] = [
    MEMORY,
    TIME,
    DEADLINE,
    INSTANCE,
    MAX_REUSE,
    QUEUE,
    IDLE,
    CONCURRENCY,
];

/// A limit that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimits {
    /// There is no such limit.
    #[error("component limit `{key}` is unknown{}", hint(.key))]
    Unknown {
        /// Its name.
        key: String,
    },
    /// Its value is none.
    #[error("component limit `{key}`: `{value}` is not {wanted}")]
    Value {
        /// Its name.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

fn hint(key: &str) -> String {
    match nearest(key, KEYS) {
        Some(known) => format!("; did you mean `{known}`?"),
        None => format!("; known are {}", KEYS.join(", ")),
    }
}

/// The limits that a request asks for: `count` calls at once, and what it does not mention as in `defaults`, which are
/// those of the host.
pub fn read_limits(asked: Option<&Labels>, count: u32, defaults: &Limits) -> Result<Limits, InvalidLimits> {
    let mut limits = Limits {
        concurrency: count,
        ..defaults.clone()
    };
    for (key, value) in asked.into_iter().flatten() {
        let invalid = |key, wanted| {
            let value = value.clone();
            move || InvalidLimits::Value { key, value, wanted }
        };
        match key.as_str() {
            MEMORY => {
                let bytes = value.parse().ok().filter(|bytes| *bytes > 0);
                limits.memory = bytes.ok_or_else(invalid(MEMORY, "a number of bytes"))?;
            }
            TIME => {
                let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
                let seconds = seconds.ok_or_else(invalid(TIME, "a number of seconds"))?;
                limits.deadline = std::time::Duration::from_secs(seconds);
            }
            DEADLINE => {
                let time = parse_duration(value).ok().filter(|time| !time.is_zero());
                limits.deadline = time.ok_or_else(invalid(DEADLINE, "a duration such as `500ms`"))?;
            }
            INSTANCE => {
                limits.instance = match value.as_str() {
                    "fresh" => InstanceMode::Fresh,
                    "reuse" => InstanceMode::Reuse,
                    _ => return Err(invalid(INSTANCE, "`fresh` or `reuse`")()),
                };
            }
            MAX_REUSE => {
                let times = value.parse().ok().filter(|times| *times > 0);
                limits.max_reuse = times.ok_or_else(invalid(MAX_REUSE, "a number of calls"))?;
            }
            CONCURRENCY => {
                let calls = value.parse().ok().filter(|calls| *calls > 0);
                limits.concurrency = calls.ok_or_else(invalid(CONCURRENCY, "a number of invocations"))?;
            }
            QUEUE => {
                limits.queue = value
                    .parse()
                    .map_err(|_| invalid(QUEUE, "a number of invocations")())?;
            }
            IDLE if value == NEVER => limits.idle = None,
            IDLE => {
                let time = parse_duration(value).ok().filter(|time| !time.is_zero());
                limits.idle = Some(time.ok_or_else(invalid(IDLE, "a duration such as `5m`, or `never`"))?);
            }
            _ => return Err(InvalidLimits::Unknown { key: key.clone() }),
        }
    }
    Ok(limits)
}

/// What differs from the defaults, for requests and inventories; `None` where nothing does. How many calls may run at
/// once is among it only where that is not `count`, for which requests and inventories have a field.
pub fn write_limits(limits: &Limits, count: u32, defaults: &Limits) -> Option<Labels> {
    let mut texts = Labels::new();
    let mut put = |differs: bool, key: &str, value: String| {
        if differs {
            texts.insert(key.to_owned(), value);
        }
    };
    put(
        limits.memory != defaults.memory,
        MEMORY,
        limits.memory.to_string(),
    );
    let (deadline, whole) = (limits.deadline, limits.deadline.subsec_nanos() == 0);
    let differs = deadline != defaults.deadline;
    put(differs && whole, TIME, deadline.as_secs().to_string());
    put(differs && !whole, DEADLINE, format!("{}ms", deadline.as_millis()));
    let instance = match limits.instance {
        InstanceMode::Fresh => "fresh",
        InstanceMode::Reuse => "reuse",
    };
    put(
        limits.instance != defaults.instance,
        INSTANCE,
        instance.to_owned(),
    );
    put(
        limits.max_reuse != defaults.max_reuse,
        MAX_REUSE,
        limits.max_reuse.to_string(),
    );
    put(
        limits.concurrency != count,
        CONCURRENCY,
        limits.concurrency.to_string(),
    );
    put(limits.queue != defaults.queue, QUEUE, limits.queue.to_string());
    let idle = limits
        .idle
        .map_or_else(|| NEVER.to_owned(), |idle| format!("{}ms", idle.as_millis()));
    put(limits.idle != defaults.idle, IDLE, idle);
    Some(texts).filter(|texts| !texts.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn limits_travel() {
        let defaults = Limits::default();
        let limits = Limits {
            memory: 1 << 20,
            deadline: Duration::from_millis(1500),
            instance: InstanceMode::Reuse,
            max_reuse: 7,
            concurrency: 3,
            queue: 0,
            idle: Some(Duration::from_secs(300)),
        };
        for count in [3, 5] {
            let texts = write_limits(&limits, count, &defaults).unwrap();
            assert_eq!(texts.contains_key(CONCURRENCY), count == 5);
            assert_eq!(read_limits(Some(&texts), count, &defaults).unwrap(), limits);
        }
        assert_eq!(write_limits(&defaults, defaults.concurrency, &defaults), None);
        let v1 = labels(&[("max_memory_limit", "67108864"), ("max_execution_time", "5")]);
        let limits = read_limits(Some(&v1), 1, &defaults).unwrap();
        assert_eq!(
            (limits.memory, limits.deadline),
            (64 << 20, Duration::from_secs(5))
        );
        assert_eq!(write_limits(&limits, 1, &defaults), Some(v1));
    }

    #[test]
    fn a_limit_that_nobody_keeps_is_refused() {
        let refused = |pairs: &[(&str, &str)]| {
            read_limits(Some(&labels(pairs)), 1, &Limits::default())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refused(&[("max_memory_limits", "1")]),
            "component limit `max_memory_limits` is unknown; did you mean `max_memory_limit`?"
        );
        assert_eq!(
            refused(&[("max_memory_limit", "64MiB")]),
            "component limit `max_memory_limit`: `64MiB` is not a number of bytes"
        );
        assert!(refused(&[("max_execution_time", "0")]).contains("a number of seconds"));
        assert!(refused(&[("instance", "warm")]).contains("`fresh` or `reuse`"));
    }
}
