//! Headers no host should pass on: too many of them, and malformed ones.

use crate::reply::{self, Reply};
use crate::wasi::http::types::{Fields, ResponseOutparam};
use crate::{number, value};

/// Adds `n` headers of `size` bytes, and says in the body at which one the host refused.
pub fn many(out: ResponseOutparam, query: &str) {
    let wanted = number(query, "n", 100);
    let content = vec![b'v'; usize::try_from(number(query, "size", 8)).unwrap_or(8)];
    let fields = Fields::new();
    let mut text = String::new();
    let mut accepted = 0;
    while accepted < wanted {
        if let Err(error) = fields.append(&format!("x-many-{accepted}"), &content) {
            text = format!("refused: {error:?}\n");
            break;
        }
        accepted += 1;
    }
    let text = format!("accepted: {accepted} of {wanted}\n{text}");
    // A host may take the fields and refuse the head; `keep=no` tells the two apart.
    if value(query, "keep") == Some("no") {
        return Reply::text(200, &text).send(out);
    }
    let body = reply::start(out, 200, fields);
    if body.write(text.as_bytes()) {
        body.finish(&[]);
    }
}

/// Tries headers that would smuggle something, and says what became of each.
pub fn bad(out: ResponseOutparam) {
    let attempts: [(&str, &str, &[u8]); 8] = [
        ("cr-lf in a value", "x-bad", b"a\r\nx-smuggled: 1"),
        ("lf in a value", "x-bad", b"a\nx-smuggled: 1"),
        ("nul in a value", "x-bad", b"a\0b"),
        ("lf in a name", "x-bad\nx-smuggled", b"1"),
        ("space in a name", "x bad", b"1"),
        ("empty name", "", b"1"),
        ("transfer-encoding", "transfer-encoding", b"chunked"),
        ("connection", "connection", b"close"),
    ];
    let fields = Fields::new();
    let verdicts: Vec<String> = attempts
        .iter()
        .map(|(what, name, value)| match fields.append(name, value) {
            Ok(()) => format!("{what}: accepted\n"),
            Err(error) => format!("{what}: {error:?}\n"),
        })
        .collect();
    // What was accepted is really sent: a test sees on the wire whether it does harm.
    let body = reply::start(out, 200, fields);
    if body.write(verdicts.concat().as_bytes()) {
        body.finish(&[]);
    }
}
