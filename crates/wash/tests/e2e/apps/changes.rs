//! Storing, undeploying, deleting, pausing: what is said, and what is refused.

use anyhow::Result;
use serde_json::json;
use wasmcloud_test_lattice::ControllerScript;

use super::{manifest, shop};
use crate::scripted::{launch, refused, run, text, value, with_lattice};

#[test]
fn an_application_is_put_and_goes() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        let one = manifest(dir.path(), "shop.yaml", &[])?;
        let two = manifest(dir.path(), "two.yaml", &[("version: v1", "version: v2")])?;
        assert_eq!(
            text(&lattice, &["app", "put", &one]).await?,
            "Put application \"shop\", version \"v1\""
        );
        assert_eq!(
            value(&lattice, &["app", "put", &two]).await?,
            json!({
                "model_name": "shop",
                "model_version": "v2",
                "total_versions": 2,
                "message": "Successfully put manifest shop v2",
                "success": true,
            })
        );
        // The text as it is, and the folder that files in it are relative to.
        let kept = controller.app("shop").expect("it was put");
        let (_, stored, base_dir) = kept.versions.first().expect("it was put");
        assert_eq!(*stored, shop(&[]));
        assert_eq!(base_dir.as_deref(), dir.path().to_str());

        let piped =
            launch(&lattice, &["app", "put", "-"])?.stdin(&shop(&[("version: v1", "version: v3")]))?;
        let ended = tokio::task::spawn_blocking(move || piped.run()).await??;
        assert_eq!(
            (ended.code, ended.stdout),
            (0, vec!["Put application \"shop\", version \"v3\"".to_owned()])
        );

        text(&lattice, &["app", "deploy", "shop@v1", "--no-wait"]).await?;
        assert_eq!(
            text(&lattice, &["app", "pause", "shop"]).await?,
            "Paused application: shop"
        );
        assert_eq!(
            text(&lattice, &["app", "resume", "shop"]).await?,
            "Resumed application: shop"
        );
        assert_eq!(
            text(&lattice, &["app", "delete", "shop", "--version", "v2"]).await?,
            "Deleted version v2 of application: shop"
        );
        assert_eq!(
            value(&lattice, &["app", "undeploy", "--all"]).await?,
            json!({
                "results": "Undeployed application: shop",
                "undeployed_application_names": ["shop"],
                "success": true,
            })
        );
        assert_eq!(
            text(&lattice, &["app", "undeploy", "--all"]).await?,
            "no application is deployed"
        );
        // The application by its manifest, as in v1.
        assert_eq!(
            text(&lattice, &["app", "undeploy", &one]).await?,
            "Undeployed application: shop"
        );
        assert_eq!(
            text(&lattice, &["app", "delete", "--all-undeployed"]).await?,
            "Deleted 1 application: shop"
        );
        assert_eq!(
            text(&lattice, &["app", "del", "shop"]).await?,
            "Already deleted application: shop"
        );
        assert!(controller.app("shop").is_none());
        Ok(())
    })
}

#[test]
fn what_is_wrong_is_said_before_anybody_is_asked() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        let wrong = manifest(
            dir.path(),
            "wrong.yaml",
            &[
                ("name: kv\n    - name", "name: kw\n    - name"),
                ("image: ghcr", "imgae: ghcr"),
            ],
        )?;
        let ended = run(&lattice, &["app", "deploy", &wrong]).await?;
        assert_eq!(ended.code, 3, "{}", ended.text());
        let said = ended.stderr.join("\n");
        assert!(
            said.contains("missing from the manifest: [kw]")
                && said.contains("wrong.yaml:23:21")
                && said.contains("unknown field `imgae`, did you mean `image`?"),
            "{said}"
        );
        assert!(controller.app("shop").is_none());

        for (args, code, words) in [
            (
                &["app", "put", "gone"][..],
                3,
                "error: there is no file `gone`\nhint: `wash app put` takes a manifest, `wash app deploy gone` has a \
                 stored application run",
            ),
            (
                &["app", "deploy", "https://acme.com/shop.yaml"],
                3,
                "error: manifests are not fetched from https://acme.com/shop.yaml\nhint: `curl -fsSL URL | wash app \
                 deploy -` reads it from there",
            ),
            (
                &["app", "deploy", "shop@1", "2"],
                2,
                "error: two versions are given: 1 and 2\nhint: leave one out",
            ),
            (
                &["app", "put", "-"],
                3,
                "error: the manifest is empty\n --> standard input:1:1",
            ),
        ] {
            let ended = run(&lattice, args).await?;
            let said = ended.stderr.join("\n");
            assert_eq!(ended.code, code, "{args:?} {said}");
            assert!(said.starts_with(words), "{args:?} {said}");
        }
        Ok(())
    })
}

#[test]
fn what_the_controller_refuses_is_said_with_a_way_out() -> Result<()> {
    with_lattice(async |lattice| {
        let controller = lattice.controller(ControllerScript::default()).await?;
        let dir = tempfile::tempdir()?;
        let one = manifest(dir.path(), "shop.yaml", &[])?;
        let other = manifest(dir.path(), "other.yaml", &[("instances: 2", "instances: 3")])?;
        text(&lattice, &["app", "put", &one]).await?;
        assert_eq!(
            refused(&lattice, &["app", "put", &other]).await?,
            "error: cannot put the manifest: Manifest version v1 already exists\n\
             hint: give the manifest another version (annotation `version`), which is changed without a gap; or `wash \
             app deploy --replace`, which stops it meanwhile"
        );
        let ended = run(&lattice, &["app", "deploy", "--replace", &other]).await?;
        assert_eq!(ended.code, 0, "{}", ended.text());
        assert_eq!(ended.stdout, ["Deployed application \"shop\", version \"v1\""]);
        assert_eq!(
            ended.stderr.first().map(String::as_str),
            Some("deleted version v1 of application `shop`")
        );

        assert_eq!(
            refused(&lattice, &["app", "status", "shpo"]).await?,
            "error: cannot read the status of application `shpo`: Application with the name shpo not found\n\
             hint: did you mean `shop`?"
        );
        assert_eq!(
            refused(&lattice, &["app", "get", "shop", "v9"]).await?,
            "error: cannot read the manifest of application `shop`: Application shop with version v9 doesn't exist\n\
             hint: `wash app versions shop` lists its versions"
        );
        controller.change(|script| {
            script.refuses.insert(
                "deploy",
                "Component identifier 'a' is already deployed".to_owned(),
            );
        });
        assert_eq!(
            refused(&lattice, &["app", "deploy", "shop"]).await?,
            "error: cannot deploy application `shop`: Component identifier 'a' is already deployed"
        );
        Ok(())
    })
}

#[test]
fn without_a_controller_it_is_said_what_to_start() -> Result<()> {
    with_lattice(async |lattice| {
        let said = refused(&lattice, &["app", "list"]).await?;
        assert!(
            said.starts_with(
                "error: cannot list the applications: no controller leads lattice `default`, and no host answers there \
                 (asked for "
            ) && said.ends_with(
                "\nhint: `wash up` or `wash host` starts a host, which is a controller as well"
            ),
            "{said}"
        );
        // One that takes over meanwhile answers.
        let _host = lattice
            .host(wasmcloud_test_lattice::Script::new("blue-heron-1", 1))
            .await?;
        let waiting = launch(&lattice, &["app", "list"])?.start()?;
        let _controller = lattice.controller(ControllerScript::default()).await?;
        let ended = tokio::task::spawn_blocking(move || waiting.wait_exit(wasmcloud_test_lattice::SOON));
        let ended = ended.await??;
        assert_eq!(ended.code, 0, "{}", ended.text());
        assert_eq!(ended.stderr, ["there is no application in lattice `default`"]);
        Ok(())
    })
}

#[test]
fn where_wadm_of_v1_leads_what_it_cannot_do_is_said() -> Result<()> {
    with_lattice(async |lattice| {
        let script = ControllerScript {
            v1: true,
            ..ControllerScript::default()
        };
        let _controller = lattice.controller(script).await?;
        let dir = tempfile::tempdir()?;
        let one = manifest(dir.path(), "shop.yaml", &[])?;
        assert_eq!(
            text(&lattice, &["app", "deploy", &one]).await?,
            "Deployed application \"shop\", version \"v1\""
        );
        // Which version it is stands in another answer of wadm.
        let status = text(&lattice, &["-o", "json", "app", "status", "shop"]).await?;
        assert!(status.contains(r#""version":"v1""#), "{status}");
        assert_eq!(
            refused(&lattice, &["app", "why", "shop"]).await?,
            "error: cannot find out why application `shop` is as it is: Unsupported subject: \
             wadm.api.default.model.why.shop\n\
             hint: v1's wadm leads this lattice, and it cannot do that"
        );
        let ended = run(&lattice, &["app", "history", "shop"]).await?;
        assert_eq!(
            ended.stderr,
            ["v1's wadm leads this lattice and knows no history; these are the versions"]
        );
        assert_eq!(
            ended.stdout,
            [
                "VERSION  DEPLOYED  PUT",
                "v1       yes       2026-11-22T09:47:20Z"
            ]
        );
        Ok(())
    })
}
