//! Subjects of the control interface (wire reference §3.1): `{prefix}.v1.{lattice}.{noun}.{verb}[.{name}]`.
//!
//! The name behind `config.put.`, `config.get.` and `config.del.` is everything that follows, dots included. v1
//! hosts answer `unsupported subject` to a config name with a dot, although their subscription (`config.>`), their
//! bucket and everything else that reads configs take it.

use wasmcloud_core::{ConfigName, HostId, LatticeName};

use super::{Subscription, Topic, UnsupportedSubject};

/// What a control request asks for, without its payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// All hosts say that they are there.
    HostPing,
    /// A host says what runs on it.
    HostGet(HostId),
    /// A host stops.
    HostStop(HostId),
    /// A label of a host is set.
    LabelPut(HostId),
    /// A label of a host is removed.
    LabelDel(HostId),
    /// Hosts that could run a component say so.
    ComponentAuction,
    /// A component starts, stops or changes on a host.
    ComponentScale(HostId),
    /// A component that runs on a host gets another image.
    ComponentUpdate(HostId),
    /// Hosts that could run a provider say so.
    ProviderAuction,
    /// A provider starts on a host.
    ProviderStart(HostId),
    /// A provider stops on a host.
    ProviderStop(HostId),
    /// All links of the lattice.
    LinkGet,
    /// A link is made or replaced.
    LinkPut,
    /// A link is removed.
    LinkDel,
    /// All claims known in the lattice.
    ClaimsGet,
    /// A config or a reference to a secret.
    ConfigGet(ConfigName),
    /// A config or a reference to a secret is made or replaced.
    ConfigPut(ConfigName),
    /// A config or a reference to a secret is removed.
    ConfigDel(ConfigName),
    /// All hosts learn credentials of registries.
    RegistryPut,
}

/// Which auctions a host takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auctions {
    /// For components.
    pub components: bool,
    /// For providers.
    pub providers: bool,
}

impl Default for Auctions {
    /// Both, as in v1 (wire reference §2.1).
    fn default() -> Self {
        Self {
            components: true,
            providers: true,
        }
    }
}

/// The control interface of one lattice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ControlInterface {
    /// `{prefix}.v1.{lattice}`.
    base: String,
}

impl ControlInterface {
    /// The control interface of a lattice under a prefix, by default [`Topic::control`].
    pub fn new(prefix: &Topic, lattice: &LatticeName) -> Self {
        Self {
            base: format!("{prefix}.v1.{lattice}"),
        }
    }

    /// The subject on which to ask for `operation`.
    pub fn subject(&self, operation: &Operation) -> String {
        let (noun, verb, name) = operation.parts();
        let base = &self.base;
        match name {
            None => format!("{base}.{noun}.{verb}"),
            Some(name) => format!("{base}.{noun}.{verb}.{name}"),
        }
    }

    /// What the subject of a message asks for.
    pub fn parse(&self, subject: &str) -> Result<Operation, UnsupportedSubject> {
        let rest = subject
            .strip_prefix(self.base.as_str())
            .and_then(|rest| rest.strip_prefix('.'))
            .ok_or_else(|| UnsupportedSubject::foreign(subject))?;
        let unknown = || UnsupportedSubject::unknown(subject);
        let (noun, rest) = rest.split_once('.').ok_or_else(unknown)?;
        let (verb, name) = match rest.split_once('.') {
            Some((verb, name)) => (verb, Some(name)),
            None => (rest, None),
        };
        let invalid = UnsupportedSubject::name(subject);
        let host =
            |operation: fn(HostId) -> Operation, name: &str| name.parse().map(operation).map_err(&invalid);
        let config = |operation: fn(ConfigName) -> Operation, name: &str| {
            name.parse().map(operation).map_err(&invalid)
        };
        match (noun, verb, name) {
            ("host", "ping", None) => Ok(Operation::HostPing),
            ("host", "get", Some(name)) => host(Operation::HostGet, name),
            ("host", "stop", Some(name)) => host(Operation::HostStop, name),
            ("label", "put", Some(name)) => host(Operation::LabelPut, name),
            ("label", "del", Some(name)) => host(Operation::LabelDel, name),
            ("component", "auction", None) => Ok(Operation::ComponentAuction),
            ("component", "scale", Some(name)) => host(Operation::ComponentScale, name),
            ("component", "update", Some(name)) => host(Operation::ComponentUpdate, name),
            ("provider", "auction", None) => Ok(Operation::ProviderAuction),
            ("provider", "start", Some(name)) => host(Operation::ProviderStart, name),
            ("provider", "stop", Some(name)) => host(Operation::ProviderStop, name),
            ("link", "get", None) => Ok(Operation::LinkGet),
            ("link", "put", None) => Ok(Operation::LinkPut),
            ("link", "del", None) => Ok(Operation::LinkDel),
            ("claims", "get", None) => Ok(Operation::ClaimsGet),
            ("config", "get", Some(name)) => config(Operation::ConfigGet, name),
            ("config", "put", Some(name)) => config(Operation::ConfigPut, name),
            ("config", "del", Some(name)) => config(Operation::ConfigDel, name),
            ("registry", "put", None) => Ok(Operation::RegistryPut),
            _ => Err(unknown()),
        }
    }

    /// What a host subscribes to. Requests about links, claims and configs concern the lattice, so one host of a
    /// queue group answers; all others concern each host that gets them.
    pub fn subscriptions(&self, host: &HostId, auctions: Auctions) -> Vec<Subscription> {
        let base = &self.base;
        let plain = |rest: String| Subscription {
            subject: format!("{base}.{rest}"),
            queue_group: None,
        };
        let one_of = |noun: &str, rest: &str| Subscription {
            subject: format!("{base}.{noun}.{rest}"),
            queue_group: Some(format!("{base}.{noun}")),
        };
        let mut all = vec![
            plain("registry.put".to_owned()),
            plain("host.ping".to_owned()),
            plain(format!("component.*.{host}")),
            plain(format!("provider.*.{host}")),
            plain(format!("label.*.{host}")),
            plain(format!("host.*.{host}")),
            one_of("link", "*"),
            one_of("claims", "get"),
            one_of("config", ">"),
        ];
        if auctions.components {
            all.push(plain("component.auction".to_owned()));
        }
        if auctions.providers {
            all.push(plain("provider.auction".to_owned()));
        }
        all
    }
}

impl Operation {
    /// The host that should act, where it is one.
    pub fn host(&self) -> Option<&HostId> {
        match self {
            Self::HostGet(host)
            | Self::HostStop(host)
            | Self::LabelPut(host)
            | Self::LabelDel(host)
            | Self::ComponentScale(host)
            | Self::ComponentUpdate(host)
            | Self::ProviderStart(host)
            | Self::ProviderStop(host) => Some(host),
            _ => None,
        }
    }

    fn parts(&self) -> (&'static str, &'static str, Option<&str>) {
        match self {
            Self::HostPing => ("host", "ping", None),
            Self::HostGet(host) => ("host", "get", Some(host.as_str())),
            Self::HostStop(host) => ("host", "stop", Some(host.as_str())),
            Self::LabelPut(host) => ("label", "put", Some(host.as_str())),
            Self::LabelDel(host) => ("label", "del", Some(host.as_str())),
            Self::ComponentAuction => ("component", "auction", None),
            Self::ComponentScale(host) => ("component", "scale", Some(host.as_str())),
            Self::ComponentUpdate(host) => ("component", "update", Some(host.as_str())),
            Self::ProviderAuction => ("provider", "auction", None),
            Self::ProviderStart(host) => ("provider", "start", Some(host.as_str())),
            Self::ProviderStop(host) => ("provider", "stop", Some(host.as_str())),
            Self::LinkGet => ("link", "get", None),
            Self::LinkPut => ("link", "put", None),
            Self::LinkDel => ("link", "del", None),
            Self::ClaimsGet => ("claims", "get", None),
            Self::ConfigGet(name) => ("config", "get", Some(name.as_str())),
            Self::ConfigPut(name) => ("config", "put", Some(name.as_str())),
            Self::ConfigDel(name) => ("config", "del", Some(name.as_str())),
            Self::RegistryPut => ("registry", "put", None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface() -> ControlInterface {
        ControlInterface::new(&Topic::control(), &"default".parse().unwrap())
    }

    #[test]
    fn subjects_and_operations() {
        let check = |subject: &str, operation: Operation| {
            assert_eq!(interface().parse(subject).as_ref(), Ok(&operation), "{subject}");
            assert_eq!(interface().subject(&operation), subject);
        };
        check("wasmbus.ctl.v1.default.host.ping", Operation::HostPing);
        check(
            "wasmbus.ctl.v1.default.component.scale.NABC",
            Operation::ComponentScale("NABC".parse().unwrap()),
        );
        check(
            "wasmbus.ctl.v1.default.config.put.shop.prices",
            Operation::ConfigPut("shop.prices".parse().unwrap()),
        );
    }

    #[test]
    fn what_is_not_supported_says_why() {
        let refused = |rest: &str| {
            interface()
                .parse(&format!("wasmbus.ctl.v1.default{rest}"))
                .unwrap_err()
        };
        for unknown in ["", "."] {
            assert!(!matches!(refused(unknown), UnsupportedSubject::Name { .. }));
        }
        for unknown in [
            ".host",
            ".host.",
            ".host.ping.x",
            ".link.put.x",
            ".component.scale",
            ".x.y",
        ] {
            assert!(
                matches!(refused(unknown), UnsupportedSubject::Unknown(_)),
                "{unknown}"
            );
        }
        for name in [
            ".host.get.",
            ".host.get.a.b",
            ".config.put.",
            ".config.put.a..b",
            ".config.put.*",
        ] {
            assert!(matches!(refused(name), UnsupportedSubject::Name { .. }), "{name}");
        }
        for foreign in [
            "wasmbus.ctl.v1.defaults.host.ping",
            "wasmbus.ctl.v2.default.host.ping",
            "",
            "é",
        ] {
            assert!(matches!(
                interface().parse(foreign),
                Err(UnsupportedSubject::Foreign(_))
            ));
        }
    }

    #[test]
    fn every_operation_reaches_one_subscription() {
        let host: HostId = "NABC".parse().unwrap();
        let subscriptions = interface().subscriptions(&host, Auctions::default());
        let name: ConfigName = "a.b".parse().unwrap();
        let operations = [
            Operation::HostPing,
            Operation::HostGet(host.clone()),
            Operation::HostStop(host.clone()),
            Operation::LabelPut(host.clone()),
            Operation::LabelDel(host.clone()),
            Operation::ComponentAuction,
            Operation::ComponentScale(host.clone()),
            Operation::ComponentUpdate(host.clone()),
            Operation::ProviderAuction,
            Operation::ProviderStart(host.clone()),
            Operation::ProviderStop(host.clone()),
            Operation::LinkGet,
            Operation::LinkPut,
            Operation::LinkDel,
            Operation::ClaimsGet,
            Operation::ConfigGet(name.clone()),
            Operation::ConfigPut(name.clone()),
            Operation::ConfigDel(name),
            Operation::RegistryPut,
        ];
        for operation in operations {
            let subject = interface().subject(&operation);
            let reached = subscriptions.iter().filter(|it| matches(&it.subject, &subject));
            assert_eq!(reached.count(), 1, "{subject}");
        }
        let none = Auctions {
            components: false,
            providers: false,
        };
        assert_eq!(
            interface().subscriptions(&host, none).len(),
            subscriptions.len() - 2
        );
        let groups: Vec<_> = subscriptions
            .iter()
            .filter_map(|it| it.queue_group.as_deref())
            .collect();
        let of = |noun| format!("wasmbus.ctl.v1.default.{noun}");
        assert_eq!(groups, [of("link"), of("claims"), of("config")]);
    }

    /// NATS: `*` is one part, `>` is one or more parts at the end.
    fn matches(pattern: &str, subject: &str) -> bool {
        let mut parts = subject.split('.');
        for want in pattern.split('.') {
            match (want, parts.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (want, Some(part)) if want == part => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}
