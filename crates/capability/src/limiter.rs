//! The memory limit of one instance, asked by wasmtime before anything grows.

use std::fmt;

use wasmtime::ResourceLimiter;

/// Table elements of one instance. Function tables of real components have a few thousand; the pool reserves
/// 20,000 for each table.
const MAX_TABLE_ELEMENTS: usize = 20_000;

/// The limit that an instance ran into first. A guest that sees an allocation fail usually aborts; this says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitExceeded {
    /// Linear memory.
    Memory {
        /// What the instance asked for in bytes.
        asked: u64,
        /// What it may have in bytes.
        limit: u64,
    },
    /// Elements of a table.
    Table {
        /// What the instance asked for.
        asked: u64,
        /// What it may have.
        limit: u64,
    },
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { asked, limit } => {
                write!(f, "asked for {asked} bytes of memory, the limit is {limit}")
            }
            Self::Table { asked, limit } => {
                write!(f, "asked for {asked} table elements, the limit is {limit}")
            }
        }
    }
}

/// Counts the memory of one instance against its limit.
#[derive(Debug)]
pub struct MemoryLimiter {
    limit: u64,
    used: u64,
    exceeded: Option<LimitExceeded>,
}

impl MemoryLimiter {
    /// A limiter that allows `limit` bytes of linear memory, all memories together.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            exceeded: None,
        }
    }

    /// The linear memory in use, in bytes.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// The limit that was run into, if one was.
    pub fn exceeded(&self) -> Option<LimitExceeded> {
        self.exceeded
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let asked = (self.used + desired as u64).saturating_sub(current as u64);
        if asked > self.limit {
            self.exceeded.get_or_insert(LimitExceeded::Memory {
                asked,
                limit: self.limit,
            });
            return Ok(false);
        }
        self.used = asked;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // The memory's own maximum or the pool's slot size said no after this limiter had said yes.
        tracing::debug!(%error, "memory did not grow");
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            let limit = MAX_TABLE_ELEMENTS as u64;
            self.exceeded.get_or_insert(LimitExceeded::Table {
                asked: desired as u64,
                limit,
            });
            return Ok(false);
        }
        Ok(true)
    }

    // Nested instances, tables and memories are counted by the pool, which knows how many it has.
    fn instances(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_memories_together_and_remembers_the_first_refusal() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert!(!limiter.memory_growing(60, 90, None).unwrap());
        assert_eq!(limiter.used(), 100);
        assert_eq!(
            limiter.exceeded(),
            Some(LimitExceeded::Memory {
                asked: 101,
                limit: 100
            })
        );
    }
}
