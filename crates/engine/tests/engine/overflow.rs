//! Calls of a component whose slots are all in use: elsewhere first, then in line.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_core::{ComponentId, Limits};
use wasmcloud_engine::{CallError, EncodedRequest, Live, Prepared, RemoteCall};

use crate::support::{Bench, FRONT, FRONT_NAME, OPS, call, link_to, target};

/// Somebody elsewhere, what they do with a call, and what they were asked.
#[derive(Default)]
struct Elsewhere {
    has_room: bool,
    answer: Option<Result<Option<Bytes>, CallError>>,
    asked: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl RemoteCall for Elsewhere {
    async fn call(&self, _: EncodedRequest<'_>) -> Result<Bytes, CallError> {
        panic!("a component that runs here is not called elsewhere without need")
    }

    fn may_have_room(&self, target: &ComponentId) -> bool {
        assert_eq!(target.as_str(), "ops");
        self.asked.lock().push("room");
        self.has_room
    }

    async fn call_now(&self, call: EncodedRequest<'_>) -> Result<Option<Bytes>, CallError> {
        assert_eq!((call.caller.as_str(), call.function), ("front", "count"));
        self.asked.lock().push("call");
        self.answer.clone().expect("nobody is to be called")
    }
}

/// A component of one slot without a line, one that calls it, and somebody elsewhere.
async fn bench(elsewhere: Elsewhere) -> (Bench, Arc<Prepared>, Arc<Prepared>, Arc<Elsewhere>) {
    let mut bench = Bench::new();
    let elsewhere = Arc::new(elsewhere);
    bench.elsewhere = Some(Arc::clone(&elsewhere) as _);
    let place = target("ops");
    let one = Limits {
        concurrency: 1,
        queue: 0,
        ..Limits::default()
    };
    let ops = bench.start_linked("ops", OPS, one, Default::default()).await;
    let ops = ops.unwrap();
    place.set(Arc::clone(&ops));
    let front = bench.start_linked("front", FRONT, Limits::default(), link_to(&place));
    let front = front.await.unwrap();
    (bench, ops, front, elsewhere)
}

async fn hold(ops: &Arc<Prepared>) -> Live {
    let invocation = Invocation::new(Caller::Host, Duration::from_secs(60));
    ops.begin(invocation).await.unwrap()
}

#[tokio::test]
async fn a_free_slot_is_all_that_is_looked_at() {
    let (_bench, ops, front, elsewhere) = bench(Elsewhere::default()).await;
    assert_eq!(call(&front, FRONT_NAME, "count", &[]).await, Ok(Some(1)));
    assert!(elsewhere.asked.lock().is_empty());
    assert_eq!(ops.stats().snapshot().overflowed, 0);
}

#[tokio::test]
async fn who_finds_no_slot_is_answered_elsewhere() {
    let (_bench, ops, front, elsewhere) = bench(Elsewhere {
        has_room: true,
        answer: Some(Ok(Some(vec![42].into()))),
        ..Elsewhere::default()
    })
    .await;
    let held = hold(&ops).await;
    assert_eq!(call(&front, FRONT_NAME, "count", &[]).await, Ok(Some(42)));
    assert_eq!(*elsewhere.asked.lock(), ["room", "call"]);
    let stats = ops.stats().snapshot();
    assert_eq!((stats.overflowed, stats.refused, stats.queued), (1, 0, 0));
    drop(held);
    assert_eq!(call(&front, FRONT_NAME, "count", &[]).await, Ok(Some(1)));
}

#[tokio::test]
async fn who_is_taken_nowhere_stands_in_line() {
    for (has_room, asked) in [(false, &["room"][..]), (true, &["room", "call"])] {
        let (_bench, ops, front, elsewhere) = bench(Elsewhere {
            has_room,
            answer: has_room.then_some(Ok(None)),
            ..Elsewhere::default()
        })
        .await;
        let _held = hold(&ops).await;
        // The line is of no length.
        let error = call(&front, FRONT_NAME, "count", &[]).await.unwrap_err();
        let full = "component `ops` is busy: 1 calls run and 0 wait";
        assert!(error.to_string().contains(full), "{error}");
        assert_eq!(*elsewhere.asked.lock(), asked);
        let stats = ops.stats().snapshot();
        assert_eq!((stats.overflowed, stats.refused), (0, 1));
    }
}

#[tokio::test]
async fn a_call_that_may_have_begun_elsewhere_is_not_made_here() {
    let gone = CallError::Lattice {
        component: "ops".parse().unwrap(),
        kind: "gone",
        reason: "it is gone".to_owned(),
    };
    let (_bench, ops, front, _elsewhere) = bench(Elsewhere {
        has_room: true,
        answer: Some(Err(gone)),
        ..Elsewhere::default()
    })
    .await;
    let held = hold(&ops).await;
    let error = call(&front, FRONT_NAME, "count", &[]).await.unwrap_err();
    assert!(error.to_string().contains("it is gone"), "{error}");
    drop(held);
    assert_eq!(ops.stats().snapshot().refused, 0);
}
