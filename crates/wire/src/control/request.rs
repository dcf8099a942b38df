//! A control request as one value.

use wasmcloud_core::{ConfigName, HostId};

use super::{
    ComponentAuction, CtlResponse, DeleteLabel, DeleteLink, ProviderAuction, PutLabel, Registries,
    ScaleComponent, StartProvider, StopHost, StopProvider, UpdateComponent,
};
use crate::json::{DecodeError, InvalidField, Message};
use crate::link::Link;
use crate::message;
use crate::state::Config;
use crate::subject::{ControlInterface, Operation, UnsupportedSubject};

/// What hosts can be asked. Where it is one host that is asked, it comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// All hosts say that they are there.
    PingHosts,
    /// A host says what runs on it.
    GetInventory(HostId),
    /// A host stops.
    StopHost(HostId, StopHost),
    /// A label of a host is set.
    PutLabel(HostId, PutLabel),
    /// A label of a host is removed.
    DeleteLabel(HostId, DeleteLabel),
    /// Hosts that could run a component say so.
    AuctionComponent(ComponentAuction),
    /// A component starts, stops or changes on a host.
    ScaleComponent(HostId, ScaleComponent),
    /// A component that runs on a host gets another image.
    UpdateComponent(HostId, UpdateComponent),
    /// Hosts that could run a provider say so.
    AuctionProvider(ProviderAuction),
    /// A provider starts on a host.
    StartProvider(HostId, StartProvider),
    /// A provider stops on a host.
    StopProvider(HostId, StopProvider),
    /// All links of the lattice.
    GetLinks,
    /// A link is made or replaced. [`wasmcloud_core::Link`] can be made of it: that was tried while it was read.
    PutLink(Link),
    /// A link is removed.
    DeleteLink(DeleteLink),
    /// All claims known in the lattice.
    GetClaims,
    /// A config or a reference to a secret.
    GetConfig(ConfigName),
    /// A config or a reference to a secret is made or replaced.
    PutConfig(ConfigName, Config),
    /// A config or a reference to a secret is removed.
    DeleteConfig(ConfigName),
    /// All hosts learn credentials of registries.
    PutRegistries(Registries),
}

/// A message on the control interface that is not a request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Its subject asks for nothing that there is.
    #[error(transparent)]
    Subject(#[from] UnsupportedSubject),
    /// Its payload is not what the subject needs.
    #[error(transparent)]
    Payload(#[from] DecodeError),
    /// A field of its payload names what cannot exist.
    #[error("{what} cannot be done")]
    Field {
        /// What was asked for.
        what: &'static str,
        /// Which field, and why.
        #[source]
        source: InvalidField,
    },
    /// A config is not a map of texts.
    #[error("{}", message::CONFIG_NOT_A_MAP)]
    Config(#[source] DecodeError),
}

impl RequestError {
    /// What to answer.
    pub fn reply(&self) -> CtlResponse {
        match self {
            Self::Subject(error @ UnsupportedSubject::Name { .. }) => CtlResponse::error(format!(
                "{}: {}",
                message::UNSUPPORTED_SUBJECT,
                message::chain(error)
            )),
            Self::Subject(_) => CtlResponse::error(message::UNSUPPORTED_SUBJECT),
            error => CtlResponse::failed(error),
        }
    }
}

impl Request {
    /// Reads a request from the subject and the payload of a message.
    pub fn parse(interface: &ControlInterface, subject: &str, payload: &[u8]) -> Result<Self, RequestError> {
        Self::decode(interface.parse(subject)?, payload)
    }

    /// Reads the payload of a request. Where none is needed, whatever came is ignored.
    pub fn decode(operation: Operation, payload: &[u8]) -> Result<Self, RequestError> {
        Ok(match operation {
            Operation::HostPing => Self::PingHosts,
            Operation::HostGet(host) => Self::GetInventory(host),
            Operation::HostStop(host) => Self::StopHost(host, Message::decode(payload)?),
            Operation::LabelPut(host) => Self::PutLabel(host, Message::decode(payload)?),
            Operation::LabelDel(host) => Self::DeleteLabel(host, Message::decode(payload)?),
            Operation::ComponentAuction => Self::AuctionComponent(Message::decode(payload)?),
            Operation::ComponentScale(host) => Self::ScaleComponent(host, Message::decode(payload)?),
            Operation::ComponentUpdate(host) => Self::UpdateComponent(host, Message::decode(payload)?),
            Operation::ProviderAuction => Self::AuctionProvider(Message::decode(payload)?),
            Operation::ProviderStart(host) => Self::StartProvider(host, Message::decode(payload)?),
            Operation::ProviderStop(host) => Self::StopProvider(host, Message::decode(payload)?),
            Operation::LinkGet => Self::GetLinks,
            Operation::LinkPut => Self::PutLink(link(payload)?),
            Operation::LinkDel => Self::DeleteLink(Message::decode(payload)?),
            Operation::ClaimsGet => Self::GetClaims,
            Operation::ConfigGet(name) => Self::GetConfig(name),
            Operation::ConfigPut(name) => {
                Self::PutConfig(name, Config::decode(payload).map_err(RequestError::Config)?)
            }
            Operation::ConfigDel(name) => Self::DeleteConfig(name),
            Operation::RegistryPut => Self::PutRegistries(Message::decode(payload)?),
        })
    }

    /// What is asked for, which gives the subject.
    pub fn operation(&self) -> Operation {
        match self {
            Self::PingHosts => Operation::HostPing,
            Self::GetInventory(host) => Operation::HostGet(host.clone()),
            Self::StopHost(host, _) => Operation::HostStop(host.clone()),
            Self::PutLabel(host, _) => Operation::LabelPut(host.clone()),
            Self::DeleteLabel(host, _) => Operation::LabelDel(host.clone()),
            Self::AuctionComponent(_) => Operation::ComponentAuction,
            Self::ScaleComponent(host, _) => Operation::ComponentScale(host.clone()),
            Self::UpdateComponent(host, _) => Operation::ComponentUpdate(host.clone()),
            Self::AuctionProvider(_) => Operation::ProviderAuction,
            Self::StartProvider(host, _) => Operation::ProviderStart(host.clone()),
            Self::StopProvider(host, _) => Operation::ProviderStop(host.clone()),
            Self::GetLinks => Operation::LinkGet,
            Self::PutLink(_) => Operation::LinkPut,
            Self::DeleteLink(_) => Operation::LinkDel,
            Self::GetClaims => Operation::ClaimsGet,
            Self::GetConfig(name) => Operation::ConfigGet(name.clone()),
            Self::PutConfig(name, _) => Operation::ConfigPut(name.clone()),
            Self::DeleteConfig(name) => Operation::ConfigDel(name.clone()),
            Self::PutRegistries(_) => Operation::RegistryPut,
        }
    }

    /// Whether it changes something, on a host or for the whole lattice; the others only ask. Commands of a controller
    /// that does not lead any more are refused by this.
    pub fn is_command(&self) -> bool {
        match self {
            Self::PingHosts
            | Self::GetInventory(_)
            | Self::AuctionComponent(_)
            | Self::AuctionProvider(_)
            | Self::GetLinks
            | Self::GetClaims
            | Self::GetConfig(_) => false,
            Self::StopHost(..)
            | Self::PutLabel(..)
            | Self::DeleteLabel(..)
            | Self::ScaleComponent(..)
            | Self::UpdateComponent(..)
            | Self::StartProvider(..)
            | Self::StopProvider(..)
            | Self::PutLink(_)
            | Self::DeleteLink(_)
            | Self::PutConfig(..)
            | Self::DeleteConfig(_)
            | Self::PutRegistries(_) => true,
        }
    }

    /// The payload, empty where none is needed.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::PingHosts
            | Self::GetInventory(_)
            | Self::GetLinks
            | Self::GetClaims
            | Self::GetConfig(_)
            | Self::DeleteConfig(_) => Vec::new(),
            Self::StopHost(_, stop) => stop.encode(),
            Self::PutLabel(_, label) => label.encode(),
            Self::DeleteLabel(_, label) => label.encode(),
            Self::AuctionComponent(auction) => auction.encode(),
            Self::ScaleComponent(_, scale) => scale.encode(),
            Self::UpdateComponent(_, update) => update.encode(),
            Self::AuctionProvider(auction) => auction.encode(),
            Self::StartProvider(_, start) => start.encode(),
            Self::StopProvider(_, stop) => stop.encode(),
            Self::PutLink(link) => link.encode(),
            Self::DeleteLink(link) => link.encode(),
            Self::PutConfig(_, config) => config.encode(),
            Self::PutRegistries(registries) => registries.encode(),
        }
    }
}

fn link(payload: &[u8]) -> Result<Link, RequestError> {
    let link = Link::decode(payload)?;
    match wasmcloud_core::Link::try_from(&link) {
        Ok(_) => Ok(link),
        Err(source) => Err(RequestError::Field {
            what: Link::WHAT,
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Topic;

    fn refused(rest: &str, payload: &str) -> String {
        let interface = ControlInterface::new(&Topic::control(), &"default".parse().unwrap());
        let subject = format!("wasmbus.ctl.v1.default.{rest}");
        let reply = Request::parse(&interface, &subject, payload.as_bytes())
            .unwrap_err()
            .reply();
        assert!(!reply.success);
        reply.message
    }

    #[test]
    fn refusals_say_what_v1_says_and_more() {
        assert_eq!(refused("host.dance", ""), "unsupported subject");
        assert_eq!(
            refused("config.put.a..b", "{}"),
            "unsupported subject: subject `wasmbus.ctl.v1.default.config.put.a..b` names what cannot exist: \
             config name `a..b` has an empty part; a dot needs something on both sides"
        );
        assert_eq!(
            refused("label.put.N1", "{}"),
            "failed to deserialize label put command: missing field `key` at line 1 column 2"
        );
        assert_eq!(
            refused("config.put.a", r#"{"a":1}"#),
            "config data should be a map of string -> string: failed to deserialize config: field `a`: \
             invalid type: integer `1`, expected a string at line 1 column 6"
        );
        assert_eq!(
            refused(
                "link.put",
                r#"{"source_id":"a","target":"","wit_namespace":"wasi","wit_package":"http"}"#
            ),
            "link put command cannot be done: field `target`: component id must not be empty"
        );
    }

    #[test]
    fn long_nonsense_gets_a_short_answer() {
        let long = "x".repeat(1 << 19);
        let text = refused(
            "component.scale.N1",
            &format!(r#"{{"component_ref":"a","component_id":1,"host_id":"{long}"}}"#),
        );
        assert!(text.len() < 8 << 10);
        let text = refused(
            "provider.start.N1",
            &format!(r#"{{"{long}":1,"config":["{long}"]}}"#),
        );
        assert!(text.len() < 8 << 10);
        assert_eq!(refused(&format!("{long}.{long}"), ""), "unsupported subject");
    }
}
