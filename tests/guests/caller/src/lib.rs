//! The component that calls, and measures what a call takes.

use exports::test::calls::driver::Guest;
use test::calls::bytes::{self, Message};
use test::calls::math;
use wasi::clocks::monotonic_clock;

wit_bindgen::generate!({ path: "../wit", world: "caller", generate_all });

struct Caller;

impl Guest for Caller {
    fn run_add(n: u32) -> u64 {
        let mut sum = 0;
        let time = time_per_call(n, || sum = math::add(sum, 1));
        // A sum that is wrong means that calls were lost or done twice; the time is then worth nothing.
        assert_eq!(sum, n, "the sum of {n} calls");
        time
    }

    fn run_echo(n: u32, s: String) -> u64 {
        time_per_call(n, || assert_eq!(math::echo(&s), s, "the text that comes back"))
    }

    fn run_echo_bytes(n: u32, size: u32) -> u64 {
        let bytes: Vec<u8> = (0..size).map(|place| place as u8).collect();
        time_per_call(n, || {
            assert_eq!(math::echo_bytes(&bytes), bytes, "the bytes that come back")
        })
    }

    fn run_forms(size: u32) {
        let some: Vec<u8> = (0..size).map(|place| place as u8).collect();
        let twice = [some.as_slice(), &some].concat();
        assert_eq!(bytes::join(&some, &some), twice);
        bytes::swallow(&some);
        assert_eq!(bytes::none(), None);
        assert_eq!(bytes::get("bucket", "none"), Ok(None));
        assert_eq!(bytes::get("bucket", "key"), Ok(Some(b"key".to_vec())));
        assert_eq!(
            bytes::get("bucket", "bad"),
            Err("no such key in bucket".to_owned())
        );
        assert_eq!(bytes::put("bucket", "key", b"bucketkey"), Ok(()));
        assert_eq!(bytes::put("bucket", "key", &some), Err(size.to_string()));
        assert_eq!(bytes::text("é".as_bytes()), Ok("é".to_owned()));
        assert!(bytes::text(&[0xff]).is_err_and(|error| error.contains("utf-8")));
        let message = Message {
            subject: "subject".to_owned(),
            body: some.iter().copied().take(1_000).collect(),
            tags: vec!["a".to_owned(), String::new()],
        };
        let back = bytes::relay(&message);
        assert_eq!(
            (back.subject, back.body, back.tags),
            (message.subject, message.body, message.tags)
        );
    }

    fn run_fail() {
        math::fail();
    }

    fn run_spin() {
        math::spin();
    }
}

export!(Caller);

fn time_per_call(n: u32, mut call: impl FnMut()) -> u64 {
    let start = monotonic_clock::now();
    for _ in 0..n {
        call();
    }
    (monotonic_clock::now() - start) / u64::from(n.max(1))
}
