//! Waits until an application runs, and says meanwhile what has changed: a line for each part whenever it fares
//! differently.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::{Value, json};
use wasmcloud_client::{Apps, AppsError, Followed};
use wasmcloud_core::AppName;
use wasmcloud_wire::app::{AppStatus, DeployReply, HistoryKind, ScalerStatus, StatusType};
use wasmcloud_wire::message;

use super::reach::failed;
use super::words::{color, fares, named, state, whole};
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure, NOT_STARTED};
use crate::output::Output;

/// What is waited for.
pub(super) struct Wanted<'a> {
    pub(super) apps: &'a Apps,
    pub(super) app: &'a AppName,
    /// What the controller has acknowledged.
    pub(super) reply: &'a DeployReply,
    pub(super) within: Duration,
}

/// What is known so far.
struct Progress<'a> {
    wanted: &'a Wanted<'a>,
    output: &'a Output,
    /// What was said about each part.
    said: BTreeMap<String, String>,
    said_of_whole: String,
    last: Option<AppStatus>,
    /// The last thing that kept us from knowing more.
    trouble: Option<String>,
}

/// Until it is `deployed`. A failure is told at once and ends nothing, for it may heal: the time does.
pub(super) async fn until_deployed(wanted: &Wanted<'_>, output: &Output) -> Result<AppStatus, Failure> {
    let began = Instant::now();
    let mut progress = Progress {
        wanted,
        output,
        said: BTreeMap::new(),
        said_of_whole: String::new(),
        last: None,
        trouble: None,
    };
    let following = progress.follow();
    match tokio::time::timeout(wanted.within, following).await {
        Ok(outcome) => outcome,
        Err(_) => Err(progress.late(began.elapsed())),
    }
}

impl Progress<'_> {
    async fn follow(&mut self) -> Result<AppStatus, Failure> {
        let Wanted { apps, app, reply, .. } = self.wanted;
        let generation = reply.generation.unwrap_or_default();
        let mut follower = apps.follow_status(app, generation).await.map_err(failed)?;
        loop {
            match follower.next().await {
                Followed::Status(status) => {
                    self.show(&status);
                    self.trouble = None;
                    self.last = Some((*status).clone());
                    if status.generation > generation && generation > 0 && !self.is_ours(&status) {
                        return Err(self.superseded(&status).await);
                    }
                    if status.status.kind == StatusType::Deployed {
                        return Ok(*status);
                    }
                }
                Followed::Behind { .. } => {
                    self.trouble = Some("the controller has not planned it yet".to_owned());
                }
                Followed::Lost(error) if error.may_pass() => self.lost(&error),
                Followed::Lost(error) => return Err(failed(error)),
            }
        }
    }

    /// Whether a later status is still about the version that was asked for.
    fn is_ours(&self, status: &AppStatus) -> bool {
        status.status.kind != StatusType::Undeployed
            && Some(&status.version) == self.wanted.reply.version.as_ref()
    }

    fn lost(&mut self, error: &AppsError) {
        let text = one_line(&message::chain(error));
        let text = text.split("; hint: ").next().unwrap_or_default().to_owned();
        if self.trouble.as_ref() != Some(&text) {
            let value = json!({ "event": "waiting", "message": text });
            self.output.event(&format!("  still waiting: {text}"), &value);
            self.trouble = Some(text);
        }
    }

    /// Says what is not as it was said before.
    fn show(&mut self, status: &AppStatus) {
        let text = whole(status);
        if (status.scalers.is_empty() || status.paused) && text != self.said_of_whole {
            let shown = self.output.paint(color(status.status.kind), &text);
            self.output.event(
                &format!("  {shown}"),
                &json!({
                    "event": "status",
                    "status": state(status.status.kind),
                    "message": status.status.message,
                    "paused": status.paused,
                }),
            );
            self.said_of_whole = text;
        }
        for part in &status.scalers {
            let text = fares(part);
            let key = format!("{} {}", part.kind, part.name);
            if self.said.get(&key) != Some(&text) {
                let shown = self.output.paint(color(part.status.kind), &text);
                let line = format!("  {}: {shown}", named(part));
                self.output.event(&line, &value("part", part));
                self.said.insert(key, text);
            }
        }
    }

    /// Something else shall run by now. Where that was nobody's wish, the history says why.
    async fn superseded(&self, status: &AppStatus) -> Failure {
        let Wanted { apps, app, .. } = self.wanted;
        let history = apps.history(app).await.unwrap_or_default();
        let rolled_back = history
            .last()
            .filter(|last| last.kind == HistoryKind::RolledBack && !last.why.is_empty());
        if let Some(last) = rolled_back {
            let back = one_line(last.version.as_deref().unwrap_or("the version before"));
            let error = anyhow!(one_line(&last.why));
            let error = error.context(format!("application `{app}` was rolled back to {back}"));
            return Failure::new(FAILURE, "rolled-back", error);
        }
        let now = match status.status.kind {
            StatusType::Undeployed => "it was undeployed".to_owned(),
            _ => format!("version {} was deployed", one_line(&status.version)),
        };
        let error = anyhow!(
            "stopped waiting for application `{}`: {now} meanwhile",
            self.wanted.app
        );
        Failure::new(FAILURE, "superseded", error)
    }

    /// The time is up: what is missing, in plain words.
    fn late(self, waited: Duration) -> Failure {
        let app = self.wanted.app;
        let mut missing = Vec::new();
        let mut paused = false;
        if let Some(status) = &self.last {
            paused = status.paused;
            let parts = status.scalers.iter();
            let parts = parts.filter(|part| part.status.kind != StatusType::Deployed);
            missing.extend(parts.map(|part| format!("{}: {}", named(part), fares(part))));
            if missing.is_empty() {
                missing.push(whole(status));
            }
        }
        missing.extend(self.trouble);
        if missing.is_empty() {
            missing.push("nothing is known about it".to_owned());
        }
        let hint = match paused {
            true => format!("it is paused, and `wash app resume {app}` ends that"),
            false => format!(
                "it goes on being tried; `wash app status {app} --watch` shows it, `wash app why {app}` says more"
            ),
        };
        let error = anyhow!(
            "application `{app}` does not run as it should after {}; hint: {hint}",
            seconds(waited)
        );
        // The causes are listed below an error, the last in a chain first.
        let error = missing
            .into_iter()
            .rev()
            .fold(None, |inner: Option<anyhow::Error>, text| {
                Some(match inner {
                    None => anyhow::Error::msg(text),
                    Some(inner) => inner.context(text),
                })
            })
            .map(|causes| causes.context(error.to_string()))
            .unwrap_or(error);
        Failure::new(NOT_STARTED, "not-deployed", error)
    }
}

/// A part as scripts see it.
pub(super) fn value(event: &str, part: &ScalerStatus) -> Value {
    json!({
        "event": event,
        "name": part.alias.as_ref().unwrap_or(&part.name),
        "id": part.name,
        "kind": part.kind,
        "status": state(part.status.kind),
        "message": part.status.message,
        "waits": part.waits,
        "hosts": part.hosts,
    })
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
