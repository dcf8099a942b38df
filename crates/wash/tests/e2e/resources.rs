//! A component that uses the resources of another: on one host it does, and across hosts it is told why it cannot.

use anyhow::Result;
use serde_json::Value;

use crate::calls::{refused, start};
use crate::support::Machine;

/// A machine with the component that has resources and the one that uses them, linked.
fn linked() -> Result<Machine> {
    let machine = Machine::start()?;
    start(&machine, "keeper", "keeper")?;
    start(&machine, "holder", "holder")?;
    link(&machine, "auto")?;
    Ok(machine)
}

fn link(machine: &Machine, route: &str) -> Result<()> {
    let link = ["link", "put", "holder", "keeper", "test", "resources"];
    let link = [&link[..], &["--interface", "counters", "--route", route]].concat();
    machine.value(&link)?;
    Ok(())
}

#[test]
fn handles_are_used_and_dropped_on_one_host() -> Result<()> {
    let machine = linked()?;
    let ended = machine.run(&["call", "holder", "run-all"])?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let held = machine.value(&["call", "holder", "run-held", "100"])?;
    assert_eq!(held.get("result"), Some(&Value::from(100)), "{held}");
    let left = machine.value(&["call", "holder", "run-many", "100"])?;
    assert_eq!(left.get("result"), Some(&Value::from(0)), "{left}");

    let (_, kind, said) = refused(&machine, &["holder", "run-fail"])?;
    assert!(
        kind == "trap" && said.contains("component `keeper` trapped"),
        "{said}"
    );
    let ended = machine.run(&["call", "holder", "run-all"])?;
    assert_eq!(ended.code, 0, "{}", ended.text());

    // Nobody has a slot of it any more, so it stops at once.
    machine.value(&["stop", "component", "keeper"])?;
    Ok(())
}

#[test]
fn handles_do_not_travel_and_the_caller_learns_what_would_help() -> Result<()> {
    let machine = linked()?;
    link(&machine, "lattice")?;
    let (_, _, said) = refused(&machine, &["holder", "run-held", "1"])?;
    assert!(
        said.contains("`[constructor]counter` of `test:resources/counters@0.1.0`: it passes resources")
            && said.contains("the route of the link to `keeper` is `lattice`")
            && said.contains("with `auto` or `local` the call stays on this host"),
        "{said}"
    );

    let alive = machine.value(&["call", "holder", "run-alive"])?;
    assert_eq!(
        alive.get("result"),
        Some(&Value::from(0)),
        "without handles it travels: {alive}"
    );

    link(&machine, "auto")?;
    machine.value(&["stop", "component", "keeper"])?;
    let (_, _, said) = refused(&machine, &["holder", "run-held", "1"])?;
    assert!(
        said.contains("it passes resources, and `keeper` does not run on this host")
            && said.contains("start it here"),
        "{said}"
    );

    // Somebody elsewhere who calls what has resources is told as well.
    start(&machine, "keeper", "keeper")?;
    let ended = machine.run(&["call", "keeper", "choose", "1"])?;
    let text = ended.text();
    assert!(ended.code != 0 && text.contains("resource"), "{text}");
    Ok(())
}
