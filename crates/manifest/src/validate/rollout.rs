//! How a new revision takes over: the policy of type [`ROLLOUT_POLICY`].

use std::time::Duration;

use wasmcloud_core::{nearest, parse_duration};

use crate::check::shorten;
use crate::desired::{Rollout, Strategy};
use crate::diagnostic::Sink;
use crate::document::{Document, Pair, Policy};
use crate::grammar::ROLLOUT_POLICY;
use crate::source::Position;

const STRATEGY: &str = "strategy";
const STEPS: &str = "steps";
const PAUSE: &str = "pause";
const MAX_FAILURES: &str = "max-failures";
const PROBE: &str = "probe";
const ROLLBACK: &str = "rollback";

const KEYS: [&str; 6] = [STRATEGY, STEPS, PAUSE, MAX_FAILURES, PROBE, ROLLBACK];

const STRATEGIES: [(&str, Strategy); 4] = [
    ("rolling", Strategy::Rolling),
    ("canary", Strategy::Canary),
    ("blue-green", Strategy::BlueGreen),
    ("recreate", Strategy::Recreate),
];

/// Reads the policy; the default is what applies where there is none.
pub(super) fn read(document: &Document, sink: &mut Sink) -> Rollout {
    let is_rollout = |policy: &&Policy| {
        policy
            .kind
            .as_ref()
            .is_some_and(|kind| kind.value == ROLLOUT_POLICY)
    };
    let mut policies = document.policies.iter().filter(is_rollout);
    let mut rollout = Rollout::default();
    let Some(policy) = policies.next() else {
        return rollout;
    };
    if let Some(second) = policies.next().and_then(place) {
        let error = sink.error(second, "there are two rollout policies");
        if let Some(first) = place(policy) {
            error.related(first, "the first");
        }
    }
    for pair in &policy.properties {
        set(&mut rollout, pair, sink);
    }
    let only = |key: &str, strategies: &[Strategy], sink: &mut Sink| {
        let written = policy.properties.iter().find(|pair| pair.key.value == key);
        if let Some(pair) = written
            && !strategies.contains(&rollout.strategy)
        {
            let message = format!("`{key}` means nothing for this strategy");
            sink.warning(pair.key.at, message);
        }
    };
    only(STEPS, &[Strategy::Canary], sink);
    only(MAX_FAILURES, &[Strategy::Canary], sink);
    only(PAUSE, &[Strategy::Canary, Strategy::BlueGreen], sink);
    rollout
}

fn place(policy: &Policy) -> Option<Position> {
    policy.name.as_ref().or(policy.kind.as_ref()).map(|text| text.at)
}

fn set(rollout: &mut Rollout, pair: &Pair, sink: &mut Sink) {
    let value = pair.value.value.trim();
    let refuse = |wanted: &str, sink: &mut Sink| {
        let message = format!("`{}` is `{}`, {wanted}", pair.key.value, shorten(value));
        sink.error(pair.value.at, message);
    };
    match pair.key.as_str() {
        STRATEGY => match STRATEGIES.iter().find(|(name, _)| *name == value) {
            Some((_, strategy)) => rollout.strategy = *strategy,
            None => refuse(
                "`rolling`, `canary`, `blue-green` or `recreate` is expected",
                sink,
            ),
        },
        STEPS => match steps(value) {
            Some(steps) => rollout.steps = steps,
            None => refuse(
                "growing percentages from 1 to 99 are expected, for example `10, 50`",
                sink,
            ),
        },
        PAUSE => match parse_duration(value) {
            Ok(pause) if pause <= Rollout::MAX_PAUSE => rollout.pause = pause,
            _ => refuse("a duration of at most a day is expected, for example `30s`", sink),
        },
        MAX_FAILURES => match percentage(value) {
            Some(share) => rollout.max_failures = share,
            None => refuse("a percentage is expected, for example `1%`", sink),
        },
        PROBE => match value.starts_with('/') && value.len() <= Rollout::MAX_PROBE && value.is_ascii() {
            true => rollout.probe = Some(value.to_owned()),
            false => refuse("a path is expected, for example `/healthz`", sink),
        },
        ROLLBACK => match value {
            "on" | "true" => rollout.rollback = true,
            "off" | "false" => rollout.rollback = false,
            _ => refuse("`on` or `off` is expected", sink),
        },
        other => {
            let message = format!("a rollout policy has no property `{}`", shorten(other));
            let hint = match nearest(other, KEYS) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it has {}", KEYS.join(", ")),
            };
            sink.error(pair.key.at, message).hint(hint);
        }
    }
}

fn steps(text: &str) -> Option<Vec<u8>> {
    let steps: Option<Vec<u8>> = text
        .split(',')
        .map(|step| step.trim().trim_end_matches('%').parse().ok())
        .collect();
    let steps = steps.filter(|steps| steps.len() <= Rollout::MAX_STEPS)?;
    let in_range = steps.iter().all(|step| (1..=99).contains(step));
    let grow = steps
        .windows(2)
        .all(|pair| matches!(pair, [one, next] if one < next));
    (in_range && grow && !steps.is_empty()).then_some(steps)
}

/// In hundredths of a percent.
fn percentage(text: &str) -> Option<u16> {
    let number: f64 = text.trim_end_matches('%').trim().parse().ok()?;
    let hundredths = (number * 100.0).round();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within the bounds"
    )]
    (0.0..=10_000.0)
        .contains(&hundredths)
        .then_some(hundredths as u16)
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            strategy: Strategy::Rolling,
            steps: vec![10, 50],
            pause: Duration::from_secs(30),
            max_failures: 100,
            probe: None,
            rollback: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow() {
        assert_eq!(steps("10, 50"), Some(vec![10, 50]));
        assert_eq!(steps("5%,99%"), Some(vec![5, 99]));
        for wrong in [
            "",
            "0",
            "100",
            "50, 10",
            "10,10",
            "x",
            "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21",
        ] {
            assert_eq!(steps(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn percentages_have_two_places() {
        for (text, share) in [
            ("1%", Some(100)),
            ("0.25 %", Some(25)),
            ("100", Some(10_000)),
            ("0", Some(0)),
        ] {
            assert_eq!(percentage(text), share, "{text}");
        }
        for wrong in ["-1", "101", "", "one", "NaN"] {
            assert_eq!(percentage(wrong), None, "{wrong}");
        }
    }
}
