//! Messages arrive whole, in order, and where they should.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use async_nats::{ConnectOptions, HeaderMap};
use bytes::Bytes;
use futures::StreamExt as _;

use crate::for_all_servers;
use crate::support::{Server, Target, barrier, next, soon, text};

for_all_servers!(
    messages_keep_their_order,
    wildcards_stand_for_tokens,
    requests_are_answered,
    nobody_there_is_said_at_once,
    headers_arrive_as_they_were_sent,
    payloads_of_all_sizes_arrive_whole,
    a_subscription_ends_after_its_last_message,
    draining_delivers_what_is_under_way,
    a_flushed_subscription_misses_nothing,
    many_subscriptions_each_get_their_own,
    without_echo_ones_own_messages_stay_away,
    one_message_goes_to_all_subscribers,
);

async fn messages_keep_their_order(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (sender, receiver) = (server.client().await?, server.client().await?);
    let mut subscriber = receiver.subscribe("order").await?;
    barrier(&receiver).await?;
    for number in 0..5_000 {
        sender.publish("order", number.to_string().into()).await?;
    }
    barrier(&sender).await?;
    for number in 0..5_000 {
        ensure!(text(&mut subscriber).await? == number.to_string());
    }
    Ok(())
}

async fn wildcards_stand_for_tokens(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let client = server.client().await?;
    let cases: [(&str, &[&str]); 7] = [
        ("a.b", &["a.b"]),
        ("a.*", &["a.b", "a.c"]),
        ("*.b", &["a.b", "x.b"]),
        ("a.>", &["a.b", "a.c", "a.b.c"]),
        (">", &["a", "a.b", "a.c", "x.b", "a.b.c"]),
        ("*", &["a"]),
        ("a.*.c", &["a.b.c"]),
    ];
    let mut subscribers = Vec::new();
    for (pattern, expected) in cases {
        subscribers.push((client.subscribe(pattern).await?, pattern, expected));
    }
    for subject in ["a", "a.b", "a.c", "x.b", "a.b.c"] {
        client.publish(subject, Bytes::new()).await?;
    }
    client.flush().await?;
    for (subscriber, pattern, expected) in &mut subscribers {
        for subject in *expected {
            let got = next(subscriber).await?.subject;
            ensure!(
                got.as_str() == *subject,
                "{pattern} got {got} instead of {subject}"
            );
        }
        // Nothing else came: the next thing is the end.
        subscriber.unsubscribe().await?;
        ensure!(soon("end", subscriber.next()).await?.is_none(), "{pattern}");
    }
    Ok(())
}

async fn requests_are_answered(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (asking, answering) = (server.client().await?, server.client().await?);
    let mut requests = answering.subscribe("help").await?;
    barrier(&answering).await?;
    let answers = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let Some(reply) = request.reply else { continue };
            answering.publish(reply, request.payload).await?;
        }
        anyhow::Ok(())
    });
    for number in 0..200 {
        let reply = soon("reply", asking.request("help", number.to_string().into())).await??;
        ensure!(reply.payload == number.to_string());
    }
    answers.abort();
    Ok(())
}

async fn nobody_there_is_said_at_once(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let client = server.client().await?;
    let start = Instant::now();
    let error = client.request("nobody", Bytes::new()).await.unwrap_err();
    ensure!(
        error.kind() == async_nats::RequestErrorKind::NoResponders,
        "{error}"
    );
    // Far less than the client's own timeout of 10 s, which would also be an error.
    ensure!(start.elapsed() < Duration::from_secs(5));
    Ok(())
}

async fn headers_arrive_as_they_were_sent(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let client = server.client().await?;
    let mut subscriber = client.subscribe("headers").await?;
    let mut headers = HeaderMap::new();
    headers.append("Trace", "one");
    headers.append("Trace", "two");
    headers.append("trace", "lower");
    headers.append("empty", "");
    client
        .publish_with_headers("headers", headers.clone(), "body".into())
        .await?;
    let message = next(&mut subscriber).await?;
    ensure!(message.headers == Some(headers));
    ensure!(message.payload == "body");
    Ok(())
}

async fn payloads_of_all_sizes_arrive_whole(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (sender, receiver) = (server.client().await?, server.client().await?);
    let mut first = receiver.subscribe("size").await?;
    let mut second = receiver.subscribe("size").await?;
    barrier(&receiver).await?;
    let sizes = [0, 1, 511, 512, 4_095, 32 << 10, (64 << 10) + 1, 500_000, 1 << 20];
    for size in sizes {
        let payload: Bytes = (0..size).map(|at| (at % 251) as u8).collect();
        sender.publish("size", payload.clone()).await?;
        for subscriber in [&mut first, &mut second] {
            let got = next(subscriber).await?.payload;
            ensure!(got == payload, "{size} bytes came as {}", got.len());
        }
    }
    Ok(())
}

async fn a_subscription_ends_after_its_last_message(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (sender, receiver) = (server.client().await?, server.client().await?);
    let mut subscriber = receiver.subscribe("few").await?;
    subscriber.unsubscribe_after(3).await?;
    barrier(&receiver).await?;
    for number in 0..10 {
        sender.publish("few", number.to_string().into()).await?;
    }
    barrier(&sender).await?;
    for number in 0..3 {
        ensure!(text(&mut subscriber).await? == number.to_string());
    }
    ensure!(soon("end", subscriber.next()).await?.is_none());
    // The server knows as well: nobody is left to answer.
    let error = sender.request("few", Bytes::new()).await.unwrap_err();
    ensure!(error.kind() == async_nats::RequestErrorKind::NoResponders);
    Ok(())
}

async fn draining_delivers_what_is_under_way(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (sender, receiver) = (server.client().await?, server.client().await?);
    let mut subscriber = receiver.subscribe("drain").await?;
    barrier(&receiver).await?;
    for number in 0..500 {
        sender.publish("drain", number.to_string().into()).await?;
    }
    barrier(&sender).await?;
    // async-nats forgets a draining subscription without waiting for the PONG of its own PING.
    barrier(&receiver).await?;
    subscriber.drain().await?;
    let mut count = 0;
    while soon("end", subscriber.next()).await?.is_some() {
        count += 1;
    }
    ensure!(count == 500, "{count} of 500 messages");
    Ok(())
}

async fn a_flushed_subscription_misses_nothing(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (sender, receiver) = (server.client().await?, server.client().await?);
    for round in 0..200 {
        let subject = format!("flush.{round}");
        let mut subscriber = receiver.subscribe(subject.clone()).await?;
        barrier(&receiver).await?;
        sender.publish(subject, "x".into()).await?;
        next(&mut subscriber).await?;
    }
    Ok(())
}

async fn many_subscriptions_each_get_their_own(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (sender, receiver) = (server.client().await?, server.client().await?);
    let mut subscribers = Vec::new();
    for number in 0..3_000 {
        subscribers.push(receiver.subscribe(format!("many.{number}.x")).await?);
    }
    barrier(&receiver).await?;
    for number in 0..3_000 {
        sender
            .publish(format!("many.{number}.x"), number.to_string().into())
            .await?;
    }
    barrier(&sender).await?;
    for (number, subscriber) in subscribers.iter_mut().enumerate() {
        ensure!(text(subscriber).await? == number.to_string());
    }
    Ok(())
}

async fn without_echo_ones_own_messages_stay_away(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let deaf = server.client_with(ConnectOptions::new().no_echo()).await?;
    let other = server.client().await?;
    let mut subscriber = deaf.subscribe("echo").await?;
    deaf.publish("echo", "mine".into()).await?;
    barrier(&deaf).await?;
    other.publish("echo", "theirs".into()).await?;
    ensure!(text(&mut subscriber).await? == "theirs");
    Ok(())
}

async fn one_message_goes_to_all_subscribers(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let sender = server.client().await?;
    let mut subscribers = Vec::new();
    for _ in 0..30 {
        let client = server.client().await?;
        subscribers.push(client.subscribe("all.>").await?);
        barrier(&client).await?;
    }
    sender.publish("all.of.you", vec![7; 10_000].into()).await?;
    for subscriber in &mut subscribers {
        ensure!(next(subscriber).await?.payload == vec![7; 10_000]);
    }
    Ok(())
}
