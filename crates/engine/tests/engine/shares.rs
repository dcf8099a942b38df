//! Two revisions of a component beside each other: who gets which calls.

use std::sync::Arc;

use wasmcloud_core::{InstanceMode, Limits};
use wasmcloud_engine::{CallError, Prepared, Target};

use crate::support::{Bench, FRONT, FRONT_NAME, OPS, call, link_to, target};

struct Pair {
    _bench: Bench,
    place: Arc<Target>,
    current: Arc<Prepared>,
    candidate: Arc<Prepared>,
    front: Arc<Prepared>,
}

impl Pair {
    async fn start(candidate: &str, weight: u8) -> Self {
        Self::of(OPS, candidate, weight).await
    }

    async fn of(current: &str, candidate: &str, weight: u8) -> Self {
        let bench = Bench::new();
        let reuse = || Limits {
            instance: InstanceMode::Reuse,
            max_reuse: u32::MAX,
            ..Limits::default()
        };
        let start = async |wat| {
            let started = bench.start_linked("ops", wat, reuse(), Default::default());
            started.await.unwrap()
        };
        let (current, candidate) = (start(current).await, start(candidate).await);
        let place = target("ops");
        place.share(Arc::clone(&current), Arc::clone(&candidate), weight);
        let front = bench.start_linked("front", FRONT, reuse(), link_to(&place));
        let front = front.await.unwrap();
        Self {
            _bench: bench,
            place,
            current,
            candidate,
            front,
        }
    }

    async fn call(&self, function: &str) -> Result<Option<u32>, CallError> {
        call(&self.front, FRONT_NAME, function, &[]).await
    }

    fn ended(&self) -> ((u64, u64), (u64, u64)) {
        (self.current.profile().ended(), self.candidate.profile().ended())
    }
}

#[tokio::test]
async fn a_candidate_gets_its_exact_share_of_the_calls() {
    let pair = Pair::start(OPS, 0).await;
    let (mut first, mut second) = (0, 0);
    for weight in [0, 1, 33, 99, 100] {
        let (current, candidate) = (&pair.current, &pair.candidate);
        pair.place
            .share(Arc::clone(current), Arc::clone(candidate), weight);
        for _ in 0..1_000 {
            pair.call("count").await.unwrap();
        }
        second += u64::from(weight) * 10;
        first += 1_000 - u64::from(weight) * 10;
        assert_eq!(pair.ended(), ((first, 0), (second, 0)), "{weight}");
    }
    pair.place.set(Arc::clone(&pair.candidate));
    pair.call("count").await.unwrap();
    assert_eq!(pair.ended(), ((first, 0), (second + 1, 0)));
    assert_eq!(pair.place.get().unwrap().profile().ended(), (second + 1, 0));
}

/// Without the export `count`.
fn without_count() -> String {
    OPS.replace(r#"(export "count" (func $count)) (export"#, "(export")
}

#[tokio::test]
async fn what_only_one_of_them_has_goes_to_that_one() {
    let pair = Pair::start(&without_count(), 50).await;
    for _ in 0..10 {
        pair.call("count").await.unwrap();
        pair.call("trap").await.unwrap_err();
    }
    // Of each function: calls of the one do not take the turns of the other.
    assert_eq!(pair.ended(), ((15, 5), (5, 5)));

    let pair = Pair::of(&without_count(), OPS, 10).await;
    for _ in 0..10 {
        pair.call("count").await.unwrap();
    }
    assert_eq!(pair.ended(), ((0, 0), (10, 0)));
    // A candidate that shall have no calls has none, also where that means that nobody answers.
    let (current, candidate) = (Arc::clone(&pair.current), Arc::clone(&pair.candidate));
    pair.place.share(current, candidate, 0);
    let error = pair.call("count").await.unwrap_err();
    assert!(error.to_string().contains("does not export `count`"), "{error}");
    assert_eq!(pair.ended(), ((0, 0), (10, 0)));
}
