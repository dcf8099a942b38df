//! `wasi:keyvalue/watcher`: a component is told of changes by a built-in provider, here and on another host, and by a
//! provider of v1, which is plain messages here (wire reference §4.6, §6.5).

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use wasmcloud_cap_keyvalue::backends::LatticeStore;
use wasmcloud_cap_keyvalue::{BucketName, Key, Store as _, Value as Stored};
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::Connection;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::process::SOON;
use wasmcloud_wire::rpc::Payload as _;
use wasmcloud_wire::rpc::keyvalue::{OnDelete, OnSet, Set, WATCHER};

use crate::calls::answered;
use crate::calls_refused::Outsider;
use crate::keyvalue::{link, store_by};
use crate::on_both_lattices;
use crate::policy::{self, Service};
use crate::support::{MEMORY, Rig, Target, reference, soon, until};
use crate::v1_peer::{answer_as_v1, call_as_v1, provider, serve_as_v1};

on_both_lattices!(
    a_component_is_told_of_changes_in_memory,
    a_component_is_told_of_changes_on_disk,
    a_component_on_another_host_is_told,
    who_calls_may_say_of_what_it_is_told,
    a_change_that_traps_is_one_change,
    a_link_that_goes_tells_nothing_more,
    a_policy_is_asked_before_a_component_is_told,
    a_provider_of_v1_tells_a_component,
    who_has_no_link_can_do_nothing_with_the_bucket,
);

const REDB: &str = "wasmcloud+builtin://keyvalue-redb";
const ON_SET: &str = "default.watcher.wrpc.0.0.1.wrpc:keyvalue/watcher@0.2.0-draft.on-set";
const ON_DELETE: &str = "default.watcher.wrpc.0.0.1.wrpc:keyvalue/watcher@0.2.0-draft.on-delete";

/// From the store to the component that is told, with the config `watch`.
fn telling() -> Value {
    json!({
        "source_id": "kv", "target": "watcher", "name": "default", "wit_namespace": "wasi",
        "wit_package": "keyvalue", "interfaces": ["watcher"], "source_config": ["watch"], "target_config": [],
    })
}

/// Bucket `b` as somebody who writes sees it.
struct Writer(LatticeStore);

impl Writer {
    async fn new(rig: &Rig) -> Result<Self> {
        Ok(Self(store_by(rig, "writer", "default").await?))
    }

    async fn set(&self, bucket: &str, key: &str, value: &'static str) -> Result<()> {
        let (bucket, value) = (BucketName::new(bucket)?, Stored::new(value)?);
        Ok(self.0.set(&bucket, Key::new(key)?, value).await?)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Ok(self.0.delete(&BucketName::new("b")?, Key::new(key)?).await?)
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>> {
        Ok(self.0.get(&BucketName::new(bucket)?, &Key::new(key)?).await?)
    }

    /// Waits until the component has written this down.
    async fn noted(&self, key: &str, value: &'static str) -> Result<()> {
        until(&format!("`{key}`"), async || {
            Ok(self.get("b", key).await? == Some(Bytes::from_static(value.as_bytes())))
        })
        .await
    }
}

/// Puts the config and the links, and waits until a host has them.
async fn linked(rig: &Rig, host: &LatticeHost, links: &[Value]) -> Result<()> {
    let watch = json!({ "watch": "SET@cart, DEL@cart, SET@user:*", "bucket": "b" });
    rig.client.ok("config.put.watch", &watch).await?;
    for link in links {
        rig.client.ok("link.put", link).await?;
    }
    until("links", async || Ok(host.host().links().len() == links.len())).await
}

async fn run(rig: &mut Rig, host: &LatticeHost) -> Result<()> {
    rig.run(host, "watcher", &reference(&guest("watcher")?)).await?;
    Ok(())
}

/// One host with everything, and who writes.
async fn all_in_one(rig: &mut Rig, image: &str) -> Result<(LatticeHost, Writer)> {
    let host = rig.host(|_, _| {}).await?;
    linked(rig, &host, &[link("writer"), link("watcher"), telling()]).await?;
    rig.provide(&host, "kv", image).await?;
    run(rig, &host).await?;
    Ok((host, Writer::new(rig).await?))
}

/// Makes changes, and looks for what the component has noted.
async fn is_told(writer: &Writer) -> Result<()> {
    writer.set("b", "cart", "1").await?;
    writer.noted("seen/cart", "1").await?;
    // Neither another key nor another bucket is watched; what comes after them is told after them.
    writer.set("b", "other", "1").await?;
    writer.set("c", "cart", "1").await?;
    writer.set("b", "user:7", "ä").await?;
    writer.noted("seen/user:7", "ä").await?;
    ensure!(writer.get("b", "seen/other").await?.is_none());
    ensure!(writer.get("c", "seen/cart").await?.is_none());
    writer.delete("user:7").await?;
    writer.delete("cart").await?;
    writer.noted("gone/cart", "").await?;
    ensure!(writer.get("b", "gone/user:7").await?.is_none());
    Ok(())
}

async fn a_component_is_told_of_changes_in_memory(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (_host, writer) = all_in_one(&mut rig, MEMORY).await?;
    is_told(&writer).await
}

async fn a_component_is_told_of_changes_on_disk(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (_host, writer) = all_in_one(&mut rig, REDB).await?;
    is_told(&writer).await
}

async fn a_component_on_another_host_is_told(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let back = rig.host(|_, _| {}).await?;
    linked(&rig, &back, &[link("writer"), link("watcher"), telling()]).await?;
    rig.provide(&back, "kv", MEMORY).await?;
    let front = rig.host(|_, _| {}).await?;
    run(&mut rig, &front).await?;
    is_told(&Writer::new(&rig).await?).await?;
    // In the order of the changes, however many there are.
    let writer = Writer::new(&rig).await?;
    for value in ["1", "2", "3", "4", "5"] {
        writer.set("b", "cart", value).await?;
    }
    writer.noted("seen/cart", "5").await
}

async fn who_calls_may_say_of_what_it_is_told(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let host = rig.host(|_, _| {}).await?;
    let mut both = link("watcher");
    both["target_config"] = json!(["watch"]);
    linked(&rig, &host, &[link("writer"), both]).await?;
    rig.provide(&host, "kv", MEMORY).await?;
    run(&mut rig, &host).await?;
    is_told(&Writer::new(&rig).await?).await
}

async fn a_change_that_traps_is_one_change(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (host, writer) = all_in_one(&mut rig, MEMORY).await?;
    writer.set("b", "cart", "trap").await?;
    writer.set("b", "cart", "2").await?;
    writer.noted("seen/cart", "2").await?;
    ensure!(
        answered(&host, "watcher") == (2, 1),
        "{:?}",
        answered(&host, "watcher")
    );
    Ok(())
}

async fn a_link_that_goes_tells_nothing_more(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (host, writer) = all_in_one(&mut rig, MEMORY).await?;
    writer.set("b", "cart", "1").await?;
    writer.noted("seen/cart", "1").await?;
    let key = json!({
        "source_id": "kv", "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue",
    });
    rig.client.ok("link.del", &key).await?;
    until("end of the link", async || Ok(host.host().links().len() == 2)).await?;
    writer.set("b", "cart", "2").await?;
    rig.client.ok("link.put", &telling()).await?;
    until("the link", async || Ok(host.host().links().len() == 3)).await?;
    // The link is in the table before the provider has heard of it.
    until("the next change", async || {
        writer.set("b", "user:7", "1").await?;
        Ok(writer.get("b", "seen/user:7").await?.is_some())
    })
    .await?;
    ensure!(writer.get("b", "seen/cart").await?.as_deref() == Some(&b"1"[..]));
    Ok(())
}

async fn a_policy_is_asked_before_a_component_is_told(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, |asked| {
        Some(json!({ "permitted": asked["request"]["function"] != "on-set" }))
    })
    .await?;
    let host = policy::host(&mut rig, SOON).await?;
    linked(&rig, &host, &[link("writer"), link("watcher"), telling()]).await?;
    rig.provide(&host, "kv", MEMORY).await?;
    run(&mut rig, &host).await?;
    for _ in 0..2 {
        service.asked().await?;
    }
    let writer = Writer::new(&rig).await?;
    writer.set("b", "cart", "1").await?;
    writer.delete("cart").await?;
    writer.noted("gone/cart", "").await?;
    ensure!(writer.get("b", "seen/cart").await?.is_none());
    for function in ["on-set", "on-delete"] {
        let asked = service.asked().await?;
        let request = &asked["request"];
        ensure!(
            request["interface"] == "wasi:keyvalue/watcher@0.2.0-draft",
            "{asked}"
        );
        ensure!(request["function"] == function, "{asked}");
    }
    Ok(())
}

async fn a_provider_of_v1_tells_a_component(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let host = rig.host(|_, _| {}).await?;
    linked(&rig, &host, &[link("watcher")]).await?;
    run(&mut rig, &host).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let mut calls = serve_as_v1(&v1, "kv").await?;
    // v1's provider for Redis says that every change is in bucket 0.
    let (bucket, key) = ("0".to_owned(), "cart".to_owned());
    let set = OnSet {
        bucket: bucket.clone(),
        key: key.clone(),
        value: b"1".to_vec(),
    };
    let deleted = OnDelete { bucket, key };
    let (set, deleted) = (Bytes::from(set.to_bytes()), Bytes::from(deleted.to_bytes()));
    let cases = [
        (ON_SET, vec![set.clone()], "seen/cart", &b"1"[..]),
        // As a message that does not fit into one.
        (ON_SET, vec![set.slice(..3), set.slice(3..)], "seen/cart", b"1"),
        (ON_DELETE, vec![deleted], "gone/cart", b""),
    ];
    for (subject, params, key, value) in cases {
        // What the component does with the bucket goes to the provider while it still waits.
        let told = call_as_v1(&v1, subject, provider("kv", "watcher"), &params);
        let answer = [Bytes::from_static(&[0])];
        let (told, asked) = tokio::join!(told, answer_as_v1(&v1, &mut calls, &answer));
        ensure!(told?.is_empty());
        let asked = asked?;
        let subject = "default.kv.wrpc.0.0.1.wrpc:keyvalue/store@0.2.0-draft.set";
        ensure!(asked.subject == subject, "{}", asked.subject);
        ensure!(asked.header("source-id") == Some("watcher"));
        let written = Set {
            bucket: "0".to_owned(),
            key: key.to_owned(),
            value: value.to_vec(),
        };
        ensure!(asked.params == written.to_bytes(), "{:?}", asked.params);
    }
    // Nonsense reaches nobody.
    let nonsense = [Bytes::from_static(&[0xff; 20])];
    call_as_v1(&v1, ON_SET, provider("kv", "watcher"), &nonsense).await?;
    ensure!(answered(&host, "watcher").0 >= 3);
    Ok(())
}

async fn who_has_no_link_can_do_nothing_with_the_bucket(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let host = rig.host(|_, _| {}).await?;
    linked(&rig, &host, &[link("writer"), link("watcher"), telling()]).await?;
    rig.provide(&host, "kv", MEMORY).await?;
    run(&mut rig, &host).await?;
    // Told by somebody to whom the component has no link: the bucket is a name, and nothing behind it.
    let outsider = Outsider::new(&rig).await?;
    let set = OnSet {
        bucket: "b".to_owned(),
        key: "cart".to_owned(),
        value: b"1".to_vec(),
    };
    let told = soon(
        "end of the call",
        outsider.call("watcher", WATCHER, "on-set", set.to_bytes()),
    )
    .await?;
    ensure!(told.is_err(), "{told:?}");
    let writer = Writer::new(&rig).await?;
    ensure!(writer.get("b", "seen/cart").await?.is_none());
    Ok(())
}
