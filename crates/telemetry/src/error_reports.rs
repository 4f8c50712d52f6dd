//! Errors of the program, told to whoever reads them in Sentry: what failed, where in the program, and the ids to look further by.
//!
//! Only what stands in [`MESSAGES`] and [`FIELDS`] leaves the process: the beginning of a message that is the program's own words, and
//! fields whose values are. What follows in a message may quote anything (it stays in the log, under the same `request.id`), and so may
//! what a panic says. No name of a machine, no address, no person, no request is told.

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

/// How long Sentry may take for one error. Meanwhile others wait, up to the 30 that the library has room for; more are lost.
const TIME: Duration = Duration::from_secs(5);

/// How messages of errors begin. A test finds an error that is told with another one: Sentry would hear only where it was.
pub const MESSAGES: [&str; 12] = [
    "A job failed inside",
    "A link for a new password was not sent",
    "A message about a new e-mail address was not sent",
    "A page failed with an internal error",
    "A refused sign-in is missing in the audit log",
    "A request failed with an internal error",
    "An MCP call failed with an internal error",
    "An export of audit events was aborted",
    "The database was not backed up, or not well",
    "The identity provider cannot be used",
    "The program panicked",
    "Work in the background ended early",
];

/// Fields whose values are words of ours, or numbers, and what they are called in Sentry. Of the error itself, then of what was being
/// done.
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

/// The way to Sentry. Cheap to clone.
#[derive(Clone)]
pub struct ErrorReports(Arc<Client>);

impl fmt::Debug for ErrorReports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorReports")
    }
}

impl ErrorReports {
    /// The way that the configuration says; none where nobody is told. Nothing is sent before there is an error.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn of(config: &Config) -> Result<Option<Self>, String> {
        let Some(dsn) = config.errors.dsn() else { return Ok(None) };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|error| error.to_string())?)
            .timeout(TIME)
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
        options.transport = Some(Arc::new(OurClient(client)));
        Ok(Some(ErrorReports(Arc::new(Client::with_options(options)))))
    }

    /// Sends what waits, and nothing from now on. Takes `within` at most, and a thread for that time.
    pub fn end(&self, within: Duration) {
        self.0.close(Some(within));
    }

    /// Told to Sentry, as [`MESSAGES`] and [`FIELDS`] allow.
    fn tell(&self, target: &str, place: String, told: Told) {
        let message = match &told.message {
            Some(known) => (*known).to_owned(),
            None => format!("An error in {target}"),
        };
        let mut report = Report {
            level: SentryLevel::Error,
            logger: Some(target.to_owned()),
            culprit: Some(place.clone()),
            // One kind of error is one issue, however often it happens and whatever it is about.
            fingerprint: Cow::Owned(vec![Cow::Owned(target.to_owned()), Cow::Owned(place)]),
            ..Report::default()
        };
        report.tags = told.fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
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

/// What may be told of an error, or of what was being done.
#[derive(Debug, Default)]
struct Told {
    message: Option<&'static str>,
    fields: BTreeMap<&'static str, String>,
}

impl Told {
    fn keep(&mut self, field: &Field, value: impl FnOnce() -> String) {
        if let Some((_, name)) = FIELDS.into_iter().find(|(known, _)| *known == field.name()) {
            self.fields.insert(name, value());
        }
    }
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, || value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, || value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, || value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let message = format!("{value:?}");
            self.message = MESSAGES.into_iter().find(|known| message.starts_with(known));
            return;
        }
        self.keep(field, || format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ErrorReports {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut told = Told::default();
        attributes.record(&mut told);
        span.extensions_mut().insert(told);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() != Level::ERROR {
            return;
        }
        let mut told = Told::default();
        event.record(&mut told);
        // From the innermost outwards: what is nearer to the error wins.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions().get::<Told>() {
                for (name, value) in &known.fields {
                    told.fields.entry(*name).or_insert_with(|| value.clone());
                }
            }
        }
        let file = metadata.file().unwrap_or_default();
        let place = format!("{file}:{}", metadata.line().unwrap_or_default());
        self.tell(metadata.target(), place, told);
    }
}

/// The client and the TLS that everything else here has too.
struct OurClient(reqwest::Client);

impl TransportFactory for OurClient {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        Arc::new(ReqwestHttpTransportOptions::from(options).with_client(self.0.clone()).build())
    }
}
