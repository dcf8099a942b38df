//! Metrics as values: what is counted is kept by those who count, as plain atomics; here it becomes families of
//! samples at the moment somebody asks, in the text format of Prometheus or pushed over OTLP. Both have one source.
//!
//! Whoever counts registers a source, a function that adds what it knows. Nothing is collected unless somebody asks.

pub(crate) mod otlp;
mod process;
mod text;

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often which size was seen.
    Histogram,
}

/// A family of samples: made once as a constant, listed in docs/metrics.md.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name, with base unit (`_seconds`, `_bytes`) and `_total` as Prometheus wants them.
    pub name: &'static str,
    /// One sentence without full stop.
    pub help: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
}

/// Sizes and how often they were seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// Upper bound of each bucket, ascending, and how many fell into it, not cumulative. What is above all bounds is in
    /// a last bucket with the bound infinity.
    pub buckets: Vec<(f64, u64)>,
    /// All sizes added up.
    pub sum: f64,
}

/// The value of one sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Distribution(Distribution),
}

/// One sample of a family.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

/// A family with its samples.
#[derive(Debug)]
pub struct Family {
    pub(crate) definition: &'static Definition,
    pub(crate) samples: Vec<Sample>,
}

impl Family {
    /// Adds a number. Labels come from small fixed sets, or from ids whose number is capped.
    pub fn number(&mut self, labels: &[(&'static str, &str)], value: f64) -> &mut Self {
        self.add(labels, Value::Number(value))
    }

    /// Adds a counter or gauge that is kept as an integer. Exact up to 2⁵³.
    pub fn count(&mut self, labels: &[(&'static str, &str)], value: u64) -> &mut Self {
        self.number(labels, value as f64)
    }

    /// Adds a distribution.
    pub fn distribution(&mut self, labels: &[(&'static str, &str)], value: Distribution) -> &mut Self {
        self.add(labels, Value::Distribution(value))
    }

    fn add(&mut self, labels: &[(&'static str, &str)], value: Value) -> &mut Self {
        let labels = labels
            .iter()
            .map(|(name, of)| (*name, (*of).to_owned()))
            .collect();
        self.samples.push(Sample { labels, value });
        self
    }
}

/// All families at one moment.
#[derive(Debug)]
pub struct Collection {
    pub(crate) at: SystemTime,
    pub(crate) families: Vec<Family>,
}

impl Collection {
    /// The family of this definition. A family without samples is not shown.
    pub fn family(&mut self, definition: &'static Definition) -> &mut Family {
        let known = self
            .families
            .iter()
            .position(|family| family.definition.name == definition.name);
        let at = known.unwrap_or_else(|| {
            self.families.push(Family {
                definition,
                samples: Vec::new(),
            });
            self.families.len() - 1
        });
        self.families
            .get_mut(at)
            .expect("the family at this position was found or pushed above")
    }
}

type Source = dyn Fn(&mut Collection) + Send + Sync;

/// Who knows what is counted. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Vec<Arc<Source>>>>);

impl Metrics {
    /// Nothing but what the process itself can say.
    pub fn new() -> Self {
        let metrics = Self::default();
        metrics.register(process::collect);
        metrics
    }

    /// Adds a source. It is called for each scrape and each push, from several threads, and must not block.
    pub fn register(&self, source: impl Fn(&mut Collection) + Send + Sync + 'static) {
        self.0.lock().push(Arc::new(source));
    }

    /// Asks all sources.
    pub(crate) fn collect(&self) -> Collection {
        let sources = self.0.lock().clone();
        let mut collection = Collection {
            at: SystemTime::now(),
            families: Vec::new(),
        };
        sources.iter().for_each(|source| source(&mut collection));
        collection.families.retain(|family| !family.samples.is_empty());
        collection.families.sort_by_key(|family| family.definition.name);
        collection
    }

    /// All of it in the text format of Prometheus, version 0.0.4.
    pub fn text(&self) -> String {
        text::write(&self.collect())
    }
}
