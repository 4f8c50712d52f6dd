//! The suite that is run against a server after a deployment: THE table of its checks.
//!
//! It does what people and programs do: asks, draws, checks, writes. What it writes goes into a project of its own. It changes nothing
//! else, and looks at nothing that others wrote.

mod api;
mod junit;
mod liveness;
mod mcp;
mod persistence;

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    prometheus::Samples,
    target::{Answer, NoAnswer, Question, Target},
};
use application::clock::Clock;

pub use junit::junit;

/// How old the newest verified backup may be, if nothing is said.
pub const BACKUP_WITHIN: Duration = Duration::from_secs(26 * 3600);

/// What is wanted besides the checks that are always made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Services that must work, as names or `name=URL`; none for what the server itself says it is.
    pub services: Vec<String>,
    /// How old the newest verified backup may be; with `None`, a server without backups is not complained of.
    pub backup_within: Option<Duration>,
    /// The server stands by: it is well without being ready.
    pub stands_by: bool,
    /// What restarts the server, for `sh -c`.
    pub restart_command: Option<String>,
    /// How long the server may take to be back.
    pub restart_within: Duration,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is well; what was seen.
    Passed(String),
    /// It is not.
    Failed {
        /// What was seen.
        found: String,
        /// What to do.
        cure: String,
    },
    /// It could not be made; why.
    Skipped(String),
}

/// A check that was made.
#[derive(Debug, Clone)]
pub struct Done {
    /// Its name for programs.
    pub id: &'static str,
    /// What should be true.
    pub title: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// What came of all checks.
#[derive(Debug, Clone)]
pub struct Report {
    /// The server.
    pub address: String,
    /// When it was looked at.
    pub at: store::TimeUs,
    /// Each check, in order.
    pub checks: Vec<Done>,
}

impl Report {
    /// How many passed, failed and were skipped.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count =
            |fits: fn(&Outcome) -> bool| self.checks.iter().filter(|done| fits(&done.outcome)).count();
        (
            count(|outcome| matches!(outcome, Outcome::Passed(_))),
            count(|outcome| matches!(outcome, Outcome::Failed { .. })),
            count(|outcome| matches!(outcome, Outcome::Skipped(_))),
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let (passed, failed, skipped) = self.counts();
        let checks: Vec<Value> = self.checks.iter().map(Done::json).collect();
        json!({"url": self.address, "ok": failed == 0, "passed": passed, "failed": failed, "skipped": skipped, "checks": checks})
    }
}

impl Done {
    fn json(&self) -> Value {
        let (status, detail, cure) = match &self.outcome {
            Outcome::Passed(seen) => ("passed", seen, None),
            Outcome::Failed { found, cure } => ("failed", found, Some(cure)),
            Outcome::Skipped(why) => ("skipped", why, None),
        };
        let took_ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        let mut json = json!({"id": self.id, "title": self.title, "status": status, "detail": detail, "duration_ms": took_ms});
        if let Some(cure) = cure {
            json["cure"] = json!(cure);
        }
        json
    }
}

/// Why a check has not passed.
#[derive(Debug)]
enum Not {
    /// It failed, and the cure is that of the table.
    Well(String),
    /// It failed, and this is the cure.
    WellBecause(String, &'static str),
    /// It could not be made.
    Possible(String),
}

impl From<NoAnswer> for Not {
    fn from(error: NoAnswer) -> Self {
        Not::Well(format!("The server {error}."))
    }
}

/// What a check came to: what was seen, or why not.
type Came = Result<String, Not>;
type Coming<'a> = Pin<Box<dyn Future<Output = Came> + Send + 'a>>;

struct Check {
    id: &'static str,
    title: &'static str,
    cure: &'static str,
    run: for<'a> fn(&'a mut Visit) -> Coming<'a>,
}

/// One visit to a server, and what was found on it so far.
struct Visit {
    target: Target,
    options: Options,
    clock: Clock,
    /// What `/health` answered.
    health: Value,
    /// What was drawn.
    drawn: Value,
    /// The project for what is written, once it was looked for.
    project: Option<String>,
    /// What was written: where to read it, and the text.
    written: Option<(String, String)>,
    metrics: Samples,
}

const CHECKS: [Check; 19] = [
    Check {
        id: "root",
        title: "The root names the service",
        cure: "Something else answers here. Check the address, and where the proxy sends it.",
        run: |visit| Box::pin(liveness::root(visit)),
    },
    Check {
        id: "live",
        title: "The process is alive and ready",
        cure: "See /health for the part that does not work, and the log for why.",
        run: |visit| Box::pin(liveness::ready(visit)),
    },
    Check {
        id: "health",
        title: "Health says how each part is",
        cure: "/health names the part that does not work; mend that first.",
        run: |visit| Box::pin(liveness::health(visit)),
    },
    Check {
        id: "health_time",
        title: "Health answers within a second",
        cure: "The machine is overloaded, or a proxy holds answers back: see `ba-copilot monitor`.",
        run: |visit| Box::pin(liveness::health_time(visit)),
    },
    Check {
        id: "mcp_server",
        title: "Health tells how the checker is",
        cure: "This is another program, or an old version. Deploy the current one.",
        run: |visit| Box::pin(liveness::mcp_server(visit)),
    },
    Check {
        id: "services",
        title: "All services run and reach each other",
        cure: "Start what is missing, and check DATABASE_URL, AI_SERVICE_URL, MCP_SERVER_URL and the networks between them.",
        run: |visit| Box::pin(liveness::services(visit)),
    },
    Check {
        id: "metrics",
        title: "Metrics can be scraped",
        cure: "See that the proxy lets /metrics through to whoever scrapes, and that nothing rewrites it.",
        run: |visit| Box::pin(liveness::metrics(visit)),
    },
    Check {
        id: "headers",
        title: "Answers carry the headers that protect browsers",
        cure: "A proxy takes headers away. Let it pass on what the server sends.",
        run: |visit| Box::pin(liveness::headers(visit)),
    },
    Check {
        id: "docs",
        title: "The documentation is Swagger",
        cure: "See that the proxy passes /docs and what is below it on.",
        run: |visit| Box::pin(liveness::docs(visit)),
    },
    Check {
        id: "openapi",
        title: "The API describes itself as OpenAPI 3.1",
        cure: "See that the proxy passes /openapi.json on, from the version that was deployed.",
        run: |visit| Box::pin(liveness::openapi(visit)),
    },
    Check {
        id: "generate",
        title: "A class diagram is drawn within 30 seconds",
        cure: "See the log of this request. Where a model writes, check its key and MODEL.",
        run: |visit| Box::pin(api::generate(visit)),
    },
    Check {
        id: "metadata",
        title: "The diagram says whether it was validated",
        cure: "This is another program, or an old version. Deploy the current one.",
        run: |visit| Box::pin(api::metadata(visit)),
    },
    Check {
        id: "drawn",
        title: "What was drawn is accepted when it is checked",
        cure: "Generation and checking disagree: see that all processes run the same version.",
        run: |visit| Box::pin(api::drawn(visit)),
    },
    Check {
        id: "accepts",
        title: "A good diagram is accepted",
        cure: "The checker refuses everything. See `mcp_server` in /health, and restart the process.",
        run: |visit| Box::pin(api::accepts(visit)),
    },
    Check {
        id: "rejects",
        title: "A bad diagram is rejected",
        cure: "The checker accepts anything, so nothing is validated. See `mcp_server` in /health.",
        run: |visit| Box::pin(api::rejects(visit)),
    },
    Check {
        id: "mcp",
        title: "Agents can check over MCP",
        cure: "See docs/mcp.md for how /mcp is served and who may call it.",
        run: |visit| Box::pin(mcp::mcp(visit)),
    },
    Check {
        id: "write",
        title: "What is written can be read by others",
        cure: "See `database` and `disk` in /health. Behind a proxy, see that all servers have the same DATABASE_URL.",
        run: |visit| Box::pin(persistence::write(visit)),
    },
    Check {
        id: "restart",
        title: "What was written survives a restart",
        cure: "See that the data folder or the database is on a volume that outlives the process.",
        run: |visit| Box::pin(persistence::restart(visit)),
    },
    Check {
        id: "backup",
        title: "There is a fresh backup that was verified",
        cure: "Make one with `ba-copilot backup create`, and see why none was made: docs/operations.md.",
        run: |visit| Box::pin(persistence::backup(visit)),
    },
];

/// Names and titles of all checks, in their order.
pub fn list_checks() -> impl Iterator<Item = (&'static str, &'static str)> {
    CHECKS.iter().map(|check| (check.id, check.title))
}

/// Looks at a server; `done` is told of each check as soon as it is made.
///
/// # Errors
/// When nothing answers at the address, so that there is nothing to check.
pub async fn verify_server(
    target: Target,
    options: Options,
    clock: Clock,
    mut done: impl FnMut(&Done),
) -> Result<Report, NoAnswer> {
    target.ask(Question::get("/livez")).await?;
    let mut report = Report { address: target.address(), at: clock.now_us(), checks: Vec::new() };
    let mut visit = Visit {
        target,
        options,
        clock,
        health: Value::Null,
        drawn: Value::Null,
        project: None,
        written: None,
        metrics: Samples::default(),
    };
    for check in &CHECKS {
        let begun = Instant::now();
        let outcome = match (check.run)(&mut visit).await {
            Ok(seen) => Outcome::Passed(seen),
            Err(Not::Well(found)) => Outcome::Failed { found, cure: check.cure.to_owned() },
            Err(Not::WellBecause(found, cure)) => Outcome::Failed { found, cure: cure.to_owned() },
            Err(Not::Possible(why)) => Outcome::Skipped(why),
        };
        let made = Done { id: check.id, title: check.title, outcome, took: begun.elapsed() };
        done(&made);
        report.checks.push(made);
    }
    Ok(report)
}

impl Visit {
    /// The server keeps nothing, by its own word.
    fn keeps_nothing(&self) -> bool {
        self.health["checks"]["database"]["mode"] == "none"
    }

    /// Asks the API, and tells a caller who is not let in from a server that does not work.
    async fn api(&self, question: Question<'_>) -> Result<Answer, Not> {
        let answer = self.target.ask(question).await?;
        let problem = answer.json();
        let detail = problem["detail"].as_str().unwrap_or("It says no more.");
        match (answer.status, self.target.has_token()) {
            (401, false) => Err(Not::Possible(
                "This server has accounts, and no token was given: set VERIFY_TOKEN, or use --token."
                    .to_owned(),
            )),
            (401, true) => Err(Not::WellBecause(
                "The server does not know the token that was given.".to_owned(),
                "Make one: `ba-copilot token create --user EMAIL --name verify --scope read,write,generate,mcp`.",
            )),
            (403, true) => Err(Not::WellBecause(
                format!("The token that was given may not do this. {detail}"),
                "Give it the scopes read, write, generate and mcp.",
            )),
            (200..=299, _) => Ok(answer),
            (status, _) => Err(Not::Well(format!("It answered with {status}. {detail}"))),
        }
    }
}

/// A condition of a check.
fn holds(fine: bool, otherwise: impl FnOnce() -> String) -> Result<(), Not> {
    if fine { Ok(()) } else { Err(Not::Well(otherwise())) }
}
