//! Events, as anybody on the lattice may publish them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasmcloud_wire::event::CloudEvent;
use wasmcloud_wire::message::{MAX_TEXT, chain};

fuzz_target!(|input: &[u8]| {
    match CloudEvent::decode(input) {
        Ok(event) => {
            let again = CloudEvent::decode(&event.encode()).expect("what we write we read");
            assert_eq!(again, event);
        }
        Err(error) => assert!(chain(&error).len() <= 2 * MAX_TEXT),
    }
});
