//! Automation of this repository: guests, test, demo, bench, tidy.

fn main() {}
