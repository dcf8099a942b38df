//! What our types say for the steps of the recordings is what the v1 host said, up to ids and times.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wasmcloud_core::{HostId, Link as CoreLink};
use wasmcloud_wire::control::{
    ClaimsEntry, ClaimsList, ComponentAuction, ComponentDescription, CtlResponse, DeleteLink, Host,
    HostInventory, Link, Links, Nothing, ProviderDescription, PutLabel, Request, ScaleComponent,
    StartProvider, StopHost, StopProvider, uptime_human,
};
use wasmcloud_wire::event::{
    CloudEvent, ComponentScaleFailed, ComponentScaled, ConfigChanged, Event, HealthCheck, HostStopped,
    LabelsChanged, LinkdefDeleted, LinkdefSet, LinkdefSetFailed, ProviderEventClaims, ProviderStarted,
    ProviderStopped,
};
use wasmcloud_wire::provider::{HealthReply, InterfaceLinkDefinition, Shutdown};
use wasmcloud_wire::state::{
    Claims, ClaimsCommon, ComponentSpec, Config, ConfigKey, LatticeKey, ProviderClaims, config_bucket,
    lattice_bucket,
};
use wasmcloud_wire::subject::{ControlInterface, EventSubject, ProviderOperation, ProviderSubject, Topic};
use wasmcloud_wire::{Labels, Message, message};

use crate::recorded::{Recorded, messages};

const HOST: &str = "NCSMZMQIUNKQLFQ4RKS5JD2VFWRMRTRO6X7FUXY4HORNP3TM5RDMIDSS";
const ISSUER: &str = "ACGWFE6ZRWRZGR3BS2O5PW3IJ6LO5RS66GIKYMNHVKRGYY6ZP4UI52DV";
const HTTP_KEY: &str = "VD4UFWCWAJQZO2RM4A4XDBOYYSKLHH5C7EXQCWYCRW25LO4UII4YGWJ5";
const PROCESS_KEY: &str = "XAS6JXOT5NSV7GIAOWSBS3ATWBT6M5L6NTFOJBAJXAQPWN5KCYOFGFOM";

/// The messages of a recording, looked up in their order as the steps go.
struct Recording {
    messages: Vec<Recorded>,
    /// Where the search for the next message begins: behind the request asked last. What a host does because of one
    /// request has no promised order.
    next: usize,
    /// Where the request asked last is answered.
    inbox: String,
}

impl Recording {
    fn of(file: &str) -> Self {
        Self {
            messages: messages(file),
            next: 0,
            inbox: String::new(),
        }
    }

    /// The next message on a subject says what `ours` says. Returns where it stands and where it is answered.
    fn says(&self, subject: &str, ours: &[u8]) -> (usize, Option<String>) {
        let mut later = self.messages.iter().enumerate().skip(self.next);
        let (index, message) = later
            .find(|(_, message)| message.subject == subject)
            .unwrap_or_else(|| panic!("nothing more on {subject}"));
        if message.payload.is_empty() || ours.is_empty() {
            assert_eq!(
                String::from_utf8_lossy(ours),
                message.payload,
                "{}",
                message.place
            );
        } else {
            let ours: Value = serde_json::from_slice(ours).unwrap();
            assert_eq!(timeless(ours), timeless(message.json()), "{}", message.place);
        }
        (index, message.reply.clone())
    }

    fn asks(&mut self, request: &Request) {
        let subject = control().subject(&request.operation());
        let (index, inbox) = self.says(&subject, &request.encode());
        self.next = index + 1;
        self.inbox = inbox.unwrap();
    }

    fn answers<T: Serialize + DeserializeOwned>(&self, reply: &CtlResponse<T>) {
        self.says(&self.inbox, &reply.encode());
    }

    /// The answer to a request that asks for nothing.
    fn does(&self, message: &str) {
        self.answers::<Nothing>(&CtlResponse::success(message));
    }

    fn tells(&self, event: Event) {
        let subject = EventSubject {
            lattice: "default".parse().unwrap(),
            kind: event.kind(),
        };
        let event = CloudEvent::new("ours", &host(), "2026-11-22T00:00:00Z", event);
        self.says(&subject.to_string(), &event.encode());
    }

    fn writes(&self, key: &LatticeKey, record: &[u8]) {
        let bucket = lattice_bucket(&"default".parse().unwrap());
        self.says(&format!("$KV.{bucket}.{key}"), record);
    }

    /// Returns where the provider answers, if it does.
    fn to_provider(&self, provider: &str, operation: ProviderOperation, payload: &[u8]) -> Option<String> {
        let subject = ProviderSubject {
            lattice: "default".parse().unwrap(),
            provider: provider.parse().unwrap(),
            operation,
        };
        self.says(&subject.to_string(), payload).1
    }
}

/// The id and time of an event are its own.
fn timeless(mut value: Value) -> Value {
    if let Some(event) = value.as_object_mut().filter(|it| it.contains_key("specversion")) {
        event.insert("id".to_owned(), Value::Null);
        event.insert("time".to_owned(), Value::Null);
    }
    value
}

fn control() -> ControlInterface {
    ControlInterface::new(&Topic::control(), &"default".parse().unwrap())
}

fn host() -> HostId {
    HOST.parse().unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn host_labels(more: &[(&str, &str)]) -> Labels {
    let mut all = labels(&[
        ("hostcore.arch", "x86_64"),
        ("hostcore.os", "linux"),
        ("hostcore.osfamily", "unix"),
    ]);
    all.extend(labels(more));
    all
}

fn link(target: &str, config: &[&str]) -> Link {
    Link::from(&CoreLink {
        source: "http".parse().unwrap(),
        target: target.parse().unwrap(),
        name: Default::default(),
        namespace: "wasi".to_owned(),
        package: "http".to_owned(),
        interfaces: vec!["incoming-handler".to_owned()],
        source_config: config.iter().map(|name| name.parse().unwrap()).collect(),
        target_config: Vec::new(),
        route: Default::default(),
    })
}

fn definition(link: &Link, config: Labels) -> InterfaceLinkDefinition {
    InterfaceLinkDefinition {
        source_id: link.source_id.clone(),
        target: link.target.clone(),
        name: link.name.clone(),
        wit_namespace: link.wit_namespace.clone(),
        wit_package: link.wit_package.clone(),
        interfaces: link.interfaces.clone(),
        source_config: config,
        ..InterfaceLinkDefinition::default()
    }
}

fn component_key(id: &str) -> LatticeKey {
    LatticeKey::Component(id.parse().unwrap())
}

fn claims(name: &str, subject: &str) -> Claims {
    Claims::Provider(ProviderClaims {
        common: ClaimsCommon {
            issuer: ISSUER.to_owned(),
            name: name.to_owned(),
            revision: "0".to_owned(),
            subject: subject.to_owned(),
            version: String::new(),
        },
        ..ProviderClaims::default()
    })
}

fn provider_started(id: &str, image: &str, name: &str, annotations: Labels) -> Event {
    Event::ProviderStarted(ProviderStarted {
        host_id: HOST.to_owned(),
        image_ref: image.to_owned(),
        provider_id: id.to_owned(),
        annotations,
        claims: Some(ProviderEventClaims {
            issuer: ISSUER.to_owned(),
            name: Some(name.to_owned()),
            not_before_human: "never".to_owned(),
            expires_human: "never".to_owned(),
            ..ProviderEventClaims::default()
        }),
        instance_id: Some(id.to_owned()),
        public_key: Some(id.to_owned()),
        link_name: Some("default".to_owned()),
    })
}

fn scale(id: &str, count: u32, annotations: Option<Labels>) -> Request {
    Request::ScaleComponent(
        host(),
        ScaleComponent {
            component_ref: format!("file:///app/{id}.wasm"),
            component_id: id.parse().unwrap(),
            annotations,
            count,
            component_limits: None,
            host_id: host(),
            config: Vec::new(),
            allow_update: false,
            weight: None,
            probe: None,
            links_required: false,
            link_suffix: None,
        },
    )
}

fn scaled(count: u32) -> Event {
    Event::ComponentScaled(ComponentScaled {
        annotations: labels(&[("k", "v")]),
        host_id: HOST.to_owned(),
        image_ref: "file:///app/hello.wasm".to_owned(),
        max_instances: count,
        component_id: "hello".to_owned(),
        ..ComponentScaled::default()
    })
}

fn health() -> HealthCheck {
    HealthCheck {
        host_id: HOST.to_owned(),
        provider_id: "http".to_owned(),
    }
}

fn inventory(labels: Labels, seconds: u64) -> HostInventory {
    HostInventory {
        components: vec![ComponentDescription {
            id: "hello".to_owned(),
            image_ref: "file:///app/hello.wasm".to_owned(),
            annotations: Some(self::labels(&[("k", "v")])),
            max_instances: 5,
            ..ComponentDescription::default()
        }],
        providers: vec![ProviderDescription {
            id: "http".to_owned(),
            image_ref: Some("/app/http-server.par.gz".to_owned()),
            name: Some("http-server".to_owned()),
            annotations: Some(Labels::new()),
            ..ProviderDescription::default()
        }],
        host_id: HOST.to_owned(),
        friendly_name: "crimson-field-2598".to_owned(),
        labels,
        version: "1.9.2".to_owned(),
        uptime_human: uptime_human(Duration::from_secs(seconds)),
        uptime_seconds: seconds,
        ..HostInventory::default()
    }
}

#[test]
fn the_host_and_its_components() {
    let mut recorded = Recording::of("control");

    recorded.asks(&Request::PingHosts);
    recorded.answers(&CtlResponse::ok(Host {
        id: HOST.to_owned(),
        rpc_host: Some("nats://127.0.0.1:4222".to_owned()),
        ctl_host: Some("nats://127.0.0.1:4222".to_owned()),
        friendly_name: "crimson-field-2598".to_owned(),
        labels: host_labels(&[]),
        lattice: "default".to_owned(),
        js_domain: None,
        uptime_human: uptime_human(Duration::from_secs(4)),
        uptime_seconds: 4,
        version: "1.9.2".to_owned(),
        inventory_revision: None,
    }));

    let auction = ComponentAuction {
        component_ref: "file:///app/hello.wasm".to_owned(),
        component_id: "hello".parse().unwrap(),
        constraints: Labels::new(),
    };
    recorded.asks(&Request::AuctionComponent(auction.clone()));
    let mut ack = auction.accept(&host());
    assert_eq!(ack.component_id, "hello");
    // v1 repeats the reference where the id belongs. We do not.
    ack.component_id.clone_from(&ack.component_ref);
    recorded.answers(&CtlResponse::ok(ack));

    recorded.asks(&scale("hello", 5, Some(labels(&[("k", "v")]))));
    recorded.does("");
    let spec = ComponentSpec {
        url: "file:///app/hello.wasm".to_owned(),
        ..ComponentSpec::default()
    };
    recorded.writes(&component_key("hello"), &spec.encode());
    recorded.tells(scaled(5));

    recorded.asks(&Request::GetInventory(host()));
    recorded.answers(&CtlResponse::ok(inventory(host_labels(&[]), 12)));

    recorded.asks(&Request::PutLabel(
        host(),
        PutLabel {
            key: "zone".to_owned(),
            value: "a".to_owned(),
        },
    ));
    recorded.tells(Event::LabelsChanged(LabelsChanged {
        host_id: HOST.to_owned(),
        labels: host_labels(&[("zone", "a")]),
    }));
    recorded.does(message::LABEL_PUT);

    recorded.asks(&scale("none", 5, None));
    recorded.does("");
    recorded.tells(Event::ComponentScaleFailed(ComponentScaleFailed {
        annotations: Labels::new(),
        host_id: HOST.to_owned(),
        image_ref: "file:///app/none.wasm".to_owned(),
        max_instances: 5,
        component_id: "none".to_owned(),
        error: "failed to fetch component: failed to read component: No such file or directory (os error 2)"
            .to_owned(),
        public_key: None,
    }));
    recorded.tells(Event::HostHeartbeat(inventory(host_labels(&[("zone", "a")]), 30)));
}

#[test]
fn configs() {
    let mut recorded = Recording::of("control");
    let config = Config(labels(&[("address", "127.0.0.1:9201")]));
    let name = "web".parse().unwrap();
    recorded.asks(&Request::PutConfig(name, config.clone()));
    let key: ConfigKey = "web".parse().unwrap();
    let bucket = config_bucket(&"default".parse().unwrap());
    recorded.says(&format!("$KV.{bucket}.{key}"), &config.encode());
    recorded.tells(Event::ConfigSet(ConfigChanged {
        config_name: "web".to_owned(),
    }));

    recorded.asks(&Request::GetConfig("web".parse().unwrap()));
    recorded.answers(&CtlResponse::ok(config));

    let mut recorded = Recording::of("applications");
    let name = || "hello-default_http".parse().unwrap();
    recorded.asks(&Request::GetConfig(name()));
    recorded.answers::<Config>(&CtlResponse::success(message::CONFIG_NOT_FOUND));
    recorded.asks(&Request::DeleteConfig(name()));
    recorded.does(message::CONFIG_DELETED);
}

#[test]
fn providers() {
    let mut recorded = Recording::of("control");
    let image = "/app/http-server.par.gz";
    recorded.asks(&Request::StartProvider(
        host(),
        StartProvider {
            provider_id: "http".parse().unwrap(),
            provider_ref: format!("file://{image}"),
            host_id: host(),
            config: Vec::new(),
            annotations: Some(Labels::new()),
        },
    ));
    recorded.does(message::PROVIDER_STARTED);
    let key = LatticeKey::Claims(HTTP_KEY.parse().unwrap());
    recorded.writes(&key, &claims("http-server", HTTP_KEY).encode());
    let spec = ComponentSpec {
        url: image.to_owned(),
        ..ComponentSpec::default()
    };
    recorded.writes(&component_key("http"), &spec.encode());
    recorded.to_provider(
        "http",
        ProviderOperation::ConfigUpdate,
        &Config::default().encode(),
    );
    recorded.tells(provider_started("http", image, "http-server", Labels::new()));

    recorded.asks(&Request::GetClaims);
    let entry = ClaimsEntry::from(&claims("http-server", HTTP_KEY));
    recorded.answers(&CtlResponse::ok(ClaimsList(vec![entry])));

    let inbox = recorded.to_provider("http", ProviderOperation::Health, b"");
    let well = HealthReply {
        healthy: true,
        message: None,
    };
    recorded.says(&inbox.unwrap(), &well.encode());
    recorded.tells(Event::HealthCheckPassed(health()));
    recorded.tells(Event::HealthCheckStatus(health()));

    let mut recorded = Recording::of("provider-lifecycle");
    recorded.tells(provider_started(
        "dump",
        "/app/dump.par.gz",
        "dump",
        labels(&[("a", "b")]),
    ));
    recorded.asks(&Request::StopProvider(
        host(),
        StopProvider {
            host_id: host(),
            provider_id: "kv".parse().unwrap(),
        },
    ));
    let shutdown = Shutdown {
        host_id: HOST.to_owned(),
    };
    recorded.to_provider("kv", ProviderOperation::Shutdown, &shutdown.encode());
    recorded.tells(Event::ProviderStopped(ProviderStopped {
        host_id: HOST.to_owned(),
        provider_id: "kv".to_owned(),
        reason: "stop".to_owned(),
        instance_id: "kv".to_owned(),
        public_key: "kv".to_owned(),
        link_name: "default".to_owned(),
        annotations: Labels::new(),
    }));
    recorded.does(message::PROVIDER_STOPPED);
}

#[test]
fn links() {
    let mut recorded = Recording::of("control");
    let hello = link("hello", &["web"]);
    recorded.asks(&Request::PutLink(hello.clone()));
    let spec = ComponentSpec {
        url: "/app/http-server.par.gz".to_owned(),
        links: vec![hello.clone()],
        ..ComponentSpec::default()
    };
    recorded.writes(&component_key("http"), &spec.encode());
    let told = definition(&hello, labels(&[("address", "127.0.0.1:9201")])).encode();
    for provider in [PROCESS_KEY, "http", "hello"] {
        recorded.to_provider(provider, ProviderOperation::LinkPut, &told);
    }
    recorded.tells(Event::LinkdefSet(LinkdefSet::from(&hello)));
    recorded.does(message::LINK_PUT);

    recorded.asks(&Request::GetLinks);
    recorded.answers(&CtlResponse::ok(Links(vec![hello.clone()])));

    let other = link("other", &[]);
    recorded.asks(&Request::PutLink(other.clone()));
    recorded.tells(Event::LinkdefSetFailed(LinkdefSetFailed {
        error: message::LINK_CONFLICT.to_owned(),
        link: LinkdefSet::from(&other),
    }));
    recorded.answers::<Nothing>(&CtlResponse::error(message::LINK_CONFLICT));

    let mut recorded = Recording::of("provider-lifecycle");
    recorded.asks(&Request::DeleteLink(DeleteLink {
        source_id: "http".parse().unwrap(),
        name: Default::default(),
        wit_namespace: "wasi".to_owned(),
        wit_package: "http".to_owned(),
    }));
    let told = definition(&hello, BTreeMap::new()).encode();
    for provider in ["http", "hello"] {
        recorded.to_provider(provider, ProviderOperation::LinkDel, &told);
    }
    recorded.tells(Event::LinkdefDeleted(LinkdefDeleted {
        source_id: "http".to_owned(),
        name: "default".to_owned(),
        wit_namespace: "wasi".to_owned(),
        wit_package: "http".to_owned(),
        target: Some("hello".to_owned()),
        interfaces: Some(vec!["incoming-handler".to_owned()]),
    }));
    recorded.does(message::LINK_DELETED);
}

#[test]
fn stopping() {
    let mut recorded = Recording::of("provider-lifecycle");
    recorded.asks(&scale("hello", 0, None));
    recorded.does("");
    recorded.tells(scaled(0));
    recorded.asks(&Request::StopHost(
        host(),
        StopHost {
            host_id: Some(host()),
            timeout: Some(2000),
        },
    ));
    recorded.does(message::HOST_STOPPING);
    recorded.tells(Event::HostStopped(HostStopped {
        labels: host_labels(&[("zone", "a")]),
    }));
}
