//! `wash get hosts|links|claims`.

use serde_json::json;
use wasmcloud_wire::control::ClaimsEntry;

use super::args::ListArgs;
use super::connect::connect;
use super::report::{complete, failed, problems};
use super::table::Table;
use crate::exit::Failure;
use crate::output::Output;

pub(super) async fn hosts(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    let hosts = client.hosts().await.map_err(failed)?;
    let mut table = Table::new(&["NAME", "ID", "VERSION", "UPTIME"]);
    for host in &hosts.answers {
        table.row([
            host.friendly_name.clone(),
            host.id.clone(),
            host.version.clone(),
            host.uptime_human.clone(),
        ]);
    }
    let told = problems(output, &hosts.problems);
    let mut value = json!({ "hosts": hosts.answers, "success": hosts.problems.is_empty() });
    if !hosts.problems.is_empty()
        && let Some(value) = value.as_object_mut()
    {
        value.insert("problems".to_owned(), told);
    }
    if hosts.answers.is_empty() && !output.is_json() {
        output.note(&format!("no host answers in lattice `{}`", client.lattice()));
    } else {
        output.data(&table.text(output), &value);
    }
    if hosts.more {
        output.note("there are more hosts than are listed");
    }
    complete(&hosts.problems)
}

pub(super) async fn links(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    let mut links = client.links().await.map_err(failed)?;
    links.sort_by(|one, other| {
        let key = |link: &wasmcloud_wire::Link| {
            (
                link.source_id.clone(),
                link.wit_namespace.clone(),
                link.wit_package.clone(),
                link.name.clone(),
            )
        };
        key(one).cmp(&key(other))
    });
    let mut table = Table::new(&[
        "SOURCE",
        "TARGET",
        "INTERFACES",
        "NAME",
        "SOURCE CONFIG",
        "TARGET CONFIG",
    ]);
    for link in &links {
        let interfaces = link.interfaces.join(",");
        table.row([
            link.source_id.clone(),
            link.target.clone(),
            format!("{}:{}/{interfaces}", link.wit_namespace, link.wit_package),
            link.name.clone(),
            link.source_config.join(","),
            link.target_config.join(","),
        ]);
    }
    if links.is_empty() && !output.is_json() {
        output.note(&format!("there are no links in lattice `{}`", client.lattice()));
        return Ok(());
    }
    output.data(&table.text(output), &json!({ "links": links, "success": true }));
    Ok(())
}

pub(super) async fn claims(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    let claims = client.claims().await.map_err(failed)?;
    let mut table = Table::new(&["NAME", "SUBJECT", "ISSUER", "VERSION", "REVISION"]);
    for entry in &claims {
        // Both names of v1 are there in recorded traffic; older hosts have the short one only.
        let one_of = |entry: &ClaimsEntry, long: &str, short: &str| {
            entry
                .get(long)
                .or_else(|| entry.get(short))
                .cloned()
                .unwrap_or_default()
        };
        table.row([
            one_of(entry, "name", "name"),
            one_of(entry, "subject", "sub"),
            one_of(entry, "issuer", "iss"),
            one_of(entry, "version", "version"),
            one_of(entry, "revision", "rev"),
        ]);
    }
    if claims.is_empty() && !output.is_json() {
        output.note(&format!("there are no claims in lattice `{}`", client.lattice()));
        return Ok(());
    }
    output.data(&table.text(output), &json!({ "claims": claims, "success": true }));
    Ok(())
}
