//! THE table of metrics: what each is called, what it means, and what to make of it. Help of `/metrics`, `docs/metrics.md`
//! and what alerts and dashboards may name are made from it or compared with it.
//!
//! Counts nothing itself. A new metric is one row here; a test finds what has none.

use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram};

/// What a metric does over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, until the process starts anew.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations up to each of these bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word of Prometheus.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// Which values a label has: always those of a closed list, because each value is a series that stays in memory until the process ends.
/// What callers write is never a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of a list that another table has; `metric_labels.rs` knows it.
    Of(Source),
}

/// Which table has the values of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The version of the program.
    Version,
    /// The table of routes.
    Routes,
    /// The statuses that HTTP has.
    Statuses,
    /// The kinds of diagrams that are generated.
    Kinds,
    /// The built-in drafter and the providers of models.
    Providers,
    /// The rules that repair.
    Rules,
    /// The tools of the MCP server.
    Tools,
}

impl Source {
    /// What they are, in a few words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Source::Version => "the version of the program",
            Source::Routes => "a route as the API names it, or `none`",
            Source::Statuses => "a status of HTTP, for example `200`",
            Source::Kinds => "a kind of diagram, for example `class`",
            Source::Providers => "`builtin`, or the name of a provider",
            Source::Rules => "the code of a rule",
            Source::Tools => "the name of a tool",
        }
    }
}

/// The value of a label for everything that is not in its list.
pub const OTHER: &str = "other";
/// The methods of HTTP that have a series of their own; each other text is [`OTHER`].
pub const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", OTHER];

/// The value if the list has it, or else [`OTHER`]: no text that is not written down becomes a label.
pub fn closed<'a>(mut list: impl Iterator<Item = &'a str>, value: &str) -> &'a str {
    list.find(|known| *known == value).unwrap_or(OTHER)
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// The unit of its values; empty where things are counted.
    pub unit: &'static str,
    /// Its labels and their values.
    pub labels: &'static [(&'static str, Values)],
    /// What it measures: the help in `/metrics`.
    pub meaning: &'static str,
    /// What a change of it says.
    pub change: &'static str,
    /// When it is there, if not always.
    pub only: &'static str,
}

/// Most requests are answered from memory or by one statement; those that ask a model take as long as it does.
const REQUEST_S: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// The drafter takes milliseconds, a model that is asked again minutes.
const GENERATION_S: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0];
/// The fast engine takes a tenth of a millisecond, Mermaid's own some milliseconds, and both have a limit of seconds.
const CHECK_S: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

const YES_NO: Values = Values::OneOf(&["true", "false"]);
const PROVIDER: (&str, Values) = ("provider", Values::Of(Source::Providers));
const KIND: (&str, Values) = ("kind", Values::Of(Source::Kinds));
const OF: (&str, Values) = ("of", Values::OneOf(&["project", "user"]));
const ENGINE: (&str, Values) = ("engine", Values::OneOf(&["mermaid", "fast"]));
const ROUTE: (&str, Values) = ("route", Values::Of(Source::Routes));
const TOOL: (&str, Values) = ("tool", Values::Of(Source::Tools));

const NOTHING: Metric =
    Metric { name: "", kind: Kind::Counter, unit: "", labels: &[], meaning: "", change: "", only: "" };
const WITH_DATABASE: &str = "in processes that keep something";

/// All metrics, by what they are about.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "ba_copilot_build_info",
        kind: Kind::Gauge,
        labels: &[("version", Values::Of(Source::Version))],
        meaning: "Always 1; says which version runs",
        change: "A deployment. Lay it over the other curves when something changed at the same time.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_health",
        kind: Kind::Gauge,
        labels: &[("check", Values::OneOf(&["database", "mcp_server", "llm", "disk", "redis"]))],
        meaning: "How each part is that /health names: 1 healthy or configured, 0.5 degraded, 0 unhealthy",
        change: "0: the process does not do its work. 0.5: it works, and something beside it does not.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_http_requests_total",
        labels: &[ROUTE, ("method", Values::OneOf(METHODS)), ("status", Values::Of(Source::Statuses))],
        meaning: "HTTP requests by route, method and status",
        change: "More 5xx: a fault here, of the database or of a model. More 4xx: a caller that was changed. None: nobody gets through.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_http_request_seconds",
        kind: Kind::Histogram(REQUEST_S),
        unit: "seconds",
        labels: &[ROUTE],
        meaning: "Time until the answer to an HTTP request began, by route, in seconds",
        change: "All routes slower: the machine or the database. Those that generate alone: the model.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_connections_closed_total",
        labels: &[(
            "reason",
            Values::OneOf(&["header_timeout", "idle_timeout", "write_timeout", "too_many", "refused"]),
        )],
        meaning: "Connections that the server closed, by reason: headers, the next request or the reading of an answer took too long, the place was needed for another connection, or there was no place",
        change: "header_timeout, too_many or refused: slow or many connections, by fault or as an attack. idle_timeout: nothing is wrong.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_limited_requests_total",
        labels: &[
            ("caller", Values::OneOf(&["token", "user", "address", "mcp"])),
            ("processes", Values::OneOf(&["all", "this"])),
        ],
        meaning: "Requests that were too many, by caller (token, user, address, mcp) and by what all processes or this one counted",
        change: "A program without pauses, or limits that are too narrow for what people do.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_idempotent_replays_total",
        meaning: "Requests with an Idempotency-Key that were answered with the answer to an earlier one",
        change: "Callers send again: their connections break, or answers take longer than they wait.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_generations_total",
        labels: &[KIND, PROVIDER, ("outcome", Values::OneOf(&["succeeded", "fell_back", "failed"]))],
        meaning: "Generations by kind, provider and outcome (succeeded, fell_back, failed)",
        change: "More that fell back or failed: the provider is away, refuses the key, or a budget is spent.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_generation_seconds",
        kind: Kind::Histogram(GENERATION_S),
        unit: "seconds",
        labels: &[KIND, PROVIDER],
        meaning: "Time of generations by kind and provider, in seconds",
        change: "A slower model, or one that is asked again more often.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_retries_total",
        meaning: "Times a model was asked again",
        change: "Against generations: how often a first answer is no valid diagram. More after a change of the model: take another one.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_tokens_total",
        unit: "tokens",
        labels: &[PROVIDER, ("direction", Values::OneOf(&["input", "output"]))],
        meaning: "Tokens by provider and direction (input, output)",
        change: "What is paid for, where prices are not known.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_cost_micro_usd_total",
        unit: "millionths of a US dollar",
        labels: &[PROVIDER],
        meaning: "Cost of models by provider, in millionths of a US dollar",
        change: "Faster than usual: more use, a dearer model, or more that is asked again.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_backup_failures_total",
        meaning: "Backups that the server could not make, or that were no good",
        change: "The log says why. Make one by hand with `ba-copilot backup create` and see that there is room.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_backup_last_created_timestamp_seconds",
        kind: Kind::Gauge,
        unit: "seconds since 1970",
        only: "with a backup there",
        meaning: "When the newest backup at `backup.dir` was made, in seconds since 1970",
        change: "Older than a day: backups have stopped.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_backup_last_verified_timestamp_seconds",
        kind: Kind::Gauge,
        unit: "seconds since 1970",
        only: "with a backup there",
        meaning: "When a backup at `backup.dir` was last tried and everything in it came back, in seconds since 1970",
        change: "Older than a day: nobody knows whether a backup could be restored.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_backup_size_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        only: "with a backup there",
        meaning: "Size of the newest backup at `backup.dir`",
        change: "Much smaller than yesterday: something is missing.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_budgets_nearly_spent_total",
        labels: &[OF],
        meaning: "Questions that took a budget past 80 % of a limit, by whose it is (project, user)",
        change: "Somebody has to raise that budget, or its owner will get built-in drafts soon.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_budget_refusals_total",
        labels: &[OF],
        meaning: "Questions to models that were not asked because a budget had no room, by whose it is (project, user)",
        change: "A budget is spent: people get built-in drafts, or errors where they did not want them.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_checks_total",
        labels: &[ENGINE, ("verdict", Values::OneOf(&["valid", "invalid", "failed"]))],
        meaning: "Checks by engine and verdict (valid, invalid, failed)",
        change: "More that failed: texts that reach the limits of the engine, or a machine that is too slow for them.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_check_seconds",
        kind: Kind::Histogram(CHECK_S),
        unit: "seconds",
        labels: &[ENGINE],
        meaning: "Time of checks that were not answered from memory, by engine, in seconds",
        change: "Slower: larger diagrams, or a machine without free cores.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_engine_disagreements_total",
        meaning: "Checks on which the two engines disagreed",
        change: "Texts that the fast engine sees differently (MMD009). Nothing is wrong; a report helps us.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_repairs_total",
        labels: &[("rule", Values::Of(Source::Rules))],
        meaning: "Repairs by rule",
        change: "Which mistakes models and people make; a new one after a change of the model.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_mcp_server_up",
        kind: Kind::Gauge,
        meaning: "Whether the server of MCP_SERVER_URL checks for this process (1) or does not answer (0)",
        change: "0: this process checks by itself until the server is back.",
        only: "with MCP_SERVER_URL, from the first check on",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_mcp_fallbacks_total",
        meaning: "Checks made in this process because the server of MCP_SERVER_URL did not answer",
        change: "That server is away, too slow, or full.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_mcp_calls_total",
        labels: &[TOOL, ("outcome", Values::OneOf(&["ok", "error"]))],
        meaning: "Calls of MCP tools by tool and outcome (ok, error)",
        change: "What agents use. More errors: an agent that sends what the schemas do not allow.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_mcp_call_seconds",
        kind: Kind::Histogram(REQUEST_S),
        unit: "seconds",
        labels: &[TOOL],
        meaning: "Time of calls of MCP tools by tool, in seconds",
        change: "Slower: larger diagrams, or more agents than the machine has cores for.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_redis_up",
        kind: Kind::Gauge,
        meaning: "Whether Redis is there: 1 or 0",
        change: "0: each process counts limits and remembers checks by itself.",
        only: "with REDIS_URL",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_redis_failures_total",
        meaning: "Questions to Redis without an answer",
        change: "Redis is away, full, or slower than `redis.timeout_ms`.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_shared_verdicts_total",
        labels: &[("outcome", Values::OneOf(&["hit", "miss", "unusable", "away"]))],
        meaning: "Texts looked up among the checks of other processes by outcome (hit, miss, unusable, away)",
        change: "Hits save time of the engine. Unusable: processes with another SECRET_KEY or version write there.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_database_errors_total",
        labels: &[("reason", Values::OneOf(store::ERROR_REASONS))],
        meaning: "Statements that the database did not carry out, by reason (unavailable, misconfigured, internal)",
        change: "Unavailable: it is away, full or locked. Misconfigured: rights, or a damaged file. Internal: a fault of this program.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_work_running",
        kind: Kind::Gauge,
        meaning: "Checks, repairs, comparisons and pictures that take a processor at the moment",
        change: "As many as there are places for a long time: large diagrams, or too few cores.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_work_waiting",
        kind: Kind::Gauge,
        meaning: "Checks, repairs, comparisons and pictures that wait for a processor",
        change: "More than a few: requests wait. A single person waits for their own large texts only.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_work_refused_total",
        labels: &[("reason", Values::OneOf(&["busy", "too_many_of_one", "closed", "failed"]))],
        meaning: "Checks, repairs, comparisons and pictures that were refused by reason (busy, too_many_of_one, closed, failed)",
        change: "Busy: nothing was free in time, which callers see as 503. Too many of one: one person sends more than is done. Failed: a fault of this program.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_jobs_open",
        kind: Kind::Gauge,
        labels: &[("state", Values::OneOf(&["waiting", "later", "running"]))],
        meaning: "Jobs that may be taken up now (waiting), after a pause (later), or are under way (running), of all processes on this database",
        change: "More that wait: too few processes, a slow model, or none that takes up work. More for later: webhooks that do not answer.",
        only: WITH_DATABASE,
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_jobs_total",
        labels: &[
            ("kind", Values::OneOf(&["generate", "deliver"])),
            ("how", Values::OneOf(&["ended", "lost", "put_back"])),
        ],
        meaning: "Jobs that this process took up, by kind and by how it let go of them (ended, lost, put_back)",
        change: "More that are lost: a database that does not answer in time. Put back: the process was ended.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_webhook_deliveries_total",
        labels: &[("delivered", YES_NO)],
        meaning: "Attempts to tell a webhook of an event, by whether it took it",
        change: "More that are not taken: the other side is away or refuses; its owner sees why in the list of deliveries.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_mails_total",
        labels: &[("sent", YES_NO)],
        meaning: "Messages to people, by whether they could be sent",
        change: "Not sent: SMTP_URL is wrong or the server there is away. Nobody can be invited or choose a new password.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_mails_limited_total",
        meaning: "Messages that were not sent, because their recipient got too many of the kind within an hour",
        change: "Someone asks for messages to an address again and again. The recipient has the newest ones.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_sign_in_failures_total",
        meaning: "Wrong passwords and codes",
        change: "Many at once: somebody guesses. Nobody is locked out by that.",
        ..NOTHING
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
        meaning: "Attempts to sign in with the identity provider, by outcome",
        change: "Unavailable: the provider is away. Token or code refused: its configuration or ours was changed.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_spans_total",
        labels: &[("sent", YES_NO)],
        meaning: "Spans that were told, by whether the collector of OTEL_EXPORTER_OTLP_ENDPOINT took them",
        change: "Not sent: the collector is away, refuses, or is slower than what happens here. Nobody waits for it; traces have holes.",
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_disk_free_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        meaning: "Free space where the data folder is, in bytes",
        change: "Less every day: how long until it is full.",
        only: WITH_DATABASE,
        ..NOTHING
    },
    Metric {
        name: "ba_copilot_disk_total_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        meaning: "Size of the disk where the data folder is, in bytes",
        change: "The disk was enlarged or replaced.",
        only: WITH_DATABASE,
        ..NOTHING
    },
    Metric {
        name: "process_start_time_seconds",
        kind: Kind::Gauge,
        unit: "seconds since 1970",
        meaning: "When the process was started, in seconds since 1970",
        change: "It was started anew. If nobody did that, the log of its end says why.",
        ..NOTHING
    },
    Metric {
        name: "process_cpu_seconds_total",
        unit: "seconds",
        meaning: "Processor time that the process took, in seconds",
        change: "Its rate is the number of cores in use.",
        only: "on Linux",
        ..NOTHING
    },
    Metric {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        meaning: "Memory of the process, in bytes",
        change: "Each thread of the engine takes some 40 MB. Growth without end is a fault; report it.",
        only: "on Linux",
        ..NOTHING
    },
    Metric {
        name: "process_memory_limit_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        meaning: "Memory that the process may have: the limit of its control group, else the memory of the machine, in bytes",
        change: "Somebody gave it more or less.",
        only: "on Linux",
        ..NOTHING
    },
    Metric {
        name: "process_open_fds",
        kind: Kind::Gauge,
        meaning: "Open files and connections of the process",
        change: "More with each open connection. At the most that it may have, no more connections are taken.",
        only: "on Linux",
        ..NOTHING
    },
    Metric {
        name: "process_max_fds",
        kind: Kind::Gauge,
        meaning: "Open files and connections that the process may have",
        change: "Somebody gave it more or less.",
        only: "on Linux",
        ..NOTHING
    },
];

/// Tells the recorder what each metric means, and lets counters with known labels begin at zero: the first time is a
/// change only if there was a value before.
pub(crate) fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.meaning),
            Kind::Gauge => describe_gauge!(metric.name, metric.meaning),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.meaning),
        }
        // Read from the system as it is, see `process_metrics`.
        if metric.kind == Kind::Counter && metric.name != "process_cpu_seconds_total" {
            for labels in known_labels(metric) {
                counter!(metric.name, labels).increment(0);
            }
        }
    }
}

/// Each combination of values; none where a label has values that are not written down.
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

/// The page `docs/metrics.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\nMade by `cargo xtask codegen`; do not edit. Every process shows its metrics at `/metrics`, in the text format of\n\
         Prometheus. They hold no names of people, no contents and no addresses. Counters begin at zero with the process.\n\n\
         Rules for alerts are in `infra/prometheus/rules.yml`, dashboards for Grafana in `infra/grafana/dashboards`.\n",
    );
    for metric in METRICS {
        let unit = if metric.unit.is_empty() { String::new() } else { format!(", {}", metric.unit) };
        let only = if metric.only.is_empty() { String::new() } else { format!(", {}", metric.only) };
        page.push_str(&format!(
            "\n## {}\n\n{}{unit}{only}. {}.\n",
            metric.name,
            metric.kind.word(),
            metric.meaning
        ));
        if !metric.labels.is_empty() {
            page.push('\n');
        }
        for (label, values) in metric.labels {
            let values = match values {
                Values::OneOf(values) => {
                    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
                }
                Values::Of(source) => source.meaning().to_owned(),
            };
            page.push_str(&format!("- `{label}`: {values}\n"));
        }
        page.push_str(&format!("\n{}\n", metric.change));
    }
    page
}
