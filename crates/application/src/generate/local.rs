//! A generation in this process: carries out the steps that the session decides.

use std::time::Duration;

use llm::{Endpoint, LlmError, ProviderId, Question, Turn};
use mermend::{Checked, Engine};
use serde_json::Value;

use super::{
    budget_guard::{BudgetGuard, MeteredUsage},
    request::{Event, Watcher, watch},
    spans,
};
use crate::{
    Error,
    app::App,
    check::{self, Judged, Validator},
    session::{Outcome, Prompt, Session, Settings, Step},
};
use telemetry::trace::{Kind as About, Span};

/// Carries out what the session decides.
pub(super) struct Run<'a> {
    pub(super) app: &'a App,
    pub(super) endpoint: Option<&'a Endpoint>,
    pub(super) budget: &'a BudgetGuard<'a>,
    pub(super) watcher: &'a Watcher,
}

/// Why a question has no answer.
enum Unanswered {
    /// The model, or the way to it.
    Model(LlmError),
    /// It was not asked.
    NotAsked(Error),
}

impl Run<'_> {
    pub(super) async fn session(
        &self,
        settings: Settings,
        message: &str,
        took: &mut MeteredUsage,
    ) -> Result<(Outcome, Validator), Error> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(self.app.config.model.total_s);
        let mut failure: Option<Error> = None;
        let mut validator = None;
        let mut limit = None;
        let (mut session, mut step) = Session::start(settings, message);
        loop {
            step = match step {
                Step::Ask(prompt) => {
                    watch(self.watcher, Event::Status("asking"));
                    match self.ask(prompt, deadline, took).await {
                        Ok(text) => session.replied(&text),
                        Err(Unanswered::Model(error)) => {
                            let why = error.to_string();
                            let formless =
                                matches!(error, LlmError::BadReply { what: llm::BadReply::NotJson, .. });
                            failure = Some(error.into());
                            if formless { session.replied_without_form(&why) } else { session.failed(&why) }
                        }
                        Err(Unanswered::NotAsked(error @ (Error::Spent { .. } | Error::Model { .. }))) => {
                            let why = error.to_string();
                            failure = Some(error);
                            session.not_asked(&why)
                        }
                        Err(Unanswered::NotAsked(error)) => return Err(error),
                    }
                }
                Step::Check(text) => {
                    watch(self.watcher, Event::Status("checking"));
                    let Judged { checked, by } = check::check_code(self.app, text, Engine::Mermaid).await?;
                    validator = Some(by);
                    limit = checked.failure();
                    self.show_findings(&checked);
                    session.checked(checked)
                }
                Step::Repair(text) => {
                    watch(self.watcher, Event::Status("repairing"));
                    let repaired = check::repair_code(self.app, text).await?;
                    for step in &repaired.steps {
                        watch(self.watcher, Event::Repair(format!("{}: {}", step.rule, step.message)));
                    }
                    session.repaired(repaired)
                }
                Step::Done(outcome) => {
                    metrics::counter!("ba_copilot_retries_total").increment(u64::from(outcome.retry_count));
                    let by =
                        validator.ok_or_else(|| Error::Internal("a diagram was not checked".to_owned()))?;
                    return Ok((*outcome, by));
                }
                Step::GiveUp(problems) => {
                    return Err(match failure {
                        Some(error) => error,
                        None if limit.is_some() => Error::invalid(
                            "message",
                            format!(
                                "The diagram of this text is too large: Mermaid did not finish reading it within the limits of time ({} s) and size. Send one chapter at a time.",
                                self.app.config.check.time_s
                            ),
                        ),
                        // What the drafter writes is valid by construction; if not, that is a fault of ours.
                        None if self.endpoint.is_none() => {
                            Error::Internal("Mermaid did not accept the built-in draft".to_owned())
                        }
                        None => Error::Model {
                            code: "llm_bad_reply",
                            message: format!(
                                "The model's answers could not be made into a valid diagram: {}. Try another model, or allow the built-in draft with \"fallback\": true.",
                                problems.last().map(String::as_str).unwrap_or_default().trim_end_matches('.')
                            ),
                        },
                    });
                }
            };
        }
    }

    async fn ask(
        &self,
        prompt: Prompt,
        deadline: tokio::time::Instant,
        took: &mut MeteredUsage,
    ) -> Result<String, Unanswered> {
        let endpoint = self.endpoint.cloned().unwrap_or_else(|| Endpoint::new(ProviderId::Scripted));
        let turns = prompt
            .turns
            .into_iter()
            .enumerate()
            .map(|(n, text)| Turn {
                role: if n % 2 == 0 { llm::Role::User } else { llm::Role::Assistant },
                text,
            })
            .collect();
        let mut question = Question::new(prompt.system, "");
        question.schema = prompt.schema.map(|json| llm::Schema { name: "blueprint".to_owned(), json });
        question.turns = turns;
        question.max_output_tokens = self.app.config.model.max_output_tokens;
        let mut held = self.budget.reserve(&endpoint, &question).await.map_err(Unanswered::NotAsked)?;
        let mut told = Span::part(About::Client, "chat");
        question.traceparent = told.context().filter(|_| told.is_told()).map(|trace| trace.header());
        let asked = async {
            let mut tell = |delta: &str| watch(self.watcher, Event::Delta(delta.to_owned()));
            let tell: Option<&mut (dyn FnMut(&str) + Send)> =
                if self.watcher.is_some() { Some(&mut tell) } else { None };
            self.app.llm.ask_with_policy(&endpoint, &question, tell, &mut held).await
        };
        // All questions of one diagram share one time, or four slow answers would take four times as long as promised.
        let answer = told.around(tokio::time::timeout_at(deadline, asked)).await;
        let answer = answer.unwrap_or(Err(LlmError::TimedOut { limit: llm::Limit::Total }));
        spans::set_question(&mut told, &endpoint, &question, &answer);
        drop(told);
        let this = held.settle(&answer).await;
        *took = took.and(this);
        watch(self.watcher, Event::Usage { usage: this.usage, unknown: this.unknown });
        answer.map(|answer| answer.text).map_err(Unanswered::Model)
    }

    fn show_findings(&self, checked: &Checked) {
        for finding in &checked.findings {
            watch(self.watcher, Event::Finding(serde_json::to_value(finding).unwrap_or(Value::Null)));
        }
    }
}
