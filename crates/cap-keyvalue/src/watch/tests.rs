//! What stores say of their writes, and which links a provider takes.

use wasmcloud_capability::{ConfigMap, Handle, Provider};
use wasmcloud_core::Link;

use super::*;
use crate::backends::{MemoryStore, RedbStore};
use crate::store::{BucketName, Increment, Key, Store, Swap, Value, Version};
use crate::{Backend, KeyValueProvider};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn value(text: &str) -> Value {
    Value::new(text.to_owned()).unwrap()
}

fn link(source: &str, target: &str, interface: &str) -> Link {
    Link {
        source: source.parse().unwrap(),
        target: target.parse().unwrap(),
        name: "default".parse().unwrap(),
        namespace: "wasi".to_owned(),
        package: "keyvalue".to_owned(),
        interfaces: vec![interface.to_owned()],
        source_config: Vec::new(),
        target_config: Vec::new(),
        route: wasmcloud_core::Route::Auto,
    }
}

/// Writes in every way there is, and compares what is told with what happened.
async fn tells_what_it_did(store: &dyn Store, changes: &Changes) {
    let bucket = BucketName::new("b").unwrap();
    // Before anybody watches.
    store.set(&bucket, key("early"), value("1")).await.unwrap();
    let watched = Watched::parse("SET@*,DEL@*", bucket.clone()).unwrap();
    let mut feed = changes.watch(link("kv", "w", "watcher").key(), watched);

    store.set(&bucket, key("a"), value("1")).await.unwrap();
    store.set(&bucket, key("a"), value("1")).await.unwrap();
    store
        .increment(&bucket, key("a"), Increment::unsigned(4))
        .await
        .unwrap();
    let (version, _) = store.get_versioned(&bucket, &key("a")).await.unwrap();
    let swap = |version| store.compare_and_set(&bucket, key("a"), version, value("x"));
    assert_eq!(swap(Version(u64::MAX)).await, Ok(Swap::Changed));
    assert_eq!(swap(version).await, Ok(Swap::Done));
    // What fails, and what finds nothing, has changed nothing.
    assert!(
        store
            .increment(&bucket, key("a"), Increment::unsigned(1))
            .await
            .is_err()
    );
    store.delete(&bucket, key("none")).await.unwrap();
    let other = BucketName::new("other").unwrap();
    store.set(&other, key("a"), value("1")).await.unwrap();
    let entries = vec![(key("b"), value("2")), (key("c"), value("3"))];
    store.set_many(&bucket, entries).await.unwrap();
    let keys = ["c", "none", "b"].map(key).to_vec();
    store.delete_many(&bucket, keys).await.unwrap();
    store.delete(&bucket, key("a")).await.unwrap();

    for (key, value) in [
        ("a", Some("1")),
        ("a", Some("1")),
        ("a", Some("5")),
        ("a", Some("x")),
        ("b", Some("2")),
        ("c", Some("3")),
        ("c", None),
        ("b", None),
        ("a", None),
    ] {
        let change = feed.next().await.unwrap();
        let expected = (key, value.map(str::as_bytes));
        assert_eq!((change.key.as_str(), change.value.as_deref()), expected);
    }
    assert_eq!(feed.lost(), 0);
}

#[tokio::test]
async fn memory_tells_what_it_did() {
    let store = MemoryStore::new(1 << 20);
    tells_what_it_did(&store, store.changes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redb_tells_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&dir.path().join("kv.redb"), "the test").unwrap();
    tells_what_it_did(&store, store.changes()).await;
    store.close().await;
}

#[tokio::test]
async fn links_that_tell_nothing_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let id: ComponentId = "kv".parse().unwrap();
    let none = ConfigMap::default();
    let provider = KeyValueProvider::start(Backend::Memory, &id, &none, dir.path());
    let provider = provider.await.unwrap();
    let config = |entries: &[(&str, &str)]| -> ConfigMap {
        let entries = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        entries.collect()
    };
    let bound = |link: Link, entries: &[(&str, &str)]| BoundLink {
        source_config: config(entries),
        target_config: config(entries),
        link,
    };
    let target = || -> Handle { Target::new("w".parse().unwrap(), "it was not started") };
    for (interface, entries, why) in [
        ("watcher", &[][..], "config key `watch`: it is not there"),
        (
            "watcher",
            &[("watch", "cart")],
            "`cart` is neither `SET@KEY` nor `DEL@KEY`",
        ),
        (
            "watcher",
            &[("watch", "SET@a"), ("bucket", "")],
            "config key `bucket`",
        ),
        (
            "watcher",
            &[("wach", "SET@a")],
            "unknown config key `wach`; did you mean `watch`?",
        ),
        (
            "store",
            &[("watch", "SET@a")],
            "`kv` answers `watcher` of `wasi:keyvalue`, not `store`",
        ),
    ] {
        let link = bound(link("kv", "w", interface), entries);
        let error = provider
            .link_as_source(&link, target())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{interface} {entries:?}: {error}");
    }
    let as_target = bound(link("w", "kv", "store"), &[("watch", "cart")]);
    let error = provider
        .link_as_target(&as_target)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("`cart` is neither"), "{error}");
    // One that is not started yet may turn out to be a component that can be told.
    let good = bound(link("kv", "w", "watcher"), &[("WATCH", "SET@a")]);
    provider.link_as_source(&good, target()).await.unwrap();
    provider.stop().await;
}
