//! The subjects of one call (wire reference §4.2): each side has an inbox, and what belongs to a parameter or result
//! that comes in parts has a subject behind it.
//!
//! | subject | carries |
//! |---|---|
//! | `{caller's inbox}` | the acceptance, which names the callee's inbox |
//! | `{callee's inbox}.params` | what did not fit into the request of the parameters |
//! | `{callee's inbox}.params.0.1` | a stream or future: member 1 of parameter 0 |
//! | `{caller's inbox}.results` | the results |
//! | `{caller's inbox}.results.0.0` | a stream or future in them |
//!
//! A callee of ours may send results that are all there is of a call elsewhere ([`Returned`](super::Returned)).
//!
//! An empty message ends each of them. v1 also ends those in between, as `params.0`.

use std::fmt;
use std::str::FromStr;

/// Most indices of a path. The deepest of an interface that v1 knows has two.
pub const MAX_INDICES: usize = 16;

/// Where in the parameters or results something is: the index of a parameter, then of a member of it, and so on. Empty
/// for all of them together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct IndexPath {
    indices: [u32; MAX_INDICES],
    len: u8,
}

/// Text that is no path behind an inbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It does not start with the inbox, or goes on with something else than `params` or `results`.
    #[error("`{0}` is no path of a call; write `params` or `results`, then indices: `params.0.1`")]
    Foreign(String),
    /// An index is no number below 2³², or written in another way than v1 writes it.
    #[error("`{0}` is no index of a path")]
    Index(String),
    /// There are too many indices.
    #[error("a path has at most {MAX_INDICES} indices, this one has more")]
    TooDeep,
}

impl IndexPath {
    /// All parameters or results together.
    pub const ROOT: Self = Self::of([]);

    /// The path of some indices that are known here.
    pub const fn of<const N: usize>(known: [u32; N]) -> Self {
        const { assert!(N <= MAX_INDICES, "a path has too many indices") };
        let mut indices = [0; MAX_INDICES];
        let (head, _) = indices.split_at_mut(N);
        head.copy_from_slice(&known);
        Self {
            indices,
            len: N as u8,
        }
    }

    /// The indices.
    pub fn indices(&self) -> &[u32] {
        self.indices.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether it means all parameters or results together.
    pub fn is_root(&self) -> bool {
        self.len == 0
    }

    /// The path of a member of what is here.
    pub fn child(mut self, index: u32) -> Result<Self, InvalidPath> {
        let place = self
            .indices
            .get_mut(usize::from(self.len))
            .ok_or(InvalidPath::TooDeep)?;
        *place = index;
        self.len += 1;
        Ok(self)
    }
}

impl fmt::Display for IndexPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, index) in self.indices().iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            write!(f, "{index}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for IndexPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.indices()).finish()
    }
}

impl FromStr for IndexPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let mut path = Self::ROOT;
        if text.is_empty() {
            return Ok(path);
        }
        for part in text.split('.') {
            let invalid = || InvalidPath::Index(crate::message::cut(part, 64));
            // `+1` and `01` are numbers too, but no subject that anybody publishes to.
            let plain =
                part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            let index = if plain {
                part.parse()
            } else {
                return Err(invalid());
            };
            path = path.child(index.map_err(|_| invalid())?)?;
        }
        Ok(path)
    }
}

/// What a subject behind an inbox is for. Its text is what stands behind the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InboxPath {
    /// The inbox itself: the callee accepts there.
    Handshake,
    /// Parameters, on the callee's inbox.
    Params(IndexPath),
    /// Results, on the caller's inbox.
    Results(IndexPath),
}

impl InboxPath {
    /// The subject for it behind an inbox.
    pub fn under(&self, inbox: &str) -> String {
        match self {
            Self::Handshake => inbox.to_owned(),
            other => format!("{inbox}.{other}"),
        }
    }

    /// What a subject behind an inbox is for.
    pub fn of(inbox: &str, subject: &str) -> Result<Self, InvalidPath> {
        let foreign = || InvalidPath::Foreign(crate::message::cut(subject, 512));
        match subject.strip_prefix(inbox).ok_or_else(foreign)? {
            "" => Ok(Self::Handshake),
            behind => match behind.strip_prefix('.') {
                None | Some("") => Err(foreign()),
                Some(path) => path.parse(),
            },
        }
    }
}

impl fmt::Display for InboxPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, path) = match self {
            Self::Handshake => return Ok(()),
            Self::Params(path) => ("params", path),
            Self::Results(path) => ("results", path),
        };
        f.write_str(name)?;
        if path.is_root() {
            return Ok(());
        }
        write!(f, ".{path}")
    }
}

impl FromStr for InboxPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        if text.is_empty() {
            return Ok(Self::Handshake);
        }
        let (name, path) = match text.split_once('.') {
            None => (text, IndexPath::ROOT),
            Some((_, "")) => return Err(InvalidPath::Index(String::new())),
            Some((name, path)) => (name, path.parse()?),
        };
        match name {
            "params" => Ok(Self::Params(path)),
            "results" => Ok(Self::Results(path)),
            _ => Err(InvalidPath::Foreign(crate::message::cut(text, 512))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        let body = IndexPath::of([0, 0]);
        for (text, path) in [
            ("", InboxPath::Handshake),
            ("params", InboxPath::Params(IndexPath::ROOT)),
            ("params.0.0", InboxPath::Params(body)),
            ("results", InboxPath::Results(IndexPath::ROOT)),
            (
                "results.4294967295",
                InboxPath::Results(IndexPath::of([u32::MAX])),
            ),
        ] {
            assert_eq!(text.parse(), Ok(path));
            assert_eq!(path.to_string(), text);
            let subject = path.under("_INBOX.a.b");
            assert_eq!(InboxPath::of("_INBOX.a.b", &subject), Ok(path));
        }
        assert_eq!(InboxPath::Params(body).under("_INBOX.a"), "_INBOX.a.params.0.0");
        assert_eq!(format!("{body:?} {body}"), "[0, 0] 0.0");
        assert_eq!(body.child(7).unwrap().indices(), [0, 0, 7]);
    }

    #[test]
    fn other_text_is_refused() {
        for bad in [
            "param",
            "params.",
            ".params",
            "params..0",
            "params.x",
            "params.+1",
            "params.01",
            "params.4294967296",
            "results.*",
            "x.0",
        ] {
            assert!(bad.parse::<InboxPath>().is_err(), "{bad:?} must be refused");
        }
        for bad in ["_INBOX.b", "_INBOX.ax", "_INBOX.a."] {
            assert!(InboxPath::of("_INBOX.a", bad).is_err(), "{bad:?} must be refused");
        }
        let deep = format!("params{}", ".0".repeat(MAX_INDICES));
        assert!(deep.parse::<InboxPath>().is_ok());
        assert_eq!(
            format!("{deep}.0").parse::<InboxPath>(),
            Err(InvalidPath::TooDeep)
        );
    }
}
