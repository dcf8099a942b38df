//! Calls that wait for their answer. Whatever callers and callees do, only so many are kept, and of their results only so
//! many bytes.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use wasmcloud_wire::rpc::{InvocationSubject, RpcErrorBody};

/// Calls that are waited for at once; of more, the oldest are given up. Hosts take more, people do not read them.
const MAX_OPEN: usize = 1_024;

/// Bytes of results that are kept for one call. Of more, only the number is told.
const MAX_RESULT: usize = 4 << 20;

/// The same for all calls together.
const MAX_RESULTS: usize = 32 << 20;

/// A call that was seen.
pub(super) struct Open {
    /// Which one it is, counted from 1.
    pub(super) number: u64,
    pub(super) called: InvocationSubject,
    /// Who calls.
    pub(super) from: String,
    /// The host that accepted it, if it said so.
    pub(super) host: Option<String>,
    pub(super) began: Instant,
    /// The bytes of the results, as far as they are kept.
    pub(super) got: Vec<u8>,
    /// How many there were.
    pub(super) len: usize,
}

/// How a call ended.
pub(super) enum Answered {
    Ended,
    Failed(RpcErrorBody),
}

impl Open {
    pub(super) fn new(number: u64, called: InvocationSubject, from: String) -> Self {
        Self {
            number,
            called,
            from,
            host: None,
            began: Instant::now(),
            got: Vec::new(),
            len: 0,
        }
    }

    /// Whether all bytes were kept.
    pub(super) fn is_whole(&self) -> bool {
        self.got.len() == self.len
    }
}

/// Calls by the inbox in which they are answered.
#[derive(Default)]
pub(super) struct Calls {
    by_inbox: HashMap<String, Open>,
    /// The inboxes in the order of their calls. Those that are closed are still here until they are the oldest.
    order: VecDeque<String>,
    kept: usize,
}

impl Calls {
    /// How many wait.
    pub(super) fn open(&self) -> usize {
        self.by_inbox.len()
    }

    /// Waits for the answer to a call.
    pub(super) fn open_at(&mut self, inbox: &str, open: Open) {
        self.close(inbox);
        while self.by_inbox.len() >= MAX_OPEN || self.order.len() >= 2 * MAX_OPEN {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.close(&oldest);
        }
        self.by_inbox.insert(inbox.to_owned(), open);
        self.order.push_back(inbox.to_owned());
    }

    /// The call that is answered there.
    pub(super) fn at(&mut self, inbox: &str) -> Option<&mut Open> {
        self.by_inbox.get_mut(inbox)
    }

    /// Keeps bytes of its results. Once some did not fit, the rest is of no use.
    pub(super) fn keep(&mut self, inbox: &str, bytes: &[u8]) {
        let Some(open) = self.by_inbox.get_mut(inbox) else {
            return;
        };
        let fits = open.got.len() + bytes.len() <= MAX_RESULT && self.kept + bytes.len() <= MAX_RESULTS;
        if open.is_whole() && fits {
            open.got.extend_from_slice(bytes);
            self.kept += bytes.len();
        }
        open.len += bytes.len();
    }

    /// Waits no longer.
    pub(super) fn close(&mut self, inbox: &str) -> Option<Open> {
        let open = self.by_inbox.remove(inbox)?;
        self.kept = self.kept.saturating_sub(open.got.len());
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(number: u64) -> Open {
        let called = "default.c.wrpc.0.0.1.a:b/c@1.0.0.run".parse().unwrap();
        Open::new(number, called, "x".to_owned())
    }

    #[test]
    fn the_oldest_are_given_up() {
        let mut calls = Calls::default();
        for number in 0..10_000 {
            calls.open_at(&number.to_string(), open(number));
            if number % 3 == 0 {
                assert!(calls.close(&number.to_string()).is_some());
            }
        }
        assert!(
            calls.open() <= MAX_OPEN && calls.open() > MAX_OPEN / 2,
            "{}",
            calls.open()
        );
        assert!(calls.order.len() <= 2 * MAX_OPEN);
        assert!(calls.at("1").is_none());
        assert_eq!(calls.at("9998").unwrap().number, 9998);
    }

    #[test]
    fn results_are_kept_within_limits() {
        let mut calls = Calls::default();
        calls.open_at("a", open(1));
        calls.keep("a", b"12");
        calls.keep("a", b"3");
        assert_eq!(calls.at("a").unwrap().got, b"123");
        calls.keep("a", &vec![0; MAX_RESULT]);
        calls.keep("a", b"4");
        let a = calls.close("a").unwrap();
        assert_eq!((a.got.len(), a.len, a.is_whole()), (3, MAX_RESULT + 4, false));
        for number in 0..20 {
            calls.open_at(&number.to_string(), open(number));
            calls.keep(&number.to_string(), &vec![0; MAX_RESULT]);
        }
        assert_eq!(calls.kept, MAX_RESULTS);
        for number in 0..20 {
            calls.close(&number.to_string());
        }
        assert_eq!(calls.kept, 0);
    }
}
