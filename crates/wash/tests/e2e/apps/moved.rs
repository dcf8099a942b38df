//! Applications moved from one lattice to another, as files.

use std::fs;

use anyhow::Result;
use serde_json::{Value, json};
use wasmcloud_lattice::{Bucket, open_state};
use wasmcloud_test_lattice::{ControllerScript, TestLattice};

use super::{manifest, shop};
use crate::scripted::{run, text, with_lattice};

#[test]
fn what_is_exported_can_be_imported_elsewhere() -> Result<()> {
    with_lattice(async |lattice| {
        let _controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        for version in ["v1", "a/b", "v3"] {
            let file = manifest(
                dir.path(),
                "shop.yaml",
                &[("version: v1", &format!("version: {version}"))],
            )?;
            text(&lattice, &["app", "put", &file]).await?;
        }
        text(&lattice, &["app", "deploy", "shop", "a/b"]).await?;
        let out = dir.path().join("out");
        let out = out.to_str().expect("it is text");
        let ended = run(&lattice, &["app", "export", out]).await?;
        assert_eq!(ended.code, 0, "{}", ended.text());
        assert_eq!(
            ended.stdout,
            [format!("wrote 1 application with 3 versions to {out}")]
        );
        assert_eq!(
            ended.stderr,
            ["  shop/v1.yaml", "  shop/a%2fb.yaml", "  shop/v3.yaml"]
        );
        assert_eq!(fs::read_to_string(format!("{out}/shop/v1.yaml"))?, shop(&[]));
        let index: Value = serde_json::from_str(&fs::read_to_string(format!("{out}/index.json"))?)?;
        assert_eq!(
            index,
            json!({
                "format": 1,
                "lattice": "default",
                "applications": [{
                    "name": "shop",
                    "deployed": "a/b",
                    "versions": [
                        { "version": "v1", "file": "shop/v1.yaml", "base_dir": dir.path() },
                        { "version": "a/b", "file": "shop/a%2fb.yaml", "base_dir": dir.path() },
                        { "version": "v3", "file": "shop/v3.yaml", "base_dir": dir.path() },
                    ],
                }],
            })
        );

        let second = TestLattice::embedded().await?;
        let controller = second.controller(ControllerScript::default()).await?;
        let ended = run(&second, &["app", "import", out]).await?;
        assert_eq!(ended.code, 0, "{}", ended.text());
        assert_eq!(
            ended.stdout,
            ["put 3 versions, skipped 0 that were there, deployed 1 application"]
        );
        assert_eq!(
            ended.stderr,
            [
                "  put shop, version v1",
                "  put shop, version a/b",
                "  put shop, version v3",
                "  deployed shop, version a/b",
            ]
        );
        let kept = controller.app("shop").expect("it was put");
        assert_eq!(kept.deployed.as_deref(), Some("a/b"));
        assert!(
            kept.versions
                .iter()
                .all(|(.., base)| base.as_deref() == dir.path().to_str())
        );

        // Once more: nothing is changed.
        let again = run(&second, &["-o", "json", "app", "import", out]).await?;
        assert_eq!(again.code, 0, "{}", again.text());
        assert_eq!(
            again.events().pop(),
            Some(json!({ "put": 0, "skipped": 3, "deployed": 0, "refused": 0, "success": true }))
        );
        // Another text under a name that is taken is no success, and keeps nothing else from being put.
        fs::write(
            format!("{out}/shop/v1.yaml"),
            shop(&[("instances: 2", "instances: 9")]),
        )?;
        let ended = run(&second, &["app", "import", out]).await?;
        assert_eq!(ended.code, 1, "{}", ended.text());
        assert_eq!(
            ended.stderr.first().map(String::as_str),
            Some("warning: shop, version v1: the lattice has that version with another text")
        );
        assert_eq!(
            controller.app("shop").expect("it was put").versions,
            kept.versions
        );
        Ok(())
    })
}

#[test]
fn manifests_are_put_and_nothing_is_half_done() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        let one = manifest(dir.path(), "shop.yaml", &[])?;
        let other = manifest(dir.path(), "other.yaml", &[("name: shop", "name: other")])?;
        let wrong = manifest(dir.path(), "wrong.yaml", &[("kind: Application", "kind: App")])?;
        let ended = run(&lattice, &["app", "import", &one, &wrong]).await?;
        assert_eq!(ended.code, 3, "{}", ended.text());
        assert!(controller.app("shop").is_none());
        assert_eq!(
            text(&lattice, &["app", "import", &one, &other]).await?,
            "put 2 versions, skipped 0 that were there, deployed 0 applications"
        );
        assert!(controller.app("other").is_some_and(|app| app.deployed.is_none()));
        let ended = run(&lattice, &["app", "import", &dir.path().display().to_string()]).await?;
        assert_eq!(ended.code, 3, "{}", ended.text());
        assert!(
            ended.stderr.join("\n").contains("has no index.json"),
            "{}",
            ended.text()
        );
        Ok(())
    })
}

/// As long as wadm answers, what is meant for our controller would get to it.
#[test]
fn nothing_is_taken_over_from_a_wadm_that_runs() -> Result<()> {
    with_lattice(async |lattice| {
        let script = ControllerScript {
            v1: true,
            ..ControllerScript::default()
        };
        let controller = lattice.controller(script).await?;
        let state = open_state(&lattice.connect().await?, Bucket::new("wadm_manifests")?, None).await?;
        let manifest = json!({ "metadata": { "name": "shop" } });
        let kept = json!({ "manifests": { "v1": manifest }, "deployed_version": "v1" });
        state.put("default-shop", kept.to_string().into()).await?;
        state.put("default", json!(["shop"]).to_string().into()).await?;
        let ended = run(&lattice, &["app", "import", "--from-wadm"]).await?;
        assert_eq!(ended.code, 1, "{}", ended.text());
        let said = ended.text();
        let expected = "error: v1's wadm still leads lattice `default`\nhint: stop it";
        assert!(said.contains(expected), "{said}");
        assert!(controller.app("shop").is_none());
        Ok(())
    })
}
