//! Having something done and knowing that it was.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::sync::watch;
use wasmcloud_client::{Client, WaitError};
use wasmcloud_core::HostId;
use wasmcloud_test_lattice::{Outcome, SOON, Script, TestLattice, soon};
use wasmcloud_test_nats::NatsServer;
use wasmcloud_wire::control::{Request, StartProvider, StopHost, StopProvider, UpdateComponent};
use wasmcloud_wire::event::{ComponentScaled, Event};

use crate::support::{PATIENT, SHORT, Target, client, lattice, scale, told};

crate::support::for_all_servers!(
    what_is_done_is_waited_for,
    a_failure_ends_the_wait_with_the_words_of_the_host,
    a_host_that_dies_ends_the_wait,
    a_host_that_stops_ends_the_wait,
    a_deadline_says_what_was_waited_for_and_what_is_known,
    others_events_do_not_end_the_wait,
    a_flood_of_events_does_not_hold_the_deadline_up,
);

/// Longer than any wait that ends for its reason; whoever waits for this fails the test.
const LONG: Duration = Duration::from_secs(600);

fn start_provider(host: &HostId, id: &str) -> Request {
    let start = StartProvider {
        provider_id: id.parse().expect("a test's id is one"),
        provider_ref: "file:///http.par.gz".to_owned(),
        host_id: host.clone(),
        config: Vec::new(),
        annotations: None,
    };
    Request::StartProvider(host.clone(), start)
}

fn stop_provider(host: &HostId, id: &str) -> Request {
    let stop = StopProvider {
        host_id: host.clone(),
        provider_id: id.parse().expect("a test's id is one"),
    };
    Request::StopProvider(host.clone(), stop)
}

fn update(host: &HostId, id: &str, image: &str) -> Request {
    let update = UpdateComponent {
        component_id: id.parse().expect("a test's id is one"),
        annotations: None,
        host_id: host.clone(),
        new_component_ref: image.to_owned(),
    };
    Request::UpdateComponent(host.clone(), update)
}

async fn failed(client: &Client, request: &Request, within: Duration) -> Result<WaitError> {
    let outcome = soon("end of the wait", client.carry_out(request, within, None)).await?;
    outcome.err().context("it was done")
}

async fn what_is_done_is_waited_for(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    // v1 tells a start twice; one is enough and the other does no harm.
    let host = lattice
        .host(Script::new("a", 1).outcome(Outcome::Done { told: 2 }))
        .await?;
    let (client, id) = (client(&lattice, PATIENT).await?, host.id());
    client.carry_out(&scale(&id, "hello", 5), LONG, None).await?;
    let runs = client.inventory(&id).await?.components.pop();
    assert_eq!(runs.map(|runs| runs.max_instances), Some(5));
    let to = client
        .carry_out(&update(&id, "hello", "file:///new.wasm"), LONG, None)
        .await?;
    assert_eq!(
        to.message,
        "component hello updating from file:///hello.wasm to file:///new.wasm"
    );
    // Nothing to do, so no event comes.
    let again = client
        .carry_out(&update(&id, "hello", "file:///new.wasm"), LONG, None)
        .await?;
    assert_eq!(
        again.message,
        "component hello already updated to file:///new.wasm"
    );
    client.carry_out(&scale(&id, "hello", 0), LONG, None).await?;
    assert!(client.inventory(&id).await?.components.is_empty());
    client.carry_out(&start_provider(&id, "http"), LONG, None).await?;
    let runs = client.inventory(&id).await?.providers.pop();
    assert_eq!(runs.map(|runs| runs.id), Some("http".to_owned()));
    client.carry_out(&stop_provider(&id, "http"), LONG, None).await?;
    assert!(client.inventory(&id).await?.providers.is_empty());
    client
        .carry_out(&Request::StopHost(id, StopHost::default()), LONG, None)
        .await?;
    Ok(())
}

async fn a_failure_ends_the_wait_with_the_words_of_the_host(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let script = Script::new("a", 1).outcome(Outcome::Fails("no such file".to_owned()));
    let host = lattice.host(script).await?;
    let (client, id) = (client(&lattice, PATIENT).await?, host.id());
    for (request, asked) in [
        (scale(&id, "hello", 5), "run component `hello`"),
        (start_provider(&id, "http"), "start provider `http`"),
    ] {
        let error = failed(&client, &request, LONG).await?;
        assert_eq!(
            told(&error),
            format!("cannot {asked}: host {id} tried and failed: no such file")
        );
    }
    let error = failed(&client, &stop_provider(&id, "http"), LONG).await?;
    assert_eq!(
        told(&error),
        "cannot stop provider `http`: provider with that ID is not running"
    );
    Ok(())
}

async fn a_host_that_dies_ends_the_wait(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice.host(Script::new("a", 1).outcome(Outcome::Dies)).await?;
    let (client, id) = (client(&lattice, PATIENT).await?, host.id());
    let error = failed(&client, &scale(&id, "hello", 1), LONG).await?;
    assert!(
        matches!(&error, WaitError::HostDied { host, .. } if *host == id),
        "{error:?}"
    );
    assert!(
        told(&error).contains("has left the lattice without a word, after it has accepted"),
        "{error}"
    );
    // Whom nobody can ask any more has not been asked.
    let error = failed(&client, &scale(&id, "hello", 1), LONG).await?;
    assert!(matches!(&error, WaitError::Request(_)), "{error:?}");
    // For a host that should go, being gone is enough.
    let host = lattice.host(Script::new("b", 2).outcome(Outcome::Dies)).await?;
    client
        .carry_out(&Request::StopHost(host.id(), StopHost::default()), LONG, None)
        .await?;
    Ok(())
}

async fn a_host_that_stops_ends_the_wait(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice.host(Script::new("a", 1).outcome(Outcome::Stops)).await?;
    let client = client(&lattice, PATIENT).await?;
    let error = failed(&client, &start_provider(&host.id(), "http"), LONG).await?;
    assert!(matches!(&error, WaitError::HostStopped { .. }), "{error:?}");
    Ok(())
}

async fn a_deadline_says_what_was_waited_for_and_what_is_known(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice
        .host(Script::new("a", 1).outcome(Outcome::Nothing))
        .await?;
    let (client, id) = (client(&lattice, SHORT).await?, host.id());
    let error = failed(&client, &scale(&id, "hello", 1), Duration::from_millis(1_500)).await?;
    let text = told(&error);
    assert!(
        text.starts_with(&format!(
            "gave up waiting for host {id} to run component `hello` after "
        )),
        "{text}"
    );
    assert!(
        text.contains("the last that is known: it does not run the component yet;"),
        "{text}"
    );

    // The same for a host that hangs: it is not dead, and it is named.
    let (progress, mut known) = watch::channel(String::new());
    let asking = tokio::spawn({
        let (client, id) = (client.clone(), id.clone());
        async move {
            client
                .carry_out(&scale(&id, "hello", 1), SOON, Some(&progress))
                .await
        }
    });
    soon(
        "the request",
        known.wait_for(|text| text == "it has accepted the request"),
    )
    .await??;
    host.change(|script| script.silent.push("host.get"));
    soon(
        "the silence",
        known.wait_for(|text| text.starts_with("it no longer answers")),
    )
    .await??;
    asking.abort();
    Ok(())
}

async fn others_events_do_not_end_the_wait(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice
        .host(Script::new("a", 1).outcome(Outcome::Nothing))
        .await?;
    let other = lattice.host(Script::new("b", 2)).await?;
    let (client, id) = (client(&lattice, PATIENT).await?, host.id());
    let (progress, mut known) = watch::channel(String::new());
    let asking = tokio::spawn({
        let (client, id) = (client.clone(), id.clone());
        async move {
            client
                .carry_out(&scale(&id, "hello", 2), SOON, Some(&progress))
                .await
        }
    });
    soon(
        "the request",
        known.wait_for(|text| text == "it has accepted the request"),
    )
    .await??;
    let event = |host: &HostId, component: &str, count| {
        Event::ComponentScaled(ComponentScaled {
            host_id: host.to_string(),
            component_id: component.to_owned(),
            max_instances: count,
            ..ComponentScaled::default()
        })
    };
    host.tell_bytes("component_scaled", b"{").await?;
    host.tell_bytes("unheard_of", br#"{"specversion":"1.0"}"#).await?;
    other.tell(event(&other.id(), "hello", 2)).await?;
    host.tell(event(&id, "other", 2)).await?;
    host.tell(event(&id, "hello", 1)).await?;
    soon(
        "the other number",
        known.wait_for(|text| text == "it was scaled to 1 in the meantime"),
    )
    .await??;
    ensure!(!asking.is_finished(), "it ended: {:?}", asking.await);
    host.tell(event(&id, "hello", 2)).await?;
    soon("the end", asking).await???;
    Ok(())
}

async fn a_flood_of_events_does_not_hold_the_deadline_up(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice
        .host(Script::new("a", 1).outcome(Outcome::Nothing))
        .await?;
    let flood = lattice.connect().await?;
    let flooding = tokio::spawn(async move {
        loop {
            for _ in 0..200 {
                flood
                    .publish("wasmbus.evt.default.noise", None, "{}".into())
                    .await?;
            }
            flood.barrier(flood.default_deadline()).await?;
        }
        #[allow(unreachable_code, reason = "it says what the errors are")]
        anyhow::Ok(())
    });
    let client = client(&lattice, PATIENT).await?;
    let error = failed(&client, &scale(&host.id(), "hello", 1), SHORT).await?;
    assert!(matches!(&error, WaitError::Deadline { .. }), "{error:?}");
    flooding.abort();
    Ok(())
}

/// The event is lost with the connection; the inventory shows that it was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_hides_no_success() -> Result<()> {
    let mut lattice = TestLattice::nats_with(NatsServer::default()).await?;
    let host = lattice.host(Script::new("a", 1).outcome(Outcome::Untold)).await?;
    let (client, id) = (client(&lattice, PATIENT).await?, host.id());
    let (progress, mut known) = watch::channel(String::new());
    let asking = tokio::spawn({
        let (client, id) = (client.clone(), id.clone());
        async move {
            client
                .carry_out(&scale(&id, "hello", 3), LONG, Some(&progress))
                .await
        }
    });
    soon(
        "the request",
        known.wait_for(|text| text == "it has accepted the request"),
    )
    .await??;
    let server = lattice.server().context("it is a nats-server")?;
    tokio::task::block_in_place(|| server.restart())?;
    soon("the end", asking).await???;
    Ok(())
}
