//! What is written is read as it was: every message, every subject, every key.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;
use wasmcloud_core::{HostId, LatticeName};
use wasmcloud_wire::Message;
use wasmcloud_wire::control::{ClaimsList, CtlResponse, Links, Nothing, Request};
use wasmcloud_wire::event::{CloudEvent, EventKind};
use wasmcloud_wire::provider::HostData;
use wasmcloud_wire::state::{ConfigKey, LatticeKey};
use wasmcloud_wire::subject::{ControlInterface, EventSubject, ProviderOperation, ProviderSubject, Topic};

use crate::events::event;
use crate::values::*;

fn same<T: Message + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let bytes = value.encode();
    prop_assert_eq!(&T::decode(&bytes).unwrap(), value);
    Ok(())
}

fn same_text<T: Display + FromStr<Err: Debug> + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    prop_assert_eq!(&value.to_string().parse::<T>().unwrap(), value);
    Ok(())
}

fn request() -> impl Strategy<Value = Request> {
    let host = name::<HostId>;
    prop_oneof![
        Just(Request::PingHosts),
        Just(Request::GetLinks),
        Just(Request::GetClaims),
        host().prop_map(Request::GetInventory),
        (host(), stop_host()).prop_map(|(host, stop)| Request::StopHost(host, stop)),
        (host(), put_label()).prop_map(|(host, label)| Request::PutLabel(host, label)),
        (host(), delete_label()).prop_map(|(host, label)| Request::DeleteLabel(host, label)),
        component_auction().prop_map(Request::AuctionComponent),
        (host(), scale_component()).prop_map(|(host, scale)| Request::ScaleComponent(host, scale)),
        (host(), update_component()).prop_map(|(host, update)| Request::UpdateComponent(host, update)),
        provider_auction().prop_map(Request::AuctionProvider),
        (host(), start_provider()).prop_map(|(host, start)| Request::StartProvider(host, start)),
        (host(), stop_provider()).prop_map(|(host, stop)| Request::StopProvider(host, stop)),
        sound_link().prop_map(Request::PutLink),
        delete_link().prop_map(Request::DeleteLink),
        config_name().prop_map(Request::GetConfig),
        (config_name(), config()).prop_map(|(name, config)| Request::PutConfig(name, config)),
        config_name().prop_map(Request::DeleteConfig),
        registries().prop_map(Request::PutRegistries),
    ]
}

fn topic() -> impl Strategy<Value = Topic> {
    "[A-Za-z0-9_-]{1,8}(\\.[A-Za-z0-9_-]{1,8}){0,3}".prop_map(|raw| raw.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_with_their_subjects(prefix in topic(), lattice in name::<LatticeName>(), request in request()) {
        let interface = ControlInterface::new(&prefix, &lattice);
        let subject = interface.subject(&request.operation());
        let again = Request::parse(&interface, &subject, &request.encode()).unwrap();
        prop_assert_eq!(again, request);
    }

    #[test]
    fn replies(
        plain in reply(Just(())),
        host in reply(host()),
        inventory in reply(inventory()),
        component in reply(component_ack()),
        provider in reply(provider_ack()),
        links in reply(prop::collection::vec(link(), 0..3)),
        claims in reply(prop::collection::vec(labels(), 0..3)),
        config in reply(config()),
    ) {
        same(&CtlResponse::<Nothing> { success: plain.success, message: plain.message, response: None })?;
        same(&host)?;
        same(&inventory)?;
        same(&component)?;
        same(&provider)?;
        same(&CtlResponse { success: links.success, message: links.message, response: links.response.map(Links) })?;
        same(&CtlResponse { success: claims.success, message: claims.message, response: claims.response.map(ClaimsList) })?;
        same(&config)?;
    }

    #[test]
    fn events(event in event()) {
        prop_assert_eq!(CloudEvent::decode(&event.encode()).unwrap(), event);
    }

    #[test]
    fn records(spec in spec(), claims in claims(), config in config(), secret in secret_reference()) {
        same(&spec)?;
        same(&claims)?;
        same(&config)?;
        same(&secret)?;
    }

    #[test]
    fn policy_and_config_service(
        request in policy_request(),
        reply in policy_reply(),
        asked in config_service_request(),
        told in config_service_reply(),
    ) {
        same(&request)?;
        same(&reply)?;
        same(&asked)?;
        same(&told)?;
    }

    #[test]
    fn between_host_and_provider(
        data in host_data(),
        link in definition(),
        shutdown in shutdown(),
        health in health(),
    ) {
        prop_assert_eq!(&HostData::from_line(&data.to_line()).unwrap(), &data);
        same(&data)?;
        same(&link)?;
        same(&shutdown)?;
        same(&health)?;
    }

    #[test]
    fn links_through_core(link in sound_link()) {
        let core = wasmcloud_core::Link::try_from(&link).unwrap();
        let again = wasmcloud_wire::Link::from(&core);
        prop_assert_eq!(wasmcloud_wire::Link { unknown: link.unknown.clone(), ..again }, link);
    }

    #[test]
    fn other_subjects_and_keys(
        lattice in name::<LatticeName>(),
        provider in name(),
        operation in prop::sample::select(ProviderOperation::NAMES.to_vec()),
        kind in prop::sample::select(EventKind::ALL.to_vec()),
        id in name(),
        key in name(),
        config in config_name(),
    ) {
        same_text(&ProviderSubject { lattice: lattice.clone(), provider, operation: operation.1 })?;
        same_text(&EventSubject { lattice, kind })?;
        same_text(&LatticeKey::Component(id))?;
        same_text(&LatticeKey::Claims(key))?;
        same_text(&ConfigKey::of(config))?;
    }
}
