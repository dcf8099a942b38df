//! `wash app why`: the last decisions about the parts of an application.

use std::fmt::Write as _;

use serde_json::json;
use wasmcloud_wire::app::{PartDecision, WhyReply};

use super::args::WhyArgs;
use super::reach::{HostNames, apps, asking_about, count};
use super::words::{color, hosts, state, wait};
use crate::control::table::one_line;
use crate::exit::Failure;
use crate::output::Output;

pub(super) async fn run(args: &WhyArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    let question = apps.why(&args.name, args.part.as_deref());
    let reply = asking_about(&apps, &args.name, question).await?;
    let names = match output.is_json() {
        true => HostNames::default(),
        false => HostNames::ask(apps.client()).await,
    };
    let value =
        json!({ "name": args.name.as_str(), "parts": reply.parts, "held": reply.held, "success": true });
    output.data(&text(&reply, &names, output), &value);
    Ok(())
}

fn text(reply: &WhyReply, names: &HostNames, output: &Output) -> String {
    let mut blocks = Vec::new();
    if let Some(held) = &reply.held {
        blocks.push(format!("nothing is changed at the moment: {}", one_line(held)));
    }
    blocks.extend(reply.parts.iter().map(|part| part_text(part, names, output)));
    if reply.parts.is_empty() {
        let said = one_line(&reply.message);
        blocks.push(match said.is_empty() {
            true => "there is no part to tell of".to_owned(),
            false => said,
        });
    }
    blocks.join("\n")
}

fn part_text(part: &PartDecision, names: &HostNames, output: &Output) -> String {
    let id = one_line(&part.name);
    let called = match &part.alias {
        Some(alias) => format!("{} ({id})", output.paint_data("1", &one_line(alias))),
        None => output.paint_data("1", &id),
    };
    let mut text = format!(
        "{called} {}",
        output.paint_data(color(part.status.kind), state(part.status.kind))
    );
    if !part.status.message.is_empty() {
        let _ = write!(text, ": {}", one_line(&part.status.message));
    }
    if let Some(scale) = &part.scale {
        let _ = write!(text, "\n  autoscaler: {}", one_line(&scale.text));
    }
    for spread in &part.spreads {
        let _ = write!(
            text,
            "\n  spread {}: {} wanted, {} may take them",
            one_line(&spread.name),
            spread.wanted,
            count(spread.eligible, "host")
        );
    }
    if !part.hosts.is_empty() {
        let _ = write!(text, "\n  on {}", hosts(&part.hosts, names));
    }
    for each in &part.waits {
        let _ = write!(text, "\n  {}", wait(each));
    }
    text
}
