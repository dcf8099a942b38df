//! Records of the two buckets, what wadm keeps, and what providers are told: the first line is the key, the rest the
//! record.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use wasmcloud_wire::app::{WadmApplication, WadmNames};
use wasmcloud_wire::provider::{HostData, InterfaceLinkDefinition};
use wasmcloud_wire::state::{Claims, ComponentSpec, Config, ConfigKey, LatticeKey, SecretReference};
use wasmcloud_wire::{Link, Message};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let key = parts.next().unwrap_or_default();
    let record = parts.next().unwrap_or_default();
    if let Ok(key) = std::str::from_utf8(key) {
        match key.parse::<LatticeKey>() {
            Ok(LatticeKey::Component(_)) => {
                if let Some(spec) = again::<ComponentSpec>(record) {
                    spec.links.iter().for_each(core);
                }
            }
            Ok(LatticeKey::Claims(_)) => drop(again::<Claims>(record)),
            Err(_) => {}
        }
        match key.parse::<ConfigKey>() {
            Ok(ConfigKey::Config(_)) => drop(again::<Config>(record)),
            Ok(ConfigKey::Secret(_)) => {
                if let Some(secret) = again::<SecretReference>(record) {
                    let _ = secret.properties();
                }
            }
            Err(_) => {}
        }
    }
    again::<HostData>(record);
    again::<InterfaceLinkDefinition>(record);
    again::<WadmNames>(record);
    again::<WadmApplication>(record);
    if let Ok(line) = std::str::from_utf8(input) {
        let _ = HostData::from_line(line);
    }
});

/// A link that makes sense to core still does when it comes back from there.
fn core(link: &Link) {
    if let Ok(core) = wasmcloud_core::Link::try_from(link) {
        let again = Link::from(&core);
        assert_eq!(
            wasmcloud_core::Link::try_from(&again).expect("it made sense before"),
            core
        );
    }
}

fn again<T: Message + PartialEq + Debug>(record: &[u8]) -> Option<T> {
    let value = T::decode(record).ok()?;
    assert_eq!(T::decode(&value.encode()).expect("what we write we read"), value);
    Some(value)
}
