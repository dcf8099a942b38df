//! The parser gives the same operations however its input is cut, and never more memory than its limits.

use proptest::prelude::*;

use super::*;

const MAX_LINE: usize = 64;
const MAX_PAYLOAD: usize = 100;

/// Feeds the pieces one after another; what comes out, as text.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Option<ProtocolError>) {
    let mut parser = Parser::new(MAX_LINE, MAX_PAYLOAD);
    let mut buffer = BytesMut::new();
    let mut ops = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match parser.feed(&mut buffer) {
                Ok(Some(op)) => ops.push(show(&op)),
                Ok(None) => break,
                Err(error) => return (ops, Some(error)),
            }
        }
        assert!(
            buffer.len() <= MAX_LINE + MAX_PAYLOAD + piece.len() + 4,
            "the parser lets its buffer grow"
        );
    }
    (ops, None)
}

fn show(op: &Op) -> String {
    match op {
        Op::Pub(publish) => format!(
            "{} {} {} {}",
            publish.subject().escape_ascii(),
            publish.reply().escape_ascii(),
            publish.header_len(),
            publish.payload().escape_ascii()
        ),
        other => format!("{other:?}"),
    }
}

fn check(input: &str, ops: &[&str], error: Option<ProtocolError>) {
    assert_eq!(
        run([input.as_bytes()]),
        (ops.iter().map(|op| (*op).to_owned()).collect(), error),
        "{input:?}"
    );
}

#[test]
fn messages_have_their_parts() {
    check("PUB a 0\r\n\r\n", &["a  0 "], None);
    check("PUB a b 3\r\nx\r\n\r\n", &["a b 0 x\\r\\n"], None);
    check("HPUB a b 2 3\r\nhhx\r\n", &["a b 2 hhx"], None);
    check("HPUB a 2 3\r\nhhx\r\nPING\r\n", &["a  2 hhx", "Ping"], None);
}

#[test]
fn limits_are_kept_to_the_byte() {
    let line = |len: usize| format!("PUB {} 0\r\n\r\n", "a".repeat(len - 6));
    assert_eq!(run([line(MAX_LINE).as_bytes()]).1, None);
    assert_eq!(
        run([line(MAX_LINE + 1).as_bytes()]).1,
        Some(ProtocolError::ControlLineTooLong)
    );
    // Also before its end has come.
    assert_eq!(
        run([vec![b'a'; MAX_LINE + 2].as_slice()]).1,
        Some(ProtocolError::ControlLineTooLong)
    );
    check(&format!("PUB a {MAX_PAYLOAD}\r\n"), &[], None);
    let more = MAX_PAYLOAD + 1;
    check(
        &format!("PUB a {more}\r\n"),
        &[],
        Some(ProtocolError::PayloadTooLarge),
    );
}

#[test]
fn a_payload_ends_where_it_said() {
    for wrong in ["PUB a 1\r\nxx", "PUB a 1\r\nx\n", "PUB a 1\r\nx\rx"] {
        check(wrong, &[], Some(ProtocolError::UnknownOperation));
    }
    check("PUB a 1\r\nx\r", &[], None);
}

fn any_op() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("PING\r\n".to_owned()),
        Just("PONG\n".to_owned()),
        Just("CONNECT {\"a\": 1}\r\n".to_owned()),
        "SUB [a-z.*>]{1,9} [0-9]{1,3}\r\n",
        "sub [a-z]{1,9} q [0-9]{1,3}\r\n",
        "UNSUB [0-9]{1,3}( [0-9]{1,2})?\r\n",
        ("[a-z]{1,5}", "( [a-z]{1,5})?", "[a-z\r\n]{0,30}").prop_map(|(subject, reply, payload)| format!(
            "PUB {subject}{reply} {}\r\n{payload}\r\n",
            payload.len()
        )),
        ("[a-z]{1,5}", "[A-Z]{0,9}", "[a-z\r\n]{0,30}").prop_map(|(subject, headers, payload)| format!(
            "hpub {subject} {} {}\r\n{headers}{payload}\r\n",
            headers.len(),
            headers.len() + payload.len()
        )),
    ]
}

proptest! {
    #[test]
    fn input_may_be_cut_anywhere(ops in proptest::collection::vec(any_op(), 0..8), sizes in proptest::collection::vec(1..9_usize, 1..9)) {
        let input = ops.concat().into_bytes();
        let whole = run([input.as_slice()]);
        prop_assert_eq!(whole.0.len(), ops.len());
        prop_assert_eq!(run(input.chunks(1)), whole.clone());
        let mut rest = input.as_slice();
        let mut pieces = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        prop_assert_eq!(run(pieces), whole);
    }

    #[test]
    fn garbage_is_the_same_garbage_in_pieces(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        let whole = run([input.as_slice()]);
        prop_assert_eq!(run(input.chunks(1)), whole);
    }

    #[test]
    fn what_is_nearly_right_never_panics(input in "(PUB|HPUB|SUB|UNSUB|PING|CONNECT)[ \t0-9a-z*>.{}\r\n-]{0,60}") {
        run(input.as_bytes().chunks(7));
    }
}
