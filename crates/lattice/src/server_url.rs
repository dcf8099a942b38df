//! Where a NATS server is: a URL whose password is never shown.

use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;
use wasmcloud_wire::Hidden;

use crate::options::Auth;

/// The address of a server: `nats://host:4222`, `tls://host:4222` or just `host`. A user and password in it
/// (`nats://user:password@host`), or a token (`nats://token@host`), are taken out when it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(ServerAddr);

/// Text that is no address of a NATS server. The text itself is not shown, for it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUrl {
    /// Not a URL of a form that is known.
    #[error("the address of the NATS server is invalid; `nats://host:port` or `tls://host:port` is expected")]
    Form(#[source] std::io::Error),
    /// No host in it.
    #[error("the address of the NATS server names no host; `nats://host:port` is expected")]
    NoHost,
    /// A protocol that NATS has and we do not.
    #[error("the address of the NATS server begins with `{0}://`; `nats://` or `tls://` is expected")]
    Scheme(String),
    /// A user or password that cannot be read.
    #[error("the user or password in the address of the NATS server is no UTF-8 after percent-decoding")]
    Login,
}

impl ServerUrl {
    /// Reads an address, and the login that it holds, if any.
    pub fn parse(text: &str) -> Result<(Self, Option<Auth>), InvalidUrl> {
        let address: ServerAddr = text.trim().parse().map_err(InvalidUrl::Form)?;
        if address.host().is_empty() {
            return Err(InvalidUrl::NoHost);
        }
        if !matches!(address.scheme(), "nats" | "tls") {
            return Err(InvalidUrl::Scheme(address.scheme().to_owned()));
        }
        let mut url = address.into_inner();
        let user = percent_decoded(url.username()).ok_or(InvalidUrl::Login)?;
        let password = match url.password() {
            Some(password) => Some(percent_decoded(password).ok_or(InvalidUrl::Login)?),
            None => None,
        };
        let auth = match (user, password) {
            (user, Some(password)) => Some(Auth::UserPassword {
                user,
                password: Hidden::from(password),
            }),
            (token, None) if !token.is_empty() => Some(Auth::Token(Hidden::from(token))),
            _ => None,
        };
        // These fail only for URLs that cannot have a login, and then there is none.
        url.set_username("").ok();
        url.set_password(None).ok();
        Ok((Self(ServerAddr::from_url(url).map_err(InvalidUrl::Form)?), auth))
    }

    pub(crate) fn address(&self) -> &ServerAddr {
        &self.0
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidUrl;

    /// Reads an address. A login in it is left out.
    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        Self::parse(text).map(|(url, _)| url)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.0.scheme(), self.0.host(), self.0.port());
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        decoded.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_whole_and_without_login() {
        let cases = [
            ("localhost", "nats://localhost:4222"),
            ("127.0.0.1:4333", "nats://127.0.0.1:4333"),
            ("tls://a.example", "tls://a.example:4222"),
            ("nats://[::1]:1", "nats://[::1]:1"),
            ("nats://u:p@h:1", "nats://h:1"),
            (" nats://t@h ", "nats://h:4222"),
        ];
        for (text, shown) in cases {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_login_is_taken_out() {
        let (url, auth) = ServerUrl::parse("nats://me:p%40ss%2f@h").unwrap();
        let Some(Auth::UserPassword { user, password }) = auth else {
            panic!("{auth:?}")
        };
        assert_eq!((user.as_str(), password.reveal()), ("me", "p@ss/"));
        assert!(!format!("{url:?}").contains("p%40ss"), "{url:?}");
        let (_, auth) = ServerUrl::parse("nats://s3cret@h").unwrap();
        assert!(matches!(auth, Some(Auth::Token(token)) if token.reveal() == "s3cret"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for text in [
            "",
            "nats://",
            "http://h",
            "ws://h:80",
            "nats://h:s3cret:x",
            "nats://%ff@h",
        ] {
            let error = ServerUrl::parse(text).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
