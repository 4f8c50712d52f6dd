//! Use-case diagrams from text.
//!
//! `stories.rs` reads `As a …, I want …`, `prose.rs` everything else; both fill the model in `sketch.rs`. Never lets
//! two elements have the same name.

mod prose;
mod sketch;
mod stories;

use blueprint::UseCaseModel;

use crate::analysis::Analysis;
use crate::labels;
use crate::lexicon;
use crate::names;
use crate::use_cases::sketch::Sketch;

/// Drafts a use-case model.
pub(crate) fn draft(text: &str, analysis: &Analysis) -> (UseCaseModel, Vec<String>) {
    let mut sketch = Sketch { text, analysis, model: UseCaseModel::default(), notes: Vec::new() };
    sketch.model.system = system_name(text, analysis);
    for sentence in 0..analysis.parsed.len() {
        if !stories::read(&mut sketch, sentence) {
            prose::read(&mut sketch, sentence);
        }
    }
    sketch.generalise();
    sketch.finish()
}

/// The name of the system: `The Fleet Portal`, `the library system`.
fn system_name(text: &str, analysis: &Analysis) -> String {
    for parsed in &analysis.parsed {
        for phrase in &parsed.phrases {
            let named = parsed.name_words(phrase).len() > 1;
            if !lexicon::is_system_head(parsed.head(phrase))
                || !named
                || phrase.plural
                || phrase.owner.is_some()
            {
                continue;
            }
            let definite = matches!(parsed.word(phrase.start), "the" | "this" | "our");
            let capital = phrase
                .core
                .iter()
                .any(|at| *at > phrase.start && parsed.tokens.get(*at).is_some_and(|t| t.token.capital));
            if definite || capital {
                let from = phrase.core.first().copied().unwrap_or(phrase.start);
                return names::shortened(
                    &names::capitalised(&labels::join(text, parsed, from, phrase.end)),
                    names::MAX_NAME,
                );
            }
        }
    }
    String::new()
}
