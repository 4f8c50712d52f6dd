//! One check: both engines, one verdict, and the findings.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use diagram::Location;
use lru::LruCache;
use sha2::{Digest, Sha256};

use crate::{
    deadline::{Deadline, DeadlineExceeded},
    document::Document,
    engines::{self, Failure, MERMAID_VERSION, Outcome, Rejection, Verdict, fast::Share},
    explain_rejection::explain,
    finding::Finding,
    finding_list::FindingList,
    kinds::{self, Kind},
    rules::{self, Hit, verdicts},
    text::LineIndex,
};

/// The engine whose verdict counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Engine {
    /// Mermaid's own parser.
    #[default]
    Mermaid,
    /// The fast parser in Rust.
    Fast,
}

/// Bounds of one check, and the size of the engine.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest text, in bytes.
    pub size_bytes: usize,
    /// Time for one text in the Mermaid engine, and for a whole check, repair or patch whose caller gives no deadline.
    pub time: Duration,
    /// Memory of one thread of the Mermaid engine, in bytes.
    pub memory_bytes: usize,
    /// Threads of the Mermaid engine; each takes about 40 MB once it has worked.
    pub threads: NonZeroUsize,
    /// How many verdicts are remembered.
    pub cache_entries: NonZeroUsize,
    /// How many texts may wait for the Mermaid engine; more are refused with [`Failure::Busy`].
    pub queue_entries: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Limits {
            size_bytes: 1_000_000,
            time: Duration::from_secs(10),
            memory_bytes: 512 << 20,
            threads: cores.min(NonZeroUsize::MIN.saturating_add(3)),
            cache_entries: NonZeroUsize::MIN.saturating_add(4095),
            queue_entries: NonZeroUsize::MIN.saturating_add(255),
        }
    }
}

/// The result of a check.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The verdict of the engine that was asked for.
    pub valid: bool,
    /// The kind of diagram, if it is known.
    pub kind: Option<&'static Kind>,
    /// What to know about it.
    pub findings: Vec<Finding>,
    /// The verdict of Mermaid's own parser; `None` if it was not asked or is not part of this build.
    pub mermaid: Option<Verdict>,
    /// The verdict of the fast parser.
    pub fast: Option<Verdict>,
}

impl Checked {
    /// The verdict that counts: Mermaid's own, or the fast one where Mermaid's parser was not asked.
    fn deciding(&self) -> Option<&Verdict> {
        self.mermaid.as_ref().or(self.fast.as_ref())
    }

    /// Replaces the verdict that counts by a failure.
    fn fail(&mut self, failure: Failure, finding: Finding) {
        if let Some(verdict) = self.mermaid.as_mut().or(self.fast.as_mut()) {
            verdict.outcome = Outcome::Failed(failure);
        }
        self.valid = false;
        self.findings = vec![finding];
    }

    /// Mermaid's own parser accepted exactly this text.
    pub fn validated(&self) -> bool {
        self.mermaid.as_ref().is_some_and(Verdict::valid)
    }

    /// The same text gives the same answer later: a limit that was reached may not be reached again.
    pub fn lasts(&self) -> bool {
        let temporary = |verdict: &Option<Verdict>| {
            verdict.as_ref().and_then(Verdict::failure).is_some_and(Failure::is_temporary)
        };
        self.deciding().is_some_and(|verdict| verdict.failure().is_none())
            && !temporary(&self.mermaid)
            && !temporary(&self.fast)
    }

    /// Why there is no verdict, if there is none: a limit was reached, or the engine did not run.
    pub fn failure(&self) -> Option<Failure> {
        match self.deciding() {
            Some(verdict) => verdict.failure(),
            None => self
                .findings
                .iter()
                .any(|finding| finding.code == verdicts::TOO_LARGE.code)
                .then_some(Failure::TooLarge),
        }
    }

    /// How much memory it takes to remember it, in bytes.
    fn weight(&self) -> usize {
        let fix = |finding: &Finding| {
            finding.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.text.len() + 50).sum::<usize>()
        };
        let one = |finding: &Finding| {
            finding.message.len() + finding.hint.as_ref().map_or(0, String::len) + fix(finding) + 200
        };
        self.findings.iter().map(one).sum()
    }

    /// Both engines had a verdict and they differ.
    pub fn disagreement(&self) -> bool {
        let verdict = |verdict: &Option<Verdict>| {
            verdict.as_ref().filter(|v| !matches!(v.outcome, Outcome::Failed(_))).map(Verdict::valid)
        };
        matches!((verdict(&self.mermaid), verdict(&self.fast)), (Some(a), Some(b)) if a != b)
    }
}

/// Answers to texts longer than this are not remembered, so that a full memory stays small.
pub const REMEMBERED_BYTES: usize = 64 << 10;
/// Answers that are larger than this are not remembered either.
const REMEMBERED_WEIGHT: usize = 32 << 10;

/// Checks texts. Cheap to make: the Mermaid engine starts with the first text it is asked about.
pub struct Checker {
    limits: Limits,
    /// Whole answers: agents ask the same text again and again, and a finding costs more than a verdict.
    answers: Mutex<LruCache<(Engine, [u8; 32]), Checked>>,
    #[cfg(feature = "mermaid")]
    mermaid: engines::mermaid::Engine,
}

impl Default for Checker {
    fn default() -> Self {
        Checker::new(Limits::default())
    }
}

impl Checker {
    /// A checker with these bounds.
    pub fn new(limits: Limits) -> Self {
        Checker {
            #[cfg(feature = "mermaid")]
            mermaid: engines::mermaid::Engine::new(engines::mermaid::Settings {
                threads: limits.threads,
                time: limits.time,
                memory_bytes: limits.memory_bytes,
                cache_entries: limits.cache_entries,
                queue_entries: limits.queue_entries,
            }),
            answers: Mutex::new(LruCache::new(limits.cache_entries)),
            limits,
        }
    }

    /// The deadline of a caller that has none of its own.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.limits.time)
    }

    /// The bounds it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Checks one text with Mermaid's own parser, or with the fast one where this build has no other.
    pub fn check(&self, text: &str) -> Checked {
        self.check_with(text, Engine::Mermaid)
    }

    /// Checks one text. With [`Engine::Fast`] the Mermaid engine is not asked.
    pub fn check_with(&self, text: &str, engine: Engine) -> Checked {
        self.check_within(text, engine, &self.deadline())
    }

    /// Checks one text until `deadline`, which includes the time in the queue of the Mermaid engine.
    ///
    /// When the deadline is exceeded, the deciding verdict is [`Failure::TooSlow`] and the finding is `MMD005`.
    pub fn check_within(&self, text: &str, engine: Engine, deadline: &Deadline) -> Checked {
        if let Some(known) = self.known(text, engine) {
            return known;
        }
        let checked = self.examine(text, engine, deadline);
        self.remember(text, engine, &checked);
        checked
    }

    /// Remembers the answer to a text, if it lasts and the text is not long. Also for an answer that another process
    /// of the same version has worked out; the caller vouches for it.
    pub fn remember(&self, text: &str, engine: Engine, checked: &Checked) {
        if checked.lasts()
            && text.len() <= REMEMBERED_BYTES
            && checked.weight() <= REMEMBERED_WEIGHT
            && let Ok(mut answers) = self.answers.lock()
        {
            answers.put(key(text, engine), checked.clone());
        }
    }

    /// The answer to a text that was checked before, at the cost of a hash; `None` if it has to be worked out.
    pub fn known(&self, text: &str, engine: Engine) -> Option<Checked> {
        if text.len() > REMEMBERED_BYTES {
            return None;
        }
        let mut known = self.answers.lock().ok()?.get(&key(text, engine)).cloned()?;
        for verdict in [&mut known.mermaid, &mut known.fast].into_iter().flatten() {
            verdict.cached = true;
        }
        Some(known)
    }

    fn examine(&self, text: &str, engine: Engine, deadline: &Deadline) -> Checked {
        let without_verdict = |finding| Checked {
            valid: false,
            kind: None,
            findings: vec![finding],
            mermaid: None,
            fast: None,
        };
        let index = LineIndex::within(text, deadline);
        if text.trim().is_empty() {
            let finding = Finding::new(
                &verdicts::EMPTY_DIAGRAM,
                "rules",
                index.location(0, text.len()),
                "There is no diagram: the text is empty.".into(),
            )
            .with_hint("Begin with the kind of diagram, for example `flowchart TD`.");
            return without_verdict(finding);
        }
        if text.len() > self.limits.size_bytes {
            return without_verdict(failure_finding(Failure::TooLarge, "rules", &index, &self.limits));
        }
        let share = match engine {
            Engine::Mermaid if MERMAID_VERSION.is_some() => Share::Part,
            _ => Share::All,
        };
        let fast = engines::fast::verdict(text, deadline, share);
        let mermaid = match engine {
            Engine::Mermaid => self.ask_mermaid(text, deadline),
            Engine::Fast => None,
        };
        let mut checked = self.conclude(text, &index, mermaid, fast);
        if let Some(Outcome::Rejected(_)) = checked.deciding().map(|verdict| &verdict.outcome)
            && self.explain_causes(text, &index, deadline, &mut checked).is_err()
        {
            checked.fail(Failure::TooSlow, failure_finding(Failure::TooSlow, "rules", &index, &self.limits));
        }
        if checked.valid && warn(text, &index, deadline, &mut checked.findings).is_err() {
            checked.fail(Failure::TooSlow, failure_finding(Failure::TooSlow, "rules", &index, &self.limits));
        }
        checked
    }

    /// The answer without the causes that the rules find.
    fn conclude(
        &self,
        text: &str,
        index: &LineIndex<'_>,
        mermaid: Option<Verdict>,
        fast: Verdict,
    ) -> Checked {
        let deciding = mermaid.as_ref().unwrap_or(&fast);
        let name = if mermaid.is_some() { "mermaid" } else { "fast" };
        let mut findings = Vec::new();
        match &deciding.outcome {
            Outcome::Accepted { .. } => {}
            Outcome::Rejected(rejection) => findings.push(rejection_finding(rejection, &fast, name, index)),
            Outcome::Failed(failure) => findings.push(failure_finding(*failure, name, index, &self.limits)),
        }
        let kind =
            [Some(deciding), Some(&fast)].into_iter().flatten().find_map(|verdict| match &verdict.outcome {
                Outcome::Accepted { mermaid_type } => kinds::find_by_mermaid_type(mermaid_type),
                _ => None,
            });
        let kind = kind.or_else(|| kinds::find_by_header(text));
        let mut checked = Checked { valid: deciding.valid(), kind, findings, mermaid, fast: Some(fast) };
        if checked.disagreement() {
            let message = match checked.validated() {
                true => "Mermaid accepts this; the fast engine, which draws the pictures, does not.",
                false => "The fast engine accepts this; Mermaid does not.",
            };
            let start = index.location(0, 0);
            checked.findings.push(Finding::new(
                &verdicts::ENGINES_DISAGREE,
                "rules",
                start,
                message.to_owned(),
            ));
        }
        checked
    }

    /// Adds what the rules know about a rejection, behind the rejection itself.
    fn explain_causes(
        &self,
        text: &str,
        index: &LineIndex<'_>,
        deadline: &Deadline,
        checked: &mut Checked,
    ) -> Result<(), DeadlineExceeded> {
        if let Some(rejected) = checked.findings.first().map(|finding| finding.span) {
            let mut list = FindingList::new(Vec::new());
            let mut own = std::mem::take(&mut checked.findings).into_iter();
            own.next().into_iter().for_each(|finding| list.push(finding));
            causes(text, index, rejected, deadline, &mut list)?;
            own.for_each(|finding| list.push_always(finding));
            checked.findings = list.finish();
        }
        Ok(())
    }

    /// The verdict that counts, without findings: Mermaid's own, or the fast one where this build has no other.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn accepts(&self, text: &str, deadline: &Deadline) -> Result<bool, Failure> {
        if text.len() > self.limits.size_bytes {
            return Err(Failure::TooLarge);
        }
        let verdict = self
            .ask_mermaid(text, deadline)
            .unwrap_or_else(|| engines::fast::verdict(text, deadline, Share::All));
        verdict.failure().map_or(Ok(verdict.valid()), Err)
    }

    /// The finding of a limit, for the text as a whole.
    pub(crate) fn failure_finding(&self, failure: Failure, index: &LineIndex<'_>) -> Finding {
        failure_finding(failure, "rules", index, &self.limits)
    }

    #[cfg(feature = "mermaid")]
    fn ask_mermaid(&self, text: &str, deadline: &Deadline) -> Option<Verdict> {
        Some(self.mermaid.verdict(text, deadline))
    }

    #[cfg(not(feature = "mermaid"))]
    #[expect(clippy::unused_self, reason = "the same call in both builds")]
    fn ask_mermaid(&self, _text: &str, _deadline: &Deadline) -> Option<Verdict> {
        None
    }
}

fn key(text: &str, engine: Engine) -> (Engine, [u8; 32]) {
    (engine, Sha256::digest(text.as_bytes()).into())
}

/// Checks one text with default bounds.
pub fn check(text: &str) -> Vec<Finding> {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(Checker::default).check(text).findings
}

fn failure_finding(failure: Failure, engine: &str, index: &LineIndex<'_>, limits: &Limits) -> Finding {
    let whole = index.location(0, usize::MAX);
    let (rule, message, hint) = match failure {
        Failure::TooLarge => (
            &verdicts::TOO_LARGE,
            format!("The text is larger than {} bytes, the most that is checked.", limits.size_bytes),
            "Split it into several diagrams.",
        ),
        Failure::TooSlow => (
            &verdicts::TOO_SLOW,
            "The time limit was reached before the text was checked completely.".to_owned(),
            "Split it into several diagrams. If it is small, try again: waiting for the engine counts too.",
        ),
        Failure::TooDeep => (
            &verdicts::TOO_DEEP,
            "Mermaid ran out of memory or of depth while reading the text.".to_owned(),
            "Split it into several diagrams, or nest less.",
        ),
        Failure::Unavailable => (
            &verdicts::UNCHECKED,
            "The Mermaid engine could not run, so the text is unchecked.".to_owned(),
            "Try again; if it stays so, look at the server's log and its /health.",
        ),
        Failure::Busy => (
            &verdicts::BUSY,
            "The text is unchecked: too many other texts wait for the Mermaid engine.".to_owned(),
            "Try again in a few seconds.",
        ),
    };
    Finding::new(rule, engine, whole, message).with_hint(hint)
}

fn rejection_finding(rejection: &Rejection, fast: &Verdict, engine: &str, index: &LineIndex<'_>) -> Finding {
    if rejection.unknown_kind {
        let end =
            index.line(first_content_line(index)).map_or((0, 0), |(start, line)| (start, start + line.len()));
        let headers: Vec<&str> = kinds::KINDS.iter().take(6).map(|kind| kind.header).collect();
        return Finding::new(
            &verdicts::UNKNOWN_KIND,
            engine,
            index.location(end.0, end.1),
            "Mermaid does not know what kind of diagram this is.".into(),
        )
        .with_hint(format!("Begin with the kind: {} or another of `ba-copilot kinds`.", headers.join(", ")));
    }
    if rejection.settings {
        let span =
            rejection.bytes.map_or_else(|| index.location(0, 0), |(start, end)| index.location(start, end));
        let message =
            format!("The settings before the diagram cannot be read: {}.", first_line(&rejection.message));
        return Finding::new(&verdicts::BROKEN_SETTINGS, engine, span, message)
            .with_hint("Settings stand between two lines `---`, as YAML, or in `%%{init: {…}}%%`, as JSON.");
    }
    // The fast parser is the better guide to the place; Mermaid's own stands where it has none.
    let guide = match &fast.outcome {
        Outcome::Rejected(other) => other.bytes.filter(|_| near(other.bytes, rejection.bytes, index)),
        _ => None,
    };
    let (start, end) = guide.or(rejection.bytes).unwrap_or((0, 0));
    let span = index.location(start, end);
    let (message, hint) = explain(rejection, index, span);
    let finding = Finding::new(&verdicts::SYNTAX_ERROR, engine, span, message);
    match hint {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

/// What the rules know about a rejection: hits on the rejected line (or beside it, where a parser only notices a line
/// later), and what stands around the diagram.
fn causes(
    text: &str,
    index: &LineIndex<'_>,
    rejected: Location,
    deadline: &Deadline,
    list: &mut FindingList,
) -> Result<(), DeadlineExceeded> {
    let hits = rules::hits(&Document::new(text, deadline))?;
    let near = |hit: &Hit, reach: usize| {
        let (first, last) = (index.line_of(hit.start), index.line_of(hit.end));
        first <= rejected.end_line + reach && last + reach >= rejected.line
    };
    deadline.spend(2 * hits.len())?;
    let reach = usize::from(!hits.iter().any(|(_, hit)| near(hit, 0)));
    for (rule, hit) in hits {
        if rule.unwraps || near(&hit, reach) {
            list.push_hit(rule, hit, index);
        }
    }
    Ok(())
}

/// Adds what is to know about a diagram that Mermaid accepts.
fn warn(
    text: &str,
    index: &LineIndex<'_>,
    deadline: &Deadline,
    findings: &mut Vec<Finding>,
) -> Result<(), DeadlineExceeded> {
    let mut list = FindingList::new(std::mem::take(findings));
    for (rule, hit) in rules::warnings(&Document::new(text, deadline))? {
        list.push_hit(rule, hit, index);
    }
    *findings = list.finish();
    Ok(())
}

/// Both places are on the same line, or there is only one.
fn near(a: Option<(usize, usize)>, b: Option<(usize, usize)>, index: &LineIndex<'_>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => index.line_of(a.0) == index.line_of(b.0),
        _ => true,
    }
}

fn first_content_line(index: &LineIndex<'_>) -> usize {
    (1..=index.line_count())
        .find(|n| index.line(*n).is_some_and(|(_, line)| !line.trim().is_empty()))
        .unwrap_or(1)
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default().trim_end_matches(['.', ':'])
}

#[cfg(test)]
mod tests {
    use diagram::Severity;

    use crate::{finding::FixClass, rules::testing::checker};

    fn codes(text: &str) -> Vec<String> {
        checker().check(text).findings.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_rejection_comes_with_its_cause_and_the_repair() {
        let findings = checker().check("flowchart LR\n  A --> B\n  B --> C[run()]\n").findings;
        assert_eq!(findings[0].code, "MMD001");
        let cause = &findings[1];
        assert_eq!((cause.code.as_str(), cause.span.line, cause.engine.as_str()), ("FLOW003", 3, "rules"));
        assert_eq!(cause.fix.as_ref().map(|fix| (fix.class, fix.edits.len())), Some((FixClass::Safe, 1)));
        assert!(cause.hint.as_ref().is_some_and(|hint| hint.contains("quotes")));
    }

    #[test]
    fn causes_far_from_the_rejected_line_are_not_listed() {
        assert_eq!(codes("flowchart LR\n  A[x()]\n  B\n  C\n  D[y()]\n"), ["MMD001", "FLOW003"]);
    }

    #[test]
    fn wrappers_are_listed_wherever_they_are() {
        assert_eq!(codes("Sure!\n```mermaid\npie\n```\n")[1], "MMD101");
    }

    #[test]
    fn a_valid_text_has_no_causes() {
        let findings = checker().check("flowchart LR\n  A[\"run()\"] --> B\n").findings;
        assert!(findings.iter().all(|finding| finding.severity == Severity::Info), "{findings:?}");
    }
}
