//! The compliance suite of key-value backends: every backend passes [`check`], whatever it is made of. One that leads to
//! a backend on another host passes [`check_travelled`].
//!
//! The specification, one function below for each sentence:
//!
//! 1. **Values.** What was set is read back byte for byte, an empty value and an empty key too; the last `set` wins;
//!    what was never set, or was deleted, is absent and not an error; deleting it is no error either.
//! 2. **Buckets.** A bucket needs no making. Buckets do not see each other's keys, not even when the name of one and
//!    a key of it read like the name of another.
//! 3. **Limits.** The longest key and the largest value work; one byte more is refused before any backend sees it.
//! 4. **Listing.** Pages have at most the asked number of keys and never more than `MAX_PAGE`. Following the cursors
//!    shows every key that was there all the time exactly once, although others come and go meanwhile. A number as
//!    cursor passes over that many keys. Only the last page has no cursor.
//! 5. **Increment.** Numbers are decimal text; absent and empty count as 0. What is not a number, or would leave its
//!    range, is an error and stays as it was. Concurrent increments all count.
//! 6. **Compare-and-set.** Writes only if nothing was written since the version was read: also not the same value
//!    again, and not deleted and set again. Of concurrent swaps from one version, one succeeds.
//! 7. **Batches.** `get_many` answers in the order of its keys, absent ones included; `set_many` keeps the last value of
//!    a key named twice; `delete_many` passes over absent keys. Too many keys, or too many bytes in the reply, are
//!    refused.
//! 8. **Closing.** After `close` every call fails with `StoreError::Closed`, and closing again is no error.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;
use wasmcloud_cap_keyvalue::{
    BucketName, Cursor, Increment, Key, MAX_BATCH, MAX_BATCH_BYTES, MAX_KEY, MAX_PAGE, MAX_VALUE, Store,
    StoreError, Swap, Value, Version,
};

/// Runs the whole suite on a store that is empty and holds at least 64 MiB. Closes it.
pub async fn check(store: Arc<dyn Store>) -> Result<()> {
    values(&*store).await.context("1, values")?;
    buckets(&*store).await.context("2, buckets")?;
    limits(&*store).await.context("3, limits")?;
    listing(&*store, 97).await.context("4, listing")?;
    increment(&store, Errors::Typed).await.context("5, increment")?;
    compare_and_set(&store).await.context("6, compare-and-set")?;
    batches(&*store, Errors::Typed).await.context("7, batches")?;
    closing(&*store).await.context("8, closing")
}

/// Runs what can be asked of a store on another host: without 6 and 8 and numbers below zero, with the provider's page
/// size, and with errors in words.
pub async fn check_travelled(store: Arc<dyn Store>) -> Result<()> {
    values(&*store).await.context("1, values")?;
    buckets(&*store).await.context("2, buckets")?;
    limits(&*store).await.context("3, limits")?;
    listing(&*store, MAX_PAGE).await.context("4, listing")?;
    increment(&store, Errors::Words).await.context("5, increment")?;
    batches(&*store, Errors::Words).await.context("7, batches")
}

/// In which form the errors of a store arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errors {
    /// As they are.
    Typed,
    /// As their text.
    Words,
}

impl Errors {
    /// Whether it is this error, or its text where only that arrives.
    fn is<T>(self, outcome: &Result<T, StoreError>, expected: fn(&StoreError) -> bool, text: &str) -> bool {
        match outcome {
            Err(StoreError::Other(words)) if self == Self::Words => words.contains(text),
            Err(error) => expected(error),
            Ok(_) => false,
        }
    }
}

fn bucket(name: &str) -> Result<BucketName> {
    Ok(BucketName::new(name)?)
}

fn key(key: &str) -> Result<Key> {
    Ok(Key::new(key)?)
}

fn value(value: &[u8]) -> Result<Value> {
    Ok(Value::new(Bytes::copy_from_slice(value))?)
}

async fn read(store: &dyn Store, bucket: &BucketName, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(store.get(bucket, &key(name)?).await?.map(Vec::from))
}

async fn values(store: &dyn Store) -> Result<()> {
    let bucket = bucket("values")?;
    let all_bytes: Vec<u8> = (0..=255).collect();
    for (name, bytes) in [
        ("text", b"hello".as_slice()),
        ("empty", b""),
        ("", b"the empty key"),
        ("ключ/ \0 ☃", &all_bytes),
    ] {
        ensure!(
            read(store, &bucket, name).await?.is_none(),
            "{name:?} is absent at first"
        );
        ensure!(!store.exists(&bucket, &key(name)?).await?);
        store.set(&bucket, key(name)?, value(bytes)?).await?;
        ensure!(
            read(store, &bucket, name).await?.as_deref() == Some(bytes),
            "{name:?} is read back"
        );
        ensure!(store.exists(&bucket, &key(name)?).await?);
    }
    store.set(&bucket, key("text")?, value(b"bye")?).await?;
    ensure!(
        read(store, &bucket, "text").await?.as_deref() == Some(b"bye"),
        "the last set wins"
    );
    store.delete(&bucket, key("text")?).await?;
    ensure!(read(store, &bucket, "text").await?.is_none(), "deleted is absent");
    ensure!(!store.exists(&bucket, &key("text")?).await?);
    store.delete(&bucket, key("text")?).await?;
    store.delete(&self::bucket("never used")?, key("text")?).await?;
    Ok(())
}

async fn buckets(store: &dyn Store) -> Result<()> {
    for name in ["b", "b/c", "b c"] {
        let bucket = bucket(name)?;
        for key_name in ["k", "/c/k", "c"] {
            let text = format!("{name}|{key_name}");
            store
                .set(&bucket, key(key_name)?, value(text.as_bytes())?)
                .await?;
        }
    }
    let middle = bucket("b/c")?;
    ensure!(read(store, &middle, "k").await?.as_deref() == Some(b"b/c|k".as_slice()));
    let page = store.list_keys(&middle, None, 10).await?;
    let keys: BTreeSet<&str> = page.keys.iter().map(String::as_str).collect();
    ensure!(
        keys == BTreeSet::from(["k", "/c/k", "c"]),
        "only its own keys, not {keys:?}"
    );
    store.delete(&middle, key("k")?).await?;
    ensure!(
        read(store, &bucket("b")?, "k").await?.is_some(),
        "others keep theirs"
    );
    let empty = store.list_keys(&bucket("nobody wrote here")?, None, 10).await?;
    ensure!(empty.keys.is_empty() && empty.next.is_none());
    Ok(())
}

async fn limits(store: &dyn Store) -> Result<()> {
    let bucket = bucket("limits")?;
    let longest = "k".repeat(MAX_KEY);
    let largest = Bytes::from(vec![7; MAX_VALUE]);
    store
        .set(&bucket, key(&longest)?, Value::new(largest.clone())?)
        .await?;
    ensure!(store.get(&bucket, &key(&longest)?).await? == Some(largest));
    store.delete(&bucket, key(&longest)?).await?;
    ensure!(matches!(
        Key::new("k".repeat(MAX_KEY + 1)),
        Err(StoreError::TooLarge { .. })
    ));
    ensure!(matches!(
        Value::new(vec![7; MAX_VALUE + 1]),
        Err(StoreError::TooLarge { .. })
    ));
    Ok(())
}

async fn listing(store: &dyn Store, limit: usize) -> Result<()> {
    let bucket = bucket("listing")?;
    let stay = |i: usize| format!("stay-{i:05}");
    let count = MAX_PAGE + 500;
    let names: Vec<String> = (0..count).map(stay).collect();
    for chunk in names.chunks(MAX_BATCH) {
        let entries = chunk
            .iter()
            .map(|name| Ok((key(name)?, value(b"v")?)))
            .collect::<Result<_>>()?;
        store.set_many(&bucket, entries).await?;
    }

    let most = store.list_keys(&bucket, None, usize::MAX).await?;
    ensure!(
        most.keys.len() <= MAX_PAGE && most.next.is_some(),
        "a page has its limit"
    );

    let mut seen = BTreeSet::new();
    let mut from = None;
    for round in 0.. {
        ensure!(round <= count, "the listing does not end");
        // Others come and go on both sides of the cursor.
        store
            .set(&bucket, key(&format!("come-{round:05}"))?, value(b"v")?)
            .await?;
        store
            .set(&bucket, key(&format!("zone-{round:05}"))?, value(b"v")?)
            .await?;
        let page = store.list_keys(&bucket, from, limit).await?;
        store.delete(&bucket, key(&format!("come-{round:05}"))?).await?;
        ensure!(page.keys.len() <= limit);
        for name in page.keys {
            let stays = name.starts_with("stay-");
            ensure!(seen.insert(name.clone()) || !stays, "{name} appears twice");
        }
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    let missing: Vec<&String> = names.iter().filter(|name| !seen.contains(*name)).collect();
    ensure!(missing.is_empty(), "not listed: {missing:?}");

    let few = self::bucket("listing few")?;
    for name in ["a", "b", "c", "d"] {
        store.set(&few, key(name)?, value(b"v")?).await?;
    }
    let all = store.list_keys(&few, None, 4).await?;
    ensure!(
        all.keys.len() == 4 && all.next.is_none(),
        "a full last page has no cursor"
    );
    let rest = store.list_keys(&few, Some(Cursor::Number(3)), 4).await?;
    ensure!(
        rest.keys == all.keys.get(3..).unwrap_or_default(),
        "a number passes over keys"
    );
    let none = store.list_keys(&few, Some(Cursor::Number(u64::MAX)), 4).await?;
    ensure!(none.keys.is_empty() && none.next.is_none());
    Ok(())
}

async fn add(store: &dyn Store, bucket: &BucketName, name: &str, by: u64) -> Result<i128, StoreError> {
    store
        .increment(bucket, Key::new(name)?, Increment::unsigned(by))
        .await
}

async fn increment(store: &Arc<dyn Store>, errors: Errors) -> Result<()> {
    let bucket = bucket("increment")?;
    let add = |name: &'static str, by: u64| add(&**store, &bucket, name, by);
    ensure!(add("n", 5).await? == 5);
    ensure!(add("n", 0).await? == 5);
    ensure!(add("n", 37).await? == 42);
    ensure!(
        read(&**store, &bucket, "n").await?.as_deref() == Some(b"42"),
        "numbers are decimal text"
    );
    store.set(&bucket, key("empty")?, value(b"")?).await?;
    ensure!(add("empty", 1).await? == 1);
    if errors == Errors::Typed {
        let below = store
            .increment(&bucket, key("n")?, Increment::signed(-50))
            .await?;
        ensure!(below == -8, "signed numbers go below zero");
    }

    for (name, text) in [
        ("word", b"forty-two".as_slice()),
        ("bytes", b"\xff\xfe"),
        ("fraction", b"4.2"),
    ] {
        store.set(&bucket, key(name)?, value(text)?).await?;
        let error = add(name, 1).await;
        let is_not = |error: &StoreError| matches!(error, StoreError::NotANumber { .. });
        ensure!(
            errors.is(&error, is_not, "non-numerical value"),
            "{name}: {error:?}"
        );
        ensure!(
            read(&**store, &bucket, name).await?.as_deref() == Some(text),
            "{name} stays as it was"
        );
    }
    ensure!(add("most", u64::MAX).await? == i128::from(u64::MAX));
    let more = add("most", 1).await;
    let leaves = |error: &StoreError| matches!(error, StoreError::Overflow { .. });
    ensure!(errors.is(&more, leaves, "would leave the range"), "{more:?}");
    ensure!(
        add("most", 0).await? == i128::from(u64::MAX),
        "an overflow changes nothing"
    );

    const TASKS: u64 = 8;
    const EACH: u64 = 500;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (store, bucket) = (Arc::clone(store), bucket.clone());
        tasks.spawn(async move {
            let mut last = 0;
            for _ in 0..EACH {
                let number = self::add(&*store, &bucket, "shared", 1).await?;
                ensure!(number > last, "numbers grow");
                last = number;
            }
            Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    ensure!(
        add("shared", 0).await? == i128::from(TASKS * EACH),
        "all increments count"
    );
    Ok(())
}

async fn compare_and_set(store: &Arc<dyn Store>) -> Result<()> {
    let bucket = bucket("swap")?;
    let version = || async { anyhow::Ok(store.get_versioned(&bucket, &key("k")?).await?.0) };
    let swap = |expected: Version, new: &'static [u8]| {
        let (store, bucket) = (Arc::clone(store), bucket.clone());
        async move {
            anyhow::Ok(
                store
                    .compare_and_set(&bucket, key("k")?, expected, value(new)?)
                    .await?,
            )
        }
    };

    let absent = version().await?;
    ensure!(absent == Version::ABSENT);
    ensure!(
        swap(absent, b"one").await? == Swap::Done,
        "absent is a version too"
    );
    ensure!(swap(absent, b"two").await? == Swap::Changed);
    let (one, bytes) = store.get_versioned(&bucket, &key("k")?).await?;
    ensure!(bytes.as_deref() == Some(b"one"), "a refused swap writes nothing");

    store.set(&bucket, key("k")?, value(b"one")?).await?;
    ensure!(
        swap(one, b"two").await? == Swap::Changed,
        "the same value again is a write"
    );
    let one = version().await?;
    store.delete(&bucket, key("k")?).await?;
    ensure!(swap(one, b"two").await? == Swap::Changed, "deleted is a write");
    store.set(&bucket, key("k")?, value(b"one")?).await?;
    ensure!(
        swap(one, b"two").await? == Swap::Changed,
        "deleted and set again is a write"
    );

    let now = version().await?;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        tasks.spawn(swap(now, b"winner"));
    }
    let mut done = 0;
    while let Some(task) = tasks.join_next().await {
        done += u32::from(task?? == Swap::Done);
    }
    ensure!(done == 1, "{done} of the concurrent swaps succeeded");
    Ok(())
}

async fn batches(store: &dyn Store, errors: Errors) -> Result<()> {
    let bucket = bucket("batches")?;
    let keys = |names: &[&str]| names.iter().map(|name| key(name)).collect::<Result<Vec<_>>>();
    store
        .set_many(
            &bucket,
            vec![
                (key("a")?, value(b"first")?),
                (key("b")?, value(b"2")?),
                (key("a")?, value(b"1")?),
            ],
        )
        .await?;
    let found = store.get_many(&bucket, &keys(&["b", "none", "a", "b"])?).await?;
    let found: Vec<Option<&[u8]>> = found.iter().map(Option::as_deref).collect();
    ensure!(
        found == [Some(b"2".as_slice()), None, Some(b"1"), Some(b"2")],
        "{found:?}"
    );
    store.delete_many(&bucket, keys(&["none", "a"])?).await?;
    ensure!(store.get_many(&bucket, &keys(&["a", "b"])?).await? == [None, Some(Bytes::from("2"))]);
    ensure!(store.get_many(&bucket, &[]).await?.is_empty());
    store.set_many(&bucket, Vec::new()).await?;
    store.delete_many(&bucket, Vec::new()).await?;

    let too_many = vec![key("b")?; MAX_BATCH + 1];
    let entries = too_many
        .iter()
        .map(|key| Ok((key.clone(), value(b"")?)))
        .collect::<Result<_>>()?;
    for refused in [
        store.get_many(&bucket, &too_many).await.map(drop),
        store.set_many(&bucket, entries).await,
        store.delete_many(&bucket, too_many).await,
    ] {
        ensure!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    }
    ensure!(
        store.exists(&bucket, &key("b")?).await?,
        "a refused batch changes nothing"
    );

    let large = Value::new(vec![1; MAX_VALUE])?;
    store.set(&bucket, key("large")?, large).await?;
    let reply = vec![key("large")?; MAX_BATCH_BYTES / MAX_VALUE + 1];
    let refused = store.get_many(&bucket, &reply).await;
    let too_large = |error: &StoreError| matches!(error, StoreError::TooLarge { .. });
    ensure!(
        errors.is(&refused, too_large, "the reply to the batch has"),
        "the reply would be too large: {:?}",
        refused.err()
    );
    store.delete(&bucket, key("large")?).await?;
    Ok(())
}

async fn closing(store: &dyn Store) -> Result<()> {
    let bucket = bucket("closing")?;
    store.set(&bucket, key("k")?, value(b"v")?).await?;
    store.close().await;
    store.close().await;
    let refused = [
        store.get(&bucket, &key("k")?).await.map(drop),
        store.set(&bucket, key("k")?, value(b"v")?).await,
        store
            .increment(&bucket, key("k")?, Increment::unsigned(1))
            .await
            .map(drop),
        store.list_keys(&bucket, None, 1).await.map(drop),
    ];
    ensure!(
        refused.iter().all(|refused| *refused == Err(StoreError::Closed)),
        "{refused:?}"
    );
    Ok(())
}
