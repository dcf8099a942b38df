//! What a client may send to the embedded lattice, in one piece and in many.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wasmcloud_broker::protocol::Parser;

/// Small limits, so that short inputs reach them.
const CONTROL_LINE: usize = 256;
const PAYLOAD: usize = 1024;

fuzz_target!(|input: &[u8]| {
    let at_once = operations([input]);
    // However the bytes are cut, they mean the same.
    assert_eq!(at_once, operations(input.chunks(1)));
    assert_eq!(at_once, operations(input.chunks(7)));
});

/// The operations, as text, and how it ended.
fn operations<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Option<String>) {
    let mut parser = Parser::new(CONTROL_LINE, PAYLOAD);
    let (mut read, mut buffer) = (Vec::new(), BytesMut::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match parser.feed(&mut buffer) {
                Ok(Some(operation)) => read.push(format!("{operation:?}")),
                Ok(None) => break,
                Err(error) => return (read, Some(error.to_string())),
            }
        }
    }
    (read, None)
}
