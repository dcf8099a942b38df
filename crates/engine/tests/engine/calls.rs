//! Calls between components by type, and what their failures look like from outside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmcloud_core::{InstanceMode, Limits};
use wasmcloud_engine::{CallError, Prepared, Refused};
use wasmtime::component::Val;

use crate::support::{Bench, FRONT, FRONT_NAME, OPS, OPS_NAME, call, limits, link_to, target};

async fn pair(callee: Limits, caller: Limits) -> (Bench, Arc<Prepared>) {
    let bench = Bench::new();
    let place = target("ops");
    place.set(
        bench
            .start_linked("ops", OPS, callee, Default::default())
            .await
            .unwrap(),
    );
    let front = bench
        .start_linked("front", FRONT, caller, link_to(&place))
        .await
        .unwrap();
    (bench, front)
}

#[tokio::test]
async fn a_fresh_callee_forgets_and_a_reused_one_remembers() {
    let (_bench, front) = pair(Limits::default(), Limits::default()).await;
    for _ in 0..3 {
        assert_eq!(call(&front, FRONT_NAME, "count", &[]).await, Ok(Some(1)));
    }
    let reuse = Limits {
        instance: InstanceMode::Reuse,
        max_reuse: 3,
        ..Limits::default()
    };
    let (_bench, front) = pair(reuse, Limits::default()).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(call(&front, FRONT_NAME, "count", &[]).await.unwrap().unwrap());
    }
    assert_eq!(
        seen,
        [1, 2, 3, 1, 2, 3],
        "an instance is replaced after three calls"
    );
}

#[tokio::test]
async fn the_callers_deadline_bounds_the_callee() {
    let (_bench, front) = pair(
        limits(Duration::from_secs(60)),
        limits(Duration::from_millis(100)),
    )
    .await;
    let begun = Instant::now();
    let error = call(&front, FRONT_NAME, "spin", &[]).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let text = error.to_string();
    assert!(text.contains("did not finish"), "{text}");
}

#[tokio::test]
async fn a_trap_in_the_callee_reaches_the_caller_with_its_reason() {
    let (_bench, front) = pair(Limits::default(), Limits::default()).await;
    let error = call(&front, FRONT_NAME, "trap", &[]).await.unwrap_err();
    let CallError::Trap { component, trap } = &error else {
        panic!("{error}")
    };
    assert_eq!(component.as_str(), "front");
    assert!(
        trap.message.contains("component `ops` trapped"),
        "{}",
        trap.message
    );
}

#[tokio::test]
async fn a_target_that_does_not_run_is_refused_at_once_and_can_come_back() {
    let bench = Bench::new();
    let place = target("ops");
    let front = bench
        .start_linked("front", FRONT, Limits::default(), link_to(&place))
        .await
        .unwrap();
    let begun = Instant::now();
    let error = call(&front, FRONT_NAME, "count", &[])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("component `ops` does not run on this host: it was not started"),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(1));
    place.set(
        bench
            .start_linked("ops", OPS, Limits::default(), Default::default())
            .await
            .unwrap(),
    );
    assert_eq!(call(&front, FRONT_NAME, "count", &[]).await, Ok(Some(1)));
}

#[tokio::test]
async fn components_that_call_each_other_in_a_circle_are_stopped() {
    // Its own export has the name of its import, and the link leads back to it.
    let circle = FRONT.replace(FRONT_NAME, OPS_NAME);
    let bench = Bench::new();
    let place = target("circle");
    let limits = Limits {
        concurrency: 1000,
        ..Limits::default()
    };
    let circle = bench
        .start_linked("circle", &circle, limits, link_to(&place))
        .await;
    // The component exports what it imports; wasm tools allow that.
    let circle = circle.unwrap();
    place.set(Arc::clone(&circle));
    let error = call(&circle, OPS_NAME, "count", &[])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("calls deep, components seem to call each other in a circle"),
        "{error}"
    );
    assert_eq!(circle.in_use(), (0, 0));
}

#[tokio::test]
async fn unknown_functions_and_wrong_values_are_mismatches() {
    let ops = Bench::new().start(OPS, Limits::default()).await.unwrap();
    let error = call(&ops, OPS_NAME, "nothing", &[])
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "component `unit`: it does not export `nothing` of `test:unit/ops@1.0.0`"
    );
    let error = call(&ops, "test:unit/ops@2.0.0", "count", &[]).await.unwrap_err();
    assert!(matches!(error, CallError::Mismatch { .. }), "{error}");
    assert!(call(&ops, OPS_NAME, "grow", &[Val::Bool(true)]).await.is_err());
    // A compatible version is as good.
    assert_eq!(call(&ops, "test:unit/ops@1.4.2", "count", &[]).await, Ok(Some(1)));
}

#[tokio::test]
async fn a_full_pool_is_a_refusal() {
    let bench = Bench::with(wasmcloud_engine::EngineConfig {
        max_instances: 2,
        ..Default::default()
    });
    let ops = bench.start(OPS, limits(Duration::from_secs(5))).await.unwrap();
    let invocation =
        || wasmcloud_capability::Invocation::new(wasmcloud_capability::Caller::Host, Duration::from_secs(5));
    let held = [
        ops.begin(invocation()).await.unwrap(),
        ops.begin(invocation()).await.unwrap(),
    ];
    let error = ops.begin(invocation()).await.err().unwrap();
    assert!(
        matches!(error, CallError::Refused(Refused::PoolFull { .. })),
        "{error}"
    );
    drop(held);
    assert!(ops.begin(invocation()).await.is_ok());
}
