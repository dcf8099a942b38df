//! How an application fares, in the words of the API: from its record, and from the last plan if that knew it.

use wasmcloud_wire::app::{AppRecord, AppStatus, OnHost, ScalerStatus, StatusInfo, StatusType, message};

use super::told::Told;
use crate::planning::{AppReport, Decision, PartReport, Status, StatusKind};
use crate::store::deployed_version;

/// How an application fares. `broken` is why nothing of it can be planned, where it is so.
pub(super) fn of(record: &AppRecord, report: Option<(&AppReport, u64)>, broken: Option<&str>) -> AppStatus {
    let (status, scalers) = match (report, broken) {
        (_, Some(why)) => (info(StatusType::Failed, why), Vec::new()),
        (Some((report, planned)), None) if planned >= record.generation => {
            (of_status(&report.status), scalers(report))
        }
        // Never deployed, or nothing of it is left since before this controller began.
        (_, None) if record.generation == 0 => (info(StatusType::Undeployed, ""), Vec::new()),
        _ => (
            info(
                StatusType::Reconciling,
                message::waiting_for_plan(record.generation),
            ),
            Vec::new(),
        ),
    };
    AppStatus {
        status,
        scalers,
        version: deployed_version(record).unwrap_or_default().to_owned(),
        components: Vec::new(),
        generation: record.generation,
        paused: record.paused,
    }
}

/// The report on an application and the generation that was planned.
pub(super) fn planned<'a>(
    told: Option<&'a Told>,
    app: &wasmcloud_core::AppName,
) -> Option<(&'a AppReport, u64)> {
    let told = told?;
    Some((told.report(app)?, *told.generations.get(app)?))
}

fn scalers(report: &AppReport) -> Vec<ScalerStatus> {
    let scaler = |part: &PartReport| ScalerStatus {
        id: part.id.clone(),
        kind: part.kind.name().to_owned(),
        name: part.name.clone(),
        status: of_status(&part.status),
        alias: part.decision.alias.clone(),
        hosts: hosts(&part.decision),
        waits: waits(&part.decision),
        error: part.decision.error().map(str::to_owned),
    };
    report.scalers.iter().map(scaler).collect()
}

pub(super) fn of_status(status: &Status) -> StatusInfo {
    let kind = match status.kind {
        StatusKind::Failed => StatusType::Failed,
        StatusKind::Undeployed => StatusType::Undeployed,
        StatusKind::Waiting => StatusType::Waiting,
        StatusKind::Reconciling => StatusType::Reconciling,
        StatusKind::Unhealthy => StatusType::Unhealthy,
        StatusKind::Deployed => StatusType::Deployed,
    };
    info(kind, status.message.as_str())
}

pub(super) fn info(kind: StatusType, message: impl Into<String>) -> StatusInfo {
    StatusInfo {
        kind,
        message: message.into(),
    }
}

pub(super) fn hosts(decision: &Decision) -> Vec<OnHost> {
    let host = |on: &crate::planning::OnHost| OnHost {
        host: on.host.to_string(),
        runs: on.runs,
        wanted: on.wanted,
    };
    decision.hosts.iter().map(host).collect()
}

pub(super) fn waits(decision: &Decision) -> Vec<String> {
    decision.waits.iter().map(ToString::to_string).collect()
}
