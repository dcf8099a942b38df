//! A small HTTP/1.1 client that sends whatever bytes a test wants and says exactly what came back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::process::SOON;

/// A connection. Everything on it must happen before one deadline.
pub struct Connection {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    deadline: Instant,
}

/// What a connection runs over: TCP, or TLS in tests of it.
pub trait Stream: Read + Write + Send {
    /// The socket below.
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

/// A response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without chunk framing.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<(String, String)>,
    /// Whether the body came to its end as HTTP defines it. If not, the connection ended first.
    pub complete: bool,
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Fails unless the status is this one and the body is complete.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "status {} instead of {status}: {}",
            self.status,
            self.text()
        );
        ensure!(self.complete, "the body was cut after {:?}", self.text());
        Ok(self)
    }

    /// The error id in the text of a failure.
    pub fn error_id(&self) -> Result<String> {
        let text = self.text();
        let (_, id) = text
            .split_once("error id ")
            .with_context(|| format!("no error id in {text:?}"))?;
        Ok(id.trim().to_owned())
    }
}

/// `GET path`, on a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> Result<Response> {
    request(address, "GET", path, &[], b"")
}

/// One request, on a connection of its own.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Response> {
    let mut connection = Connection::open(address)?;
    connection.request(method, path, headers, body)?;
    connection
        .response(method)
        .with_context(|| format!("{method} {path}"))
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self> {
        Self::within(address, SOON)
    }

    /// Connects; everything must be over in `limit`.
    pub fn within(address: SocketAddr, limit: Duration) -> Result<Self> {
        let stream =
            TcpStream::connect_timeout(&address, limit).with_context(|| format!("connect to {address}"))?;
        Ok(Self::over(Box::new(stream), limit))
    }

    /// Uses a stream that is there already.
    pub fn over(stream: Box<dyn Stream>, limit: Duration) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            deadline: Instant::now() + limit,
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let left = self.left()?;
        self.stream
            .socket()
            .set_write_timeout(Some(left))
            .context("set a timeout")?;
        self.stream.write_all(bytes).context("send")
    }

    /// Sends a request. A body gets a content-length.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("host: test.example\r\n");
        }
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Reads a response; one to HEAD has no body.
    pub fn response(&mut self, method: &str) -> Result<Response> {
        let mut response = self.head()?;
        self.body(method, &mut response)?;
        Ok(response)
    }

    /// Reads a head.
    pub fn head(&mut self) -> Result<Response> {
        let line = self.line()?.context("the connection ended before a response")?;
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5)?.parse().ok());
        let status = status.with_context(|| format!("{line:?} is not the first line of a response"))?;
        let headers = self
            .fields()?
            .context("the connection ended in the head of a response")?;
        Ok(Response {
            status,
            headers,
            ..Response::default()
        })
    }

    /// Reads the body that belongs to a head.
    pub fn body(&mut self, method: &str, response: &mut Response) -> Result<()> {
        let none = method == "HEAD" || response.status < 200 || [204, 304].contains(&response.status);
        if none {
            response.complete = true;
        } else if response.header("transfer-encoding") == Some("chunked") {
            while let Some(size) = self.chunk_size()? {
                if size == 0 {
                    let trailers = self.fields()?;
                    response.complete = trailers.is_some();
                    response.trailers = trailers.unwrap_or_default();
                    break;
                }
                let chunk = self.bytes(size)?;
                response.body.extend_from_slice(&chunk);
                if chunk.len() < size || self.line()?.is_none() {
                    break;
                }
            }
        } else if let Some(length) = response.header("content-length") {
            let length = length
                .parse()
                .with_context(|| format!("content-length {length:?}"))?;
            response.body = self.bytes(length)?;
            response.complete = response.body.len() == length;
        } else {
            response.body = self.rest()?;
            response.complete = true;
        }
        Ok(())
    }

    /// Reads until the other side ends the connection; what came before that.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        while self.more()? {}
        Ok(std::mem::take(&mut self.unread))
    }

    /// Reads up to `wanted` bytes; fewer mean that the connection ended.
    pub fn bytes(&mut self, wanted: usize) -> Result<Vec<u8>> {
        while self.unread.len() < wanted {
            if !self.more()? {
                break;
            }
        }
        Ok(self.unread.drain(..wanted.min(self.unread.len())).collect())
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) -> Result<()> {
        self.stream
            .socket()
            .shutdown(std::net::Shutdown::Write)
            .context("shut down")
    }

    fn chunk_size(&mut self) -> Result<Option<usize>> {
        let Some(line) = self.line()? else { return Ok(None) };
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).with_context(|| format!("chunk size {line:?}"))?;
        Ok(Some(size))
    }

    /// Header lines up to the empty one.
    fn fields(&mut self) -> Result<Option<Vec<(String, String)>>> {
        let mut fields = Vec::new();
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            if line.is_empty() {
                return Ok(Some(fields));
            }
            let (name, value) = line
                .split_once(':')
                .with_context(|| format!("{line:?} is not a header"))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).take(end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Reads something more; false at the end of the connection, however it ended.
    fn more(&mut self) -> Result<bool> {
        let left = self.left()?;
        self.stream
            .socket()
            .set_read_timeout(Some(left))
            .context("set a timeout")?;
        let mut block = [0; 16 << 10];
        loop {
            match self.stream.read(&mut block) {
                Ok(read) => {
                    self.unread.extend(block.iter().take(read));
                    return Ok(read > 0);
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => bail!(self.late()),
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
                        return Ok(false);
                    }
                    _ => return Err(error).context("receive"),
                },
            }
        }
    }

    fn left(&self) -> Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Err(self.late())
        } else {
            Ok(left)
        }
    }

    fn late(&self) -> anyhow::Error {
        let unread = String::from_utf8_lossy(&self.unread);
        let start: String = unread.chars().take(500).collect();
        anyhow!("nothing came in time; unread so far: {start:?}")
    }
}
