//! What is wrong with bytes or values, and where.

use std::fmt::Display;

/// Bytes that are not, or not yet, a value of the type they should be of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// All is well so far, but more bytes are needed. Where none come any more, the message was cut off.
    #[error("the bytes end early, at least {needed} more are needed")]
    Incomplete {
        /// A number of bytes without which trying again is of no use; at least 1.
        needed: usize,
    },
    /// No bytes that may follow make it a value.
    #[error("{}{reason}", place(at))]
    Invalid {
        /// Where: `params.0.tags[3].label`.
        at: String,
        /// What is wrong there.
        reason: Malformed,
    },
    /// The type is nested deeper than [`Limits::depth`](super::Limits::depth).
    #[error("{}nested deeper than {limit} levels", place(at))]
    TooDeep {
        /// Where.
        at: String,
        /// How deep it may be.
        limit: usize,
    },
    /// The value is larger than [`Limits`](super::Limits) allow.
    #[error("{}the value needs more than {limit} {unit}", place(at))]
    TooLarge {
        /// Where it went beyond the limit.
        at: String,
        /// The limit.
        limit: usize,
        /// What is limited: `bytes of memory`.
        unit: &'static str,
    },
    /// The type has something that travels beside values, not in them.
    #[error("{}a {what} cannot travel inside a value", place(at))]
    CannotTravel {
        /// Where.
        at: String,
        /// `stream` or `future`.
        what: &'static str,
    },
}

/// Why bytes are no value of their type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A byte that should be 0 or 1.
    #[error("{what} must be 0 or 1, not {found}")]
    Tag {
        /// What it is of: `bool`, `option`, `result`.
        what: &'static str,
        /// What it is.
        found: u8,
    },
    /// An integer does not fit its type.
    #[error("the integer has more than {bits} bits")]
    IntegerTooLarge {
        /// How many bits the type has.
        bits: u32,
    },
    /// An integer has more bytes than the largest of its type needs.
    #[error("the integer has more bytes than one of {bits} bits needs")]
    IntegerTooLong {
        /// How many bits the type has.
        bits: u32,
    },
    /// Text that is not UTF-8.
    #[error("the text is not UTF-8 from byte {valid} on")]
    Utf8 {
        /// How many bytes are.
        valid: usize,
    },
    /// A character that is not UTF-8.
    #[error("the character is not UTF-8")]
    Char,
    /// A case that the variant or enum does not have.
    #[error("there is no case {found}, there are {cases}")]
    Case {
        /// Its number.
        found: u32,
        /// How many cases there are.
        cases: usize,
    },
    /// A bit is set that is no flag.
    #[error("a bit is set for which there is no flag, there are {flags}")]
    Flag {
        /// How many flags there are.
        flags: usize,
    },
    /// Bytes are left behind the last value.
    #[error("{count} bytes are left behind the last value")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// Something else, which an interface forbids.
    #[error("{0}")]
    Other(&'static str),
}

/// A value that is not of the type it should be of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is of another type.
    #[error("{}expected {expected}, found {found}", place(at))]
    Mismatch {
        /// Where: `params.0.tags[3].label`.
        at: String,
        /// The type it should be of.
        expected: String,
        /// What it is.
        found: &'static str,
    },
    /// A record, tuple or list of parameters has too many or too few members.
    #[error("{}expected {expected} {what}, found {found}", place(at))]
    Count {
        /// Where.
        at: String,
        /// What is counted: `fields`, `members`, `values`.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A field of a record has another name; fields stand in the order of WIT.
    #[error("{}expected field `{expected}`, found `{found}`", place(at))]
    Field {
        /// Where the record is.
        at: String,
        /// What the field should be called.
        expected: String,
        /// What it is called.
        found: String,
    },
    /// A variant or enum has no such case, or flags no such flag.
    #[error("{}`{found}` is not in {expected}", place(at))]
    Case {
        /// Where.
        at: String,
        /// What was named.
        found: String,
        /// The type, which has others.
        expected: String,
    },
    /// A case has a payload and should not, or the other way round.
    #[error("{}case `{case}` {}", place(at), if *.expected { "needs a payload" } else { "has no payload, found one" })]
    Payload {
        /// Where.
        at: String,
        /// Which case.
        case: String,
        /// Whether there should be one.
        expected: bool,
    },
    /// A text or list is longer than its length can say.
    #[error("{}{len} items are more than a length can say", place(at))]
    TooLong {
        /// Where.
        at: String,
        /// How long it is.
        len: usize,
    },
    /// The type is nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("{}nested deeper than {} levels", place(at), super::MAX_DEPTH)]
    TooDeep {
        /// Where.
        at: String,
    },
    /// The type or value is something that cannot leave its instance inside a value.
    #[error("{}a {what} cannot travel inside a value", place(at))]
    CannotTravel {
        /// Where.
        at: String,
        /// What it is: `stream`, `future`, `handle`.
        what: &'static str,
    },
}

fn place(at: &str) -> String {
    if at.is_empty() {
        String::new()
    } else {
        format!("{at}: ")
    }
}

/// `part` in front of a place inside it.
fn join(part: impl Display, at: &str) -> String {
    if at.is_empty() || at.starts_with('[') {
        format!("{part}{at}")
    } else {
        format!("{part}.{at}")
    }
}

impl DecodeError {
    /// The same error, of a part: `part`, a name or an index as `[3]`, stands in front of where it is.
    pub(crate) fn inside(mut self, part: impl Display) -> Self {
        match &mut self {
            Self::Incomplete { .. } => {}
            Self::Invalid { at, .. }
            | Self::TooDeep { at, .. }
            | Self::TooLarge { at, .. }
            | Self::CannotTravel { at, .. } => *at = join(part, at),
        }
        self
    }
}

impl EncodeError {
    /// The same error, of a part: `part`, a name or an index as `[3]`, stands in front of where it is.
    pub(crate) fn inside(mut self, part: impl Display) -> Self {
        match &mut self {
            Self::Mismatch { at, .. }
            | Self::Count { at, .. }
            | Self::Field { at, .. }
            | Self::Case { at, .. }
            | Self::Payload { at, .. }
            | Self::TooLong { at, .. }
            | Self::TooDeep { at }
            | Self::CannotTravel { at, .. } => *at = join(part, at),
        }
        self
    }
}
