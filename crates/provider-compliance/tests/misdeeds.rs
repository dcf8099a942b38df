//! The checks find what is wrong, and nothing where nothing is.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use wasmcloud_provider_compliance::{Report, Trial};
use wasmcloud_test_lattice::{TestLattice, example};

/// How long a provider that does something wrong is waited for; each check that it fails may take this long.
const IMPATIENT: Duration = Duration::from_secs(2);

async fn tried(misdeed: &str, patience: Option<Duration>) -> Result<Report> {
    let lattice = TestLattice::embedded().await?;
    let mut trial = Trial::new(example("misbehaving")?, lattice.url())
        .config("misdeed", misdeed)
        .call_bytes(
            "test:compliance/echo@0.1.0",
            "echo",
            b"\x03abc".as_slice(),
            |echo| echo == b"\x03abc",
        )
        .only_linked();
    if let Some(patience) = patience {
        trial = trial.patience(patience);
    }
    Ok(trial.run().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_where_nothing_is_wrong() -> Result<()> {
    Ok(tried("", None).await?.into_result()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_no_provider_is_none() -> Result<()> {
    let lattice = TestLattice::embedded().await?;
    for program in ["true", "/does/not/exist"] {
        let report = Trial::new(program, lattice.url()).patience(IMPATIENT).run().await;
        let first = report.findings.first().context("nothing was checked")?;
        ensure!(first.outcome.is_err(), "{report}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_said_so() -> Result<()> {
    let report = Trial::new(example("misbehaving")?, "nats://127.0.0.1:1")
        .patience(IMPATIENT)
        .run()
        .await;
    let text = report.into_result().unwrap_err().to_string();
    ensure!(text.contains("FAILED  the NATS server can be reached"), "{text}");
    Ok(())
}

/// What is done, and what is found.
macro_rules! misdeeds {
    ($($name:ident: $misdeed:literal => $check:literal, $why:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> Result<()> {
                let report = tried($misdeed, Some(IMPATIENT)).await?;
                let found = report.failures().find(|finding| finding.check == $check);
                let why = found.and_then(|finding| finding.outcome.as_ref().err());
                let why = why.with_context(|| format!("{:?} was not found: {report}", $misdeed))?;
                ensure!(why.contains($why), "{why}");
                Ok(())
            }
        )*
    };
}

misdeeds! {
    ill: "is ill" => "it becomes healthy when a host starts it", "it says that it is not healthy";
    accepts_nothing: "does not accept calls" => "it answers calls over a link that it was started with", "nobody accepted";
    answers_nonsense: "answers nonsense" => "it answers calls over a link that it was started with", "something else";
    keeps_links: "keeps links for ever" => "it takes the end of a link", "the same results";
    deaf: "deaf on its key" => "it takes links, on its id and on its own key", "not linked";
    forgets_links: "forgets all links to a component" => "it takes links, on its id and on its own key", "not linked";
    dies_of_config: "dies of config" => "it takes another config", "exit status: 3";
    obeys_anybody: "obeys anybody" => "it ignores what another host wants to stop", "exit status: 0";
    dies_of_nonsense: "dies of nonsense" => "it survives nonsense on every subject that a host uses", "exit status: 3";
    answers_anything: "answers what it cannot read" => "it answers calls that cannot be read with an error", "returned";
    never_answers: "does not answer what it cannot read" => "it answers calls that cannot be read with an error", "did not end";
    dies_without_reply: "dies without a reply" => "it survives messages that nobody waits for an answer to", "exit status: 3";
    says_something_else: "says something else" => "it answers and stops when its host wants it to", "it answered b\"ok\"";
    does_not_stop: "does not stop" => "it answers and stops when its host wants it to", "still runs";
    stops_with_an_error: "stops with an error" => "it answers and stops when its host wants it to", "exit status: 3";
    ignores_signals: "ignores signals" => "it stops at a SIGTERM", "still runs";
}
