//! Which trace work belongs to, as W3C Trace Context has it, and the spans that are told of it.
//!
//! A trace is taken from `traceparent`, stands in the log as `trace.id`, and goes on to the processes that generate and check. Spans are
//! told where `traces.endpoint` is set (`trace_export.rs`); elsewhere a [`Span`] is three numbers, and vendors of models and webhooks hear
//! nothing of the trace. A span holds what the program calls things, numbers and times: whoever sets an attribute sees to that.

use std::{borrow::Cow, sync::OnceLock};

use futures_util::future::Either;
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{
        Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
        TraceId, TraceState, Tracer,
    },
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, Span as Recorded};

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// A place in a trace: what is done there is a child of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    /// Whether somebody keeps the trace; what later versions add is not handed on.
    sampled: bool,
    /// Another process has begun it.
    remote: bool,
}

impl TraceContext {
    /// Of a `traceparent`; none if it is not one.
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

    /// A new trace, that nobody keeps. Its id is random in every part, as samplers expect.
    pub fn unkept() -> Self {
        let ids = RandomIdGenerator::default();
        TraceContext { trace: ids.new_trace_id(), span: ids.new_span_id(), sampled: false, remote: false }
    }

    /// Another place in the same trace.
    fn next(self) -> Self {
        TraceContext { span: RandomIdGenerator::default().new_span_id(), remote: false, ..self }
    }

    fn of(context: &SpanContext) -> Self {
        let (trace, span) = (context.trace_id(), context.span_id());
        TraceContext { trace, span, sampled: context.is_sampled(), remote: context.is_remote() }
    }

    fn to_library(self) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(self.sampled);
        SpanContext::new(self.trace, self.span, flags, self.remote, TraceState::NONE)
    }

    /// 32 hexadecimal digits.
    pub fn id(&self) -> String {
        self.trace.to_string()
    }

    /// Whether both are places in one trace.
    pub fn is_with(&self, other: &TraceContext) -> bool {
        self.trace == other.trace
    }

    /// The `traceparent` of what is done as a child of this.
    pub fn header(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// Tells spans from now on. The first one stays.
pub(crate) fn install(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// Carries `work` out as a part of the trace. Not an `async fn`, which would hold the work twice: many of them are within each other.
pub fn within<T>(trace: TraceContext, work: impl Future<Output = T>) -> impl Future<Output = T> {
    CURRENT.scope(trace, work)
}

/// Carries `work` out as a part of what is being done now, in another task.
pub fn go_on<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    within_if(current(), work)
}

fn within_if<T>(trace: Option<TraceContext>, work: impl Future<Output = T>) -> impl Future<Output = T> {
    match trace {
        Some(trace) => Either::Left(within(trace, work)),
        None => Either::Right(work),
    }
}

/// The trace of what is being done; none in work that goes on beside it.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|trace| *trace).ok()
}

/// The trace of what is being done, if it is told: for those who keep it, and for vendors and webhooks.
pub fn recorded() -> Option<TraceContext> {
    current().filter(|trace| trace.sampled && TRACER.get().is_some())
}

/// Whom a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody asks us.
    Server,
    /// We ask somebody.
    Client,
    /// Work that was asked for earlier.
    Later,
    /// What happens within this process.
    Inside,
}

/// Something that is being done; it is over when this is dropped.
#[derive(Debug)]
pub struct Span {
    /// None for what belongs to no trace.
    context: Option<TraceContext>,
    /// None where nobody is told.
    recorded: Option<Recorded>,
}

impl Span {
    /// Something that begins here, or goes on from what another process says. The name is made where it is told.
    pub fn begin(kind: Kind, parent: Option<TraceContext>, name: impl FnOnce() -> String) -> Span {
        Span::start(kind, parent, None, || Cow::Owned(name()))
    }

    /// Something that begins here because of something else, which may be long over: a trace of its own, with a link.
    pub fn follow(because: Option<TraceContext>, name: impl FnOnce() -> String) -> Span {
        Span::start(Kind::Later, None, because, || Cow::Owned(name()))
    }

    /// A part of what is being done. What belongs to no trace begins none.
    pub fn part(kind: Kind, name: &'static str) -> Span {
        match current() {
            Some(parent) => Span::start(kind, Some(parent), None, || Cow::Borrowed(name)),
            None => Span { context: None, recorded: None },
        }
    }

    /// What is not told, whatever comes of it: a probe of a monitor.
    pub fn unrecorded(parent: Option<TraceContext>) -> Span {
        Span { context: Some(parent.map_or_else(TraceContext::unkept, TraceContext::next)), recorded: None }
    }

    fn start(
        kind: Kind,
        parent: Option<TraceContext>,
        because: Option<TraceContext>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Span {
        let Some(tracer) = TRACER.get() else { return Span::unrecorded(parent) };
        let mut builder = SpanBuilder::from_name(name()).with_kind(match kind {
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Later => SpanKind::Consumer,
            Kind::Inside => SpanKind::Internal,
        });
        if let Some(because) = because {
            builder = builder.with_links(vec![Link::with_context(because.to_library())]);
        }
        let within = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent.to_library()),
            None => Context::new(),
        };
        let span = tracer.build_with_context(builder, &within);
        if !span.span_context().is_valid() {
            // The process is ending, and the last spans are on their way.
            return Span::unrecorded(parent);
        }
        let context = TraceContext::of(span.span_context());
        Span { context: Some(context), recorded: span.is_recording().then_some(span) }
    }

    /// Its place in the trace.
    pub fn context(&self) -> Option<TraceContext> {
        self.context
    }

    /// Whether it is told: what costs something to find out need not be found out for a span that is not.
    pub fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Another name, where the first was made before enough was known.
    pub fn rename(&mut self, name: impl FnOnce() -> String) {
        if let Some(span) = &mut self.recorded {
            span.update_name(name());
        }
    }

    /// Says something of it, by the names of the semantic conventions where they have one.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// It failed; `why` is a word of ours, or a number.
    pub fn fail(&mut self, why: impl Into<Value>) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new("error.type", why));
            span.set_status(Status::error(""));
        }
    }

    /// Carries out what it is about.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        within_if(self.context, work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: Option<&str>) {
        let id = TraceContext::parse(header).as_ref().map(TraceContext::id);
        assert_eq!(id.as_deref(), expected, "{header}");
    }

    #[test]
    fn only_what_the_standard_allows_is_a_trace() {
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
    async fn what_is_handed_on_is_the_same_trace() {
        for parent in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        ] {
            let trace = TraceContext::parse(parent).expect("a trace");
            assert_eq!(trace.header(), parent);
            // Nobody is told of spans here; each has a place of its own all the same.
            let handed_on = Span::begin(Kind::Server, Some(trace), String::new)
                .around(async { Span::part(Kind::Client, "call").context().expect("a place").header() })
                .await;
            assert_ne!(handed_on, parent);
            assert_eq!(&handed_on[..36], &parent[..36]);
            assert_eq!(&handed_on[52..], &parent[52..]);
        }
    }

    #[tokio::test]
    async fn what_belongs_to_no_trace_begins_none() {
        assert_eq!(Span::part(Kind::Client, "call").context(), None);
        assert_eq!(Span::part(Kind::Client, "call").around(async { current() }).await, None);
    }
}
