//! What the commands have in common that ask the controller: reaching it, failures, names of hosts.

use std::collections::HashMap;
use std::fmt::Display;

use anyhow::anyhow;
use tokio::sync::watch;
use wasmcloud_client::{Apps, AppsError, Client};
use wasmcloud_core::{AppName, nearest};

use crate::control::connect::connect;
use crate::control::lattice_args::LatticeArgs;
use crate::control::table::{one_line, short_id};
use crate::exit::{FAILURE, Failure};
use crate::progress;

/// Connects to the lattice that is meant.
pub(super) async fn apps(args: &LatticeArgs) -> Result<Apps, Failure> {
    Ok(connect(args).await?.apps())
}

/// Waits for an answer, and after a second shows on a terminal that it does.
pub(crate) async fn asking<T>(asking: impl Future<Output = Result<T, AppsError>>) -> Result<T, Failure> {
    let (_nothing, known) = watch::channel(String::new());
    progress::waited("asking the controller of the lattice", known, asking)
        .await
        .map_err(failed)
}

/// The same about one application: where it does not exist, what may have been meant.
pub(super) async fn asking_about<T>(
    apps: &Apps,
    app: &AppName,
    question: impl Future<Output = Result<T, AppsError>>,
) -> Result<T, Failure> {
    let (_nothing, known) = watch::channel(String::new());
    let answer = progress::waited("asking the controller of the lattice", known, question).await;
    match answer {
        Ok(answer) => Ok(answer),
        Err(error @ AppsError::NotFound { .. }) => Err(not_found(apps, app, error).await),
        Err(error) => Err(failed(error)),
    }
}

/// A failure with the kind that scripts see.
pub(crate) fn failed(error: AppsError) -> Failure {
    let kind = match &error {
        AppsError::NoController { .. } => "no-controller",
        AppsError::NotFound { .. } => "not-found",
        AppsError::Refused { .. } | AppsError::BaseDir { .. } => "refused",
        AppsError::Foreign { .. } => "not-supported",
        AppsError::Silent { .. } => "timeout",
        AppsError::Answer { .. } | AppsError::Empty { .. } => "bad-answer",
        AppsError::Connection { .. } => "no-lattice",
    };
    Failure::new(FAILURE, kind, error)
}

async fn not_found(apps: &Apps, app: &AppName, error: AppsError) -> Failure {
    let known = apps.list().await.unwrap_or_default();
    let names = || known.iter().map(|known| known.name.as_str());
    let hint = if names().any(|name| name == app.as_str()) {
        format!("`wash app versions {app}` lists its versions")
    } else if let Some(nearest) = nearest(app.as_str(), names()) {
        format!("did you mean `{}`?", one_line(nearest))
    } else {
        "`wash app list` lists the applications".to_owned()
    };
    let error = anyhow!("{error}; hint: {hint}");
    Failure::new(FAILURE, "not-found", error)
}

/// What the hosts of the lattice are called.
#[derive(Default)]
pub(super) struct HostNames(HashMap<String, String>);

impl HostNames {
    /// Asks them. Those that do not answer go by their ids.
    pub(super) async fn ask(client: &Client) -> Self {
        let hosts = client
            .hosts()
            .await
            .map(|hosts| hosts.answers)
            .unwrap_or_default();
        let named = hosts.into_iter().filter(|host| !host.friendly_name.is_empty());
        Self(
            named
                .map(|host| (host.id, one_line(&host.friendly_name)))
                .collect(),
        )
    }

    /// A name, or the beginning of the id.
    pub(super) fn of(&self, id: &str) -> String {
        self.0.get(id).cloned().unwrap_or_else(|| short_id(id))
    }
}

/// `1 application`, `2 applications`.
pub(super) fn count(number: usize, what: impl Display) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}
