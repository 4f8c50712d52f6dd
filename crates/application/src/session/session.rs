//! The state machine of one generation.

use blueprint::{Blueprint, Element, Kind, Severity, Target};
use mermend::{Checked, Repaired};

use super::{Outcome, TraceEntry, Written, prompts};

/// How a session goes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What to draw.
    pub kind: Kind,
    /// Ask a model, or draft without one.
    pub ask_model: bool,
    /// How often the model is asked again, at most.
    pub max_retries: u32,
    /// Give the built-in draft when the model fails.
    pub fallback: bool,
}

/// One question to the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// Instructions.
    pub system: String,
    /// Question, answer, question, …; the last is the question to ask.
    pub turns: Vec<String>,
    /// What the answer must look like; none when the model is asked for Mermaid text instead.
    pub schema: Option<serde_json::Value>,
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Ask the model, then call [`Session::replied`], [`Session::failed`] or [`Session::not_asked`].
    Ask(Prompt),
    /// Check this text, then call [`Session::checked`].
    Check(String),
    /// Repair this text, then call [`Session::repaired`].
    Repair(String),
    /// Here it is.
    Done(Box<Outcome>),
    /// There is no diagram, and this is why.
    GiveUp(Vec<String>),
}

/// A diagram on its way.
#[derive(Debug, Clone, Default)]
struct Candidate {
    blueprint: Option<Blueprint>,
    text: String,
    repairs: Vec<String>,
    notes: Vec<String>,
}

/// One generation.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    message: String,
    turns: Vec<String>,
    asked: u32,
    candidate: Candidate,
    written: Written,
    problems: Vec<String>,
    errors: Vec<String>,
    last_reply: String,
    free_text: bool,
}

impl Session {
    /// Begins a generation from `message`.
    pub fn start(settings: Settings, message: &str) -> (Session, Step) {
        let ask = settings.ask_model;
        let mut session = Session {
            settings,
            message: message.to_owned(),
            turns: Vec::new(),
            asked: 0,
            candidate: Candidate::default(),
            written: if ask { Written::Model } else { Written::Builtin },
            problems: Vec::new(),
            errors: Vec::new(),
            last_reply: String::new(),
            free_text: false,
        };
        let step = if ask { session.ask(prompts::first(message)) } else { session.draft() };
        (session, step)
    }

    /// The model answered.
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
                    Candidate { blueprint: Some(found), text: text.clone(), repairs, notes: Vec::new() };
                Step::Check(text)
            }
            // A model that cannot keep to the schema often writes Mermaid: that is mended, not thrown away.
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

    /// The model did not answer; `why` is one plain sentence.
    pub fn failed(&mut self, why: &str) -> Step {
        self.errors.push(why.to_owned());
        self.fall_back()
    }

    /// The question was not put to the model at all, and will not be; `why` is one plain sentence.
    pub fn not_asked(&mut self, why: &str) -> Step {
        self.asked = self.asked.saturating_sub(1);
        self.failed(why)
    }

    /// The model answered, but not in the form of the schema: some cannot. It is asked for Mermaid text, once.
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

    /// The text of [`Step::Repair`] was mended, or not.
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
            notes: Vec::new(),
        };
        Step::Check(repaired.code)
    }

    /// The text of [`Step::Check`] was checked.
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
            Written::Model => self.ask_again(problems),
            // The drafter's diagrams are valid by construction: this is a fault of ours, and nothing to hide.
            Written::Builtin | Written::Fallback => {
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
        // The same faults twice: a third try would cost the same and bring the same.
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
        self.written = Written::Fallback;
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
            Written::Fallback => Some(
                format!(
                    "The model could not be used, so this is a draft by the built-in drafter. {}",
                    self.errors.last().map(String::as_str).unwrap_or_default()
                )
                .trim()
                .to_owned(),
            ),
            Written::Model | Written::Builtin => None,
        };
        let empty = candidate.blueprint.as_ref().is_some_and(blueprint::is_empty);
        let warning = warning.or_else(|| empty.then(|| "Nothing to draw was found in the text. Write sentences that say who does what with which things.".to_owned()));
        Outcome {
            trace: self.trace(&elements),
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

    /// Where each element comes from: what the drafter noted, else the words the model copied, else its own label.
    fn trace(&self, elements: &[Element]) -> Vec<TraceEntry> {
        let sentences = drafter::sentences(&self.message);
        let mut trace = Vec::new();
        for element in elements {
            let mut spans = element.sources.clone();
            if spans.is_empty()
                && let Some(words) = &element.evidence
            {
                spans = drafter::locate(&self.message, words);
            }
            if spans.is_empty() {
                spans = drafter::locate(&self.message, &element.label);
            }
            for span in spans.into_iter().take(8) {
                let Some(text) = self.message.get(span.start..span.end) else { continue };
                let requirement = sentences.partition_point(|sentence| sentence.start <= span.start).max(1);
                trace.push(TraceEntry {
                    element: element.id.clone(),
                    requirement,
                    start: span.start,
                    end: span.end,
                    text: text.to_owned(),
                });
            }
        }
        trace
    }
}

/// Whether a reply that is no JSON may be a diagram.
fn looks_like_mermaid(reply: &str) -> bool {
    reply.contains("```mermaid")
        || reply.lines().take(40).any(|line| {
            let word = line.trim().trim_start_matches('`').split_whitespace().next().unwrap_or_default();
            word.len() > 4 && mermend::kinds::find_by_header(word).is_some()
        })
}
