//! One question, one answer: what works, and what is said where it does not.

use anyhow::Result;
use wasmcloud_client::ClientError;
use wasmcloud_test_lattice::Script;
use wasmcloud_wire::control::{DeleteLabel, Link, PutLabel, Request};
use wasmcloud_wire::message::{CONFIG_PUT, LABEL_PUT, LINK_CONFLICT, LINK_PUT};
use wasmcloud_wire::state::Config;

use crate::support::{PATIENT, SHORT, Target, client, lattice, told};

crate::support::for_all_servers!(
    what_is_put_is_read,
    a_no_carries_the_words_of_the_host,
    nobody_there_is_said_at_once,
    silence_says_who_was_asked_for_what,
    answers_that_mean_nothing_are_errors,
);

async fn what_is_put_is_read(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice.host(Script::new("blue-heron-1", 1)).await?;
    let client = client(&lattice, PATIENT).await?;

    let link = Link {
        source_id: "http".to_owned(),
        target: "hello".to_owned(),
        name: "default".to_owned(),
        wit_namespace: "wasi".to_owned(),
        wit_package: "http".to_owned(),
        interfaces: vec!["incoming-handler".to_owned()],
        ..Link::default()
    };
    assert_eq!(client.links().await?, []);
    assert_eq!(client.send(&Request::PutLink(link.clone())).await?, LINK_PUT);
    assert_eq!(client.links().await?, [link]);

    let (name, config) = (
        "shop.prices".parse()?,
        Config([("eur".into(), "1".into())].into()),
    );
    assert_eq!(client.config(&name).await?, None);
    let put = Request::PutConfig(name.clone(), config.clone());
    assert_eq!(client.send(&put).await?, CONFIG_PUT);
    assert_eq!(client.config(&name).await?, Some(config));
    client.send(&Request::DeleteConfig(name.clone())).await?;
    assert_eq!(client.config(&name).await?, None);

    let label = PutLabel {
        key: "zone".to_owned(),
        value: "a".to_owned(),
    };
    assert_eq!(
        client.send(&Request::PutLabel(host.id(), label)).await?,
        LABEL_PUT
    );
    let labels = client.inventory(&host.id()).await?.labels;
    assert_eq!(labels.get("zone").map(String::as_str), Some("a"));
    let label = DeleteLabel {
        key: "zone".to_owned(),
    };
    client.send(&Request::DeleteLabel(host.id(), label)).await?;
    assert_eq!(client.inventory(&host.id()).await?.labels.get("zone"), None);
    assert!(client.claims().await?.is_empty());
    Ok(())
}

async fn a_no_carries_the_words_of_the_host(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let script = Script::new("blue-heron-1", 1).refuses("link.put", LINK_CONFLICT);
    let _host = lattice.host(script.refuses("link.get", "\x1b[31mno")).await?;
    let client = client(&lattice, PATIENT).await?;
    let put = Request::PutLink(Link {
        source_id: "http".to_owned(),
        target: "hello".to_owned(),
        wit_namespace: "wasi".to_owned(),
        wit_package: "http".to_owned(),
        name: "default".to_owned(),
        ..Link::default()
    });
    let refused = client.send(&put).await.expect_err("it cannot work");
    assert_eq!(
        told(&refused),
        format!("cannot link `http` to `hello`: {LINK_CONFLICT}")
    );
    let refused = client.links().await.expect_err("it cannot work");
    assert_eq!(told(&refused), "cannot list the links: \u{fffd}[31mno");
    Ok(())
}

async fn nobody_there_is_said_at_once(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    // Whoever waits for this timeout fails the test.
    let client = client(&lattice, std::time::Duration::from_secs(600)).await?;
    let refused = client.links().await.expect_err("it cannot work");
    assert!(matches!(refused, ClientError::NoHost { .. }), "{refused:?}");
    assert!(
        told(&refused).starts_with("cannot list the links: no host answers in lattice `default`; hint: ")
    );
    let nobody = client.hosts().await?;
    assert!(nobody.nobody && nobody.answers.is_empty() && nobody.problems.is_empty());

    let host = lattice.host(Script::new("blue-heron-1", 1)).await?;
    let id = host.id();
    client.inventory(&id).await?;
    host.die().await;
    let refused = client.inventory(&id).await.expect_err("it cannot work");
    assert!(
        matches!(&refused, ClientError::HostGone { host, .. } if *host == id),
        "{refused:?}"
    );
    Ok(())
}

async fn silence_says_who_was_asked_for_what(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice
        .host(Script::new("blue-heron-1", 1).silent(&["host.get", "link.get"]))
        .await?;
    let client = client(&lattice, SHORT).await?;
    let refused = told(&client.inventory(&host.id()).await.expect_err("it cannot work"));
    let expected = format!(
        "cannot read the inventory: host {} got the request and did not answer",
        host.id()
    );
    assert!(refused.starts_with(&expected), "{refused}");
    let refused = told(&client.links().await.expect_err("it cannot work"));
    assert!(
        refused.contains("a host of lattice `default` got the request and did not answer"),
        "{refused}"
    );
    Ok(())
}

async fn answers_that_mean_nothing_are_errors(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice.host(Script::new("blue-heron-1", 1)).await?;
    let client = client(&lattice, PATIENT).await?;
    for (bytes, words) in [
        (&b""[..], "EOF while parsing"),
        (b"<html>", "answered with something else"),
        (b"[]", "answered with something else"),
        (
            br#"{"success":true}"#,
            "answered without saying what was asked for",
        ),
        (
            br#"{"success":true,"response":{"components":7,"host_id":"N"}}"#,
            "field `response.components`",
        ),
        (br#"{"success":false}"#, "refused and did not say why"),
        (&[0xff; 64], "answered with something else"),
    ] {
        host.change(|script| {
            script.nonsense.insert("host.get", bytes.to_vec());
        });
        let refused = told(&client.inventory(&host.id()).await.expect_err("it cannot work"));
        assert!(
            refused.contains(words),
            "{refused} for {}",
            String::from_utf8_lossy(bytes)
        );
    }
    Ok(())
}
