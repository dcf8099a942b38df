//! The life of a provider process on the lattice, from its connection to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wasmcloud_lattice::rpc::{Rpc, RpcOptions};
use wasmcloud_lattice::{CallError, ConnectError, Connection, Subject};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::provider::HostData;
use wasmcloud_wire::rpc::InvalidSubject;
use wasmcloud_wire::subject::{ProviderOperation, ProviderSubject};

use crate::changes::{Changes, Subscriptions};
use crate::functions::Functions;
use crate::links::LinkTable;
use crate::provider::{Options, Provider, Start};
use crate::sdk::{Sdk, Shared};
use crate::settings::{InvalidHostData, Settings};
use crate::state::{Phase, State, limited};
use crate::{questions, serving};

/// How soon a host that asks this process to stop gets its answer. A host of v1 waits for 300 ms and kills the process
/// when it has the answer (wire reference §2.5); what ends within this time has ended before.
const ANSWER: Duration = Duration::from_millis(200);

/// Why a provider did not run, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The host data makes no sense.
    #[error(transparent)]
    HostData(#[from] InvalidHostData),
    /// A function has a name that cannot be.
    #[error("a function of the provider has a name that cannot travel")]
    Function(#[from] InvalidSubject),
    /// There is no lattice to be on.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The lattice went away while the provider started.
    #[error("begin to listen on the lattice")]
    Subscribe(#[from] CallError),
    /// [`Provider::init`] failed.
    #[error("start the provider: {0}")]
    Init(String),
    /// The connection was closed, and not by us.
    #[error("the connection to the lattice ended")]
    Closed,
}

/// Why a process stops.
enum Cause {
    /// The host asks; where its answer goes.
    Host(Option<Subject>),
    /// A signal, or the provider itself.
    Other,
}

/// Runs a provider with host data at hand, until it is asked to stop by its host, by itself, or by `stop`.
///
/// [`run`](crate::run) does this for a process that a host has started. Alone it is of use to tests that have the
/// provider in their own process.
pub async fn run_with<P: Provider>(
    data: HostData,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), SessionError> {
    let options = P::options();
    let functions = P::functions(Functions::new()).into_list()?;
    let mut settings = Settings::read(data, options.start_time)?;
    let connection = Connection::connect(&settings.nats).await?;
    let rpc = Rpc::start(connection.clone(), RpcOptions::new(settings.host.as_str())).await?;
    let state = Arc::new(State::<P>::new(sdk(&settings, rpc), options));

    let subscribe = |operation| {
        let subject = ProviderSubject {
            lattice: settings.lattice.clone(),
            provider: settings.provider.clone().into(),
            operation,
        };
        let connection = connection.clone();
        async move { connection.subscribe(&subject.to_string()).await }
    };
    let health = subscribe(ProviderOperation::Health).await?;
    let shutdown = subscribe(ProviderOperation::Shutdown).await?;
    let changes = Subscriptions::new(&connection, &settings).await?;
    barrier(&state).await?;
    let (sender, asked) = oneshot::channel();
    let _tasks = [
        Task::spawn(questions::health(Arc::clone(&state), health)),
        Task::spawn(questions::shutdown(Arc::clone(&state), shutdown, sender)),
    ];

    let live = async {
        let start = Start {
            sdk: state.sdk.clone(),
            config: settings.config.clone(),
            secrets: std::mem::take(&mut settings.secrets),
        };
        let provider = limited(state.options.start_time, P::init(start)).await;
        let provider = Arc::new(provider.map_err(|error| SessionError::Init(chain(&error)))?);
        state.provider.get_or_init(|| Arc::clone(&provider));
        let worker = Changes {
            state: Arc::clone(&state),
            provider: Arc::clone(&provider),
            keys: settings.keys.take(),
            config: std::mem::take(&mut settings.config),
        };
        worker.begin_with(std::mem::take(&mut settings.links)).await;
        serving::begin(&state, &provider, functions).await?;
        barrier(&state).await?;
        state.enter(Phase::Ready);
        info!(provider = %state.sdk.provider_id(), host = %state.sdk.host_id(), "the provider is ready");
        worker.run(changes).await;
        Err(SessionError::Closed)
    };
    let own = state.sdk.0.stop.clone();
    let stopped = tokio::select! {
        failed = live => failed,
        Ok(reply) = asked => Ok(Cause::Host(reply)),
        () = own.cancelled() => Ok(Cause::Other),
        () = stop => Ok(Cause::Other),
    };
    let (cause, outcome) = match stopped {
        Ok(cause) => (cause, Ok(())),
        Err(error) => (Cause::Other, Err(error)),
    };
    wind_down(&state, cause).await;
    outcome
}

fn sdk(settings: &Settings, rpc: Rpc) -> Sdk {
    Sdk(Arc::new(Shared {
        provider: settings.provider.clone(),
        host: settings.host.clone(),
        lattice: settings.lattice.clone(),
        instance: settings.instance.clone(),
        rpc,
        links: LinkTable::default(),
        timeout: settings.timeout,
        stop: CancellationToken::new(),
    }))
}

/// Waits until the server knows all subscriptions.
async fn barrier<P: Provider>(state: &State<P>) -> Result<(), CallError> {
    let deadline = Instant::now() + state.options.start_time;
    state.sdk.connection().barrier(deadline).await
}

/// Takes no more calls, lets those under way end, and answers the host when that is done or it cannot wait longer.
async fn wind_down<P: Provider>(state: &State<P>, cause: Cause) {
    let Options { drain_time, .. } = state.options;
    let deadline = Instant::now() + drain_time;
    state.enter(Phase::Stopping);
    state.drain.cancel();
    state.calls.close();
    let connection = state.sdk.connection();
    let finish = async {
        // A part of the time is for the provider itself.
        let calls = Instant::now() + drain_time * 3 / 4;
        if timeout_at(calls, state.calls.wait()).await.is_err() {
            warn!(
                calls = state.calls.len(),
                "calls under way are given up, the time is over"
            );
        }
        if let Some(provider) = state.provider.get() {
            let ended = async {
                provider.shutdown().await;
                Ok(())
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if let Err(error) = limited(left, ended).await {
                warn!(error = chain(&error), "the provider did not shut down properly");
            }
        }
    };
    match cause {
        Cause::Host(Some(reply)) => {
            tokio::pin!(finish);
            let finished = timeout(ANSWER, &mut finish).await.is_ok();
            questions::stopping(connection, &reply).await;
            if !finished {
                finish.await;
            }
        }
        _ => finish.await,
    }
    // What was answered is still on its way.
    connection.close(deadline.max(Instant::now() + CLOSE)).await;
    info!("the provider has stopped");
}

/// Time for the last messages to leave, in any case.
const CLOSE: Duration = Duration::from_millis(500);

/// A task that ends with whoever holds this.
struct Task(AbortHandle);

impl Task {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
