//! The smallest HTTP client that can ask our own examples: one GET per connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks for `path`; no single wait for the other side is longer than `limit`.
pub(crate) fn get(address: SocketAddr, path: &str, limit: Duration) -> Result<Response> {
    let mut stream =
        TcpStream::connect_timeout(&address, limit).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .with_context(|| format!("ask {address} for {path}"))?;
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .with_context(|| format!("read the answer of {address} to {path}"))?;
    parse(&String::from_utf8_lossy(&bytes))
        .with_context(|| format!("{address} did not answer {path} with HTTP"))
}

fn parse(text: &str) -> Option<Response> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Response {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_a_status_and_a_body() {
        let response =
            parse("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").map(|it| (it.status, it.body));
        assert_eq!(response, Some((200, "abc".to_owned())));
        assert!(parse("SSH-2.0\r\n\r\n").is_none());
        assert!(parse("HTTP/1.1 200 OK\r\n").is_none());
    }
}
