//! Error reports to Sentry: what failed, where in the code, and the ids of the request and its trace.
//!
//! Only text from [`MESSAGES`] and values of [`FIELDS`] leave the process: the constant beginning of a message, and
//! fields with constant or numeric values. The rest of a message and the message of a panic may quote user content;
//! they stay in the log under the same `request.id`. Host names, addresses, people and requests are never reported.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc, time::Duration};

use sentry::{
    Client, ClientOptions, Level as SentryLevel, Transport, TransportFactory, TransportOptions,
    protocol::{Event as Report, Exception, Mechanism},
    transports::ReqwestHttpTransportOptions,
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use config::Config;

/// Timeout of one report. Meanwhile up to 30 reports wait in the queue of the library; more are dropped.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The constant beginnings of all error messages. A test finds an error event whose message is not in the list: its
/// report would have no message.
pub const MESSAGES: [&str; 12] = [
    "A background task ended early",
    "A job failed with an internal error",
    "A page failed with an internal error",
    "A request failed with an internal error",
    "An MCP call failed with an internal error",
    "An export of audit events was aborted",
    "Sending a message about an e-mail change failed",
    "Sending a password reset link failed",
    "Single sign-on is misconfigured",
    "The backup failed",
    "The program panicked",
    "Writing a failed sign-in to the audit log failed",
];

/// Fields of events and spans whose values are constants or numbers, with their tag names in Sentry.
const FIELDS: [(&str, &str); 8] = [
    ("error.code", "error.code"),
    ("job.kind", "job.kind"),
    ("panic.location", "panic.location"),
    ("request.id", "request_id"),
    ("trace.id", "trace_id"),
    ("http.method", "http.method"),
    ("http.route", "http.route"),
    ("mcp.tool", "mcp.tool"),
];

/// The Sentry client. Cheap to clone.
#[derive(Clone)]
pub struct ErrorReports(Arc<Client>);

impl fmt::Debug for ErrorReports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorReports")
    }
}

impl ErrorReports {
    /// `None` if the configuration has no DSN. Sends nothing until the first error.
    pub fn from_config(config: &Config) -> Result<Option<Self>, String> {
        let Some(dsn) = config.errors.dsn() else { return Ok(None) };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|error| error.to_string())?)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| "the HTTPS client cannot be built".to_owned())?;
        let release = match config.server.release.as_str() {
            "" => env!("CARGO_PKG_VERSION"),
            release => release,
        };
        let environment = &config.server.environment;
        let mut options = ClientOptions::new();
        options.dsn = Some(dsn);
        options.release = Some(format!("ba-copilot@{release}").into());
        options.environment = (!environment.is_empty()).then(|| environment.clone().into());
        options.default_integrations = false;
        options.transport = Some(Arc::new(SharedTlsClient(client)));
        Ok(Some(ErrorReports(Arc::new(Client::with_options(options)))))
    }

    /// Sends the queued reports and stops. Blocks the thread for at most `timeout`.
    pub fn shutdown(&self, timeout: Duration) {
        self.0.close(Some(timeout));
    }

    fn send(&self, target: &str, place: String, content: ReportContent) {
        let message = match &content.message {
            Some(known) => (*known).to_owned(),
            None => format!("An error in {target}"),
        };
        let mut report = Report {
            level: SentryLevel::Error,
            logger: Some(target.to_owned()),
            culprit: Some(place.clone()),
            // All errors from one place in the code are one issue.
            fingerprint: Cow::Owned(vec![Cow::Owned(target.to_owned()), Cow::Owned(place)]),
            ..Report::default()
        };
        report.tags = content.fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        match report.tags.get("panic.location") {
            Some(location) => {
                report.culprit = Some(location.clone());
                report.fingerprint = Cow::Owned(vec![Cow::Owned(location.clone())]);
                report.exception = vec![Exception {
                    ty: "panic".to_owned(),
                    value: Some(format!("{message} at {location}")),
                    mechanism: Some(Mechanism {
                        ty: "panic".to_owned(),
                        handled: Some(false),
                        ..Mechanism::default()
                    }),
                    ..Exception::default()
                }]
                .into();
            }
            None => report.message = Some(message),
        }
        self.0.capture_event(report, None);
    }
}

/// The part of an event or a span that may be reported.
#[derive(Debug, Default)]
struct ReportContent {
    message: Option<&'static str>,
    fields: BTreeMap<&'static str, String>,
}

impl ReportContent {
    fn record_allowed(&mut self, field: &Field, value: impl FnOnce() -> String) {
        if let Some((_, name)) = FIELDS.into_iter().find(|(known, _)| *known == field.name()) {
            self.fields.insert(name, value());
        }
    }
}

impl Visit for ReportContent {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_allowed(field, || value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record_allowed(field, || value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_allowed(field, || value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let message = format!("{value:?}");
            self.message = MESSAGES.into_iter().find(|known| message.starts_with(known));
            return;
        }
        self.record_allowed(field, || format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ErrorReports {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut content = ReportContent::default();
        attributes.record(&mut content);
        span.extensions_mut().insert(content);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() != Level::ERROR {
            return;
        }
        let mut content = ReportContent::default();
        event.record(&mut content);
        // From the innermost span outwards: the value nearest to the error wins.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<ReportContent>() {
                for (name, value) in &of_span.fields {
                    content.fields.entry(*name).or_insert_with(|| value.clone());
                }
            }
        }
        let file = metadata.file().unwrap_or_default();
        let place = format!("{file}:{}", metadata.line().unwrap_or_default());
        self.send(metadata.target(), place, content);
    }
}

/// An HTTP client with the TLS configuration of the rest of the program.
struct SharedTlsClient(reqwest::Client);

impl TransportFactory for SharedTlsClient {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        Arc::new(ReqwestHttpTransportOptions::from(options).with_client(self.0.clone()).build())
    }
}
