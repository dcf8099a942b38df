//! How far a pull or push is, on a terminal. Elsewhere nothing is shown: the last line says what came of it.

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
