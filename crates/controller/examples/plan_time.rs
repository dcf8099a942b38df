//! Prints how long planning takes: for lattices where every component is to be placed, for those where nothing is to be
//! done, and for those that have lost a host. `cargo run --release -p wasmcloud-controller --example plan_time`

use std::time::{Duration, Instant};

use wasmcloud_controller::Sample;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:>10} {:>6} {:>12} {:>12} {:>12}",
        "components", "hosts", "placing", "settled", "host lost"
    );
    for hosts in [10, 100] {
        for components in [10, 100, 1_000, 10_000] {
            let mut sample = Sample::new(components, hosts)?;
            // Configs and links come first.
            let first = sample.plan();
            sample.carry_out(&first);
            let placing = time(&mut sample);
            sample.settle(10);
            let settled = time(&mut sample);
            sample.lose_a_host();
            let lost = time(&mut sample);
            println!("{components:>10} {hosts:>6} {placing:>12.1?} {settled:>12.1?} {lost:>12.1?}");
        }
    }
    Ok(())
}

/// The time of one plan: the least of a few, each with what is remembered as it was.
fn time(sample: &mut Sample) -> Duration {
    let memory = sample.memory.clone();
    let runs = (0..5).map(|_| {
        sample.memory.clone_from(&memory);
        let begun = Instant::now();
        let plan = sample.plan();
        let took = begun.elapsed();
        std::hint::black_box(plan);
        took
    });
    runs.min().unwrap_or_default()
}
