//! When a process that has ended is started again, and when that happens too often.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The first pause; one after another is twice as long. v1 waited 5 s each time (wire reference §2.5).
const FIRST: Duration = Duration::from_millis(250);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Who was ready for so long starts with the first pause again.
const WELL: Duration = Duration::from_secs(60);

/// So many ends within this time are a crash loop.
const LOOP: usize = 5;
const LOOP_WITHIN: Duration = Duration::from_secs(60);

/// Paces the starts of one provider.
#[derive(Default)]
pub(super) struct Pace {
    next: Option<Duration>,
    ends: VecDeque<Instant>,
}

impl Pace {
    /// A process has ended that had been ready for so long. Says how long to wait.
    pub(super) fn ended(&mut self, now: Instant, ready_for: Duration) -> Duration {
        if self.ends.len() == LOOP {
            self.ends.pop_front();
        }
        self.ends.push_back(now);
        let pause = match self.next {
            Some(next) if ready_for < WELL => next,
            _ => FIRST,
        };
        self.next = Some((pause * 2).min(LONGEST));
        pause
    }

    /// How often it has ended within a minute, if that is a crash loop.
    pub(super) fn crash_loop(&self, now: Instant) -> Option<usize> {
        let recent = self
            .ends
            .iter()
            .filter(|end| now.saturating_duration_since(**end) < LOOP_WITHIN);
        Some(recent.count()).filter(|count| *count >= LOOP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_it_was_well_for_a_while() {
        let now = Instant::now();
        let mut pace = Pace::default();
        let pauses: Vec<u128> = (0..10)
            .map(|_| pace.ended(now, Duration::from_secs(59)).as_millis())
            .collect();
        assert_eq!(
            pauses,
            [
                250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000
            ]
        );
        assert_eq!(pace.ended(now, WELL), FIRST);
        assert_eq!(pace.ended(now, Duration::ZERO), FIRST * 2);
    }

    #[test]
    fn a_crash_loop_is_many_ends_in_a_short_time() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for second in [0, 10, 20, 59] {
            let now = start + Duration::from_secs(second);
            pace.ended(now, Duration::ZERO);
            assert_eq!(pace.crash_loop(now), None);
        }
        let now = start + Duration::from_secs(61);
        pace.ended(now, Duration::ZERO);
        assert_eq!(pace.crash_loop(now), None, "the first was more than a minute ago");
        pace.ended(now, Duration::ZERO);
        assert_eq!(pace.crash_loop(now), Some(5));
    }
}
