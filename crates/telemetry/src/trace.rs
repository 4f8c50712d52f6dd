//! The current trace, propagated as in W3C Trace Context, and the spans of this process.
//!
//! A trace is read from `traceparent`, logged as `trace.id`, and propagated to the processes that generate and check.
//! Spans are exported if `traces.endpoint` is set (`trace_export.rs`); otherwise a [`Span`] only holds its context,
//! and the trace is not propagated to model providers and webhooks. Attributes are constants, numbers and times,
//! never user content.

use std::{borrow::Cow, sync::OnceLock};

use futures_util::future::Either;
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{
        Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
        TraceId, TraceState, Tracer,
    },
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, Span as SdkSpan};

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// The ids of a span, which may be the parent of other spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    /// The only flag that is propagated.
    sampled: bool,
    /// Whether the span belongs to another process.
    remote: bool,
}

impl TraceContext {
    /// Parses a `traceparent` header; `None` if it is not valid.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        // The first version has four parts, later ones may have more.
        let known = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        if !(known && hex(trace, 32) && hex(span, 16) && hex(flags, 2)) {
            return None;
        }
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let fits = trace != TraceId::INVALID && span != SpanId::INVALID;
        let sampled = u8::from_str_radix(flags, 16).unwrap_or(0) & 1 == 1;
        fits.then_some(TraceContext { trace, span, sampled, remote: true })
    }

    /// A new trace that is not sampled. All bytes of its id are random, as samplers require.
    pub fn unsampled() -> Self {
        let ids = RandomIdGenerator::default();
        TraceContext { trace: ids.new_trace_id(), span: ids.new_span_id(), sampled: false, remote: false }
    }

    /// A new span id in the same trace.
    fn next(self) -> Self {
        TraceContext { span: RandomIdGenerator::default().new_span_id(), remote: false, ..self }
    }

    fn from_otel(context: &SpanContext) -> Self {
        let (trace, span) = (context.trace_id(), context.span_id());
        TraceContext { trace, span, sampled: context.is_sampled(), remote: context.is_remote() }
    }

    fn to_otel(self) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(self.sampled);
        SpanContext::new(self.trace, self.span, flags, self.remote, TraceState::NONE)
    }

    /// 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        self.trace.to_string()
    }

    pub fn same_trace(&self, other: &TraceContext) -> bool {
        self.trace == other.trace
    }

    /// The `traceparent` header for children of this span.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// Sets the global tracer. Later calls have no effect.
pub(crate) fn install(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// Runs `work` in the trace. Not an `async fn`, which would store the future twice, and these futures are nested.
pub fn in_trace<T>(trace: TraceContext, work: impl Future<Output = T>) -> impl Future<Output = T> {
    CURRENT.scope(trace, work)
}

/// Runs `work` in the current trace when another task polls it.
pub fn in_current_trace<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    in_optional_trace(current(), work)
}

fn in_optional_trace<T>(
    trace: Option<TraceContext>,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    match trace {
        Some(trace) => Either::Left(in_trace(trace, work)),
        None => Either::Right(work),
    }
}

/// The current trace; `None` in background tasks.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|trace| *trace).ok()
}

/// The current trace, if its spans are exported: to store it, or to propagate it to model providers and webhooks.
pub fn exported() -> Option<TraceContext> {
    current().filter(|trace| trace.sampled && TRACER.get().is_some())
}

/// The kind of a span, as in OpenTelemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request to this process.
    Server,
    /// A request to another process.
    Client,
    /// A background job.
    Consumer,
    /// Work within this process.
    Internal,
}

/// A span; it ends when it is dropped.
#[derive(Debug)]
pub struct Span {
    /// `None` outside a trace.
    context: Option<TraceContext>,
    /// `None` if the span is not exported.
    recorded: Option<SdkSpan>,
}

impl Span {
    /// A child of `parent`, or the root of a new trace. `name` is only called if the span is exported.
    pub fn with_parent(kind: Kind, parent: Option<TraceContext>, name: impl FnOnce() -> String) -> Span {
        Span::start(kind, parent, None, || Cow::Owned(name()))
    }

    /// The root of a new trace, linked to the span that caused it, which may have ended long ago.
    pub fn linked(cause: Option<TraceContext>, name: impl FnOnce() -> String) -> Span {
        Span::start(Kind::Consumer, None, cause, || Cow::Owned(name()))
    }

    /// A child of the current span. Outside a trace it does not start one.
    pub fn child(kind: Kind, name: &'static str) -> Span {
        match current() {
            Some(parent) => Span::start(kind, Some(parent), None, || Cow::Borrowed(name)),
            None => Span { context: None, recorded: None },
        }
    }

    /// A span that is never exported, for example of a health probe.
    pub fn unrecorded(parent: Option<TraceContext>) -> Span {
        Span {
            context: Some(parent.map_or_else(TraceContext::unsampled, TraceContext::next)),
            recorded: None,
        }
    }

    fn start(
        kind: Kind,
        parent: Option<TraceContext>,
        cause: Option<TraceContext>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Span {
        let Some(tracer) = TRACER.get() else { return Span::unrecorded(parent) };
        let mut builder = SpanBuilder::from_name(name()).with_kind(match kind {
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Internal => SpanKind::Internal,
        });
        if let Some(cause) = cause {
            builder = builder.with_links(vec![Link::with_context(cause.to_otel())]);
        }
        let within = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent.to_otel()),
            None => Context::new(),
        };
        let span = tracer.build_with_context(builder, &within);
        if !span.span_context().is_valid() {
            // The tracer is already shut down.
            return Span::unrecorded(parent);
        }
        let context = TraceContext::from_otel(span.span_context());
        Span { context: Some(context), recorded: span.is_recording().then_some(span) }
    }

    pub fn context(&self) -> Option<TraceContext> {
        self.context
    }

    /// Whether the span is exported. Skip attributes that are expensive to compute if it is not.
    pub fn is_recording(&self) -> bool {
        self.recorded.is_some()
    }

    /// Replaces the name, for example when the route is known.
    pub fn rename(&mut self, name: impl FnOnce() -> String) {
        if let Some(span) = &mut self.recorded {
            span.update_name(name());
        }
    }

    /// Sets an attribute, named as in the semantic conventions of OpenTelemetry where they define it.
    pub fn set_attribute(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// Marks the span as failed. `error_type` is a constant or a number.
    pub fn set_error(&mut self, error_type: impl Into<Value>) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new("error.type", error_type));
            span.set_status(Status::error(""));
        }
    }

    /// Runs `work` with this span as the current one.
    pub fn in_scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        in_optional_trace(self.context, work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: Option<&str>) {
        let id = TraceContext::parse(header).as_ref().map(TraceContext::trace_id);
        assert_eq!(id.as_deref(), expected, "{header}");
    }

    #[test]
    fn traceparent_is_parsed_as_in_w3c_trace_context() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(id));
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later", Some(id));
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None);
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None);
        check("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", None);
        check("", None);
    }

    #[tokio::test]
    async fn child_span_keeps_the_trace_id_and_the_flags() {
        for parent in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        ] {
            let trace = TraceContext::parse(parent).expect("a trace");
            assert_eq!(trace.traceparent(), parent);
            // No tracer is installed here; each span still has an id of its own.
            let propagated = Span::with_parent(Kind::Server, Some(trace), String::new)
                .in_scope(async {
                    Span::child(Kind::Client, "call").context().expect("a context").traceparent()
                })
                .await;
            assert_ne!(propagated, parent);
            assert_eq!(&propagated[..36], &parent[..36]);
            assert_eq!(&propagated[52..], &parent[52..]);
        }
    }

    #[tokio::test]
    async fn child_span_outside_a_trace_starts_no_trace() {
        assert_eq!(Span::child(Kind::Client, "call").context(), None);
        assert_eq!(Span::child(Kind::Client, "call").in_scope(async { current() }).await, None);
    }
}
