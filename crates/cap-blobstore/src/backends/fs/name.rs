//! Which names of containers and objects can be files. A name is never cleaned up: what could mean another file than it
//! says is refused.

use crate::store::{ObjectId, StoreError};

/// The folder in the root for objects that are being written. No container has such a name.
pub(super) const UPLOADS: &str = ".wasmcloud-uploads";

/// Longest part of a name between two `/`, in bytes: that of Linux and its file systems (`NAME_MAX`).
const MAX_PART: usize = 255;

/// Longest name of an object, in bytes: that of S3.
pub(super) const MAX_OBJECT: usize = 1024;

/// Most folders on the way to an object. A listing and a removal have as many files open.
pub(super) const MAX_DEPTH: usize = 32;

/// Why a part of a name cannot be the name of a file.
fn unfit(part: &str) -> Option<&'static str> {
    match part {
        "" => Some("has an empty part; `/` separates parts and stands neither first nor last"),
        "." | ".." => Some("has a part `.` or `..`, which would mean another file"),
        _ if part.len() > MAX_PART => Some("has a part of more than 255 bytes"),
        _ if part.contains('\0') => Some("contains a zero byte"),
        _ => None,
    }
}

/// Checks the name of a container.
pub(super) fn container(name: &str) -> Result<&str, StoreError> {
    let reason = match unfit(name) {
        _ if name.is_empty() => Some("is empty"),
        Some(reason) => Some(reason),
        None if name.contains('/') => Some("contains `/`"),
        None if name == UPLOADS => Some("is that of the folder for objects that are being written"),
        None => None,
    };
    match reason {
        None => Ok(name),
        Some(reason) => Err(invalid("container", name, reason)),
    }
}

/// The folders on the way to an object, and its file.
pub(super) fn object(id: &ObjectId) -> Result<(Vec<&str>, &str), StoreError> {
    let name = id.object.as_str();
    let invalid = |reason| invalid("object", name, reason);
    if name.is_empty() {
        return Err(invalid("is empty"));
    }
    if name.len() > MAX_OBJECT {
        return Err(invalid("is longer than 1024 bytes"));
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    if let Some(reason) = parts.iter().find_map(|part| unfit(part)) {
        return Err(invalid(reason));
    }
    if parts.len() > MAX_DEPTH {
        return Err(invalid("has more than 32 parts"));
    }
    let file = parts.pop().unwrap_or_default();
    Ok((parts, file))
}

fn invalid(what: &'static str, name: &str, reason: &'static str) -> StoreError {
    StoreError::InvalidName {
        what,
        name: name.chars().take(64).collect(),
        reason,
    }
}
