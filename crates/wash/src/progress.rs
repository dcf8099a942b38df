//! How far a pull or push is, and what a command waits for, on a terminal. Elsewhere nothing is shown: the last line says what came of it.

use std::future::Future;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use wasmcloud_artifacts::{Progress, Stage};

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// Runs what a progress channel is made for, and shows what arrives on it. Nothing is left on the screen.
pub(crate) async fn shown<T, F>(what: &str, run: impl FnOnce(watch::Sender<Progress>) -> F) -> T
where
    F: Future<Output = T>,
{
    let (sender, mut seen) = watch::channel(Progress::default());
    // Draws on stderr, and only if that is a terminal.
    let bar = ProgressBar::no_length();
    let style =
        ProgressStyle::with_template("{spinner} {msg} {bytes} of {total_bytes} {bar:30} {bytes_per_sec}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(TICK);
    let running = run(sender);
    tokio::pin!(running);
    let outcome = loop {
        tokio::select! {
            outcome = &mut running => break outcome,
            Ok(()) = seen.changed() => {
                let now = *seen.borrow_and_update();
                bar.set_message(format!("{what}: {}", words(now.stage)));
                bar.set_position(now.done);
                if let Some(total) = now.total {
                    bar.set_length(total);
                }
            }
        }
    };
    bar.finish_and_clear();
    outcome
}

/// How long a wait goes on before it is shown: what is done at once needs no words.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits, and after a second shows what for, how long, and what is known so far, as `known` has it. Nothing is left on
/// the screen.
pub(crate) async fn waited<T>(
    what: &str,
    mut known: watch::Receiver<String>,
    waiting: impl Future<Output = T>,
) -> T {
    tokio::pin!(waiting);
    if let Ok(outcome) = tokio::time::timeout(PATIENCE, &mut waiting).await {
        return outcome;
    }
    let bar = ProgressBar::new_spinner().with_elapsed(PATIENCE);
    let style = ProgressStyle::with_template("{spinner} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TICK);
    let outcome = loop {
        let so_far = known.borrow_and_update().clone();
        let seconds = bar.elapsed().as_secs();
        bar.set_message(match so_far.is_empty() {
            true => format!("{what}, {seconds} s"),
            false => format!("{what}, {seconds} s: {so_far}"),
        });
        tokio::select! {
            outcome = &mut waiting => break outcome,
            Ok(()) = known.changed() => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
    };
    bar.finish_and_clear();
    outcome
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Queued => "waiting for other transfers",
        Stage::Resolving => "asking the registry",
        Stage::Downloading => "receiving",
        Stage::Uploading => "sending",
        Stage::Waiting => "the registry failed, trying again",
        Stage::Done => "done",
    }
}
