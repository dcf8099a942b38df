//! Revisions that come and go, configs, and stores that cannot be believed.

use wasmcloud_controller::{StatusKind, StoreHealth};

use crate::world::{World, component, manifest, steps};

const WEB: &str = "{ name: web, type: component, properties: { image: 'acme/web:1', config: [ { name: cfg, properties: { k: v } } ] }, traits: [ { type: spreadscaler, properties: { instances: 1 } } ] }";

#[test]
fn configs_are_there_before_what_uses_them() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[WEB]));
    assert_eq!(world.round(), ["put config shop-cfg"]);
    assert_eq!(world.round(), ["scale component shop-web on NA to 1"]);
    assert!(world.round().is_empty());
    world.deploy(&manifest("shop", &[&WEB.replace("k: v", "k: w")]));
    assert_eq!(
        world.settle(),
        ["put config shop-cfg"],
        "what uses a config hears of its changes by itself"
    );
    let (status, _) = world
        .plan()
        .why(&"shop".parse().unwrap(), "shop-cfg")
        .map(|(s, d)| (s.clone(), d.clone()))
        .unwrap();
    assert_eq!(status.kind, StatusKind::Deployed);
}

#[test]
fn a_config_that_nobody_put_is_named() {
    let mut world = World::new("NA");
    world.deploy(&manifest(
        "shop",
        &[&WEB.replace("name: cfg, properties: { k: v }", "name: other")],
    ));
    assert!(world.plan().steps.is_empty());
    assert_eq!(
        world.status("shop").to_string(),
        "failed: Specified configuration other does not exist"
    );
    world
        .0
        .observed
        .configs
        .insert("other".parse().unwrap(), Default::default());
    assert_eq!(world.settle(), ["scale component shop-web on NA to 1"]);
    world.undeploy("shop");
    world.settle();
    assert!(world.0.observed.configs.contains_key("other"), "it is not ours");
}

#[test]
fn a_new_image_takes_the_place_of_the_old_one() {
    let mut world = World::new("NA, NB");
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:1", 2, "")]));
    world.settle();
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:2", 2, "")]));
    let plan = world.plan();
    assert_eq!(
        plan.steps[0].to_string(),
        "scale component shop-cart on NA to 1: it runs from acme/cart:1, not from acme/cart:2"
    );
    world.0.carry_out(&plan);
    assert_eq!(plan.steps.len(), 1, "one host after the other");
    assert_eq!(world.settle(), ["scale component shop-cart on NB to 1"]);
}

#[test]
fn what_is_recreated_ends_everywhere_before_it_begins() {
    let recreated = |image: &str| {
        let policy = "  policies:\n    - { name: r, type: policy.rollout.wasmcloud.dev/v1alpha1, properties: { strategy: recreate } }\n";
        let text = manifest("shop", &[&component("cart", image, 2, "")]);
        text.replace("spec:\n", &format!("spec:\n{policy}"))
    };
    let mut world = World::new("NA, NB");
    world.deploy(&recreated("acme/cart:1"));
    world.settle();
    world.deploy(&recreated("acme/cart:2"));
    let stops = ["stop component shop-cart on NA", "stop component shop-cart on NB"];
    assert_eq!(world.round(), stops);
    assert_eq!(
        world.settle(),
        [
            "scale component shop-cart on NA to 1",
            "scale component shop-cart on NB to 1"
        ]
    );
}

#[test]
fn calls_are_shifted_as_the_weight_says() {
    let mut world = World::new("NA, NB, NC");
    for host in ["NA", "NB"] {
        world.host(host).candidates = true;
    }
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:1", 3, "")]));
    world.settle();
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:2", 3, "")]));
    world.app("shop").weight = Some(20);
    assert_eq!(
        world.settle(),
        [
            "scale component shop-cart on NA to 1 beside what runs, for 20 % of the calls",
            "scale component shop-cart on NB to 1 beside what runs, for 20 % of the calls"
        ],
        "the third host cannot, and waits"
    );
    assert_eq!(
        world.status("shop").to_string(),
        "reconciling: 20 % of the calls go to the new revision"
    );
    world.app("shop").weight = Some(60);
    assert_eq!(world.settle().len(), 2);
    world.app("shop").weight = None;
    assert_eq!(world.settle().len(), 3);
    assert_eq!(world.status("shop").to_string(), "deployed");
}

#[test]
fn hosts_of_v1_stop_first_and_one_at_a_time() {
    let mut world = World::new("NA, NB");
    for host in ["NA", "NB"] {
        world.host(host).in_place = false;
    }
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:1", 2, "")]));
    world.settle();
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:2", 2, "")]));
    assert_eq!(
        world.settle(),
        [
            "stop component shop-cart on NA",
            "scale component shop-cart on NA to 1",
            "stop component shop-cart on NB",
            "scale component shop-cart on NB to 1"
        ]
    );
}

#[test]
fn changed_limits_and_lists_of_configs_reach_hosts() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[WEB]));
    world.settle();
    world.deploy(&manifest(
        "shop",
        &[&WEB.replace("{ name: cfg, properties: { k: v } }", "")],
    ));
    assert_eq!(
        world.settle(),
        ["scale component shop-web on NA to 1", "delete config shop-cfg"]
    );
}

#[test]
fn what_v1_started_is_taken_over_as_it_is() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:1", 2, "")]));
    world.settle();
    started_by_v1(&mut world);
    assert!(world.settle().is_empty());
}

/// What v1 started says nothing of its configs, and has to be given those of the next revision nevertheless.
#[test]
fn what_v1_started_becomes_the_next_revision() {
    let server = "{ name: http, type: capability, properties: { image: 'acme/http:1', config: [ { name: cfg, properties: { k: v } } ] } }";
    let other = component("cart", "acme/cart:1", 1, "");
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[WEB, server, &other]));
    world.settle();
    started_by_v1(&mut world);
    assert!(world.settle().is_empty());
    let more = |part: &str| part.replace("k: v } }", "k: v } }, { name: more, properties: { k: v } }");
    world.deploy(&manifest("shop", &[&more(WEB), &more(server), &other]));
    assert_eq!(
        world.settle(),
        [
            "put config shop-more",
            "stop provider shop-http on NA",
            "scale component shop-web on NA to 1",
            "start provider shop-http on NA",
        ],
        "and what is the same in both is left as it is"
    );
    // What was told now says which revision it is.
    world.app("shop").former.clear();
    world.deploy(&manifest("shop", &[WEB, server, &other]));
    world.app("shop").former.clear();
    assert_eq!(
        world.settle(),
        [
            "stop provider shop-http on NA",
            "scale component shop-web on NA to 1",
            "start provider shop-http on NA",
        ]
    );
}

/// Takes away what v1's wadm does not write.
fn started_by_v1(world: &mut World) {
    let host = world.host("NA");
    let components = host
        .components
        .values_mut()
        .map(|running| &mut running.annotations);
    let providers = host
        .providers
        .values_mut()
        .map(|running| &mut running.annotations);
    for annotations in components.chain(providers) {
        annotations.retain(|key, _| !key.ends_with("/revision") && !key.ends_with("/generation"));
        annotations.insert("wasmcloud.dev/scaler".to_owned(), "of v1".to_owned());
    }
}

#[test]
fn a_store_that_cannot_be_believed_changes_nothing() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[WEB]));
    world.settle();
    world.undeploy("shop");
    world.0.observed.store = StoreHealth::Suspect("the bucket was made anew".to_owned());
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(
        plan.reports[0].status.to_string(),
        "waiting: Removing shop-web waits: the bucket was made anew, Removing shop-cfg"
    );
    world.0.observed.store = StoreHealth::Trusted;
    assert_eq!(
        world.settle(),
        ["stop component shop-web on NA", "delete config shop-cfg"]
    );
    assert_eq!(
        world.status("shop").to_string(),
        "undeployed: Manifest has been undeployed"
    );
}

#[test]
fn nothing_is_decided_before_all_hosts_were_heard_of() {
    let mut world = World::new("NA, NB");
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:1", 2, "")]));
    world.settle();
    let others = world.0.observed.hosts.split_off("NB");
    world.0.observed.partial = true;
    assert!(world.plan().steps.is_empty());
    assert_eq!(
        world.status("shop").to_string(),
        "waiting: Scaling component on 1 host(s) waits: not all hosts have been heard of yet"
    );
    world.0.observed.hosts.extend(others);
    world.0.observed.partial = false;
    assert!(world.plan().steps.is_empty());
}

#[test]
fn what_runs_shows_that_a_store_was_set_back() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:1", 2, "")]));
    let before = world.0.lattice.clone();
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:2", 2, "")]));
    world.settle();
    world.0.lattice = before;
    world.0.memory = Default::default();
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(
        plan.store,
        StoreHealth::Suspect(
            "the store has generation 1 of application shop, generation 2 of it runs".to_owned()
        )
    );
}

#[test]
fn an_empty_store_stops_nothing_and_says_what_it_does_not_know() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[WEB]));
    world.settle();
    world.0.lattice.applications.clear();
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    let orphan = &plan.orphans[0];
    assert_eq!(
        (orphan.app.as_str(), orphan.running, orphan.generation),
        ("shop", 1, 1)
    );
}

#[test]
fn every_plan_carries_its_epoch() {
    assert_eq!(World::new("NA").plan().epoch, 7);
}

#[test]
fn the_order_of_what_is_given_does_not_matter() {
    let texts = ["a", "b", "c"].map(|app| manifest(app, &[&component("x", "acme/x:1", 3, ""), WEB]));
    let plan = |order: [usize; 3]| {
        let mut world = World::new("NA, NB, NC");
        for at in order {
            world.deploy(&texts[at]);
        }
        let first = world.plan();
        world.0.carry_out(&first);
        (steps(&first), steps(&world.plan()))
    };
    let expect = plan([0, 1, 2]);
    assert_eq!((expect.0.len(), expect.1.len()), (12, 3));
    for order in [[2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        assert_eq!(plan(order), expect);
    }
}

#[test]
fn a_plan_has_room_for_so_many_steps() {
    let mut world = World::new("NA, NB, NC");
    world.0.options.max_steps = 2;
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:1", 3, "")]));
    assert_eq!(world.round().len(), 2);
    assert_eq!(world.round().len(), 1);
    assert!(world.round().is_empty());
}

#[test]
fn a_paused_application_is_left_as_it_is() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[&component("a", "acme/a:1", 1, "")]));
    world.deploy(&manifest("blog", &[&component("a", "acme/a:1", 1, "")]));
    world.app("shop").paused = true;
    assert_eq!(world.settle(), ["scale component blog-a on NA to 1"]);
    assert_eq!(
        world.status("shop").to_string(),
        "waiting: Scaling component on 1 host(s) waits: the application is paused"
    );
    world.app("shop").paused = false;
    assert_eq!(world.settle(), ["scale component shop-a on NA to 1"]);
    world.app("shop").paused = true;
    world.undeploy("shop");
    assert_eq!(world.settle(), [""; 0]);
    assert_eq!(world.runs(), ["NA blog-a 1", "NA shop-a 1"]);
}
