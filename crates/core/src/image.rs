//! Where a component or provider comes from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The scheme of references to providers that live in the host (v1 wire reference §2.6).
const BUILTIN_SCHEME: &str = "wasmcloud+builtin://";

/// An image reference, parsed by its scheme as in v1 (wire reference §2.6): `file://PATH`, `oci://REF` or a bare
/// registry reference, `wasmcloud+builtin://NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageRef {
    /// A file on this machine. Relative paths are relative to whatever named them, so they are joined to a base
    /// with [`ImageRef::relative_to`] before use.
    File(PathBuf),
    /// A reference in an OCI registry, without scheme.
    Oci(String),
    /// A provider that is part of the host, by name.
    Builtin(String),
}

/// An image reference that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImageRef {
    /// Nothing follows the scheme, or the reference is empty.
    #[error("image reference `{0}` names nothing")]
    Empty(String),
    /// White space or a control character, which no reference has.
    #[error("image reference {0:?} contains white space or a control character")]
    Character(String),
    /// A scheme that is none of the known ones.
    #[error(
        "image reference `{reference}` has the unknown scheme `{scheme}`; use `file://`, `oci://` or `wasmcloud+builtin://`"
    )]
    Scheme {
        /// The reference as it was written.
        reference: String,
        /// Its scheme.
        scheme: String,
    },
}

impl ImageRef {
    /// The same reference with a relative file path joined to `base`.
    #[must_use]
    pub fn relative_to(self, base: &Path) -> Self {
        match self {
            Self::File(path) if path.is_relative() => {
                let path = path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path);
                Self::File(base.join(path))
            }
            other => other,
        }
    }
}

impl FromStr for ImageRef {
    type Err = InvalidImageRef;

    fn from_str(raw: &str) -> Result<Self, InvalidImageRef> {
        let named = |rest: &str| {
            if rest.is_empty() {
                Err(InvalidImageRef::Empty(raw.to_owned()))
            } else {
                Ok(rest.to_owned())
            }
        };
        if raw.chars().any(char::is_control) {
            return Err(InvalidImageRef::Character(raw.to_owned()));
        }
        if let Some(path) = raw.strip_prefix("file://") {
            return named(path).map(|path| Self::File(path.into()));
        }
        if raw.chars().any(char::is_whitespace) {
            return Err(InvalidImageRef::Character(raw.to_owned()));
        }
        if let Some(name) = raw.strip_prefix(BUILTIN_SCHEME) {
            return named(name).map(Self::Builtin);
        }
        // v1 strips `http://` and `https://` and treats the rest as a registry reference.
        for scheme in ["oci://", "https://", "http://"] {
            if let Some(reference) = raw.strip_prefix(scheme) {
                return named(reference).map(Self::Oci);
            }
        }
        match raw.split_once("://") {
            Some((scheme, _)) => Err(InvalidImageRef::Scheme {
                reference: raw.to_owned(),
                scheme: scheme.to_owned(),
            }),
            None => named(raw).map(Self::Oci),
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file://{}", path.display()),
            Self::Oci(reference) => f.write_str(reference),
            Self::Builtin(name) => write!(f, "{BUILTIN_SCHEME}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes() {
        let check =
            |raw: &str, expect: ImageRef| assert_eq!(raw.parse::<ImageRef>().unwrap(), expect, "{raw}");
        check("file://./build/a.wasm", ImageRef::File("./build/a.wasm".into()));
        check("file:///srv/a b.wasm", ImageRef::File("/srv/a b.wasm".into()));
        check(
            "ghcr.io/acme/cart:1.4",
            ImageRef::Oci("ghcr.io/acme/cart:1.4".into()),
        );
        check(
            "oci://ghcr.io/acme/cart:1.4",
            ImageRef::Oci("ghcr.io/acme/cart:1.4".into()),
        );
        check(
            "wasmcloud+builtin://http-server",
            ImageRef::Builtin("http-server".into()),
        );
        for bad in ["", "file://", "ftp://x/y", "a b", "wasmcloud+builtin://", "a\nb"] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn relative_paths_are_joined_to_their_base() {
        let image = "file://./build/a.wasm"
            .parse::<ImageRef>()
            .unwrap()
            .relative_to(Path::new("/app"));
        assert_eq!(image, ImageRef::File("/app/build/a.wasm".into()));
    }
}
