//! One answer for each thing that can be asked of the manifest API.

use wasmcloud_core::AppName;
use wasmcloud_lattice::Message;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{
    AppRecord, AppStatus, BASE_DIR_HEADER, CONTENT_TYPE_HEADER, DeleteReply, DeleteResult, DeployReply,
    DeployResult, GetReply, GetResult, HistoryReply, ListReply, ManifestEvent, ModelOperation, ModelSummary,
    PUT_OPTIONS_HEADER, PutOptions, PutReply, PutResult, StatusReply, StatusResult, StatusType, VersionInfo,
    VersionRequest, VersionsReply, WhyReply, WhyRequest, message,
};
use wasmcloud_wire::message::chain;

use super::refusal::{failed, refused, unsupported};
use super::{Desk, Reply, status, why};
use crate::store::{
    Deleted, Deployed, MAX_VERSION_LEN, PutKind, Snapshot, StoreError, deployed_version, missing_shared,
};

/// Room for the header of an answer and its subject.
const OVERHEAD: usize = 1 << 10;

/// Answers a question, whatever it is.
pub(super) async fn answer(desk: &Desk, question: &Message) -> Reply {
    let operation = match desk.api.parse(&question.subject) {
        Ok(operation) => operation,
        Err(error) => return unsupported(question, &error),
    };
    let answered = match &operation {
        ModelOperation::Put => desk.put(question).await,
        ModelOperation::List => desk.list().await.map(|reply| reply.encode()),
        ModelOperation::BareList => desk.list().await.map(|reply| reply.encode_bare()),
        ModelOperation::Get(app) => desk.get(app, question).await,
        ModelOperation::Versions(app) => desk.versions(app).await,
        ModelOperation::Delete(app) => desk.delete(app, question).await,
        ModelOperation::Deploy(app) => desk.deploy(app, question, false).await,
        ModelOperation::Rollback(app) => desk.deploy(app, question, true).await,
        ModelOperation::Undeploy(app) => desk.undeploy(app).await,
        ModelOperation::Pause(app) => desk.set_paused(app, true).await,
        ModelOperation::Resume(app) => desk.set_paused(app, false).await,
        ModelOperation::Status(app) => desk.status(app).await,
        ModelOperation::History(app) => desk.history(app).await,
        ModelOperation::Why(app) => desk.why(app, question).await,
    };
    answered.unwrap_or_else(|why| refused(&operation, why))
}

/// Reads what was asked besides a name.
fn read<T: wasmcloud_wire::Message>(question: &Message) -> Result<T, String> {
    T::decode(&question.payload).map_err(|error| chain(&error))
}

/// Reads which version is meant. What is longer than any version is not repeated in an answer.
fn read_version(question: &Message) -> Result<Option<String>, String> {
    let VersionRequest { version } = read(question)?;
    match version {
        Some(version) if version.len() > MAX_VERSION_LEN => {
            Err(failed(&StoreError::VersionLength(version.len())))
        }
        version => Ok(version),
    }
}

fn header<'a>(question: &'a Message, name: &str) -> Option<&'a str> {
    Some(question.headers.as_ref()?.get(name)?.as_str())
}

impl Desk {
    fn snapshot(&self) -> std::sync::Arc<Snapshot> {
        std::sync::Arc::clone(&self.sources.snapshots.borrow())
    }

    /// Whether a reply fits into one message.
    fn fits(&self, reply: &[u8]) -> bool {
        reply.len() + OVERHEAD <= self.connection.max_payload()
    }

    fn status_of(&self, app: &AppName, record: &AppRecord, snapshot: &Snapshot) -> AppStatus {
        let told = self.sources.told.borrow();
        let broken = snapshot.broken.get(app).map(String::as_str);
        status::of(record, status::planned(told.as_deref(), app), broken)
    }

    async fn put(&self, question: &Message) -> Result<Reply, String> {
        if let Some(given) = header(question, CONTENT_TYPE_HEADER) {
            let kind = given.split(';').next().unwrap_or_default().trim();
            if !matches!(kind, "application/yaml" | "application/json") {
                return Err(message::content_type(given));
            }
        }
        let text = std::str::from_utf8(&question.payload)
            .map_err(|error| format!("{}: it is not text: {error}", message::UNPARSABLE))?;
        let base_dir = header(question, BASE_DIR_HEADER).filter(|dir| !dir.is_empty());
        let said = match header(question, PUT_OPTIONS_HEADER) {
            Some(said) => PutOptions::decode(said.as_bytes()).map_err(|error| chain(&error))?,
            None => PutOptions::default(),
        };
        let put = self.sources.store.put_with(text, base_dir, said).await;
        let put = put.map_err(|error| failed(&error))?;
        let mut text = match put.kind {
            PutKind::Again => message::put_again(&put.app, &put.version),
            PutKind::Created | PutKind::NewVersion => message::put(&put.app, &put.version),
        };
        let missing = missing_shared(&put.desired, &self.snapshot());
        if !missing.is_empty() {
            text.push_str(&message::shared_later(&missing));
        }
        let result = match put.kind {
            PutKind::Created => PutResult::Created,
            PutKind::NewVersion | PutKind::Again => PutResult::NewVersion,
        };
        let reply = PutReply {
            result,
            total_versions: put.total,
            current_version: put.version,
            message: text,
            name: put.app.to_string(),
            revision: Some(put.revision),
        };
        Ok(reply.encode())
    }

    async fn list(&self) -> Result<ListReply, String> {
        let records = self.sources.store.list().await.map_err(|error| failed(&error))?;
        let snapshot = self.snapshot();
        let summary = |(app, record): &(AppName, AppRecord)| {
            let fares = self.status_of(app, record, &snapshot);
            let newest = record.versions.last();
            ModelSummary {
                name: app.to_string(),
                version: newest.map(|newest| newest.version.clone()).unwrap_or_default(),
                description: newest.and_then(|newest| newest.description.clone()),
                deployed_version: deployed_version(record).map(str::to_owned),
                status: match fares.status.kind {
                    // As in v1, which never lists it.
                    StatusType::Waiting => StatusType::Undeployed,
                    kind => kind,
                },
                status_message: Some(fares.status.message.clone()).filter(|message| !message.is_empty()),
                detailed_status: fares,
            }
        };
        let mut reply = ListReply {
            result: GetResult::Success,
            message: message::LISTED.to_owned(),
            models: records.iter().map(summary).collect(),
        };
        if !self.fits(&reply.encode()) {
            // Many applications: each of them tells more when it is asked for.
            for model in &mut reply.models {
                model.detailed_status.scalers.clear();
            }
        }
        Ok(reply)
    }

    async fn get(&self, app: &AppName, question: &Message) -> Result<Reply, String> {
        let version = read_version(question)?;
        let version = version.as_deref();
        let reply = match self.sources.store.get(app, version).await {
            Ok(got) => GetReply {
                result: GetResult::Success,
                message: message::fetched(app, version),
                manifest: Some(got.json),
                text: Some(got.text),
                base_dir: got.base_dir,
            },
            Err(error @ (StoreError::NoApp(_) | StoreError::NoVersion { .. })) => GetReply {
                result: GetResult::NotFound,
                message: error.to_string(),
                ..GetReply::default()
            },
            Err(error) => return Err(failed(&error)),
        };
        let encoded = reply.encode();
        if self.fits(&encoded) {
            return Ok(encoded);
        }
        // Both forms together may be too much where one is not.
        Ok(GetReply { text: None, ..reply }.encode())
    }

    async fn versions(&self, app: &AppName) -> Result<Reply, String> {
        let reply = match self.sources.store.existing(app).await {
            Ok(record) => VersionsReply {
                result: GetResult::Success,
                message: message::fetched_versions(app),
                versions: versions(&record),
            },
            Err(error @ StoreError::NoApp(_)) => VersionsReply {
                result: GetResult::NotFound,
                message: error.to_string(),
                versions: Vec::new(),
            },
            Err(error) => return Err(failed(&error)),
        };
        Ok(reply.encode())
    }

    async fn history(&self, app: &AppName) -> Result<Reply, String> {
        let reply = match self.sources.store.existing(app).await {
            Ok(record) => HistoryReply {
                result: GetResult::Success,
                message: message::fetched_history(app),
                history: record.history,
            },
            Err(error @ StoreError::NoApp(_)) => HistoryReply {
                result: GetResult::NotFound,
                message: error.to_string(),
                history: Vec::new(),
            },
            Err(error) => return Err(failed(&error)),
        };
        Ok(reply.encode())
    }

    async fn delete(&self, app: &AppName, question: &Message) -> Result<Reply, String> {
        let version = read_version(question)?;
        let deleted = self.sources.store.delete(app, version.as_deref()).await;
        let version = version.as_deref().unwrap_or_default();
        let (result, text, undeploy) = match deleted.map_err(|error| failed(&error))? {
            Deleted::NoApp => (DeleteResult::Noop, message::gone(app), false),
            Deleted::NoVersion => (DeleteResult::Noop, message::version_gone(version), false),
            Deleted::Version { deployed } => (
                DeleteResult::Deleted,
                message::deleted_version(app, version),
                deployed,
            ),
            Deleted::Last => (DeleteResult::Deleted, message::deleted_last(app), true),
            Deleted::All => (DeleteResult::Deleted, message::deleted(app), true),
        };
        if undeploy {
            self.events.tell(ManifestEvent::Unpublished(app.clone())).await;
        }
        let reply = DeleteReply {
            result,
            message: text,
            undeploy,
        };
        Ok(reply.encode())
    }

    async fn deploy(&self, app: &AppName, question: &Message, back: bool) -> Result<Reply, String> {
        let version = read_version(question)?;
        let version = version.as_deref();
        let (store, snapshot) = (&self.sources.store, self.snapshot());
        let deployed = match back {
            true => store.rollback(app, version, &snapshot).await,
            false => store.deploy(app, version, &snapshot).await,
        };
        if let Ok(Deployed {
            version: Some(version),
            generation,
            ..
        }) = &deployed
        {
            tracing::info!(%app, version, generation, back, "an application was deployed");
            match store.get(app, Some(version)).await {
                Ok(got) => self.events.tell(ManifestEvent::Published(got.json)).await,
                Err(error) => tracing::info!(%app, error = chain(&error), "an event was not told"),
            }
        }
        let text = |deployed: &Deployed| {
            let version = deployed.version.as_deref().unwrap_or_default();
            match back {
                true => message::rolled_back(app, version),
                false => message::deployed(app, version),
            }
        };
        Ok(acknowledge(app, deployed, text).encode())
    }

    async fn undeploy(&self, app: &AppName) -> Result<Reply, String> {
        let undeployed = self.sources.store.undeploy(app).await;
        if undeployed.is_ok() {
            self.events.tell(ManifestEvent::Unpublished(app.clone())).await;
        }
        let text = |undeployed: &Deployed| match undeployed.unchanged {
            true => message::undeployed_before(app),
            false => message::undeployed(app),
        };
        Ok(acknowledge(app, undeployed, text).encode())
    }

    async fn set_paused(&self, app: &AppName, paused: bool) -> Result<Reply, String> {
        let store = &self.sources.store;
        let done = match paused {
            true => store.pause(app).await,
            false => store.resume(app).await,
        };
        let text = |_: &Deployed| match paused {
            true => message::paused(app),
            false => message::resumed(app),
        };
        Ok(acknowledge(app, done, text).encode())
    }

    async fn status(&self, app: &AppName) -> Result<Reply, String> {
        // Also of one that was deleted, as long as something of it may be left.
        let record = self.sources.store.record(app).await;
        let reply = match record.map_err(|error| failed(&error))? {
            Some(record) => StatusReply {
                result: StatusResult::Ok,
                message: message::fetched_status(app),
                status: Some(self.status_of(app, &record, &self.snapshot())),
            },
            None => StatusReply {
                result: StatusResult::NotFound,
                message: message::no_app(app),
                status: None,
            },
        };
        Ok(reply.encode())
    }

    async fn why(&self, app: &AppName, question: &Message) -> Result<Reply, String> {
        let request: WhyRequest = read(question)?;
        let record = self.sources.store.record(app).await;
        let Some(record) = record.map_err(|error| failed(&error))? else {
            let reply = WhyReply {
                result: GetResult::NotFound,
                message: message::no_app(app),
                ..WhyReply::default()
            };
            return Ok(reply.encode());
        };
        let told = self.sources.told.borrow().clone();
        let held = told.as_ref().and_then(|told| told.held.clone());
        let mut reply = WhyReply {
            result: GetResult::Success,
            message: message::fetched_why(app),
            parts: Vec::new(),
            held,
        };
        let part = request.part.as_deref();
        match status::planned(told.as_deref(), app) {
            Some((report, planned)) if planned >= record.generation => {
                reply.parts = why::decisions(report, part);
                if let Some(part) = part.filter(|_| reply.parts.is_empty()) {
                    reply.result = GetResult::NotFound;
                    reply.message = message::no_part(app, part);
                }
            }
            _ => {
                let fares = self.status_of(app, &record, &self.snapshot());
                if !fares.status.message.is_empty() {
                    reply.message = fares.status.message;
                }
            }
        }
        Ok(reply.encode())
    }
}

fn versions(record: &AppRecord) -> Vec<VersionInfo> {
    let version = |version: &wasmcloud_wire::app::VersionRecord| VersionInfo {
        version: version.version.clone(),
        deployed: record.deployed.as_ref() == Some(&version.revision),
        revision: Some(version.revision.clone()),
        put_at: Some(version.put_at.clone()).filter(|at| !at.is_empty()),
    };
    record.versions.iter().map(version).collect()
}

/// The answer to what changes what shall run.
fn acknowledge(
    app: &AppName,
    done: Result<Deployed, StoreError>,
    text: impl FnOnce(&Deployed) -> String,
) -> DeployReply {
    let name = app.to_string();
    match done {
        Ok(deployed) => DeployReply {
            result: DeployResult::Acknowledged,
            message: text(&deployed),
            name,
            version: deployed.version,
            generation: Some(deployed.generation),
        },
        Err(error) => DeployReply {
            result: match error {
                StoreError::NoApp(_) => DeployResult::NotFound,
                _ => DeployResult::Error,
            },
            message: failed(&error),
            name,
            version: None,
            generation: None,
        },
    }
}
