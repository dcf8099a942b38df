//! That planning large lattices ends in one round, and what the benchmark stands on. How long it takes is measured by
//! `cargo xtask bench control`, never by a test.

use wasmcloud_controller::Sample;

#[test]
fn a_large_lattice_is_planned_and_settles() {
    let mut sample = Sample::new(1_500, 20).unwrap();
    let first = sample.plan();
    assert_eq!(first.steps.len(), 3_000, "a config and a link for each component");
    sample.carry_out(&first);
    assert_eq!(sample.settle(5), 1);
    assert!(sample.plan().steps.is_empty());
    let (least, most) = {
        let loads = || sample.observed.hosts.values().map(|host| host.components.len());
        (loads().min().unwrap(), loads().max().unwrap())
    };
    assert!(most - least <= 20, "{least} to {most}");
}
