//! W3C trace context: from headers of a request or message into a span, and from a span into headers.
//!
//! Nothing here knows which headers these are; HTTP and NATS have the same two names. With tracing off there are no
//! spans, nothing is read and nothing is written.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Name of the header with the trace id and the parent (W3C Trace Context §3.2).
pub const TRACEPARENT: &str = "traceparent";

/// Name of the header with what vendors add (W3C Trace Context §3.3).
pub const TRACESTATE: &str = "tracestate";

/// Longest `tracestate` that is passed on, in bytes; a longer one is left out. The specification asks for at least
/// this (§3.3.1.5).
const MAX_TRACESTATE: usize = 512;

/// The two headers as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceHeaders {
    /// Version, trace id, span id and flags.
    pub traceparent: String,
    /// What vendors added, if they did.
    pub tracestate: Option<String>,
}

/// Makes a span that has not been entered yet a child of the one that the headers name. Headers that are missing or
/// make no sense change nothing: the span then begins a trace of its own, or has the parent it had.
pub fn set_parent(span: &Span, traceparent: Option<&str>, tracestate: Option<&str>) {
    let (false, Some(traceparent)) = (span.is_disabled(), traceparent) else {
        return;
    };
    let mut carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    if let Some(state) = tracestate.filter(|state| state.len() <= MAX_TRACESTATE) {
        carrier.insert(TRACESTATE.to_owned(), state.to_owned());
    }
    let none = opentelemetry::Context::new();
    let context = TraceContextPropagator::new().extract_with_context(&none, &carrier);
    if is_valid(&context) {
        // Fails for spans that nobody exports, which need no parent.
        let _ = span.set_parent(context);
    }
}

/// The headers that make something else a child of this span; `None` if the span is not exported.
pub fn headers_of(span: &Span) -> Option<TraceHeaders> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    if !is_valid(&context) {
        return None;
    }
    let mut carrier: HashMap<String, String> = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    Some(TraceHeaders {
        traceparent: carrier.remove(TRACEPARENT)?,
        tracestate: carrier.remove(TRACESTATE).filter(|state| !state.is_empty()),
    })
}

/// The headers that make something else a child of the span that is entered now.
pub fn current_headers() -> Option<TraceHeaders> {
    headers_of(&Span::current())
}

fn is_valid(context: &opentelemetry::Context) -> bool {
    use opentelemetry::trace::TraceContextExt as _;
    context.span().span_context().is_valid()
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use proptest::prelude::*;
    use tracing::info_span;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn traced<T>(test: impl FnOnce() -> T) -> T {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), test)
    }

    #[test]
    fn a_trace_goes_in_and_comes_out_under_the_same_id() {
        traced(|| {
            let span = info_span!("in");
            set_parent(&span, Some(PARENT), Some("vendor=1"));
            let out = headers_of(&span).unwrap();
            let parts: Vec<&str> = out.traceparent.split('-').collect();
            assert_eq!(
                (parts[0], parts[1], parts[3]),
                ("00", "0af7651916cd43dd8448eb211c80319c", "01")
            );
            assert_ne!(parts[2], "b7ad6b7169203331", "a span of its own");
            assert_eq!(out.tracestate.as_deref(), Some("vendor=1"));
            let child = span.in_scope(|| {
                assert_eq!(current_headers(), Some(out.clone()));
                info_span!("child")
            });
            assert!(headers_of(&child).unwrap().traceparent.contains(parts[1]));
        });
    }

    #[test]
    fn a_parent_that_is_not_sampled_has_no_sampled_children() {
        traced(|| {
            let span = info_span!("in");
            set_parent(&span, Some(&PARENT.replace("-01", "-00")), None);
            let out = headers_of(&span).unwrap().traceparent;
            assert!(
                out.contains("0af7651916cd43dd8448eb211c80319c") && out.ends_with("-00"),
                "{out}"
            );
        });
    }

    #[test]
    fn without_tracing_there_is_nothing() {
        let span = info_span!("in");
        set_parent(&span, Some(PARENT), None);
        assert_eq!(headers_of(&span), None);
        assert_eq!(current_headers(), None);
    }

    proptest! {
        #[test]
        fn whatever_headers_say_what_comes_out_is_well_formed(parent in ".{0,80}", state in ".{0,80}") {
            traced(|| {
                let span = info_span!("in");
                set_parent(&span, Some(&parent), Some(&state));
                let out = headers_of(&span).unwrap();
                prop_assert_eq!(out.traceparent.len(), PARENT.len());
                prop_assert!(out.traceparent.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()));
                Ok(())
            })?;
        }
    }
}
