//! Which host gets how many of a component.

use wasmcloud_controller::{StatusKind, Wait};

use crate::world::{World, component, manifest};

const IMAGE: &str = "ghcr.io/acme/cart:1";

fn cart(instances: u32, spread: &str) -> String {
    manifest("shop", &[&component("cart", IMAGE, instances, spread)])
}

#[test]
fn instances_are_divided_and_stay() {
    let mut world = World::new("NA, NB, NC");
    world.deploy(&cart(10, ""));
    assert_eq!(
        world.status("shop").to_string(),
        "reconciling: Scaling component on 3 host(s)"
    );
    world.0.memory = Default::default();
    let steps = world.settle();
    assert_eq!(
        steps,
        [
            "scale component shop-cart on NA to 4",
            "scale component shop-cart on NB to 3",
            "scale component shop-cart on NC to 3"
        ]
    );
    assert_eq!(world.status("shop").to_string(), "deployed");
    world.add_host("ND");
    assert!(world.settle().is_empty(), "a host that joins moves nothing");
    world.deploy(&cart(12, ""));
    assert_eq!(world.settle(), ["scale component shop-cart on ND to 2"]);
    world.deploy(&cart(3, ""));
    world.settle();
    assert_eq!(
        world.runs(),
        ["NA shop-cart 1", "NB shop-cart 1", "NC shop-cart 1"],
        "the fullest were cut"
    );
}

#[test]
fn weights_and_labels_choose_hosts() {
    let mut world = World::new("NA zone=eu, NB zone=us, NC zone=us, ND");
    let spread = ", spread: [ { name: eu, weight: 80, requirements: { zone: eu } }, { name: us, weight: 20, requirements: { zone: us } } ]";
    world.deploy(&cart(10, spread));
    world.settle();
    assert_eq!(
        world.runs(),
        ["NA shop-cart 8", "NB shop-cart 1", "NC shop-cart 1"]
    );
    let annotations = &world.host("NA").components["shop-cart"].annotations;
    let text = |key: &str| annotations[key].as_str();
    assert_eq!(text("wasmcloud.dev/managed-by"), "wadm");
    assert_eq!(text("wasmcloud.dev/appspec"), "shop");
    assert_eq!(text("wasmcloud.dev/spread_name"), "eu");
    assert_eq!(text("wasmcloud.dev/generation"), "1");
    assert_eq!(text("wasmcloud.dev/scaler").len(), 64);
}

#[test]
fn spreads_that_choose_one_host_add_up() {
    let mut world = World::new("NA zone=eu disk=ssd");
    let spread =
        ", spread: [ { name: one, requirements: { zone: eu } }, { name: two, requirements: { disk: ssd } } ]";
    world.deploy(&cart(5, spread));
    assert_eq!(world.settle(), ["scale component shop-cart on NA to 5"]);
    assert_eq!(
        world.host("NA").components["shop-cart"].annotations["wasmcloud.dev/spread_name"],
        "one,two"
    );
}

#[test]
fn what_no_host_can_take_is_said_with_the_labels_there_are() {
    let mut world = World::new("NA zone=us disk=ssd, NB zone=us, NC");
    let spread = ", spread: [ { name: eu, requirements: { zone: eu, disk: ssd } } ]";
    world.deploy(&cart(2, spread));
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    let status = &plan.reports[0].status;
    assert_eq!(
        status.to_string(),
        "failed: Could not satisfy spread eu for ghcr.io/acme/cart:1, 0/1 eligible hosts found. It wants disk=ssd, zone=eu; host NA has zone=us, host NB has no label disk and has zone=us, host NC has no label disk and has no label zone"
    );
    let (_, decision) = plan.why(&plan.reports[0].app, "cart").unwrap();
    assert!(matches!(decision.waits[..], [Wait::Hosts(_)]), "{decision}");
    assert_eq!((decision.shares[0].wanted, decision.shares[0].eligible), (2, 0));
    assert!(
        decision
            .to_string()
            .starts_with("spread `eu`: 2 wanted, 0 eligible hosts\nwaits for hosts: It wants")
    );
}

#[test]
fn what_cannot_be_placed_keeps_what_runs() {
    let mut world = World::new("NA zone=eu, NB zone=us");
    let spread = ", spread: [ { name: eu, requirements: { zone: eu } } ]";
    world.deploy(&cart(2, spread));
    world.settle();
    world
        .host("NA")
        .labels
        .insert("zone".to_owned(), "moon".to_owned());
    assert!(world.settle().is_empty());
    assert_eq!(world.status("shop").kind, StatusKind::Failed);
    world.host("NB").labels.insert("zone".to_owned(), "eu".to_owned());
    assert_eq!(
        world.round(),
        ["scale component shop-cart on NB to 2"],
        "what goes waits until what comes was seen"
    );
    assert_eq!(
        world.status("shop").to_string(),
        "reconciling: Found components running on ineligible hosts, removing them."
    );
    world.0.memory = Default::default();
    assert_eq!(world.round(), ["stop component shop-cart on NA"]);
}

#[test]
fn a_draining_host_is_emptied_when_the_others_run() {
    let mut world = World::new("NA, NB");
    world.deploy(&cart(4, ""));
    world.settle();
    world.host("NA").draining = true;
    assert_eq!(world.round(), ["scale component shop-cart on NB to 4"]);
    assert_eq!(world.round(), ["stop component shop-cart on NA"]);
}

#[test]
fn a_lost_host_is_replaced_and_what_comes_back_is_cut() {
    let mut world = World::new("NA, NB");
    world.deploy(&cart(4, ""));
    world.settle();
    world.pass_with(4, &["NB"]);
    assert!(world.plan().steps.is_empty(), "it may come back");
    world.pass_with(1, &["NB"]);
    assert_eq!(world.round(), ["scale component shop-cart on NB to 4"]);
    world.pass(1);
    world.settle();
    assert_eq!(world.runs(), ["NA shop-cart 2", "NB shop-cart 2"]);
}

#[test]
fn components_go_where_least_runs() {
    let mut world = World::new("NA, NB, NC");
    let names = ["a", "b", "c", "d", "e", "f"];
    let components: Vec<String> = names.iter().map(|name| component(name, IMAGE, 1, "")).collect();
    world.deploy(&manifest(
        "shop",
        &components.iter().map(String::as_str).collect::<Vec<_>>(),
    ));
    world.settle();
    for host in ["NA", "NB", "NC"] {
        assert_eq!(world.host(host).components.len(), 2, "{host}");
    }
}

#[test]
fn a_daemon_runs_on_each_host_that_fits() {
    let mut world = World::new("NA zone=eu, NB zone=us, NC zone=eu");
    let scaler = "{ name: cart, type: component, properties: { image: 'ghcr.io/acme/cart:1' }, traits: [ { type: daemonscaler, properties: { instances: 3, spread: [ { name: eu, requirements: { zone: eu } } ] } } ] }";
    world.deploy(&manifest("shop", &[scaler]));
    world.settle();
    assert_eq!(world.runs(), ["NA shop-cart 3", "NC shop-cart 3"]);
    world.host("NA").labels.clear();
    world.settle();
    assert_eq!(world.runs(), ["NC shop-cart 3"]);
    world.host("NC").labels.clear();
    assert!(world.settle().is_empty());
    assert!(
        world.status("shop").to_string().starts_with(
            "failed: Could not satisfy daemonscaler eu for ghcr.io/acme/cart:1, 0 eligible hosts found. It wants zone=eu; host NA has no label zone"
        )
    );
}

#[test]
fn what_was_started_by_hand_is_never_touched() {
    let mut world = World::new("NA, NB");
    world.start_by_hand("NA", "shop-cart", 9);
    world.deploy(&cart(2, ""));
    world.settle();
    assert_eq!(world.runs(), ["NA shop-cart 9", "NB shop-cart 2"]);
    world.undeploy("shop");
    world.settle();
    assert_eq!(world.runs(), ["NA shop-cart 9"]);
    world.deploy(&cart(2, ""));
    world.host("NB").draining = true;
    let status = world.status("shop").to_string();
    assert!(
        status.ends_with(
            "host NA fits, host NB is draining; `shop-cart` on host NA was not started by this application"
        ),
        "{status}"
    );
    let running = world.host("NA").components.get_mut("shop-cart").unwrap();
    running
        .annotations
        .insert("wasmcloud.dev/appspec".to_owned(), "shop".to_owned());
    running
        .annotations
        .insert("wasmcloud.dev/managed-by".to_owned(), "somebody".to_owned());
    assert!(world.settle().is_empty(), "another controller's");
}
