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

/// The kind of a failure: something else was deployed meanwhile.
pub(crate) const SUPERSEDED: &str = "superseded";
/// The kind of a failure: the controller went back to the version before.
pub(crate) const ROLLED_BACK: &str = "rolled-back";

/// What is waited for.
pub(crate) struct Wanted<'a> {
    pub(crate) apps: &'a Apps,
    pub(crate) app: &'a AppName,
    /// What the controller has acknowledged.
    pub(crate) reply: &'a DeployReply,
    pub(crate) within: Duration,
    /// Whether it goes on being tried when nobody waits any more.
    pub(crate) goes_on: bool,
}

/// What is known so far.
struct Progress<'a, L> {
    wanted: &'a Wanted<'a>,
    output: &'a Output,
    look: L,
    last: Option<AppStatus>,
    /// The last thing that kept us from knowing more.
    trouble: Option<String>,
}

/// How often a status is looked at again while it stays the same.
const LOOK: Duration = Duration::from_secs(1);

/// Until it is `deployed`. `look` is shown each status, once a second also one that has not changed, and may end it.
pub(crate) async fn until_deployed(
    wanted: &Wanted<'_>,
    output: &Output,
    look: impl FnMut(&AppStatus) -> Result<(), Failure>,
) -> Result<AppStatus, Failure> {
    let began = Instant::now();
    let mut progress = Progress {
        wanted,
        output,
        look,
        last: None,
        trouble: None,
    };
    let following = progress.follow();
    match tokio::time::timeout(wanted.within, following).await {
        Ok(outcome) => outcome,
        Err(_) => Err(progress.late(began.elapsed())),
    }
}

/// Says what has changed. A failure is told at once and ends nothing, for it may heal: the time does.
#[derive(Default)]
pub(super) struct Changes {
    /// What was said about each part.
    said: BTreeMap<String, String>,
    said_of_whole: String,
}

impl Changes {
    /// Says what is not as it was said before.
    pub(super) fn show(&mut self, status: &AppStatus, output: &Output) {
        let text = whole(status);
        if (status.scalers.is_empty() || status.paused) && text != self.said_of_whole {
            let shown = output.paint(color(status.status.kind), &text);
            output.event(
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
                let shown = output.paint(color(part.status.kind), &text);
                let line = format!("  {}: {shown}", named(part));
                output.event(&line, &value("part", part));
                self.said.insert(key, text);
            }
        }
    }
}

impl<L: FnMut(&AppStatus) -> Result<(), Failure>> Progress<'_, L> {
    async fn follow(&mut self) -> Result<AppStatus, Failure> {
        let Wanted { apps, app, reply, .. } = self.wanted;
        let generation = reply.generation.unwrap_or_default();
        let mut follower = apps.follow_status(app, generation).await.map_err(failed)?;
        loop {
            let mut next = std::pin::pin!(follower.next());
            let next = loop {
                match tokio::time::timeout(LOOK, &mut next).await {
                    Ok(next) => break next,
                    Err(_) => self.last.as_ref().map_or(Ok(()), &mut self.look)?,
                }
            };
            match next {
                Followed::Status(status) => {
                    self.trouble = None;
                    self.last = Some((*status).clone());
                    if status.generation > generation && generation > 0 && !self.is_ours(&status) {
                        return Err(self.superseded(&status).await);
                    }
                    (self.look)(&status)?;
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
            return Failure::new(FAILURE, ROLLED_BACK, error);
        }
        let now = match status.status.kind {
            StatusType::Undeployed => "it was undeployed".to_owned(),
            _ => format!("version {} was deployed", one_line(&status.version)),
        };
        let error = anyhow!(
            "stopped waiting for application `{}`: {now} meanwhile",
            self.wanted.app
        );
        Failure::new(FAILURE, SUPERSEDED, error)
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
        let hint = match (paused, self.wanted.goes_on) {
            (true, _) => format!("it is paused, and `wash app resume {app}` ends that"),
            (false, false) => "`--log-level info` shows what the controller does about it".to_owned(),
            (false, true) => format!(
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
