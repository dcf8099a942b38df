//! Who we are to a registry. Secrets are redacted wherever they could be printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text into custody.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Credentials for one registry, as v1 knows them (wire reference §2.2, `registryCredentials`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A user and a password or access token, sent as Basic or traded for a token, as the registry asks.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token for the registry itself, sent as it is. v1 ignored such credentials.
    Token(Secret),
    /// A refresh token (`identitytoken` of Docker's config), traded for an access token at the registry's token server.
    Identity(Secret),
}

impl Credentials {
    /// A user and a password.
    #[must_use]
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Basic {
            username: username.into(),
            password: Secret::new(password),
        }
    }
}

/// The header of a user and a password (RFC 7617).
pub(crate) fn basic(username: &str, password: &Secret) -> Option<HeaderValue> {
    let text = STANDARD.encode(format!("{username}:{}", password.reveal()));
    sensitive(&format!("Basic {text}"))
}

/// The header of a token (RFC 6750), or nothing if it contains what no header may.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {token}"))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    // Keeps it out of debug output and of the compression tables of HTTP/2.
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_a_secret() {
        let secrets = [
            Credentials::basic("ada", "hunter2"),
            Credentials::Token(Secret::new("hunter2")),
            Credentials::Identity(Secret::new("hunter2")),
        ];
        let headers = [basic("ada", &Secret::new("hunter2")), bearer("hunter2")];
        let text = format!("{secrets:?} {headers:?}");
        assert!(
            !text.contains("hunter2") && !text.contains(&STANDARD.encode("ada:hunter2")),
            "{text}"
        );
        assert!(bearer("a\nb").is_none());
    }
}
