//! `wasi:blobstore` on one host, from one host to another, and with peers of v1 that know one version of the interface.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_engine::call_export;
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::Connection;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_wire::rpc::blobstore::{
    ContainerExists, GetContainerData, ListContainerObjects, ObjectId, Outcome, V01, WriteContainerData,
};
use wasmcloud_wire::rpc::stream::{FutureOf, StreamOf};
use wasmcloud_wire::rpc::{Call, Payload};
use wasmtime::component::Val;

use crate::blobstore_v1::{V1Caller, V1Provider};
use crate::on_both_lattices;
use crate::support::{Rig, Target, on, reference, scale, until};

on_both_lattices!(
    a_component_has_objects_on_its_host,
    a_component_has_objects_on_another_host,
    a_provider_of_v1_is_called_in_the_version_it_has,
    callers_of_v1_are_answered_in_both_versions,
    nonsense_is_answered_with_errors,
    a_large_object_takes_little_memory,
);

const DRIVER: &str = "test:blobs/driver@0.1.0";
const FILES: &str = "ghcr.io/wasmcloud/blobstore-fs:0.10.1";

fn link(source: &str, config: &[&str]) -> Value {
    json!({
        "source_id": source, "target": "blobs", "name": "default", "wit_namespace": "wasi",
        "wit_package": "blobstore", "interfaces": ["blobstore"], "source_config": [], "target_config": config,
    })
}

/// Waits until a host knows the link.
async fn linked(host: &LatticeHost, source: &str) -> Result<()> {
    until("link", async || {
        let links = host.host().links();
        Ok(links.iter().any(|link| link.source.as_str() == source))
    })
    .await
}

/// A host with the component and its link. The objects are in the folder `objects`.
async fn user(rig: &mut Rig) -> Result<LatticeHost> {
    let host = rig.host(|_, _| {}).await?;
    let root = rig.path("objects").display().to_string();
    rig.client
        .ok("config.put.files", &json!({ "ROOT": root }))
        .await?;
    rig.client.ok("link.put", &link("user", &["files"])).await?;
    linked(&host, "user").await?;
    let image = reference(&guest("blobs")?);
    let many = scale(&host, "user", &image, 10);
    rig.client.ok(&on("component.scale", &host), &many).await?;
    rig.events
        .wait("component_scaled", &json!({ "component_id": "user" }))
        .await?;
    Ok(host)
}

/// Has the component do something: what it returns, or its error.
async fn drive(host: &LatticeHost, function: &str, params: &[Val]) -> Result<Result<Option<Val>, String>> {
    let target = host.host().target(&"user".parse()?).context("the component")?;
    let prepared = target.get()?;
    let mut results = vec![Val::Bool(false)];
    let invocation = Invocation::new(Caller::Host, Duration::from_secs(120));
    call_export(&prepared, invocation, DRIVER, function, params, &mut results).await?;
    match results.pop() {
        Some(Val::Result(Ok(value))) => Ok(Ok(value.map(|value| *value))),
        Some(Val::Result(Err(Some(error)))) => match *error {
            Val::String(error) => Ok(Err(error)),
            other => bail!("{other:?}"),
        },
        other => bail!("{other:?}"),
    }
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

fn bytes(bytes: &[u8]) -> Val {
    Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect())
}

async fn good(host: &LatticeHost, function: &str, params: &[Val]) -> Result<()> {
    let outcome = drive(host, function, params).await?;
    outcome
        .map(drop)
        .map_err(|error| anyhow::anyhow!("{function}: {error}"))
}

async fn bad(host: &LatticeHost, function: &str, params: &[Val]) -> Result<String> {
    match drive(host, function, params).await? {
        Err(error) => Ok(error),
        Ok(value) => bail!("{function}: {value:?}"),
    }
}

/// What is the same wherever the provider is.
async fn everything(host: &LatticeHost) -> Result<()> {
    good(host, "everything", &[text("c")]).await?;
    good(host, "put", &[text("c"), text("kept"), bytes(b"what was there")]).await?;
    good(host, "leave", &[text("c"), text("kept"), bytes(&[7; 3 << 20])]).await?;
    let kept = drive(
        host,
        "get",
        &[text("c"), text("kept"), Val::U64(0), Val::U64(100)],
    )
    .await?;
    ensure!(kept == Ok(Some(bytes(b"what was there"))), "{kept:?}");
    good(host, "large", &[text("c"), text("large"), Val::U64(3_000_000)]).await?;
    Ok(())
}

async fn a_component_has_objects_on_its_host(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let host = user(&mut rig).await?;
    rig.provide(&host, "blobs", FILES).await?;
    everything(&host).await?;
    let kept = std::fs::read_to_string(rig.path("objects/c/kept"))?;
    ensure!(kept == "what was there");
    ensure!(std::fs::metadata(rig.path("objects/c/large"))?.len() == 3_000_000);

    let out = bad(&host, "put", &[text("c"), text("../../x"), bytes(b"x")]).await?;
    ensure!(
        out == "object name \"../../x\" has a part `.` or `..`, which would mean another file",
        "{out}"
    );
    let none = bad(&host, "get", &[text("c"), text("none"), Val::U64(0), Val::U64(1)]).await?;
    ensure!(none == "there is no object `none` in container `c`", "{none}");
    std::fs::File::create(rig.path("objects/c/sparse"))?.set_len(1 << 40)?;
    let sparse = bad(
        &host,
        "get",
        &[text("c"), text("sparse"), Val::U64(0), Val::U64(u64::MAX)],
    )
    .await?;
    ensure!(
        sparse.starts_with("the object has 1099511627776 bytes, the limit is 67108864 for one list of bytes; hint: read it as a stream"),
        "{sparse}"
    );
    good(&host, "hoard", &[text("c"), Val::U32(64)]).await?;
    let hoard = bad(&host, "hoard", &[text("c"), Val::U32(65)]).await?;
    ensure!(
        hoard.starts_with("64 objects and listings are open in this instance"),
        "{hoard}"
    );
    good(&host, "homeless", &[Val::U64(900_000)]).await?;
    let homeless = bad(&host, "homeless", &[Val::U64(2 << 20)]).await?;
    ensure!(
        homeless.contains("hint: call `write-data` before writing"),
        "{homeless}"
    );
    Ok(())
}

async fn a_component_has_objects_on_another_host(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let front = user(&mut rig).await?;
    let began = tokio::time::Instant::now();
    let nobody = bad(&front, "everything", &[text("c")]).await?;
    ensure!(
        nobody
            .starts_with("blobstore provider `blobs`: no host of the lattice runs it; hint: start it there"),
        "{nobody}"
    );
    // Generous, for a busy machine; the pauses add up to 75 ms, both versions together.
    ensure!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let back = rig.host(|_, _| {}).await?;
    linked(&back, "user").await?;
    rig.provide(&back, "blobs", FILES).await?;
    everything(&front).await?;
    let out = bad(&front, "put", &[text("c"), text("../../x"), bytes(b"x")]).await?;
    ensure!(out.starts_with("object name \"../../x\" has a part"), "{out}");
    // Nothing is left of what was broken off.
    let uploads = rig.path("objects/.wasmcloud-uploads");
    until("end of the uploads", async || {
        Ok(std::fs::read_dir(&uploads)?.count() == 0)
    })
    .await
}

async fn a_provider_of_v1_is_called_in_the_version_it_has(target: Target) -> Result<()> {
    for version in ["0.1.0", "0.2.0"] {
        let mut rig = Rig::start(target).await?;
        let v1 = Connection::connect(&rig.options()).await?;
        let provider = V1Provider::start(v1, version).await?;
        let front = user(&mut rig).await?;
        good(&front, "everything", &[text("c")]).await?;
        good(&front, "large", &[text("c"), text("large"), Val::U64(3_000_000)]).await?;
        good(&front, "put", &[text("c"), text("kept"), bytes(b"kept")]).await?;
        good(&front, "leave", &[text("c"), text("kept"), bytes(b"never")]).await?;
        provider.broken_off().await?;
        ensure!(provider.object("c", "kept").as_deref() == Some(b"kept".as_slice()));
        let late = bad(&front, "put", &[text("c"), text("refused"), bytes(&[7; 1 << 20])]).await?;
        ensure!(late.contains("v1 does not like it"), "{version}: {late}");
    }
    Ok(())
}

/// A host with the provider, to which the component `v1` is linked.
async fn provider(rig: &mut Rig) -> Result<(LatticeHost, V1Caller)> {
    let host = rig.host(|_, _| {}).await?;
    rig.client.ok("link.put", &link("v1", &[])).await?;
    linked(&host, "v1").await?;
    rig.provide(&host, "blobs", FILES).await?;
    let v1 = V1Caller::new(Connection::connect(&rig.options()).await?, "v1");
    Ok((host, v1))
}

fn id(object: &str) -> ObjectId {
    ObjectId {
        container: "c".to_owned(),
        object: object.to_owned(),
    }
}

fn write(object: &str) -> WriteContainerData {
    WriteContainerData {
        id: id(object),
        data: StreamOf::Pending,
    }
}

fn read(object: &str, end: u64) -> GetContainerData {
    GetContainerData {
        id: id(object),
        start: 0,
        end,
    }
}

async fn callers_of_v1_are_answered_in_both_versions(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (_host, v1) = provider(&mut rig).await?;
    let data: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();

    let written = v1.call(V01(write("old")), Some(&data), &[]).await?;
    ensure!(written.results == [0], "{:?}", written.results);
    let written = v1.call(write("new"), Some(&data), &["0"]).await?;
    ensure!(written.results == Ok::<_, String>(FutureOf::<Outcome>::Pending).to_bytes());
    ensure!(Outcome::from_bytes(written.on("0")) == Ok(Ok(())));

    let old = v1.call(V01(read("new", u64::MAX)), None, &["0"]).await?;
    ensure!(old.results == [0, 0] && old.stream("0")? == data);
    let new = v1.call(read("old", 500_000), None, &["0.0", "0.1"]).await?;
    ensure!(new.results == [0, 0, 0] && new.stream("0.0")? == data[..500_000]);
    ensure!(Outcome::from_bytes(new.on("0.1")) == Ok(Ok(())));

    let list = || ListContainerObjects {
        name: "c".to_owned(),
        limit: None,
        offset: Some(1),
    };
    let old = v1.call(V01(list()), None, &["0"]).await?;
    let new = v1.call(list(), None, &["0.0", "0.1"]).await?;
    ensure!(old.results == [0, 0] && new.results == [0, 0, 0]);
    ensure!(old.on("0") == new.on("0.0") && old.on("0").starts_with(&[1, 3]));

    // Failures are in the results where they are known by then.
    let none = v1.call(read("none", 1), None, &[]).await?;
    let Err(none) = <GetContainerData as Call>::Result::from_bytes(&none.results)? else {
        bail!("{:?}", none.results)
    };
    ensure!(none == "there is no object `none` in container `c`", "{none}");
    let refused = v1.call(V01(write("../x")), Some(b"x"), &[]).await?;
    ensure!(Outcome::from_bytes(&refused.results)?.is_err());
    // What breaks off is not written.
    let cut = v1.call_cut_off(V01(write("old")), b"part").await?;
    let cut = Outcome::from_bytes(&cut.results)?;
    ensure!(
        cut == Err("the stream broke off before its end".to_owned()),
        "{cut:?}"
    );
    let old = v1.call(V01(read("old", u64::MAX)), None, &["0"]).await?;
    ensure!(old.stream("0")? == data);
    Ok(())
}

async fn nonsense_is_answered_with_errors(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (_host, v1) = provider(&mut rig).await?;
    for version in ["0.1.0", "0.2.0"] {
        for function in [
            "write-container-data",
            "get-container-data",
            "list-container-objects",
            "has-object",
        ] {
            for nonsense in [
                Bytes::new(),
                Bytes::from_static(&[0xff; 40]),
                Bytes::from_static(&[3, b'b']),
            ] {
                let instance = format!("wrpc:blobstore/blobstore@{version}");
                let answer = v1.raw(&instance, function, nonsense.clone(), None, &[]).await?;
                match Outcome::from_bytes(&answer.results) {
                    Ok(Err(text)) if text.contains("are malformed: ") => {}
                    other => bail!("{version} {function} of {nonsense:?}: {other:?}"),
                }
            }
        }
    }
    let exists = || ContainerExists { name: "c".to_owned() };
    let stranger = V1Caller::new(Connection::connect(&rig.options()).await?, "stranger");
    let answer = stranger.call(exists(), None, &[]).await?;
    let Err(text) = <ContainerExists as Call>::Result::from_bytes(&answer.results)? else {
        bail!("a stranger was answered {:?}", answer.results)
    };
    ensure!(
        text.starts_with("failed to lookup stranger configuration: no link named `default`"),
        "{text}"
    );
    let answer = v1.call(exists(), None, &[]).await?;
    ensure!(answer.results == [0, 0]);
    Ok(())
}

/// The most memory that this process had since the last look, in bytes.
fn peak() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.context("VmHWM")?.trim().trim_end_matches(" kB").parse()?;
    std::fs::write("/proc/self/clear_refs", "5")?;
    Ok(kib << 10)
}

async fn a_large_object_takes_little_memory(target: Target) -> Result<()> {
    const LARGE: u64 = 256 << 20;
    let mut rig = Rig::start(target).await?;
    let front = user(&mut rig).await?;
    let back = rig.host(|_, _| {}).await?;
    linked(&back, "user").await?;
    rig.provide(&back, "blobs", FILES).await?;
    good(&front, "large", &[text("c"), text("small"), Val::U64(8 << 20)]).await?;
    peak()?;
    let before = peak()?;
    good(&front, "large", &[text("c"), text("large"), Val::U64(LARGE)]).await?;
    let grown = peak()?.saturating_sub(before);
    ensure!(std::fs::metadata(rig.path("objects/c/large"))?.len() == LARGE);
    // Two hosts and a broker are in this process; windows of 1 MiB and chunks on the way are what they may hold. It was
    // 2 MiB when this was written.
    ensure!(grown < LARGE / 8, "{} MiB", grown >> 20);
    Ok(())
}
