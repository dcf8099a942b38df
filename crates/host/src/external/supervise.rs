//! The life of one external provider: started, ready, asked for its health, started again when it ends, stopped.
//!
//! A start counts when the process can be asked for its health, whatever it says: it is connected, and the server
//! knows what it listens to (design §3, "ready means true"). A first start that does not get there has failed, and is
//! not tried again. Later ones are, with growing pauses and whatever links and config there are by then.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nkeys::XKey;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, interval_at, sleep};
use wasmcloud_core::ComponentId;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::subject::Token;

use super::Context;
use super::by_id::ById;
use super::error::ProcessError;
use super::health::{self, Health, Verdict};
use super::host_data::host_data;
use super::links::{self, Known};
use super::pace::Pace;
use super::process::{Process, Start};
use super::stop;

/// First and longest pause between two questions whether a process is ready.
const ASK_AGAIN: Duration = Duration::from_millis(10);
const ASK_AGAIN_LONGEST: Duration = Duration::from_millis(200);

/// How long the answer to the first of these questions may take; that to the next, twice as long.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a process that never answered gets of the drain time: it has nothing to drain.
const NOT_READY_DRAIN: Duration = Duration::from_secs(1);

/// A provider to be kept running.
pub(super) struct Supervised {
    pub(super) id: ComponentId,
    pub(super) context: Arc<Context>,
    pub(super) program: PathBuf,
    pub(super) known: watch::Receiver<Known>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) drain: Duration,
    /// Whether it is well, for the inventory.
    pub(super) health: watch::Sender<Option<bool>>,
}

/// Told once what came of the first start.
type First = Option<oneshot::Sender<Result<(), ProcessError>>>;

/// Why a process is not to run any more, or does not.
enum End {
    /// Somebody wants the provider to stop.
    Stop,
    /// It has ended, in this way.
    Ended(String),
    /// It did not become ready, and was to for the first time.
    Silent(String),
}

/// Keeps a provider running until it is stopped. `still` is set when nothing of it runs any more.
pub(super) async fn supervise(
    mut provider: Supervised,
    first: oneshot::Sender<Result<(), ProcessError>>,
    still: watch::Sender<bool>,
) {
    run(&mut provider, Some(first)).await;
    still.send_replace(true);
}

async fn run(provider: &mut Supervised, mut first: First) {
    let (mut pace, mut health) = (Pace::default(), Health::new(provider.health.clone()));
    let doubt = provider.context.handover.doubt;
    while !*provider.stop.borrow() {
        let began = Instant::now();
        let mut ready_at = None;
        let reason = match provider.start().await {
            Ok((mut process, key, told)) => {
                let end = {
                    let mut stop = provider.stop.clone();
                    tokio::select! {
                        biased;
                        _ = stop.wait_for(|stop| *stop) => End::Stop,
                        reason = provider.accompany(key, told, &mut first, &mut health, &mut ready_at) => {
                            End::Silent(reason)
                        }
                        status = process.ended() => End::Ended(status),
                    }
                };
                match end {
                    End::Stop => {
                        stop::stop(&provider.context, &provider.id, &mut process, provider.drain).await;
                        break;
                    }
                    End::Silent(reason) => {
                        let lines = process.lines();
                        let waited = began.elapsed();
                        let drain = provider.drain.min(NOT_READY_DRAIN);
                        stop::stop(&provider.context, &provider.id, &mut process, drain).await;
                        tell(
                            &mut first,
                            ProcessError::Silent {
                                doubt,
                                waited,
                                reason,
                                lines,
                            },
                        );
                        return;
                    }
                    End::Ended(status) => ProcessError::Ended {
                        doubt,
                        status,
                        lines: process.last_words().await,
                    },
                }
            }
            Err(error) => error,
        };
        if first.is_some() {
            return tell(&mut first, reason);
        }
        let now = Instant::now();
        let pause = pace.ended(now, ready_at.map_or(Duration::ZERO, |ready| now - ready));
        let id = &provider.id;
        match pace.crash_loop(now) {
            Some(times) => tracing::error!(
                provider = %id, reason = chain(&reason), times, again_in = ?pause,
                "the provider ends again and again"
            ),
            None => tracing::warn!(
                provider = %id, reason = chain(&reason), again_in = ?pause,
                "the provider has ended unexpectedly and is started again"
            ),
        }
        health.note(
            &provider.context,
            id,
            Verdict::Unwell("its process has ended".to_owned()),
        );
        tokio::select! {
            _ = provider.stop.wait_for(|stop| *stop) => {}
            () = sleep(pause) => {}
        }
    }
    tell(&mut first, ProcessError::Stopped);
}

fn tell(first: &mut First, error: ProcessError) {
    if let Some(first) = first.take() {
        // Who does not wait any more does not need to know.
        first.send(Err(error)).ok();
    }
}

#[allow(clippy::expect_used, reason = "a public key is letters and digits")]
fn token(key: &XKey) -> Token {
    key.public_key().parse().expect("a public key is a token")
}

impl Supervised {
    /// Starts a process with what is known now. Says where it is told of changes, and what it knows.
    async fn start(&self) -> Result<(Process, Token, Known), ProcessError> {
        let key = XKey::new();
        let seed = key.seed().map_err(ProcessError::Key)?;
        let token = token(&key);
        let known = self.known.borrow().clone();
        let process = Process::start(Start {
            id: self.id.clone(),
            program: self.program.clone(),
            launcher: self.context.options.launcher.clone(),
            limits: self.context.options.limits,
            host_data: host_data(&self.context, &self.id, &known, seed).to_line(),
        });
        let process = process.await.map_err(|source| ProcessError::Spawn {
            program: self.program.clone(),
            source,
        })?;
        Ok((process, token, known))
    }

    /// What happens beside a process while it runs. Ends only where a first start fails, with the reason.
    async fn accompany(
        &self,
        key: Token,
        told: Known,
        first: &mut First,
        health: &mut Health,
        ready_at: &mut Option<Instant>,
    ) -> String {
        let (context, id) = (&*self.context, &self.id);
        let by_id = ById::listen(context, id).await;
        let ready = self.ready().await;
        match (&ready, first.take()) {
            (Ok(verdict), Some(first)) => {
                if let Verdict::Unwell(reason) = verdict {
                    tracing::warn!(provider = %id, reason, "the provider has started and is not well");
                }
                *ready_at = Some(Instant::now());
                health.started(verdict);
                first.send(Ok(())).ok();
            }
            (Ok(verdict), None) => {
                tracing::info!(provider = %id, "the provider runs again");
                *ready_at = Some(Instant::now());
                health.note(context, id, verdict.clone());
            }
            (Err(reason), Some(waiting)) => {
                *first = Some(waiting);
                return reason.clone();
            }
            (Err(reason), None) => {
                tracing::error!(provider = %id, reason, "the provider was started again and does not answer");
                health.note(context, id, Verdict::Unwell(reason.clone()));
            }
        }
        let checks = async {
            let options = &context.options;
            let begin = Instant::now() + options.first_health_check;
            // A question is over before the next: the interval is longer than a request may take, or waits.
            let mut ticks = interval_at(begin, options.health_interval.max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let verdict = health::ask(context, id, context.rpc.default_deadline()).await;
                health.note(context, id, verdict);
            }
        };
        tokio::select! {
            () = checks => {}
            () = links::deliver(context, id, &key, self.known.clone(), told, by_id) => {}
        }
        // Neither of the two ends.
        std::future::pending().await
    }

    /// Waits until the provider answers, no longer than the start deadline. That somebody listens is not enough: who
    /// looks on at the whole lattice listens as well.
    async fn ready(&self) -> Result<Verdict, String> {
        let deadline = Instant::now() + self.context.options.start_deadline;
        let (mut pause, mut patience) = (ASK_AGAIN, PATIENCE);
        loop {
            let longest = self.context.rpc.default_deadline();
            let ask_until = longest.min(Instant::now() + patience);
            let reason = match health::ask(&self.context, &self.id, ask_until).await {
                Verdict::Absent => "nobody listens to its health checks".to_owned(),
                Verdict::Silent(reason) | Verdict::Unknown(reason) => reason,
                verdict => return Ok(verdict),
            };
            if Instant::now() + pause >= deadline {
                return Err(reason);
            }
            sleep(pause).await;
            pause = (pause * 2).min(ASK_AGAIN_LONGEST);
            patience = patience.saturating_mul(2);
        }
    }
}
