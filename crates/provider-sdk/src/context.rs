//! What is known of a call besides its parameters.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasmcloud_core::{ComponentId, LinkName};
use wasmcloud_lattice::rpc::Incoming;
use wasmcloud_wire::rpc::header;
use wasmcloud_wire::rpc::{FunctionName, InstanceName};

use crate::failure::Failure;
use crate::link::Link;
use crate::sdk::Sdk;

/// Longest `traceparent` in bytes that is passed on; version 00 of W3C Trace Context has 55.
const MAX_TRACEPARENT: usize = 256;

/// Longest `tracestate` in bytes that is passed on; W3C Trace Context asks for 512 at least.
const MAX_TRACESTATE: usize = 1_024;

/// The trace that a call belongs to, as W3C Trace Context writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`: the trace, and the span of the caller.
    pub parent: String,
    /// `tracestate`: what tracing systems add.
    pub state: Option<String>,
}

/// What is known of a call besides its parameters.
///
/// Whoever may publish on the lattice can write whatever it likes in here: [`source`](Self::source) says who the caller
/// claims to be.
#[derive(Clone, Debug)]
pub struct CallContext {
    sdk: Sdk,
    instance: Option<InstanceName>,
    function: FunctionName,
    source: Option<ComponentId>,
    link_name: LinkName,
    deadline: Instant,
    trace: Option<Trace>,
    depth: u32,
}

/// What a call says, unless it says nothing.
fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

impl CallContext {
    /// Reads what a call says of itself.
    pub(crate) fn read(
        sdk: &Sdk,
        (instance, function): (Option<InstanceName>, FunctionName),
        incoming: &Incoming,
        longest: Duration,
    ) -> Result<Self, Failure> {
        let malformed = |what: &str, error: &dyn std::error::Error| {
            Failure::malformed(format!("header {what} of the call: {error}"))
        };
        let source = said(incoming.source()).map(str::parse::<ComponentId>).transpose();
        let link_name = said(incoming.link_name()).map(str::parse::<LinkName>).transpose();
        let longest = match incoming.time_left() {
            Some(left) => left.min(longest),
            None => longest,
        };
        Ok(Self {
            sdk: sdk.clone(),
            instance,
            function,
            source: source.map_err(|error| malformed(header::SOURCE_ID, &error))?,
            link_name: link_name
                .map_err(|error| malformed(header::LINK_NAME, &error))?
                .unwrap_or_else(LinkName::default_name),
            deadline: Instant::now() + longest,
            trace: trace(
                said(incoming.header(header::TRACEPARENT)),
                said(incoming.header(header::TRACESTATE)),
            ),
            depth: incoming.terms().depth,
        })
    }

    /// The provider's handle.
    pub fn sdk(&self) -> &Sdk {
        &self.sdk
    }

    /// The interface with its version, `wrpc:keyvalue/store@0.2.0-draft`; empty for a function without one.
    pub fn instance(&self) -> &str {
        self.instance.as_ref().map_or("", InstanceName::as_str)
    }

    /// The function.
    pub fn function(&self) -> &str {
        self.function.as_str()
    }

    /// The component that calls, if it says so.
    pub fn source(&self) -> Option<&ComponentId> {
        self.source.as_ref()
    }

    /// The name of the link over which it calls.
    pub fn link_name(&self) -> &LinkName {
        &self.link_name
    }

    /// The link over which the call came, or a failure that says which one is missing. Config and connections of a
    /// provider usually belong to a link.
    pub fn link(&self) -> Result<Arc<Link>, Failure> {
        let provider = self.sdk.provider_id();
        let Some(source) = &self.source else {
            return Err(Failure::denied(format!(
                "provider `{provider}` answers components that are linked to it, and the call does not say who calls"
            )));
        };
        let links = &self.sdk.0.links;
        links
            .of_call(source, provider, &self.link_name, self.instance())
            .ok_or_else(|| {
                Failure::denied(format!(
                    "component `{source}` has no link `{}` for {} to provider `{provider}`; hint: add one to the \
                     manifest, or with `wash link put`",
                    self.link_name,
                    self.instance(),
                ))
            })
    }

    /// When the call must have ended.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The trace that the call belongs to.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// How many calls led to this one.
    pub fn depth(&self) -> u32 {
        self.depth
    }
}

fn trace(parent: Option<&str>, state: Option<&str>) -> Option<Trace> {
    let printable = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let parent = parent
        .filter(|parent| parent.len() <= MAX_TRACEPARENT)
        .filter(printable)?;
    let state = state
        .filter(|state| state.len() <= MAX_TRACESTATE)
        .filter(printable);
    Some(Trace {
        parent: parent.to_owned(),
        state: state.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_passed_on_where_they_are_ones() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let with_state = trace(Some(parent), Some("a=b,c=d")).unwrap();
        assert_eq!(
            (with_state.parent.as_str(), with_state.state.as_deref()),
            (parent, Some("a=b,c=d"))
        );
        assert_eq!(trace(None, Some("a=b")), None);
        assert_eq!(trace(Some("a\r\nb"), None), None);
        assert_eq!(trace(Some(&"x".repeat(MAX_TRACEPARENT + 1)), None), None);
        let long = "x".repeat(MAX_TRACESTATE + 1);
        assert_eq!(trace(Some(parent), Some(&long)).unwrap().state, None);
    }
}
