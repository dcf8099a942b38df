//! The epoch of a controller, by which hosts tell the commands of the one that leads from those of one that did.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::rpc::header::InvalidHeader;

/// The header of a command that says of which [`Epoch`] it is. Commands of people and of v1's controller have none.
pub const EPOCH: &str = "wasmcloud-epoch";

/// How often the lead of a lattice has changed hands, as a number that grows: the revision of the write with which a
/// controller took the [lease](crate::state::LeaseRecord). Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(NonZeroU64);

impl Epoch {
    /// The epoch of a revision; there is no revision 0.
    pub fn new(revision: u64) -> Option<Self> {
        NonZeroU64::new(revision).map(Self)
    }

    /// As a number.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads the header: digits, and nothing else.
impl FromStr for Epoch {
    type Err = InvalidHeader;

    fn from_str(raw: &str) -> Result<Self, InvalidHeader> {
        // The parser of numbers takes a sign as well.
        let digits = raw.bytes().all(|byte| byte.is_ascii_digit());
        let epoch = raw.parse().ok().filter(|_| digits);
        epoch
            .map(Self)
            .ok_or_else(|| InvalidHeader::new(EPOCH, raw, "a number from 1 on"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_a_number() {
        for good in [1, 7, u64::MAX] {
            let epoch = Epoch::new(good).unwrap();
            assert_eq!(epoch.to_string().parse(), Ok(epoch));
            assert_eq!(epoch.get(), good);
        }
        assert_eq!(Epoch::new(0), None);
        for bad in [
            "",
            "0",
            "-1",
            "+1",
            " 1",
            "1 ",
            "0x1",
            "1.0",
            "18446744073709551616",
            "x",
        ] {
            assert!(bad.parse::<Epoch>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "seven".parse::<Epoch>().unwrap_err().to_string(),
            "header wasmcloud-epoch is `seven`, a number from 1 on is expected"
        );
        let long = "9".repeat(10_000).parse::<Epoch>().unwrap_err().to_string();
        assert!(long.len() < 200, "{long}");
    }
}
