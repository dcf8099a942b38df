//! Whether this process is alone in its lattice: what can be known where it runs the lattice itself.

use std::fmt;
use std::sync::Arc;

/// Says whether nobody else is connected to the lattice at the moment of the question, as whoever runs the lattice
/// knows it. Asking all hosts who is there, and waiting for answers, could find nobody else then; and nobody else can
/// act on a lease, whatever the store says. Who connects later is the one that comes second.
#[derive(Clone, Default)]
pub struct Alone(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Alone {
    /// Asks this function. [`Alone::default`] never says so: for who cannot know.
    pub fn new(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    /// Whether it is so now.
    pub(crate) fn now(&self) -> bool {
        self.0.as_ref().is_some_and(|ask| ask())
    }
}

impl fmt::Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alone").field(&self.0.is_some()).finish()
    }
}
