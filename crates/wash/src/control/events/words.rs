//! Events in words.

use wasmcloud_wire::Labels;
use wasmcloud_wire::event::{Event, LinkdefSet};

/// What happened, in a sentence.
pub(super) fn words(event: &Event) -> String {
    match event {
        Event::HostStarted(host) => format!("host started, version {}", host.version),
        Event::HostHeartbeat(host) => format!(
            "host is there: {} components, {} providers, up {}",
            host.components.len(),
            host.providers.len(),
            host.uptime_human
        ),
        Event::HostStopped(_) => "host stops".to_owned(),
        Event::LabelsChanged(changed) => format!("labels are now {}", pairs(&changed.labels)),
        Event::ComponentScaled(scaled) => match scaled.max_instances {
            0 => format!("component {} stopped ({})", scaled.component_id, scaled.image_ref),
            u32::MAX => format!("component {} runs ({})", scaled.component_id, scaled.image_ref),
            1 => format!(
                "component {} runs, one instance at once ({})",
                scaled.component_id, scaled.image_ref
            ),
            max => format!(
                "component {} runs, {max} instances at once ({})",
                scaled.component_id, scaled.image_ref
            ),
        },
        Event::ComponentScaleFailed(failed) => {
            format!(
                "component {} failed ({}): {}",
                failed.component_id, failed.image_ref, failed.error
            )
        }
        Event::ProviderStarted(started) => {
            format!("provider {} runs ({})", started.provider_id, started.image_ref)
        }
        Event::ProviderStartFailed(failed) => {
            format!(
                "provider {} failed ({}): {}",
                failed.provider_id, failed.provider_ref, failed.error
            )
        }
        Event::ProviderStopped(stopped) => match stopped.reason.as_str() {
            "" | "stop" => format!("provider {} stopped", stopped.provider_id),
            reason => format!("provider {} stopped: {reason}", stopped.provider_id),
        },
        Event::HealthCheckPassed(health) => format!("provider {} is well", health.provider_id),
        Event::HealthCheckFailed(health) => format!("provider {} is not well", health.provider_id),
        Event::HealthCheckStatus(health) => format!("provider {} is as it was", health.provider_id),
        Event::LinkdefSet(link) => format!("link {} is set", of(link)),
        Event::LinkdefSetFailed(failed) => format!("link {} was refused: {}", of(&failed.link), failed.error),
        Event::LinkdefDeleted(link) => format!(
            "link {} of {} for {}:{} is deleted",
            link.name, link.source_id, link.wit_namespace, link.wit_package
        ),
        Event::ConfigSet(config) => format!("config {} is set", config.config_name),
        Event::ConfigDeleted(config) => format!("config {} is deleted", config.config_name),
    }
}

fn of(link: &LinkdefSet) -> String {
    let name = match link.name.as_str() {
        "default" => String::new(),
        name => format!(" named {name}"),
    };
    format!(
        "{} -> {} for {}:{}/{}{name}",
        link.source_id,
        link.target,
        link.wit_namespace,
        link.wit_package,
        link.interfaces.join(",")
    )
}

fn pairs(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(" ")
}

/// `09:47:20.424` of `2026-11-22T09:47:20.424571419Z`: the time in UTC, to the millisecond. What is no such time is a
/// dash.
pub(in crate::control) fn time_of_day(time: &str) -> String {
    let of_day = time.split_once('T').map(|(_, rest)| rest.trim_end_matches('Z'));
    let Some((seconds, fraction)) = of_day.map(|rest| rest.split_once('.').unwrap_or((rest, ""))) else {
        return "-".to_owned();
    };
    let fine = |text: &str, more: &[u8]| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || more.contains(&byte))
    };
    if seconds.len() != 8 || !fine(seconds, b":") || !fine(fraction, b"") {
        return "-".to_owned();
    }
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    format!("{seconds}.{millis}")
}

#[cfg(test)]
mod tests {
    use super::time_of_day;

    #[test]
    fn times() {
        for (time, shown) in [
            ("2026-11-22T09:47:20.424571419Z", "09:47:20.424"),
            ("2025-01-01T00:00:00.0Z", "00:00:00.000"),
            ("2025-01-01T00:00:00Z", "00:00:00.000"),
            ("2025-01-01T00:00:00+01:00", "-"),
            ("2025-01-01T\x1b[2J:00:0Z", "-"),
            ("", "-"),
        ] {
            assert_eq!(time_of_day(time), shown);
        }
    }
}
