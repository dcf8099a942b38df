//! Why a call has no results, and where to look: who was called, who runs it, what they said.

use anyhow::anyhow;
use wasmcloud_client::printable;
use wasmcloud_lattice::rpc::RpcError;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode};

use super::Calling;
use crate::control::functions::{Runs, who_runs};
use crate::control::report;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure};

/// A failure that says all that is known, and asks the hosts for what is not. `by` is the host that accepted the call.
pub(super) async fn failure(calling: &Calling<'_>, error: RpcError, by: Option<&str>) -> Failure {
    let asked;
    let runs = match &calling.runs {
        Some(runs) => runs,
        None => match who_runs(calling.client, calling.target.as_str()).await {
            Ok(runs) => {
                asked = runs;
                &asked
            }
            Err(problem) if matches!(error, RpcError::NoResponders { .. }) => return report::failed(problem),
            Err(_) => {
                asked = Runs::default();
                &asked
            }
        },
    };
    let id = calling.target;
    let lattice = calling.client.lattice();
    let fail = |kind, message: String| Failure::new(FAILURE, kind, anyhow!(message));
    match &error {
        RpcError::NoResponders { .. } if runs.anybody() => fail(
            "no-responders",
            format!(
                "nobody answers calls to `{id}`, though it {}; hint: is it stopping, or does it lack this function? \
                 `wash inspect` shows what a component exports",
                runs.words()
            ),
        ),
        RpcError::NoResponders { .. } => fail(
            "no-responders",
            format!(
                "nobody answers calls to `{id}` in lattice `{lattice}`: it {}; hint: `wash get inventory` shows what \
                 runs where",
                runs.words()
            ),
        ),
        RpcError::Refused(body) => fail(
            "refused",
            format!(
                "the call to `{id}` was refused ({}): {}",
                body.code,
                said(body, by, runs)
            ),
        ),
        RpcError::Failed(body) => fail(
            kind(&body.code),
            format!(
                "the call to `{id}` failed ({}): {}",
                body.code,
                said(body, by, runs)
            ),
        ),
        RpcError::TimedOut { host, waited, .. } => {
            let who = host.as_ref().map_or_else(
                || format!("`{id}`, which {},", runs.words()),
                |host| format!("host {}", runs.host(host)),
            );
            fail(
                "timeout",
                format!(
                    "{who} accepted the call to `{id}` and did not end it within {waited:.1?}; hint: `-t` gives it more \
                     time"
                ),
            )
        }
        RpcError::NotAccepted { waited, .. } => fail(
            "timeout",
            format!(
                "nobody accepted the call to `{id}` within {waited:.1?}; it {}; hint: a host that stands still \
                 gets calls and does not answer",
                runs.words()
            ),
        ),
        RpcError::Gone { host: Some(host), .. } => fail(
            "gone",
            format!("host {} accepted the call to `{id}` and is gone", runs.host(host)),
        ),
        other => fail(other_kind(other), one_line(&chain(other))),
    }
}

/// What the other side says, and where that was.
fn said(body: &RpcErrorBody, by: Option<&str>, runs: &Runs) -> String {
    let message = printable(&body.message);
    let message = message.trim_end();
    match body.host.as_deref().or(by) {
        Some(host) => format!("{message} (on host {})", runs.host(host)),
        None => message.to_owned(),
    }
}

fn kind(code: &RpcErrorCode) -> &'static str {
    match code {
        RpcErrorCode::Deadline => "timeout",
        code => {
            let known = RpcErrorCode::NAMES.into_iter().find(|(_, known)| known == code);
            known.map_or("failed", |(name, _)| name)
        }
    }
}

fn other_kind(error: &RpcError) -> &'static str {
    match error {
        RpcError::Closed { .. } => "closed",
        RpcError::Gone { .. } | RpcError::Lost { .. } => "gone",
        RpcError::Connection(_) => "no-lattice",
        RpcError::Name(_) => "invalid-function",
        _ => "failed",
    }
}
