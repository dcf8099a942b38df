//! The state of an embedded lattice, as clients ask for it and the broker answers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasmcloud_wire::state_api::{Change, Request, StateSubject, decode_reply};

fuzz_target!(|input: &[u8]| {
    let _ = StateSubject::parse(input);
    if let Ok(request) = Request::decode(input) {
        let again = Request::decode(&request.encode()).expect("what we write we read");
        assert_eq!(again, request);
    }
    if let Ok(change) = Change::decode(input) {
        let again = Change::decode(&change.encode()).expect("what we write we read");
        assert_eq!(again, change);
    }
    let _ = decode_reply(input);
});
