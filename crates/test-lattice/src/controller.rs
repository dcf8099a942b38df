//! A scripted controller: answers the manifest API as ours does, or as v1's wadm does (recorded traffic, wire reference
//! §8.3). It keeps what it is given in memory and runs nothing; how applications fare is what the test says.
//!
//! It reads no manifest: the first `name:` and `version:` in the text are those of the application.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wasmcloud_core::AppName;
use wasmcloud_lattice::{Connection, HeaderMap, Message as Received};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{
    AppStatus, BASE_DIR_HEADER, CONTROLLER_HEADER, DeleteReply, DeleteResult, DeployReply, DeployResult,
    ErrorReply, GetReply, GetResult, HistoryEntry, HistoryKind, HistoryReply, ListReply, ManifestApi,
    ModelOperation, ModelSummary, PutReply, PutResult, StatusInfo, StatusReply, StatusResult, StatusType,
    VersionInfo, VersionRequest, VersionsReply, WhyReply,
};

use crate::server::SOON;

/// A controller that leads. Dropping it is its death, without a word.
pub struct ScriptedController {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

/// What a scripted controller is and knows.
#[derive(Clone, Debug, Default)]
pub struct ControllerScript {
    /// Whether it answers as v1's wadm does.
    pub v1: bool,
    /// Operations, as `status`, that it gets and does not answer.
    pub silent: Vec<&'static str>,
    /// Operations that it answers with these bytes.
    pub nonsense: BTreeMap<&'static str, Vec<u8>>,
    /// Operations that it refuses, with these words.
    pub refuses: BTreeMap<&'static str, String>,
    /// What is deployed stays `reconciling` until the test says otherwise; else it is `deployed` at once.
    pub slow: bool,
    /// What it answers to `why`.
    pub why: WhyReply,
    /// What it keeps.
    pub apps: BTreeMap<AppName, ScriptedApp>,
}

/// An application that a scripted controller keeps.
#[derive(Clone, Debug, Default)]
pub struct ScriptedApp {
    /// Versions with their texts and folders, in the order in which they were put.
    pub versions: Vec<(String, String, Option<String>)>,
    /// Which runs.
    pub deployed: Option<String>,
    /// How it fares.
    pub status: AppStatus,
    /// What was done with it.
    pub history: Vec<HistoryEntry>,
}

struct Inner {
    connection: Connection,
    api: ManifestApi,
    script: Mutex<ControllerScript>,
    /// How many requests of each kind there were.
    seen: watch::Sender<BTreeMap<String, u32>>,
}

impl Drop for ScriptedController {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ScriptedController {
    pub(crate) async fn start(
        connection: Connection,
        api: ManifestApi,
        script: ControllerScript,
    ) -> Result<Self> {
        let wanted = api.subscription();
        let group = wanted.queue_group.context("the API has a queue group")?;
        let mut requests = connection.queue_subscribe(&wanted.subject, &group).await?;
        connection.barrier(Instant::now() + SOON).await?;
        let inner = Arc::new(Inner {
            connection,
            api,
            script: Mutex::new(script),
            seen: watch::Sender::default(),
        });
        let serving = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            while let Some(message) = requests.next().await {
                if let Err(error) = serving.answer(&message).await {
                    eprintln!("scripted controller: {error:#}");
                    break;
                }
            }
        });
        Ok(Self { inner, task })
    }

    /// Changes what it does from now on.
    pub fn change(&self, change: impl FnOnce(&mut ControllerScript)) {
        change(&mut self.inner.script.lock());
    }

    /// What it keeps of an application.
    pub fn app(&self, name: &str) -> Option<ScriptedApp> {
        self.inner.script.lock().apps.get(name).cloned()
    }

    /// Changes how an application fares, and tells of it.
    pub async fn fares(&self, name: &str, change: impl FnOnce(&mut AppStatus)) -> Result<()> {
        let app: AppName = name.parse()?;
        let status = {
            let mut script = self.inner.script.lock();
            let kept = script.apps.get_mut(&app).context("no such application")?;
            change(&mut kept.status);
            kept.status.clone()
        };
        let subject = self.inner.api.status_subject(&app);
        let connection = &self.inner.connection;
        connection.publish(&subject, None, status.encode().into()).await?;
        connection.barrier(Instant::now() + SOON).await?;
        Ok(())
    }

    /// Waits until it has had so many requests of a kind, as `deploy`.
    pub async fn asked(&self, operation: &str, times: u32) -> Result<()> {
        let mut seen = self.inner.seen.subscribe();
        let enough = seen.wait_for(|seen| seen.get(operation).is_some_and(|seen| *seen >= times));
        crate::soon(&format!("request {times} for `{operation}`"), enough).await??;
        Ok(())
    }

    /// Ends it without a word, and waits until nobody listens any more.
    pub async fn die(self) {
        self.task.abort();
        self.inner.connection.close(Instant::now() + SOON).await;
    }
}

impl Inner {
    async fn answer(&self, message: &Received) -> Result<()> {
        let subject = message.subject.as_str();
        // `wadm.api.{lattice}.model.{verb}…`
        let verb = subject.split('.').nth(4).unwrap_or_default().to_owned();
        let script = self.script.lock().clone();
        let bytes = if script.silent.contains(&verb.as_str()) {
            None
        } else if let Some(bytes) = script.nonsense.get(verb.as_str()) {
            Some(bytes.clone())
        } else if let Some(words) = script.refuses.get(verb.as_str()) {
            Some(ErrorReply::new(words.clone()).encode())
        } else {
            Some(match self.api.parse(subject) {
                Ok(operation) if script.v1 && is_ours(&operation) => {
                    ErrorReply::new(format!("Unsupported subject: {subject}")).encode()
                }
                Ok(operation) => self.script.lock().reply(&operation, message),
                Err(error) => ErrorReply::new(error.to_string()).encode(),
            })
        };
        self.seen.send_modify(|seen| *seen.entry(verb).or_default() += 1);
        if let (Some(reply), Some(bytes)) = (&message.reply, bytes) {
            let mut headers = HeaderMap::new();
            headers.insert(CONTROLLER_HEADER, "NCONTROLLER");
            let headers = (!script.v1).then_some(headers);
            self.connection.publish(reply, headers, bytes.into()).await?;
        }
        Ok(())
    }
}

fn is_ours(operation: &ModelOperation) -> bool {
    matches!(
        operation,
        ModelOperation::Rollback(_)
            | ModelOperation::Pause(_)
            | ModelOperation::Resume(_)
            | ModelOperation::Why(_)
            | ModelOperation::History(_)
    )
}

/// When everything happened.
const TIME: &str = "2026-11-22T09:47:20Z";

impl ControllerScript {
    fn reply(&mut self, operation: &ModelOperation, message: &Received) -> Vec<u8> {
        let wanted = VersionRequest::decode(&message.payload)
            .unwrap_or_default()
            .version;
        let wanted = wanted.filter(|version| version != "latest");
        let not_found = |app: &AppName| format!("Application with the name {app} not found");
        match operation {
            ModelOperation::Put => return self.put(message),
            ModelOperation::List | ModelOperation::BareList => return self.list(),
            _ => {}
        }
        let Some(app) = operation.app().cloned() else {
            return ErrorReply::new("no application is named").encode();
        };
        let Some(kept) = self.apps.get_mut(&app) else {
            return match operation {
                ModelOperation::Delete(_) => DeleteReply {
                    result: DeleteResult::Noop,
                    message: format!("Application {app} doesn't exist or was already deleted"),
                    undeploy: false,
                }
                .encode(),
                _ => format!(r#"{{"result":"notfound","message":"{}"}}"#, not_found(&app)).into_bytes(),
            };
        };
        match operation {
            ModelOperation::Get(_) => kept.get(&app, wanted.as_deref(), self.v1),
            ModelOperation::Versions(_) => kept.list_versions(&app),
            ModelOperation::Status(_) => StatusReply {
                result: StatusResult::Ok,
                message: format!("Successfully fetched status for application {app}"),
                status: Some(kept.status.clone()),
            }
            .encode(),
            ModelOperation::History(_) => HistoryReply {
                result: GetResult::Success,
                message: String::new(),
                history: kept.history.clone(),
            }
            .encode(),
            ModelOperation::Why(_) => self.why.encode(),
            ModelOperation::Deploy(_) => {
                let version = wanted.or_else(|| kept.newest());
                kept.run(&app, version, HistoryKind::Deployed, self.slow, self.v1)
            }
            ModelOperation::Rollback(_) => {
                let version = wanted.or_else(|| kept.before());
                kept.run(&app, version, HistoryKind::RolledBack, self.slow, self.v1)
            }
            ModelOperation::Undeploy(_) => kept.run(&app, None, HistoryKind::Undeployed, self.slow, self.v1),
            ModelOperation::Pause(_) | ModelOperation::Resume(_) => {
                kept.status.paused = matches!(operation, ModelOperation::Pause(_));
                acknowledged(&app, kept.deployed.clone(), None)
            }
            ModelOperation::Delete(_) => {
                let deployed = kept.deployed.is_some() && (wanted.is_none() || wanted == kept.deployed);
                match wanted {
                    Some(version) => kept.versions.retain(|(known, ..)| *known != version),
                    None => kept.versions.clear(),
                }
                if deployed {
                    kept.deployed = None;
                }
                if kept.versions.is_empty() {
                    self.apps.remove(&app);
                }
                DeleteReply {
                    result: DeleteResult::Deleted,
                    message: format!("Successfully deleted application {app}"),
                    undeploy: deployed,
                }
                .encode()
            }
            ModelOperation::Put | ModelOperation::List | ModelOperation::BareList => Vec::new(),
        }
    }

    fn put(&mut self, message: &Received) -> Vec<u8> {
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        let Some(Ok(app)) = value(&text, "name").map(|name| name.parse::<AppName>()) else {
            return ErrorReply::new("Unable to parse manifest: it has no name").encode();
        };
        let version = value(&text, "version").unwrap_or_else(|| format!("of-{}-bytes", text.len()));
        let headers = message.headers.as_ref();
        let base_dir = headers.and_then(|headers| headers.get(BASE_DIR_HEADER));
        let base_dir = base_dir.map(ToString::to_string);
        let new = !self.apps.contains_key(&app);
        let kept = self.apps.entry(app.clone()).or_default();
        if new {
            kept.status.status.kind = StatusType::Undeployed;
        }
        match kept.versions.iter().find(|(known, ..)| *known == version) {
            Some((_, known, _)) if *known != text => {
                return ErrorReply::new(format!("Manifest version {version} already exists")).encode();
            }
            Some(_) => {}
            None => kept.versions.push((version.clone(), text, base_dir)),
        }
        PutReply {
            result: if new {
                PutResult::Created
            } else {
                PutResult::NewVersion
            },
            total_versions: kept.versions.len(),
            message: format!("Successfully put manifest {app} {version}"),
            current_version: version,
            name: app.to_string(),
            revision: None,
        }
        .encode()
    }

    fn list(&self) -> Vec<u8> {
        let models = self.apps.iter().map(|(app, kept)| ModelSummary {
            name: app.to_string(),
            version: kept.newest().unwrap_or_default(),
            description: None,
            deployed_version: kept.deployed.clone(),
            detailed_status: kept.status.clone(),
            status: kept.status.status.kind,
            status_message: Some(kept.status.status.message.clone()).filter(|it| !it.is_empty()),
        });
        ListReply {
            result: GetResult::Success,
            message: "Successfully fetched list of applications".to_owned(),
            models: models.collect(),
        }
        .encode()
    }
}

impl ScriptedApp {
    fn newest(&self) -> Option<String> {
        self.versions.last().map(|(version, ..)| version.clone())
    }

    /// The version that ran before the one that does.
    fn before(&self) -> Option<String> {
        let ran = self
            .history
            .iter()
            .rev()
            .filter_map(|entry| entry.version.clone());
        ran.into_iter()
            .find(|version| Some(version) != self.deployed.as_ref())
    }

    fn get(&self, app: &AppName, version: Option<&str>, v1: bool) -> Vec<u8> {
        let found = match version {
            None => self.versions.last(),
            Some(version) => self.versions.iter().find(|(known, ..)| known == version),
        };
        let Some((_, text, base_dir)) = found else {
            return GetReply {
                result: GetResult::NotFound,
                message: format!(
                    "Application {app} with version {} doesn't exist",
                    version.unwrap_or_default()
                ),
                ..GetReply::default()
            }
            .encode();
        };
        GetReply {
            result: GetResult::Success,
            message: format!("Successfully fetched application {app}"),
            // It reads no YAML, so only what was put as JSON is there as such.
            manifest: serde_json::from_str(text).ok(),
            text: (!v1).then(|| text.clone()),
            base_dir: base_dir.clone().filter(|_| !v1),
        }
        .encode()
    }

    fn list_versions(&self, app: &AppName) -> Vec<u8> {
        let versions = self.versions.iter().map(|(version, ..)| VersionInfo {
            version: version.clone(),
            deployed: Some(version) == self.deployed.as_ref(),
            revision: None,
            put_at: Some(TIME.to_owned()),
        });
        VersionsReply {
            result: GetResult::Success,
            message: format!("Successfully fetched versions for application {app}"),
            versions: versions.collect(),
        }
        .encode()
    }

    fn run(
        &mut self,
        app: &AppName,
        version: Option<String>,
        kind: HistoryKind,
        slow: bool,
        v1: bool,
    ) -> Vec<u8> {
        if let Some(version) = &version
            && !self.versions.iter().any(|(known, ..)| known == version)
        {
            let text =
                format!("Application with the name '{app}' does not have a version '{version}' to deploy");
            return ErrorReply::new(text).encode();
        }
        let generation = self.status.generation + 1;
        self.deployed = version.clone();
        self.history.push(HistoryEntry {
            generation,
            at: TIME.to_owned(),
            kind,
            version: version.clone(),
            why: String::new(),
        });
        let status = match (&version, slow) {
            (None, _) => StatusType::Undeployed,
            (Some(_), true) => StatusType::Reconciling,
            (Some(_), false) => StatusType::Deployed,
        };
        self.status.status = StatusInfo {
            kind: status,
            message: String::new(),
        };
        // v1 leaves it empty.
        let said = version.clone().filter(|_| !v1);
        self.status.version = said.unwrap_or_default();
        self.status.generation = if v1 { 0 } else { generation };
        acknowledged(app, version, (!v1).then_some(generation))
    }
}

fn acknowledged(app: &AppName, version: Option<String>, generation: Option<u64>) -> Vec<u8> {
    DeployReply {
        result: DeployResult::Acknowledged,
        message: format!("Successfully deployed application {app}"),
        name: app.to_string(),
        version,
        generation,
    }
    .encode()
}

/// What stands behind the first `key:` of a text, in whatever quotes and brackets.
fn value(text: &str, key: &str) -> Option<String> {
    let found = text.split(['\n', '{', ',', '}']).find_map(|piece| {
        let piece = piece.trim().trim_start_matches("- ");
        let (name, value) = piece.split_once(':')?;
        (name.trim().trim_matches('"') == key).then(|| value.trim().trim_matches('"').to_owned())
    });
    found.filter(|value| !value.is_empty())
}
