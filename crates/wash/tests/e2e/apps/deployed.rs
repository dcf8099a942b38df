//! Deploying and rolling back: the wait, what is said meanwhile, and how it ends.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use wasmcloud_test_kit::process::{Ended, SOON, Wash};
use wasmcloud_test_lattice::{ControllerScript, Script, ScriptedController, TestLattice};
use wasmcloud_wire::app::{AppStatus, OnHost, ScalerStatus, StatusInfo, StatusType};

use super::manifest;
use crate::scripted::{launch, run, text, with_lattice};

fn part(kind: &str, name: &str, alias: Option<&str>) -> ScalerStatus {
    ScalerStatus {
        id: format!("id-of-{name}"),
        kind: kind.to_owned(),
        name: name.to_owned(),
        status: StatusInfo {
            kind: StatusType::Reconciling,
            message: String::new(),
        },
        alias: alias.map(str::to_owned),
        ..ScalerStatus::default()
    }
}

/// The parts of the shop, none of which runs.
fn parts() -> Vec<ScalerStatus> {
    vec![
        part("SpreadScaler", "shop-cart", Some("cart")),
        part("SpreadScaler", "shop-kv", Some("kv")),
        part("LinkScaler", "shop-cart -(wasi:keyvalue)-> shop-kv", None),
    ]
}

fn done(part: &mut ScalerStatus, host: Option<&str>, runs: u32) {
    part.status = StatusInfo {
        kind: StatusType::Deployed,
        message: String::new(),
    };
    part.waits.clear();
    part.hosts = host
        .map(|host| OnHost {
            host: host.to_owned(),
            runs,
            wanted: runs,
        })
        .into_iter()
        .collect();
}

fn all_done(status: &mut AppStatus, host: &str) {
    for (part, host) in status
        .scalers
        .iter_mut()
        .zip([Some((host, 2)), Some((host, 1)), None])
    {
        done(part, host.map(|host| host.0), host.map_or(0, |host| host.1));
    }
    status.status.kind = StatusType::Deployed;
}

async fn slow(lattice: &TestLattice) -> Result<ScriptedController> {
    let script = ControllerScript {
        slow: true,
        ..ControllerScript::default()
    };
    lattice.controller(script).await
}

/// Waits until it has printed this line on stderr.
async fn says(wash: &Wash, line: &str) -> Result<()> {
    tokio::task::block_in_place(|| {
        wash.wait_for(line, SOON, |stdout, stderr| {
            stdout.iter().chain(stderr).any(|said| said == line).then_some(())
        })
    })
}

async fn ends(wash: Wash) -> Result<Ended> {
    tokio::task::spawn_blocking(move || wash.wait_exit(SOON)).await?
}

#[test]
fn it_waits_and_says_what_changes() -> Result<()> {
    with_lattice(async |lattice| {
        let host = lattice.host(Script::new("blue-heron-1", 1)).await?;
        let controller = slow(&lattice).await?;
        let dir = tempfile::tempdir()?;
        let shop = manifest(dir.path(), "shop.yaml", &[])?;
        let wash = launch(&lattice, &["app", "deploy", &shop])?.start()?;
        controller.asked("status", 1).await?;
        controller
            .fares("shop", |status| status.scalers = parts())
            .await?;
        says(&wash, "  cart: reconciling").await?;
        says(&wash, "  link shop-cart -(wasi:keyvalue)-> shop-kv: reconciling").await?;
        // A failure is told at once, and may heal.
        let fails = |status: &mut AppStatus| {
            let part = &mut status.scalers[0];
            part.status.kind = StatusType::Failed;
            part.status.message =
                "Could not satisfy spread default for cart, 0/1 eligible hosts found.".to_owned();
            part.waits = vec!["for somebody to come".to_owned()];
            status.status.kind = StatusType::Failed;
        };
        controller.fares("shop", fails).await?;
        let failed = "  cart: failed: Could not satisfy spread default for cart, 0/1 eligible hosts found.; waits for \
                      somebody to come";
        says(&wash, failed).await?;
        controller
            .fares("shop", |status| all_done(status, host.id().as_str()))
            .await?;
        let ended = ends(wash).await?;
        assert_eq!(ended.code, 0, "{}", ended.text());
        assert_eq!(ended.stdout, ["Deployed application \"shop\", version \"v1\""]);
        let took = ended
            .stderr
            .iter()
            .position(|line| line.starts_with("deployed after "));
        let took = took.context("it says how long it took")?;
        let mut said = ended.stderr.clone();
        said.remove(took);
        assert_eq!(
            said,
            [
                "put application `shop`, version v1",
                "deploying version v1 of application `shop`",
                "  reconciling",
                "  cart: reconciling",
                "  kv: reconciling",
                "  link shop-cart -(wasi:keyvalue)-> shop-kv: reconciling",
                failed,
                "  cart: deployed 2/2",
                "  kv: deployed 1/1",
                "  link shop-cart -(wasi:keyvalue)-> shop-kv: deployed",
                "  cart runs on blue-heron-1 (2)",
                "  kv runs on blue-heron-1",
            ]
        );
        Ok(())
    })
}

#[test]
fn scripts_get_events() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = slow(&lattice).await?;
        let dir = tempfile::tempdir()?;
        let shop = manifest(dir.path(), "shop.yaml", &[])?;
        let wash = launch(&lattice, &["-o", "json", "app", "deploy", &shop])?.start()?;
        controller.asked("status", 1).await?;
        controller
            .fares("shop", |status| {
                status.scalers = parts();
                all_done(status, "NABC");
            })
            .await?;
        let ended = ends(wash).await?;
        assert_eq!((ended.code, ended.stderr.len()), (0, 0), "{}", ended.text());
        let events = ended.events();
        let names: Vec<&str> = events
            .iter()
            .filter_map(|event| event.get("event").and_then(Value::as_str))
            .collect();
        assert_eq!(
            names,
            [
                "put",
                "acknowledged",
                "status",
                "part",
                "part",
                "part",
                "deployed"
            ]
        );
        assert_eq!(
            events.get(3),
            Some(&json!({
                "event": "part",
                "name": "cart",
                "id": "shop-cart",
                "kind": "SpreadScaler",
                "status": "deployed",
                "message": "",
                "waits": [],
                "hosts": [{ "host": "NABC", "runs": 2, "wanted": 2 }],
            }))
        );
        let last = events.last().context("there are events")?;
        for (key, expect) in [
            ("deployed", json!(true)),
            ("model_name", json!("shop")),
            ("model_version", json!("v1")),
            ("generation", json!(1)),
            ("success", json!(true)),
        ] {
            assert_eq!(last.get(key), Some(&expect), "{key}");
        }
        Ok(())
    })
}

#[test]
fn when_the_time_is_up_it_says_what_is_missing() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = slow(&lattice).await?;
        let dir = tempfile::tempdir()?;
        let shop = manifest(dir.path(), "shop.yaml", &[])?;
        text(&lattice, &["app", "put", &shop]).await?;
        controller
            .fares("shop", |status| {
                status.scalers = parts();
                done(&mut status.scalers[1], Some("NABC"), 1);
                status.scalers[0].waits = vec!["for config `prices`, which nobody has put".to_owned()];
            })
            .await?;
        let args = ["app", "deploy", "shop", "--wait-timeout", "1s"];
        let ended = run(&lattice, &args).await?;
        assert_eq!((ended.code, ended.stdout.len()), (4, 0), "{}", ended.text());
        let said = ended.stderr.join("\n");
        let (_, said) = said.split_once("error: ").context("it fails")?;
        assert_eq!(
            said,
            "application `shop` does not run as it should after 1.0 s\n  \
             caused by: cart: reconciling: waits for config `prices`, which nobody has put\n  \
             caused by: link shop-cart -(wasi:keyvalue)-> shop-kv: reconciling\n\
             hint: it goes on being tried; `wash app status shop --watch` shows it, `wash app why shop` says more"
        );
        let ended = run(&lattice, &[&["-o", "json"], &args[..]].concat()).await?;
        let last = ended.events().pop().context("there are events")?;
        assert_eq!(
            (last.get("kind"), last.get("success")),
            (Some(&json!("not-deployed")), Some(&json!(false)))
        );

        // Nobody waits here.
        assert_eq!(
            text(&lattice, &["app", "deploy", "shop", "--no-wait"]).await?,
            "Deployed application \"shop\", version \"v1\""
        );
        controller.change(|script| script.silent.push("status"));
        let ended = run(&lattice, &args).await?;
        assert_eq!(ended.code, 4, "{}", ended.text());
        Ok(())
    })
}

#[test]
fn who_deploys_something_else_meanwhile_ends_the_wait() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = slow(&lattice).await?;
        let dir = tempfile::tempdir()?;
        let shop = manifest(dir.path(), "shop.yaml", &[])?;
        let wash = launch(&lattice, &["app", "deploy", &shop])?.start()?;
        controller.asked("status", 1).await?;
        text(&lattice, &["app", "undeploy", "shop"]).await?;
        let ended = ends(wash).await?;
        assert_eq!(ended.code, 1, "{}", ended.text());
        assert_eq!(
            ended.stderr.last().map(String::as_str),
            Some("error: stopped waiting for application `shop`: it was undeployed meanwhile")
        );
        Ok(())
    })
}

#[test]
fn a_controller_that_dies_meanwhile_is_waited_for() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = slow(&lattice).await?;
        let dir = tempfile::tempdir()?;
        let shop = manifest(dir.path(), "shop.yaml", &[])?;
        let wash = launch(&lattice, &["app", "deploy", &shop])?.start()?;
        controller.asked("status", 1).await?;
        let kept = controller.app("shop").context("it was put")?;
        controller.die().await;
        let lost = "  still waiting: cannot read the status of application `shop`: no controller leads lattice \
                    `default`";
        says(&wash, lost).await?;
        let mut next = ControllerScript::default();
        next.apps.insert("shop".parse()?, kept);
        let next = lattice.controller(next).await?;
        next.fares("shop", |status| status.status.kind = StatusType::Deployed)
            .await?;
        let ended = ends(wash).await?;
        assert_eq!(ended.code, 0, "{}", ended.text());
        Ok(())
    })
}

#[test]
fn the_version_before_runs_again() -> Result<()> {
    with_lattice(async |lattice| {
        let _controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        for version in ["v1", "v2"] {
            let shop = manifest(
                dir.path(),
                "shop.yaml",
                &[("version: v1", &format!("version: {version}"))],
            )?;
            text(&lattice, &["app", "deploy", &shop]).await?;
        }
        assert_eq!(
            text(&lattice, &["app", "rollback", "shop"]).await?,
            "Rolled back application \"shop\", version \"v1\""
        );
        assert_eq!(
            text(&lattice, &["app", "history", "shop"]).await?,
            "GENERATION  TIME                  WHAT         VERSION  WHY\n\
             1           2026-11-22T09:47:20Z  deployed     v1\n\
             2           2026-11-22T09:47:20Z  deployed     v2\n\
             3           2026-11-22T09:47:20Z  rolled back  v1"
        );
        Ok(())
    })
}
