//! The example provider is one, by all that hosts and components ask of providers.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

use anyhow::{Context as _, Result};
use wasmcloud_provider_compliance::Trial;
use wasmcloud_provider_sdk::rpc::keyvalue::{Exists, Get, Increment, ListKeys, Set};
use wasmcloud_test_lattice::{TestLattice, example};

/// The version that most people have.
const NATS: &str = "2.12.8";

async fn complies(lattice: &TestLattice) -> Result<()> {
    let root = tempfile::tempdir()?;
    let (bucket, key) = ("b".to_owned(), "k".to_owned());
    let value = vec![7; 200_000];
    let set = Set {
        bucket: bucket.clone(),
        key: key.clone(),
        value: value.clone(),
    };
    let get = Get {
        bucket: bucket.clone(),
        key: key.clone(),
    };
    let exists = Exists {
        bucket: bucket.clone(),
        key: "other".to_owned(),
    };
    let list = ListKeys {
        bucket: "other".to_owned(),
        cursor: None,
    };
    let count = Increment {
        bucket: "counts".to_owned(),
        key,
        delta: 2,
    };
    Trial::new(example("provider-keyvalue-file")?, lattice.url())
        .config("root", root.path().to_str().context("a path of text")?)
        .linked("wasi", "keyvalue", &["store", "atomics"])
        .link_config("folder", "tests")
        .link_secret("password", "s3cret")
        .only_linked()
        .call(&set, |outcome| *outcome == Ok(()))
        .call(&get, move |found| *found == Ok(Some(value.clone())))
        .call(&exists, |exists| *exists == Ok(false))
        .call(
            &list,
            |page| matches!(page, Ok(page) if page.keys.is_empty() && page.cursor.is_none()),
        )
        .call(&count, |sum| matches!(sum, Ok(sum) if *sum > 0 && sum % 2 == 0))
        .run()
        .await
        .into_result()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_complies_on_the_embedded_lattice() -> Result<()> {
    complies(&TestLattice::embedded().await?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_complies_on_nats() -> Result<()> {
    complies(&TestLattice::nats(NATS).await?).await
}
