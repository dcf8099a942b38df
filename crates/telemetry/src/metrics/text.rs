//! The text format of Prometheus, version 0.0.4 ("Exposition formats").

use std::fmt::Write as _;

use crate::metrics::{Collection, Definition, Kind, Sample, Value};

/// What `GET /metrics` answers with.
pub(super) fn write(collection: &Collection) -> String {
    let mut text = String::with_capacity(16 << 10);
    for family in &collection.families {
        let Definition { name, help, kind } = family.definition;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for sample in &family.samples {
            add(&mut text, name, sample);
        }
    }
    text
}

fn add(text: &mut String, name: &str, sample: &Sample) {
    match &sample.value {
        Value::Number(value) => line(text, name, "", sample, None, *value),
        Value::Distribution(seen) => {
            let mut below = 0;
            for (bound, count) in &seen.buckets {
                below += count;
                if bound.is_finite() {
                    line(text, name, "_bucket", sample, Some(*bound), below as f64);
                }
            }
            line(text, name, "_bucket", sample, Some(f64::INFINITY), below as f64);
            line(text, name, "_sum", sample, None, seen.sum);
            line(text, name, "_count", sample, None, below as f64);
        }
    }
}

fn line(text: &mut String, name: &str, suffix: &str, sample: &Sample, bound: Option<f64>, value: f64) {
    text.extend([name, suffix]);
    let mut separator = '{';
    for (label, value) in &sample.labels {
        text.push(separator);
        separator = ',';
        text.extend([*label, "=\""]);
        value.chars().for_each(|c| match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        });
        text.push('"');
    }
    if let Some(bound) = bound {
        text.push(separator);
        separator = ',';
        let _ = match bound.is_finite() {
            true => write!(text, "le=\"{bound}\""),
            false => write!(text, "le=\"+Inf\""),
        };
    }
    if separator == ',' {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

#[cfg(test)]
mod tests {
    use crate::metrics::{Definition, Distribution, Kind, Metrics};

    #[test]
    fn the_text_is_what_prometheus_reads() {
        static CALLS: Definition = Definition {
            name: "calls_total",
            help: "Calls",
            kind: Kind::Counter,
        };
        static TIME: Definition = Definition {
            name: "time_seconds",
            help: "Time",
            kind: Kind::Histogram,
        };
        static NONE: Definition = Definition {
            name: "none",
            help: "Never seen",
            kind: Kind::Gauge,
        };
        let metrics = Metrics::default();
        metrics.register(|out| {
            let seen = Distribution {
                buckets: vec![(0.00005, 2), (1.0, 0), (f64::INFINITY, 1)],
                sum: 3.25,
            };
            out.family(&TIME).distribution(&[("component", "a")], seen);
            out.family(&NONE);
            out.family(&CALLS)
                .count(&[("name", "with \"quotes\", \\ and\nlines")], 12_345_678_901)
                .count(&[], 0);
        });
        let expected = r#"# HELP calls_total Calls
# TYPE calls_total counter
calls_total{name="with \"quotes\", \\ and\nlines"} 12345678901
calls_total 0
# HELP time_seconds Time
# TYPE time_seconds histogram
time_seconds_bucket{component="a",le="0.00005"} 2
time_seconds_bucket{component="a",le="1"} 2
time_seconds_bucket{component="a",le="+Inf"} 3
time_seconds_sum{component="a"} 3.25
time_seconds_count{component="a"} 3
"#;
        assert_eq!(metrics.text(), expected);
    }
}
