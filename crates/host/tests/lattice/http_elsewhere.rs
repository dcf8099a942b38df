//! HTTP that arrives at a host without the component goes to one with it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::rpc::{Rpc, RpcOptions};
use wasmcloud_lattice::{Connection, HeaderMap};
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::http;
use wasmcloud_wire::rpc::http as wire;
use wasmcloud_wire::rpc::stream::{END, FutureOf, StreamOf, put_chunk};
use wasmcloud_wire::rpc::{Payload as _, header};

use crate::on_both_lattices;
use crate::support::{
    HTTP, Rig, Target, answers, free_address, hello, on, page, reference, scale, soon, until, web_link,
};
use crate::v1_peer;

on_both_lattices!(
    a_request_goes_to_where_the_component_runs,
    nobody_runs_it,
    bodies_travel_both_ways,
    a_component_that_fails_elsewhere_is_an_error,
    a_host_that_leaves_drops_no_request,
    a_component_asks_a_client_elsewhere,
    a_component_asks_the_client_of_another_host,
    a_component_of_v1_asks_the_client_of_a_host,
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

/// A link from `web` to the HTTP client, with its config.
fn client_link() -> Value {
    json!({
        "source_id": "web", "target": "client", "name": "default", "wit_namespace": "wasi",
        "wit_package": "http", "interfaces": ["outgoing-handler"], "source_config": [],
        "target_config": ["egress"],
    })
}

/// Two hosts: the first listens, the second runs the HTTP client, which `web` may use to ask the component `site`, and
/// one address where nobody is. Returns the addresses of both components and that one.
async fn client_of_another_host(target: Target) -> Result<(Rig, [LatticeHost; 2], [SocketAddr; 3])> {
    let (mut rig, front, back, web) = two_hosts(target).await?;
    let misbehave = reference(&guest("http_misbehave")?);
    run(&mut rig, &front, &misbehave).await?;
    let many = scale(&back, "site", &misbehave, 100);
    rig.client.ok(&on("component.scale", &back), &many).await?;
    rig.events
        .wait("component_scaled", &json!({ "component_id": "site" }))
        .await?;
    let (site, nobody) = (free_address()?, free_address()?);
    rig.client
        .ok("config.put.site", &json!({ "address": site.to_string() }))
        .await?;
    let mut link = web_link("site");
    (link["name"], link["source_config"]) = ("site".into(), json!(["site"]));
    rig.client.ok("link.put", &link).await?;
    until("listener of the site", async || {
        Ok(front.host().listening().await.contains(&site))
    })
    .await?;
    rig.provide(&back, "client", "wasmcloud+builtin://http-client")
        .await?;
    let egress = json!({ "allowed_hosts": format!("{site},{nobody}") });
    rig.client.ok("config.put.egress", &egress).await?;
    rig.client.ok("link.put", &client_link()).await?;
    until("link", async || {
        Ok(front.host().links().len() == 3 && back.host().links().len() == 3)
    })
    .await?;
    // The provider learns of it after the host does.
    until("answer over the link", async || {
        let path = format!("/fetch?url=http://{site}/");
        Ok(ask(web, "GET", &path, &[], Vec::new()).await?.status == 200)
    })
    .await?;
    Ok((rig, [front, back], [web, site, nobody]))
}

async fn ask(
    address: SocketAddr,
    method: &'static str,
    path: &str,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
) -> Result<http::Response> {
    let path = path.to_owned();
    let asked = tokio::task::spawn_blocking(move || http::request(address, method, &path, headers, &body));
    soon("answer", asked).await??
}

async fn a_component_asks_the_client_of_another_host(target: Target) -> Result<()> {
    let (rig, hosts, [web, site, nobody]) = client_of_another_host(target).await?;
    let fetch = async |url: String| ask(web, "GET", &format!("/fetch?url={url}"), &[], Vec::new()).await;
    let response = fetch(format!("http://{site}/status?code=418")).await?;
    ensure!(response.status == 418, "{response:?}");
    let response = fetch(format!("http://{site}/info")).await?.expect(200)?;
    ensure!(
        response.text().starts_with("method: GET\npath: /info\n"),
        "{response:?}"
    );

    // Bodies both ways.
    for size in [0, 1, 70_000, 300_000] {
        let body: Vec<u8> = (0..size).map(|n: u32| n as u8).collect();
        let to = format!("/forward?url=http://{site}/echo");
        let response = ask(web, "POST", &to, &[], body.clone()).await?.expect(200)?;
        ensure!(response.body == body, "{size}: {}", response.body.len());
    }
    let to = format!("/forward?url=http://{site}/upload");
    let response = ask(web, "POST", &to, &[], vec![7; 5_000_000])
        .await?
        .expect(200)?;
    ensure!(response.text() == "5000000\n", "{response:?}");
    let path = format!("/fetch?url=http://{site}/trailers");
    let response = ask(web, "GET", &path, &[("te", "trailers")], Vec::new()).await?;
    let response = response.expect(200)?;
    ensure!(response.text() == "one\ntwo\n", "{response:?}");
    ensure!(
        response
            .trailers
            .contains(&("x-verdict".to_owned(), "complete".to_owned())),
        "{response:?}"
    );

    // What the client says when there is no answer.
    let response = fetch(format!("http://{nobody}/")).await?;
    ensure!(
        response.status == 502 && response.text() == "ErrorCode::ConnectionRefused\n",
        "{response:?}"
    );
    // Not on the list of the link.
    for url in [format!("http://{web}/"), "http://a.example/".to_owned()] {
        let response = fetch(url).await?;
        ensure!(
            response.status == 502 && response.text() == "ErrorCode::HttpRequestDenied\n",
            "{response:?}"
        );
    }
    // The list is changed while it is in use.
    let wider = json!({ "allowed_hosts": format!("{site},{web}") });
    rig.client.ok("config.put.egress", &wider).await?;
    until("new list", async || {
        Ok(fetch(format!("http://{web}/")).await?.status == 200)
    })
    .await?;
    drop(hosts);
    Ok(())
}

/// Asks as a component of v1 does. Returns its results, and what came on the paths of body and trailers.
async fn ask_as_v1(
    v1: &Connection,
    source: &str,
    url: (&str, &str),
    options: Option<wire::RequestOptions>,
    body: &[u8],
) -> Result<(wire::HandleResult, Vec<u8>, Vec<u8>)> {
    let call = wire::OutgoingHandle {
        request: wire::Request {
            body: StreamOf::Pending,
            trailers: FutureOf::Pending,
            method: wire::Method::Post,
            path_with_query: Some(url.1.to_owned()),
            scheme: Some(wire::Scheme::Http),
            authority: Some(url.0.to_owned()),
            headers: vec![("te".to_owned(), vec![b"trailers".to_vec()])],
        },
        options,
    };
    let inbox = v1.new_inbox();
    let mut accepts = v1.subscribe(&inbox).await?;
    let mut results = v1.subscribe(&format!("{inbox}.results")).await?;
    let mut data = v1.subscribe(&format!("{inbox}.results.0.0")).await?;
    let mut trailers = v1.subscribe(&format!("{inbox}.results.0.1")).await?;
    let mut headers = HeaderMap::new();
    for (name, value) in v1_peer::component(source) {
        headers.insert(name, value);
    }
    v1.client()
        .publish_with_reply_and_headers(
            "default.client.wrpc.0.0.1.wrpc:http/outgoing-handler@0.1.0.handle",
            inbox,
            headers,
            call.to_bytes().into(),
        )
        .await?;
    let accept = soon("accept", accepts.next()).await?.context("ended")?;
    let to = accept.reply.context("a reply subject")?;
    let mut chunks = Vec::new();
    put_chunk(body, &mut chunks);
    chunks.push(END);
    for (path, bytes) in [
        ("params", Vec::new()),
        ("params.0.0", chunks),
        ("params.0.0", Vec::new()),
        ("params.0.1", wire::Trailers::None.to_bytes()),
        ("params.0.1", Vec::new()),
    ] {
        v1.publish(&format!("{to}.{path}"), None, bytes.into()).await?;
    }
    let (head, _) = v1_peer::all("results", &mut results, Vec::new()).await?;
    let result = wire::HandleResult::from_bytes(&head)?;
    if result.is_err() {
        return Ok((result, Vec::new(), Vec::new()));
    }
    let (data, _) = v1_peer::all("body", &mut data, Vec::new()).await?;
    let (trailers, _) = v1_peer::all("trailers", &mut trailers, Vec::new()).await?;
    Ok((result, data, trailers))
}

async fn a_component_of_v1_asks_the_client_of_a_host(target: Target) -> Result<()> {
    let (rig, hosts, [_, site, nobody]) = client_of_another_host(target).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let (site, nobody) = (site.to_string(), nobody.to_string());
    let (result, data, trailers) = ask_as_v1(&v1, "web", (&site, "/echo"), None, b"from v1").await?;
    ensure!(result.map_err(|code| format!("{code:?}")).map(|head| head.status) == Ok(200));
    let mut chunks = Vec::new();
    put_chunk(b"from v1", &mut chunks);
    chunks.push(END);
    ensure!(data == chunks, "{data:?}");
    ensure!(wire::Trailers::from_bytes(&trailers)? == wire::Trailers::None);
    let (result, _, trailers) = ask_as_v1(&v1, "web", (&site, "/trailers"), None, b"").await?;
    ensure!(result.is_ok());
    let trailers = wire::Trailers::from_bytes(&trailers)?.context("trailers")?;
    ensure!(
        trailers.contains(&("x-parts".to_owned(), vec![b"2".to_vec()])),
        "{trailers:?}"
    );

    let (result, _, _) = ask_as_v1(&v1, "web", (&nobody, "/"), None, b"").await?;
    ensure!(result == Err(wire::ErrorCode::ConnectionRefused), "{result:?}");
    let (result, _, _) = ask_as_v1(&v1, "web", ("a.example", "/"), None, b"").await?;
    ensure!(result == Err(wire::ErrorCode::HttpRequestDenied), "{result:?}");
    let options = wire::RequestOptions {
        connect_timeout: None,
        first_byte_timeout: Some(50_000_000),
        between_bytes_timeout: None,
    };
    let (result, _, _) = ask_as_v1(&v1, "web", (&site, "/sleep?ms=20000"), Some(options), b"").await?;
    ensure!(
        result == Err(wire::ErrorCode::ConnectionReadTimeout),
        "{result:?}"
    );
    // Who has no link is refused, wherever it wants to go.
    let (result, _, _) = ask_as_v1(&v1, "stranger", (&site, "/echo"), None, b"").await?;
    ensure!(result == Err(wire::ErrorCode::HttpRequestDenied), "{result:?}");
    drop(hosts);
    Ok(())
}
