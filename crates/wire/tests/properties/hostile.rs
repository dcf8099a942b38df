//! Bytes and text that nobody who means well would send. A reader refuses them or reads something that, written
//! again, is read as the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;
use serde_json::Value;
use wasmcloud_wire::Message;
use wasmcloud_wire::config_service::{ConfigServiceReply, ConfigServiceRequest};
use wasmcloud_wire::control::{
    ClaimsList, ComponentAuctionAck, CtlResponse, Host, HostInventory, Links, Nothing, ProviderAuctionAck,
    Request,
};
use wasmcloud_wire::event::CloudEvent;
use wasmcloud_wire::message::{MAX_TEXT, chain};
use wasmcloud_wire::policy::{PolicyReply, PolicyRequest};
use wasmcloud_wire::provider::{HealthReply, HostData, InterfaceLinkDefinition, Shutdown};
use wasmcloud_wire::state::{Claims, ComponentSpec, Config, ConfigKey, LatticeKey, SecretReference};
use wasmcloud_wire::subject::{ControlInterface, EventSubject, ProviderSubject, Topic};

/// Every request there is, on a lattice `default`.
const SUBJECTS: [&str; 19] = [
    "host.ping",
    "host.get.N1",
    "host.stop.N1",
    "label.put.N1",
    "label.del.N1",
    "component.auction",
    "component.scale.N1",
    "component.update.N1",
    "provider.auction",
    "provider.start.N1",
    "provider.stop.N1",
    "link.get",
    "link.put",
    "link.del",
    "claims.get",
    "config.get.a.b",
    "config.put.a.b",
    "config.del.a.b",
    "registry.put",
];

fn control() -> ControlInterface {
    ControlInterface::new(&Topic::control(), &"default".parse().unwrap())
}

fn read_all(bytes: &[u8]) {
    for subject in SUBJECTS {
        let subject = format!("wasmbus.ctl.v1.default.{subject}");
        match Request::parse(&control(), &subject, bytes) {
            Ok(request) => {
                let again = Request::parse(&control(), &subject, &request.encode()).unwrap();
                assert_eq!(again, request);
            }
            Err(error) => {
                let reply = error.reply();
                assert!(!reply.success && reply.message.len() <= MAX_TEXT + "…".len());
            }
        }
    }
    // What comes for nothing is ignored, so it is not written again.
    let _ = CtlResponse::<Nothing>::decode(bytes);
    read::<CtlResponse<Host>>(bytes);
    read::<CtlResponse<HostInventory>>(bytes);
    read::<CtlResponse<ComponentAuctionAck>>(bytes);
    read::<CtlResponse<ProviderAuctionAck>>(bytes);
    read::<CtlResponse<Links>>(bytes);
    read::<CtlResponse<ClaimsList>>(bytes);
    read::<CtlResponse<Config>>(bytes);
    read::<ComponentSpec>(bytes);
    read::<Claims>(bytes);
    read::<Config>(bytes);
    read::<SecretReference>(bytes);
    read::<PolicyRequest>(bytes);
    read::<PolicyReply>(bytes);
    read::<ConfigServiceRequest>(bytes);
    read::<ConfigServiceReply>(bytes);
    read::<HostData>(bytes);
    read::<InterfaceLinkDefinition>(bytes);
    read::<Shutdown>(bytes);
    read::<HealthReply>(bytes);
    match CloudEvent::decode(bytes) {
        Ok(event) => assert_eq!(CloudEvent::decode(&event.encode()).unwrap(), event),
        Err(error) => assert!(!chain(&error).is_empty()),
    }
}

fn read<T: Message + PartialEq + Debug>(bytes: &[u8]) {
    match T::decode(bytes) {
        Ok(value) => assert_eq!(T::decode(&value.encode()).unwrap(), value),
        Err(error) => assert!(!chain(&error).is_empty()),
    }
}

fn read_text<T: FromStr<Err: Debug> + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

fn read_all_text(text: &str) {
    if let Ok(operation) = control().parse(text) {
        assert_eq!(control().subject(&operation), text);
    }
    read_text::<EventSubject>(text);
    read_text::<ProviderSubject>(text);
    read_text::<Topic>(text);
    read_text::<LatticeKey>(text);
    read_text::<ConfigKey>(text);
    let _ = HostData::from_line(text);
}

/// Payloads that v1 sent.
fn recorded() -> impl Strategy<Value = Vec<u8>> {
    let files = [
        include_str!("../golden/control.jsonl"),
        include_str!("../golden/provider-lifecycle.jsonl"),
    ];
    let mut payloads: Vec<Vec<u8>> = files
        .iter()
        .flat_map(|file| file.lines())
        .filter_map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            Some(line.get("text")?.as_str()?.as_bytes().to_vec())
        })
        .filter(|payload| !payload.is_empty())
        .collect();
    payloads.push(include_bytes!("../golden/provider-host-data.json").to_vec());
    prop::sample::select(payloads)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn any_json(json in crate::values::json()) {
        read_all(json.to_string().as_bytes());
    }

    #[test]
    fn recorded_messages_with_changes(
        payload in recorded(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..6u8, any::<u8>()), 0..5),
    ) {
        let mut bytes = payload;
        for (place, kind, new) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes.truncate(at),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, new),
                3 => drop(bytes.splice(at..=at, *b"null")),
                4 => drop(bytes.splice(at..=at, *b"[]")),
                _ => drop(bytes.splice(at..=at, *b"\"\\u0000\"")),
            }
        }
        read_all(&bytes);
    }

    #[test]
    fn any_text(text in "\\PC{0,80}") {
        read_all_text(&text);
    }

    #[test]
    fn text_like_subjects_and_keys(
        start in prop::sample::select(vec![
            "wasmbus.ctl.v1.default.", "wasmbus.evt.default.", "wasmbus.rpc.default.", "COMPONENT_", "CLAIMS_", "SECRET_", "",
        ]),
        rest in "([a-z]{1,3}|config|put|linkdefs|health|\\.|\\*|>|_|-|/| |é){0,8}",
    ) {
        read_all_text(&format!("{start}{rest}"));
    }
}

#[test]
fn nesting_is_limited() {
    for open in ["[", "{\"a\":"] {
        read_all(open.repeat(1 << 18).as_bytes());
        read_all(format!("{{\"url\":\"\",\"links\":[],\"x\":{}", open.repeat(1 << 18)).as_bytes());
    }
}

#[test]
fn counts_are_limited() {
    let refused = |error| chain(&error);
    let names = vec!["\"\""; 1_001].join(",");
    let spec = format!(
        r#"{{"links":[{{"source_id":"","target":"","wit_namespace":"","wit_package":"","interfaces":[{names}]}}]}}"#
    );
    let error = refused(ComponentSpec::decode(spec.as_bytes()).unwrap_err());
    assert!(
        error.contains("field `links[0].interfaces`: more than 1000 items"),
        "{error}"
    );
    let entries: Vec<String> = (0..10_001).map(|number| format!(r#""{number}":"""#)).collect();
    let config = format!("{{{}}}", entries.join(","));
    let error = refused(Config::decode(config.as_bytes()).unwrap_err());
    assert!(error.contains("more than 10000 entries"), "{error}");
}
