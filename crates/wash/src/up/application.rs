//! The application of a `wash up`: put into the lattice's store, deployed, and planned by whoever leads, like that of
//! `wash app deploy`. What is special is how it ends: with this command (see [`runs`](super::runs)).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmcloud_artifacts::Digest;
use wasmcloud_client::{Apps, AppsError, Followed};
use wasmcloud_controller::Controller;
use wasmcloud_controller::store::{Store, tell_apart};
use wasmcloud_core::{AppName, ConfigName, ImageRef, Link};
use wasmcloud_host::LatticeHost;
use wasmcloud_manifest::Desired;
use wasmcloud_wire::app::{AppStatus, PutOptions, PutReply, StatusType};
use wasmcloud_wire::message::chain;

use super::parts::Parts;
use super::probe;
use super::progress::{Progress, Seen, step};
use super::runs::Run;
use crate::app::{self, Text, Wanted, asking, failed, until_deployed};
use crate::control::table::one_line;
use crate::exit::{Failure, NOT_STARTED};
use crate::output::Output;

/// Longest wait for it to run. Pulling large images takes a while.
const WITHIN: Duration = Duration::from_secs(300);

/// How long what ran before may take to be so again after a change that did not succeed.
const BACK: Duration = Duration::from_secs(30);

/// Versions of `wash up` that are kept for each that a manifest states.
const KEPT: usize = 10;

/// Digits of the hash in their names.
const DIGITS: usize = 8;

/// A manifest on its way.
pub(crate) struct Change {
    pub(crate) text: Text,
    /// With the contents of its files.
    pub(crate) desired: Desired,
    /// What is in its component files, by path.
    pub(crate) files: BTreeMap<String, String>,
}

/// The application while this command runs.
pub(crate) struct Application {
    apps: Apps,
    host: LatticeHost,
    /// Whether this process runs the lattice, so that there is nobody else to wait for.
    alone: bool,
    app: AppName,
    run: Option<Run>,
    /// What was seen to run.
    running: Option<Deployed>,
    /// What was deployed last.
    tried: Option<Deployed>,
}

/// Something that this command has deployed.
#[derive(Clone)]
struct Deployed {
    desired: Arc<Desired>,
    version: String,
    /// Where it is kept; v1's wadm does not say.
    revision: Option<String>,
}

impl Application {
    pub(crate) fn new(apps: Apps, host: LatticeHost, alone: bool, app: AppName, run: Option<Run>) -> Self {
        Self {
            apps,
            host,
            alone,
            app,
            run,
            running: None,
            tried: None,
        }
    }

    /// What was seen to run.
    pub(crate) fn running(&self) -> Option<&Desired> {
        self.running.as_ref().map(|running| &*running.desired)
    }

    /// Has the lattice run what a manifest says, and returns when it does. Otherwise what ran before does again.
    pub(crate) async fn apply(&mut self, change: Change, output: &Output) -> Result<(), Failure> {
        let begun = Instant::now();
        let put = self.put(&change, output).await?;
        let tried = Deployed {
            desired: Arc::new(change.desired),
            version: put.current_version,
            revision: put.revision,
        };
        // Before it is asked for: whoever interrupts or kills this ends it as well.
        self.tried = Some(tried.clone());
        if let Some(run) = &mut self.run {
            let deployed = self.running.iter().chain(&self.tried);
            let revisions = deployed.filter_map(|deployed| deployed.revision.as_deref());
            let noted = run.note(revisions);
            noted.map_err(|error| Failure::new(NOT_STARTED, "not-started", error))?;
        }
        let outcome = self.deploy(&tried, &change.text.file, begun, output).await;
        match &outcome {
            Ok(()) => self.running = Some(tried),
            // What somebody else has decided stays.
            Err(failure) if matches!(failure.kind, app::SUPERSEDED | app::ROLLED_BACK) => {}
            Err(_) => self.go_back(output).await,
        }
        outcome
    }

    /// Stores it, under a version of its own: that of the manifest is for whoever deploys it to stay.
    async fn put(&self, change: &Change, output: &Output) -> Result<PutReply, Failure> {
        let Change { text, desired, files } = change;
        let stated = desired.version.as_ref();
        let said = PutOptions {
            version: stated.map(|stated| format!("{stated}+{}", change.digits())),
            files: files.clone(),
            links_required: true,
        };
        match self.apps.put_with(&text.text, text.base_dir(), &said).await {
            Ok(reply) => {
                if let Some(stated) = stated.filter(|_| reply.total_versions > KEPT) {
                    self.forget_old(stated).await;
                }
                Ok(reply)
            }
            // v1's wadm knows one text for each version: that one goes, and stops, before this one comes.
            Err(error) if app::is_stored_already(&error) => app::put(&self.apps, text, true, output).await,
            Err(error) => Err(failed(error)),
        }
    }

    /// Removes the oldest of the versions that were made for changes of one. That one stays is no failure.
    async fn forget_old(&self, stated: &str) {
        let Ok(versions) = self.apps.versions(&self.app).await else {
            return;
        };
        let made = |version: &str| {
            let rest = version
                .strip_prefix(stated)
                .and_then(|rest| rest.strip_prefix('+'));
            rest.is_some_and(|rest| rest.len() == DIGITS)
        };
        let old = versions.iter().rev().filter(|known| made(&known.version));
        for known in old.skip(KEPT).filter(|known| !known.deployed) {
            let deleted = self.apps.delete(&self.app, Some(&known.version)).await;
            if let Err(error) = deleted {
                tracing::debug!(
                    version = known.version,
                    error = chain(&error),
                    "an old version stays"
                );
            }
        }
    }

    async fn deploy(
        &self,
        Deployed { desired, version, .. }: &Deployed,
        file: &str,
        begun: Instant,
        output: &Output,
    ) -> Result<(), Failure> {
        let mut reply = asking(self.apps.deploy(&self.app, Some(version))).await?;
        reply.version = reply.version.or_else(|| Some(version.clone()));
        let parts = Parts::of(desired);
        let before = self.running().map(Parts::of).unwrap_or_default();
        let mut progress = Progress {
            host: &self.host,
            alone: self.alone,
            file,
            parts: &parts,
            before: &before,
            begun,
            output,
            seen: Seen::default(),
        };
        let wanted = Wanted {
            apps: &self.apps,
            app: &self.app,
            reply: &reply,
            within: WITHIN,
            goes_on: false,
        };
        until_deployed(&wanted, output, |status| progress.look(status)).await?;
        for part in before.gone(&parts) {
            step(part, "removed", None, output);
        }
        self.confirm(desired, file).await?;
        probe::ready(self.host.host()).await
    }

    /// The controller goes by what it has heard of hosts. This one is asked itself, once it has all that was put.
    async fn confirm(&self, desired: &Desired, file: &str) -> Result<(), Failure> {
        let not_started = |error: anyhow::Error| Failure::new(NOT_STARTED, "not-started", error);
        let caught_up = self.host.caught_up().await;
        caught_up.map_err(|error| not_started(error.into()))?;
        for link in &desired.links {
            if let Some(error) = self.host.refusal(&link.link) {
                return Err(not_started(error.into()).at(format!("{file}:{}", link.at)));
            }
        }
        match desired
            .configs
            .keys()
            .find_map(|name| self.host.config_refusal(name))
        {
            Some(error) => Err(not_started(error.into())),
            None => Ok(()),
        }
    }

    /// Has what ran before run again. What does not succeed is said, and left to the controller.
    async fn go_back(&mut self, output: &Output) {
        let Some(running) = &self.running else {
            return;
        };
        let version = &running.version;
        let asked = match self.apps.rollback(&self.app, Some(version)).await {
            // v1's wadm knows no other way.
            Err(AppsError::Foreign { .. }) => self.apps.deploy(&self.app, Some(version)).await,
            asked => asked,
        };
        let back = match asked {
            Ok(mut reply) => {
                reply.version = reply.version.or_else(|| Some(version.clone()));
                self.tried = Some(running.clone());
                let wanted = Wanted {
                    apps: &self.apps,
                    app: &self.app,
                    reply: &reply,
                    within: BACK,
                    goes_on: true,
                };
                until_deployed(&wanted, output, |_| Ok(())).await.map(drop)
            }
            Err(error) => Err(failed(error)),
        };
        if let Err(failure) = back {
            output.failure(&failure);
        }
    }

    /// Ends it, and the controller of this host with it, so that nobody starts it anew on the way out. Answers the links
    /// and configs that are left for this host to remove.
    pub(crate) async fn end(
        mut self,
        controller: Option<Controller>,
        limit: Duration,
        output: &Output,
    ) -> (Vec<Link>, Vec<ConfigName>) {
        let leads = controller
            .as_ref()
            .is_some_and(|controller| *controller.serves().borrow());
        let stop = async || {
            if let Some(controller) = controller {
                controller.stop().await;
            }
        };
        let Some(tried) = self.tried.clone() else {
            stop().await;
            return self.ended(Vec::new(), Vec::new());
        };
        let status = self
            .apps
            .clone()
            .with_patience(Duration::ZERO)
            .status(&self.app)
            .await;
        let undeployed = match status {
            Ok(status) if !self.has_deployed(&status.version) => {
                stop().await;
                if !status.version.is_empty() {
                    let (app, version) = (&self.app, one_line(&status.version));
                    output.note(&format!(
                        "application `{app}` stays deployed: somebody has deployed version {version}"
                    ));
                }
                return self.ended(Vec::new(), Vec::new());
            }
            // What others run has to be stopped by who leads.
            Ok(status) if self.runs_elsewhere(&status) => {
                let ended = tokio::time::timeout(limit, self.end_everywhere()).await;
                stop().await;
                match ended {
                    Ok(Ok(())) => return self.ended(Vec::new(), Vec::new()),
                    Ok(Err(error)) => Err(chain(&error)),
                    Err(_) => Err(format!("parts of it run still after {limit:?}")),
                }
            }
            // What runs here ends with this host, in its order: first it takes no more requests.
            Ok(_) if !leads => {
                let asked = self.apps.undeploy(&self.app).await;
                stop().await;
                asked.map(drop).map_err(|error| chain(&error))
            }
            _ => {
                stop().await;
                let store = Store::open(self.host.lattice_connections()).await;
                let undeployed = match store {
                    Ok(store) => store.undeploy(&self.app).await.map(drop),
                    Err(error) => Err(error),
                };
                undeployed.map_err(|error| chain(&error))
            }
        };
        if let Err(error) = undeployed {
            let app = &self.app;
            output.note(&format!(
                "application `{app}` stays deployed in lattice `{}`: {}; hint: `wash app undeploy {app}`",
                self.host.lattice(),
                one_line(&error)
            ));
            // It stays noted as one that has not ended in order, and who starts it needs its links.
            self.run = None;
            return (Vec::new(), Vec::new());
        }
        let links = tried.desired.links.iter().map(|link| link.link.clone());
        self.ended(links.collect(), tried.desired.configs.keys().cloned().collect())
    }

    /// Whether a version is what this command has deployed.
    fn has_deployed(&self, version: &str) -> bool {
        let mut deployed = self.running.iter().chain(&self.tried);
        deployed.any(|deployed| deployed.version == version)
    }

    fn ended(self, links: Vec<Link>, configs: Vec<ConfigName>) -> (Vec<Link>, Vec<ConfigName>) {
        if let Some(run) = self.run {
            run.end();
        }
        (links, configs)
    }

    fn runs_elsewhere(&self, status: &AppStatus) -> bool {
        let mut hosts = status.scalers.iter().flat_map(|part| &part.hosts);
        hosts.any(|on| on.runs > 0 && on.host != self.host.id().as_str())
    }

    /// Undeploys it, and waits until nothing of it is left.
    async fn end_everywhere(&self) -> Result<(), AppsError> {
        let reply = self.apps.undeploy(&self.app).await?;
        let mut follower = self
            .apps
            .follow_status(&self.app, reply.generation.unwrap_or_default())
            .await?;
        loop {
            match follower.next().await {
                Followed::Status(status) if status.status.kind == StatusType::Undeployed => return Ok(()),
                Followed::Lost(error) if !error.may_pass() => return Err(error),
                _ => {}
            }
        }
    }
}

impl Change {
    pub(crate) fn new(text: Text, mut desired: Desired, files: BTreeMap<String, String>) -> Self {
        // The names that it has in the lattice.
        tell_apart(&mut desired);
        for component in &mut desired.components {
            if let ImageRef::File(path) = &component.image {
                component.content = path.to_str().and_then(|path| files.get(path)).cloned();
            }
        }
        Self { text, desired, files }
    }

    /// Tells this text with these files from others of its version.
    fn digits(&self) -> String {
        let mut all = format!("{}\n", self.text.base_dir.display());
        for (file, content) in &self.files {
            all.push_str(&format!("{file} {content}\n"));
        }
        all.push_str(&self.text.text);
        let mut digits = Digest::of(all.as_bytes()).hex();
        digits.truncate(DIGITS);
        digits
    }
}
