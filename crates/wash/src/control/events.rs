//! `wash events`: what happens on a lattice, a line for each event.

mod words;

use std::collections::HashMap;

use serde_json::{Value, json};
use wasmcloud_client::Told;
use wasmcloud_wire::event::{CloudEvent, Event, EventKind};

pub(super) use self::words::time_of_day;
use self::words::words;
use super::args::EventsArgs;
use super::connect::connect;
use super::report::failed;
use super::table::{one_line, short_id};
use crate::exit::{FAILURE, Failure};
use crate::output::Output;
use crate::up::signals::Signals;

/// Hosts whose names are remembered. Beyond that they go by their ids.
const MAX_NAMES: usize = 10_000;

pub(super) async fn run(args: &EventsArgs, output: &Output) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let client = connect(&args.lattice).await?;
    // Before anything else, so that nothing is missed while hosts say their names.
    let mut events = client.events().await.map_err(failed)?;
    let mut names = Names::default();
    output.note(&format!(
        "listening to lattice `{}` at {}, Ctrl-C ends it",
        client.lattice(),
        client.connection().address()
    ));
    if !output.is_json() {
        let hosts = client.hosts().await.map_err(failed)?;
        let hosts = hosts.answers.iter();
        hosts.for_each(|host| names.learn(&host.id, &host.friendly_name));
    }
    let mut left = args.count;
    while left != Some(0) {
        let told = tokio::select! {
            told = events.next() => told,
            () = signals.first() => return Ok(()),
        };
        let shown = match told {
            None => {
                let error = anyhow::anyhow!("the connection to the lattice was closed");
                return Err(Failure::new(FAILURE, "no-lattice", error));
            }
            Some(Told::Event(event)) => {
                names.learn_from(&event);
                wanted(&event, args, output) && {
                    output.data(&line(&event, &names, output), &value(&event));
                    true
                }
            }
            Some(Told::Other {
                subject,
                payload,
                why,
            }) => {
                args.kind.is_empty() && {
                    let text = format!(
                        "{} on {}: {}",
                        output.paint_data("33", "not an event known here"),
                        one_line(&subject),
                        one_line(&why.to_string())
                    );
                    let raw = String::from_utf8_lossy(&payload);
                    output.data(
                        &text,
                        &json!({ "subject": subject, "raw": raw, "error": why.to_string() }),
                    );
                    true
                }
            }
            Some(Told::Gap) => {
                output.note("events may have been missed: the connection was lost, or they came too fast");
                false
            }
        };
        if shown {
            left = left.map(|left| left - 1);
        }
    }
    Ok(())
}

fn wanted(event: &CloudEvent, args: &EventsArgs, output: &Output) -> bool {
    let kind = event.event.kind();
    let regular = matches!(kind, EventKind::HostHeartbeat | EventKind::HealthCheckStatus);
    match args.kind.is_empty() {
        true => output.is_json() || !regular,
        false => args.kind.contains(&kind),
    }
}

/// `09:47:20.424 blue-heron-1 component hello …`.
fn line(event: &CloudEvent, names: &Names, output: &Output) -> String {
    let color = match event.event.kind() {
        EventKind::ComponentScaleFailed
        | EventKind::ProviderStartFailed
        | EventKind::HealthCheckFailed
        | EventKind::LinkdefSetFailed => "31",
        _ => "0",
    };
    format!(
        "{}  {}  {}",
        output.paint_data("2", &time_of_day(&event.time)),
        output.paint_data("1", &names.of(&event.source)),
        output.paint_data(color, &one_line(&words(&event.event)))
    )
}

/// The event as it travels.
fn value(event: &CloudEvent) -> Value {
    serde_json::from_slice(&event.encode()).unwrap_or_default()
}

/// What hosts are called.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn learn(&mut self, id: &str, name: &str) {
        if !name.is_empty() && (self.0.len() < MAX_NAMES || self.0.contains_key(id)) {
            self.0.insert(id.to_owned(), one_line(name));
        }
    }

    fn learn_from(&mut self, event: &CloudEvent) {
        match &event.event {
            Event::HostStarted(started) => self.learn(&event.source, &started.friendly_name),
            Event::HostHeartbeat(inventory) => self.learn(&event.source, &inventory.friendly_name),
            _ => {}
        }
    }

    fn of(&self, id: &str) -> String {
        self.0.get(id).cloned().unwrap_or_else(|| short_id(id))
    }
}
