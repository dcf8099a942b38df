//! A component that uses the resources of another: who answers, how long that one lives, and what is left of it.

use std::sync::Arc;
use std::time::Duration;

use wasmcloud_capability::{Caller, Invocation, LinkTable};
use wasmcloud_core::{InstanceMode, Limits};
use wasmcloud_engine::{CallError, EngineConfig, Prepared, Target, call_export};
use wasmtime::component::Val;

use crate::support::{Bench, limits, links, target};

const COUNTERS: &str = "test:resources/counters";
const DRIVER: &str = "test:resources/driver@0.1.0";

// Each says in its first lines what it does.
const FAR: &str = include_str!("wat/far.wat");
const GIVER: &str = include_str!("wat/giver.wat");
const THINGS: &str = include_str!("wat/things.wat");
const USER: &str = include_str!("wat/user.wat");

/// A holder whose link leads to a keeper.
struct Pair {
    bench: Bench,
    place: Arc<Target>,
    keeper: Arc<Prepared>,
    holder: Arc<Prepared>,
}

impl Pair {
    async fn start(holder: Limits, keeper: Limits) -> Self {
        let bench = Bench::with(EngineConfig {
            max_instances: 120,
            ..EngineConfig::default()
        });
        let place = target("keeper");
        let keeper = bench.start_guest("keeper", keeper, LinkTable::default()).await;
        place.set(Arc::clone(&keeper));
        let holder = bench
            .start_guest("holder", holder, links(&[(&place, COUNTERS)]))
            .await;
        Self {
            bench,
            place,
            keeper,
            holder,
        }
    }

    async fn drive(&self, function: &str, params: &[Val]) -> Result<Option<u32>, CallError> {
        drive(&self.holder, function, params).await
    }

    /// Neither has a call, an instance that waits, or a slot that somebody has.
    fn assert_at_rest(&self) {
        assert_eq!((self.holder.in_use(), self.keeper.in_use()), ((0, 0), (0, 0)));
    }
}

async fn drive(holder: &Arc<Prepared>, function: &str, params: &[Val]) -> Result<Option<u32>, CallError> {
    let invocation = Invocation::new(Caller::Host, holder.limits().deadline);
    let returns = matches!(function, "run-many" | "run-held" | "run-leak" | "run-increment");
    let mut results = vec![Val::Bool(false); usize::from(returns)];
    call_export(holder, invocation, DRIVER, function, params, &mut results).await?;
    Ok(match results.pop() {
        Some(Val::U32(value)) => Some(value),
        _ => None,
    })
}

fn long() -> Limits {
    limits(Duration::from_secs(60))
}

fn reused() -> Limits {
    Limits {
        instance: InstanceMode::Reuse,
        ..long()
    }
}

/// Waits until a component has so many calls running.
async fn running(prepared: &Prepared, calls: u32) {
    let reached = async {
        while prepared.in_use().0 != calls {
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
    assert!(reached.is_ok(), "{:?} calls run and wait", prepared.in_use());
}

#[tokio::test]
async fn handles_go_there_and_back_in_values_of_every_kind() {
    for (holder, keeper) in [(long(), long()), (long(), reused()), (reused(), reused())] {
        let pair = Pair::start(holder, keeper).await;
        for _ in 0..3 {
            assert_eq!(pair.drive("run-all", &[]).await, Ok(None));
            pair.assert_at_rest();
        }
        let reuse = pair.keeper.limits().instance == InstanceMode::Reuse;
        assert_eq!(pair.keeper.idle(), usize::from(reuse));
    }
}

#[tokio::test]
async fn one_instance_answers_as_long_as_there_is_a_handle() {
    let pair = Pair::start(long(), long()).await;
    let before = pair.keeper.stats().snapshot();
    assert_eq!(pair.drive("run-held", &[Val::U32(100)]).await, Ok(Some(100)));
    let seen = pair.keeper.stats().snapshot().since(&before);
    assert_eq!(
        (seen.instantiated, seen.cold, seen.invocations, seen.errors),
        (1, 1, 101, 0),
        "a hundred constructors and a look, in one instance; destructors are no calls"
    );
    pair.assert_at_rest();
}

#[tokio::test]
async fn handles_that_are_dropped_leave_nothing() {
    let keeper = Limits {
        max_reuse: u32::MAX,
        ..reused()
    };
    let pair = Pair::start(reused(), keeper).await;
    let many = [Val::U32(10_000)];
    assert_eq!(pair.drive("run-many", &many).await, Ok(Some(0)));
    let (before, memory) = (pair.keeper.stats().snapshot(), resident());
    // An instance may hold 10,000 handles, and both are used again: one that stayed would be seen in the second round.
    for round in 0..5 {
        assert_eq!(pair.drive("run-many", &many).await, Ok(Some(0)), "round {round}");
        pair.assert_at_rest();
        assert_eq!((pair.holder.idle(), pair.keeper.idle()), (1, 1));
    }
    assert_eq!(pair.keeper.stats().snapshot().since(&before).instantiated, 0);
    let grown = resident().saturating_sub(memory);
    assert!(grown < 4 << 20, "{grown} bytes more after 50,000 handles");
}

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test]
async fn an_instance_that_holds_handles_is_not_kept_and_neither_is_what_they_lead_to() {
    let pair = Pair::start(reused(), reused()).await;
    for _ in 0..3 {
        // A second counter in the same instance would be the second.
        assert_eq!(pair.drive("run-leak", &[]).await, Ok(Some(1)));
        pair.assert_at_rest();
        assert_eq!(pair.holder.idle(), 0);
    }
}

#[tokio::test]
async fn there_is_a_most_that_an_instance_may_hold() {
    let pair = Pair::start(long(), long()).await;
    assert_eq!(pair.drive("run-held", &[Val::U32(9_000)]).await, Ok(Some(9_000)));
    let error = pair.drive("run-held", &[Val::U32(10_001)]).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`holder`: it holds 10000 handles, and an instance cannot hold more"),
        "{text}"
    );
    pair.assert_at_rest();
}

#[tokio::test]
async fn a_trap_takes_the_handles_along_and_names_the_component() {
    let pair = Pair::start(reused(), reused()).await;
    let error = pair.drive("run-fail", &[]).await.unwrap_err();
    let CallError::Trap { component, trap } = &error else {
        panic!("{error}")
    };
    assert_eq!(component.as_str(), "holder");
    assert!(
        trap.message.contains("component `keeper` trapped"),
        "{}",
        trap.message
    );
    pair.assert_at_rest();
    assert_eq!(
        (pair.holder.idle(), pair.keeper.idle()),
        (0, 0),
        "neither is used again"
    );
    assert_eq!(pair.keeper.stats().snapshot().errors, 1);
    assert_eq!(pair.drive("run-all", &[]).await, Ok(None));
}

#[tokio::test]
async fn the_callers_deadline_ends_the_instance_that_its_handles_lead_to() {
    let pair = Pair::start(limits(Duration::from_millis(300)), long()).await;
    let error = pair.drive("run-spin", &[]).await.unwrap_err();
    assert!(error.to_string().contains("did not finish"), "{error}");
    pair.assert_at_rest();
}

#[tokio::test]
async fn a_handle_goes_on_in_the_instance_it_leads_to_when_the_component_is_replaced() {
    let Pair {
        bench,
        place,
        keeper,
        holder,
    } = Pair::start(long(), long()).await;
    let holding = tokio::spawn({
        let holder = Arc::clone(&holder);
        async move { drive(&holder, "run-increment", &[Val::U32(20_000)]).await }
    });
    running(&keeper, 1).await;
    let next = bench.start_guest("keeper", long(), LinkTable::default()).await;
    place.set(Arc::clone(&next));
    keeper.retire();
    assert!(!keeper.drained(Duration::ZERO).await, "a handle has its slot");
    assert_eq!(drive(&holder, "run-leak", &[]).await, Ok(Some(1)));
    assert_eq!(
        next.stats().snapshot().invocations,
        2,
        "who begins now is with the new one"
    );

    place.clear("it was stopped");
    let refused = drive(&holder, "run-leak", &[]).await.unwrap_err().to_string();
    assert!(
        refused.contains("`keeper` does not run on this host: it was stopped"),
        "{refused}"
    );
    assert_eq!(holding.await.unwrap(), Ok(None));
    assert_eq!(keeper.stats().snapshot().invocations, 20_001);
    assert!(keeper.drained(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn an_instance_stays_with_the_revision_whose_handles_it_has() {
    let pair = Pair::start(long(), long()).await;
    let next = pair
        .bench
        .start_guest("keeper", long(), LinkTable::default())
        .await;
    pair.place.share(Arc::clone(&pair.keeper), Arc::clone(&next), 50);
    for _ in 0..10 {
        // It gives handles into one call, which both would have to be of one revision for.
        assert_eq!(pair.drive("run-all", &[]).await, Ok(None));
        pair.assert_at_rest();
    }
    let (first, second) = (pair.keeper.profile().ended(), next.profile().ended());
    assert!(first.0 > 0 && second.0 > 0, "{first:?} and {second:?}");
}

#[tokio::test]
async fn a_handle_takes_a_slot_and_without_one_there_is_none() {
    let one = Limits {
        concurrency: 1,
        queue: 0,
        ..long()
    };
    let pair = Pair::start(limits(Duration::from_secs(2)), one).await;
    let spinning = drive(&pair.holder, "run-spin", &[]);
    let refused = async {
        running(&pair.keeper, 1).await;
        pair.drive("run-all", &[]).await
    };
    let (spinning, refused) = tokio::join!(spinning, refused);
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("component `keeper` is busy: 1 calls run and 0 wait"),
        "{refused}"
    );
    assert!(spinning.is_err());
    assert_eq!(pair.drive("run-all", &[]).await, Ok(None));
    pair.assert_at_rest();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_at_once_each_have_their_own() {
    let many = Limits {
        concurrency: 50,
        queue: 1_000,
        ..long()
    };
    let pair = Pair::start(many.clone(), many).await;
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let holder = Arc::clone(&pair.holder);
            tokio::spawn(async move { drive(&holder, "run-all", &[]).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok(None));
    }
    pair.assert_at_rest();
    let seen = pair.keeper.stats().snapshot();
    assert_eq!((seen.errors, seen.refused), (0, 0));
}

/// A component that uses the resources of a relay, and the relay, which uses those of the keeper.
async fn chain(pair: &Pair) -> (Arc<Prepared>, Arc<Prepared>) {
    let place = target("relay");
    let to_keeper = (&pair.place, COUNTERS);
    let relay = pair
        .bench
        .start_guest("relay", reused(), links(&[to_keeper]))
        .await;
    place.set(Arc::clone(&relay));
    let links = links(&[to_keeper, (&place, "test:resources/relayed")]);
    let far = pair.bench.start_linked("far", FAR, reused(), links).await;
    (far.unwrap(), relay)
}

#[tokio::test]
async fn a_resource_may_have_another_components_behind_it() {
    let pair = Pair::start(reused(), reused()).await;
    let (far, relay) = chain(&pair).await;
    for _ in 0..3 {
        assert_eq!(drive(&far, "run-all", &[]).await, Ok(None));
        assert_eq!(
            (far.in_use(), relay.in_use(), pair.keeper.in_use()),
            ((0, 0), (0, 0), (0, 0))
        );
        assert_eq!((far.idle(), relay.idle(), pair.keeper.idle()), (1, 1, 1));
    }
    assert!(drive(&far, "run-leak", &[]).await.is_ok());
    assert_eq!(
        (far.in_use(), relay.in_use(), pair.keeper.in_use()),
        ((0, 0), (0, 0), (0, 0))
    );
    assert_eq!((far.idle(), relay.idle(), pair.keeper.idle()), (0, 0, 0));
    assert_eq!(pair.keeper.stats().snapshot().invocations, 4 * 3);
}

#[tokio::test]
async fn a_handle_goes_to_whoever_made_it_and_to_nobody_else() {
    let pair = Pair::start(long(), long()).await;
    let (far, relay) = chain(&pair).await;
    let error = drive(&far, "run-take", &[]).await.unwrap_err().to_string();
    assert!(
        error.contains(
            "`take` of `test:resources/relayed@0.1.0`: it passes a handle of component `keeper`, which does not export \
             this; a handle goes to the component that made it, and to no other"
        ),
        "{error}"
    );
    assert_eq!(relay.stats().snapshot().invocations, 0);
    pair.assert_at_rest();
}

#[tokio::test]
async fn components_of_either_engine_use_each_others_resources() {
    // What component model async has needs the other engine (ADR 1).
    let concurrent = |wat: &str| {
        wat.replacen(
            "(component",
            "(component (core func (canon context.get i32 0))",
            1,
        )
    };
    for (things, user) in [
        (THINGS.to_owned(), concurrent(USER)),
        (concurrent(THINGS), USER.to_owned()),
        (concurrent(THINGS), concurrent(USER)),
    ] {
        let bench = Bench::new();
        let place = target("things");
        let things = bench.start_linked("things", &things, long(), LinkTable::default());
        let things = things.await.unwrap();
        place.set(Arc::clone(&things));
        let links = links(&[(&place, "test:unit/things")]);
        let user = bench.start_linked("user", &user, long(), links).await.unwrap();
        for _ in 0..3 {
            assert_eq!(drive(&user, "run-leak", &[]).await, Ok(Some(1)));
            assert_eq!((user.in_use(), things.in_use()), ((0, 0), (0, 0)));
        }
    }
}

#[tokio::test]
async fn sides_that_mean_different_types_are_told_so() {
    let pair = Pair::start(long(), long()).await;
    let links = links(&[(&pair.place, COUNTERS)]);
    let giver = pair.bench.start_linked("giver", GIVER, long(), links);
    let giver = giver.await.unwrap();
    let error = drive(&giver, "run-all", &[]).await.unwrap_err().to_string();
    assert!(
        error.contains(
            "component `giver`: `value` of `test:resources/counters@0.1.0`: it is imported as `func(counter) -> u32`, \
             and component `keeper` exports it as `func(borrow<counter>) -> u32`"
        ),
        "{error}"
    );
    pair.assert_at_rest();
}
