//! The component that is called: answers, traps or never returns.

use exports::test::calls::bytes::{self, Message};
use exports::test::calls::math;

wit_bindgen::generate!({ path: "../wit", world: "callee", generate_all });

struct Callee;

impl math::Guest for Callee {
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

impl bytes::Guest for Callee {
    fn get(bucket: String, key: String) -> Result<Option<Vec<u8>>, String> {
        match &*key {
            "none" => Ok(None),
            "bad" => Err(format!("no such key in {bucket}")),
            _ => Ok(Some(key.into_bytes())),
        }
    }

    fn none() -> Option<Vec<u8>> {
        None
    }

    fn join(mut a: Vec<u8>, b: Vec<u8>) -> Vec<u8> {
        a.extend(b);
        a
    }

    fn put(bucket: String, key: String, value: Vec<u8>) -> Result<(), String> {
        match value == (bucket + &key).into_bytes() {
            true => Ok(()),
            false => Err(value.len().to_string()),
        }
    }

    fn text(b: Vec<u8>) -> Result<String, String> {
        String::from_utf8(b).map_err(|error| error.to_string())
    }

    fn swallow(_: Vec<u8>) {}

    fn relay(m: Message) -> Message {
        m
    }
}

export!(Callee);
