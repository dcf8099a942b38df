//! Steps that do not succeed: tried again after pauses, elsewhere where that helps, and said to have failed.

use wasmcloud_controller::{Moment, StatusKind, Wait};

use crate::world::{World, component, manifest, steps};

fn world(hosts: &str, instances: u32) -> World {
    let mut world = World::new(hosts);
    world.deploy(&manifest(
        "shop",
        &[&component("cart", "acme/cart:1", instances, "")],
    ));
    world
}

/// Lets seconds pass, one plan in each; steps on some hosts fail, others take effect. Answers when what was sent.
fn run(world: &mut World, seconds: u64, failing: &[&str]) -> Vec<(u64, String)> {
    let mut sent = Vec::new();
    for second in 0..seconds {
        let mut plan = world.plan();
        sent.extend(steps(&plan).into_iter().map(|step| (second, step)));
        plan.steps.retain(|step| {
            let key = step.action.key();
            let fails = key.host().is_some_and(|host| failing.contains(&host.as_str()));
            if fails {
                world.0.memory.failed(&key, "image not found", world.0.now);
            }
            !fails
        });
        world.0.carry_out(&plan);
        world.pass(1);
    }
    sent
}

#[test]
fn nothing_is_sent_twice_while_it_is_under_way() {
    let mut world = world("NA", 1);
    assert_eq!(world.plan().steps.len(), 1);
    for _ in 0..29 {
        world.pass(1);
        assert!(world.plan().steps.is_empty());
    }
    world.pass(1);
    assert_eq!(
        world.plan().steps.len(),
        1,
        "by now its effect should have been seen"
    );
}

#[test]
fn what_fails_is_tried_again_ever_more_slowly_and_said() {
    let mut world = world("NA", 1);
    let sent: Vec<u64> = run(&mut world, 200, &["NA"])
        .into_iter()
        .map(|(second, _)| second)
        .collect();
    assert_eq!(sent, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    let plan = world.plan();
    let report = &plan.reports[0];
    assert_eq!(
        report.status.to_string(),
        "failed: Scaling component on 1 host(s): image not found"
    );
    let (_, decision) = plan.why(&report.app, "shop-cart").unwrap();
    assert!(
        matches!(
            &decision.waits[..],
            [Wait::Effect {
                tries: 9,
                error: Some(_),
                ..
            }]
        ),
        "{decision}"
    );
    assert_eq!(decision.next_retry(), Some(Moment::from_secs(100 + 183 + 60)));
    // A new revision starts anew.
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:2", 1, "")]));
    let plan = world.plan();
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.reports[0].status.kind, StatusKind::Reconciling);
}

#[test]
fn a_host_that_fails_is_left_for_another() {
    let mut world = world("NA, NB", 1);
    let sent = run(&mut world, 30, &["NA"]);
    let hosts: Vec<(u64, bool)> = sent
        .iter()
        .map(|(second, step)| (*second, step.contains("on NA")))
        .collect();
    assert_eq!(hosts, [(0, true), (1, true), (3, true), (4, false)]);
    assert_eq!(world.runs(), ["NB shop-cart 1"]);
    assert!(run(&mut world, 1_000, &["NA"]).is_empty(), "and it stays there");
}

#[test]
fn what_fails_everywhere_is_not_tried_everywhere() {
    let hosts = ["NA", "NB", "NC", "ND", "NE", "NF"];
    let mut world = world(&hosts.join(", "), 1);
    let mut tried: Vec<String> = run(&mut world, 250, &hosts)
        .into_iter()
        .map(|(_, step)| step)
        .collect();
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried.len(), 4, "{tried:?}");
}

#[test]
fn what_is_under_way_is_not_started_elsewhere_too() {
    let mut world = world("NA, NB", 1);
    let sent = steps(&world.plan());
    assert_eq!(sent, ["scale component shop-cart on NA to 1"]);
    // Before it runs, the other host looks better.
    for id in ["x", "y"] {
        world.start_by_hand("NA", id, 1);
    }
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_host_that_started_anew_is_asked_at_once() {
    let mut world = world("NA", 1);
    assert_eq!(world.plan().steps.len(), 1);
    assert!(world.plan().steps.is_empty());
    world.0.memory.reset_host(&"NA".parse().unwrap());
    assert_eq!(world.plan().steps.len(), 1);
}
