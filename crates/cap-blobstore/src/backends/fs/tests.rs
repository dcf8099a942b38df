//! What the folder of a store looks like, and what no name and nobody else's link gets it to do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tempfile::TempDir;

use super::*;

struct Rig {
    dir: TempDir,
    store: FsStore,
}

impl Rig {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("outside"))?;
        fs::write(dir.path().join("outside/secret"), "secret")?;
        let store = FsStore::open(&dir.path().join("root"))?;
        Ok(Self { dir, store })
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.dir.path().join("root").join(below)
    }

    async fn put(&self, container: &str, object: &str, bytes: &str) -> Result<(), StoreError> {
        let mut writer = self.store.write(&id(container, object)).await?;
        for byte in bytes.as_bytes().chunks(3) {
            writer.write(Bytes::copy_from_slice(byte)).await?;
        }
        writer.finish().await
    }

    async fn get(&self, container: &str, object: &str, start: u64, end: u64) -> Result<String, StoreError> {
        let mut reader = self.store.read(&id(container, object), start, end).await?;
        let (mut all, size) = (Vec::new(), reader.size());
        while let Some(bytes) = reader.next().await? {
            assert!(!bytes.is_empty() && bytes.len() <= crate::CHUNK);
            all.extend_from_slice(&bytes);
        }
        assert_eq!(size, Some(all.len() as u64));
        Ok(String::from_utf8(all).unwrap())
    }

    async fn list(
        &self,
        container: &str,
        limit: Option<u64>,
        offset: u64,
    ) -> Result<Vec<String>, StoreError> {
        let mut names = self.store.list_objects(container, limit, offset).await?;
        let mut all = Vec::new();
        while let Some(names) = names.next().await? {
            all.extend(names);
        }
        all.sort();
        Ok(all)
    }
}

fn id(container: &str, object: &str) -> ObjectId {
    ObjectId {
        container: container.to_owned(),
        object: object.to_owned(),
    }
}

fn files_in(path: &Path) -> Result<usize> {
    Ok(fs::read_dir(path)?.count())
}

#[tokio::test]
async fn objects_are_files() -> Result<()> {
    let rig = Rig::new()?;
    rig.store.create_container("c").await?;
    rig.store.create_container("c").await?;
    rig.put("c", "a", "hello").await?;
    rig.put("c", "d/e/f", "").await?;
    rig.put("c", "a", "hello again").await?;
    ensure!(fs::read_to_string(rig.path("c/a"))? == "hello again");
    ensure!(fs::read_to_string(rig.path("c/d/e/f"))?.is_empty());
    ensure!(rig.get("c", "a", 0, u64::MAX).await? == "hello again");
    ensure!(rig.list("c", None, 0).await? == ["a", "d/e/f"]);
    let info = rig.store.object_info(&id("c", "a")).await?;
    ensure!(info.size == 11, "{info:?}");
    ensure!(
        !rig.store.has_object(&id("c", "d")).await?,
        "a folder is no object"
    );
    ensure!(!rig.store.has_object(&id("c", "a/x")).await?);

    // Nothing is left of what is whole, nor of what is not.
    let mut broken_off = rig.store.write(&id("c", "a")).await?;
    broken_off.write("never".into()).await?;
    ensure!(files_in(&rig.path(name::UPLOADS))? == 1);
    broken_off.abort().await;
    let dropped = rig.store.write(&id("c", "a")).await?;
    drop(dropped);
    ensure!(files_in(&rig.path(name::UPLOADS))? == 0);
    ensure!(rig.get("c", "a", 0, 100).await? == "hello again");

    // Folders go with the last object in them, so that their names are free.
    rig.store.delete_object(&id("c", "d/e/f")).await?;
    ensure!(!rig.path("c/d").exists());
    rig.put("c", "d", "now an object").await?;
    let below = rig.put("c", "d/e", "").await.unwrap_err();
    ensure!(
        below.to_string() == "object `d/e` in container `c`: `d` is an object, and no folder for others",
        "{below}"
    );
    rig.put("c", "x/y", "").await?;
    let over = rig.put("c", "x", "").await.unwrap_err().to_string();
    ensure!(
        over == "object `x` in container `c`: there are objects below `x/`",
        "{over}"
    );
    Ok(())
}

#[tokio::test]
async fn parts_are_half_open() -> Result<()> {
    let rig = Rig::new()?;
    rig.put("c", "a", "0123456789").await?;
    for (start, end, expected) in [
        (0, 10, "0123456789"),
        (0, 1, "0"),
        (3, 5, "34"),
        (9, 1000, "9"),
        (4, 4, ""),
        (10, 11, ""),
        (1000, u64::MAX, ""),
    ] {
        let found = rig.get("c", "a", start, end).await?;
        ensure!(found == expected, "{start}..{end}: {found}");
    }
    let backwards = rig.get("c", "a", 5, 4).await.unwrap_err().to_string();
    ensure!(
        backwards.starts_with("`end` must be greater than `start`"),
        "{backwards}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_read_is_what_was_there() -> Result<()> {
    let rig = Rig::new()?;
    let large = "x".repeat(crate::CHUNK * 2);
    rig.put("c", "a", &large[..crate::CHUNK + 1]).await?;
    let mut reader = rig.store.read(&id("c", "a"), 0, u64::MAX).await?;
    let first = reader.next().await?.context("bytes")?;
    rig.put("c", "a", "other").await?;
    rig.store.delete_container("c").await?;
    let second = reader.next().await?.context("bytes")?;
    ensure!((first.len(), &*second) == (crate::CHUNK, b"x".as_slice()));
    ensure!(reader.next().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn containers_come_and_go() -> Result<()> {
    let rig = Rig::new()?;
    ensure!(!rig.store.container_exists("c").await?);
    let none = rig.store.container_info("c").await.unwrap_err();
    ensure!(none == StoreError::NoSuchContainer("c".to_owned()), "{none}");
    ensure!(rig.store.delete_container("c").await.is_err());
    ensure!(rig.list("c", None, 0).await.is_err());
    // What is not there needs no deleting.
    rig.store.delete_object(&id("c", "a")).await?;
    rig.put("c", "a", "as v1, a write makes the container").await?;
    rig.store.delete_object(&id("c", "b")).await?;
    rig.put("c", "b/c", "").await?;
    let copied = rig.store.copy_object(&id("c", "a"), &id("d", "a")).await;
    ensure!(
        copied == Err(StoreError::NoSuchContainer("d".to_owned())),
        "{copied:?}"
    );
    rig.store.create_container("d").await?;
    rig.store.copy_object(&id("c", "a"), &id("d", "sub/a")).await?;
    rig.store.move_object(&id("c", "b/c"), &id("d", "a")).await?;
    let gone = rig.store.move_object(&id("c", "b/c"), &id("d", "a")).await;
    ensure!(gone == Err(StoreError::NoSuchObject(id("c", "b/c"))), "{gone:?}");
    ensure!(rig.list("c", None, 0).await? == ["a"]);
    ensure!(rig.list("d", None, 0).await? == ["a", "sub/a"]);
    ensure!(rig.get("d", "sub/a", 0, 5).await? == "as v1");
    rig.store
        .delete_objects("d", vec!["a".into(), "none".into()])
        .await?;
    ensure!(rig.list("d", None, 0).await? == ["sub/a"]);
    rig.store.clear_container("d").await?;
    ensure!(rig.list("d", None, 0).await?.is_empty());
    rig.store.delete_container("c").await?;
    ensure!(!rig.store.container_exists("c").await?);
    ensure!(rig.store.container_info("d").await?.created_at > 1_600_000_000);
    Ok(())
}

#[tokio::test]
async fn listings_skip_and_end() -> Result<()> {
    let rig = Rig::new()?;
    rig.store.create_container("c").await?;
    for number in 0..600 {
        fs::write(rig.path(&format!("c/{number}")), "")?;
    }
    ensure!(rig.list("c", None, 0).await?.len() == 600);
    let (mut all, first) = (
        rig.list("c", Some(100), 0).await?,
        rig.list("c", None, 100).await?,
    );
    ensure!((all.len(), first.len()) == (100, 500));
    all.extend(first);
    all.sort();
    all.dedup();
    ensure!(all.len() == 600);
    ensure!(rig.list("c", Some(7), 599).await?.len() == 1);
    ensure!(rig.list("c", Some(0), 0).await?.is_empty());
    ensure!(rig.list("c", None, u64::MAX).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn no_name_leads_out_of_the_root() -> Result<()> {
    let rig = Rig::new()?;
    rig.store.create_container("c").await?;
    let long = "x".repeat(256);
    let deep = vec!["d"; 33].join("/");
    for bad in [
        "",
        ".",
        "..",
        "../x",
        "../../outside/secret",
        "a/../../x",
        "a/..",
        "a/./b",
        "/a",
        "a/",
        "a//b",
        "/etc/passwd",
        "a\0b",
        &*long,
        &*deep,
    ] {
        let put = rig.put("c", bad, "x").await;
        ensure!(
            matches!(put, Err(StoreError::InvalidName { .. })),
            "{bad:?}: {put:?}"
        );
        let has = rig.store.has_object(&id("c", bad)).await;
        ensure!(
            matches!(has, Err(StoreError::InvalidName { .. })),
            "{bad:?}: {has:?}"
        );
        ensure!(rig.store.delete_object(&id("c", bad)).await.is_err(), "{bad:?}");
        ensure!(rig.store.move_object(&id("c", bad), &id("c", "a")).await.is_err());
    }
    for bad in [
        "",
        ".",
        "..",
        "../outside",
        "c/d",
        "/",
        "/etc",
        "c\0",
        name::UPLOADS,
        &*long,
    ] {
        let made = rig.store.create_container(bad).await;
        ensure!(
            matches!(made, Err(StoreError::InvalidName { .. })),
            "{bad:?}: {made:?}"
        );
        ensure!(rig.store.delete_container(bad).await.is_err(), "{bad:?}");
        ensure!(rig.put(bad, "secret", "x").await.is_err(), "{bad:?}");
    }
    // Odd, and all the same names of files.
    for good in [
        "...", "..x", "a b", "~", "-rf", "a\\..\\b", "ü🌍", "con", "a\nb", "$(x)",
    ] {
        rig.put("c", good, good).await?;
        ensure!(rig.get("c", good, 0, 100).await? == good);
    }
    ensure!(fs::read_to_string(rig.dir.path().join("outside/secret"))? == "secret");
    Ok(())
}

#[tokio::test]
async fn no_link_is_followed() -> Result<()> {
    let rig = Rig::new()?;
    rig.put("c", "d/a", "inside").await?;
    let outside = rig.dir.path().join("outside");
    symlink(&outside, rig.path("out"))?;
    symlink(&outside, rig.path("c/out"))?;
    symlink(outside.join("secret"), rig.path("c/secret"))?;
    symlink("d", rig.path("c/inner"))?;
    symlink("..", rig.path("c/d/up"))?;
    for (container, object) in [
        ("out", "secret"),
        ("c", "out/secret"),
        ("c", "secret"),
        ("c", "inner/a"),
        ("c", "d/up/d/a"),
    ] {
        let at = format!("{container} {object}");
        let read = rig.get(container, object, 0, 100).await.unwrap_err().to_string();
        ensure!(read.contains("symbolic link"), "{at}: {read}");
        ensure!(
            rig.store.has_object(&id(container, object)).await.is_err(),
            "{at}"
        );
        ensure!(
            rig.store.object_info(&id(container, object)).await.is_err(),
            "{at}"
        );
    }
    ensure!(rig.put("c", "out/new", "x").await.is_err());
    ensure!(rig.put("out", "new", "x").await.is_err());
    ensure!(rig.list("out", None, 0).await.is_err());
    ensure!(rig.list("c", None, 0).await? == ["d/a"]);
    // To write to a link, or to remove it, is about the link.
    rig.put("c", "secret", "mine").await?;
    ensure!(rig.get("c", "secret", 0, 100).await? == "mine");
    rig.store.delete_object(&id("c", "inner")).await?;
    ensure!(!rig.path("c/inner").exists());
    rig.store.delete_container("c").await?;
    ensure!(rig.store.delete_container("out").await.is_err());
    ensure!(fs::read_to_string(outside.join("secret"))? == "secret");
    ensure!(files_in(&outside)? == 1);
    Ok(())
}

#[tokio::test]
async fn only_what_a_crash_left_is_removed() -> Result<()> {
    let rig = Rig::new()?;
    fs::write(rig.path(&format!("{}/1-1", name::UPLOADS)), "left")?;
    let mut writer = rig.store.write(&id("c", "a")).await?;
    writer.write("kept".into()).await?;
    let again = FsStore::open(&rig.path(""))?;
    ensure!(files_in(&rig.path(name::UPLOADS))? == 1);
    writer.finish().await?;
    ensure!(again.has_object(&id("c", "a")).await?);
    Ok(())
}

#[tokio::test]
async fn open_handles_have_a_limit() -> Result<()> {
    let rig = Rig::new()?;
    rig.put("c", "a", "x").await?;
    let mut open = Vec::new();
    for _ in 0..MAX_OPEN {
        open.push(rig.store.read(&id("c", "a"), 0, 1).await?);
    }
    let more = rig.store.read(&id("c", "a"), 0, 1).await.err();
    ensure!(matches!(more, Some(StoreError::Busy { limit: MAX_OPEN, .. })));
    ensure!(rig.store.write(&id("c", "a")).await.is_err());
    ensure!(rig.list("c", None, 0).await.is_err());
    ensure!(rig.store.has_object(&id("c", "a")).await?);
    open.clear();
    ensure!(rig.get("c", "a", 0, 1).await? == "x");
    Ok(())
}
