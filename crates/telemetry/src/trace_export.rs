//! How spans reach a collector: OTLP over HTTP, in batches, on a thread of the library's own.
//!
//! Nobody who answers a request waits for it. At most [`ROOM`] spans wait; what finds no room, and what the collector does not take in
//! time, is lost and counted. Never tells anything by itself: `trace.rs` says what a span holds.

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
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter as Otlp, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData,
        SpanExporter, SpanLimits, SpanProcessor,
    },
};
use tokio::runtime::Handle;

use config::Config;

/// Spans that wait at most; a generation has about ten.
const ROOM: usize = 4096;
/// Spans in one request to the collector.
const BATCH: usize = 512;
/// How long spans wait for others to go with.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a collector may take for one batch, with what is sent again.
const TIME: Duration = Duration::from_secs(5);
/// An answer of a collector is a few bytes; more than this is not read.
const LARGEST_ANSWER: usize = 64 << 10;

/// Spans on their way. They are sent for as long as this is there.
#[derive(Debug)]
pub(crate) struct Export(SdkTracerProvider);

impl Export {
    /// Sends to the collector of the configuration, by the runtime that is running; none where spans are told to nobody.
    ///
    /// # Errors
    /// When no client can be made.
    pub(crate) fn start(config: &Config) -> Result<Option<Self>, String> {
        let Some(url) = config.traces.url() else { return Ok(None) };
        let sampling = config.traces.sampling().ok_or("traces.sampler cannot be used")?;
        let headers = config.traces.headers().ok_or("traces.headers cannot be read")?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|error| error.to_string())?)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .timeout(TIME)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| "the HTTPS client cannot be built".to_owned())?;
        let otlp = Otlp::builder()
            .with_http()
            .with_http_client(Way { client, runtime: Handle::current() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url.as_str())
            .with_headers(headers.into_iter().collect())
            .with_timeout(TIME)
            // A collector that is started anew is back after a moment; one that is away for longer must not hold up all that follows.
            .with_retry_policy(RetryPolicy::recommended().with_max_retries(2))
            .build()
            .map_err(|error| error.to_string())?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let exporter = Counted { inner: otlp, waiting: Arc::clone(&waiting), away: AtomicBool::new(false) };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(ROOM)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(PAUSE)
            .build();
        let inner = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let root = match sampling.ratio {
            ratio if ratio >= 1.0 => Sampler::AlwaysOn,
            ratio if ratio <= 0.0 => Sampler::AlwaysOff,
            ratio => Sampler::TraceIdRatioBased(ratio),
        };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded { inner, waiting })
            .with_span_limits(SpanLimits::default())
            .with_resource(resource(config));
        let provider = match sampling.parent_decides {
            true => provider.with_sampler(Sampler::parent_based(root)),
            false => provider.with_sampler(root),
        };
        Ok(Some(Export(provider.build())))
    }

    /// What makes spans.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.0.tracer("ba-copilot")
    }

    /// Sends what waits, and nothing from now on. Takes `within` at most, and a thread for that time.
    pub(crate) fn end(&self, within: Duration) {
        if self.0.shutdown_with_timeout(within).is_err() {
            tracing::warn!("The last spans did not reach the collector in time");
        }
    }
}

/// What all spans of this process have in common. Not the name of the machine: that may be the name of somebody.
fn resource(config: &Config) -> Resource {
    let version = match config.server.release.as_str() {
        "" => env!("CARGO_PKG_VERSION"),
        release => release,
    };
    let mut common = vec![
        KeyValue::new("service.name", config.traces.service_name.clone()),
        KeyValue::new("service.version", version.to_owned()),
        // Tells processes of one service apart.
        KeyValue::new("service.instance.id", uuid::Uuid::now_v7().to_string()),
    ];
    if !config.server.environment.is_empty() {
        common.push(KeyValue::new("deployment.environment.name", config.server.environment.clone()));
    }
    // Not `builder`, which looks at the environment by itself.
    Resource::builder_empty().with_attributes(common).build()
}

/// Takes spans while there is room for them.
#[derive(Debug)]
struct Bounded {
    inner: BatchSpanProcessor,
    /// Spans that were taken and of which no collector has heard yet. The library has as much room, so that it loses none in silence.
    waiting: Arc<AtomicUsize>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= ROOM {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
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

/// Counts what reached the collector and what did not.
#[derive(Debug)]
struct Counted {
    inner: Otlp,
    waiting: Arc<AtomicUsize>,
    /// The last batch was lost.
    away: AtomicBool,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
        let sent = self.inner.export(batch).await;
        count(sent.is_ok(), spans);
        match (&sent, self.away.swap(sent.is_err(), Ordering::AcqRel)) {
            // The library's words name no address and repeat nothing of an answer.
            (Err(error), false) => tracing::warn!("Spans are lost until the collector takes them: {error}"),
            (Ok(()), true) => tracing::info!("The collector takes spans again"),
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

/// The client and the TLS that everything else here has too. The library asks from a thread without a runtime.
struct Way {
    client: reqwest::Client,
    runtime: Handle,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way")
    }
}

impl HttpClient for Way {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let asked = self.runtime.spawn(async move {
            let request = reqwest::Request::try_from(request)?;
            let mut answer = client.execute(request).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > LARGEST_ANSWER {
                    return Err(HttpError::from("the answer is too large"));
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::new(Bytes::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        });
        Box::pin(async move { asked.await.unwrap_or_else(|error| Err(error.into())) })
    }
}
