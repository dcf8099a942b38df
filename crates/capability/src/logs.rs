//! A component's stdout and stderr as log lines.
//!
//! What a guest prints is cut into lines and each becomes one event under the target `wasmcloud::component`, with
//! the component's id and the invocation. How a line looks, and how many may wait to be written, is the business of
//! `telemetry`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmcloud_core::ComponentId;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::invocation::CurrentInvocation;

/// Longest line in bytes; a longer one is cut into several. The buffer of a guest that never ends its line is
/// therefore this large at most.
const MAX_LINE: usize = 8 * 1024;

/// Which of the two streams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stdio {
    Out,
    Err,
}

impl Stdio {
    fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

struct Lines {
    component: ComponentId,
    invocation: CurrentInvocation,
    stdio: Stdio,
    partial: Vec<u8>,
}

impl Lines {
    fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.extend(line);
            self.emit();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.extend(bytes);
    }

    fn extend(&mut self, mut bytes: &[u8]) {
        while self.partial.len() + bytes.len() > MAX_LINE {
            let (head, rest) = bytes.split_at(MAX_LINE.saturating_sub(self.partial.len()));
            self.partial.extend_from_slice(head);
            self.emit();
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn emit(&mut self) {
        let line = String::from_utf8_lossy(&self.partial);
        tracing::info!(
            target: "wasmcloud::component",
            component = %self.component,
            invocation = %self.invocation.get(),
            stream = self.stdio.name(),
            "{}",
            line.trim_end_matches('\r'),
        );
        self.partial.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.emit();
        }
    }
}

/// One of the two output streams of one instance; all handles that the guest opens write to the same lines.
#[derive(Clone)]
pub(crate) struct LogStream(Arc<Mutex<Lines>>);

impl LogStream {
    pub(crate) fn new(component: ComponentId, invocation: CurrentInvocation, stdio: Stdio) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            component,
            invocation,
            stdio,
            partial: Vec::new(),
        })))
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().push(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
