//! Components on a host: started, changed, put beside each other and stopped. What a command comes to is for `rollout`,
//! how images come here for `fetched`.

use std::sync::Arc;
use std::time::Duration;

use wasmcloud_cap_http::probe;
use wasmcloud_capability::{ComponentContext, InstanceState};
use wasmcloud_core::{ComponentId, Link};
use wasmcloud_engine::{
    CallRoute, Compiled, Described, DescribedItem, PrepareOptions, Prepared, StartError, link_dynamic_import,
};
use wasmtime::component::Linker;

use super::{FetchedComponent, Host};
use crate::claims::ComponentClaims;
use crate::components::{Component, ComponentSpec, Running, Runs, Unlinked};
use crate::error::HostError;
use crate::policy::Gate;
use crate::rollout::{Meant, Place, Step, is_resized, step};

/// What became of a command before anything was started.
pub(crate) enum Shift {
    /// It is done: what is meant runs already.
    Done {
        /// What is meant.
        running: Arc<Running>,
        /// Whether it is the current revision now.
        is_current: bool,
        /// Whether anything is another than it was.
        changed: bool,
    },
    /// It runs, and is to have another number of instances ([`Host::resize_component`]).
    Resize(Arc<Running>),
    /// It has to be started.
    Start(Place),
}

impl Host {
    /// Starts a component, or changes the running one into what is asked for: another image, other limits, other
    /// configs. Calls under way end in the instance they began in; none is dropped. Returns whether anything changed.
    ///
    /// Where only the number of instances is another, what runs goes on with its kept instances.
    ///
    /// With a weight below 100, what is asked for gets that share of the calls that begin and runs beside what runs,
    /// unless that is the same revision: the same image, configs and limits, or, where both have it, the same annotation
    /// `wasmcloud.dev/revision`. With another weight, the share changes; without one, what is asked for takes the place
    /// of the other, which goes. The one that was there first keeps its place with the rest of the calls, and without a
    /// weight it takes all of them back.
    pub async fn scale_component(&self, spec: ComponentSpec) -> Result<bool, HostError> {
        match self.shift_component(&spec).await? {
            Shift::Done { changed, .. } => return Ok(changed),
            Shift::Resize(_) if self.resize_component(&spec).await? => return Ok(true),
            Shift::Resize(_) | Shift::Start(_) => {}
        }
        let fetched = self.fetch_component(&spec.id, &spec.image).await?;
        self.run_component(spec, fetched).await
    }

    /// Does what needs no start, and so no image: changes shares, and ends the time of two revisions beside each other.
    pub(crate) async fn shift_component(&self, spec: &ComponentSpec) -> Result<Shift, HostError> {
        let component = self.component(&spec.id)?;
        let _changing = component.changing.lock().await;
        self.shift(&component, spec)
    }

    /// The same under `changing`.
    fn shift(&self, component: &Component, spec: &ComponentSpec) -> Result<Shift, HostError> {
        let runs = component.runs();
        let (current, candidate) = (&runs.current, &runs.candidate);
        let specs = (
            current.as_ref().map(|running| &running.spec),
            candidate.as_ref().map(|candidate| &candidate.running.spec),
        );
        let step = step(specs.0, specs.1, spec);
        let (meant, weight) = match step {
            Step::Start(place) => return Ok(Shift::Start(place)),
            Step::Weigh(meant, weight) => (meant, Some(weight)),
            Step::Promote => (Meant::Candidate, None),
            Step::Drop => (Meant::Current, None),
            Step::Resize => {
                // One that sleeps is woken, which a start does.
                let awake = current.as_ref().filter(|running| running.code().is_some());
                return Ok(match awake {
                    Some(running) => Shift::Resize(Arc::clone(running)),
                    None => Shift::Start(Place::Alone),
                });
            }
        };
        let (Some(current), Some(candidate)) = (current, candidate) else {
            // There are two where one of them is meant.
            return Ok(Shift::Start(Place::Alone));
        };
        let beside = &candidate.running;
        if step == Step::Promote {
            let (now, comes) = (current.profile.described(), beside.profile.described());
            self.still_answers(&spec.id, now, comes)?;
        }
        let running = match meant {
            Meant::Current => current.asked(spec),
            Meant::Candidate => beside.asked(spec),
        };
        let is_current = meant == Meant::Current || weight.is_none();
        let changed = weight != Some(candidate.weight);
        component.replace(match (weight, meant) {
            (None, _) => Runs::alone(Arc::clone(&running)),
            (Some(weight), Meant::Current) => Runs::two(Arc::clone(&running), Arc::clone(beside), weight),
            (Some(weight), Meant::Candidate) => Runs::two(Arc::clone(current), Arc::clone(&running), weight),
        });
        Ok(Shift::Done {
            running,
            is_current,
            changed,
        })
    }

    /// Gives what runs another number of instances, if that is still what is asked for; without looking at its image.
    pub(crate) async fn resize_component(&self, spec: &ComponentSpec) -> Result<bool, HostError> {
        let component = self.component(&spec.id)?;
        let _changing = component.changing.lock().await;
        match self.shift(&component, spec)? {
            Shift::Resize(running) => Ok(match resized(&running, spec) {
                Some(next) => {
                    component.replace(Runs::alone(next));
                    true
                }
                None => false,
            }),
            Shift::Done { .. } | Shift::Start(_) => Ok(false),
        }
    }

    /// The same as [`Host::scale_component`] with what was fetched.
    pub(crate) async fn run_component(
        &self,
        spec: ComponentSpec,
        fetched: FetchedComponent,
    ) -> Result<bool, HostError> {
        let FetchedComponent { artifact, claims } = fetched;
        let component = self.component(&spec.id)?;
        let changing = component.changing.lock().await;
        // Whoever stops the host waits for `changing`, and must not wait for a compiler with it.
        let compiled = self.unless_stopping(self.compile(&spec.id, artifact)).await?;
        let place = match self.shift(&component, &spec)? {
            Shift::Done { changed, .. } => return Ok(changed),
            // It may be other code.
            Shift::Resize(_) => Place::Alone,
            Shift::Start(place) => place,
        };
        let runs = component.runs();
        if let (Some(now), None) = (&runs.current, &runs.candidate)
            && now.spec == spec.clone().settled()
            && now.profile.digest() == compiled.digest()
        {
            return Ok(false);
        }
        let as_it_is = match (place, &runs.current, &runs.candidate) {
            (Place::Alone | Place::Current(_), Some(current), _) => Some(current),
            (Place::Beside(_), _, Some(candidate)) => Some(&candidate.running),
            _ => None,
        };
        if let Some(running) = as_it_is
            && is_resized(&running.spec, &spec)
            && running.profile.digest() == compiled.digest()
            && let Some(next) = resized(running, &spec)
        {
            component.replace(placed(place, next, runs));
            return Ok(true);
        }
        if let (Some(current), Place::Beside(_) | Place::Current(_)) = (&runs.current, place)
            && current.code().is_none()
        {
            self.wake_current(&component, current).await?;
        }
        if spec.limits.idle.is_some() {
            self.watch_sleepers();
        }
        let started = self.unless_stopping(self.start(&component, compiled, &spec, &claims));
        let checked = started.await.and_then(|next| {
            let comes = next.profile().described();
            match (&runs.current, place) {
                // What a candidate does not have, the other one answers.
                (Some(now), Place::Alone | Place::Current(_)) => {
                    self.still_answers(&spec.id, now.profile.described(), comes)?;
                }
                (None, _) if spec.unlinked == Unlinked::Refuse => self.answers_links(&spec.id, comes)?,
                _ => {}
            }
            Ok(next)
        });
        let prepared = match checked {
            Ok(prepared) => prepared,
            Err(error) => {
                if component.current().is_none() {
                    drop(component.serving.lock().take());
                }
                return Err(error);
            }
        };
        let new = Arc::new(Running::new(spec.settled(), claims, prepared));
        let next = Arc::clone(&new);
        component.replace(placed(place, next, runs));
        // Links and values that came while it started found nothing that runs.
        self.fill_tables(&component);
        // One that is gone leaves the values that it started with.
        self.fill_config(&new).ok();
        // Whoever stops the host stops what runs; a component that was on its way must not slip through.
        if self.refuse_if_stopping().is_err() {
            drop(changing);
            component.stop(Duration::ZERO, "this host is stopping").await;
            return Err(HostError::Stopping);
        }
        Ok(true)
    }

    /// Prepares a revision and asks it what it has to answer, and sees to it that the calls of others come here.
    async fn start(
        &self,
        component: &Component,
        compiled: Compiled,
        spec: &ComponentSpec,
        claims: &ComponentClaims,
    ) -> Result<Arc<Prepared>, HostError> {
        let prepare = self.prepare(component, compiled, spec, claims);
        let Some(wanted) = &spec.probe else {
            // Others may call as soon as it runs, so their calls have to come here by then.
            let (prepared, served) = tokio::join!(prepare, self.serve(component));
            let prepared = prepared?;
            served?;
            return Ok(prepared);
        };
        let prepared = prepare.await?;
        let passed = probe(&prepared, &wanted.path, wanted.timeout).await;
        passed.map_err(|source| HostError::Probe {
            component: spec.id.clone(),
            source,
        })?;
        self.serve(component).await?;
        Ok(prepared)
    }

    /// Whether what comes still exports all that links to this component call and that it exports now. Links may be
    /// put before a component, so only an export that was there and goes away is an error.
    fn still_answers(&self, id: &ComponentId, now: &Described, next: &Described) -> Result<(), HostError> {
        let tables = self.0.tables.lock();
        for link in tables.links.all().filter(|link| link.target == *id) {
            let of_provider = tables.providers.contains_key(&link.source);
            if exports(now, link, of_provider) && !exports(next, link, of_provider) {
                return Err(HostError::ExportGone {
                    component: id.clone(),
                    link: Box::new(link.clone()),
                });
            }
        }
        Ok(())
    }

    /// Whether it exports all that links to it call, where nothing else may come that does. What a source calls that is
    /// not here is not known.
    fn answers_links(&self, id: &ComponentId, next: &Described) -> Result<(), HostError> {
        let tables = self.0.tables.lock();
        for link in tables.links.all().filter(|link| link.target == *id) {
            let of_provider = tables.providers.contains_key(&link.source);
            let known = of_provider || tables.components.contains_key(&link.source);
            if known && !exports(next, link, of_provider) {
                return Err(HostError::NoExport {
                    component: id.clone(),
                    link: Box::new(link.clone()),
                });
            }
        }
        Ok(())
    }

    async fn prepare(
        &self,
        component: &Component,
        compiled: Compiled,
        spec: &ComponentSpec,
        claims: &ComponentClaims,
    ) -> Result<Arc<Prepared>, HostError> {
        let context = component.context.revision(self.merged(spec)?);
        self.fill_table(&context, spec.link_suffix.as_ref());
        let linker = self.linker(&context, &compiled, spec.unlinked)?;
        let policy = self.0.policy.get().map(Arc::clone);
        let options = PrepareOptions {
            compiled,
            linker: &linker,
            context,
            limits: spec.limits.clone(),
            stats: Arc::clone(&component.stats),
            resolvers: &self.0.resolvers,
            admit: policy.map(|policy| Arc::new(Gate::new(policy, spec, claims.clone())) as _),
        };
        let started = Prepared::start(options).await;
        started.map_err(|source| HostError::Start {
            component: spec.id.clone(),
            source,
        })
    }

    /// Everything that a revision imports, if somebody answers all of it or may do so later.
    pub(super) fn linker(
        &self,
        revision: &ComponentContext,
        compiled: &Compiled,
        unlinked: Unlinked,
    ) -> Result<Linker<InstanceState>, HostError> {
        let id = || revision.id().clone();
        let may_wait = unlinked == Unlinked::Allow;
        let linked = |interface: &str| may_wait || revision.links().has_interface(interface);
        let (custom, problems) = self.0.linkers.check(compiled, linked);
        if !problems.is_empty() {
            return Err(HostError::Start {
                component: id(),
                source: StartError::Imports(problems),
            });
        }
        let linker_error = |source| HostError::Linker {
            component: id(),
            source,
        };
        let mut linker = self.0.linkers.for_component(compiled).map_err(linker_error)?;
        let router: Arc<dyn CallRoute> = Arc::clone(&self.0.router) as _;
        for import in &custom {
            link_dynamic_import(&mut linker, compiled, import, &router).map_err(linker_error)?;
        }
        Ok(linker)
    }

    /// Stops a component and waits for its calls to end, no longer than the host's drain time.
    pub async fn stop_component(&self, id: &ComponentId) -> Result<(), HostError> {
        let component = self.0.tables.lock().components.get(id).cloned();
        let component = component.ok_or_else(|| HostError::NoComponent(id.clone()))?;
        match component.stop(self.0.options.drain, "it was stopped").await {
            Some(_) => {
                self.forget_if_unused(id);
                Ok(())
            }
            None => Err(HostError::NoComponent(id.clone())),
        }
    }
}

/// What runs once a revision has come to its place among those that ran.
fn placed(place: Place, next: Arc<Running>, runs: Runs) -> Runs {
    match (place, runs.current, runs.candidate) {
        (Place::Current(weight), _, Some(candidate)) => Runs::two(next, candidate.running, weight),
        (Place::Beside(weight), Some(current), _) => Runs::two(current, next, weight),
        _ => Runs::alone(next),
    }
}

/// The same that runs, with the number of instances that is asked for; none if it sleeps.
fn resized(running: &Running, spec: &ComponentSpec) -> Option<Arc<Running>> {
    running.code()?.resize(spec.limits.concurrency);
    Some(running.asked(spec))
}

/// Whether a component exports what a link calls. A provider knows which interface of the package it calls (`wasi:http`
/// has two that serve); a component calls those that the link names.
fn exports(item: &Described, link: &Link, of_provider: bool) -> bool {
    let mut exports = item.exports.iter().filter_map(DescribedItem::interface);
    if of_provider {
        return exports.any(|name| (&name.namespace, &name.package) == (&link.namespace, &link.package));
    }
    let exports: Vec<String> = exports.map(|name| name.unversioned()).collect();
    link.interfaces
        .iter()
        .all(|interface| exports.contains(&format!("{}:{}/{interface}", link.namespace, link.package)))
}
