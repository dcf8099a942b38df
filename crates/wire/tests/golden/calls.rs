//! Recorded calls, put together from their messages.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wasmcloud_wire::rpc::{InboxPath, IndexPath, InvocationSubject};

/// The recordings of calls, by the name of their file.
pub(crate) const FILES: [(&str, &str); 3] = [
    ("values", include_str!("values.jsonl")),
    ("http", include_str!("http.jsonl")),
    ("keyvalue", include_str!("keyvalue.jsonl")),
];

/// What a message carried; of long ones the beginning was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    pub(crate) head: Vec<u8>,
    pub(crate) len: usize,
}

impl Bytes {
    fn read(line: &Value) -> Self {
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        let head = match (text("text"), text("base64").or(text("base64_first_600"))) {
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
            _ => panic!("{line} has no payload"),
        };
        let len = line.get("len").and_then(Value::as_u64);
        Self {
            len: len.map_or(head.len(), |len| len.try_into().unwrap()),
            head,
        }
    }
}

/// One call.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Where it starts: `values:2`.
    pub(crate) place: String,
    pub(crate) subject: InvocationSubject,
    pub(crate) headers: BTreeMap<String, String>,
    /// What the client that caused it was told in the end.
    pub(crate) got: Option<String>,
    inbox: String,
    callee: Option<String>,
    messages: Vec<(InboxPath, Bytes)>,
}

impl Recorded {
    /// All that came on a path, in order.
    pub(crate) fn bytes(&self, path: InboxPath) -> Vec<u8> {
        self.pieces(path).concat()
    }

    /// The messages on a path that are not empty. What was not recorded is the last byte again and again.
    pub(crate) fn pieces(&self, path: InboxPath) -> Vec<Vec<u8>> {
        let on_it = self
            .messages
            .iter()
            .filter(|(on, bytes)| *on == path && bytes.len > 0);
        on_it
            .map(|(_, bytes)| {
                let mut piece = bytes.head.clone();
                piece.resize(bytes.len, bytes.head.last().copied().unwrap_or_default());
                piece
            })
            .collect()
    }

    pub(crate) fn params(&self) -> Vec<u8> {
        self.bytes(InboxPath::Params(IndexPath::ROOT))
    }

    pub(crate) fn results(&self) -> Vec<u8> {
        self.bytes(InboxPath::Results(IndexPath::ROOT))
    }

    /// Whether a path was ended by an empty message, and nothing came behind it.
    pub(crate) fn ended(&self, path: InboxPath) -> bool {
        let on_it = self.messages.iter().filter(|(on, _)| *on == path);
        let empty: Vec<bool> = on_it.map(|(_, bytes)| bytes.len == 0).collect();
        empty.last() == Some(&true) && empty.iter().filter(|empty| **empty).count() == 1
    }

    /// The message belongs to the call, or is given back.
    fn take(&mut self, subject: &str, reply: Option<&str>, bytes: Bytes) -> Result<(), Bytes> {
        let inboxes = [Some(&self.inbox), self.callee.as_ref()].into_iter().flatten();
        let Some(path) = inboxes
            .filter_map(|inbox| InboxPath::of(inbox, subject).ok())
            .next()
        else {
            return Err(bytes);
        };
        match path {
            InboxPath::Handshake => {
                assert_eq!(bytes.len, 0, "{}: the acceptance says something", self.place);
                assert!(self.callee.is_none(), "{}: accepted twice", self.place);
                self.callee = Some(reply.unwrap().to_owned());
            }
            InboxPath::Params(_) | InboxPath::Results(_) => self.messages.push((path, bytes)),
        }
        Ok(())
    }
}

/// The calls of one recording, in the order in which they began. Every message belongs to one.
pub(crate) fn calls(file: &str) -> Vec<Recorded> {
    let (_, text) = FILES.into_iter().find(|(name, _)| *name == file).unwrap();
    let mut calls: Vec<Recorded> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        if let Some(step) = text("step") {
            if let Some(got) = step.strip_prefix("got ") {
                for call in calls.iter_mut().rev().take_while(|call| call.got.is_none()) {
                    call.got = Some(got.to_owned());
                }
            }
            continue;
        }
        let (subject, reply, bytes) = (text("subject").unwrap(), text("reply"), Bytes::read(&line));
        if subject.starts_with("_INBOX.") {
            let taken =
                calls
                    .iter_mut()
                    .try_fold(bytes, |bytes, call| match call.take(subject, reply, bytes) {
                        Ok(()) => Err(()),
                        Err(bytes) => Ok(bytes),
                    });
            assert!(taken.is_err(), "{file}:{number}: {subject} belongs to no call");
            continue;
        }
        let parsed: InvocationSubject = subject
            .parse()
            .unwrap_or_else(|error| panic!("{file}:{number}: {error}"));
        assert_eq!(parsed.to_string(), subject);
        let headers = line.get("headers").and_then(Value::as_object).unwrap();
        calls.push(Recorded {
            place: format!("{file}:{number}"),
            subject: parsed,
            headers: headers
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
            got: None,
            inbox: reply.unwrap().to_owned(),
            callee: None,
            // A request without parameters is empty and ends nothing.
            messages: Vec::from_iter((bytes.len > 0).then_some((InboxPath::Params(IndexPath::ROOT), bytes))),
        });
    }
    for call in &calls {
        assert!(call.callee.is_some(), "{}: never accepted", call.place);
    }
    calls
}
