//! What a provider prints, line by line into the log of the host.
//!
//! A provider that floods its output is read on and on, so it is never held up, but only so many lines a second are
//! logged and only so much of a line is kept; what is left out is counted and told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, timeout_at};
use wasmcloud_core::ComponentId;

/// Longest line that is logged, in bytes. The rest of a longer one is left out.
const MAX_LINE: usize = 8 << 10;

/// Lines of one stream that are logged within a second.
const MAX_LINES: u32 = 200;

/// Lines that are kept for who asks why a process has ended, and how long these may be in bytes.
const LAST_LINES: usize = 8;
const LAST_LINE: usize = 300;

/// The last lines of a process.
#[derive(Default)]
pub(super) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    fn push(&self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let mut lines = self.0.lock();
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(
            line.get(..line.floor_char_boundary(LAST_LINE))
                .unwrap_or(line)
                .to_owned(),
        );
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().iter().cloned().collect()
    }
}

/// Reads a stream to its end.
pub(super) async fn capture(
    mut pipe: impl AsyncRead + Unpin,
    id: ComponentId,
    stream: &'static str,
    tail: Arc<Tail>,
) {
    let mut buffer = vec![0; 16 << 10];
    let mut lines = Lines::default();
    let mut rate = Rate::new(Instant::now());
    let log = |line: &[u8], cut: usize, rate: &mut Rate| {
        let text = plain(line);
        tail.push(&text);
        if !rate.allows() {
            return;
        }
        match cut {
            0 => tracing::info!(target: "wasmcloud::provider", provider = %id, stream, "{text}"),
            cut => tracing::info!(
                target: "wasmcloud::provider", provider = %id, stream, "{text}… ({cut} more bytes)"
            ),
        }
    };
    let tell_dropped = |dropped: u64| {
        if dropped > 0 {
            tracing::warn!(
                target: "wasmcloud::provider", provider = %id, stream, dropped,
                "the provider prints more than {MAX_LINES} lines a second, the rest is left out"
            );
        }
    };
    loop {
        // While lines are left out somebody has to say so, also if nothing follows them.
        let read = match rate.dropped {
            0 => Ok(pipe.read(&mut buffer).await),
            _ => timeout_at(rate.ends, pipe.read(&mut buffer)).await,
        };
        tell_dropped(rate.pass(Instant::now()));
        match read {
            Err(_) => {}
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(read)) => {
                let bytes = buffer.get(..read).unwrap_or_default();
                lines.feed(bytes, |line, cut| log(line, cut, &mut rate));
            }
        }
    }
    lines.end(|line, cut| log(line, cut, &mut rate));
    tell_dropped(rate.dropped);
}

/// How many lines are logged.
struct Rate {
    ends: Instant,
    lines: u32,
    dropped: u64,
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self {
            ends: now + Duration::from_secs(1),
            lines: 0,
            dropped: 0,
        }
    }

    fn allows(&mut self) -> bool {
        self.lines += 1;
        if self.lines > MAX_LINES {
            self.lines = MAX_LINES;
            self.dropped += 1;
            return false;
        }
        true
    }

    /// Begins a new second if this one is over, and says how many lines were left out in it.
    fn pass(&mut self, now: Instant) -> u64 {
        if now < self.ends {
            return 0;
        }
        std::mem::replace(self, Self::new(now)).dropped
    }
}

/// Makes lines out of pieces.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
    cut: usize,
}

impl Lines {
    /// Hands on each line that ends in these bytes, with the number of bytes that it is short of.
    fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8], usize)) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = MAX_LINE - self.begun.len();
            let (kept, cut) = piece.split_at_checked(room).unwrap_or((piece, &[]));
            self.begun.extend_from_slice(kept);
            self.cut += cut.len();
            // The last piece is a line only when more comes.
            if pieces.peek().is_some() {
                line(&self.begun, self.cut);
                self.begun.clear();
                self.cut = 0;
            }
        }
    }

    fn end(self, line: impl FnOnce(&[u8], usize)) {
        if !self.begun.is_empty() {
            line(&self.begun, self.cut);
        }
    }
}

/// A line as text that does nothing to a terminal: without colours, and with control characters written out.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\t' => plain.push('\t'),
            '\x1b' if rest.as_str().starts_with('[') => {
                // A sequence ends with a letter or the like.
                rest.next();
                rest.find(|end| ('@'..='~').contains(end));
            }
            control if control.is_control() => plain.extend(control.escape_debug()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for piece in pieces {
            lines.feed(piece, |line, cut| found.push((plain(line), cut)));
        }
        lines.end(|line, cut| found.push((plain(line), cut)));
        found
    }

    #[test]
    fn lines_are_put_together_and_cut() {
        let line = |text: &str| (text.to_owned(), 0);
        assert_eq!(lines(&[b"a", b"b\r\n\nc"]), [line("ab"), line(""), line("c")]);
        assert_eq!(lines(&[b"a\n"]), [line("a")]);
        let long = vec![b'x'; MAX_LINE + 10];
        assert_eq!(lines(&[&long, b"yy\nz"]), [("x".repeat(MAX_LINE), 12), line("z")]);
        let endless: Vec<&[u8]> = vec![&long; 50];
        let [(kept, cut)] = lines(&endless).try_into().unwrap();
        assert_eq!((kept.len(), cut), (MAX_LINE, 50 * (MAX_LINE + 10) - MAX_LINE));
    }

    #[test]
    fn nothing_reaches_the_terminal() {
        assert_eq!(
            plain(b"\x1b[2m12:00\x1b[0m \x1b[32m INFO\x1b[0m\tx"),
            "12:00  INFO\tx"
        );
        assert_eq!(
            plain(b"\x1b]0;title\x07\x08\x7f"),
            "\\u{1b}]0;title\\u{7}\\u{8}\\u{7f}"
        );
        assert_eq!(plain(b"\x1b["), "");
        assert_eq!(plain(b"caf\xc3\xa9 \xff"), "café \u{fffd}");
    }

    #[test]
    fn only_so_many_lines_pass_in_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let passed = (0..1_000).filter(|_| rate.allows()).count();
        assert_eq!(
            (passed, rate.dropped),
            (MAX_LINES as usize, 1_000 - u64::from(MAX_LINES))
        );
        assert_eq!(rate.pass(start), 0);
        assert_eq!(
            rate.pass(start + Duration::from_secs(1)),
            1_000 - u64::from(MAX_LINES)
        );
        assert!(rate.allows());
        assert_eq!(rate.pass(start + Duration::from_secs(5)), 0);
    }

    #[test]
    fn the_last_lines_are_kept_short() {
        let tail = Tail::default();
        for number in 0..100 {
            tail.push(&format!("{number}"));
            tail.push("  ");
        }
        tail.push(&"é".repeat(LAST_LINE));
        let lines = tail.lines();
        assert_eq!(lines.len(), LAST_LINES);
        assert_eq!(lines[0], "93");
        assert_eq!(lines[LAST_LINES - 1].len(), LAST_LINE);
    }
}
