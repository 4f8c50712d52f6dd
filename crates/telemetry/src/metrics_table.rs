//! The table of all metrics: name, type, labels, help and interpretation. The help of `/metrics` and
//! `docs/metrics.md` are generated from it; tests compare it with the sources, the dashboards and the alert rules.
//!
//! To add a metric, add one row here and record it where it happens.

use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram};

/// The type of a metric, as in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only increases until the process restarts.
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The name of the type in the Prometheus text format.
    #[must_use]
    pub fn prometheus_type(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// The values of a label. Each value is a series that stays in memory until the process exits, so the list is always
/// finite and never contains text from a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values {
    OneOf(&'static [&'static str]),
    /// The values of another table, which `metric_labels.rs` reads.
    FromTable(Source),
}

/// The table that defines the values of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Version,
    Routes,
    /// HTTP status codes.
    Statuses,
    /// Diagram kinds that can be generated.
    Kinds,
    /// The built-in drafter and the model providers.
    Providers,
    /// Repair rules.
    Rules,
    /// MCP tools.
    Tools,
}

impl Source {
    /// A description of the values for `docs/metrics.md`.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Source::Version => "the version of the program",
            Source::Routes => "a route template of the API, or `none`",
            Source::Statuses => "an HTTP status code, for example `200`",
            Source::Kinds => "a diagram kind, for example `class`",
            Source::Providers => "`builtin` or the name of a provider",
            Source::Rules => "the code of a rule",
            Source::Tools => "the name of a tool",
        }
    }
}

/// The label value for everything that is not in the list.
pub const OTHER: &str = "other";
/// HTTP methods with their own series; every other method counts as [`OTHER`].
pub const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", OTHER];

/// `value` if it is in the list, else [`OTHER`], so that text from a request never becomes a label.
pub fn known_or_other<'a>(mut list: impl Iterator<Item = &'a str>, value: &str) -> &'a str {
    list.find(|known| *known == value).unwrap_or(OTHER)
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// The unit of the values; empty for plain counts.
    pub unit: &'static str,
    pub labels: &'static [(&'static str, Values)],
    /// What it measures, without a final period: the `HELP` line of `/metrics`.
    pub help: &'static str,
    /// What a change of the value means for an operator.
    pub interpretation: &'static str,
    /// When the metric is exported; empty if always.
    pub availability: &'static str,
}

/// Most requests take one database statement or less; those that call a model take up to minutes.
const REQUEST_S: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// The drafter takes milliseconds, a model with retries takes minutes.
const GENERATION_S: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0];
/// The fast engine takes about 0.1 ms, Mermaid's own engine a few milliseconds; the timeout is seconds.
const CHECK_S: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The reasons of `store::StoreError`; a test of `application` compares them.
pub const STORE_ERROR_REASONS: &[&str] = &["unavailable", "misconfigured", "internal"];

const BOOLEAN: Values = Values::OneOf(&["true", "false"]);
const PROVIDER: (&str, Values) = ("provider", Values::FromTable(Source::Providers));
const KIND: (&str, Values) = ("kind", Values::FromTable(Source::Kinds));
const OWNER: (&str, Values) = ("of", Values::OneOf(&["project", "user"]));
const ENGINE: (&str, Values) = ("engine", Values::OneOf(&["mermaid", "fast"]));
const ROUTE: (&str, Values) = ("route", Values::FromTable(Source::Routes));
const TOOL: (&str, Values) = ("tool", Values::FromTable(Source::Tools));

const DEFAULT: Metric = Metric {
    name: "",
    kind: Kind::Counter,
    unit: "",
    labels: &[],
    help: "",
    interpretation: "",
    availability: "",
};
const WITH_DATABASE: &str = "in processes with a database";

pub const METRICS: &[Metric] = &[
    Metric {
        name: "ba_copilot_build_info",
        kind: Kind::Gauge,
        labels: &[("version", Values::FromTable(Source::Version))],
        help: "Always 1; the label is the running version",
        interpretation: "Changes with a deployment. Compare with other metrics that changed at the same time.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_health",
        kind: Kind::Gauge,
        labels: &[("check", Values::OneOf(&["database", "mcp_server", "llm", "disk", "redis"]))],
        help: "Health of each component of /health: 1 healthy or configured, 0.5 degraded, 0 unhealthy",
        interpretation: "0: the process cannot work. 0.5: it works with reduced function, because a \
                         dependency fails.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_http_requests_total",
        labels: &[ROUTE, ("method", Values::OneOf(METHODS)), ("status", Values::FromTable(Source::Statuses))],
        help: "HTTP requests by route, method and status",
        interpretation: "More 5xx: an error of this program, of the database or of a model. More 4xx: a client \
                 changed. No requests: clients cannot reach the server.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_http_request_seconds",
        kind: Kind::Histogram(REQUEST_S),
        unit: "seconds",
        labels: &[ROUTE],
        help: "Time to the start of the HTTP response by route, in seconds",
        interpretation: "All routes slower: the machine or the database is overloaded. Only generation routes \
                 slower: the model is slow.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_connections_closed_total",
        labels: &[(
            "reason",
            Values::OneOf(&["header_timeout", "idle_timeout", "write_timeout", "too_many", "refused"]),
        )],
        help: "Connections closed by the server, by reason: timeout of the headers, of the next request \
                  or of writing the response, replaced by a new connection, or refused at the limit",
        interpretation: "header_timeout, too_many or refused: slow or too many clients, by fault or as an attack. \
                 idle_timeout: normal.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_limited_requests_total",
        labels: &[
            ("caller", Values::OneOf(&["token", "user", "address", "mcp"])),
            ("processes", Values::OneOf(&["all", "this"])),
        ],
        help: "Requests over a rate limit, by caller (token, user, address, mcp) and by the processes \
                  that share the counter (all or this one)",
        interpretation: "A client that sends too fast, or limits that are too low for normal use.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_idempotent_replays_total",
        help: "Requests answered with the stored response of an earlier request with the same Idempotency-Key",
        interpretation: "Clients retry: their connections fail, or responses take longer than their timeout.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_generations_total",
        labels: &[KIND, PROVIDER, ("outcome", Values::OneOf(&["succeeded", "fell_back", "failed"]))],
        help: "Generations by kind, provider and outcome (succeeded, fell_back, failed)",
        interpretation: "More fell_back or failed: the provider is unavailable or rejects the key, or a \
                         budget is exhausted.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_generation_seconds",
        kind: Kind::Histogram(GENERATION_S),
        unit: "seconds",
        labels: &[KIND, PROVIDER],
        help: "Duration of generations by kind and provider, in seconds",
        interpretation: "Slower: the model is slower or needs more retries.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_retries_total",
        help: "Requests to a model to correct its response",
        interpretation: "Relative to generations: how often the first response is not a valid diagram. More after a \
                 change of the model: use another model.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_tokens_total",
        unit: "tokens",
        labels: &[PROVIDER, ("direction", Values::OneOf(&["input", "output"]))],
        help: "Tokens by provider and direction (input, output)",
        interpretation: "Usage that is billed; use it where prices are unknown.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_cost_micro_usd_total",
        unit: "millionths of a US dollar",
        labels: &[PROVIDER],
        help: "Cost of models by provider, in millionths of a US dollar",
        interpretation: "Faster growth: more usage, a more expensive model, or more retries.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_backup_failures_total",
        help: "Backups that failed or did not pass verification",
        interpretation: "The log has the cause. Create a backup with `ba-copilot backup create` and check \
                         the free space.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_backup_last_created_timestamp_seconds",
        kind: Kind::Gauge,
        unit: "seconds since 1970",
        availability: "with at least one backup",
        help: "Creation time of the newest backup in `backup.dir`, in seconds since 1970",
        interpretation: "Older than a day: no backups are created.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_backup_last_verified_timestamp_seconds",
        kind: Kind::Gauge,
        unit: "seconds since 1970",
        availability: "with at least one backup",
        help: "Time of the last successful verification of a backup in `backup.dir`, in seconds since 1970",
        interpretation: "Older than a day: it is unknown whether a backup can be restored.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_backup_size_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        availability: "with at least one backup",
        help: "Size of the newest backup in `backup.dir`, in bytes",
        interpretation: "Much smaller than the day before: data is missing.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_budgets_nearly_spent_total",
        labels: &[OWNER],
        help: "Model requests that took a budget over 80 % of a limit, by owner (project, user)",
        interpretation: "Raise the budget, or its owner will get built-in drafts soon.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_budget_refusals_total",
        labels: &[OWNER],
        help: "Model requests refused because a budget is exhausted, by owner (project, user)",
        interpretation: "A budget is exhausted: generations return built-in drafts, or errors where the request does \
                 not allow the fallback.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_checks_total",
        labels: &[ENGINE, ("verdict", Values::OneOf(&["valid", "invalid", "failed"]))],
        help: "Checks by engine and verdict (valid, invalid, failed)",
        interpretation: "More failed: diagrams that reach the limits of the engine, or a machine that is too slow.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_check_seconds",
        kind: Kind::Histogram(CHECK_S),
        unit: "seconds",
        labels: &[ENGINE],
        help: "Duration of checks that were not answered from the cache, by engine, in seconds",
        interpretation: "Slower: larger diagrams, or a machine without free cores.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_engine_disagreements_total",
        help: "Checks with different verdicts of the two engines",
        interpretation: "Diagrams that the fast engine judges differently (MMD009). The verdict of Mermaid counts. \
                 Please report such diagrams.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_repairs_total",
        labels: &[("rule", Values::FromTable(Source::Rules))],
        help: "Repairs by rule",
        interpretation: "Which mistakes models and people make. A new rule after a change of the model: the model \
                 makes new mistakes.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_mcp_server_up",
        kind: Kind::Gauge,
        help: "Whether the MCP server in MCP_SERVER_URL answers: 1 or 0",
        interpretation: "0: this process checks by itself until the server is available again.",
        availability: "with MCP_SERVER_URL, after the first check",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_mcp_fallbacks_total",
        help: "Checks made in this process because the MCP server in MCP_SERVER_URL did not answer",
        interpretation: "The server is unavailable, too slow, or overloaded.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_mcp_calls_total",
        labels: &[TOOL, ("outcome", Values::OneOf(&["ok", "error"]))],
        help: "Calls of MCP tools by tool and outcome (ok, error)",
        interpretation: "Which tools agents use. More errors: an agent sends arguments that do not match the schema.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_mcp_call_seconds",
        kind: Kind::Histogram(REQUEST_S),
        unit: "seconds",
        labels: &[TOOL],
        help: "Duration of MCP tool calls by tool, in seconds",
        interpretation: "Slower: larger diagrams, or more agents than the machine has cores for.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_redis_up",
        kind: Kind::Gauge,
        help: "Whether Redis is available: 1 or 0",
        interpretation: "0: each process applies rate limits and caches checks on its own.",
        availability: "with REDIS_URL",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_redis_failures_total",
        help: "Failed Redis commands",
        interpretation: "Redis is unavailable, full, or slower than `redis.timeout_ms`.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_shared_verdicts_total",
        labels: &[("outcome", Values::OneOf(&["hit", "miss", "unusable", "away"]))],
        help: "Lookups in the check cache shared through Redis, by outcome (hit, miss, unusable, away)",
        interpretation: "Hits save engine time. Unusable: a process with another SECRET_KEY or version uses the same \
                 Redis. Away: Redis is unavailable.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_database_errors_total",
        labels: &[("reason", Values::OneOf(STORE_ERROR_REASONS))],
        help: "Failed database statements by reason (unavailable, misconfigured, internal)",
        interpretation: "Unavailable: the database is down, full or locked. Misconfigured: missing permissions or a \
                 damaged file. Internal: an error of this program.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_work_running",
        kind: Kind::Gauge,
        help: "Checks, repairs, comparisons and pictures that are running",
        interpretation: "At the maximum for a long time: large diagrams, or too few cores.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_work_waiting",
        kind: Kind::Gauge,
        help: "Checks, repairs, comparisons and pictures in the queue",
        interpretation: "More than a few: requests wait for a core. Large diagrams of one caller delay only \
                         that caller.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_work_refused_total",
        labels: &[("reason", Values::OneOf(&["busy", "too_many_of_one", "closed", "failed"]))],
        help: "Checks, repairs, comparisons and pictures that were refused, by reason (busy, \
                  too_many_of_one, closed, failed)",
        interpretation: "Busy: no core was free in time, and the caller got 503. Too many of one: one caller sends \
                 more than is processed. Closed: the process is shutting down. Failed: an error of this \
                 program.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_jobs_open",
        kind: Kind::Gauge,
        labels: &[("state", Values::OneOf(&["waiting", "later", "running"]))],
        help: "Background jobs of all processes on this database by state: ready to run (waiting), \
                  delayed until a retry (later) or running",
        interpretation: "More waiting: too few processes, a slow model, or no process that runs jobs. More later: \
                 webhooks that do not answer.",
        availability: WITH_DATABASE,
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_jobs_total",
        labels: &[
            ("kind", Values::OneOf(&["generate", "deliver"])),
            ("how", Values::OneOf(&["ended", "lost", "put_back"])),
        ],
        help: "Background jobs that this process started, by kind and by how they left it: completed \
                  (ended), lease lost (lost) or returned to the queue (put_back)",
        interpretation: "More lost: a database that does not answer in time. More put_back: the process was stopped \
                 while jobs were running.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_webhook_deliveries_total",
        labels: &[("delivered", BOOLEAN)],
        help: "Webhook deliveries by whether the receiver accepted them",
        interpretation: "More not delivered: the receiver is unavailable or rejects them. The list of deliveries of \
                 the webhook has the cause.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_mails_total",
        labels: &[("sent", BOOLEAN)],
        help: "E-mails by whether they were sent",
        interpretation: "Not sent: SMTP_URL is wrong or the SMTP server is unavailable. Invitations and password \
                 resets do not arrive.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_mails_limited_total",
        help: "E-mails that were not sent because the recipient got too many of the same kind within an hour",
        interpretation: "Repeated requests for e-mails to one address. The recipient already has the newest ones.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_sign_in_failures_total",
        help: "Sign-ins with a wrong password or code",
        interpretation: "Many in a short time: passwords are being guessed. Accounts are not locked.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_oidc_sign_ins_total",
        labels: &[(
            "outcome",
            Values::OneOf(&[
                "signed_in",
                "code_needed",
                "refused",
                "denied",
                "declined",
                "not_under_way",
                "wrong_state",
                "code_refused",
                "token_refused",
                "unavailable",
            ]),
        )],
        help: "Single sign-on attempts by outcome",
        interpretation: "Unavailable: the identity provider does not answer. Token or code refused: the \
                 configuration of the provider or of this server changed.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_spans_total",
        labels: &[("sent", BOOLEAN)],
        help: "Finished spans by whether the collector in OTEL_EXPORTER_OTLP_ENDPOINT accepted them",
        interpretation: "Not sent: the collector is unavailable, rejects them, or is too slow. Requests are not \
                 delayed; traces are incomplete.",
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_disk_free_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Free space on the disk of the data folder, in bytes",
        interpretation: "A steady decrease: estimate when the disk is full.",
        availability: WITH_DATABASE,
        ..DEFAULT
    },
    Metric {
        name: "ba_copilot_disk_total_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Size of the disk of the data folder, in bytes",
        interpretation: "The disk was resized or replaced.",
        availability: WITH_DATABASE,
        ..DEFAULT
    },
    Metric {
        name: "process_start_time_seconds",
        kind: Kind::Gauge,
        unit: "seconds since 1970",
        help: "Start time of the process, in seconds since 1970",
        interpretation: "The process was restarted. If that was not planned, the log before the restart has \
                         the cause.",
        ..DEFAULT
    },
    Metric {
        name: "process_cpu_seconds_total",
        unit: "seconds",
        help: "CPU time of the process, in seconds",
        interpretation: "The rate is the number of cores in use.",
        availability: "on Linux",
        ..DEFAULT
    },
    Metric {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Resident memory of the process, in bytes",
        interpretation: "Each thread of the engine uses about 40 MB. Unlimited growth is a bug; please report it.",
        availability: "on Linux",
        ..DEFAULT
    },
    Metric {
        name: "process_memory_limit_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Memory limit of the process: the limit of its control group, or else the memory of the \
                  machine, in bytes",
        interpretation: "The limit was changed.",
        availability: "on Linux",
        ..DEFAULT
    },
    Metric {
        name: "process_open_fds",
        kind: Kind::Gauge,
        help: "Open file descriptors of the process",
        interpretation: "Grows with open connections. At the limit, new connections are refused.",
        availability: "on Linux",
        ..DEFAULT
    },
    Metric {
        name: "process_max_fds",
        kind: Kind::Gauge,
        help: "Maximum number of open file descriptors of the process",
        interpretation: "The limit was changed.",
        availability: "on Linux",
        ..DEFAULT
    },
];

/// Registers the help texts, and starts counters with known labels at zero: without an initial value, rate functions
/// miss the first increment.
pub(crate) fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.help),
        }
        // Exported by `process_metrics`, not by the recorder.
        if metric.kind == Kind::Counter && metric.name != "process_cpu_seconds_total" {
            for labels in known_labels(metric) {
                counter!(metric.name, labels).increment(0);
            }
        }
    }
}

/// Every combination of label values; empty if a label takes its values from another table.
fn known_labels(metric: &Metric) -> Vec<Vec<Label>> {
    metric.labels.iter().fold(vec![Vec::new()], |before, (label, values)| {
        let Values::OneOf(values) = values else { return Vec::new() };
        let with = |labels: &Vec<Label>, value: &&'static str| {
            let mut labels = labels.clone();
            labels.push(Label::from_static_parts(label, value));
            labels
        };
        before
            .iter()
            .flat_map(|labels| values.iter().map(|value| with(labels, value)).collect::<Vec<_>>())
            .collect()
    })
}
