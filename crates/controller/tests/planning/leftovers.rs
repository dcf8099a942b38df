//! What former revisions had goes when the new one runs.

use crate::world::{World, component, manifest};

#[test]
fn what_a_revision_does_not_have_goes_when_the_rest_runs() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[&component("old", "acme/old:1", 1, "")]));
    world.settle();
    world.deploy(&manifest("shop", &[&component("new", "acme/new:1", 1, "")]));
    let plan = world.plan();
    let (_, decision) = plan.why(&"shop".parse().unwrap(), "shop-old").unwrap();
    assert_eq!(
        decision.to_string(),
        "host NA: 1 run, 0 wanted\nwaits for the rest of the application to run before it goes\n"
    );
    world.0.carry_out(&plan);
    assert_eq!(world.round(), ["stop component shop-old on NA"]);
    assert!(world.round().is_empty());
}

#[test]
fn what_cannot_start_keeps_the_former_revision() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[&component("old", "acme/old:1", 1, "")]));
    world.settle();
    world.deploy(&manifest("shop", &[&component("new", "acme/new:1", 1, "")]));
    for _ in 0..20 {
        let plan = world.plan();
        for step in &plan.steps {
            world
                .0
                .memory
                .failed(&step.action.key(), "no such image", world.0.now);
        }
        world.pass(10);
    }
    assert_eq!(world.runs(), ["NA shop-old 1"]);
}

#[test]
fn an_undeployed_application_goes_in_reverse_order() {
    let mut world = World::new("NA");
    let web = "{ name: web, type: component, properties: { image: 'acme/web:1', config: [ { name: cfg, properties: { k: v } } ] }, traits: [ { type: spreadscaler, properties: { instances: 1 } }, { type: link, properties: { namespace: acme, package: db, interfaces: [ one ], target: { name: db } } } ] }";
    world.deploy(&manifest(
        "shop",
        &[
            web,
            "{ name: db, type: capability, properties: { image: 'acme/db:1' } }",
        ],
    ));
    world.settle();
    world.undeploy("shop");
    assert_eq!(
        world.settle(),
        [
            "stop component shop-web on NA",
            "stop provider shop-db on NA",
            "delete link shop-web -(acme:db, default)->",
            "delete config shop-cfg"
        ]
    );
}

#[test]
fn a_component_without_a_scaler_is_not_started_and_stops_if_it_had_one() {
    let mut world = World::new("NA");
    world.deploy(&manifest("shop", &[&component("cart", "acme/cart:1", 1, "")]));
    world.settle();
    world.deploy(&manifest(
        "shop",
        &["{ name: cart, type: component, properties: { image: 'acme/cart:1' } }"],
    ));
    assert_eq!(world.settle(), ["stop component shop-cart on NA"]);
    assert!(world.settle().is_empty());
}
