//! Provider archives: one file with the programs of a capability provider for several machines, and signed claims that
//! hold the hash of each.
//!
//! A tar file, or gzip of one, with the entries `claims.jwt`, `world.wasm` (the WIT of the provider, not always there)
//! and `ARCH-OS.bin` for each target (wire reference §1, §2.5). `read` takes one apart, `write` makes one.
//!
//! A [`ProviderArchive`] exists only with claims whose signature is good, and holds only content whose hash is in those
//! claims; v1 did not check the signature, so whoever could change a program could change its hash. Names of entries
//! are compared with those above and are never used as paths. Whose signature it is, and whether the claims hold today
//! ([`Claims::check_time`](crate::claims::Claims::check_time)), is for the caller.

mod error;
mod limits;
mod read;
mod target;
mod write;

pub use error::ParError;
pub use limits::ParLimits;
pub use read::ProviderArchive;
pub use target::{InvalidTarget, Target};
pub use write::ProviderArchiveBuilder;

const CLAIMS: &str = "claims.jwt";
/// Also what the claims call it.
const WORLD: &str = "world.wasm";
/// What follows the target in the name of a program.
const PROGRAM: &str = ".bin";
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

#[cfg(test)]
mod tests;
