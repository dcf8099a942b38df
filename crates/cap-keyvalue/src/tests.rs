//! The adapters, called as the bindings call them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_capability::{
    BoundLink, Caller, ComponentContext, ConfigMap, Endpoint, Handle, InstanceState, Invocation, LinkEntry,
    LinkTable, Params, Provider, ProviderCall, ProviderError, RemoteProvider,
};
use wasmcloud_core::{Link, LinkName, Route};
use wasmcloud_wire::rpc::{self as wire, Payload as _};
use wasmtime::component::Resource;

use crate::adapter::{atomics, batch, store};
use crate::adapter_draft2 as draft2;
use crate::store::*;
use crate::{Backend, KeyValueEndpoint, KeyValueProvider};

fn state(links: Vec<(&str, Endpoint)>, time: Duration) -> InstanceState {
    let context = ComponentContext::new("cart".parse().unwrap());
    let entries = links.into_iter().map(|(name, endpoint)| LinkEntry {
        interfaces: Box::new(["wasi:keyvalue/store".into()]),
        selected: name.parse().unwrap(),
        name: name.parse().unwrap(),
        target: "kv".parse().unwrap(),
        route: Route::Auto,
        endpoint,
        elsewhere: None,
    });
    context.set_links(LinkTable::new(entries.collect()));
    InstanceState::new(context, Invocation::new(Caller::Host, time), 1 << 20)
}

fn link(config: &[(&str, &str)]) -> BoundLink {
    BoundLink {
        link: Link {
            source: "cart".parse().unwrap(),
            target: "kv".parse().unwrap(),
            name: LinkName::default_name(),
            namespace: "wasi".into(),
            package: "keyvalue".into(),
            interfaces: vec!["store".into(), "atomics".into(), "batch".into()],
            source_config: Vec::new(),
            target_config: Vec::new(),
            route: Route::Auto,
        },
        source_config: ConfigMap::new(),
        target_config: map(config),
    }
}

fn map(config: &[(&str, &str)]) -> ConfigMap {
    config
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

async fn memory() -> Arc<KeyValueProvider> {
    let id = "kv".parse().unwrap();
    KeyValueProvider::start(Backend::Memory, &id, &ConfigMap::new(), "/nowhere".as_ref())
        .await
        .unwrap()
}

async fn linked(config: &[(&str, &str)]) -> InstanceState {
    let handle = memory().await.link_as_target(&link(config)).await.unwrap();
    state(
        vec![("default", Endpoint::Builtin(handle))],
        Duration::from_secs(60),
    )
}

async fn open(state: &mut InstanceState, name: &str) -> Resource<crate::calls::Bucket> {
    store::Host::open(state, name.to_owned()).await.unwrap().unwrap()
}

/// The same handle once more, as the bindings make one for each borrow.
fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

#[tokio::test]
async fn the_first_draft_end_to_end() {
    use store::HostBucket;
    let state = &mut linked(&[]).await;
    let bucket = &open(state, "b").await;
    let get = HostBucket::get(state, again(bucket), "k".into()).await.unwrap();
    assert_eq!(get.unwrap(), None);
    HostBucket::set(state, again(bucket), "k".into(), b"v".into())
        .await
        .unwrap()
        .unwrap();
    assert!(
        HostBucket::exists(state, again(bucket), "k".into())
            .await
            .unwrap()
            .unwrap()
    );
    let number = atomics::Host::increment(state, again(bucket), "n".into(), 7)
        .await
        .unwrap();
    assert_eq!(number.unwrap(), 7);
    let many = batch::Host::get_many(state, again(bucket), vec!["x".into(), "k".into()]);
    assert_eq!(
        many.await.unwrap().unwrap(),
        [None, Some(("k".into(), b"v".to_vec()))]
    );
    HostBucket::delete(state, again(bucket), "k".into())
        .await
        .unwrap()
        .unwrap();
    assert!(
        !HostBucket::exists(state, again(bucket), "k".into())
            .await
            .unwrap()
            .unwrap()
    );
    HostBucket::drop(state, Resource::new_own(bucket.rep()))
        .await
        .unwrap();
    assert!(state.table.is_empty());
}

#[tokio::test]
async fn errors_are_those_of_the_contract() {
    use store::HostBucket;
    let state = &mut linked(&[]).await;
    let bucket = &open(state, "b").await;
    let long = "k".repeat(MAX_KEY + 1);
    let errors = [
        HostBucket::get(state, again(bucket), long.clone())
            .await
            .unwrap()
            .err(),
        HostBucket::set(state, again(bucket), long.clone(), vec![])
            .await
            .unwrap()
            .err(),
        HostBucket::set(state, again(bucket), "k".into(), vec![0; MAX_VALUE + 1])
            .await
            .unwrap()
            .err(),
        HostBucket::delete(state, again(bucket), long.clone())
            .await
            .unwrap()
            .err(),
        HostBucket::exists(state, again(bucket), long.clone())
            .await
            .unwrap()
            .err(),
        batch::Host::set_many(state, again(bucket), vec![(long.clone(), vec![])])
            .await
            .unwrap()
            .err(),
        batch::Host::delete_many(state, again(bucket), vec![String::new(); MAX_BATCH + 1])
            .await
            .unwrap()
            .err(),
        store::Host::open(state, "a\0b".into()).await.unwrap().err(),
    ];
    for error in errors {
        assert!(matches!(error, Some(store::Error::Other(_))), "{error:?}");
    }
    let mapped: store::Error = StoreError::AccessDenied.into();
    assert!(matches!(mapped, store::Error::AccessDenied));
    let mapped: draft2::store::Error = StoreError::NoSuchBucket("b".into()).into();
    assert!(matches!(mapped, draft2::store::Error::NoSuchStore));
}

#[tokio::test]
async fn numbers_as_cursors_reach_every_key() {
    let state = &mut linked(&[]).await;
    let bucket = &open(state, "b").await;
    let count = 2 * MAX_PAGE + 10;
    for i in 0..count {
        let key = format!("{i:06}");
        store::HostBucket::set(state, again(bucket), key, vec![])
            .await
            .unwrap()
            .unwrap();
    }
    let mut cursor = None;
    let mut seen = Vec::new();
    loop {
        let page = store::HostBucket::list_keys(state, again(bucket), cursor)
            .await
            .unwrap()
            .unwrap();
        // Removing what was listed must not make the next page pass over other keys.
        for key in &page.keys {
            store::HostBucket::delete(state, again(bucket), key.clone())
                .await
                .unwrap()
                .unwrap();
        }
        seen.extend(page.keys);
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), count);

    // Another handle has not seen the page that a number came from and counts from the beginning.
    for key in ["a", "b", "c"] {
        store::HostBucket::set(state, again(bucket), key.into(), vec![])
            .await
            .unwrap()
            .unwrap();
    }
    let other = &open(state, "b").await;
    let page = store::HostBucket::list_keys(state, again(other), Some(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((page.keys, page.cursor), (vec!["c".to_owned()], None));
}

#[tokio::test]
async fn the_second_draft_has_text_cursors_and_signed_numbers() {
    use draft2::{atomics, batch, store};
    let state = &mut linked(&[]).await;
    let bucket = &open(state, "b").await;
    let number = atomics::Host::increment(state, again(bucket), "n".into(), -7)
        .await
        .unwrap();
    assert_eq!(number.unwrap(), -7);
    let many = batch::Host::get_many(state, again(bucket), vec!["x".into(), "n".into()]).await;
    assert_eq!(
        many.unwrap().unwrap(),
        [("x".into(), None), ("n".into(), Some(b"-7".to_vec()))]
    );

    let entries: Vec<_> = (0..MAX_BATCH).map(|i| (format!("{i:06}"), vec![])).collect();
    batch::Host::set_many(state, again(bucket), entries)
        .await
        .unwrap()
        .unwrap();
    let page = store::HostBucket::list_keys(state, again(bucket), None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(page.keys.len(), MAX_PAGE);
    let page = store::HostBucket::list_keys(state, again(bucket), page.cursor)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((page.keys, page.cursor), (vec!["n".to_owned()], None));
    let foreign = store::HostBucket::list_keys(state, again(bucket), Some("?".into()))
        .await
        .unwrap();
    assert!(foreign.is_err());
}

#[tokio::test]
async fn a_swap_that_came_too_late_gets_a_handle_that_works() {
    use draft2::atomics::{CasError, Host, HostCas};
    use draft2::store::HostBucket;
    let state = &mut linked(&[]).await;
    let bucket = &open(state, "b").await;
    let cas = HostCas::new(state, again(bucket), "k".into())
        .await
        .unwrap()
        .unwrap();
    HostBucket::set(state, again(bucket), "k".into(), b"other".into())
        .await
        .unwrap()
        .unwrap();
    let Err(CasError::CasFailed(cas)) = Host::swap(state, cas, b"mine".into()).await.unwrap() else {
        panic!("the value changed in between")
    };
    assert_eq!(
        HostCas::current(state, again(&cas)).await.unwrap().unwrap(),
        Some(b"other".to_vec())
    );
    Host::swap(state, cas, b"mine".into()).await.unwrap().unwrap();

    // What was read last counts, not when the handle was made.
    let cas = HostCas::new(state, again(bucket), "k".into())
        .await
        .unwrap()
        .unwrap();
    HostBucket::set(state, again(bucket), "k".into(), b"again".into())
        .await
        .unwrap()
        .unwrap();
    HostCas::current(state, again(&cas)).await.unwrap().unwrap();
    Host::swap(state, cas, b"last".into()).await.unwrap().unwrap();
    let get = HostBucket::get(state, again(bucket), "k".into()).await.unwrap();
    assert_eq!(get.unwrap(), Some(b"last".to_vec()));
}

#[tokio::test]
async fn the_link_chooses_provider_and_default_bucket() {
    let handle = memory()
        .await
        .link_as_target(&link(&[("BUCKET", "orders")]))
        .await
        .unwrap();
    let state = &mut state(
        vec![
            ("default", Endpoint::Builtin(handle)),
            ("served", Endpoint::Component(Arc::new(()) as Handle)),
            ("foreign", Endpoint::Builtin(Arc::new(()) as Handle)),
            ("gone", Endpoint::Absent("the target runs nowhere".into())),
        ],
        Duration::from_secs(60),
    );
    let bucket = &open(state, "").await;
    store::HostBucket::set(state, again(bucket), "k".into(), b"v".into())
        .await
        .unwrap()
        .unwrap();
    for name in ["default", "orders"] {
        let bucket = open(state, name).await;
        let exists = store::HostBucket::exists(state, bucket, "k".into())
            .await
            .unwrap();
        assert!(exists.unwrap(), "{name}");
    }
    for (name, expected) in [
        ("served", "key-value served by a component is not supported yet"),
        ("foreign", "a provider of something else"),
        ("gone", "the target runs nowhere"),
        ("missing", "no link named `missing` for `wasi:keyvalue/store`"),
    ] {
        state
            .invocation_mut()
            .set_link_name("wasi:keyvalue/store", name.parse().unwrap());
        match store::Host::open(state, "b".into()).await.unwrap() {
            Err(store::Error::Other(text)) => assert!(text.contains(expected), "{text}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// A store that never answers.
struct Stuck;

#[async_trait]
impl Store for Stuck {
    async fn get(&self, _: &BucketName, _: &Key) -> Result<Option<Bytes>, StoreError> {
        std::future::pending().await
    }
    async fn get_versioned(&self, _: &BucketName, _: &Key) -> Result<(Version, Option<Bytes>), StoreError> {
        std::future::pending().await
    }
    async fn exists(&self, _: &BucketName, _: &Key) -> Result<bool, StoreError> {
        std::future::pending().await
    }
    async fn set(&self, _: &BucketName, _: Key, _: Value) -> Result<(), StoreError> {
        std::future::pending().await
    }
    async fn delete(&self, _: &BucketName, _: Key) -> Result<(), StoreError> {
        std::future::pending().await
    }
    async fn list_keys(&self, _: &BucketName, _: Option<Cursor>, _: usize) -> Result<Page, StoreError> {
        std::future::pending().await
    }
    async fn increment(&self, _: &BucketName, _: Key, _: Increment) -> Result<i128, StoreError> {
        std::future::pending().await
    }
    async fn compare_and_set(
        &self,
        _: &BucketName,
        _: Key,
        _: Version,
        _: Value,
    ) -> Result<Swap, StoreError> {
        std::future::pending().await
    }
    async fn get_many(&self, _: &BucketName, _: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        std::future::pending().await
    }
    async fn set_many(&self, _: &BucketName, _: Vec<(Key, Value)>) -> Result<(), StoreError> {
        std::future::pending().await
    }
    async fn delete_many(&self, _: &BucketName, _: Vec<Key>) -> Result<(), StoreError> {
        std::future::pending().await
    }
    async fn close(&self) {}
}

#[tokio::test]
async fn no_call_outlives_the_deadline() {
    let endpoint = KeyValueEndpoint::new(Arc::new(Stuck), BucketName::new("default").unwrap());
    let links = vec![("default", Endpoint::Builtin(Arc::new(endpoint)))];
    let state = &mut state(links, Duration::from_millis(5));
    let bucket = &open(state, "b").await;
    let get = store::HostBucket::get(state, again(bucket), "k".into())
        .await
        .unwrap();
    let Err(store::Error::Other(text)) = get else {
        panic!("a stuck store answered")
    };
    assert!(
        text.contains("deadline passed while waiting for `get` in bucket `b`"),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_person_wrote_is_checked() {
    let id = "kv".parse().unwrap();
    let start = |kind, config: &[(&str, &str)]| {
        let (config, id) = (map(config), &id);
        async move {
            let started = KeyValueProvider::start(kind, id, &config, "/nowhere".as_ref()).await;
            started.err().map(|error| error.to_string())
        }
    };
    assert_eq!(start(Backend::Memory, &[("MAX_BYTES", "1MiB")]).await, None);
    for (kind, config, expected) in [
        (
            Backend::Memory,
            ("max_byte", "1"),
            "unknown config key `max_byte`; did you mean `max_bytes`?",
        ),
        (Backend::Memory, ("max_bytes", "many"), "config key `max_bytes`: "),
        (
            Backend::Redb,
            ("pth", "x"),
            "unknown config key `pth`; did you mean `path`?",
        ),
        (Backend::Redb, ("path", ""), "config key `path`: it is empty"),
    ] {
        let error = start(kind, &[config]).await.unwrap();
        assert!(error.starts_with(expected), "{error}");
    }

    let provider = memory().await;
    assert!(
        provider
            .update_config(&map(&[("max_bytes", "1KiB")]))
            .await
            .is_ok()
    );
    assert!(provider.update_config(&map(&[("path", "x")])).await.is_err());
    let unknown = provider
        .link_as_target(&link(&[("buckets", "b")]))
        .await
        .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "unknown config key `buckets`; did you mean `bucket`?"
    );
    let mut watcher = link(&[]);
    watcher.link.interfaces.push("watcher".into());
    let unsupported = provider.link_as_target(&watcher).await.unwrap_err();
    assert!(
        matches!(unsupported, ProviderError::Unsupported(_)),
        "{unsupported}"
    );
}

#[tokio::test]
async fn a_redb_provider_keeps_its_file_and_gives_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let id = "kv".parse().unwrap();
    let start = || KeyValueProvider::start(Backend::Redb, &id, &NO_CONFIG, dir.path());
    static NO_CONFIG: ConfigMap = ConfigMap::new();
    let provider = start().await.unwrap();
    assert!(dir.path().join("keyvalue/kv.redb").exists());
    assert!(matches!(
        start().await.err(),
        Some(ProviderError::Conflict { .. })
    ));
    assert!(provider.update_config(&NO_CONFIG).await.is_ok());
    let moved = provider
        .update_config(&map(&[("path", "other.redb")]))
        .await
        .unwrap_err();
    assert!(moved.to_string().contains("while the provider runs"), "{moved}");
    provider.stop().await;
    start().await.unwrap();
}

/// What a provider answers to a call from another host.
async fn answer(
    remote: &dyn RemoteProvider,
    source: &str,
    (instance, function): (&str, &str),
    params: Vec<u8>,
) -> Vec<u8> {
    let (source, link_name) = (source.parse().ok(), LinkName::default_name());
    let call = ProviderCall {
        source: source.as_ref(),
        link_name: &link_name,
        instance,
        function,
        params: params.into(),
        deadline: Instant::now() + Duration::from_secs(60),
    };
    remote.answer(call).await.to_vec()
}

/// The same for a call whose type is known.
async fn ask<C: wire::Call>(remote: &dyn RemoteProvider, source: &str, call: C) -> C::Result {
    let bytes = answer(remote, source, (C::INSTANCE, C::FUNCTION), call.to_bytes()).await;
    C::Result::from_bytes(&bytes).unwrap()
}

#[tokio::test]
async fn who_has_no_link_is_refused() {
    let provider = memory().await;
    let remote = Arc::clone(&provider).remote().unwrap();
    let get = || wire::keyvalue::Get {
        bucket: "b".into(),
        key: "k".into(),
    };
    let refused = "No link found for component [cart] with link name `default` to key-value provider `kv`";
    let is_refused = |answer: Result<Option<Vec<u8>>, wire::keyvalue::Error>| match answer {
        Err(wire::keyvalue::Error::Other(text)) => assert!(text.starts_with(refused), "{text}"),
        other => panic!("{other:?}"),
    };
    is_refused(ask(&*remote, "cart", get()).await);
    let linked = link(&[]);
    provider.link_as_target(&linked).await.unwrap();
    assert_eq!(ask(&*remote, "cart", get()).await, Ok(None));
    let other = ask(&*remote, "other", get()).await.unwrap_err();
    assert!(matches!(other, wire::keyvalue::Error::Other(_)), "{other:?}");
    assert!(ask(&*remote, "no id at all", get()).await.is_err());
    // A link of the same name for something else is none of it.
    let mut key = linked.link.key();
    key.package = "http".into();
    provider.unlink(&key).await;
    assert_eq!(ask(&*remote, "cart", get()).await, Ok(None));
    provider.unlink(&linked.link.key()).await;
    is_refused(ask(&*remote, "cart", get()).await);
}

#[tokio::test]
async fn calls_from_elsewhere_end_to_end() {
    use wire::keyvalue::*;
    let provider = memory().await;
    provider
        .link_as_target(&link(&[("bucket", "orders")]))
        .await
        .unwrap();
    let remote = &*Arc::clone(&provider).remote().unwrap();
    let (bucket, key) = (|| "orders".to_owned(), || "k".to_owned());
    // The name of the default bucket is resolved on this side.
    let set = Set {
        bucket: "default".into(),
        key: key(),
        value: b"v".to_vec(),
    };
    assert_eq!(ask(remote, "cart", set).await, Ok(()));
    let exists = Exists {
        bucket: bucket(),
        key: key(),
    };
    assert_eq!(ask(remote, "cart", exists).await, Ok(true));
    let add = |delta| Increment {
        bucket: bucket(),
        key: "n".into(),
        delta,
    };
    assert_eq!(ask(remote, "cart", add(40)).await, Ok(40));
    assert_eq!(ask(remote, "cart", add(2)).await, Ok(42));
    let many = SetMany {
        bucket: bucket(),
        key_values: vec![("x".into(), vec![1]), ("y".into(), vec![2])],
    };
    assert_eq!(ask(remote, "cart", many).await, Ok(()));
    let many = GetMany {
        bucket: bucket(),
        keys: vec!["y".into(), "none".into(), "k".into()],
    };
    let found = vec![Some(("y".into(), vec![2])), None, Some((key(), b"v".to_vec()))];
    assert_eq!(ask(remote, "cart", many).await, Ok(found));
    let many = DeleteMany {
        bucket: bucket(),
        keys: vec!["x".into(), "y".into()],
    };
    assert_eq!(ask(remote, "cart", many).await, Ok(()));
    let list = |cursor| ListKeys {
        bucket: bucket(),
        cursor,
    };
    let keys = ask(remote, "cart", list(None)).await.unwrap();
    assert_eq!((keys.keys, keys.cursor), (vec![key(), "n".into()], None));
    let keys = ask(remote, "cart", list(Some(1))).await.unwrap();
    assert_eq!(keys.keys, ["n"]);
    let delete = Delete {
        bucket: bucket(),
        key: key(),
    };
    assert_eq!(ask(remote, "cart", delete).await, Ok(()));
    let word = Set {
        bucket: bucket(),
        key: "n".into(),
        value: b"many".to_vec(),
    };
    assert_eq!(ask(remote, "cart", word).await, Ok(()));
    let Err(Error::Other(text)) = ask(remote, "cart", add(1)).await else {
        panic!("a word was counted")
    };
    assert_eq!(text, "Cannot increment a non-numerical value: key `n`");
    provider.stop().await;
    let Err(Error::Other(text)) = ask(remote, "cart", add(1)).await else {
        panic!("a stopped provider answered")
    };
    assert_eq!(text, "the key-value provider was stopped");
}

#[tokio::test]
async fn nonsense_from_elsewhere_is_an_error() {
    use wire::keyvalue::*;
    let provider = memory().await;
    provider.link_as_target(&link(&[])).await.unwrap();
    let remote = &*Arc::clone(&provider).remote().unwrap();
    let functions = [
        (STORE, "get"),
        (STORE, "set"),
        (STORE, "delete"),
        (STORE, "exists"),
        (STORE, "list-keys"),
        (ATOMICS, "increment"),
        (BATCH, "get-many"),
        (BATCH, "set-many"),
        (BATCH, "delete-many"),
    ];
    for function in functions {
        let (instance, name) = function;
        assert_eq!(remote.params(instance, name, b""), Params::Incomplete);
        for nonsense in [
            &b""[..],
            &[0xff; 16],
            &[1, 0xff, 1, b'k', 0],
            &[1, b'b', 1, b'k', 1, 2, 3, 4, 5],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
        ] {
            let bytes = answer(remote, "cart", function, nonsense.to_vec()).await;
            match Result::<(), Error>::from_bytes(&bytes) {
                Ok(Err(Error::Other(text))) => assert!(
                    text.starts_with(&format!("the parameters of `{name}` are malformed: ")),
                    "{text}"
                ),
                other => panic!("{name} of {nonsense:?}: {other:?}"),
            }
        }
        // The name of the bucket comes first, 257 bytes; what follows is as short as it can be.
        let mut params = vec![0x81, 0x02];
        params.extend([b'x'; MAX_BUCKET_NAME + 1]);
        params.extend(match name {
            "set" | "increment" => &[0, 0][..],
            _ => &[0],
        });
        let bytes = answer(remote, "cart", function, params).await;
        match Result::<(), Error>::from_bytes(&bytes) {
            Ok(Err(Error::Other(text))) => {
                assert!(text.contains("is longer than 256 bytes"), "{name}: {text}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(remote.params(STORE, "increment", b""), Params::Unknown);
    assert_eq!(
        remote.params("wasi:keyvalue/store@0.2.0-draft", "get", b""),
        Params::Unknown
    );
}

#[tokio::test]
async fn a_local_route_stays_here() {
    let entry = LinkEntry {
        interfaces: Box::new(["wasi:keyvalue/store".into()]),
        selected: LinkName::default_name(),
        name: LinkName::default_name(),
        target: "kv".parse().unwrap(),
        route: Route::Local,
        endpoint: Endpoint::Component(Arc::new(()) as Handle),
        elsewhere: Some(Arc::new(()) as Handle),
    };
    let context = ComponentContext::new("cart".parse().unwrap());
    context.set_links(LinkTable::new(vec![entry]));
    let time = Duration::from_secs(60);
    let mut state = InstanceState::new(context, Invocation::new(Caller::Host, time), 1 << 20);
    match store::Host::open(&mut state, "b".into()).await.unwrap() {
        Err(store::Error::Other(text)) => assert_eq!(
            text,
            "no key-value provider `kv` runs on this host; hint: the route of the link is `local`, with `auto` the \
             provider may be on another host"
        ),
        other => panic!("{other:?}"),
    }
}
