//! The texts of replies that v1 peers and people know (wire reference §2.4, §2.5, §2.7, §3.1, §16). Hosts say them,
//! tests expect them; they stand here once.

use std::error::Error;
use std::fmt::{Display, Write as _};

use wasmcloud_core::{ComponentId, HostId};

/// Longest text of an error in a reply or event, in bytes. Some errors repeat what was sent, which may be long.
pub const MAX_TEXT: usize = 4 << 10;

/// Reply to a subject that names nothing.
pub const UNSUPPORTED_SUBJECT: &str = "unsupported subject";

/// `host.stop` worked.
pub const HOST_STOPPING: &str = "successfully handled stop host";
/// `label.put` worked.
pub const LABEL_PUT: &str = "successfully put label";
/// `label.del` worked.
pub const LABEL_DELETED: &str = "successfully deleted label";
/// `label.del` had nothing to do.
pub const LABEL_ABSENT: &str = "successfully deleted label (no such label)";
/// `label.put` of a label that the host itself sets.
pub const LABEL_BUILTIN: &str = "hostcore.* labels cannot be set dynamically";
/// `provider.start` will be tried.
pub const PROVIDER_STARTED: &str = "successfully started provider";
/// `provider.start` of an id that runs on the host.
pub const PROVIDER_RUNNING: &str = "provider with that ID is already running";
/// `provider.stop` worked.
pub const PROVIDER_STOPPED: &str = "successfully stopped provider";
/// `provider.stop` of an id that does not run on the host.
pub const PROVIDER_NOT_RUNNING: &str = "provider with that ID is not running";
/// `link.put` worked.
pub const LINK_PUT: &str = "successfully set link";
/// `link.put` of a link that cannot stand beside another. Tests of v1 compare the whole text.
pub const LINK_CONFLICT: &str = "link already exists with different target, consider deleting the existing link or using a different link name";
/// `link.del` worked, or had nothing to do.
pub const LINK_DELETED: &str = "successfully deleted link";
/// `link.del` for a source nobody has heard of.
pub const LINK_NO_SOURCE: &str = "successfully deleted link (spec doesn't exist)";
/// `config.put` worked.
pub const CONFIG_PUT: &str = "successfully put config";
/// `config.del` worked, or had nothing to do.
pub const CONFIG_DELETED: &str = "successfully deleted config";
/// `config.get` of a name nobody has put; a success without a response.
pub const CONFIG_NOT_FOUND: &str = "Configuration not found";
/// `config.put` of something else than text for each key; what is wrong follows.
pub const CONFIG_NOT_A_MAP: &str = "config data should be a map of string -> string";
/// `registry.put` worked.
pub const REGISTRIES_PUT: &str = "successfully put registries";
/// What a provider answers when it was asked to stop (wire reference §18). Not JSON.
pub const PROVIDER_SHUTTING_DOWN: &str = "shutting down";

/// `host.stop` that names another host in its payload.
pub fn invalid_host(named: &HostId) -> String {
    format!("invalid host_id [{named}]")
}

/// `component.update` of a component that does not run on the host.
pub fn component_not_found(id: &ComponentId) -> String {
    format!("component {id} not found")
}

/// `component.update` to the image that runs already.
pub fn component_already_updated(id: &ComponentId, image: &str) -> String {
    format!("component {id} already updated to {image}")
}

/// `component.update` will be tried.
pub fn component_updating(id: &ComponentId, from: &str, to: &str) -> String {
    format!("component {id} updating from {from} to {to}")
}

/// `component.scale` with another image than the one that runs, without `allow_update`: the number of instances
/// changes, the image does not.
pub fn scaled_without_update(running: &str, asked: &str) -> String {
    format!(
        "Requested to scale existing component to a different image reference: {running} != {asked}. The component \
         will be scaled but the image reference will not be updated. Set `allow_update` to replace the image"
    )
}

/// A policy service does not let a component start.
pub fn scale_denied(id: &ComponentId, why: Option<&str>) -> String {
    denied(
        format_args!("Policy denied request to scale component `{id}`"),
        why,
    )
}

/// A policy service does not let a provider start.
pub fn start_denied(request: &str, why: Option<&str>) -> String {
    denied(
        format_args!("policy denied request to start provider `{request}`"),
        why,
    )
}

/// A policy service does not let a component be called.
pub fn invocation_denied(request: &str, why: Option<&str>) -> String {
    denied(
        format_args!("policy denied request to invoke component `{request}`"),
        why,
    )
}

fn denied(what: impl Display, why: Option<&str>) -> String {
    match why {
        Some(why) => cut(&format!("{what}: `{why}`"), MAX_TEXT),
        None => what.to_string(),
    }
}

/// An error with all its causes on one line, `what: why: why`, as v1 has them in replies and events. At most
/// [`MAX_TEXT`] bytes and an ellipsis.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if text.len() > MAX_TEXT {
            break;
        }
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    cut(&text, MAX_TEXT)
}

/// At most `limit` bytes of a text, and an ellipsis where that is not all.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc…");
        assert_eq!(cut("aéé", 2), "a…");
    }

    #[test]
    fn a_denial_says_why_where_it_knows() {
        let id = "cart".parse().unwrap();
        assert_eq!(
            scale_denied(&id, None),
            "Policy denied request to scale component `cart`"
        );
        assert_eq!(
            scale_denied(&id, Some("not signed")),
            "Policy denied request to scale component `cart`: `not signed`"
        );
    }
}
