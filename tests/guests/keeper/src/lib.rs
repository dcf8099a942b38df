//! The component whose resources others use, and to which others pass streams.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use exports::test::resources::counters::{self, Choice, Counter, CounterBorrow, GuestCounter, Pair};
use exports::test::resources::pipes::{self, InputStream, OutputStream};

wit_bindgen::generate!({ path: "../wit", world: "keeper", generate_all });

/// The counters of this instance.
static ALIVE: AtomicU32 = AtomicU32::new(0);

struct Count(Cell<u32>);

impl Count {
    fn of(value: u32) -> Counter {
        Counter::new(Self::new(value))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl GuestCounter for Count {
    fn new(start: u32) -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self(Cell::new(start))
    }

    fn increment(&self, by: u32) -> u32 {
        self.0.set(self.0.get().wrapping_add(by));
        self.0.get()
    }

    fn merge(a: Counter, b: Counter) -> Counter {
        Count::of(taken(a) + taken(b))
    }
}

/// The value of a counter that is given away, which ends it.
fn taken(counter: Counter) -> u32 {
    counter.into_inner::<Count>().0.get()
}

struct Keeper;

impl counters::Guest for Keeper {
    type Counter = Count;

    fn value(of: CounterBorrow<'_>) -> u32 {
        of.get::<Count>().0.get()
    }

    fn sum(of: Vec<(String, CounterBorrow<'_>)>) -> u32 {
        of.into_iter().map(|(_, counter)| Self::value(counter)).sum()
    }

    fn halve(c: Counter) -> Result<Pair, Counter> {
        let value = c.get::<Count>().0.get();
        if value % 2 == 1 {
            return Err(c);
        }
        Ok(Pair {
            name: format!("half of {}", taken(c)),
            first: Count::of(value / 2),
            second: Some(Count::of(value / 2)),
        })
    }

    fn choose(n: u32) -> Choice {
        match n {
            0 => Choice::Nothing,
            1 => Choice::One(Count::of(0)),
            n => Choice::Many((0..n).map(Count::of).collect()),
        }
    }

    fn gather(p: Pair, c: Choice) -> Counter {
        let pair = taken(p.first) + p.second.map_or(0, taken);
        Count::of(
            pair + match c {
                Choice::Nothing => 0,
                Choice::One(counter) => taken(counter),
                Choice::Many(counters) => counters.into_iter().map(taken).sum(),
                Choice::Text(text) => text.len() as u32,
            },
        )
    }

    fn alive() -> u32 {
        ALIVE.load(Ordering::Relaxed)
    }

    fn fail(_: CounterBorrow<'_>) {
        core::arch::wasm32::unreachable()
    }

    fn spin(_: CounterBorrow<'_>) {
        loop {
            std::hint::black_box(());
        }
    }
}

impl pipes::Guest for Keeper {
    fn read(of: InputStream) -> String {
        let mut all = Vec::new();
        while let Ok(some) = of.blocking_read(4) {
            all.extend(some);
        }
        String::from_utf8(all).unwrap_or_default()
    }

    fn skip(of: InputStream, bytes: u64) -> Result<InputStream, String> {
        match of.blocking_skip(bytes) {
            Ok(_) => Ok(of),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    fn write(to: OutputStream, text: String) -> OutputStream {
        to.blocking_write_and_flush(text.as_bytes())
            .expect("the stream takes what is written");
        to
    }

    fn peek(at: &InputStream) -> u32 {
        at.read(1).map_or(0, |some| some.len() as u32)
    }
}

export!(Keeper);
