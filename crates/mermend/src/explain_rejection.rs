//! Messages of the parsers in plain words.

use diagram::Location;

use crate::{engines::Rejection, text::LineIndex};

/// Tokens of Mermaid's grammars in plain words.
const WORDS: [(&str, &str); 34] = [
    ("NEWLINE", "a new line"),
    ("NL", "a new line"),
    ("EOL", "a new line"),
    ("SEMI", "`;`"),
    ("EOF", "the end of the text"),
    ("SPACE", "a space"),
    ("SQE", "`]`"),
    ("SQS", "`[`"),
    ("PE", "`)`"),
    ("PS", "`(`"),
    ("DIAMOND_START", "`{`"),
    ("DIAMOND_STOP", "`}`"),
    ("STRUCT_START", "`{`"),
    ("STRUCT_STOP", "`}`"),
    ("BLOCK_START", "`{`"),
    ("BLOCK_STOP", "`}`"),
    ("PIPE", "`|`"),
    ("AMP", "`&`"),
    ("COLON", "`:`"),
    ("COMMA", "`,`"),
    ("DOT", "`.`"),
    ("MINUS", "`-`"),
    ("NUM", "a number"),
    ("STR", "text in quotes"),
    ("TXT", "text after `:`"),
    ("LINK", "an arrow"),
    ("START_LINK", "an arrow"),
    ("ARROW", "an arrow"),
    ("ACTOR", "a name"),
    ("ID", "a name"),
    ("ALPHA", "a name"),
    ("NODE_STRING", "a name"),
    ("UNICODE_TEXT", "a name"),
    ("end", "`end`"),
];

/// A sentence for `rejection`, and advice where there is some.
pub(crate) fn explain(
    rejection: &Rejection,
    index: &LineIndex<'_>,
    span: Location,
) -> (String, Option<String>) {
    let at_end = rejection.message.contains("got 'EOF'") || rejection.message.contains("got '1'");
    let line = index.line(span.line).map(|(_, line)| line).unwrap_or_default();
    let rest = line.chars().skip(span.column - 1).collect::<String>();
    let word: String = rejection
        .unexpected
        .clone()
        .filter(|word| !word.trim().is_empty() && rest.starts_with(word.as_str()))
        .unwrap_or_else(|| rest.split_whitespace().next().unwrap_or_default().chars().take(24).collect());
    let message = if at_end {
        "The diagram ends too early: something that was begun is not finished.".to_owned()
    } else if rejection.message.starts_with("Lexical error") {
        format!("Mermaid has no meaning for `{}` here.", if word.is_empty() { rest.trim() } else { &word })
    } else if word.is_empty() {
        "Mermaid expects more on this line.".to_owned()
    } else if rejection.expected.is_empty()
        && !rejection.message.contains("Expecting")
        && !rejection.message.contains("expected")
    {
        // Not a grammar's complaint but a sentence of its own, such as a duplicate name.
        let own = rejection.message.lines().next().unwrap_or_default();
        format!("Mermaid says: {}.", own.chars().take(160).collect::<String>().trim_end_matches('.'))
    } else {
        format!("Mermaid does not expect `{word}` here.")
    };
    let mut expected: Vec<&str> = Vec::new();
    for token in &rejection.expected {
        let token = token.trim_matches('\'');
        if let Some((_, plain)) = WORDS.iter().find(|(name, _)| *name == token)
            && !expected.contains(plain)
        {
            expected.push(plain);
        }
    }
    let hint = match expected.as_slice() {
        [] => None,
        [one] => Some(format!("Expected is {one}.")),
        [head @ .., last] => Some(format!(
            "Expected is {} or {last}.",
            head.iter().take(5).copied().collect::<Vec<_>>().join(", ")
        )),
    };
    (message, hint)
}
