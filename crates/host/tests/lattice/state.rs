//! Requests about what all hosts share: configs and links.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::on_both_lattices;
use crate::support::{Rig, Target, link, until};

on_both_lattices!(
    configs_are_put_read_and_deleted,
    configs_that_are_none_are_refused,
    links_are_put_read_and_deleted,
    links_that_contradict_others_are_refused,
    links_need_their_configs,
    links_that_make_no_sense_are_refused,
    claims_are_listed,
    records_are_those_of_v1,
);

const CONFLICT: &str = "link already exists with different target, consider deleting the existing link or using a different link name";

async fn configs_are_put_read_and_deleted(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    for name in ["web", "with.dots.in-it", "a_b-c", "0"] {
        let (get, put, del) = (
            format!("config.get.{name}"),
            format!("config.put.{name}"),
            format!("config.del.{name}"),
        );
        let missing = rig.client.ok(&get, &Value::Null).await?;
        ensure!(missing == ("Configuration not found".to_owned(), Value::Null));
        for values in [json!({ "a": "1", "b": "" }), json!({ "a": "2" }), json!({})] {
            ensure!(rig.client.ok(&put, &values).await?.0 == "successfully put config");
            let event = rig.events.next().await?;
            ensure!(event.kind == "config_set" && event.source == host.id().as_str());
            ensure!(event.data == json!({ "config_name": name }), "{event:?}");
            ensure!(rig.client.ok(&get, &Value::Null).await? == (String::new(), values));
        }
        for _ in 0..2 {
            let (text, _) = rig.client.ok(&del, &Value::Null).await?;
            ensure!(
                text == "successfully deleted config",
                "also one that is not there"
            );
            let event = rig.events.next().await?;
            ensure!(event.kind == "config_deleted" && event.data == json!({ "config_name": name }));
        }
        ensure!(rig.client.ok(&get, &Value::Null).await?.0 == "Configuration not found");
    }
    Ok(())
}

async fn configs_that_are_none_are_refused(target: Target) -> Result<()> {
    let (mut rig, _host) = Rig::with_host(target).await?;
    for body in [
        json!([1]),
        json!("x"),
        json!({ "a": 1 }),
        json!({ "a": { "b": "c" } }),
        json!({ "a": null }),
    ] {
        let why = rig.client.refused("config.put.web", &body).await?;
        ensure!(
            why.starts_with("config data should be a map of string -> string"),
            "{body}: {why}"
        );
    }
    let missing = rig.client.ok("config.get.web", &Value::Null).await?;
    ensure!(missing.0 == "Configuration not found");
    // Nothing was told: the next event is that of the next request.
    rig.client.ok("config.put.web", &json!({})).await?;
    ensure!(rig.events.next().await?.kind == "config_set");
    Ok(())
}

async fn links_are_put_read_and_deleted(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let links = async |rig: &Rig| anyhow::Ok(rig.client.ok("link.get", &Value::Null).await?.1);
    ensure!(links(&rig).await? == json!([]));
    let one = link("cart", "one", &["reader"]);
    let two = link("cart", "two", &["writer", "lister"]);
    for link in [&one, &two] {
        ensure!(rig.client.ok("link.put", link).await?.0 == "successfully set link");
        let event = rig.events.next().await?;
        ensure!(event.kind == "linkdef_set" && event.source == host.id().as_str());
        ensure!(event.data == *link, "{event:?}");
    }
    ensure!(
        links(&rig).await? == json!([one, two]),
        "two targets, disjoint interfaces"
    );

    // The same key and target: in the place of the former.
    let more = link("cart", "one", &["reader", "counter"]);
    rig.client.ok("link.put", &more).await?;
    ensure!(rig.events.next().await?.data == more);
    ensure!(links(&rig).await? == json!([more, two]));
    until("links in effect", async || Ok(host.host().links().len() == 2)).await?;

    let key = json!({
        "source_id": "cart", "name": "default", "wit_namespace": "acme", "wit_package": "store",
    });
    ensure!(rig.client.ok("link.del", &key).await?.0 == "successfully deleted link");
    let mut gone = [rig.events.next().await?, rig.events.next().await?];
    gone.sort_by_key(|event| event.data["target"].to_string());
    for (event, link) in gone.iter().zip([&more, &two]) {
        let mut expected = key.clone();
        expected["target"] = link["target"].clone();
        expected["interfaces"] = link["interfaces"].clone();
        ensure!(
            event.kind == "linkdef_deleted" && event.data == expected,
            "{event:?}"
        );
    }
    ensure!(links(&rig).await? == json!([]));
    until("links gone", async || Ok(host.host().links().is_empty())).await?;

    ensure!(rig.client.ok("link.del", &key).await?.0 == "successfully deleted link");
    let event = rig.events.next().await?;
    ensure!(event.kind == "linkdef_deleted" && event.data == key, "{event:?}");
    let mut unknown = key.clone();
    unknown["source_id"] = "nobody".into();
    let (text, _) = rig.client.ok("link.del", &unknown).await?;
    ensure!(text == "successfully deleted link (spec doesn't exist)");
    // v1 told nothing here (wire reference §3.1).
    let event = rig.events.next().await?;
    ensure!(
        event.kind == "linkdef_deleted" && event.data == unknown,
        "{event:?}"
    );
    Ok(())
}

async fn links_that_contradict_others_are_refused(target: Target) -> Result<()> {
    let (mut rig, _host) = Rig::with_host(target).await?;
    let first = link("cart", "one", &["reader", "writer"]);
    rig.client.ok("link.put", &first).await?;
    rig.events.next().await?;
    let other = link("cart", "two", &["lister", "writer"]);
    ensure!(rig.client.refused("link.put", &other).await? == CONFLICT);
    let event = rig.events.next().await?;
    let mut expected = other.clone();
    expected["error"] = CONFLICT.into();
    ensure!(
        event.kind == "linkdef_set_failed" && event.data == expected,
        "{event:?}"
    );
    let mut named = other;
    named["name"] = "second".into();
    rig.client.ok("link.put", &named).await?;
    ensure!(rig.client.ok("link.get", &Value::Null).await?.1 == json!([first, named]));
    Ok(())
}

async fn links_need_their_configs(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let mut wanting = link("cart", "one", &["reader"]);
    wanting["target_config"] = json!(["later"]);
    let why = rig.client.refused("link.put", &wanting).await?;
    ensure!(why.contains("config `later` does not exist"), "{why}");
    ensure!(rig.events.next().await?.kind == "linkdef_set_failed");
    rig.client.ok("config.put.later", &json!({ "a": "b" })).await?;
    rig.client.ok("link.put", &wanting).await?;
    until("link in effect", async || Ok(host.host().links().len() == 1)).await?;
    ensure!(host.refused_links() == 0);
    Ok(())
}

async fn links_that_make_no_sense_are_refused(target: Target) -> Result<()> {
    let (rig, _host) = Rig::with_host(target).await?;
    let good = link("cart", "one", &["reader"]);
    let bad = [
        ("source_id", json!("a b")),
        ("source_id", json!("a.b")),
        ("source_id", json!("")),
        ("target", json!(">")),
        ("name", json!("a b")),
        ("wit_namespace", json!("")),
        ("wit_package", json!("A B")),
        ("interfaces", json!(["a b"])),
        ("interfaces", json!("reader")),
        ("source_config", json!(["*"])),
        ("target_config", json!([7])),
    ];
    for (field, value) in bad {
        let mut link = good.clone();
        link[field] = value.clone();
        let why = rig.client.refused("link.put", &link).await?;
        ensure!(!why.is_empty(), "{field} {value}");
    }
    ensure!(rig.client.ok("link.get", &Value::Null).await?.1 == json!([]));
    Ok(())
}

async fn claims_are_listed(target: Target) -> Result<()> {
    let (rig, _host) = Rig::with_host(target).await?;
    ensure!(rig.client.ok("claims.get", &Value::Null).await? == (String::new(), json!([])));
    Ok(())
}

async fn records_are_those_of_v1(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let image = rig.nothing()?;
    rig.run(&host, "cart", &image).await?;
    let put = link("cart", "one", &["reader"]);
    rig.client.ok("link.put", &put).await?;
    rig.client.ok("config.put.web", &json!({ "a": "b" })).await?;
    let connection = rig.client.connection();
    let lattice = "default".parse()?;
    let bucket = wasmcloud_lattice::Bucket::lattice_data(&lattice)?;
    let records = wasmcloud_lattice::open_state(connection, bucket, None).await?;
    // Where it came from is written behind the start.
    let expected = json!({ "url": image, "links": [put] });
    until("record with url and link", async || {
        let record = records.get("COMPONENT_cart").await?.unwrap();
        Ok(serde_json::from_slice::<Value>(&record.value)? == expected)
    })
    .await?;
    let bucket = wasmcloud_lattice::Bucket::config_data(&lattice)?;
    let configs = wasmcloud_lattice::open_state(connection, bucket, None).await?;
    let config: Value = serde_json::from_slice(&configs.get("web").await?.unwrap().value)?;
    ensure!(config == json!({ "a": "b" }), "{config}");

    // A record that goes takes nothing with it; one that another client wrote takes effect.
    records.delete("COMPONENT_cart", None).await?;
    let theirs = link("other", "two", &["reader"]);
    let record = json!({ "url": "", "links": [theirs] }).to_string();
    records.put("COMPONENT_other", record.into()).await?;
    until("link in effect", async || Ok(host.host().links().len() == 2)).await?;
    // What is no record is passed over, and what comes behind it is not lost.
    records.put("COMPONENT_other", "{".into()).await?;
    records.put("COMPONENT_cart", "{\"links\":[]}".into()).await?;
    until("link gone", async || Ok(host.host().links().len() == 1)).await?;
    Ok(())
}
