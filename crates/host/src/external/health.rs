//! Whether a provider is well: asked on the lattice, told as events (wire reference §2.5, §4.7).
//!
//! The subject has no host in it, so that with the same provider on several hosts any of them may answer.

use tokio::sync::watch;
use tokio::time::Instant;
use wasmcloud_core::ComponentId;
use wasmcloud_lattice::CallError;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::event::{Event, HealthCheck};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::provider::HealthReply;
use wasmcloud_wire::subject::ProviderOperation;

use super::Context;

/// Longest reason of a provider that is repeated, in bytes.
const MAX_REASON: usize = 300;

/// What came of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It says that it is well.
    Well,
    /// It says that it is not, or nothing that makes sense.
    Unwell(String),
    /// Somebody listens and says nothing.
    Silent(String),
    /// Nobody listens.
    Absent,
    /// There is no connection, so nothing is known of the provider.
    Unknown(String),
}

/// Asks a provider.
pub(super) async fn ask(context: &Context, id: &ComponentId, deadline: Instant) -> Verdict {
    let subject = context.subject(id.clone().into(), ProviderOperation::Health);
    let answer = context
        .rpc
        .request(&subject, None, Vec::new().into(), deadline)
        .await;
    match answer {
        Ok(message) => judge(&message.payload),
        Err(CallError::NoResponders { .. }) => Verdict::Absent,
        Err(error @ CallError::TimedOut { .. }) => Verdict::Silent(chain(&error)),
        Err(error) => Verdict::Unknown(chain(&error)),
    }
}

fn judge(answer: &[u8]) -> Verdict {
    match HealthReply::decode(answer) {
        Ok(reply) if reply.healthy => Verdict::Well,
        Ok(reply) => {
            let reason = reply.message.filter(|reason| !reason.is_empty());
            let reason = reason.unwrap_or_else(|| "it does not say why".to_owned());
            let short = reason
                .get(..reason.floor_char_boundary(MAX_REASON))
                .unwrap_or(&reason);
            Verdict::Unwell(short.escape_debug().to_string())
        }
        Err(error) => Verdict::Unwell(format!("its answer makes no sense: {}", chain(&error))),
    }
}

/// What was last known of a provider. At first that it is not well, as in v1: its first good answer is a change.
pub(super) struct Health {
    well: bool,
    reason: Option<String>,
    /// What the inventory says: nothing until the provider was asked.
    shown: watch::Sender<Option<bool>>,
}

impl Health {
    pub(super) fn new(shown: watch::Sender<Option<bool>>) -> Self {
        Self {
            well: false,
            reason: None,
            shown,
        }
    }

    /// Takes in the answer with which a provider has started, which is not told as an event.
    pub(super) fn started(&self, verdict: &Verdict) {
        self.shown.send_replace(Some(*verdict == Verdict::Well));
    }

    /// Takes a verdict in and tells what it means: a change to well as `passed`, no change of well as `status`, and
    /// everything else as `failed`.
    pub(super) fn note(&mut self, context: &Context, id: &ComponentId, verdict: Verdict) {
        let check = || HealthCheck {
            host_id: context.host_id.to_string(),
            provider_id: id.to_string(),
        };
        let reason = match verdict {
            // What is not known of the provider is not told of it.
            Verdict::Unknown(reason) => {
                return tracing::debug!(provider = %id, reason, "the provider could not be asked for its health");
            }
            Verdict::Well => None,
            Verdict::Unwell(reason) | Verdict::Silent(reason) => Some(reason),
            Verdict::Absent => Some("it does not listen to health checks".to_owned()),
        };
        let event = match (&reason, self.well) {
            (None, true) => Event::HealthCheckStatus(check()),
            (None, false) => Event::HealthCheckPassed(check()),
            (Some(_), _) => Event::HealthCheckFailed(check()),
        };
        match (&reason, &self.reason) {
            (Some(reason), before) if before.as_ref() != Some(reason) => {
                tracing::warn!(provider = %id, reason, "the provider is not well");
            }
            (None, Some(_)) => tracing::info!(provider = %id, "the provider is well again"),
            _ => {}
        }
        (self.well, self.reason) = (reason.is_none(), reason);
        self.shown.send_replace(Some(self.well));
        (context.tell)(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        assert_eq!(judge(br#"{"healthy":true,"message":null}"#), Verdict::Well);
        let unwell = |answer: &[u8]| match judge(answer) {
            Verdict::Unwell(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            unwell(br#"{"healthy":false,"message":"no\u001b[2J disk"}"#),
            "no\\u{1b}[2J disk"
        );
        assert_eq!(unwell(b"{}"), "it does not say why");
        for garbage in [&b""[..], b"\xff\xfe", b"ok", b"[true]x", b"{\"healthy\":\"yes\"}"] {
            assert!(
                unwell(garbage).starts_with("its answer makes no sense"),
                "{garbage:?}"
            );
        }
        let long = format!(r#"{{"healthy":false,"message":"{}"}}"#, "é".repeat(MAX_REASON));
        assert!(unwell(long.as_bytes()).len() <= MAX_REASON);
    }
}
