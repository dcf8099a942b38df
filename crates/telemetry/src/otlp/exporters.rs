//! What the SDK hands its batches to.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message as _;

use crate::otlp::channel::{Channel, SendError};

/// Sends spans.
pub(super) struct Spans(Sink);

/// Sends log lines.
pub(super) struct Logs(Sink);

struct Sink {
    channel: Arc<Channel>,
    resource: ResourceAttributesWithSchema,
}

impl Spans {
    pub(super) fn new(channel: Arc<Channel>, resource: ResourceAttributesWithSchema) -> Self {
        Self(Sink { channel, resource })
    }
}

impl Logs {
    pub(super) fn new(channel: Arc<Channel>, resource: ResourceAttributesWithSchema) -> Self {
        Self(Sink { channel, resource })
    }
}

impl Sink {
    async fn send(&self, message: Vec<u8>) -> OTelSdkResult {
        let sent = self.channel.send(Bytes::from(message)).await;
        sent.map_err(|error: SendError| OTelSdkError::InternalFailure(error.to_string()))
    }
}

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let request = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(batch, &self.0.resource),
        };
        self.0.send(request.encode_to_vec()).await
    }
}

impl LogExporter for Logs {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let request = ExportLogsServiceRequest {
            resource_logs: group_logs_by_resource_and_scope(&batch, &self.0.resource),
        };
        self.0.send(request.encode_to_vec()).await
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spans").field(&self.0.channel).finish()
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Logs").field(&self.0.channel).finish()
    }
}
