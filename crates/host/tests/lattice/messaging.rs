//! `wasmcloud:messaging@0.2.0` between a component here and a provider of v1 (wire reference §4.6). The host knows
//! nothing of the interface: it travels by its type. Nothing of it was recorded, so the bytes are written out here, and
//! the types of `wire` are held to them.

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::Connection;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_wire::rpc::Payload as _;
use wasmcloud_wire::rpc::messaging::{BrokerMessage, HandleMessage, Publish, Request};

use crate::on_both_lattices;
use crate::support::{Rig, Target, reference, until};
use crate::v1_peer::{Asked, answer_as_v1, call_as_v1, provider, serve_as_v1};

on_both_lattices!(
    a_message_is_handled_and_answered,
    what_a_component_asks_for_gets_through,
    errors_come_back_as_they_were_meant,
    without_anybody_to_send_to_the_call_fails,
);

const HANDLE: &str = "default.messenger.wrpc.0.0.1.wasmcloud:messaging/handler@0.2.0.handle-message";
const PUBLISH: &str = "default.mq.wrpc.0.0.1.wasmcloud:messaging/consumer@0.2.0.publish";
const REQUEST: &str = "default.mq.wrpc.0.0.1.wasmcloud:messaging/consumer@0.2.0.request";

/// `ok` of a function that returns nothing else.
static OK: [Bytes; 1] = [Bytes::from_static(&[0])];

/// A host with the component, linked both ways with `mq`, which is played by messages.
async fn messenger(rig: &mut Rig) -> Result<LatticeHost> {
    let host = rig.host(|_, _| {}).await?;
    rig.run(&host, "messenger", &reference(&guest("messenger")?))
        .await?;
    for (source, target, interface) in [("mq", "messenger", "handler"), ("messenger", "mq", "consumer")] {
        rig.client
            .ok("link.put", &link(source, target, interface))
            .await?;
    }
    until("links", async || Ok(host.host().links().len() == 2)).await?;
    Ok(host)
}

/// A link for messages.
pub(crate) fn link(source: &str, target: &str, interface: &str) -> Value {
    json!({
        "source_id": source, "target": target, "name": "default", "wit_namespace": "wasmcloud",
        "wit_package": "messaging", "interfaces": [interface], "source_config": [], "target_config": [],
    })
}

/// A message.
pub(crate) fn message(subject: &str, body: &[u8], reply_to: Option<&str>) -> BrokerMessage {
    BrokerMessage {
        subject: subject.to_owned(),
        body: body.to_vec(),
        reply_to: reply_to.map(str::to_owned),
    }
}

/// Hands the component a message, as a provider does.
async fn handle(v1: &Connection, msg: BrokerMessage) -> Result<Vec<u8>> {
    let params = HandleMessage { msg }.to_bytes();
    call_as_v1(v1, HANDLE, provider("mq", "messenger"), &[params.into()]).await
}

/// The component called, on this subject and with these parameters.
fn called(asked: &Asked, subject: &str, params: &[u8]) -> Result<()> {
    ensure!(asked.subject == subject, "{} is not {subject}", asked.subject);
    ensure!(asked.params == params, "{:?} is not {params:?}", asked.params);
    for (name, value) in [("source-id", "messenger"), ("link-name", "default")] {
        ensure!(
            asked.header(name) == Some(value),
            "{name}: {:?}",
            asked.header(name)
        );
    }
    Ok(())
}

async fn a_message_is_handled_and_answered(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let mut mq = serve_as_v1(&v1, "mq").await?;
    let _host = messenger(&mut rig).await?;
    let params = HandleMessage {
        msg: message("greet", b"abc", Some("r.1")),
    };
    ensure!(params.to_bytes() == b"\x05greet\x03abc\x01\x03r.1");
    let (handled, asked) = tokio::join!(handle(&v1, params.msg), answer_as_v1(&v1, &mut mq, &OK));
    ensure!(handled? == OK[0]);
    let published = Publish {
        msg: message("r.1", b"cba", None),
    };
    ensure!(published.to_bytes() == b"\x03r.1\x03cba\x00");
    called(&asked?, PUBLISH, &published.to_bytes())?;
    // One that does not fit into a message of NATS comes in pieces, and goes out in pieces.
    let long: Vec<u8> = (0..1_500_000_u32).map(|place| place.to_le_bytes()[0]).collect();
    let bytes = HandleMessage {
        msg: message("greet", &long, Some("r.1")),
    }
    .to_bytes();
    let pieces: Vec<Bytes> = bytes.chunks(500_000).map(Bytes::copy_from_slice).collect();
    let (handled, asked) = tokio::join!(
        call_as_v1(&v1, HANDLE, provider("mq", "messenger"), &pieces),
        answer_as_v1(&v1, &mut mq, &OK)
    );
    ensure!(handled? == OK[0]);
    let sent = Publish::from_bytes(&asked?.params)?;
    ensure!(sent.msg.body.into_iter().rev().eq(long));
    Ok(())
}

async fn what_a_component_asks_for_gets_through(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let mut mq = serve_as_v1(&v1, "mq").await?;
    let _host = messenger(&mut rig).await?;
    let provider = async {
        let answer = Ok::<_, String>(message("inbox", b"42", None)).to_bytes();
        ensure!(answer == b"\x00\x05inbox\x0242\x00");
        let request = answer_as_v1(&v1, &mut mq, &[answer.into()]).await?;
        let publish = answer_as_v1(&v1, &mut mq, &OK).await?;
        anyhow::Ok((request, publish))
    };
    let (handled, asked) = tokio::join!(handle(&v1, message("ask.sum", b"40+2", Some("r"))), provider);
    ensure!(handled? == OK[0]);
    let (request, publish) = asked?;
    let expected = Request {
        subject: "sum".to_owned(),
        body: b"40+2".to_vec(),
        timeout_ms: 1500,
    };
    ensure!(expected.to_bytes() == b"\x03sum\x0440+2\xdc\x0b");
    called(&request, REQUEST, &expected.to_bytes())?;
    called(&publish, PUBLISH, b"\x01r\x0242\x00")
}

async fn errors_come_back_as_they_were_meant(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let mut mq = serve_as_v1(&v1, "mq").await?;
    let host = messenger(&mut rig).await?;
    // The component's own.
    let refused = handle(&v1, message("greet", b"abc", None)).await?;
    ensure!(
        refused == b"\x01\x21nobody wants an answer to `greet`",
        "{refused:?}"
    );
    // The provider's, which the component passes on.
    let full = [Bytes::from_static(b"\x01\x11the queue is full")];
    let (handled, asked) = tokio::join!(
        handle(&v1, message("greet", b"abc", Some("r"))),
        answer_as_v1(&v1, &mut mq, &full)
    );
    called(&asked?, PUBLISH, b"\x01r\x03cba\x00")?;
    ensure!(handled? == full[0]);
    // A provider that says nothing, or nonsense, ends the call and not the component.
    for nonsense in [&[][..], &[Bytes::from_static(b"\x07")]] {
        let (handled, asked) = tokio::join!(
            handle(&v1, message("greet", b"abc", Some("r"))),
            answer_as_v1(&v1, &mut mq, nonsense)
        );
        asked?;
        ensure!(handled?.is_empty());
    }
    // What is no message is none.
    let params = [Bytes::from_static(b"\x05greet\x03ab")];
    let answer = call_as_v1(&v1, HANDLE, provider("mq", "messenger"), &params).await?;
    ensure!(answer.is_empty(), "{answer:?}");
    let (handled, asked) = tokio::join!(
        handle(&v1, message("greet", b"abc", Some("r"))),
        answer_as_v1(&v1, &mut mq, &OK)
    );
    asked?;
    ensure!(handled? == OK[0]);
    ensure!(host.host().inventory().components.len() == 1);
    Ok(())
}

async fn without_anybody_to_send_to_the_call_fails(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let host = messenger(&mut rig).await?;
    // v1 has no other word for it than no results.
    let handled = handle(&v1, message("greet", b"abc", Some("r"))).await?;
    ensure!(handled.is_empty(), "{handled:?}");
    until("failed call", async || {
        let inventory = host.host().inventory();
        Ok(inventory.components.iter().any(|component| component.errors == 1))
    })
    .await
}
