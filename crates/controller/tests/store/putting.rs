//! Manifests that are put and read.

use anyhow::{Result, ensure};
use wasmcloud_controller::store::{MAX_VERSION_LEN, PutKind, Store};
use wasmcloud_wire::app::{AppRecord, MAX_VERSIONS, VersionRecord};

use crate::support::{Target, World, connect, manifest, name, refused, with};

crate::support::for_all_servers!(
    versions_are_kept_in_order,
    the_same_text_again_changes_nothing,
    a_version_that_nobody_chose_is_made_of_the_text,
    relative_images_need_a_directory,
    what_is_wrong_is_said_wholly,
    what_does_not_fit_is_refused,
    there_is_a_last_version,
);

async fn versions_are_kept_in_order(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let store = &world.store;
    let first = store.put(&manifest("shop", "1", "a/b:1"), None).await?;
    ensure!(first.kind == PutKind::Created && first.total == 1, "{first:?}");
    let second = store.put(&manifest("shop", "2", "a/b:2"), None).await?;
    ensure!(
        second.kind == PutKind::NewVersion && second.total == 2,
        "{second:?}"
    );
    let record = store.existing(&name("shop")).await?;
    let versions: Vec<&str> = record
        .versions
        .iter()
        .map(|version| version.version.as_str())
        .collect();
    ensure!(
        versions == ["1", "2"] && record.generation == 0 && record.deployed.is_none(),
        "{record:?}"
    );
    for (asked, image) in [(None, "a/b:2"), (Some("latest"), "a/b:2"), (Some("1"), "a/b:1")] {
        let got = store.get(&name("shop"), asked).await?;
        ensure!(
            got.json["spec"]["components"][0]["properties"]["image"] == image,
            "{got:?}"
        );
        ensure!(got.text.contains(image));
    }
    let other = refused(store.get(&name("shop"), Some("3")).await)?;
    ensure!(
        other == "Application shop with version 3 doesn't exist",
        "{other}"
    );
    let other = refused(store.get(&name("nothere"), None).await)?;
    ensure!(other == "Application with the name nothere not found", "{other}");
    let other = refused(store.put(&manifest("shop", "1", "a/b:3"), None).await)?;
    ensure!(other == "Manifest version 1 already exists", "{other}");
    Ok(())
}

async fn the_same_text_again_changes_nothing(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let (one, two) = (manifest("shop", "1", "a/b:1"), manifest("shop", "2", "a/b:2"));
    for text in [&one, &two] {
        world.put(text).await?;
    }
    let again = world.store.put(&two, None).await?;
    ensure!(again.kind == PutKind::Again && again.total == 2, "{again:?}");
    let again = world.store.put(&one, None).await?;
    ensure!(again.kind == PutKind::Again && again.total == 2, "{again:?}");
    let newest = world.store.get(&name("shop"), None).await?;
    ensure!(newest.version == "1", "what was put last is the newest");
    Ok(())
}

async fn a_version_that_nobody_chose_is_made_of_the_text(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let text = with("shop", "description: 'all sorts'", "image: a/b:1");
    let one = world.put(&text).await?;
    ensure!(one == world.put(&text).await? && one.len() == 16, "{one}");
    let other = world.put(&with("shop", "", "image: a/b:1")).await?;
    ensure!(one != other);
    let got = world.store.get(&name("shop"), Some(&one)).await?;
    let annotations = &got.json["metadata"]["annotations"];
    ensure!(
        annotations["version"] == one.as_str() && annotations["description"] == "all sorts",
        "{annotations}"
    );
    ensure!(got.text == text, "the text is as it was put");
    Ok(())
}

async fn relative_images_need_a_directory(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let text = manifest("shop", "1", "'file://./build/cart.wasm'");
    let why = refused(world.store.put(&text, None).await)?;
    ensure!(
        why == "Unable to parse manifest: 10:26: image `file://./build/cart.wasm` is relative, and whoever put the \
                manifest did not say to which directory; hint: use `wash app put` or `wash app deploy`, or an absolute \
                path",
        "{why}"
    );
    let why = refused(world.store.put(&text, Some("work")).await)?;
    ensure!(
        why == "the base directory `work` is relative; hint: name it from the root",
        "{why}"
    );
    let put = world.store.put(&text, Some("/srv")).await?;
    ensure!(put.desired.components[0].image.to_string() == "file:///srv/build/cart.wasm");
    let elsewhere = refused(world.store.put(&text, Some("/home")).await)?;
    ensure!(
        elsewhere == "Manifest version 1 already exists",
        "it is another one: {elsewhere}"
    );
    // Where nothing is relative, the directory does not matter.
    let absolute = manifest("other", "1", "a/b:1");
    let one = world.store.put(&absolute, Some("/srv")).await?;
    let two = world.store.put(&absolute, None).await?;
    ensure!(one.revision == two.revision && two.kind == PutKind::Again);
    // Another store has only what is kept.
    let other = Store::open(&connect(&world.server).await?).await?;
    ensure!(other.get(&name("shop"), None).await?.base_dir.as_deref() == Some("/srv"));
    Ok(())
}

async fn what_is_wrong_is_said_wholly(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let text = with("shop", "version: latest", "image: a/b:1, id: 'a.b', imgae: x");
    let why = refused(world.store.put(&text, None).await)?;
    for part in [
        "Unable to parse manifest: ",
        "5:27: latest is not allowed in wadm",
        "; 10:37: component id `a.b` contains '.'",
        "; 10:44: unknown field `imgae`, did you mean `image`?",
    ] {
        ensure!(why.contains(part), "{part}: {why}");
    }
    let why = refused(world.store.put("{", None).await)?;
    ensure!(why.starts_with("Unable to parse manifest: 1:"), "{why}");
    let why = refused(world.store.put(&manifest("a.b", "1", "a/b:1"), None).await)?;
    ensure!(
        why.contains("manifest name [a.b] is not allowed (should match regex [^[-\\w]+$])"),
        "{why}"
    );
    ensure!(world.store.list().await?.is_empty(), "nothing was stored");
    Ok(())
}

async fn what_does_not_fit_is_refused(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let long = "x".repeat(MAX_VERSION_LEN + 1);
    let why = refused(world.store.put(&manifest("shop", &long, "a/b:1"), None).await)?;
    ensure!(
        why == "the name of the version has 129 bytes, the limit is 128",
        "{why}"
    );
    let text = with(
        "shop",
        &format!("version: \"1\", description: {}", "y".repeat(1023 << 10)),
        "image: a/b:1",
    );
    let why = refused(world.store.put(&text, None).await)?;
    ensure!(
        why.starts_with("the manifest of application shop has 10478")
            && why.contains(" bytes as it is stored, the limit is "),
        "{why}"
    );
    // As large as fits, and its description is cut in the record only.
    let text = with(
        "shop",
        &format!("version: \"1\", description: {}", "y".repeat(690 << 10)),
        "image: a/b:1",
    );
    world.put(&text).await?;
    ensure!(world.store.get(&name("shop"), None).await?.text == text);
    Ok(())
}

async fn there_is_a_last_version(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let version = |n: usize| VersionRecord {
        version: format!("v{n}"),
        revision: format!("{n:032}"),
        ..VersionRecord::default()
    };
    let record = AppRecord {
        versions: (0..MAX_VERSIONS).map(version).collect(),
        ..AppRecord::default()
    };
    world.write("shop", &record).await?;
    let why = refused(world.store.put(&manifest("shop", "more", "a/b:1"), None).await)?;
    ensure!(
        why == "application shop has 1000 versions, which is the limit; hint: delete old ones with `wash app delete \
                shop --version VERSION`",
        "{why}"
    );
    world.store.delete(&name("shop"), Some("v7")).await?;
    world.put(&manifest("shop", "more", "a/b:1")).await?;
    Ok(())
}
