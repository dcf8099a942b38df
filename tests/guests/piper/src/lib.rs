//! The component that passes streams of the host on to another.

use exports::test::resources::pipe_driver::Guest;
use test::resources::{pipes, source};

wit_bindgen::generate!({ path: "../wit", world: "piper", generate_all });

struct Piper;

impl Guest for Piper {
    fn run_pipes() {
        assert_eq!(pipes::read(source::open("what comes along")), "what comes along");
        let rest = pipes::skip(source::open("what comes along"), 5).expect("there is more");
        assert_eq!(rest.blocking_read(5).expect("there is more"), b"comes");
        assert_eq!(pipes::read(rest), " along");
        assert!(pipes::skip(source::open(""), 5).is_err());

        let sink = source::sink();
        sink.blocking_write_and_flush(b"one, ")
            .expect("the stream takes what is written");
        let sink = pipes::write(pipes::write(sink, "two, "), "three, ");
        sink.blocking_write_and_flush(b"four")
            .expect("the stream is ours again");
    }

    fn run_peek() {
        pipes::peek(&source::open("lent"));
    }

    fn run_polled() {
        let stream = source::open("waited for");
        let _pollable = stream.subscribe();
        pipes::read(stream);
    }
}

export!(Piper);
