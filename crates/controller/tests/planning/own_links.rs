//! Links of revisions beside each other: there before the first call, and until the last one has ended.

use wasmcloud_controller::{RefusedLink, StatusKind};

use crate::world::{World, manifest};

/// A component whose link goes to this provider.
fn shop(strategy: &str, image: &str, store: &str) -> String {
    let cart = format!(
        "{{ name: cart, type: component, properties: {{ image: 'acme/cart:{image}' }}, traits: [ {{ type: spreadscaler, properties: {{ instances: 1 }} }}, {{ type: link, properties: {{ namespace: acme, package: db, interfaces: [ one ], target: {{ name: {store}, config: [ {{ name: {store}, properties: {{ k: v }} }} ] }} }} }} ] }}"
    );
    let store = format!("{{ name: {store}, type: capability, properties: {{ image: 'acme/db:1' }} }}");
    let policy = format!(
        "  policies:\n    - {{ name: r, type: policy.rollout.wasmcloud.dev/v1alpha1, properties: {{ strategy: {strategy} }} }}\n"
    );
    manifest("shop", &[&cart, &store]).replace("spec:\n", &format!("spec:\n{policy}"))
}

/// A lattice in which the first of them runs, with a canary of the second under way.
fn rolling_out(first: &str, second: &str) -> World {
    let mut world = World::new("NA");
    world.host("NA").candidates = true;
    world.deploy(first);
    world.settle();
    world.deploy(second);
    world.app("shop").weight = Some(20);
    world
}

/// What the links of the revision that is deployed end in, with what is before that.
fn ends_in(world: &mut World) -> String {
    let deployed = world.app("shop").deployed.clone().unwrap();
    let suffix = deployed.desired.components[0].link_suffix.as_ref();
    suffix.map_or_else(String::new, |suffix| format!("-{suffix}"))
}

/// The link of the application, as it is known where names end in `suffix`.
fn link(suffix: &str, store: &str) -> String {
    format!("shop-cart -(acme:db, default{suffix})-> shop-{store}")
}

/// The same step for all names of configs.
fn without_hashes(steps: Vec<String>) -> Vec<String> {
    let config = |step: String| match step.split_once(" config shop-") {
        Some((what, name)) => format!("{what} {}", name.split('-').next().unwrap()),
        None => step,
    };
    steps.into_iter().map(config).collect()
}

const BESIDE: &str = "scale component shop-cart on NA to 1 beside what runs, for 20 % of the calls";
const SCALE: &str = "scale component shop-cart on NA to 1";

#[test]
fn a_revision_has_its_links_before_it_gets_calls_and_until_they_have_ended() {
    for strategy in ["rolling", "canary"] {
        let mut world = rolling_out(&shop(strategy, "1", "old"), &shop("canary", "2", "new"));
        let running = world.host("NA").components["shop-cart"].clone();
        let former = running.link_suffix.clone();
        let old = former
            .as_ref()
            .map_or_else(String::new, |suffix| format!("-{suffix}"));
        let new = ends_in(&mut world);
        let first = ["put new", "start provider shop-new on NA"];
        assert_eq!(without_hashes(world.round()), first, "{strategy}");
        // Neither is seen yet.
        let put = format!("put link {}", link(&new, "new"));
        assert_eq!(world.round(), [put.as_str()]);
        assert!(world.round().is_empty(), "hosts may have to refuse the link");
        world.pass(3);
        assert_eq!(world.round(), [BESIDE]);
        assert!(world.settle().is_empty(), "both run, and both have their links");
        assert_eq!(world.0.observed.links.len(), 2);
        world.app("shop").weight = None;
        assert_eq!(world.round(), [SCALE]);
        // Calls of the former revision are under way.
        let cart = world.host("NA").components.get_mut("shop-cart").unwrap();
        cart.leaving = vec![former];
        assert!(world.settle().is_empty());
        assert_eq!(
            world.status("shop").kind,
            StatusKind::Deployed,
            "nobody waits for them"
        );
        let report = world.plan().reports[0].clone();
        assert!(report.has_leftovers(), "and what is left is not forgotten");
        world
            .host("NA")
            .components
            .get_mut("shop-cart")
            .unwrap()
            .leaving
            .clear();
        let gone = without_hashes(world.settle());
        let delete = format!("delete link shop-cart -(acme:db, default{old})->");
        assert_eq!(
            gone,
            ["stop provider shop-old on NA", delete.as_str(), "delete old"]
        );
        assert!(!world.plan().reports[0].has_leftovers());
    }
}

#[test]
fn back_to_names_that_all_have_is_the_same_way() {
    let mut world = rolling_out(&shop("canary", "1", "old"), &shop("rolling", "2", "new"));
    world.app("shop").weight = None;
    let old = world.host("NA").components["shop-cart"]
        .link_suffix
        .clone()
        .unwrap();
    let first = ["put new", "start provider shop-new on NA"];
    assert_eq!(without_hashes(world.round()), first);
    let put = format!("put link {}", link("", "new"));
    assert_eq!(world.round(), [put.as_str()]);
    assert!(world.round().is_empty(), "hosts may have to refuse the link");
    world.pass(3);
    assert_eq!(world.round(), [SCALE]);
    assert_eq!(
        without_hashes(world.settle()),
        [
            "stop provider shop-old on NA".to_owned(),
            format!("delete link shop-cart -(acme:db, default-{old})->"),
            "delete old".to_owned()
        ]
    );
}

#[test]
fn links_that_say_the_same_are_left_alone() {
    let mut world = rolling_out(&shop("canary", "1", "old"), &shop("blue-green", "2", "old"));
    assert_eq!(world.settle(), [BESIDE]);
    world.app("shop").weight = None;
    assert_eq!(world.settle(), [SCALE]);
}

#[test]
fn going_back_puts_nothing_that_is_there() {
    let first = shop("canary", "1", "old");
    let mut world = rolling_out(&first, &shop("canary", "2", "new"));
    world.settle();
    let new = ends_in(&mut world);
    world.deploy(&first);
    world.app("shop").weight = None;
    assert_eq!(world.round(), [SCALE], "it has its links");
    let gone = without_hashes(world.settle());
    let delete = format!("delete link shop-cart -(acme:db, default{new})->");
    assert_eq!(
        gone,
        ["stop provider shop-new on NA", delete.as_str(), "delete new"]
    );
}

#[test]
fn a_link_that_a_host_refuses_keeps_its_revision_from_calls() {
    let mut world = rolling_out(&shop("canary", "1", "old"), &shop("canary", "2", "new"));
    world.round();
    world.round();
    let new = ends_in(&mut world);
    let links = &world.0.observed.links;
    let refused = links
        .iter()
        .find(|link| link.name.as_str().ends_with(&new))
        .unwrap()
        .clone();
    world.host("NA").refused.push(RefusedLink {
        key: refused.key(),
        target: refused.target.clone(),
        why: "no such key".to_owned(),
        owner: None,
    });
    assert!(world.settle().is_empty());
    let plan = world.plan();
    let (status, decision) = plan.why(&"shop".parse().unwrap(), "cart").unwrap();
    assert_eq!(status.to_string(), "reconciling: Waiting for links");
    assert_eq!(
        decision.to_string(),
        "waits for link `shop-cart -(acme:db)-> shop-new`, which is not there yet\n"
    );
    world.host("NA").refused.clear();
    assert_eq!(world.settle(), [BESIDE]);
}

#[test]
fn a_host_that_is_lost_keeps_the_links_of_what_it_ran() {
    let mut world = rolling_out(&shop("canary", "1", "old"), &shop("canary", "2", "new"));
    world.add_host("NB");
    world.host("NB").candidates = true;
    world.settle();
    world.app("shop").weight = None;
    world.pass_with(10, &["NB"]);
    world.settle_with(&["NB"]);
    assert_eq!(
        world.runs().iter().filter(|it| it.starts_with("NB")).count(),
        2,
        "{:?}",
        world.runs()
    );
    assert_eq!(world.0.observed.links.len(), 2, "it may still run there");
    assert_eq!(world.status("shop").kind, StatusKind::Deployed);
    world.0.observed.hosts.remove("NA");
    world.settle_with(&["NB"]);
    assert_eq!(world.0.observed.links.len(), 1);
}

#[test]
fn hosts_that_do_not_know_such_links_are_given_none() {
    let mut world = World::new("NA zone=a, NB zone=b");
    world.host("NA").link_suffix = false;
    world.deploy(&shop("canary", "1", "old"));
    world.settle();
    assert!(
        world.runs().contains(&"NB shop-cart 1".to_owned()),
        "{:?}",
        world.runs()
    );
    let mut world = World::new("NA");
    world.host("NA").link_suffix = false;
    world.deploy(&shop("rolling", "1", "old"));
    world.settle();
    world.deploy(&shop("canary", "2", "old"));
    world.settle();
    let status = world.status("shop");
    assert_eq!(status.kind, StatusKind::Failed);
    assert!(
        status
            .message
            .contains("not for host NA: links of one revision alone"),
        "{status}"
    );
    assert!(
        world.runs().contains(&"NA shop-cart 1".to_owned()),
        "what runs stays"
    );
    assert_eq!(world.0.observed.links.len(), 2, "with its link");
}
