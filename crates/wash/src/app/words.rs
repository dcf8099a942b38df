//! How an application and its parts fare, in words: the same in `deploy`, `status` and `why`. What others wrote is made
//! fit for a line here.

use wasmcloud_wire::app::{AppStatus, OnHost, ScalerStatus, StatusInfo, StatusType};

use super::reach::HostNames;
use crate::control::table::one_line;

/// What keeps links, in status.
const LINK: &str = "LinkScaler";

/// What waits begin with that only say more of what the message of their part says.
const REPEATED: [&str; 2] = ["for the effect of: ", "for hosts: "];

/// The word for how something fares.
pub(super) fn state(kind: StatusType) -> &'static str {
    match kind {
        StatusType::Waiting => "waiting",
        StatusType::Undeployed => "undeployed",
        StatusType::Reconciling => "reconciling",
        StatusType::Deployed => "deployed",
        StatusType::Failed => "failed",
        StatusType::Unhealthy => "unhealthy",
        StatusType::Other => "in a state that is not known here",
    }
}

/// Its colour; the word says the same.
pub(super) fn color(kind: StatusType) -> &'static str {
    match kind {
        StatusType::Deployed => "32",
        StatusType::Failed | StatusType::Unhealthy => "31",
        StatusType::Waiting | StatusType::Reconciling => "33",
        StatusType::Undeployed | StatusType::Other => "2",
    }
}

pub(super) fn is_link(part: &ScalerStatus) -> bool {
    part.kind == LINK
}

/// What a part is called: as in the manifest where that is known.
pub(super) fn name(part: &ScalerStatus) -> String {
    one_line(part.alias.as_deref().unwrap_or(&part.name))
}

/// The same in a line about anything.
pub(super) fn named(part: &ScalerStatus) -> String {
    match is_link(part) {
        true => format!("link {}", name(part)),
        false => name(part),
    }
}

/// `2/3`: how many run of how many shall; nothing where nobody said.
pub(super) fn instances(hosts: &[OnHost]) -> String {
    if hosts.is_empty() {
        return String::new();
    }
    let sum = |count: fn(&OnHost) -> u32| hosts.iter().map(|host| u64::from(count(host))).sum::<u64>();
    format!("{}/{}", sum(|host| host.runs), sum(|host| host.wanted))
}

/// `blue-heron 2/2, red-fox 0/1`.
pub(super) fn hosts(hosts: &[OnHost], names: &HostNames) -> String {
    let each: Vec<String> = hosts
        .iter()
        .map(|host| format!("{} {}/{}", names.of(&host.host), host.runs, host.wanted))
        .collect();
    each.join(", ")
}

/// `waits for …`.
pub(super) fn wait(text: &str) -> String {
    let text = one_line(text);
    match text.starts_with("for ") {
        true => format!("waits {text}"),
        false => text,
    }
}

/// The state, how many run, why, and what it waits for: `reconciling 0/1: Scaling component on 1 host(s); waits for …`.
pub(super) fn fares(part: &ScalerStatus) -> String {
    let mut text = state(part.status.kind).to_owned();
    let instances = instances(&part.hosts);
    if !instances.is_empty() {
        text.push(' ');
        text.push_str(&instances);
    }
    why(&mut text, &part.status, &part.waits);
    text
}

/// The state of the whole and what is said about it. Of a whole with parts they say it themselves.
pub(super) fn whole(status: &AppStatus) -> String {
    let mut text = state(status.status.kind).to_owned();
    if status.scalers.is_empty() {
        why(&mut text, &status.status, &[]);
    }
    if status.paused {
        text.push_str(" (paused)");
    }
    text
}

fn why(text: &mut String, status: &StatusInfo, waits: &[String]) {
    let said = Some(one_line(&status.message)).filter(|said| !said.is_empty());
    // What is under way, and which hosts are missing, the message says already; `why` has all of it.
    let repeated = |wait: &&String| said.is_some() && REPEATED.iter().any(|kind| wait.starts_with(kind));
    let waits: Vec<String> = waits
        .iter()
        .filter(|wait| !repeated(wait))
        .map(|it| wait(it))
        .collect();
    let said: Vec<String> = said.into_iter().chain(waits).collect();
    if !said.is_empty() {
        text.push_str(": ");
        text.push_str(&said.join("; "));
    }
}
