//! Many who want something at once.

use std::time::Duration;

use http::Method;
use tokio::task::JoinSet;
use wasmcloud_artifacts::{Kind, SizeLimits};

use crate::fake::{End, Fake, Reply};
use crate::images::*;

#[tokio::test]
async fn those_who_want_the_same_share_one_download() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let artifacts = artifacts(options());
    let mut pulls = JoinSet::new();
    for _ in 0..50 {
        let artifacts = artifacts.clone();
        let reference = format!("{}/acme/cart:1", fake.addr).parse().unwrap();
        pulls.spawn(async move {
            artifacts
                .fetch(&reference, Kind::Component, SizeLimits::default(), None)
                .await
                .unwrap()
                .bytes
        });
    }
    let mut count = 0;
    while let Some(bytes) = pulls.join_next().await {
        assert_eq!(bytes.unwrap(), image.layer);
        count += 1;
    }
    assert_eq!(count, 50);
    assert_eq!(fake.count(Method::GET, "/blobs/"), 1);
}

#[tokio::test]
async fn processes_share_a_cache() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let dir = tempfile::tempdir().unwrap();
    // Different handles know nothing of each other, like processes; all write the same files at once.
    let mut pulls = JoinSet::new();
    for _ in 0..8 {
        let artifacts = artifacts(cached(dir.path()));
        let reference = format!("{}/acme/cart:1", fake.addr).parse().unwrap();
        pulls.spawn(async move {
            artifacts
                .fetch(&reference, Kind::Component, SizeLimits::default(), None)
                .await
                .unwrap()
                .bytes
        });
    }
    while let Some(bytes) = pulls.join_next().await {
        assert_eq!(bytes.unwrap(), image.layer);
    }
    drop(fake);
    let partial = std::fs::read_dir(dir.path().join("partial")).unwrap();
    assert_eq!(partial.count(), 0, "nothing half-written is left");
}

#[tokio::test]
async fn a_slow_registry_holds_up_neither_the_cache_nor_for_ever() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |seen| {
        seen.uri
            .contains("/slow/")
            .then(|| Reply::new(200).body("{").end(End::Hang))
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = cached(dir.path());
    options.concurrent = 1;
    options.queued = 2;
    let artifacts = artifacts(options);
    let cart = format!("{}/acme/cart:1", fake.addr);
    pull(&artifacts, &cart).await;

    let slow = |n: usize| {
        let artifacts = artifacts.clone();
        let reference = format!("{}/acme/slow/a{n}:1", fake.addr).parse().unwrap();
        async move {
            artifacts
                .fetch(&reference, Kind::Component, SizeLimits::default(), None)
                .await
        }
    };
    let waiting = [tokio::spawn(slow(0)), tokio::spawn(slow(1))];
    let stuck = async {
        while fake.count(Method::GET, "/slow/") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stuck)
        .await
        .unwrap();
    // The one place for downloads is taken, but this needs none.
    assert_eq!(pull(&artifacts, &cart).await.0, image.layer);
    // With a third who waits the table is full. Its first step, which takes the place, comes with the next turn.
    let third = tokio::spawn(slow(2));
    tokio::task::yield_now().await;
    let text = chain(&slow(3).await.unwrap_err());
    assert!(text.contains("wait already"), "{text}");
    third.abort();
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
