//! The state machine of one generation.

use blueprint::{Blueprint, Kind, Severity, Target};
use mermend::{Checked, Repaired};

use super::{Author, Outcome, prompts, trace};

#[derive(Debug, Clone)]
pub struct Settings {
    pub kind: Kind,
    /// Use a model, or only the drafter.
    pub ask_model: bool,
    pub max_retries: u32,
    /// Use the built-in draft if the model fails.
    pub fallback: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    pub system: String,
    /// Alternating questions and answers; the last is the question to ask.
    pub turns: Vec<String>,
    /// JSON schema of the answer; `None` if Mermaid text is requested.
    pub schema: Option<serde_json::Value>,
}

/// The next step, for the caller to execute.
#[derive(Debug)]
pub enum Step {
    /// Ask the model, then call [`Session::replied`], [`Session::failed`] or [`Session::not_asked`].
    Ask(Prompt),
    /// Check this text, then call [`Session::checked`].
    Check(String),
    /// Repair this text, then call [`Session::repaired`].
    Repair(String),
    Done(Box<Outcome>),
    /// No diagram, for these reasons.
    GiveUp(Vec<String>),
}

/// A diagram before its last check.
#[derive(Debug, Clone, Default)]
struct Candidate {
    blueprint: Option<Blueprint>,
    text: String,
    repairs: Vec<String>,
    notes: Vec<String>,
    /// The language of the requirements if the drafter could not read it.
    language: Option<drafter::Language>,
}

#[derive(Debug)]
pub struct Session {
    settings: Settings,
    message: String,
    turns: Vec<String>,
    asked: u32,
    candidate: Candidate,
    written: Author,
    problems: Vec<String>,
    errors: Vec<String>,
    last_reply: String,
    free_text: bool,
}

impl Session {
    pub fn start(settings: Settings, message: &str) -> (Session, Step) {
        let ask = settings.ask_model;
        let mut session = Session {
            settings,
            message: message.to_owned(),
            turns: Vec::new(),
            asked: 0,
            candidate: Candidate::default(),
            written: if ask { Author::Model } else { Author::Builtin },
            problems: Vec::new(),
            errors: Vec::new(),
            last_reply: String::new(),
            free_text: false,
        };
        let step = if ask { session.ask(prompts::first(message)) } else { session.draft() };
        (session, step)
    }

    /// Handles an answer of the model.
    pub fn replied(&mut self, reply: &str) -> Step {
        self.last_reply = reply.to_owned();
        match blueprint::parse(self.settings.kind, reply) {
            Ok(mut found) => {
                let repairs = blueprint::normalize(&mut found);
                let problems: Vec<String> = blueprint::lint(&found)
                    .into_iter()
                    .filter(|lint| lint.severity == Severity::Error)
                    .map(|lint| format!("{}: {}", lint.path, lint.message))
                    .collect();
                if !problems.is_empty() {
                    return self.ask_again(problems);
                }
                let text = blueprint::compile(&found, Target::Portable).text;
                self.candidate =
                    Candidate { blueprint: Some(found), text: text.clone(), repairs, ..Candidate::default() };
                Step::Check(text)
            }
            // A model that does not follow the schema often writes Mermaid, which can be repaired.
            Err(_) if looks_like_mermaid(reply) => {
                self.candidate = Candidate::default();
                Step::Repair(reply.to_owned())
            }
            Err(problems) => {
                let problems = problems
                    .into_iter()
                    .map(|problem| format!("{}: {}", problem.path, problem.message))
                    .collect();
                self.ask_again(problems)
            }
        }
    }

    /// Handles a failure of the model; `why` is a sentence.
    pub fn failed(&mut self, why: &str) -> Step {
        self.errors.push(why.to_owned());
        self.fall_back()
    }

    /// Handles a question that was not asked and will not be; `why` is a sentence.
    pub fn not_asked(&mut self, why: &str) -> Step {
        self.asked = self.asked.saturating_sub(1);
        self.failed(why)
    }

    /// Handles an answer that is not JSON. Some models cannot follow a schema: Mermaid text is requested instead,
    /// once.
    pub fn replied_without_form(&mut self, why: &str) -> Step {
        if self.free_text || self.retry_count() >= self.settings.max_retries {
            return self.failed(why);
        }
        self.errors.push(why.to_owned());
        self.free_text = true;
        self.turns.clear();
        let question = prompts::free_text(self.settings.kind, &self.message);
        self.ask(question)
    }

    /// Handles the result of [`Step::Repair`].
    pub fn repaired(&mut self, repaired: Repaired) -> Step {
        if !repaired.valid {
            let problems = repaired
                .findings
                .iter()
                .map(|finding| format!("line {}: {}", finding.span.line, finding.message))
                .collect();
            return self.ask_again(problems);
        }
        let outline = mermend::outline(&repaired.code);
        let read = outline.and_then(|outline| blueprint::read(self.settings.kind, &outline));
        self.candidate = Candidate {
            blueprint: read,
            text: repaired.code.clone(),
            repairs: repaired.steps.iter().map(|step| format!("{}: {}", step.rule, step.message)).collect(),
            ..Candidate::default()
        };
        Step::Check(repaired.code)
    }

    /// Handles the result of [`Step::Check`].
    pub fn checked(&mut self, checked: Checked) -> Step {
        if checked.valid {
            return Step::Done(Box::new(self.outcome(checked)));
        }
        let problems: Vec<String> = checked
            .findings
            .iter()
            .map(|finding| format!("line {}: {}", finding.span.line, finding.message))
            .collect();
        match self.written {
            Author::Model => self.ask_again(problems),
            // Drafts are valid by construction, so this is a defect to report.
            Author::Builtin | Author::Fallback => {
                self.errors.extend(problems);
                Step::GiveUp(std::mem::take(&mut self.errors))
            }
        }
    }

    fn ask(&mut self, question: String) -> Step {
        self.turns.push(question);
        self.asked += 1;
        Step::Ask(Prompt {
            system: prompts::system(self.settings.kind),
            turns: self.turns.clone(),
            schema: (!self.free_text).then(|| blueprint::schema(self.settings.kind)),
        })
    }

    fn ask_again(&mut self, problems: Vec<String>) -> Step {
        let same = problems == self.problems;
        self.errors.extend(problems.iter().filter(|problem| !self.problems.contains(problem)).cloned());
        self.problems = problems;
        // The same findings twice: another attempt would only add cost.
        if same || self.retry_count() >= self.settings.max_retries {
            return self.fall_back();
        }
        self.turns.push(std::mem::take(&mut self.last_reply));
        let question = prompts::again(&self.problems);
        self.ask(question)
    }

    fn fall_back(&mut self) -> Step {
        if !self.settings.fallback {
            return Step::GiveUp(std::mem::take(&mut self.errors));
        }
        self.written = Author::Fallback;
        self.draft()
    }

    fn draft(&mut self) -> Step {
        let draft = drafter::draft(self.settings.kind, &self.message);
        let mut drafted = draft.blueprint;
        blueprint::normalize(&mut drafted);
        let text = blueprint::compile(&drafted, Target::Portable).text;
        self.candidate = Candidate {
            blueprint: Some(drafted),
            text: text.clone(),
            repairs: Vec::new(),
            notes: draft.notes,
            language: draft.language,
        };
        Step::Check(text)
    }

    fn retry_count(&self) -> u32 {
        self.asked.saturating_sub(1)
    }

    fn outcome(&mut self, checked: Checked) -> Outcome {
        let candidate = std::mem::take(&mut self.candidate);
        let elements = candidate
            .blueprint
            .as_ref()
            .map(|found| blueprint::compile(found, Target::Portable).elements)
            .unwrap_or_default();
        let warning = match self.written {
            Author::Fallback => Some(
                format!(
                    "The model could not be used, so this is a draft by the built-in drafter. {}",
                    self.errors.last().map(String::as_str).unwrap_or_default()
                )
                .trim()
                .to_owned(),
            ),
            Author::Model | Author::Builtin => None,
        };
        let empty = candidate.blueprint.as_ref().is_some_and(blueprint::is_empty);
        let unread = candidate.language.map(|language| {
            format!(
                "This text looks {}, and the built-in drafter reads English only. Use a language model, or write the \
                 requirements in English.",
                language.name
            )
        });
        let warning = match (warning, unread) {
            (Some(warning), Some(unread)) => Some(format!("{warning} {unread}")),
            (warning, unread) => warning.or(unread),
        };
        let warning = warning.or_else(|| {
            empty.then(|| {
                "Nothing to draw was found in the text. Write sentences \
            that say who does what with which things."
                    .to_owned()
            })
        });
        Outcome {
            trace: trace::trace_elements(&self.message, &elements),
            text: candidate.text,
            findings: checked.findings.clone(),
            checked,
            blueprint: candidate.blueprint,
            elements,
            repairs: candidate.repairs,
            retry_count: self.retry_count(),
            written: self.written,
            warning,
            errors: std::mem::take(&mut self.errors),
            notes: candidate.notes,
        }
    }
}

/// Whether a reply that is not JSON may be a diagram.
fn looks_like_mermaid(reply: &str) -> bool {
    reply.contains("```mermaid")
        || reply.lines().take(40).any(|line| {
            let word = line.trim().trim_start_matches('`').split_whitespace().next().unwrap_or_default();
            word.len() > 4 && mermend::kinds::find_by_header(word).is_some()
        })
}
