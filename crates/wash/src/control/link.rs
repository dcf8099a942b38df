//! `wash link put|del`. `link query` is `get links`.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::anyhow;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use wasmcloud_client::{Client, Events, Told, printable};
use wasmcloud_core::{ComponentId, InvalidName, LinkName};
use wasmcloud_wire::control::{DeleteLink, Link, Request};
use wasmcloud_wire::event::{Event, LinkdefSet};

use super::args::{LinkDelArgs, LinkPutArgs};
use super::connect::connect;
use super::report::failed;
use crate::exit::{FAILURE, Failure, INVALID};
use crate::output::Output;

/// How long hosts may take to say that they cannot put a link into effect: to open a port or a file.
const OBJECTIONS: Duration = Duration::from_millis(150);

pub(super) async fn put(args: LinkPutArgs, output: &Output) -> Result<(), Failure> {
    let link = wasmcloud_core::Link {
        source: args.source_id,
        target: args.target,
        name: args.link_name,
        namespace: args.wit_namespace,
        package: args.wit_package,
        interfaces: args.interface,
        source_config: args.source_config,
        target_config: args.target_config,
        route: args.route,
    };
    let link = Link::from(&link);
    // Names of WIT are text until here; a host would refuse the same, later.
    wasmcloud_core::Link::try_from(&link).map_err(|error| Failure::new(INVALID, "invalid-link", error))?;
    let client = connect(&args.lattice).await?;
    let mut events = client.events().await.map_err(failed)?;
    client
        .send(&Request::PutLink(link.clone()))
        .await
        .map_err(failed)?;
    if let Some((host, why)) = refusal(&mut events, &link).await {
        let error = anyhow!(
            "host {host} cannot put the link into effect: {}; hint: the link stays and is tried again there; \
             `wash link del` takes it back",
            printable(&why)
        );
        return Err(Failure::new(FAILURE, "link-refused", error));
    }
    let text = format!(
        "Published link ({}) -> ({}) successfully",
        link.source_id, link.target
    );
    let value = json!({
        "source_id": link.source_id,
        "target": link.target,
        "link_name": link.name,
        "wit_namespace": link.wit_namespace,
        "wit_package": link.wit_package,
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

/// Whoever runs an end of the link says it if he cannot put it into effect; silence is consent. No host has to say
/// anything, so this listens for [`OBJECTIONS`] after the link was written.
async fn refusal(events: &mut Events, link: &Link) -> Option<(String, String)> {
    let about = |told: &LinkdefSet| {
        (&told.source_id, &told.target, &told.name) == (&link.source_id, &link.target, &link.name)
            && (&told.wit_namespace, &told.wit_package) == (&link.wit_namespace, &link.wit_package)
    };
    let deadline = Instant::now() + OBJECTIONS;
    while let Ok(Some(told)) = timeout_at(deadline, events.next()).await {
        if let Told::Event(event) = told
            && let Event::LinkdefSetFailed(failed) = event.event
            && about(&failed.link)
        {
            return Some((event.source, failed.error));
        }
    }
    None
}

pub(super) async fn del(args: LinkDelArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    if args.all {
        return del_all(&client, args.force, output).await;
    }
    // The argument parser has seen to it that they are there.
    let (Some(source), Some(namespace), Some(package)) =
        (args.source_id, args.wit_namespace, args.wit_package)
    else {
        let error = anyhow!("a link is named by its source, namespace and package; hint: or `--all`");
        return Err(Failure::new(INVALID, "invalid-link", error));
    };
    let link = DeleteLink {
        source_id: source,
        name: args.link_name,
        wit_namespace: namespace,
        wit_package: package,
    };
    client
        .send(&Request::DeleteLink(link.clone()))
        .await
        .map_err(failed)?;
    let text = format!(
        "Deleted link for {} on {}:{} ({}) successfully",
        link.source_id, link.wit_namespace, link.wit_package, link.name
    );
    let value = json!({
        "source_id": link.source_id.as_str(),
        "link_name": link.name.as_str(),
        "wit_namespace": link.wit_namespace,
        "wit_package": link.wit_package,
        "deleted": true,
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

async fn del_all(client: &Client, force: bool, output: &Output) -> Result<(), Failure> {
    let links = client.links().await.map_err(failed)?;
    if !force && !links.is_empty() && !confirmed(links.len(), client)? {
        let error = anyhow!("nothing was deleted");
        return Err(Failure::new(FAILURE, "not-confirmed", error));
    }
    let mut deleted = Vec::new();
    for link in links {
        let request = Request::DeleteLink(name_of(&link).map_err(|error| {
            let error = anyhow!(error).context(format!("link of `{}`", link.source_id));
            Failure::new(FAILURE, "invalid-link", error)
        })?);
        client.send(&request).await.map_err(failed)?;
        deleted.push(json!({
            "source_id": link.source_id,
            "link_name": link.name,
            "wit_namespace": link.wit_namespace,
            "wit_package": link.wit_package,
        }));
    }
    let text = format!("Deleted {} links successfully", deleted.len());
    output.data(&text, &json!({ "deleted": deleted, "success": true }));
    Ok(())
}

fn name_of(link: &Link) -> Result<DeleteLink, InvalidName> {
    Ok(DeleteLink {
        source_id: link.source_id.parse::<ComponentId>()?,
        name: link.name.parse::<LinkName>()?,
        wit_namespace: link.wit_namespace.clone(),
        wit_package: link.wit_package.clone(),
    })
}

/// Asks the person at the terminal. Where there is none, nobody agrees.
fn confirmed(links: usize, client: &Client) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let error =
            anyhow!("nobody is there to be asked whether {links} links may go; hint: `--force` does not ask");
        return Err(Failure::new(FAILURE, "not-confirmed", error));
    }
    let asked = (|| {
        write!(
            io::stderr(),
            "Delete all {links} links of lattice `{}`? [y/N] ",
            client.lattice()
        )?;
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer)
    })();
    let answer = asked.map_err(|error: io::Error| Failure::new(FAILURE, "terminal", error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
