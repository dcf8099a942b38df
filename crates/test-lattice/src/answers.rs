//! What a scripted host answers, as v1 hosts do.

use wasmcloud_wire::Message as _;
use wasmcloud_wire::control::{ClaimsList, CtlResponse, Host, HostInventory, Link, Links, Nothing, Request};
use wasmcloud_wire::message;

use crate::host::{Inner, VERSION};
use crate::script::Script;

impl Inner {
    /// The answer; `None` is silence, which in an auction means "not I".
    pub(crate) fn reply_to(&self, request: &Request, script: &Script) -> Option<Vec<u8>> {
        let ok = |text: &str| CtlResponse::<Nothing>::success(text).encode();
        let mut shared = self.shared.lock();
        Some(match request {
            Request::PingHosts => CtlResponse::ok(self.host(script)).encode(),
            Request::GetInventory(_) => CtlResponse::ok(inventory(script)).encode(),
            Request::StopHost(..) => ok(message::HOST_STOPPING),
            Request::PutLabel(_, label) => {
                self.script
                    .lock()
                    .labels
                    .insert(label.key.clone(), label.value.clone());
                ok(message::LABEL_PUT)
            }
            Request::DeleteLabel(_, label) => match self.script.lock().labels.remove(&label.key) {
                Some(_) => ok(message::LABEL_DELETED),
                None => ok(message::LABEL_ABSENT),
            },
            Request::AuctionComponent(auction) => {
                let runs = script
                    .components
                    .iter()
                    .any(|runs| runs.id == auction.component_id.as_str());
                if runs || !fits(script, &auction.constraints) {
                    return None;
                }
                CtlResponse::ok(auction.clone().accept(&script.id)).encode()
            }
            Request::AuctionProvider(auction) => {
                let runs = script
                    .providers
                    .iter()
                    .any(|runs| runs.id == auction.provider_id.as_str());
                if runs || !fits(script, &auction.constraints) {
                    return None;
                }
                CtlResponse::ok(auction.clone().accept(&script.id)).encode()
            }
            Request::ScaleComponent(..) => ok(""),
            Request::UpdateComponent(_, update) => {
                let runs = script
                    .components
                    .iter()
                    .find(|runs| runs.id == update.component_id.as_str());
                match runs {
                    None => {
                        let text = message::component_not_found(&update.component_id);
                        CtlResponse::<Nothing>::error(text).encode()
                    }
                    Some(runs) if runs.image_ref == update.new_component_ref => ok(
                        &message::component_already_updated(&update.component_id, &runs.image_ref),
                    ),
                    Some(runs) => ok(&message::component_updating(
                        &update.component_id,
                        &runs.image_ref,
                        &update.new_component_ref,
                    )),
                }
            }
            Request::StartProvider(_, start) => {
                match script
                    .providers
                    .iter()
                    .any(|runs| runs.id == start.provider_id.as_str())
                {
                    true => CtlResponse::<Nothing>::error(message::PROVIDER_RUNNING).encode(),
                    false => ok(message::PROVIDER_STARTED),
                }
            }
            Request::StopProvider(_, stop) => {
                match script
                    .providers
                    .iter()
                    .any(|runs| runs.id == stop.provider_id.as_str())
                {
                    true => ok(message::PROVIDER_STOPPED),
                    false => CtlResponse::<Nothing>::error(message::PROVIDER_NOT_RUNNING).encode(),
                }
            }
            Request::GetLinks => CtlResponse::ok(Links(shared.links.clone())).encode(),
            Request::PutLink(link) => {
                if shared
                    .links
                    .iter()
                    .any(|old| same(old, link) && old.target != link.target)
                {
                    CtlResponse::<Nothing>::error(message::LINK_CONFLICT).encode()
                } else {
                    shared.links.retain(|old| !same(old, link));
                    shared.links.push(link.clone());
                    ok(message::LINK_PUT)
                }
            }
            Request::DeleteLink(link) => {
                let gone = shared.links.iter().position(|old| {
                    old.source_id == link.source_id.as_str()
                        && old.name == link.name.as_str()
                        && old.wit_namespace == link.wit_namespace
                        && old.wit_package == link.wit_package
                });
                gone.map(|gone| shared.links.remove(gone));
                ok(message::LINK_DELETED)
            }
            Request::GetClaims => CtlResponse::ok(ClaimsList(shared.claims.clone())).encode(),
            Request::GetConfig(name) => match shared.configs.get(name) {
                Some(config) => CtlResponse::ok(config.clone()).encode(),
                None => ok(message::CONFIG_NOT_FOUND),
            },
            Request::PutConfig(name, config) => {
                shared.configs.insert(name.clone(), config.clone());
                ok(message::CONFIG_PUT)
            }
            Request::DeleteConfig(name) => {
                shared.configs.remove(name);
                ok(message::CONFIG_DELETED)
            }
            Request::PutRegistries(_) => ok(message::REGISTRIES_PUT),
        })
    }

    fn host(&self, script: &Script) -> Host {
        Host {
            rpc_host: Some("nats://127.0.0.1:4222".to_owned()),
            ctl_host: Some("nats://127.0.0.1:4222".to_owned()),
            friendly_name: script.friendly_name.clone(),
            id: script.id.to_string(),
            labels: script.labels.clone(),
            lattice: self.lattice.to_string(),
            js_domain: None,
            uptime_human: "4s".to_owned(),
            uptime_seconds: 4,
            version: VERSION.to_owned(),
            ..Host::default()
        }
    }
}

fn inventory(script: &Script) -> HostInventory {
    HostInventory {
        components: script.components.clone(),
        providers: script.providers.clone(),
        host_id: script.id.to_string(),
        friendly_name: script.friendly_name.clone(),
        labels: script.labels.clone(),
        version: VERSION.to_owned(),
        uptime_human: "4s".to_owned(),
        uptime_seconds: 4,
        ..HostInventory::default()
    }
}

fn fits(script: &Script, constraints: &wasmcloud_wire::Labels) -> bool {
    constraints
        .iter()
        .all(|(key, value)| script.labels.get(key) == Some(value))
}

fn same(one: &Link, other: &Link) -> bool {
    one.source_id == other.source_id
        && one.name == other.name
        && one.wit_namespace == other.wit_namespace
        && one.wit_package == other.wit_package
}
