//! The component that uses another's resources.

use exports::test::resources::driver::Guest;
use test::resources::counters::{self, Choice, Counter, Pair};
use wasi::clocks::monotonic_clock;

wit_bindgen::generate!({ path: "../wit", world: "holder", generate_all });

struct Holder;

impl Guest for Holder {
    fn run_all() {
        assert_eq!(counters::alive(), 0, "before the first");
        let one = Counter::new(40);
        assert_eq!(one.increment(1), 41);
        assert_eq!(one.increment(1), 42, "the same instance answers");
        assert_eq!(counters::value(&one), 42);
        let two = Counter::new(58);
        assert_eq!(counters::alive(), 2, "both are in one instance");
        let named = [("one".to_owned(), &one), ("two".to_owned(), &two)];
        assert_eq!(counters::sum(&named), 100);
        let both = Counter::merge(one, two);
        assert_eq!(both.increment(0), 100);
        assert_eq!(counters::alive(), 1, "what was given away is gone");

        let pair = counters::halve(both).expect("100 is even");
        assert_eq!(pair.name, "half of 100");
        let second = pair.second.expect("both halves come back");
        assert_eq!((pair.first.increment(1), second.increment(0)), (51, 50));
        let odd = counters::halve(pair.first).expect_err("51 is odd");
        assert_eq!(odd.increment(0), 51, "it comes back as it was");

        assert!(matches!(counters::choose(0), Choice::Nothing));
        let Choice::One(other) = counters::choose(1) else {
            panic!("one was asked for")
        };
        let many = counters::choose(5);
        let Choice::Many(all) = &many else {
            panic!("many were asked for")
        };
        assert_eq!(all.iter().map(|each| each.increment(1)).sum::<u32>(), 15);
        assert_eq!(counters::alive(), 8);
        let pair = Pair {
            name: String::new(),
            first: odd,
            second: None,
        };
        let all = counters::gather(pair, many);
        assert_eq!(counters::value(&all), 66);
        let pair = Pair {
            name: "ä".to_owned(),
            first: all,
            second: Some(second),
        };
        let all = counters::gather(pair, Choice::Text("four".to_owned()));
        assert_eq!(counters::value(&all), 120);
        drop(other);
        assert_eq!(counters::alive(), 1);
        drop(all);
        assert_eq!(counters::alive(), 0, "after the last");
    }

    fn run_many(n: u32) -> u32 {
        let first = Counter::new(0);
        for number in 0..n {
            assert_eq!(Counter::new(number).increment(1), number + 1);
        }
        drop(Counter::merge(first, Counter::new(0)));
        counters::alive()
    }

    fn run_held(n: u32) -> u32 {
        let held: Vec<Counter> = (0..n).map(Counter::new).collect();
        let alive = counters::alive();
        drop(held);
        alive
    }

    fn run_leak() -> u32 {
        std::mem::forget(Counter::new(0));
        counters::alive()
    }

    fn run_alive() -> u32 {
        counters::alive()
    }

    fn run_spin() {
        counters::spin(&Counter::new(0));
    }

    fn run_fail() {
        let other = Counter::new(0);
        counters::fail(&Counter::new(0));
        drop(other);
    }

    fn run_increment(n: u32) -> u64 {
        let counter = Counter::new(0);
        let start = monotonic_clock::now();
        for number in 0..n {
            assert_eq!(counter.increment(1), number + 1);
        }
        (monotonic_clock::now() - start) / u64::from(n.max(1))
    }
}

export!(Holder);
