//! Components and providers of v1 as they look from outside: plain messages, without any of our headers (wire reference
//! §4.2).

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use wasmcloud_lattice::{Connection, HeaderMap, Subscription};

use crate::support::soon;

/// A call as v1 was asked it.
pub(crate) struct Asked {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) params: Vec<u8>,
}

impl Asked {
    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.as_str())
    }
}

/// Hears the calls for a component or provider, as v1 does.
pub(crate) async fn serve_as_v1(v1: &Connection, id: &str) -> Result<Subscription> {
    let prefix = format!("default.{id}");
    let calls = v1
        .queue_subscribe(&format!("{prefix}.wrpc.0.0.1.>"), &prefix)
        .await?;
    v1.barrier(v1.default_deadline()).await?;
    Ok(calls)
}

/// Answers the next call as v1 does, with results in these pieces, and returns what it was asked. No pieces are how v1
/// fails.
pub(crate) async fn answer_as_v1(
    v1: &Connection,
    calls: &mut Subscription,
    results: &[Bytes],
) -> Result<Asked> {
    let call = soon("call", calls.next()).await?.context("ended")?;
    let reply = call.reply.context("a reply subject")?;
    let inbox = v1.new_inbox();
    let mut params = v1.subscribe(&format!("{inbox}.params")).await?;
    v1.client()
        .publish_with_reply(reply.clone(), inbox, Bytes::new())
        .await?;
    let params = all("end of the parameters", &mut params, call.payload.to_vec())
        .await?
        .0;
    let to = format!("{reply}.results");
    for piece in results {
        v1.publish(&to, None, piece.clone()).await?;
    }
    v1.publish(&to, None, Bytes::new()).await?;
    v1.barrier(v1.default_deadline()).await?;
    Ok(Asked {
        subject: call.subject.to_string(),
        headers: call.headers.unwrap_or_default(),
        params,
    })
}

/// How a component of v1 says who it is.
pub(crate) fn component(source: &str) -> [(&'static str, &str); 2] {
    [("source-id", source), ("link-name", "default")]
}

/// How a provider of v1 says who it is, and whom it means.
pub(crate) fn provider<'a>(source: &'a str, target: &'a str) -> [(&'static str, &'a str); 2] {
    [("source-id", source), ("target-id", target)]
}

/// Calls as v1 does, with parameters in these pieces, the first of them in the request. Returns the results.
pub(crate) async fn call_as_v1(
    v1: &Connection,
    subject: &str,
    who: [(&str, &str); 2],
    params: &[Bytes],
) -> Result<Vec<u8>> {
    let inbox = v1.new_inbox();
    let mut accepts = v1.subscribe(&inbox).await?;
    let mut results = v1.subscribe(&format!("{inbox}.results")).await?;
    let mut headers = HeaderMap::new();
    for (name, value) in who {
        headers.insert(name, value);
    }
    let (first, rest) = params.split_first().context("at least one piece")?;
    v1.client()
        .publish_with_reply_and_headers(subject.to_owned(), inbox, headers, first.clone())
        .await?;
    let accept = soon("accept", accepts.next()).await?.context("ended")?;
    ensure!(accept.payload.is_empty() && accept.headers.is_none());
    let to = format!("{}.params", accept.reply.context("a reply subject")?);
    for piece in rest.iter().filter(|piece| !piece.is_empty()) {
        v1.publish(&to, None, piece.clone()).await?;
    }
    v1.publish(&to, None, Bytes::new()).await?;
    let (results, headers) = all("results", &mut results, Vec::new()).await?;
    ensure!(headers == 0, "{headers} messages with headers");
    Ok(results)
}

/// All that comes on a subject until an empty message, and how many of the messages had headers.
pub(crate) async fn all(
    what: &str,
    messages: &mut Subscription,
    mut bytes: Vec<u8>,
) -> Result<(Vec<u8>, usize)> {
    let mut headers = 0;
    loop {
        let message = soon(what, messages.next()).await?.context("ended")?;
        headers += usize::from(message.headers.is_some());
        if message.payload.is_empty() {
            return Ok((bytes, headers));
        }
        bytes.extend_from_slice(&message.payload);
    }
}
