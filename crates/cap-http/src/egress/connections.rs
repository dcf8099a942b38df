//! The open connections of one link: counted, so that a component cannot hold more than its share, and each with a
//! switch, so that an idle one makes room for another host and all end when the provider stops.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use hyper_util::client::legacy::connect::{Connected, Connection};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// How long a request waits for a connection to become free once the limit is reached. Long enough for an evicted
/// one to close and for a short answer to end, short enough to be an answer and not a queue.
const GRACE: Duration = Duration::from_millis(100);

/// The connections of one link.
pub(crate) struct Connections {
    limit: u32,
    slots: Arc<Semaphore>,
    open: Mutex<Vec<Arc<Wire>>>,
}

impl Connections {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            slots: Arc::new(Semaphore::new(limit)),
            open: Mutex::new(Vec::new()),
        })
    }

    /// The right to open one more connection, `None` at the limit. An idle connection to any host makes room.
    pub(crate) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(slot);
        }
        self.close_one_idle();
        timeout(GRACE, Arc::clone(&self.slots).acquire_owned())
            .await
            .ok()?
            .ok()
    }

    /// Counts a connection that was just opened.
    pub(crate) fn track(self: &Arc<Self>, tcp: TcpStream, slot: OwnedSemaphorePermit) -> Tracked {
        let wire = Arc::new(Wire::default());
        self.open.lock().push(Arc::clone(&wire));
        Tracked {
            tcp,
            wire,
            all: Arc::clone(self),
            _slot: slot,
        }
    }

    /// Closes the connection that has been idle for the longest time.
    fn close_one_idle(&self) {
        let open = self.open.lock();
        let idle = open
            .iter()
            .filter(|wire| !wire.cut.load(Ordering::Relaxed))
            .filter_map(|wire| wire.usage.lock().idle_since.map(|since| (since, wire)))
            .min_by_key(|(since, _)| *since);
        if let Some((_, wire)) = idle {
            wire.cut();
        }
    }

    /// Closes the connections that no request uses.
    pub(crate) fn close_idle(&self) {
        for wire in self.open.lock().iter() {
            if wire.usage.lock().users == 0 {
                wire.cut();
            }
        }
    }

    /// Closes all connections, whatever is under way.
    pub(crate) fn close_all(&self) {
        for wire in self.open.lock().iter() {
            wire.cut();
        }
    }

    /// Returns when no connection is open, also none that is being opened, and lets no other be opened.
    pub(crate) async fn all_closed(&self) {
        if self.slots.acquire_many(self.limit).await.is_ok() {
            self.slots.close();
        }
    }
}

/// What everyone who holds a connection shares about it.
#[derive(Default)]
pub(crate) struct Wire {
    usage: Mutex<Usage>,
    cut: AtomicBool,
    task: AtomicWaker,
}

#[derive(Default)]
struct Usage {
    users: usize,
    /// Since when it is idle; `None` while it is used and before its first use, when a request is about to.
    idle_since: Option<Instant>,
}

impl Wire {
    fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Whether it was cut; if not, the task that asks is woken when it is.
    fn is_cut(&self, cx: &Context<'_>) -> bool {
        self.task.register(cx.waker());
        self.cut.load(Ordering::Acquire)
    }
}

/// Finds the [`Wire`] in what hyper-util knows of a connection.
#[derive(Clone)]
pub(crate) struct WireRef(pub(crate) Arc<Wire>);

/// A request that uses a connection, until this is dropped.
pub(crate) struct InUse(Arc<Wire>);

impl InUse {
    pub(crate) fn new(WireRef(wire): WireRef) -> Self {
        {
            let mut usage = wire.usage.lock();
            usage.users += 1;
            usage.idle_since = None;
        }
        Self(wire)
    }

    pub(crate) fn is_of(&self, WireRef(wire): &WireRef) -> bool {
        Arc::ptr_eq(&self.0, wire)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut usage = self.0.usage.lock();
        usage.users = usage.users.saturating_sub(1);
        if usage.users == 0 {
            usage.idle_since = Some(Instant::now());
        }
    }
}

/// A TCP connection that is counted and can be cut from outside. A cut one looks to its user as if the peer had
/// closed it.
pub(crate) struct Tracked {
    tcp: TcpStream,
    wire: Arc<Wire>,
    all: Arc<Connections>,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.all.open.lock().retain(|wire| !Arc::ptr_eq(wire, &self.wire));
    }
}

impl AsyncRead for Tracked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.wire.is_cut(cx) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tracked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.wire.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.wire.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// A connection as hyper uses it.
pub(crate) enum Stream {
    Plain(Tracked),
    Tls(Box<TlsStream<Tracked>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Plain(tracked) => Connected::new().extra(WireRef(Arc::clone(&tracked.wire))),
            Self::Tls(tls) => {
                let (tracked, session) = tls.get_ref();
                let connected = Connected::new().extra(WireRef(Arc::clone(&tracked.wire)));
                match session.alpn_protocol() {
                    Some(b"h2") => connected.negotiated_h2(),
                    _ => connected,
                }
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
