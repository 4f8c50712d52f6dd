//! The findings of one answer, within bounds: how many are listed, how long a message is, how large the fixes are.
//! What is left out is counted in the last finding.

use std::collections::{HashMap, HashSet};

use diagram::Location;

use crate::{
    finding::{Finding, Fix},
    rules::{Hit, RepairRule, verdicts::MORE_FINDINGS},
    text::LineIndex,
};

/// The most findings of one answer, with the one that counts the rest.
pub(crate) const MAX_FINDINGS: usize = 200;
/// The most edits of the fix of one finding.
const MAX_FIX_EDITS: usize = 100;
/// The most text that the fixes of one answer put in.
const MAX_FIX_BYTES: usize = 64 << 10;

/// Collects findings. Each place is listed once for each code.
pub(crate) struct FindingList {
    findings: Vec<Finding>,
    seen: HashSet<(String, Location)>,
    /// How many findings are not listed, and where the first of them is.
    omitted: usize,
    first_omitted: Option<Location>,
    fix_bytes: usize,
    hints: HashMap<&'static str, String>,
}

impl FindingList {
    /// Begins with findings that were listed before.
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        let mut list = FindingList {
            findings: Vec::new(),
            seen: HashSet::new(),
            omitted: 0,
            first_omitted: None,
            fix_bytes: 0,
            hints: HashMap::new(),
        };
        // Findings that were only counted are found again.
        findings.into_iter().filter(|finding| finding.code != MORE_FINDINGS.code).for_each(|f| list.push(f));
        list
    }

    /// Lists a finding, or counts it.
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.seen.insert((finding.code.clone(), finding.span)) {
            match self.findings.len() < MAX_FINDINGS - 1 {
                true => self.findings.push(finding),
                false => self.omit(finding.span),
            }
        }
    }

    /// Lists a finding that says something of the whole text, also beyond the bound.
    pub(crate) fn push_always(&mut self, finding: Finding) {
        if self.seen.insert((finding.code.clone(), finding.span)) {
            if self.findings.len() >= MAX_FINDINGS - 1
                && let Some(last) = self.findings.pop()
            {
                self.omit(last.span);
            }
            self.findings.push(finding);
        }
    }

    /// Lists what a rule has found, or counts it.
    pub(crate) fn push_hit(&mut self, repair: &'static RepairRule, hit: Hit, index: &LineIndex<'_>) {
        let rule = &repair.rule;
        let span = index.location(hit.start, hit.end);
        if !self.seen.insert((rule.code.to_owned(), span)) {
            return;
        }
        if self.findings.len() >= MAX_FINDINGS - 1 {
            self.omit(span);
            return;
        }
        let hint = self.hints.entry(rule.code).or_insert_with(|| rule.section("Fix").replace('\n', " "));
        let mut finding =
            Finding::new(rule, "rules", span, hit.message.into_owned()).with_hint(hint.as_str());
        let bytes: usize = hit.edits.iter().map(|edit| edit.text.len()).sum();
        // A part of a fix would be a wrong fix; the repair carries out those that are too large to be listed.
        let class = hit.class.unwrap_or(repair.class);
        let listed = !hit.edits.is_empty() && hit.edits.len() <= MAX_FIX_EDITS;
        if listed && self.fix_bytes + bytes <= MAX_FIX_BYTES {
            self.fix_bytes += bytes;
            finding.fix = Some(Fix { class, edits: hit.edits });
        }
        self.findings.push(finding);
    }

    fn omit(&mut self, span: Location) {
        self.omitted += 1;
        self.first_omitted.get_or_insert(span);
    }

    /// The findings, the last of which counts those that are not listed.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        if let Some(span) = self.first_omitted {
            let message = match self.omitted {
                1 => "One more finding is not listed.".to_owned(),
                more => format!("{more} more findings are not listed."),
            };
            let finding = Finding::new(&MORE_FINDINGS, "rules", span, message)
                .with_hint("Correct the listed ones first, then check the text again.");
            self.findings.push(finding);
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::Edit, rules::testing::repair};

    #[test]
    fn the_rest_is_counted() {
        for (hits, listed, message) in [
            (3, 3, None),
            (MAX_FINDINGS - 1, MAX_FINDINGS - 1, None),
            (MAX_FINDINGS, MAX_FINDINGS, Some("One more finding is not listed.")),
            (1000, MAX_FINDINGS, Some("801 more findings are not listed.")),
        ] {
            let text = "x".repeat(1000);
            let index = LineIndex::new(&text);
            let rule = repair("MMD104");
            let mut list = FindingList::new(Vec::new());
            for at in (0..hits).chain(0..hits) {
                list.push_hit(rule, Hit::replace(at..at + 1, "m", "t"), &index);
            }
            let findings = list.finish();
            assert_eq!(findings.len(), listed);
            let last = findings.last().filter(|last| last.code == MORE_FINDINGS.code);
            assert_eq!(last.map(|last| last.message.as_str()), message);
            // Listed again with what is found again, the count stays true.
            let mut again = FindingList::new(findings.clone());
            for at in 0..hits {
                again.push_hit(rule, Hit::replace(at..at + 1, "m", "t"), &index);
            }
            assert_eq!(again.finish(), findings);
        }
    }

    #[test]
    fn a_fix_is_listed_whole_or_not_at_all() {
        let text = "x".repeat(1000);
        let index = LineIndex::new(&text);
        let rule = repair("MMD104");
        let long = "t".repeat(MAX_FIX_BYTES / 2 + 1);
        let edit = |at: usize, text: &str| Edit::replace(at, at, text);
        let hits = [
            (0, vec![edit(0, "t"); MAX_FIX_EDITS], true),
            (1, vec![edit(1, "t"); MAX_FIX_EDITS + 1], false),
            (2, vec![edit(2, &long)], true),
            (3, vec![edit(3, &long)], false),
            (4, vec![edit(4, "t")], true),
        ];
        let mut list = FindingList::new(Vec::new());
        for (at, edits, _) in &hits {
            list.push_hit(rule, Hit::new(*at..*at + 1, "m", edits.clone()), &index);
        }
        let fixes: Vec<bool> = list.finish().iter().map(|finding| finding.fix.is_some()).collect();
        assert_eq!(fixes, hits.map(|(.., fix)| fix));
    }
}
