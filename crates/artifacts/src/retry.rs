//! When to try again: exponential backoff with jitter, the registry's own wish, and an end.

use std::time::Duration;

use tokio::time::Instant;

use crate::options::RetryOptions;
use crate::progress::{Reporter, Stage};
use crate::registry_error::RegistryError;

/// The tries of one operation.
pub(crate) struct Backoff<'a> {
    options: &'a RetryOptions,
    deadline: Instant,
    failures: u32,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(options: &'a RetryOptions, deadline: Instant) -> Self {
        Self {
            options,
            deadline,
            failures: 0,
        }
    }

    /// Something worked, so the next failure is the first again. Only for operations that get further with each try.
    pub(crate) fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Waits until the operation may be tried again, or gives the error back if that has no point: the error is not
    /// one that passes, there were enough tries, or the wait would end after the deadline.
    pub(crate) async fn pause(
        &mut self,
        error: RegistryError,
        reporter: &Reporter,
    ) -> Result<(), RegistryError> {
        self.failures += 1;
        if !error.may_pass() || self.failures >= self.options.attempts.max(1) {
            return Err(error);
        }
        let wait = match error.retry_after() {
            // A registry that knows when it will answer is believed, up to a point: nobody waits for a day.
            Some(asked) if asked > self.options.longest_retry_after => return Err(error),
            Some(asked) => asked + jitter(self.options.first),
            None => jitter(step(self.options, self.failures)),
        };
        let resume = Instant::now() + wait;
        if resume >= self.deadline {
            return Err(error);
        }
        tracing::debug!(%error, wait_ms = wait.as_millis() as u64, "the registry failed, trying again");
        let before = reporter.stage(Stage::Waiting);
        tokio::time::sleep_until(resume).await;
        reporter.stage(before);
        Ok(())
    }
}

/// The longest wait after this many failures.
fn step(options: &RetryOptions, failures: u32) -> Duration {
    let factor = 2u32.saturating_pow(failures.saturating_sub(1).min(16));
    options.first.saturating_mul(factor).min(options.longest)
}

/// Between half of a duration and all of it, so that hosts that failed together do not return together.
fn jitter(duration: Duration) -> Duration {
    let mut random = [0; 4];
    // Without random bytes the wait is merely the longest one.
    let share = match aws_lc_rs::rand::fill(&mut random) {
        Ok(()) => u32::from_le_bytes(random),
        Err(_) => u32::MAX,
    };
    let half = duration / 2;
    half + half.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;

    fn unwell(retry_after: Option<u64>) -> RegistryError {
        RegistryError::Unwell {
            host: "r.io".to_owned(),
            status: http::StatusCode::TOO_MANY_REQUESTS,
            retry_after: retry_after.map(Duration::from_secs),
            detail: String::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_end() {
        let options = RetryOptions {
            attempts: 4,
            ..RetryOptions::default()
        };
        let reporter = Reporter::new(watch::Sender::default());
        let start = Instant::now();
        let mut backoff = Backoff::new(&options, start + Duration::from_secs(3600));
        let mut waits = Vec::new();
        loop {
            let before = Instant::now();
            match backoff.pause(unwell(None), &reporter).await {
                Ok(()) => waits.push(before.elapsed()),
                Err(_) => break,
            }
        }
        assert_eq!(waits.len(), 3, "four tries have three waits between them");
        for (wait, most) in waits.iter().zip([1, 2, 4]) {
            let most = options.first * most;
            assert!(
                *wait >= most / 2 && *wait <= most + Duration::from_millis(1),
                "{waits:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_registrys_wish_counts_up_to_a_point() {
        let options = RetryOptions::default();
        let reporter = Reporter::new(watch::Sender::default());
        let start = Instant::now();
        let mut backoff = Backoff::new(&options, start + Duration::from_secs(100));
        backoff.pause(unwell(Some(7)), &reporter).await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(7));
        // Over the cap, and over the deadline: no wait at all.
        let before = Instant::now();
        backoff.pause(unwell(Some(90)), &reporter).await.unwrap_err();
        let mut short = Backoff::new(&options, Instant::now() + Duration::from_secs(5));
        short.pause(unwell(Some(7)), &reporter).await.unwrap_err();
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_tried_again() {
        let options = RetryOptions::default();
        let reporter = Reporter::new(watch::Sender::default());
        let mut backoff = Backoff::new(&options, Instant::now() + Duration::from_secs(100));
        let gone = RegistryError::NotFound {
            what: "x".to_owned(),
            detail: String::new(),
        };
        backoff.pause(gone, &reporter).await.unwrap_err();
    }
}
