//! Pushing to an OTLP receiver, on a thread of its own.
//!
//! The SDK makes batches of spans and log lines, within its bounded queues and on its own threads; metrics are pushed
//! at an interval. Each batch is one request, made here. A receiver that is away, slow or refuses costs what it would
//! have got, a log line when that begins and one when it ends: nothing is kept for later, nothing waits for it.

mod channel;
mod exporters;
mod trust;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc as queue, oneshot};

use crate::metrics::otlp::request;
use crate::metrics::{Collection, Definition, Kind, Metrics};
use crate::options::{OtlpOptions, TelemetryOptions};
use crate::otlp::channel::{Channel, Client};
use crate::otlp::exporters::{Logs, Spans};
use crate::signal::Signal;
use crate::{TelemetryError, TlsError};

/// Name of the service where neither variable names one (wire reference §9).
const SERVICE: &str = "wasmcloud-host";

static EXPORTS: Definition = Definition {
    name: "wasmcloud_otlp_exports_total",
    help: "Batches for the OTLP receiver by signal and outcome (ok, failed); what failed is lost",
    kind: Kind::Counter,
};

/// Everything that pushes. [`Otlp::shutdown`] sends what waits; dropping it does not.
pub(crate) struct Otlp {
    pub(crate) traces: Option<SdkTracerProvider>,
    pub(crate) logs: Option<SdkLoggerProvider>,
    metrics: Option<queue::Sender<oneshot::Sender<()>>>,
    runtime: Handle,
    _stop: oneshot::Sender<()>,
    _thread: JoinHandle<()>,
}

impl Otlp {
    /// Prepares to push what the options ask for; `None` if that is nothing. No connection is made before there is
    /// something to send.
    pub(crate) fn start(
        options: &TelemetryOptions,
        metrics: &Metrics,
    ) -> Result<Option<Self>, TelemetryError> {
        let otlp = &options.otlp;
        if !otlp.any() {
            return Ok(None);
        }
        let destinations = Signal::ALL
            .into_iter()
            .map(|signal| Ok((signal, otlp.destination(signal)?)))
            .collect::<Result<Vec<_>, TelemetryError>>()?;
        let secure = destinations
            .iter()
            .any(|(_, uri)| uri.as_ref().and_then(http::Uri::scheme) == Some(&http::uri::Scheme::HTTPS));
        let client = client(otlp, secure)?;
        let (runtime, stop, thread) = spawn().map_err(TelemetryError::Thread)?;
        let resource = resource(&options.resource);

        let mut channels = Vec::new();
        let mut channel = |wanted: Signal| {
            let (_, uri) = destinations.iter().find(|(signal, _)| *signal == wanted)?;
            let channel = Arc::new(Channel::new(
                wanted,
                uri.clone()?,
                otlp,
                client.clone(),
                runtime.clone(),
            ));
            channels.push(Arc::clone(&channel));
            Some(channel)
        };
        let shared = || ResourceAttributesWithSchema::from(&resource);
        let traces = channel(Signal::Traces).map(|channel| {
            SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_batch_exporter(Spans::new(channel, shared()))
                .build()
        });
        let logs = channel(Signal::Logs).map(|channel| {
            SdkLoggerProvider::builder()
                .with_resource(resource.clone())
                .with_batch_exporter(Logs::new(channel, shared()))
                .build()
        });
        let pushed = channel(Signal::Metrics).map(|channel| {
            let (ask, asked) = queue::channel(1);
            let push = Push {
                channel,
                metrics: metrics.clone(),
                resource: (&resource).into(),
                begun: SystemTime::now(),
                interval: otlp.metric_interval,
            };
            runtime.spawn(push.run(asked));
            ask
        });
        metrics.register(move |out| count(&channels, out));
        Ok(Some(Self {
            traces,
            logs,
            metrics: pushed,
            runtime,
            _stop: stop,
            _thread: thread,
        }))
    }

    /// Sends what waits and stops, all signals at once and within `limit`. Whether all of it was sent is not said: the
    /// receiver may be away, which was logged.
    pub(crate) fn shutdown(self, limit: Duration) {
        let (done, all) = mpsc::channel::<()>();
        let Self { traces, logs, .. } = &self;
        if let Some(traces) = traces.clone() {
            let done = done.clone();
            self.runtime.spawn_blocking(move || {
                let _ = traces.shutdown_with_timeout(limit);
                drop(done);
            });
        }
        if let Some(logs) = logs.clone() {
            let done = done.clone();
            self.runtime.spawn_blocking(move || {
                let _ = logs.shutdown_with_timeout(limit);
                drop(done);
            });
        }
        if let Some(metrics) = &self.metrics {
            let (flushed, was) = oneshot::channel();
            if metrics.try_send(flushed).is_ok() {
                let done = done.clone();
                self.runtime.spawn(async move {
                    let _ = was.await;
                    drop(done);
                });
            }
        }
        drop(done);
        // Nobody sends: it ends when all others are done, or at the limit.
        let _ = all.recv_timeout(limit);
    }
}

/// A runtime on a thread of its own: it goes on sending whatever guests do to the others. It ends when the sender is
/// dropped.
fn spawn() -> std::io::Result<(Handle, oneshot::Sender<()>, JoinHandle<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("otlp".to_owned())
        .spawn(move || {
            let _ = runtime.block_on(stopped);
            // What is still on its way had its time.
            runtime.shutdown_background();
        })?;
    Ok((handle, stop, thread))
}

fn client(options: &OtlpOptions, secure: bool) -> Result<Client, TlsError> {
    let roots = match secure || !options.ca_files.is_empty() {
        true => trust::roots(&options.ca_files)?,
        // Reading the roots of the system takes longer than the rest of a host's start, and nobody asks them.
        false => rustls::RootCertStore::empty(),
    };
    channel::client(options.protocol, roots)
}

/// Who speaks. What the environment says goes over what we say.
fn resource(attributes: &[(String, String)]) -> Resource {
    use opentelemetry_sdk::resource::EnvResourceDetector;
    let ours = attributes
        .iter()
        .map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut builder = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", SERVICE),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("host.name", node),
            KeyValue::new("host.arch", std::env::consts::ARCH),
            KeyValue::new("os.type", std::env::consts::OS),
        ])
        .with_attributes(ours)
        .with_detector(Box::new(EnvResourceDetector::new()));
    // The one variable that the detector leaves to others.
    if let Some(name) = std::env::var("OTEL_SERVICE_NAME")
        .ok()
        .filter(|name| !name.is_empty())
    {
        builder = builder.with_service_name(name);
    }
    builder.build()
}

fn count(channels: &[Arc<Channel>], out: &mut Collection) {
    let family = out.family(&EXPORTS);
    for channel in channels {
        let (sent, failed) = channel.counts();
        let signal = channel.signal().as_str();
        family.count(&[("signal", signal), ("outcome", "ok")], sent);
        family.count(&[("signal", signal), ("outcome", "failed")], failed);
    }
}

/// Pushes metrics at an interval, and once more when it is asked to.
struct Push {
    channel: Arc<Channel>,
    metrics: Metrics,
    resource: opentelemetry_proto::tonic::resource::v1::Resource,
    begun: SystemTime,
    interval: Duration,
}

impl Push {
    async fn run(self, mut asked: queue::Receiver<oneshot::Sender<()>>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.interval) => self.once().await,
                flush = asked.recv() => {
                    self.once().await;
                    drop(flush);
                    return;
                }
            }
        }
    }

    async fn once(&self) {
        let message = request(&self.metrics.collect(), &self.resource, self.begun);
        // Failures are logged and counted by the channel.
        let _ = self.channel.send(Bytes::from(message.encode_to_vec())).await;
    }
}
