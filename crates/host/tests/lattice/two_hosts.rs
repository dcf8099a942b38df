//! Two hosts of one lattice: what one is told the other knows.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wasmcloud_host::{HostKey, JoinError};
use wasmcloud_test_kit::control::Control;

use crate::on_both_lattices;
use crate::support::{Rig, Target, link, on, scale, until};

on_both_lattices!(
    both_answer_for_themselves_and_one_for_the_lattice,
    a_link_is_in_effect_on_both,
    what_one_wrote_the_other_uses_at_once,
    concurrent_links_of_one_source_are_all_kept,
    two_hosts_cannot_have_one_key,
    lattices_do_not_hear_each_other,
    the_other_goes_on_alone,
    a_host_that_comes_later_knows_everything,
);

async fn both_answer_for_themselves_and_one_for_the_lattice(target: Target) -> Result<()> {
    let (mut rig, one) = Rig::with_host(target).await?;
    let two = rig.host(|_, _| {}).await?;
    let mut ids: Vec<String> = rig
        .client
        .ask_all("host.ping", &Value::Null, 2)
        .await?
        .iter()
        .map(|answer| answer["response"]["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    ids.sort();
    let mut expected = [one.id().to_string(), two.id().to_string()];
    expected.sort();
    ensure!(ids == expected, "{ids:?}");
    // A change of the lattice is told by the one that made it, once.
    for n in 0..50 {
        rig.client
            .ok("config.put.a", &json!({ "n": n.to_string() }))
            .await?;
    }
    for _ in 0..50 {
        ensure!(rig.events.next().await?.kind == "config_set");
    }
    rig.client.ok("config.del.a", &Value::Null).await?;
    ensure!(rig.events.next().await?.kind == "config_deleted");
    Ok(())
}

async fn a_link_is_in_effect_on_both(target: Target) -> Result<()> {
    let (mut rig, one) = Rig::with_host(target).await?;
    let two = rig.host(|_, _| {}).await?;
    for n in 0..20 {
        let put = link(&format!("a{n}"), "b", &["reader"]);
        rig.client.ok("link.put", &put).await?;
        until("link on both", async || {
            let count = n + 1;
            Ok(one.host().links().len() == count && two.host().links().len() == count)
        })
        .await?;
    }
    Ok(())
}

async fn what_one_wrote_the_other_uses_at_once(target: Target) -> Result<()> {
    let (mut rig, one) = Rig::with_host(target).await?;
    let two = rig.host(|_, _| {}).await?;
    let image = rig.nothing()?;
    // One of them writes, whichever; and each is asked to use it as soon as the answer is there.
    for n in 0..20 {
        rig.client
            .ok(&format!("config.put.c{n}"), &json!({ "n": "1" }))
            .await?;
        let host = if n % 2 == 0 { &one } else { &two };
        let mut body = scale(host, &format!("a{n}"), &image, 1);
        body["config"] = json!([format!("c{n}")]);
        rig.client.ok(&on("component.scale", host), &body).await?;
        let event = loop {
            let event = rig.events.next().await?;
            if event.kind != "config_set" {
                break event;
            }
        };
        ensure!(event.kind == "component_scaled", "{event:?}");
    }
    Ok(())
}

async fn concurrent_links_of_one_source_are_all_kept(target: Target) -> Result<()> {
    let (mut rig, one) = Rig::with_host(target).await?;
    let two = rig.host(|_, _| {}).await?;
    let mut clients = JoinSet::new();
    for client in 0..10 {
        let control: Control = rig.client.clone();
        clients.spawn(async move {
            for n in 0..10 {
                let put = link("cart", &format!("t{client}-{n}"), &[&format!("i{client}-{n}")]);
                control.ok("link.put", &put).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let links = rig.client.ok("link.get", &Value::Null).await?.1;
    ensure!(links.as_array().map(Vec::len) == Some(100), "{links}");
    until("all links on both", async || {
        Ok(one.host().links().len() == 100 && two.host().links().len() == 100)
    })
    .await?;
    ensure!(one.refused_links() + two.refused_links() == 0);
    Ok(())
}

async fn two_hosts_cannot_have_one_key(target: Target) -> Result<()> {
    let seed = "SNAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2D5U";
    let key = |seed: &str| HostKey::from_seed(seed);
    let mut rig = Rig::start(target).await?;
    let mine = key(seed)?;
    let first = rig.host(|_, join| join.key = mine).await?;
    let again = key(seed)?;
    let second = rig.join(|_, join| join.key = again).await;
    let Err(error) = second else { bail!("both joined") };
    let error = error.downcast::<JoinError>()?;
    let JoinError::Duplicate { id, name, .. } = &error else {
        bail!("{error}")
    };
    ensure!(
        id == first.id() && *name == first.identity().friendly_name,
        "{error}"
    );
    first.leave(&[], &[]).await;
    let again = key(seed)?;
    rig.host(|_, join| join.key = again).await?;
    Ok(())
}

async fn lattices_do_not_hear_each_other(target: Target) -> Result<()> {
    let (rig, here) = Rig::with_host(target).await?;
    let there = rig
        .join(|_, join| join.lattice.lattice = "elsewhere".parse().unwrap())
        .await?;
    rig.client.ok("config.put.a", &json!({})).await?;
    rig.client.ok("link.put", &link("a", "b", &["reader"])).await?;
    until("link", async || Ok(here.host().links().len() == 1)).await?;
    let other = Control::connect(rig.options(), "elsewhere").await?;
    ensure!(other.ok("config.get.a", &Value::Null).await?.0 == "Configuration not found");
    ensure!(other.ok("link.get", &Value::Null).await?.1 == json!([]));
    ensure!(there.host().links().is_empty());
    let (_, answer) = other.ok("host.ping", &Value::Null).await?;
    ensure!(
        answer["id"] == there.id().as_str() && answer["lattice"] == "elsewhere",
        "{answer}"
    );
    Ok(())
}

async fn the_other_goes_on_alone(target: Target) -> Result<()> {
    let (mut rig, one) = Rig::with_host(target).await?;
    let two = rig.host(|_, _| {}).await?;
    rig.client.ok("config.put.a", &json!({ "b": "c" })).await?;
    one.leave(&[], &[]).await;
    for _ in 0..20 {
        ensure!(rig.client.ok("config.get.a", &Value::Null).await?.1 == json!({ "b": "c" }));
    }
    let (_, answer) = rig.client.ok("host.ping", &Value::Null).await?;
    ensure!(answer["id"] == two.id().as_str());
    Ok(())
}

async fn a_host_that_comes_later_knows_everything(target: Target) -> Result<()> {
    let (mut rig, one) = Rig::with_host(target).await?;
    rig.client.ok("config.put.web", &json!({ "a": "b" })).await?;
    let mut put = link("cart", "one", &["reader"]);
    put["source_config"] = json!(["web"]);
    rig.client.ok("link.put", &put).await?;
    one.leave(&[], &[]).await;
    let two = rig.host(|_, _| {}).await?;
    // At once: joining means having applied it.
    ensure!(two.host().links().len() == 1 && two.refused_links() == 0);
    ensure!(two.host().config(&"web".parse()?).is_some());
    Ok(())
}
