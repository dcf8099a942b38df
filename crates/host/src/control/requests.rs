//! Messages of the control interface (wire reference §3.1): each is read, decided and answered, or handed on.
//!
//! What asks the shared state runs beside the loop, at most [`MAX_AT_ONCE`] at a time; what starts or stops something
//! is accepted here, in the order of the messages, and done by [`Commands`](super::commands::Commands).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::select_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use wasmcloud_core::{ImageRef, builtin_for};
use wasmcloud_lattice::{CallError, Message};
use wasmcloud_telemetry::{TRACEPARENT, TRACESTATE, set_parent};
use wasmcloud_wire::control::{
    ClaimsEntry, ClaimsList, ComponentAuction, CtlResponse, Links, Nothing, ProviderAuction, Request,
    ScaleComponent, StartProvider, StopHost, StopProvider, UpdateComponent, read_limits,
};
use wasmcloud_wire::event::{Event, LabelsChanged};
use wasmcloud_wire::message::{self, chain};
use wasmcloud_wire::subject::Auctions;
use wasmcloud_wire::{InvalidField, Link, Message as _};

use super::records::LinkPut;
use super::{ControlError, LatticeHost, StopRequest, describe};
use crate::components::{ComponentSpec, Probe, Unlinked};
use crate::identity::LabelError;
use crate::providers::ProviderSpec;

/// Requests that may ask the shared state at the same time. More are refused.
const MAX_AT_ONCE: usize = 256;

/// How long the answer to a stop of a provider waits for its end: less than clients wait for an answer.
const STOP_ANSWER: Duration = Duration::from_secs(1);

/// An answer, ready to be sent.
type Reply = Vec<u8>;

fn reply<T: Serialize + DeserializeOwned>(response: CtlResponse<T>) -> Reply {
    response.encode()
}

fn ok(text: &str) -> Reply {
    reply(CtlResponse::<Nothing>::success(text))
}

fn refuse(text: impl Into<String>) -> Reply {
    reply(CtlResponse::<Nothing>::error(text))
}

fn failed(error: &dyn std::error::Error) -> Reply {
    reply(CtlResponse::<Nothing>::failed(error))
}

/// What a component shall answer before it gets calls.
fn probe(scale: &ScaleComponent) -> Result<Option<Probe>, InvalidField> {
    let Some(probe) = &scale.probe else {
        return Ok(None);
    };
    Ok(Some(Probe {
        path: probe.path()?.to_owned(),
        timeout: probe.timeout()?,
    }))
}

/// The span of one request, a child of the one that the sender names. The name is that of v1 (wire reference §9). What
/// is asked without a parent and only says that the host is there is asked each second, and is nobody's trace.
fn span(message: &Message) -> tracing::Span {
    let traced = message
        .headers
        .as_ref()
        .is_some_and(|headers| headers.get(TRACEPARENT).is_some());
    if !traced
        && [".host.ping", ".host.get."]
            .iter()
            .any(|asked| message.subject.contains(asked))
    {
        return tracing::Span::none();
    }
    let span = tracing::info_span!(
        target: "wasmcloud::control",
        "handle_ctl_message",
        otel.kind = "server",
        messaging.destination.name = %message.subject,
    );
    if !span.is_disabled() {
        let headers = message.headers.as_ref();
        let header = |name: &str| Some(headers?.get(name)?.as_str());
        set_parent(&span, header(TRACEPARENT), header(TRACESTATE));
    }
    span
}

impl LatticeHost {
    /// Subscribes, and answers from then on. Returns when the server has confirmed the subscriptions.
    pub(super) async fn listen(&self, auctions: Auctions) -> Result<(), CallError> {
        let connection = &self.0.lattice.control;
        let mut subscriptions = Vec::new();
        for wanted in self.0.interface.subscriptions(self.id(), auctions) {
            subscriptions.push(match &wanted.queue_group {
                Some(group) => connection.queue_subscribe(&wanted.subject, group).await?,
                None => connection.subscribe(&wanted.subject).await?,
            });
        }
        connection.barrier(connection.default_deadline()).await?;
        // The task does not keep the host alive: it ends with the last handle.
        let host = Arc::downgrade(&self.0);
        let mut messages = select_all(subscriptions);
        let task = tokio::spawn(async move {
            let slots = Arc::new(Semaphore::new(MAX_AT_ONCE));
            while let Some(message) = messages.next().await {
                let Some(host) = host.upgrade() else { return };
                let span = span(&message);
                Self(host).hear(message, &slots).instrument(span).await;
            }
        });
        self.keep(task.abort_handle());
        Ok(())
    }

    async fn hear(&self, message: Message, slots: &Arc<Semaphore>) {
        let request = Request::parse(&self.0.interface, &message.subject, &message.payload);
        let to = message.reply;
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(subject = %message.subject, error = chain(&error), "not a request");
                return self.answer(to, Some(reply(error.reply()))).await;
            }
        };
        if request.is_command()
            && let Err(error) = self.0.fence.admit(message.headers.as_ref())
        {
            tracing::warn!(subject = %message.subject, error = chain(&error), "a command was refused");
            return self.answer(to, Some(failed(&error))).await;
        }
        let now = match request {
            Request::PingHosts => Some(reply(CtlResponse::ok(describe::host(
                &self.0.identity,
                &self.0.lattice,
                self.inventory().inventory_revision,
            )))),
            Request::GetInventory(_) => Some(reply(CtlResponse::ok(self.inventory()))),
            Request::StopHost(_, stop) => return self.stop_host(&stop, to).await,
            Request::PutLabel(_, label) => Some(self.label(
                self.0.identity.put_label(label.key, label.value).map(|()| true),
                message::LABEL_PUT,
            )),
            Request::DeleteLabel(_, label) => {
                Some(self.label(self.0.identity.delete_label(&label.key), message::LABEL_DELETED))
            }
            Request::AuctionComponent(auction) => self.auction_component(auction),
            Request::AuctionProvider(auction) => self.auction_provider(auction),
            Request::ScaleComponent(_, scale) => Some(self.scale(scale)),
            Request::UpdateComponent(_, update) => Some(self.update(update)),
            Request::StartProvider(_, start) => Some(self.start(start)),
            Request::StopProvider(_, stop) => return self.stop(stop, to).await,
            Request::PutRegistries(registries) => {
                super::put_registries(&self.0.host, &registries.0);
                Some(ok(message::REGISTRIES_PUT))
            }
            request => return self.ask_state(request, to, slots).await,
        };
        self.answer(to, now).await;
    }

    async fn answer(&self, to: Option<wasmcloud_lattice::Subject>, reply: Option<Reply>) {
        let (Some(to), Some(reply)) = (to, reply) else {
            return;
        };
        let connection = &self.0.lattice.control;
        let mut sent = connection.publish(&to, None, Bytes::from(reply)).await;
        if let Err(error @ CallError::TooLarge { .. }) = &sent {
            // Whoever asks learns why there is no answer, and does not wait for one.
            sent = connection.publish(&to, None, Bytes::from(failed(error))).await;
        }
        if let Err(error) = sent {
            tracing::warn!(error = chain(&error), "an answer was not sent");
        }
    }

    /// Requests that concern the shared state run beside the others.
    async fn ask_state(
        &self,
        request: Request,
        to: Option<wasmcloud_lattice::Subject>,
        slots: &Arc<Semaphore>,
    ) {
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
            let text =
                format!("this host answers {MAX_AT_ONCE} requests already; hint: ask again in a moment");
            return self.answer(to, Some(refuse(text))).await;
        };
        let host = self.clone();
        tokio::spawn(async move {
            let reply = host.state(request).await;
            host.answer(to, Some(reply)).await;
            drop(slot);
        });
    }

    async fn state(&self, request: Request) -> Reply {
        match request {
            Request::GetLinks => match self.0.records.links().await {
                Ok(links) => reply(CtlResponse::ok(Links(links))),
                Err(error) => failed(&error),
            },
            Request::PutLink(link) => self.link(&link).await,
            Request::DeleteLink(delete) => match self.remove_links(&delete.key(), None).await {
                Ok(deleted) if deleted.record => ok(message::LINK_DELETED),
                Ok(_) => ok(message::LINK_NO_SOURCE),
                Err(error) => failed(&error),
            },
            Request::GetClaims => match self.0.records.claims().await {
                Ok(claims) => reply(CtlResponse::ok(ClaimsList(
                    claims.iter().map(ClaimsEntry::from).collect(),
                ))),
                Err(error) => failed(&error),
            },
            Request::GetConfig(name) => match self.0.records.config(&name).await {
                Ok(Some((config, _))) => reply(CtlResponse::ok(config)),
                Ok(None) => ok(message::CONFIG_NOT_FOUND),
                Err(error) => failed(&error),
            },
            Request::PutConfig(name, config) => match self.write_config(&name, &config).await {
                Ok(_) => ok(message::CONFIG_PUT),
                Err(error) => failed(&error),
            },
            Request::DeleteConfig(name) => match self.delete_config(&name).await {
                Ok(()) => ok(message::CONFIG_DELETED),
                Err(error) => failed(&error),
            },
            // Everything else was answered before.
            _ => refuse(message::UNSUPPORTED_SUBJECT),
        }
    }

    async fn link(&self, link: &Link) -> Reply {
        let read = wasmcloud_core::Link::try_from(link).and_then(|read| Ok((read.key(), link.instead_of()?)));
        let (key, instead_of) = match read {
            Ok(read) => read,
            Err(error) => return failed(&error),
        };
        let source = key.source.clone();
        let put = LinkPut {
            link: Link {
                instead_of: None,
                ..link.clone()
            },
            key,
            instead_of,
        };
        match self.write_link(&source, &put).await {
            Ok(_) => ok(message::LINK_PUT),
            Err(error) => failed(&error),
        }
    }

    /// Answers first: whoever waits for the request ends the task that answers.
    async fn stop_host(&self, stop: &StopHost, to: Option<wasmcloud_lattice::Subject>) {
        if let Some(named) = stop.host_id.as_ref().filter(|named| *named != self.id()) {
            let text = message::invalid_host(named);
            return self.answer(to, Some(refuse(text))).await;
        }
        self.answer(to, Some(ok(message::HOST_STOPPING))).await;
        let timeout = stop.timeout.map(Duration::from_millis);
        self.0.stop.send_replace(Some(StopRequest { timeout }));
    }

    fn label(&self, outcome: Result<bool, LabelError>, done: &str) -> Reply {
        match outcome {
            Ok(true) => {
                self.0.events.tell(Event::LabelsChanged(LabelsChanged {
                    host_id: self.id().to_string(),
                    labels: self.0.identity.labels(),
                }));
                ok(done)
            }
            Ok(false) => ok(message::LABEL_ABSENT),
            Err(error) => failed(&error),
        }
    }

    /// Silence means no: an auction is answered by those that could (wire reference §3.1).
    fn auction_component(&self, auction: ComponentAuction) -> Option<Reply> {
        let free = self.0.host.component_spec(&auction.component_id).is_none();
        let could = free && self.0.identity.has_labels(&auction.constraints);
        could.then(|| reply(CtlResponse::ok(auction.accept(self.id()))))
    }

    fn auction_provider(&self, auction: ProviderAuction) -> Option<Reply> {
        let free = self.0.host.provider_spec(&auction.provider_id).is_none();
        let could = free && self.0.identity.has_labels(&auction.constraints);
        could.then(|| reply(CtlResponse::ok(auction.accept(self.id()))))
    }

    fn scale(&self, scale: ScaleComponent) -> Reply {
        if scale.host_id != *self.id() {
            return refuse(message::invalid_host(&scale.host_id));
        }
        let id = scale.component_id.clone();
        let annotations = scale.annotations.clone().unwrap_or_default();
        // A stop needs neither an image that exists nor anybody's leave.
        if scale.count == 0 {
            let host = self.clone();
            let stop = async move {
                let id = scale.component_id;
                let asked = Some((scale.component_ref, annotations));
                if let Err(error) = host.stop_component(&id, asked).await {
                    tracing::debug!(%id, error = chain(&error), "nothing to stop");
                }
            };
            return self.submit(&id, String::new(), stop);
        }
        let image = match scale.image() {
            Ok(image) => image,
            Err(error) => return failed(&error),
        };
        let limits = match read_limits(scale.component_limits.as_ref(), scale.count, &self.0.limits) {
            Ok(limits) => limits,
            Err(error) => return failed(&error),
        };
        let (weight, probe) = match scale.weight().and_then(|weight| Ok((weight, probe(&scale)?))) {
            Ok(read) => read,
            Err(error) => return failed(&error),
        };
        // What runs beside another revision replaces nothing.
        let may_differ = scale.allow_update || weight.is_some();
        let running = self.0.host.component_spec(&id).map(|spec| spec.reference);
        let text = match running {
            Some(running) if running != scale.component_ref && !may_differ => {
                message::scaled_without_update(&running, &scale.component_ref)
            }
            _ => String::new(),
        };
        let spec = ComponentSpec {
            id: id.clone(),
            image,
            reference: scale.component_ref,
            count: scale.count,
            limits,
            config: scale.config,
            annotations,
            unlinked: match scale.links_required {
                true => Unlinked::Refuse,
                false => Unlinked::Allow,
            },
            weight,
            probe,
            link_suffix: scale.link_suffix,
        };
        let host = self.clone();
        self.submit(&id, text, async move {
            let mut spec = spec;
            // What runs now, which may be something else than when the request was accepted.
            if !may_differ && let Some(running) = host.0.host.component_spec(&spec.id) {
                (spec.image, spec.reference) = (running.image, running.reference);
            }
            host.report(&spec.id.clone(), host.scale_component(spec).await.map(drop));
        })
    }

    fn update(&self, update: UpdateComponent) -> Reply {
        if update.host_id != *self.id() {
            return refuse(message::invalid_host(&update.host_id));
        }
        let id = update.component_id.clone();
        let image = match update.image() {
            Ok(image) => image,
            Err(error) => return failed(&error),
        };
        let Some(running) = self.0.host.component_spec(&id) else {
            return refuse(message::component_not_found(&id));
        };
        let reference = update.new_component_ref;
        if running.reference == reference {
            return ok(&message::component_already_updated(&id, &reference));
        }
        let text = message::component_updating(&id, &running.reference, &reference);
        let host = self.clone();
        self.submit(&id, text, async move {
            let Some(current) = host.0.host.running(&update.component_id) else {
                return;
            };
            let (running, claims) = (current.spec.clone(), current.claims.clone());
            let spec = ComponentSpec {
                image,
                reference,
                annotations: update.annotations.unwrap_or_else(|| running.annotations.clone()),
                ..running.clone()
            };
            let outcome = host.scale_component(spec).await.map(drop);
            if outcome.is_ok() {
                // As in v1: who counts instances by image learns that the former has none any more.
                let of = (running.reference, running.annotations);
                let event = describe::scaled(host.id(), &running.id, of, 0, &claims);
                host.0.events.tell(Event::ComponentScaled(event));
            }
            host.report(&update.component_id, outcome);
        })
    }

    fn start(&self, start: StartProvider) -> Reply {
        if start.host_id != *self.id() {
            return refuse(message::invalid_host(&start.host_id));
        }
        let id = start.provider_id.clone();
        let image = match start.image() {
            Ok(image) => image,
            Err(error) => return failed(&error),
        };
        // One that is being stopped does not count: the start waits for the stop.
        if !self.0.commands.busy(&id) && self.0.host.provider_spec(&id).is_some() {
            return refuse(message::PROVIDER_RUNNING);
        }
        let image = match builtin_for(&image).filter(|_| self.0.builtin_providers) {
            Some(name) => ImageRef::Builtin(name.to_owned()),
            None => image,
        };
        let spec = ProviderSpec {
            id: id.clone(),
            image,
            reference: start.provider_ref,
            config: start.config,
            annotations: start.annotations.unwrap_or_default(),
        };
        let host = self.clone();
        self.submit(&id, message::PROVIDER_STARTED.to_owned(), async move {
            host.report(&spec.id.clone(), host.start_provider(spec).await);
        })
    }

    /// Answers when the provider has stopped, or soon after: draining may take longer than the asker waits.
    async fn stop(&self, stop: StopProvider, to: Option<wasmcloud_lattice::Subject>) {
        if stop.host_id != *self.id() {
            let text = message::invalid_host(&stop.host_id);
            return self.answer(to, Some(refuse(text))).await;
        }
        let id = stop.provider_id;
        if !self.0.commands.busy(&id) && self.0.host.provider_spec(&id).is_none() {
            return self.answer(to, Some(refuse(message::PROVIDER_NOT_RUNNING))).await;
        }
        let host = self.clone();
        let job = {
            let id = id.clone();
            let to = to.clone();
            async move {
                let mut stopping = std::pin::pin!(host.stop_provider(&id));
                match tokio::time::timeout(STOP_ANSWER, &mut stopping).await {
                    Ok(Ok(())) => host.answer(to, Some(ok(message::PROVIDER_STOPPED))).await,
                    Ok(Err(_)) => host.answer(to, Some(refuse(message::PROVIDER_NOT_RUNNING))).await,
                    Err(_) => {
                        host.answer(to, Some(ok(message::PROVIDER_STOPPED))).await;
                        stopping.await.ok();
                    }
                }
            }
        };
        if let Err(error) = self.0.commands.submit(&id, job) {
            self.answer(to, Some(failed(&error))).await;
        }
    }

    fn submit(
        &self,
        id: &wasmcloud_core::ComponentId,
        text: String,
        job: impl Future<Output = ()> + Send + 'static,
    ) -> Reply {
        match self.0.commands.submit(id, job) {
            Ok(()) => ok(&text),
            Err(error) => failed(&error),
        }
    }

    /// The asker has its answer already; the operator of the host reads it here, everybody else in the event.
    fn report(&self, id: &wasmcloud_core::ComponentId, outcome: Result<(), ControlError>) {
        if let Err(error) = outcome {
            tracing::error!(%id, error = chain(&error), "a command failed");
        }
    }
}
