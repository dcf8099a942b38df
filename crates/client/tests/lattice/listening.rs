//! What happens, as it is told.

use anyhow::{Context as _, Result};
use wasmcloud_client::{Events, Told};
use wasmcloud_test_lattice::{Script, TestLattice, soon};
use wasmcloud_test_nats::NatsServer;
use wasmcloud_wire::event::{ConfigChanged, Event};

use crate::support::{PATIENT, Target, client, lattice};

crate::support::for_all_servers!(events_come_in_order_and_nonsense_among_them,);

fn changed(name: &str) -> Event {
    Event::ConfigSet(ConfigChanged {
        config_name: name.to_owned(),
    })
}

async fn next(events: &mut Events) -> Result<Told> {
    soon("event", events.next()).await?.context("the events ended")
}

async fn events_come_in_order_and_nonsense_among_them(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice.host(Script::new("a", 1)).await?;
    let client = client(&lattice, PATIENT).await?;
    let mut events = client.events().await?;
    host.tell(changed("one")).await?;
    host.tell_bytes("config_set", b"\xff{").await?;
    host.tell_bytes(
        "health.of.tomorrow",
        br#"{"specversion":"1.0","id":"1","source":"x","type":"y"}"#,
    )
    .await?;
    host.tell(changed("two")).await?;
    for expected in ["one", "-", "-", "two"] {
        match next(&mut events).await? {
            Told::Event(event) => {
                assert_eq!(event.source, host.id().to_string());
                assert_eq!(event.event, changed(expected));
            }
            Told::Other { payload, .. } => assert!(expected == "-" && !payload.is_empty()),
            Told::Gap => anyhow::bail!("nothing was lost"),
        }
    }
    client
        .connection()
        .close(client.connection().default_deadline())
        .await;
    assert!(soon("the end", events.next()).await?.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_told() -> Result<()> {
    let mut lattice = TestLattice::nats_with(NatsServer::default()).await?;
    let host = lattice.host(Script::new("a", 1)).await?;
    let client = client(&lattice, PATIENT).await?;
    let mut events = client.events().await?;
    let server = lattice.server().context("it is a nats-server")?;
    tokio::task::block_in_place(|| server.restart())?;
    assert!(matches!(next(&mut events).await?, Told::Gap));
    host.tell(changed("one")).await?;
    loop {
        match next(&mut events).await? {
            Told::Event(event) => break assert_eq!(event.event, changed("one")),
            // The host connects again too.
            Told::Gap => {}
            other => anyhow::bail!("{other:?}"),
        }
    }
    Ok(())
}
