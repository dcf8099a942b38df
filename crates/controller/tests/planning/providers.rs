//! Providers: one on a host, changed one after the other.

use wasmcloud_controller::Health;

use crate::world::{World, manifest};

fn app(image: &str) -> String {
    manifest(
        "shop",
        &[&format!(
            "{{ name: db, type: capability, properties: {{ image: '{image}' }} }}"
        )],
    )
}

fn spread(image: &str, instances: u32) -> String {
    manifest(
        "shop",
        &[&format!(
            "{{ name: db, type: capability, properties: {{ image: '{image}' }}, traits: [ {{ type: spreadscaler, properties: {{ instances: {instances} }} }} ] }}"
        )],
    )
}

#[test]
fn a_provider_runs_once_on_a_host() {
    let mut world = World::new("NA, NB");
    world.deploy(&spread("acme/db:1", 3));
    world.settle();
    assert_eq!(world.runs(), ["NA shop-db", "NB shop-db"]);
    assert_eq!(
        world.status("shop").to_string(),
        "failed: Could not satisfy spread default for acme/db:1, 2/3 eligible hosts found. It wants any host; host NA fits, host NB fits"
    );
    world.deploy(&spread("acme/db:1", 1));
    world.settle();
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn another_image_replaces_it_host_by_host() {
    let mut world = World::new("NA, NB");
    world.deploy(&spread("acme/db:1", 2));
    world.settle();
    world.deploy(&spread("acme/db:2", 2));
    assert_eq!(
        world.settle(),
        [
            "stop provider shop-db on NA",
            "start provider shop-db on NA",
            "stop provider shop-db on NB",
            "start provider shop-db on NB"
        ]
    );
}

#[test]
fn one_that_somebody_else_started_counts_and_stays() {
    let mut world = World::new("NA, NB");
    world.start_provider_by_hand("NB", "shop-db", "acme/db:0");
    world.deploy(&app("acme/db:1"));
    assert!(world.settle().is_empty());
    world.deploy(&spread("acme/db:1", 2));
    assert_eq!(world.settle(), ["start provider shop-db on NA"]);
    world.undeploy("shop");
    assert_eq!(world.settle(), ["stop provider shop-db on NA"]);
    assert_eq!(world.runs(), ["NB shop-db"]);
}

#[test]
fn an_ill_provider_is_told() {
    let mut world = World::new("NA");
    world.deploy(&app("acme/db:1"));
    world.settle();
    world.host("NA").providers.get_mut("shop-db").unwrap().health = Health::Unhealthy;
    assert_eq!(
        world.status("shop").to_string(),
        "unhealthy: Unhealthy provider on 1 host(s)"
    );
}

#[test]
fn a_built_in_provider_is_asked_for_by_the_image_it_stands_for() {
    let mut world = World::new("NA");
    world.deploy(&app("ghcr.io/wasmcloud/http-server:0.27.0"));
    world.settle();
    assert_eq!(
        world.host("NA").providers["shop-db"].image,
        "ghcr.io/wasmcloud/http-server:0.27.0"
    );
    world.host("NA").providers.get_mut("shop-db").unwrap().image =
        "wasmcloud+builtin://http-server".to_owned();
    assert!(world.settle().is_empty(), "a host may say either");
}
