//! One question to all hosts.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use wasmcloud_client::{ClientError, LookupError};
use wasmcloud_test_lattice::{Script, ScriptedHost, TestLattice};
use wasmcloud_wire::control::{ComponentAuction, ProviderAuction, Registries};

use crate::support::{PATIENT, SHORT, Target, client, lattice, told};

crate::support::for_all_servers!(
    all_hosts_answer_and_nobody_waits_for_the_timeout,
    two_hundred_hosts,
    one_bad_host_hides_no_other,
    a_slow_host_makes_for_patience,
    who_must_hear_all_listens_longer,
    hosts_are_found_by_name_and_id,
    auctions_are_answered_by_those_who_fit,
);

/// Silence that no host of a busy machine falls into, where a test wants to hear all of several.
const BUSY: Duration = Duration::from_secs(1);

async fn hosts(lattice: &TestLattice, count: u32) -> Result<Vec<ScriptedHost>> {
    let starting = (0..count).map(|number| lattice.host(Script::new(&format!("host-{number:03}"), number)));
    try_join_all(starting).await
}

async fn all_hosts_answer_and_nobody_waits_for_the_timeout(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let _hosts = hosts(&lattice, 3).await?;
    let client = client(&lattice, Duration::from_secs(600)).await?.with_quiet(BUSY);
    let all = client.hosts().await?;
    let names: Vec<_> = all
        .answers
        .iter()
        .map(|host| host.friendly_name.as_str())
        .collect();
    assert_eq!(names, ["host-000", "host-001", "host-002"]);
    assert!(all.problems.is_empty() && !all.nobody && !all.more);
    Ok(())
}

async fn two_hundred_hosts(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let hosts = hosts(&lattice, 200).await?;
    let client = client(&lattice, PATIENT).await?.with_quiet(BUSY);
    let all = client.inventories().await?;
    assert_eq!(all.answers.len(), hosts.len());
    assert!(all.problems.is_empty(), "{:?}", all.problems);
    assert!(all.answers.is_sorted_by_key(|inventory| &inventory.friendly_name));
    let told = client.put_registries(Registries::default()).await?;
    assert_eq!(told.answers.len(), hosts.len());
    Ok(())
}

async fn one_bad_host_hides_no_other(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let good = lattice.host(Script::new("good", 1)).await?;
    let _nonsense = lattice
        .host(Script::new("nonsense", 2).nonsense("host.ping", b"{"))
        .await?;
    let _refuses = lattice
        .host(Script::new("refuses", 3).refuses("host.ping", "busy"))
        .await?;
    let _silent = lattice
        .host(Script::new("silent", 4).silent(&["host.get"]))
        .await?;
    let client = client(&lattice, SHORT * 4).await?;
    let all = client.inventories().await?;
    let ids: Vec<_> = all
        .answers
        .iter()
        .map(|inventory| inventory.host_id.clone())
        .collect();
    assert_eq!(ids, [good.id().to_string()]);
    let mut problems: Vec<_> = all.problems.iter().map(|problem| told(problem)).collect();
    problems.sort();
    let beginnings = [
        "cannot list the hosts: a host of lattice `default` answered with",
        "cannot list the hosts: busy",
        "cannot read the inventory: host N",
    ];
    let as_expected = problems
        .iter()
        .zip(beginnings)
        .all(|(problem, start)| problem.starts_with(start));
    assert!(problems.len() == 3 && as_expected, "{problems:?}");
    Ok(())
}

async fn a_slow_host_makes_for_patience(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    // Each comes later than the shortest silence, and within the silence that the one before made for.
    let mut near = Script::new("near", 1);
    near.delay = Duration::from_millis(300);
    let mut far = Script::new("far", 2);
    far.delay = Duration::from_millis(450);
    let (_near, _far) = (lattice.host(near).await?, lattice.host(far).await?);
    let client = client(&lattice, PATIENT).await?;
    let names: Vec<_> = client
        .hosts()
        .await?
        .answers
        .into_iter()
        .map(|host| host.friendly_name)
        .collect();
    assert_eq!(names, ["far", "near"]);
    Ok(())
}

async fn who_must_hear_all_listens_longer(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let mut far = Script::new("far", 2);
    far.delay = Duration::from_millis(500);
    let (_near, _far) = (
        lattice.host(Script::new("near", 1)).await?,
        lattice.host(far).await?,
    );
    let client = client(&lattice, PATIENT).await?.with_quiet(PATIENT / 10);
    assert_eq!(client.hosts().await?.answers.len(), 2);
    Ok(())
}

async fn hosts_are_found_by_name_and_id(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let blue = lattice.host(Script::new("blue-heron-1", 1)).await?;
    let red = lattice.host(Script::new("red-fox-2", 2)).await?;
    let _twin = lattice.host(Script::new("red-fox-2", 3)).await?;
    let client = client(&lattice, PATIENT).await?;
    assert_eq!(client.find_host("blue-heron-1").await?.id, blue.id());
    let beginning: String = red.id().as_str().chars().take(8).collect();
    assert_eq!(client.find_host(&beginning).await?.id, red.id());
    assert_eq!(client.find_host(red.id().as_str()).await?.id, red.id());
    for several in ["red-fox-2", "N"] {
        let error = client.find_host(several).await.expect_err("it cannot work");
        assert!(matches!(&error, LookupError::Ambiguous { .. }), "{error:?}");
        assert!(error.to_string().contains(red.id().as_str()), "{error}");
    }
    let error = told(&client.find_host("blue-heron1").await.expect_err("it cannot work"));
    assert!(
        error.ends_with("3 hosts answered; hint: did you mean `blue-heron-1`?"),
        "{error}"
    );

    let empty = crate::support::lattice(target).await?;
    let client = crate::support::client(&empty, PATIENT).await?;
    let error = client
        .find_host("blue-heron-1")
        .await
        .expect_err("it cannot work");
    assert!(
        matches!(error, LookupError::Ask(ClientError::NoHost { .. })),
        "{error:?}"
    );
    Ok(())
}

async fn auctions_are_answered_by_those_who_fit(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let eu = lattice.host(Script::new("a", 1).label("region", "eu")).await?;
    let _us = lattice.host(Script::new("b", 2).label("region", "us")).await?;
    let busy = Script::new("c", 3)
        .label("region", "eu")
        .component("hello", "file:///hello.wasm", 1);
    let busy = lattice.host(busy).await?;
    let client = client(&lattice, PATIENT).await?;
    let auction = |region: &str| ComponentAuction {
        component_ref: "file:///hello.wasm".to_owned(),
        component_id: "hello".parse().expect("it is an id"),
        constraints: [("region".to_owned(), region.to_owned())].into(),
    };
    let acks = client
        .auction_component(auction("eu"), usize::MAX, PATIENT)
        .await?;
    let ids: Vec<_> = acks.answers.iter().map(|ack| ack.host_id.clone()).collect();
    assert_eq!(ids, [eu.id().to_string()]);
    let none = client
        .auction_component(auction("mars"), usize::MAX, SHORT)
        .await?;
    assert!(none.answers.is_empty() && none.problems.is_empty() && !none.nobody);

    let auction = ProviderAuction {
        provider_ref: "file:///http.par.gz".to_owned(),
        provider_id: "http".parse()?,
        constraints: [("region".to_owned(), "eu".to_owned())].into(),
    };
    let acks = client
        .auction_provider(auction.clone(), usize::MAX, PATIENT)
        .await?;
    let ids: Vec<_> = acks.answers.iter().map(|ack| ack.host_id.clone()).collect();
    assert_eq!(ids, [eu.id().to_string(), busy.id().to_string()]);
    // One is enough, and the first that answers ends it.
    let began = Instant::now();
    let first = client
        .auction_provider(auction, 1, Duration::from_secs(600))
        .await?;
    assert_eq!(first.answers.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(60));
    Ok(())
}
