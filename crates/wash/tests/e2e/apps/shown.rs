//! What is shown of applications: lists, the tree of a status, reasons, differences.

use anyhow::{Context as _, Result};
use serde_json::json;
use wasmcloud_test_kit::process::SOON;
use wasmcloud_test_lattice::{ControllerScript, Script};
use wasmcloud_wire::app::{
    GetResult, OnHost, PartDecision, ScalerStatus, SpreadDecision, StatusInfo, StatusType, WhyReply,
};

use super::{manifest, shop};
use crate::scripted::{launch, run, text, value, with_lattice};

#[test]
fn lists_versions_and_manifests() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        let one = manifest(dir.path(), "shop.yaml", &[])?;
        let other = manifest(dir.path(), "other.yaml", &[("name: shop", "name: other")])?;
        text(&lattice, &["app", "deploy", &one]).await?;
        text(&lattice, &["app", "put", &other]).await?;
        text(
            &lattice,
            &[
                "app",
                "put",
                &manifest(dir.path(), "b.yaml", &[("version: v1", "version: v2")])?,
            ],
        )
        .await?;
        controller
            .fares("shop", |status| {
                status.status.kind = StatusType::Failed;
                status.status.message = "no\x1b[2J host\nfits".to_owned();
            })
            .await?;
        let expected = "NAME   VERSION  DEPLOYED  STATUS      MESSAGE\n\
                        other  v1       -         undeployed\n\
                        shop   v2       v1        failed      no\u{fffd}[2J host fits";
        assert_eq!(text(&lattice, &["app", "list"]).await?, expected);
        // As in v1.
        assert_eq!(text(&lattice, &["app", "get"]).await?, expected);
        let all = value(&lattice, &["app", "list"]).await?;
        assert_eq!(
            all.pointer("/applications/1/deployed_version"),
            Some(&json!("v1"))
        );
        assert_eq!(
            text(&lattice, &["app", "versions", "shop"]).await?,
            "VERSION  DEPLOYED  PUT\n\
             v1       yes       2026-11-22T09:47:20Z\n\
             v2                 2026-11-22T09:47:20Z"
        );
        for args in [
            &["app", "get", "shop", "v1"][..],
            &["app", "get", "shop", "--version", "v1"],
        ] {
            assert_eq!(text(&lattice, args).await?, shop(&[]).trim_end());
        }
        Ok(())
    })
}

fn cart(runs: u32) -> ScalerStatus {
    ScalerStatus {
        id: "1".to_owned(),
        kind: "SpreadScaler".to_owned(),
        name: "shop-cart".to_owned(),
        status: StatusInfo {
            kind: StatusType::Reconciling,
            message: "Scaling component on 1 host(s)".to_owned(),
        },
        alias: Some("cart".to_owned()),
        hosts: vec![
            OnHost {
                host: Script::new("", 1).id.to_string(),
                runs,
                wanted: 1,
            },
            OnHost {
                host: "NGONE".to_owned(),
                runs: 0,
                wanted: 1,
            },
        ],
        waits: vec!["for another host to be done first".to_owned()],
        error: None,
    }
}

#[test]
fn the_status_is_a_tree_and_follows() -> Result<()> {
    with_lattice(async |lattice| {
        let _host = lattice.host(Script::new("blue-heron-1", 1)).await?;
        let controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        text(
            &lattice,
            &["app", "deploy", &manifest(dir.path(), "shop.yaml", &[])?],
        )
        .await?;
        let link = ScalerStatus {
            kind: "LinkScaler".to_owned(),
            name: "shop-cart -(wasi:keyvalue)-> shop-kv".to_owned(),
            status: StatusInfo {
                kind: StatusType::Deployed,
                message: String::new(),
            },
            ..ScalerStatus::default()
        };
        controller
            .fares("shop", |status| {
                status.status.kind = StatusType::Reconciling;
                status.scalers = vec![link, cart(0)];
                status.paused = true;
            })
            .await?;
        let expected = "shop reconciling (paused), version v1, generation 1\n  components and providers\n    cart  \
                        reconciling 0/2: Scaling component on 1 host(s); waits for another host to be done first\n      \
                        on blue-heron-1 0/1, NGONE 0/1\n  links\n    shop-cart -(wasi:keyvalue)-> shop-kv  deployed";
        assert_eq!(text(&lattice, &["app", "status", "shop"]).await?, expected);
        let shown = value(&lattice, &["app", "status", "shop"]).await?;
        assert_eq!(shown.pointer("/status/status/type"), Some(&json!("reconciling")));
        assert_eq!(shown.pointer("/status/scalers/1/hosts/0/wanted"), Some(&json!(1)));

        let wash = launch(&lattice, &["-o", "json", "app", "status", "shop", "--watch"])?.start()?;
        let seen = |runs: u32| {
            let word = format!("\"runs\":{runs},\"wanted\":1");
            tokio::task::block_in_place(|| {
                wash.wait_for(&word, SOON, |stdout, _| {
                    stdout.iter().any(|line| line.contains(&word)).then_some(())
                })
            })
        };
        seen(0)?;
        controller
            .fares("shop", |status| status.scalers[1] = cart(1))
            .await?;
        seen(1)?;
        wash.interrupt()?;
        let ended = tokio::task::spawn_blocking(move || wash.wait_exit(SOON)).await??;
        assert_eq!((ended.code, ended.stdout.len()), (0, 2), "{}", ended.text());
        Ok(())
    })
}

#[test]
fn why_says_what_was_decided() -> Result<()> {
    with_lattice(async |lattice| {
        let part = PartDecision {
            kind: "SpreadScaler".to_owned(),
            name: "shop-cart".to_owned(),
            alias: Some("cart".to_owned()),
            status: cart(0).status,
            scale: None,
            spreads: vec![SpreadDecision {
                name: "default".to_owned(),
                wanted: 2,
                eligible: 1,
            }],
            hosts: cart(0).hosts,
            waits: vec!["for the effect of: start cart".to_owned()],
        };
        let script = ControllerScript {
            why: WhyReply {
                result: GetResult::Success,
                message: String::new(),
                parts: vec![part],
                held: Some("hosts may be missing".to_owned()),
            },
            ..ControllerScript::default()
        };
        let _controller = lattice.controller(script).await?;
        let dir = tempfile::tempdir()?;
        text(
            &lattice,
            &["app", "put", &manifest(dir.path(), "shop.yaml", &[])?],
        )
        .await?;
        let short: String = Script::new("", 1).id.as_str().chars().take(10).collect();
        assert_eq!(
            text(&lattice, &["app", "why", "shop", "cart"]).await?,
            format!(
                "nothing is changed at the moment: hosts may be missing\n\
                 cart (shop-cart) reconciling: Scaling component on 1 host(s)\n  spread default: 2 wanted, 1 host may \
                 take them\n  on {short}… 0/1, NGONE 0/1\n  waits for the effect of: start cart"
            )
        );
        let shown = value(&lattice, &["app", "why", "shop"]).await?;
        assert_eq!(shown.pointer("/parts/0/spreads/0/eligible"), Some(&json!(1)));
        Ok(())
    })
}

#[test]
fn differences_are_shown_and_have_an_exit_code() -> Result<()> {
    with_lattice(async |lattice| {
        let _controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        let one = manifest(dir.path(), "shop.yaml", &[])?;
        text(&lattice, &["app", "put", &one]).await?;
        let ended = run(&lattice, &["app", "diff", &one]).await?;
        assert_eq!(ended.code, 1);
        assert_eq!(
            ended.stderr,
            [
                "error: no version of application `shop` is deployed",
                "hint: name the version to compare with, `wash app versions shop` lists them"
            ]
        );
        text(&lattice, &["app", "deploy", "shop"]).await?;
        assert_eq!(
            text(&lattice, &["app", "diff", &one]).await?,
            format!("{one} means the same as shop@v1")
        );
        let two = manifest(
            dir.path(),
            "two.yaml",
            &[
                ("version: v1", "version: v2"),
                ("instances: 2", "instances: 3"),
                ("name: kv", "name: redis"),
            ],
        )?;
        let ended = run(&lattice, &["app", "diff", &two]).await?;
        assert_eq!((ended.code, ended.stderr.len()), (6, 0), "{}", ended.text());
        assert_eq!(
            ended.stdout.join("\n"),
            format!(
                "from shop@v1 to {two}\n~ application shop\n    version: v1 -> v2\n~ component cart\n    instances: 2 -> \
                 3\n- provider kv\n+ provider redis\n    id: shop-redis\n    image: ghcr.io/acme/kv:1\n    instances: \
                 1\n    scaler: spreadscaler\n- link cart -(wasi:keyvalue)-> kv\n+ link cart -(wasi:keyvalue)-> \
                 redis\n    interfaces: store"
            )
        );
        text(&lattice, &["app", "put", &two]).await?;
        let ended = run(&lattice, &["-o", "json", "app", "diff", "shop", "v2"]).await?;
        let same = ended.events().pop().context("JSON was printed")?;
        assert_eq!((ended.code, same.get("equal")), (0, Some(&json!(true))), "{same}");
        let ended = run(&lattice, &["-o", "json", "app", "diff", "shop@v2"]).await?;
        let shown = ended.events().pop().context("JSON was printed")?;
        assert_eq!(ended.code, 6);
        assert_eq!(
            shown.pointer("/changes/1"),
            Some(&json!({
                "change": "changed",
                "part": "component",
                "name": "cart",
                "fields": [{ "field": "instances", "from": "2", "to": "3" }],
            }))
        );
        Ok(())
    })
}
