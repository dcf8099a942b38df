//! Asks the controller of a lattice about applications: the manifest API (wire reference §8.3, ADR 3) from the side of
//! who asks. What is asked for in which words is in `operation`, what goes wrong in `error`, and `follow` looks at one
//! application until it is as somebody wants it.
//!
//! One controller answers, the one that leads. While none does, nothing was received by anybody, so asking again is
//! safe; that is done for a while, because another takes over within seconds.

mod error;
mod follow;
mod operation;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};
use wasmcloud_core::AppName;
use wasmcloud_lattice::{CallError, HeaderMap, Message as Received};
use wasmcloud_wire::Message;
use wasmcloud_wire::app::{
    AppStatus, BASE_DIR_HEADER, CONTENT_TYPE_HEADER, CONTROLLER_HEADER, DeleteReply, DeployReply, GetReply,
    HistoryEntry, HistoryReply, ListReply, ManifestApi, ModelOperation, ModelSummary, PUT_OPTIONS_HEADER,
    PutOptions, PutReply, StatusReply, StatusType, VersionInfo, VersionRequest, VersionsReply, WhyReply,
    WhyRequest,
};

pub use self::error::AppsError;
pub use self::follow::{Followed, StatusFollower};
use self::operation::{Outcome, Reply, asked, is_ours, only_reads};
use crate::asked::printable;
use crate::client::Client;

/// How long the question is asked again while no controller leads: longer than the lease of one that died (5 s, ADR 3),
/// and what the next one needs to begin.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The same where not even a host answers: hosts are controllers, so somebody would have to be starting one just now.
const NOBODY_PATIENCE: Duration = Duration::from_secs(2);

/// Between two questions while no controller leads.
const PAUSE: Duration = Duration::from_millis(250);

/// Asks the controller of one lattice. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Apps {
    client: Client,
    api: ManifestApi,
    patience: Duration,
}

impl Client {
    /// What asks about the applications of this lattice, with this client's longest wait for one answer.
    pub fn apps(&self) -> Apps {
        Apps {
            api: ManifestApi::new(&self.lattice),
            client: self.clone(),
            patience: PATIENCE,
        }
    }
}

impl Apps {
    /// The same with another time in which a controller has to be found, in place of [`PATIENCE`].
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The client for the hosts of the lattice.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// All applications, by name.
    pub async fn list(&self) -> Result<Vec<ModelSummary>, AppsError> {
        let reply: ListReply = self.ask(&ModelOperation::List, None, Bytes::new()).await?;
        Ok(reply.models)
    }

    /// A manifest: of this version, or the newest.
    pub async fn get(&self, app: &AppName, version: Option<&str>) -> Result<GetReply, AppsError> {
        let asked = ModelOperation::Get(app.clone());
        self.ask(&asked, None, version_payload(version)).await
    }

    /// The versions of an application, in the order in which they were put.
    pub async fn versions(&self, app: &AppName) -> Result<Vec<VersionInfo>, AppsError> {
        let asked = ModelOperation::Versions(app.clone());
        let reply: VersionsReply = self.ask(&asked, None, Bytes::new()).await?;
        Ok(reply.versions)
    }

    /// What was deployed when, the oldest first. v1's wadm does not know it.
    pub async fn history(&self, app: &AppName) -> Result<Vec<HistoryEntry>, AppsError> {
        let asked = ModelOperation::History(app.clone());
        let reply: HistoryReply = self.ask(&asked, None, Bytes::new()).await?;
        Ok(reply.history)
    }

    /// How an application fares.
    pub async fn status(&self, app: &AppName) -> Result<AppStatus, AppsError> {
        let operation = ModelOperation::Status(app.clone());
        let reply: StatusReply = self.ask(&operation, None, Bytes::new()).await?;
        let mut status = reply.status.ok_or_else(|| AppsError::Empty {
            asked: asked(&operation),
        })?;
        // v1's wadm says elsewhere which version it is.
        if status.version.is_empty() && status.status.kind != StatusType::Undeployed {
            let versions = self.versions(app).await?;
            let deployed = versions.into_iter().find(|known| known.deployed);
            status.version = deployed.map(|known| known.version).unwrap_or_default();
        }
        Ok(status)
    }

    /// Why the parts of an application are as they are, or one of them. v1's wadm does not know it.
    pub async fn why(&self, app: &AppName, part: Option<&str>) -> Result<WhyReply, AppsError> {
        let asked = ModelOperation::Why(app.clone());
        let request = WhyRequest {
            part: part.map(str::to_owned),
        };
        self.ask(&asked, None, request.encode().into()).await
    }

    /// Stores a manifest, YAML or JSON. `base_dir` is the absolute folder that files in it are relative to.
    pub async fn put(&self, text: &str, base_dir: Option<&Path>) -> Result<PutReply, AppsError> {
        self.put_with(text, base_dir, &PutOptions::default()).await
    }

    /// The same, with what else is to be said of it. v1's wadm does not hear that.
    pub async fn put_with(
        &self,
        text: &str,
        base_dir: Option<&Path>,
        said: &PutOptions,
    ) -> Result<PutReply, AppsError> {
        let form = match text.trim_start().starts_with('{') {
            true => "application/json",
            false => "application/yaml",
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE_HEADER, form);
        if let Some(dir) = base_dir {
            // It travels in a header, in which a line break would end it.
            let fits = dir.to_str().filter(|dir| !dir.contains(['\r', '\n']));
            let dir = fits.ok_or_else(|| AppsError::BaseDir { dir: dir.to_owned() })?;
            headers.insert(BASE_DIR_HEADER, dir);
        }
        if *said != PutOptions::default() {
            // JSON text has no line break in it.
            headers.insert(
                PUT_OPTIONS_HEADER,
                String::from_utf8_lossy(&said.encode()).as_ref(),
            );
        }
        let payload = Bytes::copy_from_slice(text.as_bytes());
        self.ask(&ModelOperation::Put, Some(headers), payload).await
    }

    /// Has a version run: this one, or the newest. The controller has written it down when this returns.
    pub async fn deploy(&self, app: &AppName, version: Option<&str>) -> Result<DeployReply, AppsError> {
        let asked = ModelOperation::Deploy(app.clone());
        self.ask(&asked, None, version_payload(version)).await
    }

    /// Has nothing of it run.
    pub async fn undeploy(&self, app: &AppName) -> Result<DeployReply, AppsError> {
        let asked = ModelOperation::Undeploy(app.clone());
        self.ask(&asked, None, Bytes::new()).await
    }

    /// Removes a version, or the whole application.
    pub async fn delete(&self, app: &AppName, version: Option<&str>) -> Result<DeleteReply, AppsError> {
        let asked = ModelOperation::Delete(app.clone());
        self.ask(&asked, None, version_payload(version)).await
    }

    /// Has the version run again that ran before, or this one. v1's wadm does not know it.
    pub async fn rollback(&self, app: &AppName, version: Option<&str>) -> Result<DeployReply, AppsError> {
        let asked = ModelOperation::Rollback(app.clone());
        self.ask(&asked, None, version_payload(version)).await
    }

    /// Has the controller leave an application as it is. v1's wadm does not know it.
    pub async fn pause(&self, app: &AppName) -> Result<DeployReply, AppsError> {
        let asked = ModelOperation::Pause(app.clone());
        self.ask(&asked, None, Bytes::new()).await
    }

    /// Has the controller look after an application again. v1's wadm does not know it.
    pub async fn resume(&self, app: &AppName) -> Result<DeployReply, AppsError> {
        let asked = ModelOperation::Resume(app.clone());
        self.ask(&asked, None, Bytes::new()).await
    }

    /// Asks, again while no controller leads, and turns a "no" into an error.
    async fn ask<R: Reply>(
        &self,
        operation: &ModelOperation,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<R, AppsError> {
        let began = Instant::now();
        let mut hosts = None;
        loop {
            let failed = match self.ask_once(operation, headers.clone(), payload.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            let patience = match &failed {
                AppsError::NoController { .. } if hosts == Some(0) => NOBODY_PATIENCE.min(self.patience),
                AppsError::NoController { .. } => self.patience,
                // The controller may have died over it. What only reads can be asked of the next.
                AppsError::Silent { .. } if only_reads(operation) => self.patience,
                _ => return Err(failed),
            };
            let deadline = began + patience;
            if matches!(failed, AppsError::NoController { .. }) {
                // Asked each time: hosts may be starting just now.
                hosts = timeout_at(deadline, self.client.hosts())
                    .await
                    .ok()
                    .and_then(Result::ok)
                    .map(|hosts| hosts.answers.len())
                    .or(hosts);
            }
            if Instant::now() + PAUSE >= deadline {
                return Err(failed.after(began.elapsed(), hosts));
            }
            sleep(PAUSE).await;
        }
    }

    async fn ask_once<R: Reply>(
        &self,
        operation: &ModelOperation,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<R, AppsError> {
        let began = Instant::now();
        let subject = self.api.subject(operation);
        let deadline = began + self.client.timeout;
        let connection = &self.client.connection;
        match connection.request(&subject, headers, payload, deadline).await {
            Ok(answer) => read(operation, &answer),
            Err(CallError::NoResponders { .. }) => Err(AppsError::NoController {
                asked: asked(operation),
                lattice: self.client.lattice.clone(),
                hosts: None,
                waited: Duration::ZERO,
            }),
            Err(CallError::TimedOut { .. }) => Err(AppsError::Silent {
                asked: asked(operation),
                lattice: self.client.lattice.clone(),
                waited: began.elapsed(),
            }),
            Err(source) => Err(AppsError::Connection {
                asked: asked(operation),
                source,
            }),
        }
    }
}

/// Reads an answer, and turns a "no" into an error.
fn read<R: Reply>(operation: &ModelOperation, answer: &Received) -> Result<R, AppsError> {
    let asked = asked(operation);
    let reply = match R::decode(&answer.payload) {
        Ok(reply) => reply,
        Err(source) => return Err(AppsError::Answer { asked, source }),
    };
    let message = match reply.message().trim() {
        "" => "the controller refused and did not say why".to_owned(),
        message => printable(message).into_owned(),
    };
    let headers = answer.headers.as_ref();
    let ours = headers.is_some_and(|headers| headers.get(CONTROLLER_HEADER).is_some());
    match reply.outcome() {
        Outcome::Done => Ok(reply),
        Outcome::NotFound => Err(AppsError::NotFound { asked, message }),
        Outcome::Refused if is_ours(operation) && !ours => Err(AppsError::Foreign { asked, message }),
        Outcome::Refused => Err(AppsError::Refused { asked, message }),
    }
}

/// Nothing at all asks for the newest, or for all: the oldest clients of v1 send that.
fn version_payload(version: Option<&str>) -> Bytes {
    match version {
        None => Bytes::new(),
        Some(version) => VersionRequest {
            version: Some(version.to_owned()),
        }
        .encode()
        .into(),
    }
}
