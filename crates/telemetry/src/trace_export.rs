//! Export of spans to a collector: OTLP over HTTP, in batches, on a thread of the OpenTelemetry SDK.
//!
//! Requests never wait for the export. At most [`MAX_QUEUE_SPANS`] spans are queued; spans beyond that, and spans
//! that the collector does not accept in time, are dropped and counted. `trace.rs` defines the content of spans.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::{Context, KeyValue, trace::TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    Protocol, RetryPolicy, SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData,
        SpanExporter as ExportSpans, SpanLimits, SpanProcessor,
    },
};
use tokio::runtime::Handle;

use config::Config;

/// A generation has about ten spans.
const MAX_QUEUE_SPANS: usize = 4096;
/// Spans in one request to the collector.
const MAX_BATCH_SPANS: usize = 512;
/// How long a span waits for its batch to fill.
const BATCH_DELAY: Duration = Duration::from_secs(2);
/// Timeout of one batch, including retries.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Larger responses are refused; a collector answers with a few bytes.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// Exports spans until it is shut down or dropped.
#[derive(Debug)]
pub(crate) struct SpanExporter(SdkTracerProvider);

impl SpanExporter {
    /// Must be called within a Tokio runtime. `None` if no endpoint is set.
    pub(crate) fn from_config(config: &Config) -> Result<Option<Self>, String> {
        let Some(url) = config.traces.url() else { return Ok(None) };
        let sampling = config.traces.sampling().ok_or("traces.sampler is not valid")?;
        let headers = config.traces.headers().ok_or("traces.headers is not valid")?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|error| error.to_string())?)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| "the HTTPS client cannot be built".to_owned())?;
        let otlp = OtlpExporter::builder()
            .with_http()
            .with_http_client(RuntimeClient { client, runtime: Handle::current() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url.as_str())
            .with_headers(headers.into_iter().collect())
            .with_timeout(TIMEOUT)
            // Retries cover a restart of the collector; during a longer outage they must not delay the spans that
            // follow.
            .with_retry_policy(RetryPolicy::recommended().with_max_retries(2))
            .build()
            .map_err(|error| error.to_string())?;
        let queued = Arc::new(AtomicUsize::new(0));
        let exporter =
            CountingExporter { inner: otlp, queued: Arc::clone(&queued), failing: AtomicBool::new(false) };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_QUEUE_SPANS)
            .with_max_export_batch_size(MAX_BATCH_SPANS)
            .with_scheduled_delay(BATCH_DELAY)
            .build();
        let inner = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let root = match sampling.ratio {
            ratio if ratio >= 1.0 => Sampler::AlwaysOn,
            ratio if ratio <= 0.0 => Sampler::AlwaysOff,
            ratio => Sampler::TraceIdRatioBased(ratio),
        };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BoundedProcessor { inner, queued })
            .with_span_limits(SpanLimits::default())
            .with_resource(resource(config));
        let provider = match sampling.parent_based {
            true => provider.with_sampler(Sampler::parent_based(root)),
            false => provider.with_sampler(root),
        };
        Ok(Some(SpanExporter(provider.build())))
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.0.tracer("ba-copilot")
    }

    /// Sends the queued spans and stops. Blocks the thread for at most `timeout`.
    pub(crate) fn shutdown(&self, timeout: Duration) {
        if self.0.shutdown_with_timeout(timeout).is_err() {
            tracing::warn!("The last spans were not exported: the collector did not accept them in time");
        }
    }
}

/// The attributes of the process. Without the host name, which may contain the name of a person.
fn resource(config: &Config) -> Resource {
    let version = match config.server.release.as_str() {
        "" => env!("CARGO_PKG_VERSION"),
        release => release,
    };
    let mut common = vec![
        KeyValue::new("service.name", config.traces.service_name.clone()),
        KeyValue::new("service.version", version.to_owned()),
        // Distinguishes the processes of one service.
        KeyValue::new("service.instance.id", uuid::Uuid::now_v7().to_string()),
    ];
    if !config.server.environment.is_empty() {
        common.push(KeyValue::new("deployment.environment.name", config.server.environment.clone()));
    }
    // `builder` would read the environment; only the configuration does that.
    Resource::builder_empty().with_attributes(common).build()
}

/// Drops and counts spans when the queue is full.
#[derive(Debug)]
struct BoundedProcessor {
    inner: BatchSpanProcessor,
    /// Accepted spans that are not exported yet. The queue of the SDK has the same size, so it never drops a span
    /// uncounted.
    queued: Arc<AtomicUsize>,
}

impl SpanProcessor for BoundedProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.queued.fetch_add(1, Ordering::AcqRel) >= MAX_QUEUE_SPANS {
            self.queued.fetch_sub(1, Ordering::AcqRel);
            count(false, 1);
            return;
        }
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts exported and lost spans.
#[derive(Debug)]
struct CountingExporter {
    inner: OtlpExporter,
    queued: Arc<AtomicUsize>,
    /// Whether the last batch was lost.
    failing: AtomicBool,
}

impl ExportSpans for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.queued.fetch_sub(spans, Ordering::AcqRel);
        let sent = self.inner.export(batch).await;
        count(sent.is_ok(), spans);
        match (&sent, self.failing.swap(sent.is_err(), Ordering::AcqRel)) {
            // Errors of the SDK contain no address and nothing of the response.
            (Err(error), false) => {
                tracing::warn!("Spans are dropped until the collector accepts them: {error}")
            }
            (Ok(()), true) => tracing::info!("The collector accepts spans again"),
            _ => (),
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn count(sent: bool, spans: usize) {
    let spans = u64::try_from(spans).unwrap_or(u64::MAX);
    metrics::counter!("ba_copilot_spans_total", "sent" => sent.to_string()).increment(spans);
}

/// An HTTP client with the TLS configuration of the rest of the program. It spawns requests on the runtime, because
/// the SDK calls it from a thread without one.
struct RuntimeClient {
    client: reqwest::Client,
    runtime: Handle,
}

impl fmt::Debug for RuntimeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RuntimeClient")
    }
}

impl HttpClient for RuntimeClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let response = self.runtime.spawn(async move {
            let request = reqwest::Request::try_from(request)?;
            let mut received = client.execute(request).await?;
            let (status, headers) = (received.status(), received.headers().clone());
            let mut body = Vec::new();
            while let Some(chunk) = received.chunk().await? {
                if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                    return Err(HttpError::from("the response is too large"));
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::new(Bytes::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        });
        Box::pin(async move { response.await.unwrap_or_else(|error| Err(error.into())) })
    }
}
