//! How much an archive may hold.

use std::cell::Cell;
use std::io::{self, Read};

/// What is read of an archive at most. Compressed archives can unpack to a thousand times their size, so what is
/// received is no measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParLimits {
    /// Entries; 64 unless set. There is one for each target, and two more.
    pub entries: usize,
    /// Bytes of one entry; 300 MiB unless set, as much as a whole archive may have unpacked by default.
    pub entry_bytes: u64,
    /// Bytes of all, unpacked; 1 GiB unless set.
    pub total_bytes: u64,
}

impl Default for ParLimits {
    fn default() -> Self {
        Self {
            entries: 64,
            entry_bytes: 300 << 20,
            total_bytes: 1 << 30,
        }
    }
}

/// Ends with an error, and says so, where there is more than a number of bytes.
pub(super) struct Capped<'a, R> {
    pub(super) inner: R,
    pub(super) left: u64,
    pub(super) exceeded: &'a Cell<bool>,
}

impl<R: Read> Read for Capped<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            // The end of the content is no excess.
            let more = !to.is_empty() && self.inner.read(&mut [0])? > 0;
            if more {
                self.exceeded.set(true);
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            return Ok(0);
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(to.len());
        let count = self.inner.read(to.get_mut(..room).unwrap_or_default())?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}
