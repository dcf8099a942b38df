//! HTTP that arrives at a host without the component goes to one with it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::Connection;
use wasmcloud_lattice::rpc::{Rpc, RpcOptions};
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::http;
use wasmcloud_wire::rpc::http as wire;
use wasmcloud_wire::rpc::stream::{END, FutureOf, StreamOf, put_chunk};
use wasmcloud_wire::rpc::{Payload as _, header};

use crate::on_both_lattices;
use crate::support::{
    HTTP, Rig, Target, answers, free_address, hello, on, page, reference, scale, soon, until, web_link,
};

on_both_lattices!(
    a_request_goes_to_where_the_component_runs,
    nobody_runs_it,
    bodies_travel_both_ways,
    a_component_that_fails_elsewhere_is_an_error,
    a_host_that_leaves_drops_no_request,
    a_component_asks_a_client_elsewhere,
);

/// Two hosts: one listens, the other is to run the component.
async fn two_hosts(target: Target) -> Result<(Rig, LatticeHost, LatticeHost, SocketAddr)> {
    let mut rig = Rig::start(target).await?;
    let (front, back) = (rig.host(|_, _| {}).await?, rig.host(|_, _| {}).await?);
    let address = free_address()?;
    rig.provide(&front, "http", HTTP).await?;
    rig.client
        .ok("config.put.web", &json!({ "address": address.to_string() }))
        .await?;
    rig.client.ok("link.put", &web_link("web")).await?;
    until("listener", async || {
        Ok(front.host().listening().await.contains(&address))
    })
    .await?;
    Ok((rig, front, back, address))
}

async fn run(rig: &mut Rig, host: &LatticeHost, image: &str) -> Result<()> {
    let many = scale(host, "web", image, 100);
    rig.client.ok(&on("component.scale", host), &many).await?;
    let fields = json!({ "component_id": "web", "host_id": host.id().as_str() });
    rig.events.wait("component_scaled", &fields).await?;
    Ok(())
}

async fn a_request_goes_to_where_the_component_runs(target: Target) -> Result<()> {
    let (mut rig, front, back, address) = two_hosts(target).await?;
    run(&mut rig, &back, &hello()?).await?;
    let response = page(address).await?;
    ensure!(
        response.status == 200 && response.text().contains("Hello"),
        "{response:?}"
    );
    ensure!(invocations(&back) == 1);
    // And here, once it runs here.
    run(&mut rig, &front, &hello()?).await?;
    ensure!(answers(&front, address).await?.status == 200);
    ensure!((invocations(&front), invocations(&back)) == (1, 1));
    Ok(())
}

fn invocations(host: &LatticeHost) -> u64 {
    host.host()
        .inventory()
        .components
        .iter()
        .map(|component| component.invocations)
        .sum()
}

async fn nobody_runs_it(target: Target) -> Result<()> {
    let (_rig, _front, _back, address) = two_hosts(target).await?;
    let response = page(address).await?;
    ensure!(response.status == 503, "{response:?}");
    ensure!(
        response.text() == "component `web` does not run on any host of the lattice\n",
        "{response:?}"
    );
    Ok(())
}

async fn bodies_travel_both_ways(target: Target) -> Result<()> {
    let (mut rig, _front, back, address) = two_hosts(target).await?;
    run(&mut rig, &back, &reference(&guest("http_p3")?)).await?;
    for size in [0, 1, 70_000, 900_000] {
        let body: Vec<u8> = (0..size).map(|n: u32| n as u8).collect();
        let sent = body.clone();
        let response = soon(
            "echo",
            tokio::task::spawn_blocking(move || http::request(address, "POST", "/echo", &[], &sent)),
        )
        .await???;
        ensure!(
            response.status == 200 && response.body == body,
            "{size}: {}",
            response.status
        );
    }
    Ok(())
}

async fn a_component_that_fails_elsewhere_is_an_error(target: Target) -> Result<()> {
    let (mut rig, _front, back, address) = two_hosts(target).await?;
    run(&mut rig, &back, &reference(&guest("http_misbehave")?)).await?;
    let ask = async |path: &'static str| -> Result<http::Response> {
        let asked = tokio::task::spawn_blocking(move || http::get(address, path));
        soon("answer", asked).await??
    };
    let response = ask("/trap").await.context("trap")?;
    ensure!(response.status == 500, "{response:?}");
    // The reason is in the log and not for whoever asks.
    ensure!(
        response.text().starts_with("internal error, error id "),
        "{response:?}"
    );
    Ok(())
}

async fn a_host_that_leaves_drops_no_request(target: Target) -> Result<()> {
    let (mut rig, front, stays, address) = two_hosts(target).await?;
    let leaves = rig.host(|_, _| {}).await?;
    run(&mut rig, &stays, &hello()?).await?;
    run(&mut rig, &leaves, &hello()?).await?;
    let asking = tokio::spawn(async move {
        for _ in 0..500 {
            let response = page(address).await?;
            ensure!(response.status == 200, "{response:?}");
        }
        Ok(())
    });
    until("requests on the host that leaves", async || {
        Ok(invocations(&leaves) > 20)
    })
    .await?;
    leaves.leave(&[], &[]).await;
    soon("all requests", asking).await???;
    drop(front);
    Ok(())
}

/// An HTTP client as an external provider is one: it answers one request that asks for a path with `missing` in it with
/// an error, and others with what was asked.
async fn client_elsewhere(rig: &Rig) -> Result<tokio::task::JoinHandle<Result<()>>> {
    let connection = Connection::connect(&rig.options()).await?;
    let rpc = Rpc::start(connection, RpcOptions::new("client")).await?;
    let mut server = rpc.serve("default.client.wrpc.0.0.1.>", "default.client").await?;
    let deadline = rpc.connection().default_deadline();
    rpc.connection().barrier(deadline).await?;
    Ok(tokio::spawn(async move {
        while let Some(incoming) = server.next().await {
            ensure!(incoming.header(header::SOURCE_ID) == Some("web"));
            ensure!(
                incoming
                    .subject()
                    .ends_with("wrpc:http/outgoing-handler@0.1.0.handle")
            );
            let accepted = incoming.accept(Duration::from_secs(60)).await?;
            let call = wire::OutgoingHandle::from_bytes(&accepted.params().await?)?;
            let request = call.request;
            let asked = format!(
                "{:?} {}{}",
                request.method,
                request.authority.unwrap_or_default(),
                request.path_with_query.unwrap_or_default()
            );
            let mut body = accepted.receiver(&wire::REQUEST_BODY.to_string());
            while body.next().await?.is_some() {}
            if asked.contains("missing") {
                let refused: wire::HandleResult = Err(wire::ErrorCode::DestinationNotFound);
                accepted.finish(refused.to_bytes().into()).await?;
                continue;
            }
            let response: wire::HandleResult = Ok(wire::Response {
                body: StreamOf::Pending,
                trailers: FutureOf::Pending,
                status: 203,
                headers: Vec::new(),
            });
            accepted.finish(response.to_bytes().into()).await?;
            let mut chunks = Vec::new();
            put_chunk(asked.as_bytes(), &mut chunks);
            chunks.push(END);
            let data = accepted.sender(&wire::RESPONSE_BODY.to_string());
            data.send_whole(chunks.into()).await?;
            let trailers = accepted.sender(&wire::RESPONSE_TRAILERS.to_string());
            trailers
                .send_whole(wire::Trailers::None.to_bytes().into())
                .await?;
        }
        Ok(())
    }))
}

async fn a_component_asks_a_client_elsewhere(target: Target) -> Result<()> {
    let (mut rig, front, _back, address) = two_hosts(target).await?;
    run(&mut rig, &front, &reference(&guest("http_misbehave")?)).await?;
    let link = json!({
        "source_id": "web", "target": "client", "name": "default", "wit_namespace": "wasi",
        "wit_package": "http", "interfaces": ["outgoing-handler"], "source_config": [], "target_config": [],
    });
    rig.client.ok("link.put", &link).await?;
    until("link", async || Ok(front.host().links().len() == 2)).await?;
    let ask = async |path: &'static str| -> Result<http::Response> {
        let asked = tokio::task::spawn_blocking(move || http::get(address, path));
        soon("answer", asked).await??
    };
    // Nobody there: an error for the component, with the reason.
    let response = ask("/fetch?url=http://a.example/x").await?;
    ensure!(
        response.status == 502 && response.text().contains("nobody in the lattice answers"),
        "{response:?}"
    );
    let client = client_elsewhere(&rig).await?;
    let response = ask("/fetch?url=http://a.example/x?y=z").await?;
    ensure!(
        response.status == 203 && response.text() == "Get a.example/x?y=z",
        "{response:?}"
    );
    let response = ask("/fetch?url=http://a.example/missing").await?;
    ensure!(
        response.status == 502 && response.text().contains("DestinationNotFound"),
        "{response:?}"
    );
    ensure!(!client.is_finished(), "{:?}", client.await?);
    Ok(())
}
