//! What one application uses of another.

use crate::world::{World, component, manifest};

fn owner() -> String {
    let server = "{ name: server, type: capability, properties: { image: 'acme/http:1', config: [ { name: cfg, properties: { k: v } } ] } }";
    manifest("base", &[server, &component("log", "acme/log:1", 1, "")]).replace(
        "name: base }",
        "name: base, annotations: { experimental.wasmcloud.dev/shared: 'true' } }",
    )
}

fn user() -> String {
    let server = "{ name: http, type: capability, properties: { application: { name: base, component: server } }, traits: [ { type: link, properties: { namespace: wasi, package: http, interfaces: [ incoming-handler ], target: { name: web } } } ] }";
    manifest("shop", &[server, &component("web", "acme/web:1", 1, "")])
}

#[test]
fn what_others_use_stays() {
    let mut world = World::new("NA");
    world.deploy(&owner());
    world.deploy(&user());
    world.settle();
    assert_eq!(world.status("shop").to_string(), "deployed");
    world.undeploy("base");
    world.settle();
    assert_eq!(
        world.runs(),
        ["NA shop-web 1", "NA base-server"],
        "only what nobody uses goes"
    );
    assert!(world.0.observed.configs.contains_key("base-cfg"));
    assert_eq!(
        world.status("base").to_string(),
        "waiting: base-server stays because applications use it: shop"
    );
    assert_eq!(
        world.status("shop").to_string(),
        "waiting: Uses server of application base, which is not deployed"
    );
    world.undeploy("shop");
    world.settle();
    assert!(
        world.runs().is_empty() && world.0.observed.configs.is_empty() && world.0.observed.links.is_empty()
    );
}

#[test]
fn what_is_not_shared_is_refused() {
    let mut world = World::new("NA");
    world.deploy(&owner().replace("'true'", "'false'"));
    world.deploy(&user());
    world.settle();
    assert_eq!(
        world.status("shop").to_string(),
        "failed: Uses server of application base, which does not share it"
    );
}

#[test]
fn two_applications_with_one_id_do_not_fight() {
    let with_id = |app: &str| {
        manifest(
            app,
            &[
                "{ name: x, type: component, properties: { image: 'acme/x:1', id: the-one }, traits: [ { type: spreadscaler, properties: { instances: 2 } } ] }",
            ],
        )
    };
    let mut world = World::new("NA, NB");
    world.deploy(&with_id("zoo"));
    world.settle();
    world.deploy(&with_id("ant"));
    assert!(world.settle().is_empty());
    assert_eq!(world.status("zoo").to_string(), "deployed");
    assert_eq!(
        world.status("ant").to_string(),
        "failed: Component identifier 'the-one' is already deployed in a different application 'zoo'."
    );
    world.undeploy("zoo");
    world.settle();
    assert_eq!(world.status("ant").to_string(), "deployed");
}

#[test]
fn two_applications_do_not_overwrite_each_others_configs() {
    // Both have the name `a_b-c` in the lattice.
    let app = |name: &str, value: &str| {
        manifest(
            name,
            &[&format!(
                "{{ name: x{value}, type: component, properties: {{ image: 'acme/x:1', config: [ {{ name: c, properties: {{ k: {value} }} }} ] }}, traits: [ {{ type: spreadscaler, properties: {{ instances: 1 }} }} ] }}"
            )],
        )
    };
    let mut world = World::new("NA");
    world.deploy(&app("a-b", "one"));
    world.deploy(&app("a_b", "two"));
    world.settle();
    assert_eq!(world.0.observed.configs["a_b-c"]["k"], "one");
    assert_eq!(
        world.status("a_b").to_string(),
        "failed: config `a_b-c` belongs to application a-b"
    );
}

#[test]
fn two_applications_do_not_overwrite_each_others_links() {
    let app = |name: &str, interface: &str| {
        let server = format!(
            "{{ name: http, type: capability, properties: {{ application: {{ name: base, component: server }} }}, traits: [ {{ type: link, properties: {{ namespace: acme, package: db, interfaces: [ {interface} ], target: {{ name: log }} }} }} ] }}"
        );
        let log =
            "{ name: log, type: component, properties: { application: { name: base, component: log } } }";
        manifest(name, &[&server, log])
    };
    let mut world = World::new("NA");
    world.deploy(&owner());
    world.deploy(&app("one", "x"));
    world.deploy(&app("two", "y"));
    world.settle();
    assert_eq!(world.0.observed.links.len(), 1);
    assert_eq!(world.0.observed.links[0].interfaces, ["x"]);
    assert_eq!(
        world.status("two").to_string(),
        "failed: Link base-server -(acme:db, default)-> base-log belongs to application one"
    );
    // It stays as long as anybody wants it.
    world.undeploy("one");
    assert_eq!(
        world.settle(),
        ["put link base-server -(acme:db, default)-> base-log"]
    );
    assert_eq!(world.0.observed.links[0].interfaces, ["y"]);
}
