//! Components: what is asked for, and what runs. What a command comes to is for `rollout`, and how it is carried out for
//! `host/starting`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use wasmcloud_capability::ComponentContext;
use wasmcloud_core::{ComponentId, ConfigName, ImageRef, Limits, LinkSuffix};
use wasmcloud_engine::{Prepared, Profile, Stats, Target, Wake};

use crate::claims::ComponentClaims;
use crate::rpc::{LEAVE, Serving};

/// Most revisions of a component that are kept in mind after they were replaced. Calls end by their deadlines, so more
/// would take that many changes within one.
const MAX_LEAVING: usize = 16;

/// A component as it should run on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSpec {
    /// Its id.
    pub id: ComponentId,
    /// Where its code comes from.
    pub image: ImageRef,
    /// The same as somebody wrote it, which is how the inventory shows it: controllers compare texts.
    pub reference: String,
    /// How many instances somebody asked for, which is what the inventory says.
    pub count: u32,
    /// What it may use. Its concurrency is the count, unless somebody said otherwise.
    pub limits: Limits,
    /// Its named configs, later ones override earlier ones.
    pub config: Vec<ConfigName>,
    /// Who manages it and why; opaque to the host.
    pub annotations: BTreeMap<String, String>,
    /// What an import means that nobody answers yet.
    pub unlinked: Unlinked,
    /// The percent of the calls that it gets while another revision runs under its id; without, or from 100 on, it gets
    /// all of them, and the other goes.
    pub weight: Option<u8>,
    /// What it has to answer before it gets calls.
    pub probe: Option<Probe>,
    /// What the names of the links end in that are its own; without, it has all links of its id.
    pub link_suffix: Option<LinkSuffix>,
}

impl ComponentSpec {
    /// What stays of it once it runs: how it came to that is of no concern then.
    pub(crate) fn settled(self) -> Self {
        Self {
            weight: None,
            probe: None,
            ..self
        }
    }
}

/// A request that a component has to answer, with a status below 400, before it gets calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is asked for, beginning with `/`.
    pub path: String,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// What a start does about an import that is answered over a link, when there is no such link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlinked {
    /// It fails. For who knows all links beforehand, as a manifest does.
    #[default]
    Refuse,
    /// It goes on; calls of the import fail until the link is there. Controllers of v1 put links after they have
    /// started both ends (wire reference §17).
    Allow,
}

/// A place for one component on this host. It outlives what runs in it: callers that were linked to a component that
/// is stopped learn that it is, and reach it again once it is started.
pub(crate) struct Component {
    pub(crate) target: Arc<Target>,
    /// What all its revisions share. Each has a context of its own, with its config and its links.
    pub(crate) context: Arc<ComponentContext>,
    pub(crate) stats: Arc<Stats>,
    /// Held by whoever starts, updates or stops this component, compile included. Other components are not
    /// concerned.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// What runs. Only whoever holds `changing` changes it.
    runs: Mutex<Runs>,
    /// What was replaced, as long as calls run in it.
    leaving: Mutex<VecDeque<Leaving>>,
    /// The calls of others to it, while it runs on a host that is part of a lattice.
    pub(crate) serving: Mutex<Option<Serving>>,
}

/// What runs under one id.
#[derive(Clone, Default)]
pub(crate) struct Runs {
    pub(crate) current: Option<Arc<Running>>,
    /// Only beside a current one.
    pub(crate) candidate: Option<Candidate>,
}

/// A revision that runs beside the one that it may replace.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) running: Arc<Running>,
    /// The percent of the calls that it gets.
    pub(crate) weight: u8,
}

/// A revision that runs.
pub(crate) struct Running {
    pub(crate) spec: ComponentSpec,
    pub(crate) claims: ComponentClaims,
    pub(crate) profile: Arc<Profile>,
    /// Its code; none while it sleeps. Only whoever holds `changing` changes it.
    code: Mutex<Option<Arc<Prepared>>>,
}

/// A revision that was replaced while calls ran in it. They need its links until they have ended.
#[derive(Clone)]
pub(crate) struct Leaving {
    pub(crate) profile: Arc<Profile>,
    pub(crate) link_suffix: Option<LinkSuffix>,
}

impl Runs {
    /// One revision alone.
    pub(crate) fn alone(current: Arc<Running>) -> Self {
        let current = Some(current);
        Self {
            current,
            candidate: None,
        }
    }

    /// Two, of which the second gets `weight` percent of the calls.
    pub(crate) fn two(current: Arc<Running>, candidate: Arc<Running>, weight: u8) -> Self {
        Self {
            current: Some(current),
            candidate: Some(Candidate {
                running: candidate,
                weight,
            }),
        }
    }

    /// All revisions, the current one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Running>> {
        let candidate = self.candidate.iter().map(|candidate| &candidate.running);
        self.current.iter().chain(candidate)
    }

    fn has(&self, revision: &Running) -> bool {
        self.all()
            .any(|running| Arc::ptr_eq(&running.profile, &revision.profile))
    }
}

impl Component {
    pub(crate) fn new(id: ComponentId) -> Arc<Self> {
        Arc::new(Self {
            target: Target::new(id.clone(), "it was not started"),
            context: ComponentContext::new(id),
            stats: Arc::default(),
            changing: tokio::sync::Mutex::default(),
            runs: Mutex::default(),
            leaving: Mutex::default(),
            serving: Mutex::default(),
        })
    }

    /// What runs now.
    pub(crate) fn runs(&self) -> Runs {
        self.runs.lock().clone()
    }

    /// The current revision, if any runs.
    pub(crate) fn current(&self) -> Option<Arc<Running>> {
        self.runs.lock().current.clone()
    }

    /// Puts what shall run in place of what ran. Calls under way end where they began. Under `changing`, with all of it
    /// awake.
    pub(crate) fn replace(&self, next: Runs) {
        let Some(current) = next.current.as_ref().and_then(|running| running.code()) else {
            return;
        };
        let candidate = next.candidate.as_ref();
        match candidate.and_then(|candidate| Some((candidate.running.code()?, candidate.weight))) {
            Some((candidate, weight)) => self.target.share(current, candidate, weight),
            None => self.target.set(current),
        }
        let former = std::mem::replace(&mut *self.runs.lock(), next.clone());
        for gone in former.all().filter(|running| !next.has(running)) {
            if let Some(code) = gone.code() {
                code.retire();
                self.leave(gone);
            }
        }
    }

    fn leave(&self, gone: &Running) {
        let mut leaving = self.leaving.lock();
        if leaving.len() >= MAX_LEAVING {
            leaving.pop_front();
        }
        leaving.push_back(Leaving {
            profile: Arc::clone(&gone.profile),
            link_suffix: gone.spec.link_suffix.clone(),
        });
    }

    /// What was replaced and has calls that have not ended.
    pub(crate) fn leaving(&self) -> Vec<Leaving> {
        let mut leaving = self.leaving.lock();
        leaving.retain(|gone| gone.profile.in_use() != (0, 0));
        leaving.iter().cloned().collect()
    }

    /// What the links end in that these calls need, each once.
    pub(crate) fn leaving_suffixes(&self) -> Vec<Option<LinkSuffix>> {
        let suffixes = self.leaving().into_iter().map(|gone| gone.link_suffix);
        suffixes.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Takes the code of the current revision out, until `wake` brings it back. Under `changing`, with nothing beside it.
    pub(crate) fn sleep(&self, current: &Running, wake: Box<dyn Wake>) {
        self.target.sleep(&current.profile, wake);
        if let Some(code) = current.code.lock().take() {
            code.retire();
        }
    }

    /// Puts the code of the current revision back. Under `changing`.
    pub(crate) fn awake(&self, current: &Running, code: Arc<Prepared>) {
        *current.code.lock() = Some(Arc::clone(&code));
        self.target.set(code);
    }

    /// Takes the component out and waits until its calls have ended, at most `drain`. Answers what was the current
    /// revision.
    pub(crate) async fn stop(&self, drain: Duration, reason: &str) -> Option<Arc<Running>> {
        let _changing = self.changing.lock().await;
        let stopped = std::mem::take(&mut *self.runs.lock());
        let current = stopped.current.clone()?;
        let serving = self.serving.lock().take();
        if let Some(serving) = serving {
            // Until nobody is sent here any more, those who are sent are answered.
            serving.stop(Instant::now() + drain.min(LEAVE)).await;
        }
        self.target.clear(reason);
        let drained = stopped.all().map(|running| running.drained(drain));
        futures::future::join_all(drained).await;
        Some(current)
    }
}

impl Running {
    pub(crate) fn new(spec: ComponentSpec, claims: ComponentClaims, code: Arc<Prepared>) -> Self {
        Self {
            spec,
            claims,
            profile: Arc::clone(code.profile()),
            code: Mutex::new(Some(code)),
        }
    }

    /// Its code, unless it sleeps.
    pub(crate) fn code(&self) -> Option<Arc<Prepared>> {
        self.code.lock().clone()
    }

    /// The same, as it was asked for now: annotations change without a start.
    pub(crate) fn asked(&self, spec: &ComponentSpec) -> Arc<Self> {
        Arc::new(Self {
            spec: spec.clone().settled(),
            claims: self.claims.clone(),
            profile: Arc::clone(&self.profile),
            code: Mutex::new(self.code()),
        })
    }

    async fn drained(&self, drain: Duration) {
        let Some(code) = self.code() else { return };
        code.retire();
        if !code.drained(drain).await {
            let (open, _) = self.profile.in_use();
            tracing::warn!(component = %self.spec.id, open, "calls still run after the time to drain");
        }
    }
}
