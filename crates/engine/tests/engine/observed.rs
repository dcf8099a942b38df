//! What is seen of calls from outside them: spans, when somebody traces, and counters.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use wasmcloud_core::{InstanceMode, Limits};

use crate::support::{Bench, FRONT, FRONT_NAME, OPS, OPS_NAME, call, limits, link_to, target};

/// A span: its id, its parent's, and the operation.
type Seen = (u64, Option<u64>, String);

/// Notes each span of an invocation.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Seen>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.name() {
            "component_invocation" => Interest::always(),
            _ => Interest::never(),
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        struct Operation(String);
        impl tracing::field::Visit for Operation {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "operation" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut operation = Operation(String::new());
        attributes.record(&mut operation);
        let parent = context.current_span().id().map(Id::into_u64);
        self.0.lock().unwrap().push((id.into_u64(), parent, operation.0));
    }
}

#[tokio::test]
async fn a_call_that_a_call_makes_is_its_child() {
    let bench = Bench::new();
    let place = target("ops");
    let ops = bench.start_linked("ops", OPS, Limits::default(), Default::default());
    place.set(ops.await.unwrap());
    let front = bench.start_linked("front", FRONT, Limits::default(), link_to(&place));
    let front = front.await.unwrap();

    let spans = Spans::default();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    for _ in 0..2 {
        assert_eq!(call(&front, FRONT_NAME, "count", &[]).await, Ok(Some(1)));
    }
    drop(guard);
    let seen = spans.0.lock().unwrap();
    let [
        (first, None, outer),
        (_, Some(parent), inner),
        (_, None, again),
        (_, Some(_), _),
    ] = seen.as_slice()
    else {
        panic!("{seen:?}");
    };
    assert_eq!(parent, first);
    assert_eq!(outer, again);
    assert_eq!(
        (outer.as_str(), inner.as_str()),
        ("test:unit/front/count", "test:unit/ops/count")
    );
}

#[tokio::test]
async fn calls_are_counted_with_their_instances_and_waits() {
    let one = Limits {
        instance: InstanceMode::Reuse,
        concurrency: 1,
        queue: 10,
        ..limits(Duration::from_secs(60))
    };
    let bench = Bench::new();
    let ops = bench.start(OPS, one).await.unwrap();
    for _ in 0..3 {
        call(&ops, OPS_NAME, "count", &[]).await.unwrap();
    }
    let stats = ops.stats().snapshot();
    // The instance that the start tried is the one that they had.
    assert_eq!((stats.invocations, stats.instantiated, stats.queued), (3, 1, 0));
    assert_eq!(ops.idle(), 1);
    assert!(stats.durations.sum > Duration::ZERO && stats.durations.count() == 3);

    let spinning = tokio::spawn({
        let ops = Arc::clone(&ops);
        async move { call(&ops, OPS_NAME, "spin", &[]).await }
    });
    while ops.in_use().0 == 0 {
        tokio::task::yield_now().await;
    }
    let waiting = tokio::spawn({
        let ops = Arc::clone(&ops);
        async move { call(&ops, OPS_NAME, "count", &[]).await }
    });
    while ops.in_use().1 == 0 {
        tokio::task::yield_now().await;
    }
    spinning.abort();
    waiting.await.unwrap().unwrap();
    let stats = ops.stats().snapshot();
    assert_eq!(stats.queued, 1);
    assert!(stats.queue_time > Duration::ZERO);
    let compiled = bench.engine.compiled();
    assert_eq!(
        (compiled.compiled.count(), compiled.cached, compiled.failed),
        (1, 0, 0)
    );
    assert!(bench.compile(&b"no wasm"[..]).await.is_err());
    assert_eq!(bench.engine.compiled().failed, 1);
}
