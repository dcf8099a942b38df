//! Every recorded message of the families this crate knows is read into its type and written back as it was; a
//! message that belongs to no family fails the test, so that nothing is passed over in silence.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use wasmcloud_core::{ComponentId, LatticeName};
use wasmcloud_wire::control::{
    ClaimsList, ComponentAuctionAck, CtlResponse, Host, HostInventory, Links, ProviderAuctionAck, Request,
};
use wasmcloud_wire::event::CloudEvent;
use wasmcloud_wire::provider::{ConfigUpdate, HealthReply, HostData, InterfaceLinkDefinition, Shutdown};
use wasmcloud_wire::state::{
    Claims, ComponentSpec, Config, ConfigKey, LatticeKey, SecretReference, config_bucket, lattice_bucket,
};
use wasmcloud_wire::subject::{
    ControlInterface, EventSubject, Operation, ProviderOperation, ProviderSubject, Topic,
};
use wasmcloud_wire::{Message, message};

use crate::recorded::{FILES, Recorded, messages};

/// Families of later work: the manifest API with its bucket, commands, status and events.
const LATER: [&str; 2] = ["wadm.", "$KV.wadm_manifests."];

/// What a message is an answer to.
#[derive(Clone)]
enum Asked {
    Control(Operation),
    Provider(ProviderOperation),
    Later,
}

/// What a message turned out to be; counted, so that a recording that loses a family is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Request,
    Reply,
    Event,
    Provider,
    Record,
    Bookkeeping,
    Later,
}

struct Reader {
    lattice: LatticeName,
    control: ControlInterface,
    asked: HashMap<String, Asked>,
}

impl Reader {
    fn new() -> Self {
        let lattice: LatticeName = "default".parse().unwrap();
        Self {
            control: ControlInterface::new(&Topic::control(), &lattice),
            lattice,
            asked: HashMap::new(),
        }
    }

    fn read(&mut self, message: &Recorded) -> Family {
        let subject = message.subject.as_str();
        if subject.starts_with("wasmbus.ctl.") {
            self.request(message)
        } else if subject.starts_with("wasmbus.evt.") {
            event(message)
        } else if subject.starts_with("wasmbus.rpc.") {
            self.provider(message)
        } else if LATER.iter().any(|later| subject.starts_with(later)) {
            self.expect(message, Asked::Later);
            Family::Later
        } else if let Some(key) = subject.strip_prefix("$KV.") {
            self.record(message, key)
        } else if let Some(asked) = self.asked.get(subject).cloned() {
            reply(message, &asked)
        } else if subject.starts_with("_INBOX.")
            && message
                .json()
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.starts_with("io.nats.jetstream.api."))
        {
            Family::Bookkeeping
        } else {
            panic!("{}: {subject} belongs to no family", message.place);
        }
    }

    fn expect(&mut self, message: &Recorded, asked: Asked) {
        if let Some(inbox) = &message.reply {
            self.asked.insert(inbox.clone(), asked);
        }
    }

    fn request(&mut self, message: &Recorded) -> Family {
        let request = Request::parse(&self.control, &message.subject, message.payload.as_bytes())
            .unwrap_or_else(|error| panic!("{}: {error:?}", message.place));
        let operation = request.operation();
        assert_eq!(self.control.subject(&operation), message.subject);
        same(message, &request.encode());
        self.expect(message, Asked::Control(operation));
        Family::Request
    }

    fn provider(&mut self, message: &Recorded) -> Family {
        let subject: ProviderSubject = message.subject.parse().unwrap();
        assert_eq!(subject.to_string(), message.subject);
        assert_eq!(subject.lattice, self.lattice);
        match subject.operation {
            ProviderOperation::Health => assert_eq!(message.payload, ""),
            ProviderOperation::LinkPut | ProviderOperation::LinkDel => {
                again::<InterfaceLinkDefinition>(message);
            }
            ProviderOperation::ConfigUpdate => again::<ConfigUpdate>(message),
            ProviderOperation::Shutdown => again::<Shutdown>(message),
        }
        self.expect(message, Asked::Provider(subject.operation));
        Family::Provider
    }

    fn record(&mut self, message: &Recorded, key: &str) -> Family {
        let (bucket, key) = key.split_once('.').unwrap();
        let removed = message.operation.is_some();
        if bucket == lattice_bucket(&self.lattice) {
            let parsed: LatticeKey = key.parse().unwrap();
            assert_eq!(parsed.to_string(), key);
            match parsed {
                LatticeKey::Component(_) => again::<ComponentSpec>(message),
                LatticeKey::Claims(_) => again::<Claims>(message),
            }
        } else if bucket == config_bucket(&self.lattice) {
            let parsed: ConfigKey = key.parse().unwrap();
            assert_eq!(parsed.to_string(), key);
            match parsed {
                _ if removed => assert_eq!(message.payload, ""),
                ConfigKey::Config(_) => again::<Config>(message),
                ConfigKey::Secret(_) => again::<SecretReference>(message),
            }
        } else {
            panic!("{}: the bucket {bucket} belongs to no family", message.place);
        }
        Family::Record
    }
}

fn event(message: &Recorded) -> Family {
    let subject: EventSubject = message.subject.parse().unwrap();
    assert_eq!(subject.to_string(), message.subject);
    let event = CloudEvent::decode(message.payload.as_bytes())
        .unwrap_or_else(|error| panic!("{}: {error:?}", message.place));
    assert_eq!(event.event.kind(), subject.kind, "{}", message.place);
    same(message, &event.encode());
    Family::Event
}

fn reply(message: &Recorded, asked: &Asked) -> Family {
    match asked {
        Asked::Later => return Family::Later,
        Asked::Provider(ProviderOperation::Health) => again::<HealthReply>(message),
        Asked::Provider(ProviderOperation::Shutdown) => {
            assert_eq!(message.payload, message::PROVIDER_SHUTTING_DOWN);
        }
        Asked::Provider(operation) => panic!("{}: {operation:?} is not answered", message.place),
        Asked::Control(operation) => match operation {
            Operation::HostPing => again::<CtlResponse<Host>>(message),
            Operation::HostGet(_) => again::<CtlResponse<HostInventory>>(message),
            Operation::ComponentAuction => again::<CtlResponse<ComponentAuctionAck>>(message),
            Operation::ProviderAuction => again::<CtlResponse<ProviderAuctionAck>>(message),
            Operation::LinkGet => again::<CtlResponse<Links>>(message),
            Operation::ClaimsGet => again::<CtlResponse<ClaimsList>>(message),
            Operation::ConfigGet(_) => again::<CtlResponse<Config>>(message),
            Operation::HostStop(_)
            | Operation::LabelPut(_)
            | Operation::LabelDel(_)
            | Operation::ComponentScale(_)
            | Operation::ComponentUpdate(_)
            | Operation::ProviderStart(_)
            | Operation::ProviderStop(_)
            | Operation::LinkPut
            | Operation::LinkDel
            | Operation::ConfigPut(_)
            | Operation::ConfigDel(_)
            | Operation::RegistryPut => again::<CtlResponse>(message),
        },
    }
    Family::Reply
}

/// The payload is read as a `T`, and what that writes says the same.
fn again<T: Message>(message: &Recorded) {
    let value = T::decode(message.payload.as_bytes())
        .unwrap_or_else(|error| panic!("{}: {}", message.place, message::chain(&error)));
    same(message, &value.encode());
}

fn same(message: &Recorded, written: &[u8]) {
    if message.payload.is_empty() {
        assert!(written.is_empty(), "{}", message.place);
        return;
    }
    let written: Value = serde_json::from_slice(written).unwrap();
    assert_eq!(written, message.json(), "{}", message.place);
}

#[test]
fn every_recorded_message_is_read_and_written_back() {
    use Family::*;
    let expected = [
        (
            "control",
            vec![
                (Request, 14),
                (Reply, 16),
                (Event, 12),
                (Provider, 6),
                (Record, 12),
                (Bookkeeping, 2),
            ],
        ),
        (
            "provider-lifecycle",
            vec![(Request, 5), (Reply, 6), (Event, 5), (Provider, 5), (Record, 6)],
        ),
        (
            "applications",
            vec![(Request, 19), (Reply, 19), (Event, 9), (Record, 7), (Later, 38)],
        ),
    ];
    for (file, _) in FILES {
        let mut reader = Reader::new();
        let mut found = BTreeMap::new();
        for message in messages(file) {
            *found.entry(reader.read(&message)).or_insert(0) += 1;
        }
        let (_, expected) = expected.iter().find(|(name, _)| *name == file).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), *expected, "{file}");
    }
}

#[test]
fn recorded_host_data_is_read_and_written_back() {
    let text = include_str!("provider-host-data.json");
    let data = HostData::decode(text.as_bytes()).unwrap();
    let again: Value = serde_json::from_slice(&data.encode()).unwrap();
    assert_eq!(again, serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(HostData::from_line(&data.to_line()).unwrap(), data);
}

#[test]
fn recorded_links_and_ids_make_sense_to_core() {
    let mut links = 0;
    for message in FILES.iter().flat_map(|(file, _)| messages(file)) {
        if !message.subject.starts_with("$KV.LATTICEDATA_default.COMPONENT_") {
            continue;
        }
        let key: LatticeKey = message.subject.rsplit('.').next().unwrap().parse().unwrap();
        let LatticeKey::Component(id) = key else { panic!() };
        let spec = ComponentSpec::decode(message.payload.as_bytes()).unwrap();
        for link in &spec.links {
            let core = wasmcloud_core::Link::try_from(link).unwrap();
            let source: &ComponentId = &core.source;
            assert_eq!(*source, id);
            links += 1;
        }
    }
    assert!(links > 0);
}

#[test]
#[should_panic(expected = "belongs to no family")]
fn a_message_of_no_family_is_noticed() {
    Reader::new().read(&Recorded {
        place: "here:1".to_owned(),
        subject: "something.else".to_owned(),
        reply: None,
        operation: None,
        payload: String::new(),
    });
}
