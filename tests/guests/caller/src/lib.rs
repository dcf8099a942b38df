//! The component that calls, and measures what a call takes.

use exports::test::calls::driver::Guest;
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
