//! What the cache spares, and when the last good copy serves.

use std::time::{Duration, Instant};

use http::Method;
use wasmcloud_artifacts::{Digest, Freshness, Kind, RegistryError};

use crate::fake::{End, Fake, Reply};
use crate::images::*;

#[tokio::test]
async fn a_tag_is_checked_and_nothing_is_fetched_twice() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let dir = tempfile::tempdir().unwrap();
    let reference = format!("{}/acme/cart:1", fake.addr);
    pull(&artifacts(cached(dir.path())), &reference).await;
    assert_eq!(fake.seen().len(), 2);
    // Another process, or the same after a restart.
    let (bytes, pulled) = pull(&artifacts(cached(dir.path())), &reference).await;
    assert_eq!((bytes, pulled.freshness), (image.layer, Freshness::Checked));
    let seen = fake.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[2].is(Method::HEAD, "/manifests/1"), "{:?}", seen[2]);
}

#[tokio::test]
async fn a_digest_is_never_asked_for_again() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let dir = tempfile::tempdir().unwrap();
    let reference = format!("{}/acme/cart@{}", fake.addr, image.digest());
    let artifacts = artifacts(cached(dir.path()));
    pull(&artifacts, &reference).await;
    let before = fake.seen().len();
    pull(&artifacts, &reference).await;
    assert_eq!(fake.seen().len(), before);
    drop(fake);
    let (_, pulled) = pull(&artifacts, &reference).await;
    assert_eq!(pulled.freshness, Freshness::Exact);
}

#[tokio::test]
async fn a_moved_tag_is_noticed() {
    let (old, new) = (Image::component(), Image::new(WASM_CONFIG, WASM, "new"));
    let mut content = old.content();
    new.add(&mut content, "2");
    let moved = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (manifest, switch) = (new.manifest.clone(), std::sync::Arc::clone(&moved));
    // A registry that does not say the digest, so that the manifest has to be fetched.
    for says in [true, false] {
        switch.store(false, std::sync::atomic::Ordering::SeqCst);
        let (manifest, switch) = (manifest.clone(), std::sync::Arc::clone(&switch));
        let fake = Fake::start(content.clone(), move |seen| {
            let moved =
                switch.load(std::sync::atomic::Ordering::SeqCst) && seen.uri.ends_with("/manifests/1");
            moved.then(|| {
                let reply = Reply::new(200).body(manifest.clone());
                if says {
                    reply.header("docker-content-digest", Digest::of(&manifest))
                } else {
                    reply
                }
            })
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        let artifacts = artifacts(cached(dir.path()));
        let reference = format!("{}/acme/cart:1", fake.addr);
        assert_eq!(pull(&artifacts, &reference).await.0, old.layer);
        moved.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(pull(&artifacts, &reference).await.0, new.layer, "{says}");
    }
}

#[tokio::test]
async fn the_last_good_copy_serves_while_the_registry_does_not_answer() {
    // A registry that is gone, one that answers errors, one that hangs, one that is too busy.
    for fault in [
        None,
        Some((500, End::Well)),
        Some((200, End::Hang)),
        Some((429, End::Well)),
    ] {
        let image = Image::component();
        let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let switch = std::sync::Arc::clone(&down);
        let fake = Fake::start(image.content(), move |seen| {
            let (status, end) = fault.filter(|_| switch.load(std::sync::atomic::Ordering::SeqCst))?;
            if end == End::Hang && seen.method == Method::HEAD {
                // A head cannot hang in its body; one without digest leads to a manifest that does.
                return Some(Reply::new(200));
            }
            Some(Reply::new(status).body("x").end(end))
        })
        .await;
        let reference = format!("{}/acme/cart:1", fake.addr);
        let dir = tempfile::tempdir().unwrap();
        let mut options = cached(dir.path());
        options.timeouts.with_cached_copy = Duration::from_millis(500);
        let artifacts = artifacts(options);
        pull(&artifacts, &reference).await;
        down.store(true, std::sync::atomic::Ordering::SeqCst);
        let _fake = fault.map(|_| fake);
        let start = Instant::now();
        let (bytes, pulled) = pull(&artifacts, &reference).await;
        assert_eq!(
            bytes,
            image.layer,
            "{fault:?}",
            fault = fault.map(|fault| fault.0)
        );
        assert!(matches!(pulled.freshness, Freshness::Stale { .. }));
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "a start is not held up"
        );
    }
}

#[tokio::test]
async fn gone_is_gone_and_forbidden_is_forbidden() {
    for status in [401, 403, 404, 410] {
        let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let switch = std::sync::Arc::clone(&down);
        let fake = Fake::start(Image::component().content(), move |_| {
            switch
                .load(std::sync::atomic::Ordering::SeqCst)
                .then(|| Reply::new(status))
        })
        .await;
        let reference = format!("{}/acme/cart:1", fake.addr);
        let dir = tempfile::tempdir().unwrap();
        let artifacts = artifacts(cached(dir.path()));
        pull(&artifacts, &reference).await;
        down.store(true, std::sync::atomic::Ordering::SeqCst);
        let (error, text) = refused(&artifacts, &reference).await;
        let denied = matches!(*error, RegistryError::Denied { .. });
        let gone = matches!(*error, RegistryError::NotFound { .. });
        assert_eq!((denied, gone), (status < 404, status >= 404), "{text}");
    }
}

#[tokio::test]
async fn without_a_copy_a_registry_that_is_down_is_an_error() {
    let fake = Fake::start(Image::component().content(), |_| None).await;
    let addr = fake.addr;
    drop(fake);
    let dir = tempfile::tempdir().unwrap();
    let (error, text) = refused(&artifacts(cached(dir.path())), &format!("{addr}/acme/cart:1")).await;
    assert!(matches!(*error, RegistryError::Connect { .. }), "{text}");
    assert!(
        text.contains(&addr.to_string()) && text.contains("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn damage_costs_a_download() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let dir = tempfile::tempdir().unwrap();
    let artifacts = artifacts(cached(dir.path()));
    let reference = format!("{}/acme/cart@{}", fake.addr, image.digest());
    pull(&artifacts, &reference).await;
    for damage in [b"".as_slice(), b"other content"] {
        for digest in [Digest::of(&image.layer), image.digest()] {
            std::fs::write(dir.path().join("blobs/sha256").join(digest.hex()), damage).unwrap();
            assert_eq!(pull(&artifacts, &reference).await.0, image.layer);
        }
    }
}

#[tokio::test]
async fn limits_hold_for_cached_content_too() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let dir = tempfile::tempdir().unwrap();
    let artifacts = artifacts(cached(dir.path()));
    let reference = format!("{}/acme/cart:1", fake.addr);
    pull(&artifacts, &reference).await;
    let limits = wasmcloud_artifacts::SizeLimits {
        component: 10,
        ..Default::default()
    };
    let error = artifacts
        .fetch(&reference.parse().unwrap(), Kind::Component, limits, None)
        .await
        .unwrap_err();
    assert!(chain(&error).contains("the limit is 10"));
}
