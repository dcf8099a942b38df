//! The headers of calls as the NATS client knows names: made from text, a name is checked and copied each time it is
//! looked for.

use async_nats::{HeaderMap, HeaderName, Message};
use wasmcloud_wire::rpc::header;

pub(super) const SOURCE_ID: HeaderName = HeaderName::from_static(header::SOURCE_ID);
pub(super) const LINK_NAME: HeaderName = HeaderName::from_static(header::LINK_NAME);
pub(super) const TERMS: HeaderName = HeaderName::from_static(header::TERMS);
pub(super) const MORE: HeaderName = HeaderName::from_static(header::MORE);
pub(super) const STATUS: HeaderName = HeaderName::from_static(header::STATUS);
pub(super) const ERROR: HeaderName = HeaderName::from_static(header::ERROR);

/// A header as text.
pub(super) fn text(headers: Option<&HeaderMap>, name: HeaderName) -> Option<&str> {
    Some(headers?.get(name)?.as_str())
}

/// A header of a message.
pub(super) fn of(message: &Message, name: HeaderName) -> Option<&str> {
    text(message.headers.as_ref(), name)
}
