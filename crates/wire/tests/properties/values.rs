//! Any value of each message, apart from events.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value};
use wasmcloud_core::Link as CoreLink;
use wasmcloud_wire::config_service::{ConfigServiceReply, ConfigServiceRequest};
use wasmcloud_wire::control::{
    CandidateDescription, ComponentAuction, ComponentAuctionAck, ComponentDescription, ComponentLoad,
    CtlResponse, DeleteLabel, DeleteLink, Host, HostInventory, Link, LinkOwner, Probe, ProviderAuction,
    ProviderAuctionAck, ProviderDescription, ProviderHealth, PutLabel, RefusedLink, Registries,
    RegistryCredential, ScaleComponent, StartProvider, StopHost, StopProvider, UpdateComponent,
};
use wasmcloud_wire::policy::{
    ComponentPolicy, InvocationPolicy, PolicyAction, PolicyClaims, PolicyHost, PolicyReply, PolicyRequest,
    ProviderPolicy,
};
use wasmcloud_wire::provider::{
    HealthReply, HostData, InterfaceLinkDefinition, LogLevel, OtelConfig, OtelProtocol, SecretValue, Shutdown,
};
use wasmcloud_wire::state::{
    Claims, ClaimsCommon, ComponentClaims, ComponentSpec, Config, ProviderClaims, SecretReference,
};
use wasmcloud_wire::{Hidden, Labels};

/// Any value of a struct, from any value of each field. More than twelve fields stand in two groups, because
/// proptest has no larger tuples.
macro_rules! any_of {
    ($type:ident { $($field:ident: $strategy:expr),* $(,)? } $({ $($more:ident: $rest:expr),* $(,)? })?) => {
        // There is no strategy for an empty tuple, so the second group starts with nothing of interest.
        (($($strategy,)*), (Just(0), $($($rest,)*)?)).prop_map(|(($($field,)*), (_, $($($more,)*)?))| $type {
            $($field,)* $($($more,)*)?
        })
    };
}
pub(crate) use any_of;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z/:.-]{0,12}", ".{0,12}"]
}

/// An id or name of core.
pub(crate) fn name<T: FromStr<Err: Debug> + Debug>() -> impl Strategy<Value = T> {
    "[A-Za-z0-9_-]{1,16}".prop_map(|raw| raw.parse().unwrap())
}

pub(crate) fn config_name<T: FromStr<Err: Debug> + Debug>() -> impl Strategy<Value = T> {
    "[A-Za-z0-9_/=-]{1,6}(\\.[A-Za-z0-9_/=-]{1,6}){0,3}".prop_map(|raw| raw.parse().unwrap())
}

pub(crate) fn labels() -> impl Strategy<Value = Labels> {
    btree_map(text(), text(), 0..4)
}

pub(crate) fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..4)
}

fn hidden() -> impl Strategy<Value = Hidden> {
    text().prop_map(Hidden::from)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..8)
}

pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Fields that no version knows.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    btree_map("x-[a-z]{1,6}", json(), 0..3).prop_map(|map| map.into_iter().collect())
}

pub(crate) fn reply<T: Debug + Clone>(
    response: impl Strategy<Value = T>,
) -> impl Strategy<Value = CtlResponse<T>> {
    any_of!(CtlResponse {
        success: any::<bool>(),
        message: text(),
        response: of(response)
    })
}

pub(crate) fn link() -> impl Strategy<Value = Link> {
    any_of!(Link {
        source_id: text(),
        target: text(),
        name: text(),
        wit_namespace: text(),
        wit_package: text(),
        interfaces: texts(),
        source_config: texts(),
        target_config: texts(),
        route: of(text()),
        instead_of: of(text()),
        unknown: unknown(),
    })
}

/// A link that also makes sense.
pub(crate) fn sound_link() -> impl Strategy<Value = Link> {
    let word = || "[a-z-]{1,8}";
    let configs = || vec(config_name::<wasmcloud_core::ConfigName>(), 0..3);
    let route = prop::sample::select(wasmcloud_core::Route::NAMES.to_vec());
    let core = any_of!(CoreLink {
        source: name(),
        target: name(),
        name: name(),
        namespace: word(),
        package: word(),
        interfaces: vec(word(), 0..3),
        source_config: configs(),
        target_config: configs(),
        route: route.prop_map(|(_, route)| route),
    });
    (core, unknown()).prop_map(|(core, unknown)| Link {
        unknown,
        ..Link::from(&core)
    })
}

pub(crate) fn scale_component() -> impl Strategy<Value = ScaleComponent> {
    any_of!(ScaleComponent {
        component_ref: text(),
        component_id: name(),
        annotations: of(labels()),
        count: any::<u32>(),
        component_limits: of(labels()),
        host_id: name(),
        config: vec(config_name(), 0..3),
        allow_update: any::<bool>(),
        weight: any::<Option<u8>>(),
        probe: of(any_of!(Probe {
            path: text(),
            timeout_ms: any::<Option<u64>>()
        })),
        links_required: any::<bool>(),
        link_suffix: of("[0-9a-f]{8}".prop_map(|raw| raw.parse().unwrap())),
    })
}

pub(crate) fn update_component() -> impl Strategy<Value = UpdateComponent> {
    any_of!(UpdateComponent {
        component_id: name(),
        annotations: of(labels()),
        host_id: name(),
        new_component_ref: text(),
    })
}

pub(crate) fn component_auction() -> impl Strategy<Value = ComponentAuction> {
    any_of!(ComponentAuction {
        component_ref: text(),
        component_id: name(),
        constraints: labels()
    })
}

pub(crate) fn component_ack() -> impl Strategy<Value = ComponentAuctionAck> {
    any_of!(ComponentAuctionAck {
        component_ref: text(),
        component_id: text(),
        host_id: text(),
        constraints: labels(),
    })
}

pub(crate) fn start_provider() -> impl Strategy<Value = StartProvider> {
    any_of!(StartProvider {
        provider_id: name(),
        provider_ref: text(),
        host_id: name(),
        config: vec(config_name(), 0..3),
        annotations: of(labels()),
    })
}

pub(crate) fn stop_provider() -> impl Strategy<Value = StopProvider> {
    any_of!(StopProvider {
        host_id: name(),
        provider_id: name()
    })
}

pub(crate) fn provider_auction() -> impl Strategy<Value = ProviderAuction> {
    any_of!(ProviderAuction {
        provider_ref: text(),
        provider_id: name(),
        constraints: labels()
    })
}

pub(crate) fn provider_ack() -> impl Strategy<Value = ProviderAuctionAck> {
    any_of!(ProviderAuctionAck {
        provider_ref: text(),
        provider_id: text(),
        host_id: text(),
        constraints: labels(),
    })
}

pub(crate) fn delete_link() -> impl Strategy<Value = DeleteLink> {
    any_of!(DeleteLink {
        source_id: name(),
        name: name(),
        wit_namespace: text(),
        wit_package: text()
    })
}

pub(crate) fn stop_host() -> impl Strategy<Value = StopHost> {
    any_of!(StopHost {
        host_id: of(name()),
        timeout: of(any::<u64>())
    })
}

pub(crate) fn put_label() -> impl Strategy<Value = PutLabel> {
    any_of!(PutLabel {
        key: text(),
        value: text()
    })
}

pub(crate) fn delete_label() -> impl Strategy<Value = DeleteLabel> {
    any_of!(DeleteLabel { key: text() })
}

fn credential() -> impl Strategy<Value = RegistryCredential> {
    any_of!(RegistryCredential {
        username: of(text()),
        password: of(hidden()),
        token: of(hidden()),
        registry_type: text(),
    })
}

pub(crate) fn registries() -> impl Strategy<Value = Registries> {
    btree_map(text(), credential(), 0..3).prop_map(Registries)
}

pub(crate) fn host() -> impl Strategy<Value = Host> {
    any_of!(Host {
        rpc_host: of(text()),
        ctl_host: of(text()),
        friendly_name: text(),
        id: text(),
        labels: labels(),
        lattice: text(),
        js_domain: of(text()),
        uptime_human: text(),
        uptime_seconds: any::<u64>(),
        version: text(),
        inventory_revision: of(any::<u64>()),
    })
}

pub(crate) fn inventory() -> impl Strategy<Value = HostInventory> {
    let candidate = any_of!(CandidateDescription {
        image_ref: text(),
        annotations: of(labels()),
        max_instances: any::<u32>(),
        weight: any::<u8>(),
        link_suffix: of(text()),
        calls: any::<u64>(),
        failures: any::<u64>(),
    });
    let load = any_of!(ComponentLoad {
        running: any::<u32>(),
        waiting: any::<u32>(),
        ended: any::<u64>(),
        busy_us: any::<u64>(),
        queued_us: any::<u64>(),
        refused: any::<u64>(),
    });
    let component = any_of!(ComponentDescription {
        id: text(),
        image_ref: text(),
        name: of(text()),
        annotations: of(labels()),
        revision: any::<i32>(),
        max_instances: any::<u32>(),
        limits: of(labels()),
        calls: any::<u64>(),
        failures: any::<u64>(),
        asleep: any::<bool>(),
        load: of(load),
    } {
        link_suffix: of(text()),
        leaving_link_suffixes: texts(),
        candidate: of(candidate),
    });
    let provider = any_of!(ProviderDescription {
        id: text(),
        image_ref: of(text()),
        name: of(text()),
        revision: any::<i32>(),
        annotations: of(labels()),
        health: of(prop_oneof![
            Just(ProviderHealth::Healthy),
            Just(ProviderHealth::Unhealthy)
        ]),
    });
    let owner = any_of!(LinkOwner {
        source_id: text(),
        name: text(),
        wit_namespace: text(),
        wit_package: text(),
    });
    let refused = any_of!(RefusedLink {
        source_id: text(),
        target: text(),
        name: text(),
        wit_namespace: text(),
        wit_package: text(),
        error: text(),
        owner: of(owner),
    });
    any_of!(HostInventory {
        components: vec(component, 0..3),
        providers: vec(provider, 0..3),
        host_id: text(),
        friendly_name: text(),
        labels: labels(),
        version: text(),
        uptime_human: text(),
        uptime_seconds: any::<u64>(),
        inventory_revision: of(any::<u64>()),
        features: vec(text(), 0..3),
        draining: any::<bool>(),
        refused_links: vec(refused, 0..3),
    })
}

pub(crate) fn spec() -> impl Strategy<Value = ComponentSpec> {
    any_of!(ComponentSpec {
        url: text(),
        links: vec(link(), 0..3),
        unknown: unknown()
    })
}

pub(crate) fn claims() -> impl Strategy<Value = Claims> {
    let common = || {
        any_of!(ClaimsCommon {
            issuer: text(),
            name: text(),
            revision: text(),
            subject: text(),
            version: text(),
        })
    };
    prop_oneof![
        any_of!(ComponentClaims {
            call_alias: of(text()),
            common: common(),
            tags: texts(),
            unknown: unknown(),
        })
        .prop_map(Claims::Component),
        any_of!(ProviderClaims {
            common: common(),
            config_schema: of(text()),
            unknown: unknown()
        })
        .prop_map(Claims::Provider),
    ]
}

pub(crate) fn config() -> impl Strategy<Value = Config> {
    labels().prop_map(Config)
}

pub(crate) fn secret_reference() -> impl Strategy<Value = SecretReference> {
    any_of!(SecretReference {
        name: text(),
        backend: text(),
        key: text(),
        field: of(text()),
        version: of(text()),
        policy: text(),
        kind: text(),
        unknown: unknown(),
    })
}

pub(crate) fn policy_request() -> impl Strategy<Value = PolicyRequest> {
    let claims = || {
        of(any_of!(PolicyClaims {
            public_key: text(),
            issuer: text(),
            issued_at: text(),
            expires_at: of(any::<u64>()),
            expired: any::<bool>(),
        }))
    };
    let component = || {
        any_of!(ComponentPolicy {
            component_id: text(),
            image_ref: text(),
            max_instances: any::<u32>(),
            annotations: labels(),
            claims: claims(),
        })
    };
    let provider = any_of!(ProviderPolicy {
        provider_id: text(),
        image_ref: text(),
        annotations: labels(),
        claims: claims(),
    });
    let invocation = any_of!(InvocationPolicy {
        interface: text(),
        function: text(),
        target: component()
    });
    let any_action = prop_oneof![
        component().prop_map(PolicyAction::StartComponent),
        provider.prop_map(PolicyAction::StartProvider),
        invocation.prop_map(PolicyAction::PerformInvocation),
        ("x-[a-z]{0,8}", json()).prop_map(|(kind, body)| PolicyAction::Unknown(kind, body)),
    ];
    let any_host = any_of!(PolicyHost {
        public_key: text(),
        lattice: text(),
        labels: labels()
    });
    any_of!(PolicyRequest {
        request_id: text(),
        action: any_action,
        version: text(),
        host: any_host,
    })
}

pub(crate) fn policy_reply() -> impl Strategy<Value = PolicyReply> {
    any_of!(PolicyReply {
        request_id: text(),
        permitted: any::<bool>(),
        message: of(text())
    })
}

pub(crate) fn config_service_request() -> impl Strategy<Value = ConfigServiceRequest> {
    any_of!(ConfigServiceRequest { labels: labels() })
}

pub(crate) fn config_service_reply() -> impl Strategy<Value = ConfigServiceReply> {
    registries().prop_map(|Registries(registry_credentials)| ConfigServiceReply { registry_credentials })
}

pub(crate) fn definition() -> impl Strategy<Value = InterfaceLinkDefinition> {
    any_of!(InterfaceLinkDefinition {
        source_id: text(),
        target: text(),
        name: text(),
        wit_namespace: text(),
        wit_package: text(),
        interfaces: texts(),
        source_config: labels(),
        target_config: labels(),
        source_secrets: of(bytes()),
        target_secrets: of(bytes()),
    })
}

fn log_level() -> impl Strategy<Value = LogLevel> {
    use LogLevel::*;
    prop::sample::select(vec![Error, Warn, Info, Debug, Trace, Critical])
}

fn otel_config() -> impl Strategy<Value = OtelConfig> {
    any_of!(OtelConfig {
        enable_observability: any::<bool>(),
        enable_traces: of(any::<bool>()),
        enable_metrics: of(any::<bool>()),
        enable_logs: of(any::<bool>()),
        observability_endpoint: of(text()),
        traces_endpoint: of(text()),
        metrics_endpoint: of(text()),
        logs_endpoint: of(text()),
    } {
        protocol: prop::sample::select(vec![OtelProtocol::Http, OtelProtocol::Grpc]),
        additional_ca_paths: texts(),
        trace_level: log_level(),
        traces_sampler: of(text()),
        traces_sampler_arg: of(text()),
        max_batch_queue_size: of(any::<usize>()),
        concurrent_exports: of(any::<usize>()),
    })
}

pub(crate) fn host_data() -> impl Strategy<Value = HostData> {
    let secret = prop_oneof![
        text().prop_map(SecretValue::String),
        bytes().prop_map(SecretValue::Bytes),
    ];
    let any_secrets: BoxedStrategy<BTreeMap<String, SecretValue>> = btree_map(text(), secret, 0..3).boxed();
    any_of!(HostData {
        host_id: text(),
        lattice_rpc_prefix: text(),
        link_name: text(),
        lattice_rpc_user_jwt: hidden(),
        lattice_rpc_user_seed: hidden(),
        lattice_rpc_url: text(),
        provider_key: text(),
        env_values: labels(),
        instance_id: text(),
        link_definitions: vec(definition(), 0..3),
    } {
        cluster_issuers: texts(),
        config: labels(),
        secrets: any_secrets,
        host_xkey_public_key: text(),
        provider_xkey_private_key: hidden(),
        default_rpc_timeout_ms: of(any::<u64>()),
        structured_logging: any::<bool>(),
        log_level: of(log_level()),
        otel_config: otel_config(),
    })
}

pub(crate) fn shutdown() -> impl Strategy<Value = Shutdown> {
    any_of!(Shutdown { host_id: text() })
}

pub(crate) fn health() -> impl Strategy<Value = HealthReply> {
    any_of!(HealthReply {
        healthy: any::<bool>(),
        message: of(text())
    })
}
