//! What users of a connection may rely on: it says why it is not there, and what it says is there is there.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use support::{Server, Target, connected, deadline, lost, options, soon, text};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;
use wasmcloud_lattice::{
    CallError, ConnectError, Connection, ConnectionState, HeaderMap, Lattice, LatticeOptions,
};
use wasmcloud_test_nats::free_address;

for_all_servers!(
    a_subscription_is_known_after_a_barrier,
    nobody_listening_is_said_at_once,
    headers_travel_and_too_much_is_refused,
    subscriptions_are_confirmed_after_a_restart,
    without_a_server_calls_fail_in_time_and_are_not_queued,
    a_drained_subscription_yields_what_was_sent,
    a_closed_connection_says_so,
    messages_that_do_not_fit_are_counted,
    a_lattice_has_two_connections,
);

async fn a_subscription_is_known_after_a_barrier(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (one, two) = (server.connect().await?, server.connect().await?);
    for n in 0..50 {
        let subject = format!("test.{n}");
        let mut subscription = one.subscribe(&subject).await?;
        one.barrier(deadline()).await?;
        two.publish(&subject, None, "x".into()).await?;
        ensure!(text(&mut subscription).await? == "x");
    }
    Ok(())
}

async fn nobody_listening_is_said_at_once(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let connection = server.connect().await?;
    let asked = connection.request("nobody", None, Bytes::new(), deadline()).await;
    ensure!(
        matches!(&asked, Err(CallError::NoResponders { subject }) if subject == "nobody"),
        "{asked:?}"
    );
    let mut silent = connection.subscribe("silent").await?;
    connection.barrier(deadline()).await?;
    let soon = Instant::now() + Duration::from_millis(50);
    let asked = connection.request("silent", None, "?".into(), soon).await;
    let Err(error @ CallError::TimedOut { .. }) = asked else {
        bail!("{asked:?}")
    };
    ensure!(
        error
            .to_string()
            .starts_with("no answer on `silent` from nats://127.0.0.1:"),
        "{error}"
    );
    ensure!(text(&mut silent).await? == "?");
    Ok(())
}

async fn headers_travel_and_too_much_is_refused(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let connection = server.connect().await?;
    let mut service = connection.queue_subscribe("echo", "q").await?;
    connection.barrier(deadline()).await?;
    let mut headers = HeaderMap::new();
    headers.insert("a", "b");
    let asked = connection.request("echo", Some(headers.clone()), "x".into(), deadline());
    let answered = async {
        let message = soon("request", service.next())
            .await?
            .context("the subscription ended")?;
        let reply = message.reply.context("it wants an answer")?;
        connection
            .publish(&reply, message.headers, message.payload)
            .await?;
        anyhow::Ok(())
    };
    let (reply, answered) = tokio::join!(asked, answered);
    answered?;
    let headers_back = reply?.headers.context("the headers came back")?;
    ensure!(headers_back.get("a").map(|value| value.as_str()) == Some("b"));

    let most = Bytes::from(vec![0; connection.max_payload()]);
    connection.publish("any", None, most.clone()).await?;
    let refused = connection.publish("any", Some(headers), most).await;
    ensure!(matches!(refused, Err(CallError::TooLarge { .. })), "{refused:?}");
    connection.barrier(deadline()).await?;
    ensure!(connected(&connection).await? == 1, "nothing ended the connection");
    for subject in ["", "a b", "a\r\nPUB x 0"] {
        ensure!(
            connection.publish(subject, None, Bytes::new()).await.is_err(),
            "{subject}"
        );
    }
    Ok(())
}

async fn subscriptions_are_confirmed_after_a_restart(target: Target) -> Result<()> {
    let mut server = Server::start(target).await?;
    let connection = server.connect().await?;
    let mut subscriptions = Vec::new();
    for n in 0..100 {
        subscriptions.push(connection.subscribe(&format!("test.{n}")).await?);
    }
    connection.barrier(deadline()).await?;
    for round in 2..4 {
        server.kill().await?;
        lost(&connection).await?;
        server.restart().await?;
        ensure!(connected(&connection).await? == round);
        let other = server.connect().await?;
        for n in 0..100 {
            other
                .publish(&format!("test.{n}"), None, format!("{round}").into())
                .await?;
        }
        for subscription in &mut subscriptions {
            ensure!(text(subscription).await? == format!("{round}"));
        }
    }
    Ok(())
}

async fn without_a_server_calls_fail_in_time_and_are_not_queued(target: Target) -> Result<()> {
    let mut server = Server::start(target).await?;
    let connection = server.connect().await?;
    let mut subscription = connection.subscribe("test").await?;
    connection.barrier(deadline()).await?;
    server.kill().await?;
    lost(&connection).await?;
    let until = Instant::now() + Duration::from_millis(100);
    let asked = connection.request("test", None, "late".into(), until).await;
    let Err(error @ CallError::Disconnected { .. }) = asked else {
        bail!("{asked:?}")
    };
    ensure!(
        error.to_string().contains("no connection to nats://127.0.0.1:"),
        "{error}"
    );
    // One that has more time waits for the server.
    let patient = connection.clone();
    let patient = tokio::spawn(async move { patient.publish("test", None, "in time".into()).await });
    server.restart().await?;
    let _ = soon("publish", patient).await?;
    connected(&connection).await?;
    connection.publish("test", None, "last".into()).await?;
    let first = text(&mut subscription).await?;
    ensure!(first == "in time" || first == "last", "{first} was queued");
    Ok(())
}

async fn a_drained_subscription_yields_what_was_sent(target: Target) -> Result<()> {
    const COUNT: usize = 5_000;
    let server = Server::start(target).await?;
    let (one, two) = (server.connect().await?, server.connect().await?);
    let mut subscription = one.subscribe("test").await?;
    one.barrier(deadline()).await?;
    for _ in 0..COUNT {
        two.publish("test", None, "x".into()).await?;
    }
    two.barrier(deadline()).await?;
    subscription.drain(deadline()).await?;
    one.barrier(deadline()).await?;
    two.publish("test", None, "too late".into()).await?;
    two.barrier(deadline()).await?;
    let got: Vec<_> = soon("end of the subscription", subscription.collect()).await?;
    ensure!(got.len() == COUNT, "{} of {COUNT}", got.len());
    Ok(())
}

async fn a_closed_connection_says_so(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (connection, other) = (server.connect().await?, server.connect().await?);
    let mut heard = other.subscribe("test").await?;
    other.barrier(deadline()).await?;
    connection.publish("test", None, "last".into()).await?;
    connection.close(deadline()).await;
    ensure!(text(&mut heard).await? == "last");
    ensure!(*connection.state().borrow() == ConnectionState::Closed);
    let refused = connection.publish("test", None, Bytes::new()).await;
    ensure!(matches!(refused, Err(CallError::Closed { .. })), "{refused:?}");
    Ok(())
}

async fn messages_that_do_not_fit_are_counted(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let mut options = server.options();
    options.subscription_capacity = 10;
    let (narrow, other) = (Connection::connect(&options).await?, server.connect().await?);
    let subscription = narrow.subscribe("test").await?;
    narrow.barrier(deadline()).await?;
    for _ in 0..30 {
        other.publish("test", None, "x".into()).await?;
    }
    other.barrier(deadline()).await?;
    narrow.barrier(deadline()).await?;
    soon("count of lost messages", async {
        while narrow.dropped_messages() < 20 {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    ensure!(narrow.dropped_messages() == 20);
    let kept: Vec<_> = soon("kept messages", subscription.take(10).collect()).await?;
    ensure!(kept.len() == 10);
    Ok(())
}

async fn a_lattice_has_two_connections(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let lattice = Lattice::connect(&LatticeOptions::new("default".parse()?, server.options())).await?;
    let info = |connection: &Connection| connection.client().server_info().client_id;
    ensure!(info(&lattice.control) != info(&lattice.rpc));
    let data = lattice
        .open_state(wasmcloud_lattice::Bucket::lattice_data(&lattice.name)?)
        .await?;
    data.put("COMPONENT_a", "{}".into()).await?;
    ensure!(data.bucket().name() == "LATTICEDATA_default");
    Ok(())
}

#[tokio::test]
async fn nothing_listening_is_told_in_time_with_the_address() -> Result<()> {
    let address = free_address()?;
    let mut options = options(&format!("nats://{address}"));
    options.connect_deadline = Duration::from_millis(300);
    let error = Connection::connect(&options).await.unwrap_err();
    let text = error.to_string();
    ensure!(
        text.starts_with(&format!("connect to nats://{address}: Connection refused")),
        "{text}"
    );
    ensure!(text.contains("; tried ") && text.contains("hint: "), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_longer_than_the_deadline() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut options = options(&format!("nats://{}", listener.local_addr()?));
    options.connect_deadline = Duration::from_millis(200);
    let error = soon("error", Connection::connect(&options)).await?.unwrap_err();
    ensure!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_comes_later_is_found() -> Result<()> {
    let mut server = Server::start(Target::Broker).await?;
    server.kill().await?;
    let mut options = server.options();
    options.connect_deadline = support::SOON;
    let connecting = tokio::spawn(async move { Connection::connect(&options).await });
    server.restart().await?;
    soon("connection", connecting).await???;
    Ok(())
}

#[tokio::test]
async fn an_old_server_is_refused_with_what_to_do() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let old = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let info = r#"{"server_id":"X","version":"2.10.27","proto":1,"headers":true,"max_payload":1048576}"#;
        socket.write_all(format!("INFO {info}\r\n").as_bytes()).await?;
        let mut said = Vec::new();
        while !said.ends_with(b"PING\r\n") {
            socket.read_buf(&mut said).await?;
        }
        socket.write_all(b"PONG\r\n").await?;
        // Until the client leaves.
        socket.read_to_end(&mut said).await
    });
    let error = Connection::connect(&options(&format!("nats://{address}")))
        .await
        .unwrap_err();
    ensure!(matches!(error, ConnectError::OldServer { .. }), "{error}");
    let text = error.to_string();
    ensure!(
        text.contains("nats-server 2.10.27, 2.11 or later is needed; hint: update"),
        "{text}"
    );
    soon("end of the fake server", old).await???;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_noticed_and_found_again() -> Result<()> {
    let nats = tokio::task::spawn_blocking(|| wasmcloud_test_nats::NatsServer::default().start()).await??;
    let mut options = options(&nats.url());
    options.ping_interval = Duration::from_millis(100);
    options.connect_timeout = Duration::from_millis(500);
    let connection = Connection::connect(&options).await?;
    let mut subscription = connection.subscribe("test").await?;
    connection.barrier(deadline()).await?;
    nats.freeze()?;
    lost(&connection).await?;
    nats.thaw()?;
    connected(&connection).await?;
    connection.publish("test", None, "x".into()).await?;
    ensure!(text(&mut subscription).await? == "x");
    Ok(())
}
