//! What to listen to, and which types are known there.

use std::collections::HashMap;

use futures::stream::SelectAll;
use wasmcloud_client::Client;
use wasmcloud_core::{ComponentId, ImageRef};
use wasmcloud_lattice::{CallError, Subscription};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::{InvocationSubject, Prefix, directly};

use crate::control::args::SpyArgs;
use crate::control::functions::{Function, Functions, Runs, known, of_image};
use crate::control::report::failed;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;
use crate::registry;

/// Targets of links that are listened to beside the component itself.
const MAX_TARGETS: usize = 256;

/// Where callers have their inboxes: two names below `_INBOX`, as clients of wRPC make them (wire reference §4.2).
/// Others are not followed.
const HANDSHAKES: &str = "_INBOX.*.*";
const RETURNED: &str = "_INBOX.*.*.returned.>";
const RESULTS: &str = "_INBOX.*.*.results";
/// The clients that take calls directly.
const CLIENTS: &str = "_INBOX.*";

/// Whose calls are shown.
pub(super) struct Targets {
    /// Calls to this one.
    to: ComponentId,
    /// And those of it to these.
    others: Vec<ComponentId>,
    /// Whether its own calls are shown at all.
    from: bool,
}

impl Targets {
    pub(super) async fn of(client: &Client, args: &SpyArgs) -> Result<Self, Failure> {
        let to = args.component_id.clone();
        let mut others = Vec::new();
        if args.from {
            for link in client.links().await.map_err(failed)? {
                let target = link.target.parse::<ComponentId>();
                if let Ok(target) = target
                    && link.source_id == to.as_str()
                    && target != to
                    && !others.contains(&target)
                    && others.len() < MAX_TARGETS
                {
                    others.push(target);
                }
            }
        }
        Ok(Self {
            to,
            others,
            from: args.from,
        })
    }

    fn all(&self) -> impl Iterator<Item = &ComponentId> {
        [&self.to].into_iter().chain(&self.others)
    }

    /// Whether a call is one to be shown.
    pub(super) fn wants(&self, called: &str, from: &str) -> bool {
        called == self.to.as_str() || from == self.to.as_str()
    }

    /// Whose calls, in words that follow "calls".
    pub(super) fn words(&self) -> String {
        match (self.from, self.others.len()) {
            (false, _) => format!("to `{}`", self.to),
            (true, 0) => format!("to `{}`, which has no links to others,", self.to),
            (true, 1) => format!("to `{}` and from it to 1 other", self.to),
            (true, others) => format!("to `{}` and from it to {others} others", self.to),
        }
    }
}

/// The subscriptions.
pub(super) struct Ears {
    pub(super) calls: SelectAll<Subscription>,
    /// Acceptances, and results that came with them.
    pub(super) handshakes: SelectAll<Subscription>,
    pub(super) results: SelectAll<Subscription>,
}

impl Ears {
    /// Listens. When this returns, the server has confirmed it.
    pub(super) async fn open(client: &Client, targets: &Targets, calls_only: bool) -> Result<Self, Failure> {
        let ears = Self::subscribe(client, targets, calls_only).await;
        ears.map_err(|error| Failure::new(FAILURE, "no-lattice", error))
    }

    async fn subscribe(client: &Client, targets: &Targets, calls_only: bool) -> Result<Self, CallError> {
        let connection = client.connection();
        let mut ears = Self {
            calls: SelectAll::new(),
            handshakes: SelectAll::new(),
            results: SelectAll::new(),
        };
        if !calls_only {
            ears.handshakes.push(connection.subscribe(HANDSHAKES).await?);
            ears.handshakes.push(connection.subscribe(RETURNED).await?);
            ears.results.push(connection.subscribe(RESULTS).await?);
        }
        for id in targets.all() {
            let prefix = Prefix {
                lattice: client.lattice().clone(),
                component: id.clone(),
            };
            // Not as one of their group: those who serve them get all calls.
            ears.calls.push(connection.subscribe(&prefix.wildcard()).await?);
            let directly = directly(CLIENTS, &prefix.wildcard());
            ears.calls.push(connection.subscribe(&directly).await?);
        }
        connection.barrier(connection.default_deadline()).await?;
        Ok(ears)
    }
}

/// The functions of those who are called.
pub(super) struct Types(HashMap<String, Functions>);

impl Types {
    /// Reads what can be read. The rest is said and shown as bytes.
    pub(super) async fn of(
        client: &Client,
        targets: &Targets,
        args: &SpyArgs,
        output: &Output,
    ) -> Result<Self, Failure> {
        let hosts = client.inventories().await.map_err(failed)?;
        let mut types = HashMap::new();
        for id in targets.all() {
            let runs = Runs::among(&hosts.answers, hosts.problems.len(), id.as_str());
            let image = match &args.image.component {
                Some(written) if *id == targets.to => registry::image(written)?,
                _ if runs.provider => continue,
                _ if !runs.anybody() => {
                    output.note(&format!("`{id}` {}; what it takes is not known", runs.words()));
                    continue;
                }
                _ => match runs.images.first().map(|image| image.parse::<ImageRef>()) {
                    Some(Ok(image)) => image,
                    _ => continue,
                },
            };
            match of_image(&image, &args.image).await {
                Ok(functions) => {
                    types.insert(id.to_string(), functions);
                }
                Err(error) => output.note(&format!(
                    "the types of `{id}` are not known, its values are shown as bytes: {}; `--component` names \
                     another image",
                    one_line(&chain(&*error))
                )),
            }
        }
        Ok(Self(types))
    }

    /// The function that is called, if its types are known.
    pub(super) fn function(&self, called: &InvocationSubject) -> Option<&Function> {
        let instance = called.instance.as_ref().map(|instance| instance.as_str());
        let name = called.function.as_str();
        let of_component = || self.0.get(called.component.as_str())?.exact(instance, name);
        known(instance, name).or_else(of_component)
    }
}
