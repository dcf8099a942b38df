//! What is said beside a call, as headers of its messages (wire reference §4.4), and the few of them that are more than
//! text.
//!
//! | header | on | says |
//! |---|---|---|
//! | [`SOURCE_ID`] | the request | who calls |
//! | [`LINK_NAME`] | the request of a host | over which link |
//! | [`TARGET_ID`] | the request of a provider | who is called |
//! | [`TRACEPARENT`], [`TRACESTATE`] | the request | the trace it belongs to, as W3C Trace Context has it |
//! | [`TERMS`] | the request and the acceptance | that its sender speaks ours, and under which [`Terms`](super::Terms) |
//! | [`MORE`] | the request | that its parameters do not end with it |
//! | [`STATUS`], [`ERROR`] | the last message of the results, or the acceptance with the results | how it ended |
//! | [`ERROR`] alone | instead of the acceptance | why the call was refused |
//!
//! Those from [`TERMS`] on are ours; v1 neither sends nor reads them.

/// The id of the component or provider that calls. A provider finds the link by it and [`LINK_NAME`].
pub const SOURCE_ID: &str = "source-id";
/// The name of the link over which a component calls; `default` where it is missing.
pub const LINK_NAME: &str = "link-name";
/// The id of the component that a provider calls.
pub const TARGET_ID: &str = "target-id";
/// W3C Trace Context: the trace and the span of the caller.
pub const TRACEPARENT: &str = "traceparent";
/// W3C Trace Context: what tracing systems add to it.
pub const TRACESTATE: &str = "tracestate";

/// What we say to each other of a call, [`Terms`](super::Terms). Where it is missing, and a request does not say it in the
/// subject to reply to either, the sender is a v1 peer that knows none of the headers below.
pub const TERMS: &str = "wasmcloud-rpc";
/// How the call ended, a [`Status`]; on the message that ends `results`, or on an acceptance that has all of them.
pub const STATUS: &str = "wasmcloud-status";
/// Why it failed, an [`RpcErrorBody`](super::RpcErrorBody); beside the [`STATUS`] `error`.
pub const ERROR: &str = "wasmcloud-error";
/// That more parameters follow on `params`, besides streams. Without it, those in the request are all; a peer of v1 says
/// nothing and ends `params` in any case.
pub const MORE: &str = "wasmcloud-more";

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The results before it are all there are.
    Ok,
    /// It failed; results before it are not to be used.
    Error,
}

impl Status {
    /// The text of the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// A header that does not say what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {name} is `{value}`, {expected} is expected")]
pub struct InvalidHeader {
    /// Which header.
    pub name: &'static str,
    /// What it says, cut off where it is long.
    pub value: String,
    /// What it should say.
    pub expected: &'static str,
}

impl InvalidHeader {
    pub(crate) fn new(name: &'static str, value: &str, expected: &'static str) -> Self {
        Self {
            name,
            value: crate::message::cut(value, 64),
            expected,
        }
    }
}

/// Reads [`STATUS`].
pub fn status(value: &str) -> Result<Status, InvalidHeader> {
    match value {
        "ok" => Ok(Status::Ok),
        "error" => Ok(Status::Error),
        _ => Err(InvalidHeader::new(STATUS, value, "`ok` or `error`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_text_is_read() {
        assert_eq!(status(Status::Ok.as_str()), Ok(Status::Ok));
        assert_eq!(status(Status::Error.as_str()), Ok(Status::Error));
        assert_eq!(
            status("OK").unwrap_err().to_string(),
            "header wasmcloud-status is `OK`, `ok` or `error` is expected"
        );
    }
}
