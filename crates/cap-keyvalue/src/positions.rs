//! Where listings of callers elsewhere go on. Cursors travel as numbers, those of the stores are keys.
//!
//! A number that is given out stands for the key where a page ended, so that no key is missed and none appears twice
//! whatever is written meanwhile. It also says how many keys were listed up to there: with a number that was forgotten
//! the store counts keys from the beginning, which is what a small number means at once.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::store::{BucketName, Cursor, MAX_PAGE};

/// Positions that are kept; the oldest goes first. With keys and names of full length they have 5 MiB.
const MAX_POSITIONS: usize = 4096;

/// Bits of a number that say how many keys were listed: 10^12.
const COUNT_BITS: u32 = 40;

/// Bits that tell positions apart, above those of the count.
const SERIAL_BITS: u32 = 23;

/// Set in the numbers that are given out.
const GIVEN: u64 = 1 << 63;

const COUNT: u64 = (1 << COUNT_BITS) - 1;

#[derive(Default)]
pub(crate) struct Positions(Mutex<Known>);

#[derive(Default)]
struct Known {
    next: u64,
    /// By the order in which they were given out.
    positions: BTreeMap<u64, Position>,
}

struct Position {
    number: u64,
    bucket: BucketName,
    key: String,
}

impl Positions {
    /// The cursor that a number stands for.
    pub(crate) fn cursor(&self, bucket: &BucketName, number: u64) -> Cursor {
        if number & GIVEN == 0 {
            return Cursor::Number(number);
        }
        let known = self.0.lock();
        let mut newest_first = known.positions.values().rev();
        let position = newest_first.find(|position| position.number == number && position.bucket == *bucket);
        match position {
            Some(position) => Cursor::After(position.key.clone()),
            None => Cursor::Number(number & COUNT),
        }
    }

    /// The number with which to go on after a page that had `listed` keys and began at the number `from`.
    pub(crate) fn number(&self, bucket: &BucketName, from: Option<u64>, listed: usize, next: Cursor) -> u64 {
        let key = match next {
            Cursor::Number(number) => return number,
            Cursor::After(key) => key,
        };
        let before = match from {
            Some(given) if given & GIVEN != 0 => given & COUNT,
            Some(count) => count,
            None => 0,
        };
        let count = before.saturating_add(listed.min(MAX_PAGE) as u64).min(COUNT);
        let mut known = self.0.lock();
        let serial = known.next;
        known.next += 1;
        let number = GIVEN | ((serial & ((1 << SERIAL_BITS) - 1)) << COUNT_BITS) | count;
        let position = Position {
            number,
            bucket: bucket.clone(),
            key,
        };
        known.positions.insert(serial, position);
        if known.positions.len() > MAX_POSITIONS {
            known.positions.pop_first();
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_its_key() {
        let positions = Positions::default();
        let (a, b) = (BucketName::new("a").unwrap(), BucketName::new("b").unwrap());
        let after = |key: &str| Cursor::After(key.to_owned());
        let first = positions.number(&a, None, 10, after("k9"));
        let second = positions.number(&a, Some(first), 10, after("l9"));
        // Another listing, which is as far.
        let other = positions.number(&a, Some(3), 7, after("k8"));
        assert_eq!(positions.cursor(&a, first), after("k9"));
        assert_eq!(positions.cursor(&a, second), after("l9"));
        assert_eq!(positions.cursor(&a, other), after("k8"));
        // In another bucket it is only a count, as a small number is everywhere.
        assert_eq!(positions.cursor(&b, second), Cursor::Number(20));
        assert_eq!(positions.cursor(&a, 20), Cursor::Number(20));
        assert_eq!(positions.cursor(&a, u64::MAX >> 1), Cursor::Number(u64::MAX >> 1));
        assert_eq!(positions.cursor(&a, u64::MAX), Cursor::Number(COUNT));
        assert_eq!(positions.number(&a, None, 1, Cursor::Number(7)), 7);
    }

    #[test]
    fn what_was_forgotten_is_counted() {
        let positions = Positions::default();
        let bucket = BucketName::new("a").unwrap();
        let after = || Cursor::After("k".to_owned());
        let oldest = positions.number(&bucket, None, 5, after());
        for _ in 0..MAX_POSITIONS {
            positions.number(&bucket, None, 5, after());
        }
        assert_eq!(positions.0.lock().positions.len(), MAX_POSITIONS);
        assert_eq!(positions.cursor(&bucket, oldest), Cursor::Number(5));
    }
}
