//! Generation in this process: executes the steps that the session decides.

use std::time::Duration;

use llm::{Endpoint, LlmError, ProviderId, Question, Turn};
use mermend::{Checked, Engine};
use serde_json::Value;

use super::{
    budget_guard::{BudgetGuard, MeteredUsage},
    request::{Event, Watcher, notify},
    spans,
};
use crate::{
    Error,
    app::App,
    check::{self, CheckResult, Validator},
    session::{Outcome, Prompt, Session, Settings, Step},
};
use telemetry::trace::{Kind as About, Span};

pub(super) struct Run<'a> {
    pub(super) app: &'a App,
    pub(super) endpoint: Option<&'a Endpoint>,
    pub(super) budget: &'a BudgetGuard<'a>,
    pub(super) watcher: &'a Watcher,
}

enum QuestionError {
    Model(LlmError),
    /// A budget refused the question.
    NotAsked(Error),
}

impl Run<'_> {
    pub(super) async fn session(
        &self,
        settings: Settings,
        message: &str,
        metered: &mut MeteredUsage,
    ) -> Result<(Outcome, Validator), Error> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(self.app.config.model.total_s);
        let mut failure: Option<Error> = None;
        let mut validator = None;
        let mut limit = None;
        let (mut session, mut step) = Session::start(settings, message);
        loop {
            step = match step {
                Step::Ask(prompt) => {
                    notify(self.watcher, Event::Status("asking"));
                    match self.ask(prompt, deadline, metered).await {
                        Ok(text) => session.replied(&text),
                        Err(QuestionError::Model(error)) => {
                            let why = error.user_message();
                            let formless =
                                matches!(error, LlmError::BadReply { what: llm::BadReply::NotJson, .. });
                            failure = Some(error.into());
                            if formless { session.replied_without_form(&why) } else { session.failed(&why) }
                        }
                        Err(QuestionError::NotAsked(
                            error @ (Error::BudgetExceeded { .. } | Error::ModelFailed { .. }),
                        )) => {
                            let why = error.to_string();
                            failure = Some(error);
                            session.not_asked(&why)
                        }
                        Err(QuestionError::NotAsked(error)) => return Err(error),
                    }
                }
                Step::Check(text) => {
                    notify(self.watcher, Event::Status("checking"));
                    let CheckResult { checked, by } =
                        check::check_code(self.app, text, Engine::Mermaid).await?;
                    validator = Some(by);
                    limit = checked.failure();
                    self.notify_findings(&checked);
                    session.checked(checked)
                }
                Step::Repair(text) => {
                    notify(self.watcher, Event::Status("repairing"));
                    let repaired = check::repair_code(self.app, text).await?;
                    for step in &repaired.steps {
                        notify(self.watcher, Event::Repair(format!("{}: {}", step.rule, step.message)));
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
                                "The diagram of this text is too large: Mermaid did not parse it within the \
                                 limits of time ({} s) and size. Send one chapter at a time.",
                                self.app.config.check.time_s
                            ),
                        ),
                        // The drafter's output is valid by construction, so this is a defect.
                        None if self.endpoint.is_none() => {
                            Error::Internal("Mermaid did not accept the built-in draft".to_owned())
                        }
                        None => Error::ModelFailed {
                            code: "llm_bad_reply",
                            message: format!(
                                "The model's answers did not result in a valid diagram: {}. Try another model, or \
                                 allow the built-in draft with \"fallback\": true.",
                                problems.last().map(String::as_str).unwrap_or_default().trim_end_matches('.')
                            ),
                            wait_s: None,
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
        metered: &mut MeteredUsage,
    ) -> Result<String, QuestionError> {
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
        let mut held = self.budget.reserve(&endpoint, &question).await.map_err(QuestionError::NotAsked)?;
        let mut span = Span::child(About::Client, "chat");
        question.traceparent =
            span.context().filter(|_| span.is_recording()).map(|trace| trace.traceparent());
        let asked = async {
            let mut on_delta = |delta: &str| notify(self.watcher, Event::Delta(delta.to_owned()));
            let on_delta: Option<&mut (dyn FnMut(&str) + Send)> =
                if self.watcher.is_some() { Some(&mut on_delta) } else { None };
            self.app.llm.ask_with_policy(&endpoint, &question, on_delta, &mut held).await
        };
        // One deadline for all questions of a diagram; otherwise retries would multiply the time limit.
        let answer = span.in_scope(tokio::time::timeout_at(deadline, asked)).await;
        let answer = answer.unwrap_or(Err(LlmError::TimedOut { limit: llm::Limit::Total }));
        spans::set_question(&mut span, &endpoint, &question, &answer);
        drop(span);
        let this = held.settle(&answer).await;
        *metered = metered.and(this);
        notify(self.watcher, Event::Usage { usage: this.usage, unknown: this.unknown });
        answer.map(|answer| answer.text).map_err(QuestionError::Model)
    }

    fn notify_findings(&self, checked: &Checked) {
        for finding in &checked.findings {
            notify(self.watcher, Event::Finding(serde_json::to_value(finding).unwrap_or(Value::Null)));
        }
    }
}
