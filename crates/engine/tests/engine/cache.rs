//! The cache of compiled code: shared, and never trusted further than its MAC.

use std::fs;
use std::path::{Path, PathBuf};

use wasmcloud_core::Limits;
use wasmcloud_engine::EngineConfig;

use crate::support::{Bench, OPS, OPS_NAME, call};

fn bench(dir: &Path) -> Bench {
    let cache_dir = Some(dir.to_path_buf());
    Bench::with(EngineConfig {
        cache_dir,
        max_instances: 10,
        ..EngineConfig::default()
    })
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|end| end == "cwasm"))
        .collect()
}

async fn cached(bench: &Bench) -> bool {
    let compiled = bench.compile(wat::parse_str(OPS).unwrap()).await.unwrap();
    let cached = compiled.took().1;
    let ops = bench.start(OPS, Limits::default()).await.unwrap();
    assert_eq!(call(&ops, OPS_NAME, "count", &[]).await, Ok(Some(1)));
    cached
}

#[tokio::test]
async fn a_second_engine_finds_what_the_first_compiled() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!cached(&bench(dir.path())).await);
    assert!(cached(&bench(dir.path())).await);
    assert_eq!(files(dir.path()).len(), 1);
}

#[tokio::test]
async fn altered_torn_and_foreign_files_are_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    cached(&bench(dir.path())).await;
    let file = files(dir.path()).pop().unwrap();
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let damaged: [&[u8]; 5] = [
        &flipped,
        &good[..good.len() - 1],
        &good[..10],
        b"",
        b"something else entirely, but long enough to hold a MAC",
    ];
    for bytes in damaged {
        fs::remove_file(&file).unwrap();
        fs::write(&file, bytes).unwrap();
        assert!(
            !cached(&bench(dir.path())).await,
            "{} bytes were trusted",
            bytes.len()
        );
        assert!(cached(&bench(dir.path())).await, "it was not kept again");
    }
    // Another user's key: everything is foreign.
    fs::write(dir.path().join("key"), [7; 32]).unwrap();
    assert!(!cached(&bench(dir.path())).await);
}

#[tokio::test]
async fn a_cache_that_cannot_be_used_costs_time_only() {
    let dir = tempfile::tempdir().unwrap();
    let occupied = dir.path().join("file");
    fs::write(&occupied, b"not a directory").unwrap();
    assert!(!cached(&bench(&occupied)).await);
    assert!(!cached(&bench(&occupied)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_engines_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let dir = dir.path().to_path_buf();
            tokio::spawn(async move { cached(&bench(&dir)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(cached(&bench(dir.path())).await);
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 2, "the key and one file, nothing half-written");
}
