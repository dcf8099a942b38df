//! Every backend passes the one suite.

use std::sync::Arc;

use wasmcloud_cap_keyvalue::backends::{MemoryStore, RedbStore};
use wasmcloud_test_kit::keyvalue;

#[tokio::test(flavor = "multi_thread")]
async fn memory() -> anyhow::Result<()> {
    keyvalue::check(Arc::new(MemoryStore::new(128 << 20))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redb() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let store = RedbStore::open(&dir.path().join("kv.redb"), "the suite")?;
    keyvalue::check(Arc::new(store)).await
}
