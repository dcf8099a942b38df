//! Components whose number follows their load: what was decided about it is what is placed.

use std::sync::Arc;

use wasmcloud_controller::{Scale, Scales};

use crate::world::{World, manifest};

/// A component between 2 and 12 instances.
fn world(hosts: &str) -> World {
    let mut world = World::new(hosts);
    world.deploy(&manifest(
        "shop",
        &["{ name: cart, type: component, properties: { image: 'acme/cart:1' }, traits: [ { type: autoscaler, properties: { min: 2, max: 12 } } ] }"],
    ));
    world
}

fn scale(world: &mut World, wanted: u32) {
    let scale = Scale {
        wanted,
        needed: wanted,
        load: 420,
        ..Scale::default()
    };
    world.0.lattice.scales = Arc::new(Scales::from([("shop-cart".parse().unwrap(), scale)]));
}

fn counts(world: &World) -> Vec<u32> {
    let hosts = world.0.observed.hosts.values();
    let count = |host: &wasmcloud_controller::ObservedHost| {
        host.components
            .get("shop-cart")
            .map_or(0, |running| running.count)
    };
    hosts.map(count).collect()
}

#[test]
fn the_number_that_was_decided_is_placed() {
    let mut world = world("NA, NB, NC");
    world.settle();
    assert_eq!(
        counts(&world).iter().sum::<u32>(),
        2,
        "the fewest, as long as nothing is known"
    );
    scale(&mut world, 9);
    world.settle();
    assert_eq!(counts(&world), [3, 3, 3]);
    scale(&mut world, 4);
    world.settle();
    assert_eq!(counts(&world).iter().sum::<u32>(), 4);
    scale(&mut world, 2);
    world.settle();
    assert_eq!(counts(&world).iter().sum::<u32>(), 2);
    let plan = world.plan();
    let (status, decision) = plan.why(&"shop".parse().unwrap(), "cart").unwrap();
    assert_eq!(status.to_string(), "deployed");
    let text = decision.to_string();
    assert!(
        text.starts_with(
            "autoscaler: 2 wanted, 2 needed now: 4.20 calls at once\nspread `default`: 2 wanted"
        ),
        "{text}"
    );
}

#[test]
fn a_number_for_what_has_no_autoscaler_means_nothing() {
    let mut world = World::new("NA");
    let cart = crate::world::component("cart", "acme/cart:1", 5, "");
    world.deploy(&manifest("shop", &[&cart]));
    scale(&mut world, 9);
    world.settle();
    assert_eq!(counts(&world), [5]);
}
