//! A guest can hurt only itself.

use std::time::{Duration, Instant};

use wasmcloud_core::{InstanceMode, Limits};
use wasmcloud_engine::CallError;
use wasmtime::component::Val;

use crate::support::{Bench, OPS, OPS_NAME, call, limits};

#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_ends_at_its_deadline_and_blocks_nobody_on_its_thread() {
    let bench = Bench::new();
    let spinner = bench
        .start(OPS, limits(Duration::from_millis(500)))
        .await
        .unwrap();
    let other = bench.start(OPS, Limits::default()).await.unwrap();
    let begun = Instant::now();
    let spinning = tokio::spawn(async move { call(&spinner, OPS_NAME, "spin", &[]).await });
    let mut served = 0;
    while !spinning.is_finished() {
        assert_eq!(call(&other, OPS_NAME, "count", &[]).await, Ok(Some(1)));
        served += 1;
        tokio::task::yield_now().await;
    }
    let error = spinning.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Deadline { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // One thread, and the spinner gives way every ten milliseconds: others were served all along.
    assert!(
        served >= 5,
        "only {served} calls were served in {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let small = Limits {
        memory: 1 << 20,
        ..Limits::default()
    };
    let ops = Bench::new().start(OPS, small).await.unwrap();
    assert_eq!(call(&ops, OPS_NAME, "grow", &[Val::U32(15)]).await, Ok(Some(1)));
    assert_eq!(
        call(&ops, OPS_NAME, "grow", &[Val::U32(16)]).await,
        Ok(Some(u32::MAX))
    );
}

#[tokio::test]
async fn a_trap_has_a_backtrace_and_ends_the_instance() {
    let reuse = Limits {
        instance: InstanceMode::Reuse,
        ..Limits::default()
    };
    let ops = Bench::new().start(OPS, reuse).await.unwrap();
    assert_eq!(call(&ops, OPS_NAME, "count", &[]).await, Ok(Some(1)));
    assert_eq!(call(&ops, OPS_NAME, "count", &[]).await, Ok(Some(2)));
    let error = call(&ops, OPS_NAME, "trap", &[]).await.unwrap_err();
    let CallError::Trap { trap, .. } = error else {
        panic!("{error}")
    };
    assert!(trap.message.contains("unreachable"), "{}", trap.message);
    assert!(trap.backtrace.contains("deep"), "{}", trap.backtrace);
    assert_eq!(
        call(&ops, OPS_NAME, "count", &[]).await,
        Ok(Some(1)),
        "a new instance"
    );
}

#[tokio::test]
async fn failing_calls_leak_no_slot() {
    let one = Limits {
        concurrency: 1,
        queue: 0,
        ..limits(Duration::from_millis(20))
    };
    let ops = Bench::new().start(OPS, one).await.unwrap();
    for round in 0..500 {
        let function = if round % 100 == 0 { "spin" } else { "trap" };
        assert!(call(&ops, OPS_NAME, function, &[]).await.is_err());
        assert_eq!(ops.in_use(), (0, 0), "round {round}");
    }
    let stats = ops.stats().snapshot();
    assert_eq!((stats.invocations, stats.errors, stats.refused), (500, 500, 0));
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_call_along() {
    let ops = Bench::new()
        .start(OPS, limits(Duration::from_secs(60)))
        .await
        .unwrap();
    let gone = tokio::time::timeout(Duration::from_millis(50), call(&ops, OPS_NAME, "spin", &[])).await;
    assert!(gone.is_err());
    assert_eq!(ops.in_use(), (0, 0));
}
