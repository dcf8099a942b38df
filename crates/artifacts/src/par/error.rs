//! What can be wrong with an archive.

use std::io;

use super::target::Target;
use crate::claims::ClaimsError;

/// Most targets that are named in a message.
const NAMED: usize = 16;

/// Why an archive is not used, or not made.
#[derive(Debug, thiserror::Error)]
pub enum ParError {
    /// There is nothing, or WebAssembly.
    #[error("this is not a provider archive but {0}")]
    NotAnArchive(&'static str),
    /// Neither tar nor gzip, or broken.
    #[error("this is not a provider archive: it cannot be read as a tar file")]
    Malformed(#[source] io::Error),
    /// Too many entries.
    #[error("the archive has more than {limit} entries")]
    TooManyEntries {
        /// How many there may be.
        limit: usize,
    },
    /// An entry is over the limit.
    #[error("`{name}` in the archive has {size} bytes, the limit is {limit}")]
    EntryTooLarge {
        /// Its name.
        name: String,
        /// How many bytes it is said to have.
        size: u64,
        /// How many it may have.
        limit: u64,
    },
    /// It unpacks to more than the limit.
    #[error("the archive unpacks to more than {limit} bytes")]
    TooLarge {
        /// How many there may be.
        limit: u64,
    },
    /// An entry that no archive has.
    #[error(
        "the archive has an entry `{name}`; there may only be claims.jwt, world.wasm and ARCH-OS.bin, and only files"
    )]
    Entry {
        /// Its name.
        name: String,
    },
    /// Which of the two is meant would be a guess.
    #[error("`{name}` is twice in the archive")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The archive ends within an entry.
    #[error("the archive ends within `{name}`")]
    Truncated {
        /// The name of the entry.
        name: String,
    },
    /// No claims.
    #[error("the archive is not signed: it has no claims.jwt; hint: make it with `wash par create`")]
    Unsigned,
    /// No programs.
    #[error("the archive has claims and no program for any target")]
    Empty,
    /// The claims are not believed, or cannot be made.
    #[error("claims of the archive")]
    Claims(#[source] ClaimsError),
    /// The claims say nothing about an entry.
    #[error("the claims of the archive have no hash for `{name}`, so it could be anything")]
    Unlisted {
        /// The entry.
        name: String,
    },
    /// An entry is not what the claims are about.
    #[error("`{name}` in the archive is not what was signed")]
    Changed {
        /// The entry.
        name: String,
        /// Both hashes.
        #[source]
        source: ClaimsError,
    },
    /// Nothing for this target.
    #[error("the archive has no program for {wanted}, only for {}", list(found))]
    NoTarget {
        /// What was looked for.
        wanted: String,
        /// What there is.
        found: Vec<Target>,
    },
    /// It was left out while reading.
    #[error("the program for {0} was not read")]
    NotRead(Target),
    /// The archive could not be put together.
    #[error("write the archive")]
    Write(#[source] io::Error),
    /// The process is ending.
    #[error("reading the archive was broken off")]
    Aborted,
}

fn list(targets: &[Target]) -> String {
    let mut names: Vec<String> = targets.iter().take(NAMED).map(Target::to_string).collect();
    if targets.len() > NAMED {
        names.push(format!("{} more", targets.len() - NAMED));
    }
    names.join(", ")
}
