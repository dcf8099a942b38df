//! What is said beside a call, as headers of its messages (wire reference §4.4), and the few of them that are more than
//! text.
//!
//! | header | on | says |
//! |---|---|---|
//! | [`SOURCE_ID`] | the request | who calls |
//! | [`LINK_NAME`] | the request of a host | over which link |
//! | [`TARGET_ID`] | the request of a provider | who is called |
//! | [`TRACEPARENT`], [`TRACESTATE`] | the request | the trace it belongs to, as W3C Trace Context has it |
//! | [`VERSION`] | the request and the acceptance | who sends it understands the headers below |
//! | [`DEADLINE`], [`DEPTH`] | the request | how long the caller waits, and how many calls led here |
//! | [`WINDOW`] | the request and the acceptance | how many bytes may be sent ahead |
//! | [`MORE`] | the request | that its parameters do not end with it |
//! | [`QUEUE`] | the request | that it is not to wait for a free slot |
//! | [`HOST`] | the acceptance | who accepted |
//! | [`TYPE`] | the request | what the caller takes the type of the function for |
//! | [`STATUS`], [`ERROR`] | the last message of the results, or the acceptance with the results | how it ended |
//! | [`ERROR`] alone | instead of the acceptance | why the call was refused |
//!
//! Those from [`VERSION`] on are ours; v1 neither sends nor reads them.

use std::time::Duration;

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

/// The version of our additions that the sender speaks, [`VERSION_SPOKEN`]. Where it is missing, the sender is a v1 peer
/// that knows none of the headers below.
pub const VERSION: &str = "wasmcloud-rpc";
/// The version of our additions that is described here.
pub const VERSION_SPOKEN: &str = "1";
/// How many milliseconds the caller still waits when it sends the request. Not a point in time: the clocks of hosts
/// differ.
pub const DEADLINE: &str = "wasmcloud-deadline-ms";
/// How many calls led to this one, so that components that call each other in a circle end. 0 for the first.
pub const DEPTH: &str = "wasmcloud-depth";
/// How the call ended, a [`Status`]; on the message that ends `results`, or on an acceptance that has all of them.
pub const STATUS: &str = "wasmcloud-status";
/// Why it failed, an [`RpcErrorBody`](super::RpcErrorBody); beside the [`STATUS`] `error`.
pub const ERROR: &str = "wasmcloud-error";
/// How many bytes of one stream the sender of the header takes before it has said that it wants more.
pub const WINDOW: &str = "wasmcloud-window";

/// That more parameters follow on `params`, besides streams. Without it, those in the request are all; a peer of v1 says
/// nothing and ends `params` in any case.
pub const MORE: &str = "wasmcloud-more";
/// The public key of the host that accepts a call, for the messages of its caller.
pub const HOST: &str = "wasmcloud-host";

/// A fingerprint of the type that the caller takes the function for, 16 hexadecimal digits, so that two sides that mean
/// different types find out before one of them reads the bytes of the other.
pub const TYPE: &str = "wasmcloud-type";

/// Most calls that may lead to one, as read from [`DEPTH`].
pub const MAX_DEPTH: u32 = 1_000;

/// Whether a call may wait in line where it arrives. With [`QUEUE_NO`], whoever has no free slot refuses it at once as
/// full: its caller has a place in another line. Anything else is as if it were missing.
pub const QUEUE: &str = "wasmcloud-queue";
/// The value of [`QUEUE`] that means something.
pub const QUEUE_NO: &str = "no";

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
    fn new(name: &'static str, value: &str, expected: &'static str) -> Self {
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

/// Reads [`DEADLINE`]. At most 49 days.
pub fn deadline(value: &str) -> Result<Duration, InvalidHeader> {
    let millis: u32 = number(value)
        .ok_or_else(|| InvalidHeader::new(DEADLINE, value, "a number of milliseconds below 2³²"))?;
    Ok(Duration::from_millis(millis.into()))
}

/// Writes [`DEADLINE`]; more than it can say becomes the most it can.
pub fn deadline_value(left: Duration) -> String {
    left.as_millis().min(u32::MAX.into()).to_string()
}

/// Reads [`DEPTH`]. More than [`MAX_DEPTH`] is refused, so that adding to it is safe.
pub fn depth(value: &str) -> Result<u32, InvalidHeader> {
    number(value)
        .filter(|depth| *depth <= MAX_DEPTH)
        .ok_or_else(|| InvalidHeader::new(DEPTH, value, "a number up to 1000"))
}

/// Reads [`WINDOW`].
pub fn window(value: &str) -> Result<u32, InvalidHeader> {
    number(value).ok_or_else(|| InvalidHeader::new(WINDOW, value, "a number of bytes below 2³²"))
}

/// Whether a value of [`VERSION`] is of a peer that speaks what is described here. Versions are counted up, and each
/// understands those before it.
pub fn speaks(value: &str) -> bool {
    number(value).is_some_and(|version| version >= 1)
}

/// A number without sign, spaces or anything else.
fn number(value: &str) -> Option<u32> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if digits { value.parse().ok() } else { None }
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
        assert_eq!(deadline("1500"), Ok(Duration::from_millis(1500)));
        assert_eq!(
            deadline(&deadline_value(Duration::MAX)).unwrap().as_millis(),
            4_294_967_295
        );
        assert_eq!(depth("1000"), Ok(1000));
        assert_eq!(window("65536"), Ok(65536));
        for bad in ["", "-1", "+1", " 1", "1.5", "4294967296", "x"] {
            assert!(
                deadline(bad).is_err() && depth(bad).is_err() && window(bad).is_err(),
                "{bad:?}"
            );
            assert!(!speaks(bad));
        }
        assert!(depth("1001").is_err());
        assert!(speaks(VERSION_SPOKEN) && speaks("2") && !speaks("0"));
    }
}
