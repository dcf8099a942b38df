//! The same families as an OTLP message.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::metrics::{Collection, Distribution, Family, Kind, Sample, Value};

/// Makes the message. Counters count from `begun`, when this process started to.
pub(crate) fn request(
    collection: &Collection,
    resource: &Resource,
    begun: SystemTime,
) -> ExportMetricsServiceRequest {
    let times = (nanos(begun), nanos(collection.at));
    let metrics = collection
        .families
        .iter()
        .map(|family| convert(family, times))
        .collect();
    let scope = InstrumentationScope {
        name: "wasmcloud".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource.clone()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn convert(family: &Family, times: (u64, u64)) -> Metric {
    let name = family.definition.name;
    let temporality = AggregationTemporality::Cumulative as i32;
    let data = match family.definition.kind {
        Kind::Counter => metric::Data::Sum(Sum {
            data_points: numbers(family, times),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        Kind::Gauge => metric::Data::Gauge(Gauge {
            data_points: numbers(family, times),
        }),
        Kind::Histogram => metric::Data::Histogram(Histogram {
            data_points: distributions(family, times),
            aggregation_temporality: temporality,
        }),
    };
    Metric {
        // OTLP has counters without the suffix; whoever turns it into Prometheus adds it again.
        name: name.strip_suffix("_total").unwrap_or(name).to_owned(),
        description: family.definition.help.to_owned(),
        unit: unit(name).to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

/// The unit in UCUM, as OpenTelemetry wants it.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    if name.ends_with("_seconds") {
        "s"
    } else if name.ends_with("_bytes") {
        "By"
    } else {
        "1"
    }
}

fn numbers(family: &Family, (begun, now): (u64, u64)) -> Vec<NumberDataPoint> {
    let points = family.samples.iter().filter_map(|sample| match &sample.value {
        Value::Number(value) => Some(NumberDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: begun,
            time_unix_nano: now,
            value: Some(number_data_point::Value::AsDouble(*value)),
            ..NumberDataPoint::default()
        }),
        Value::Distribution(_) => None,
    });
    points.collect()
}

fn distributions(family: &Family, (begun, now): (u64, u64)) -> Vec<HistogramDataPoint> {
    let points = family.samples.iter().filter_map(|sample| match &sample.value {
        Value::Distribution(Distribution { buckets, sum }) => Some(HistogramDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: begun,
            time_unix_nano: now,
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: Some(*sum),
            bucket_counts: buckets.iter().map(|(_, count)| *count).collect(),
            explicit_bounds: buckets
                .iter()
                .map(|(bound, _)| *bound)
                .filter(|bound| bound.is_finite())
                .collect(),
            ..HistogramDataPoint::default()
        }),
        Value::Number(_) => None,
    });
    points.collect()
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    let pairs = sample.labels.iter().map(|(name, value)| KeyValue {
        key: (*name).to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.clone())),
        }),
        ..KeyValue::default()
    });
    pairs.collect()
}
