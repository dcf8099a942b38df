//! The manifest API from the side of who asks, against a controller that does as a script says.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use wasmcloud_client::{AppsError, Followed, StatusFollower};
use wasmcloud_core::AppName;
use wasmcloud_test_lattice::{ControllerScript, Script, soon};
use wasmcloud_wire::app::{AppStatus, DeleteResult, HistoryKind, PutResult, StatusType};

use crate::support::{PATIENT, SHORT, Target, client, lattice, told};

crate::support::for_all_servers!(
    what_is_put_is_found_and_goes,
    a_no_says_why,
    while_nobody_leads_it_asks_again,
    reads_are_asked_again_of_the_next_controller,
    a_status_of_before_is_not_the_answer,
);

const SHOP: &str = "metadata:\n  name: shop\n  annotations:\n    version: v1\n";

fn shop() -> AppName {
    "shop".parse().expect("a test's name is one")
}

async fn what_is_put_is_found_and_goes(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let _controller = lattice.controller(ControllerScript::default()).await?;
    let apps = client(&lattice, PATIENT).await?.apps();
    assert_eq!(apps.list().await?, []);
    let put = apps.put(SHOP, Some(Path::new("/srv/shop"))).await?;
    assert_eq!(
        (put.result, put.current_version.as_str()),
        (PutResult::Created, "v1")
    );
    let got = apps.get(&shop(), Some("v1")).await?;
    assert_eq!(
        (got.text.as_deref(), got.base_dir.as_deref()),
        (Some(SHOP), Some("/srv/shop"))
    );
    let reply = apps.deploy(&shop(), None).await?;
    assert_eq!(
        (reply.version.as_deref(), reply.generation),
        (Some("v1"), Some(1))
    );
    assert_eq!(apps.status(&shop()).await?.status.kind, StatusType::Deployed);
    assert!(
        apps.versions(&shop())
            .await?
            .iter()
            .all(|version| version.deployed)
    );
    apps.pause(&shop()).await?;
    assert!(apps.status(&shop()).await?.paused);
    apps.resume(&shop()).await?;
    apps.undeploy(&shop()).await?;
    let kinds: Vec<HistoryKind> = apps
        .history(&shop())
        .await?
        .iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(kinds, [HistoryKind::Deployed, HistoryKind::Undeployed]);
    assert_eq!(apps.delete(&shop(), None).await?.result, DeleteResult::Deleted);
    assert_eq!(apps.delete(&shop(), None).await?.result, DeleteResult::Noop);
    Ok(())
}

async fn a_no_says_why(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let controller = lattice.controller(ControllerScript::default()).await?;
    let apps = client(&lattice, PATIENT).await?.apps();
    let refused = apps.deploy(&shop(), None).await.expect_err("it cannot work");
    assert!(matches!(refused, AppsError::NotFound { .. }), "{refused:?}");
    assert_eq!(
        told(&refused),
        "cannot deploy application `shop`: Application with the name shop not found"
    );
    let line_break = apps
        .put(SHOP, Some(Path::new("/a\nb")))
        .await
        .expect_err("it cannot work");
    assert!(matches!(line_break, AppsError::BaseDir { .. }), "{line_break:?}");
    controller.change(|script| {
        script.refuses.insert("put", "\x1b[31mno".to_owned());
        script.refuses.insert("get", String::new());
    });
    let refused = apps.put(SHOP, None).await.expect_err("it cannot work");
    assert_eq!(told(&refused), "cannot put the manifest: \u{fffd}[31mno");
    let refused = apps.get(&shop(), None).await.expect_err("it cannot work");
    assert_eq!(
        told(&refused),
        "cannot read the manifest of application `shop`: the controller refused and did not say why"
    );
    for (bytes, words) in [
        (&b""[..], "answered with something else"),
        (b"<html>", "answered with something else"),
        (
            br#"{"result":"ok"}"#,
            "answered without saying what was asked for",
        ),
        (br#"{"result":"surely"}"#, "refused and did not say why"),
        (br#"{"result":"ok","status":7}"#, "field `status`"),
    ] {
        controller.change(|script| {
            script.nonsense.insert("status", bytes.to_vec());
        });
        let refused = told(&apps.status(&shop()).await.expect_err("it cannot work"));
        assert!(
            refused.contains(words),
            "{refused} for {}",
            String::from_utf8_lossy(bytes)
        );
    }
    // Of what only ours can, v1's wadm says so.
    controller.change(|script| script.v1 = true);
    let refused = apps.rollback(&shop(), None).await.expect_err("it cannot work");
    assert!(matches!(refused, AppsError::Foreign { .. }), "{refused:?}");
    Ok(())
}

async fn while_nobody_leads_it_asks_again(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let client = client(&lattice, PATIENT).await?;
    let refused = client.apps().with_patience(SHORT).list().await;
    let refused = told(&refused.expect_err("it cannot work"));
    assert!(
        refused.starts_with(
            "cannot list the applications: no controller leads lattice `default`, and no host answers there (asked for "
        ),
        "{refused}"
    );
    let _host = lattice.host(Script::new("blue-heron-1", 1)).await?;
    let refused = client.apps().with_patience(SHORT).undeploy(&shop()).await;
    let refused = told(&refused.expect_err("it cannot work"));
    assert!(
        refused.contains("no controller leads lattice `default`, though a host answers there")
            && refused.ends_with("hint: start a host without `--controller off`, or wadm"),
        "{refused}"
    );
    // It takes its time, and is found.
    let apps = client.apps().with_patience(PATIENT);
    let asking = tokio::spawn(async move { apps.list().await });
    let _controller = lattice.controller(ControllerScript::default()).await?;
    assert_eq!(soon("answer", asking).await???, []);
    Ok(())
}

async fn reads_are_asked_again_of_the_next_controller(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let silent = ControllerScript {
        silent: vec!["get", "deploy"],
        ..ControllerScript::default()
    };
    let controller = lattice.controller(silent).await?;
    let client = client(&lattice, SHORT).await?;
    // Of a change it is not known whether it was done.
    let refused = client
        .apps()
        .deploy(&shop(), None)
        .await
        .expect_err("it cannot work");
    assert!(
        told(&refused).starts_with(
            "cannot deploy application `shop`: the controller of lattice `default` got the request and did not answer \
             within "
        ),
        "{refused}"
    );
    let apps = client.apps().with_patience(PATIENT);
    let asking = tokio::spawn(async move { apps.list().await });
    controller.asked("get", 2).await?;
    controller.change(|script| script.silent.clear());
    assert_eq!(soon("answer", asking).await???, []);
    Ok(())
}

async fn next_status(follower: &mut StatusFollower) -> Result<AppStatus> {
    match soon("status", follower.next()).await? {
        Followed::Status(status) => Ok(*status),
        other => anyhow::bail!("{other:?}"),
    }
}

async fn a_status_of_before_is_not_the_answer(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let controller = lattice.controller(ControllerScript::default()).await?;
    let apps = client(&lattice, PATIENT).await?.apps();
    apps.put(SHOP, None).await?;
    apps.deploy(&shop(), None).await?;
    let mut follower = apps.follow_status(&shop(), 2).await?;
    let behind = soon("word", follower.next()).await?;
    assert!(matches!(behind, Followed::Behind { generation: 1 }), "{behind:?}");
    // It is told of, so nobody waits for the next look.
    controller.fares("shop", |status| status.generation = 2).await?;
    let status = next_status(&mut follower).await?;
    assert_eq!((status.generation, status.status.kind), (2, StatusType::Deployed));
    // What is the same is not said again; a wait that is given up loses nothing.
    controller.fares("shop", |_| ()).await?;
    assert!(
        tokio::time::timeout(Duration::from_millis(300), follower.next())
            .await
            .is_err()
    );
    controller
        .fares("shop", |status| status.status.kind = StatusType::Unhealthy)
        .await?;
    assert_eq!(
        next_status(&mut follower).await?.status.kind,
        StatusType::Unhealthy
    );
    controller.die().await;
    let lost = soon("word", follower.next()).await?;
    assert!(
        matches!(&lost, Followed::Lost(error @ AppsError::NoController { .. }) if error.may_pass()),
        "{lost:?}"
    );
    Ok(())
}
