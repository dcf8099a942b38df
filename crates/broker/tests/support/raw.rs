//! A client without a library: bytes in, bytes out.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::soon;

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) info: serde_json::Value,
}

/// What a client library would say first, without a login.
pub(crate) const CONNECT: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n";

impl Raw {
    /// Connects and reads what the server says first.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(soon("INFO", stream.read_u8()).await??);
        }
        let json = line
            .strip_prefix(b"INFO ")
            .with_context(|| String::from_utf8_lossy(&line).into_owned())?;
        let info = serde_json::from_slice(json)?;
        Ok(Self { stream, info })
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        soon("room to write", self.stream.write_all(bytes.as_ref())).await??;
        Ok(())
    }

    /// Reads until the text ends with this.
    pub(crate) async fn read_until(&mut self, end: &str) -> Result<String> {
        let mut seen = Vec::new();
        while !seen.ends_with(end.as_bytes()) {
            let mut chunk = [0; 4096];
            let read = soon(end, self.stream.read(&mut chunk)).await??;
            if read == 0 {
                bail!("closed after {:?}", String::from_utf8_lossy(&seen));
            }
            seen.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
        Ok(String::from_utf8_lossy(&seen).into_owned())
    }

    /// A PING that waits for its PONG: everything before has been done.
    pub(crate) async fn barrier(&mut self) -> Result<String> {
        self.send("PING\r\n").await?;
        self.read_until("PONG\r\n").await
    }

    /// Reads until the server closes the connection.
    pub(crate) async fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut seen = Vec::new();
        loop {
            let mut chunk = vec![0; 64 << 10];
            match soon("end of the connection", self.stream.read(&mut chunk)).await? {
                Ok(0) => return Ok(seen),
                Ok(read) => seen.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                // A server that closes with unread input resets the connection.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(seen),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads until the server closes the connection, or has answered a PING that the input ends with.
    pub(crate) async fn transcript(&mut self) -> Result<(String, bool)> {
        let mut seen = Vec::new();
        loop {
            if seen.ends_with(b"PONG\r\n") {
                return Ok((String::from_utf8_lossy(&seen).into_owned(), false));
            }
            let mut chunk = [0; 4096];
            match soon("answer", self.stream.read(&mut chunk)).await? {
                Ok(0) => return Ok((String::from_utf8_lossy(&seen).into_owned(), true)),
                Ok(read) => seen.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Ok((String::from_utf8_lossy(&seen).into_owned(), true));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
