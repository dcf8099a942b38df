//! Of a queue group one member gets each message, as long as it is there.

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::StreamExt as _;

use crate::for_all_servers;
use crate::support::raw::{CONNECT, Raw};
use crate::support::{Server, Target, barrier, next, soon, text};

for_all_servers!(
    every_message_goes_to_one_member_and_every_member_gets_some,
    a_group_is_one_across_subjects,
    groups_and_subscribers_do_not_disturb_each_other,
    who_unsubscribes_gets_nothing_more,
    who_is_gone_gets_nothing_more,
);

async fn every_message_goes_to_one_member_and_every_member_gets_some(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let sender = server.client().await?;
    let mut members = Vec::new();
    for _ in 0..3 {
        let client = server.client().await?;
        let subscriber = client.queue_subscribe("work", "workers".to_owned()).await?;
        barrier(&client).await?;
        members.push((client, subscriber));
    }
    for number in 0..600 {
        sender.publish("work", number.to_string().into()).await?;
    }
    barrier(&sender).await?;
    let mut all = Vec::new();
    for (client, subscriber) in &mut members {
        barrier(client).await?;
        subscriber.drain().await?;
        let mut count = 0;
        while let Some(message) = soon("end", subscriber.next()).await? {
            all.push(String::from_utf8(message.payload.to_vec())?.parse::<u32>()?);
            count += 1;
        }
        // A fair choice gives 200; fewer than 100 happen once in 10²⁰ runs.
        ensure!(count >= 100, "a member got {count} of 600");
    }
    all.sort_unstable();
    ensure!(all == (0..600).collect::<Vec<_>>());
    Ok(())
}

async fn a_group_is_one_across_subjects(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let client = server.client().await?;
    let mut members = Vec::new();
    for pattern in ["job.*", "job.a", "job.>"] {
        members.push(client.queue_subscribe(pattern, "q".to_owned()).await?);
    }
    for _ in 0..30 {
        client.publish("job.a", Bytes::new()).await?;
    }
    barrier(&client).await?;
    let mut count = 0;
    for member in &mut members {
        member.drain().await?;
        while soon("end", member.next()).await?.is_some() {
            count += 1;
        }
    }
    ensure!(count == 30, "{count} of 30 messages");
    Ok(())
}

async fn groups_and_subscribers_do_not_disturb_each_other(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let client = server.client().await?;
    let mut plain = client.subscribe("s").await?;
    let mut one = client.queue_subscribe("s", "one".to_owned()).await?;
    let mut two = client.queue_subscribe("s", "two".to_owned()).await?;
    client.publish("s", "x".into()).await?;
    for subscriber in [&mut plain, &mut one, &mut two] {
        ensure!(text(subscriber).await? == "x");
    }
    Ok(())
}

async fn who_unsubscribes_gets_nothing_more(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (sender, leaving) = (server.client().await?, server.client().await?);
    let mut stays = sender.queue_subscribe("w", "q".to_owned()).await?;
    let mut leaves = leaving.queue_subscribe("w", "q".to_owned()).await?;
    barrier(&sender).await?;
    barrier(&leaving).await?;
    leaves.unsubscribe().await?;
    barrier(&leaving).await?;
    for number in 0..100 {
        sender.publish("w", number.to_string().into()).await?;
    }
    for number in 0..100 {
        ensure!(text(&mut stays).await? == number.to_string());
    }
    Ok(())
}

async fn who_is_gone_gets_nothing_more(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let client = server.client().await?;
    let mut stays = client.queue_subscribe("w", "q".to_owned()).await?;
    barrier(&client).await?;
    for round in 0..20 {
        let mut gone = Raw::connect(server.address).await?;
        gone.send(CONNECT).await?;
        gone.send("SUB w q 1\r\n").await?;
        gone.barrier().await?;
        // Half a close: when the server closes its half, it has noticed.
        rustix::net::shutdown(&gone.stream, rustix::net::Shutdown::Write)?;
        gone.read_to_end().await?;
        barrier(&client).await?;
        for number in 0..10 {
            let payload = format!("{round}-{number}");
            client.publish("w", payload.clone().into()).await?;
            ensure!(next(&mut stays).await?.payload == payload);
        }
    }
    Ok(())
}
