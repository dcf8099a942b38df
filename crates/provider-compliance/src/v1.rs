//! A caller that does exactly what hosts of v1 do, message by message (wire reference §4.2).

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::time::timeout;
use wasmcloud_lattice::{Connection, HeaderMap, Message, Subscription};

/// Longest results that are read, in bytes.
const MAX_RESULTS: usize = 64 << 20;

/// Calls, and returns the bytes of the results: none at all if the callee failed.
pub(crate) async fn call(
    connection: &Connection,
    subject: &str,
    headers: HeaderMap,
    params: Bytes,
    patience: Duration,
) -> Result<Vec<u8>, String> {
    let reply = connection.new_inbox();
    let shown = |what: &str, error: &dyn std::fmt::Display| format!("{what} {subject}: {error}");
    let mut inbox = connection
        .subscribe(&reply)
        .await
        .map_err(|error| shown("call", &error))?;
    let mut results = connection
        .subscribe(&format!("{reply}.results"))
        .await
        .map_err(|error| shown("call", &error))?;
    connection
        .client()
        .publish_with_reply_and_headers(subject.to_owned(), reply, headers, params)
        .await
        .map_err(|error| shown("call", &error))?;
    let accept = next(&mut inbox, subject, "accept", patience).await?;
    if accept.status.is_some_and(|status| !status.is_success()) {
        return Err(format!("nobody answers on {subject}"));
    }
    if accept.headers.is_some() || !accept.payload.is_empty() {
        return Err(format!(
            "the answer on {subject} is not an empty message, a caller of v1 does not understand it"
        ));
    }
    let peer = accept
        .reply
        .ok_or_else(|| format!("the answer on {subject} says nowhere to go on"))?;
    // All parameters were in the first message; v1 says so with an empty one.
    connection
        .publish(&format!("{peer}.params"), None, Bytes::new())
        .await
        .map_err(|error| shown("end the parameters of", &error))?;
    let mut all = Vec::new();
    loop {
        let message = next(&mut results, subject, "results", patience).await?;
        if message.payload.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&message.payload);
        if all.len() > MAX_RESULTS {
            return Err(format!(
                "the results on {subject} have more than {MAX_RESULTS} bytes"
            ));
        }
    }
}

async fn next(
    subscription: &mut Subscription,
    subject: &str,
    what: &str,
    patience: Duration,
) -> Result<Message, String> {
    match timeout(patience, subscription.next()).await {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err("the connection ended".to_owned()),
        Err(_) => Err(format!("no {what} of a call on {subject} within {patience:?}")),
    }
}
