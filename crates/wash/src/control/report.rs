//! What commands that ask hosts have in common when they report: kinds of failures, problems with some of the hosts,
//! waiting in sight of the user, images as hosts need them.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use serde_json::{Value, json};
use tokio::sync::watch;
use wasmcloud_client::{Client, ClientError, Done, FoundHost, LookupError, WaitError, printable};
use wasmcloud_wire::control::Request;
use wasmcloud_wire::message;

use crate::exit::{FAILURE, Failure};
use crate::output::Output;
use crate::progress;

/// A failure with the kind that scripts see.
pub(super) fn failed(error: ClientError) -> Failure {
    Failure::new(FAILURE, kind(&error), error)
}

fn kind(error: &ClientError) -> &'static str {
    match error {
        ClientError::NoHost { .. } | ClientError::HostGone { .. } => "no-host",
        ClientError::Refused { .. } => "refused",
        ClientError::Silent { .. } => "timeout",
        ClientError::Answer { .. } | ClientError::Empty { .. } => "bad-answer",
        ClientError::Connection { .. } => "no-lattice",
    }
}

/// The same for a host that was not found.
pub(super) fn not_found(error: LookupError) -> Failure {
    match error {
        LookupError::Ask(error) => failed(error),
        error => Failure::new(FAILURE, "no-such-host", error),
    }
}

/// The host that is meant.
pub(super) async fn host(client: &Client, text: &str) -> Result<FoundHost, Failure> {
    client.find_host(text).await.map_err(not_found)
}

/// Says what went wrong with some of the hosts; the rest of the answer stands beside it.
pub(super) fn problems(output: &Output, problems: &[ClientError]) -> Value {
    let texts: Vec<String> = problems.iter().map(|problem| message::chain(problem)).collect();
    if !output.is_json() {
        for text in &texts {
            output.note(&format!(
                "{} {}",
                output.paint("1;33", "warning:"),
                printable(text)
            ));
        }
    }
    json!(texts)
}

/// The end of a command that printed what it has: success only if that was all of it.
pub(super) fn complete(problems: &[ClientError]) -> Result<(), Failure> {
    match problems {
        [] => Ok(()),
        _ => Err(Failure::told(FAILURE)),
    }
}

/// Has something done: within the time, or as far as the host's acceptance where there is none.
pub(super) async fn carry_out(
    client: &Client,
    request: &Request,
    within: Option<Duration>,
    doing: &str,
    output: &Output,
) -> Result<Done, Failure> {
    let done = match within {
        None => {
            let message = client.send(request).await.map_err(failed)?;
            Done {
                message,
                took: Duration::ZERO,
            }
        }
        Some(within) => {
            let (known, words) = watch::channel(String::new());
            let waiting = client.carry_out(request, within, Some(&known));
            progress::waited(doing, words, waiting)
                .await
                .map_err(|error| match error {
                    WaitError::Request(error) => failed(error),
                    WaitError::Failed { .. } => Failure::new(FAILURE, "failed", error),
                    WaitError::Deadline { .. } => Failure::new(FAILURE, "timeout", error),
                    WaitError::HostStopped { .. } | WaitError::HostDied { .. } => {
                        Failure::new(FAILURE, "no-host", error)
                    }
                    WaitError::Closed { .. } => Failure::new(FAILURE, "no-lattice", error),
                })?
        }
    };
    // The one remark that is not about success: the image stays what it was.
    if done.message.starts_with("Requested to scale existing") && !output.is_json() {
        output.note(&format!("{} {}", output.paint("1;33", "warning:"), done.message));
    }
    Ok(done)
}

/// A time in milliseconds, unless nobody waits.
pub(super) fn within(skip: bool, millis: u64) -> Option<Duration> {
    (!skip).then_some(Duration::from_millis(millis))
}

/// An image as a host can find it: a file that is there becomes `file://` with its whole path, for the host runs in
/// another folder. Anything else is left as it is.
pub(super) fn image(written: &str) -> Result<String, Failure> {
    let path = written.strip_prefix("file://").unwrap_or(written);
    let is_file = written.starts_with("file://") || Path::new(path).is_file();
    if !is_file {
        return Ok(written.to_owned());
    }
    let absolute = std::path::absolute(path).map_err(|error| {
        let error = anyhow!(error).context(format!("find out where {path} is"));
        Failure::new(FAILURE, "invalid-image", error)
    })?;
    Ok(format!("file://{}", absolute.display()))
}
