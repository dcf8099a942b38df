//! Random bytes from the operating system.

use std::fs::File;
use std::io::{self, Read as _};

/// Fresh random bytes. `/dev/urandom` never blocks once the machine has booted, and needs no dependency.
pub(crate) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A fast sequence without any claim to secrecy: it picks members of queue groups.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// A sequence of its own for each seed.
    pub(crate) fn new(seed: u64) -> Self {
        // Any state but zero; neighbouring seeds are taken apart by the multiplication (Knuth's constant for 2⁶⁴).
        Self(seed.wrapping_mul(6_364_136_223_846_793_005) | 1)
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // xorshift64 with the shifts of Marsaglia's paper.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper half is the better one. A bias of limit/2³² does not matter here.
        let upper = (self.0 >> 32) as usize;
        upper.checked_rem(limit).unwrap_or(0)
    }
}
