//! What came of a trial.

use std::fmt;
use std::time::Duration;

/// What one check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What should be true, as a sentence.
    pub check: &'static str,
    /// How long it took to see that it is, or why it is not.
    pub outcome: Result<Duration, String>,
}

/// What all checks found, in their order.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One for each check that was made.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.outcome.is_err())
    }

    /// An error with everything in it, if anything failed, or nothing was checked.
    pub fn into_result(self) -> Result<(), Self> {
        match !self.findings.is_empty() && self.failures().next().is_none() {
            true => Ok(()),
            false => Err(self),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failures().count();
        writeln!(f, "{failed} of {} checks failed", self.findings.len())?;
        for Finding { check, outcome } in &self.findings {
            match outcome {
                Ok(took) => writeln!(f, "  ok      {check} ({took:.1?})")?,
                Err(why) => writeln!(f, "  FAILED  {check}: {why}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_a_failure_and_so_is_nothing() {
        let fine = Finding {
            check: "it starts",
            outcome: Ok(Duration::from_millis(100)),
        };
        let bad = Finding {
            check: "it stops",
            outcome: Err("it runs".to_owned()),
        };
        assert!(Report::default().into_result().is_err());
        let report = |findings: &[&Finding]| Report {
            findings: findings.iter().copied().cloned().collect(),
        };
        assert!(report(&[&fine]).into_result().is_ok());
        let text = report(&[&fine, &bad]).into_result().unwrap_err().to_string();
        assert_eq!(
            text,
            "1 of 2 checks failed\n  ok      it starts (100.0ms)\n  FAILED  it stops: it runs\n"
        );
    }
}
