//! The smallest HTTP client that can ask our own examples: one GET per connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Asks for `path`; no single wait for the other side is longer than `limit`.
pub(crate) fn get(address: SocketAddr, path: &str, limit: Duration) -> Result<Response> {
    let mut stream =
        TcpStream::connect_timeout(&address, limit).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    // In one piece: the second of two small packets may wait until the first is acknowledged.
    stream
        .write_all(request.as_bytes())
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
    let mut lines = head.lines();
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    Some(Response {
        status,
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_a_status_headers_and_a_body() {
        let response = parse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
            .map(|it| (it.status, it.headers, it.body));
        let length = ("content-length".to_owned(), "3".to_owned());
        assert_eq!(response, Some((200, vec![length], "abc".to_owned())));
        assert!(parse("SSH-2.0\r\n\r\n").is_none());
        assert!(parse("HTTP/1.1 200 OK\r\n").is_none());
    }
}
