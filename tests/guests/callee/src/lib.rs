//! The component that is called: answers, traps or never returns.

use exports::test::calls::math::Guest;

wit_bindgen::generate!({ path: "../wit", world: "callee", generate_all });

struct Callee;

impl Guest for Callee {
    fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }

    fn echo(s: String) -> String {
        s
    }

    fn echo_bytes(b: Vec<u8>) -> Vec<u8> {
        b
    }

    fn fail() {
        core::arch::wasm32::unreachable()
    }

    fn spin() {
        loop {
            std::hint::black_box(());
        }
    }
}

export!(Callee);
