//! `wash label`: sets or removes labels of a host.

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_wire::control::{DeleteLabel, PutLabel, Request};

use super::args::LabelArgs;
use super::connect::connect;
use super::report::{failed, host};
use super::table::one_line;
use crate::exit::{Failure, INVALID};
use crate::output::Output;

pub(super) async fn run(args: &LabelArgs, output: &Output) -> Result<(), Failure> {
    let labels: Vec<(String, Option<String>)> = args
        .labels
        .iter()
        .map(|label| parse(label, args.delete))
        .collect::<Result<_, _>>()?;
    let client = connect(&args.lattice).await?;
    let host = host(&client, &args.host).await?;
    let name = match host.friendly_name.is_empty() {
        true => host.id.to_string(),
        false => one_line(&host.friendly_name),
    };
    let mut processed = Vec::new();
    let mut lines = Vec::new();
    for (key, value) in labels {
        let (request, shown) = match &value {
            Some(value) => {
                let put = PutLabel {
                    key: key.clone(),
                    value: value.clone(),
                };
                (Request::PutLabel(host.id.clone(), put), format!("{key}={value}"))
            }
            None => (
                Request::DeleteLabel(host.id.clone(), DeleteLabel { key: key.clone() }),
                key.clone(),
            ),
        };
        if let Err(error) = client.send(&request).await {
            // What was done before stays done, and is said.
            if !output.is_json() {
                lines
                    .iter()
                    .for_each(|line: &String| output.data(line, &json!(null)));
            }
            return Err(failed(error));
        }
        let verb = if args.delete { "unlabeled" } else { "labeled" };
        lines.push(format!("Host `{name}` {verb} with `{shown}`"));
        processed.push(shown);
    }
    let value = json!({ "success": true, "deleted": args.delete, "processed": processed });
    output.data(&lines.join("\n"), &value);
    Ok(())
}

/// A label to set, or the key of one to remove; a value is then of no account, as in v1.
fn parse(written: &str, delete: bool) -> Result<(String, Option<String>), Failure> {
    match (written.split_once('='), delete) {
        (Some((key, _)), true) if !key.is_empty() => Ok((key.to_owned(), None)),
        (None, true) if !written.is_empty() => Ok((written.to_owned(), None)),
        (Some((key, value)), false) if !key.is_empty() => Ok((key.to_owned(), Some(value.to_owned()))),
        _ => {
            let error = anyhow!("`{written}` is not a label; hint: write KEY=VALUE");
            Err(Failure::new(INVALID, "invalid-label", error))
        }
    }
}
