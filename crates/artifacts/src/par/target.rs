//! What a program of an archive runs on.

use std::env::consts;
use std::fmt;
use std::str::FromStr;

/// Longest name in bytes. A name of an entry in a tar file has at most 100.
const LONGEST: usize = 64;

/// `ARCH-OS` in the words of Rust, such as `x86_64-linux` or `aarch64-macos` (wire reference §2.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(String);

/// A name that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a target; hint: write ARCH-OS, for example x86_64-linux or aarch64-macos (letters, digits, `_` and \
     `.`, at most {LONGEST} bytes)"
)]
pub struct InvalidTarget(String);

impl Target {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        Self(format!("{}-{}", consts::ARCH, consts::OS))
    }

    /// As it is written in archives and claims.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(raw: &str) -> Result<Self, InvalidTarget> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        };
        match raw.split_once('-') {
            Some((arch, os)) if is_word(arch) && is_word(os) && raw.len() <= LONGEST => {
                Ok(Self(raw.to_owned()))
            }
            _ => Err(InvalidTarget(crate::claims::quote(raw))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["x86_64-linux", "aarch64-macos", "arm-freebsd", "wasm32-wasip1.x"] {
            assert_eq!(good.parse::<Target>().unwrap().as_str(), good);
        }
        assert!(Target::here().as_str().parse::<Target>().is_ok());
        let long = format!("{}-linux", "x".repeat(LONGEST));
        for bad in [
            "", "-", "linux", "x86_64-", "-linux", "../x-y", "a-b-c", "a-b/c", "a\\-b", "a-\0b", &long,
        ] {
            let error = bad.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains("x86_64-linux") && error.len() < 400, "{error}");
        }
    }
}
