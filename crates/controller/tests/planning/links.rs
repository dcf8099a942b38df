//! Links are compared in full, and those of others stay.

use std::sync::Arc;

use wasmcloud_controller::RefusedLink;

use crate::world::{World, component, manifest};

fn app(link: &str) -> String {
    let caller = format!(
        "{{ name: a, type: component, properties: {{ image: 'acme/a:1' }}, traits: [ {{ type: link, properties: {{ namespace: acme, package: db, {link} }} }} ] }}"
    );
    manifest(
        "shop",
        &[
            &caller,
            &component("b", "acme/b:1", 1, ""),
            &component("c", "acme/c:1", 1, ""),
        ],
    )
}

fn only_links(steps: Vec<String>) -> Vec<String> {
    steps
        .into_iter()
        .filter(|step| step.contains("link") || step.contains("config"))
        .collect()
}

const TO_B: &str = "interfaces: [ one ], target: { name: b }";
const PUT: &str = "put link shop-a -(acme:db, default)-> shop-b";
const DELETE: &str = "delete link shop-a -(acme:db, default)->";

#[test]
fn any_difference_is_put_right() {
    let mut world = World::new("NA");
    world.deploy(&app(TO_B));
    assert_eq!(only_links(world.settle()), [PUT]);
    world.deploy(&app("interfaces: [ one, two ], target: { name: b }"));
    assert_eq!(only_links(world.settle()), [PUT]);
    world.deploy(&app(
        "interfaces: [ two, one ], target: { name: b, config: [ { name: c, properties: { k: v } } ] }",
    ));
    assert_eq!(only_links(world.settle()), ["put config shop-c", PUT]);
    // Somebody changes it by hand.
    world.0.observed.links[0].target_config.clear();
    let plan = world.plan();
    assert_eq!(
        plan.steps[0].to_string(),
        format!("{PUT}: the link has other configs of the target")
    );
    world.0.carry_out(&plan);
    assert!(world.settle().is_empty());
}

#[test]
fn a_link_to_another_target_turns_in_one_step_and_on_hosts_of_v1_makes_room_first() {
    let turned = |in_place: bool| {
        let mut world = World::new("NA");
        world.host("NA").in_place = in_place;
        world.deploy(&app(TO_B));
        world.settle();
        world.deploy(&app("interfaces: [ one ], target: { name: c }"));
        world.settle()
    };
    let put = "put link shop-a -(acme:db, default)-> shop-c";
    assert_eq!(turned(true), [put]);
    assert_eq!(turned(false), [DELETE, put]);
}

#[test]
fn a_link_that_is_in_use_turns_when_there_is_somebody_to_answer() {
    let served_by = |target: &str| {
        let server = format!(
            "{{ name: http, type: capability, properties: {{ image: 'acme/http:1' }}, traits: [ {{ type: link, properties: {{ namespace: acme, package: db, interfaces: [ one ], target: {{ name: {target} }} }} }} ] }}"
        );
        manifest(
            "shop",
            &[&server, &component(target, &format!("acme/{target}:1"), 1, "")],
        )
    };
    let mut world = World::new("NA");
    world.deploy(&served_by("b"));
    world.settle();
    world.deploy(&served_by("c"));
    assert_eq!(
        world.settle(),
        [
            "scale component shop-c on NA to 1",
            "put link shop-http -(acme:db, default)-> shop-c",
            "stop component shop-b on NA"
        ]
    );
}

#[test]
fn a_component_that_is_refused_without_its_links_waits_for_them() {
    let caller = "{ name: a, type: component, properties: { image: 'acme/a:1' }, traits: [ { type: spreadscaler, properties: { instances: 1 } }, { type: link, properties: { namespace: acme, package: db, interfaces: [ one ], target: { name: b }, source: { config: [ { name: c, properties: { k: v } } ] } } } ] }";
    let text = manifest("shop", &[caller, &component("b", "acme/b:1", 1, "")]);
    let first = |links_required: bool| {
        let mut world = World::new("NA");
        world.deploy(&text);
        let deployed = world.app("shop").deployed.as_mut().unwrap();
        Arc::make_mut(&mut deployed.desired).links_required = links_required;
        let plan = world.plan();
        let steps: Vec<String> = plan
            .steps
            .iter()
            .map(|step| step.action.key().to_string())
            .collect();
        world.0.carry_out(&plan);
        (steps, world.settle())
    };
    let (config, a, b) = (
        "put config shop-c",
        "scale component shop-a on NA",
        "scale component shop-b on NA",
    );
    assert_eq!(first(false).0, [config, a, b]);
    let (before, after) = first(true);
    assert_eq!(before, [config, b]);
    // In one plan with its link, of which the steps are carried out first.
    assert_eq!(after, [PUT, "scale component shop-a on NA to 1"]);
}

#[test]
fn hosts_of_v1_get_a_changed_link_anew() {
    let mut world = World::new("NA");
    world.host("NA").in_place = false;
    world.deploy(&app(TO_B));
    world.settle();
    world.deploy(&app("interfaces: [ one, two ], target: { name: b }"));
    assert_eq!(only_links(world.settle()), [DELETE, PUT]);
}

#[test]
fn a_link_that_somebody_else_put_stays() {
    let mut world = World::new("NA");
    world.deploy(&app(TO_B));
    world.settle();
    let mut foreign = world.0.observed.links[0].clone();
    foreign.target = "other".parse().unwrap();
    foreign.interfaces = vec!["three".to_owned()];
    world.0.observed.links.push(foreign.clone());
    assert!(world.settle().is_empty());
    // What is ours cannot be removed without it, for a deletion names only the key.
    world.undeploy("shop");
    world.settle();
    assert_eq!(world.0.observed.links.len(), 2);
    assert_eq!(
        world.status("shop").to_string(),
        "failed: Cannot remove shop-a -(acme:db, default)-> shop-b without removing what this application did not put"
    );
    world.0.observed.links.remove(0);
    world.deploy(&app("interfaces: [ three ], target: { name: b }"));
    world.settle();
    assert_eq!(world.0.observed.links, [foreign]);
    assert!(
        world
            .status("shop")
            .to_string()
            .contains("is in the way, which this application did not put")
    );
}

#[test]
fn a_removed_link_takes_none_along_that_stays() {
    let two = |second: &str| {
        app(&format!(
            "interfaces: [ one ], target: {{ name: b }} }} }}, {{ type: link, properties: {{ namespace: acme, package: db, interfaces: [ two ], target: {{ name: c }}, {second}"
        ))
    };
    let mut world = World::new("NA");
    world.deploy(&two("name: default"));
    world.settle();
    assert_eq!(world.0.observed.links.len(), 2);
    world.deploy(&app(TO_B));
    assert_eq!(world.settle(), [DELETE, PUT]);
    assert_eq!(world.0.observed.links.len(), 1);
}

#[test]
fn secrets_are_configs_of_links_and_components() {
    let text = "
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: { name: shop }
spec:
  policies:
    - { name: vault, type: policy.secret.wasmcloud.dev/v1alpha1, properties: { backend: nats-kv } }
  components:
    - name: a
      type: component
      properties: { image: 'acme/a:1', secrets: [ { name: pw, properties: { policy: vault, key: db/pw } } ] }
      traits:
        - { type: spreadscaler, properties: { instances: 1 } }
        - { type: link, properties: { namespace: acme, package: db, interfaces: [ one ], target: { name: b, secrets: [ { name: tok, properties: { policy: vault, key: tok } } ] } } }
    - { name: b, type: component, properties: { image: 'acme/b:1' } }
";
    let mut world = World::new("NA");
    world.deploy(text);
    assert_eq!(
        world.round(),
        ["put config SECRET_shop-pw", "put config SECRET_shop-tok"]
    );
    let plan = world.plan();
    let told = format!("{:?}", plan.steps);
    assert!(told.contains(r#"target_config: ["SECRET_shop-tok"]"#), "{told}");
    assert!(told.contains(r#"config: ["SECRET_shop-pw"]"#), "{told}");
    world.0.carry_out(&plan);
    assert!(world.settle().is_empty());
    assert_eq!(world.0.observed.configs["SECRET_shop-pw"]["backend"], "nats-kv");
}

#[test]
fn a_link_that_a_host_refuses_is_not_deployed() {
    let mut world = World::new("NA, NB");
    world.deploy(&app(TO_B));
    world.settle();
    assert_eq!(world.status("shop").to_string(), "deployed");
    let link = world.0.observed.links[0].clone();
    world.host("NB").refused.push(RefusedLink {
        key: link.key(),
        target: link.target.clone(),
        why: "port 80 is taken".to_owned(),
        owner: None,
    });
    assert_eq!(
        world.status("shop").to_string(),
        format!("failed: Link {link} is not in effect on host NB: port 80 is taken")
    );
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "the host tries again by itself");
    let app = "shop".parse().unwrap();
    let (_, decision) = plan.why(&app, "shop-a -(acme:db)-> shop-b").unwrap();
    assert_eq!(
        decision.to_string(),
        "waits for host NB to take it: port 80 is taken\n"
    );
    world.host("NB").refused.clear();
    assert_eq!(world.status("shop").to_string(), "deployed");
}

/// A provider with another name and the same address: the one waits for the link of the other to go, which would wait for
/// everything new to be there.
#[test]
fn a_former_link_that_is_in_the_way_goes_first() {
    let shop = |name: &str| {
        let server = format!(
            "{{ name: {name}, type: capability, properties: {{ image: 'acme/http:1' }}, traits: [ {{ type: link, properties: {{ namespace: wasi, package: http, interfaces: [ incoming-handler ], target: {{ name: b }} }} }} ] }}"
        );
        manifest("shop", &[&server, &component("b", "acme/b:1", 1, "")])
    };
    let mut world = World::new("NA");
    world.deploy(&shop("old"));
    world.settle();
    let former = world.0.observed.links[0].clone();
    world.deploy(&shop("new"));
    while world.0.observed.links.len() < 2 {
        assert!(!world.round().is_empty(), "the new link comes");
        world.pass(1);
    }
    let new = world.0.observed.links.iter().find(|link| **link != former);
    let mut refused = RefusedLink {
        key: new.unwrap().key(),
        target: former.target.clone(),
        why: "the address is taken".to_owned(),
        owner: None,
    };
    let mut round = |refused: RefusedLink| {
        world.host("NA").refused = vec![refused];
        world.pass(40);
        only_links(world.round())
    };
    assert!(
        round(refused.clone()).is_empty(),
        "nobody says that it would help"
    );
    let mut other = former.key();
    other.name = "other".parse().unwrap();
    refused.owner = Some(other);
    assert!(round(refused.clone()).is_empty());
    refused.owner = Some(former.key());
    assert_eq!(round(refused), ["delete link shop-old -(wasi:http, default)->"]);
    world.host("NA").refused.clear();
    let left = world.settle();
    assert_eq!(left, ["stop provider shop-old on NA"]);
    assert_eq!(world.status("shop").to_string(), "deployed");
}
