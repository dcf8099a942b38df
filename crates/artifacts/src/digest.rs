//! Content addresses: what a blob or manifest is called by what is in it.

use std::str::FromStr;
use std::{fmt, io};

use aws_lc_rs::digest::{Context, SHA256, digest};

/// The one algorithm that is spoken here. Every registry and every tool writes it; OCI registers `sha512` too, which
/// nobody in this field uses, and a second algorithm would give one content two names in the cache.
const ALGORITHM: &str = "sha256";

/// The SHA-256 of some bytes, written `sha256:` and 64 lower-case hexadecimal digits (OCI image spec, descriptor).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// A digest that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// Another algorithm than SHA-256.
    #[error("digest `{0}` is made with another algorithm than sha256, which is the only one known here")]
    Algorithm(String),
    /// Not 64 lower-case hexadecimal digits.
    #[error("digest `{0}` is not `sha256:` and 64 lower-case hexadecimal digits")]
    Malformed(String),
}

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(digest(&SHA256, bytes).as_ref())
    }

    /// The digest of all that can be read.
    pub fn of_reader(mut from: impl io::Read) -> io::Result<Self> {
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                read => hasher.update(buffer.get(..read).unwrap_or_default()),
            }
        }
    }

    /// The 64 hexadecimal digits without the algorithm.
    #[must_use]
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    fn finish(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self(out)
    }
}

/// A digest in the making, for content that arrives in parts.
pub(crate) struct Hasher(Context);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest::finish(self.0.finish().as_ref())
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(raw: &str) -> Result<Self, InvalidDigest> {
        // What is quoted in a message is bounded; a digest comes from outside and may be megabytes.
        let quote = || raw.chars().take(100).collect::<String>();
        let Some((algorithm, hex)) = raw.split_once(':') else {
            return Err(InvalidDigest::Malformed(quote()));
        };
        if algorithm != ALGORITHM {
            return Err(InvalidDigest::Algorithm(quote()));
        }
        if hex.len() != 64 {
            return Err(InvalidDigest::Malformed(quote()));
        }
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let mut value = 0;
            for digit in pair {
                value = value << 4
                    | match digit {
                        b'0'..=b'9' => digit - b'0',
                        b'a'..=b'f' => digit - b'a' + 10,
                        _ => return Err(InvalidDigest::Malformed(quote())),
                    };
            }
            *byte = value;
        }
        Ok(Self(out))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn text_and_back() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(Digest::of(b"")));
        let mut hasher = Hasher::new();
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.finish(), Digest::of(b"abc"));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        assert!(matches!(
            format!("sha512:{}", "a".repeat(128)).parse::<Digest>(),
            Err(InvalidDigest::Algorithm(_))
        ));
        for bad in [
            "",
            "sha256",
            "sha256:",
            "sha256:ab",
            &EMPTY.to_uppercase(),
            &EMPTY.replace('e', "E"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
        }
        let long = "x".repeat(1 << 20);
        assert!(long.parse::<Digest>().unwrap_err().to_string().len() < 300);
    }
}
