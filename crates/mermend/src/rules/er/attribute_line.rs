//! ER001: attributes as SQL or a programming language writes them.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// Lines inside an entity that are nearly an attribute: `name: type`, a comma at the end, the key before the type,
    /// `decimal(10,2)` with its two numbers, a type of two words, a name in quotes.
    ///
    /// ## Why it breaks
    /// An attribute is a type, a name, then `PK`, `FK` or `UK`, then a comment in quotes; each is one word.
    ///
    /// ## Example
    /// ```text
    /// erDiagram
    ///   CLIENT {
    ///     id: int PK,
    ///     name: string,
    ///   }
    /// ```
    /// becomes
    /// ```mermaid
    /// erDiagram
    ///   CLIENT {
    ///     int id PK
    ///     string name
    ///   }
    /// ```
    ///
    /// ## Fix
    /// Write the type, then the name, then the key.
    "ER001", "attribute-line", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("er") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    let mut inside = false;
    for line in document.body() {
        let (start, content) = line.content();
        if content.ends_with('{') && !content.contains("--") && !content.contains("..") {
            inside = true;
        } else if content.starts_with('}') {
            inside = false;
        } else if inside && let Some(good) = attribute(content).filter(|good| good != content) {
            let message = format!("An attribute is written `{good}`.");
            hits.push(Hit::replace(start..start + content.len(), message, good));
        }
    }
    hits
}

/// The line as Mermaid wants it; `None` if it is not clear.
fn attribute(line: &str) -> Option<String> {
    let line = line.trim_end_matches([',', ';']).trim_end();
    // The comment is left as it is.
    let (line, comment) = match line.find('"').filter(|_| line.ends_with('"')) {
        Some(at) if line[..at].split_whitespace().count() >= 2 => (&line[..at], Some(line[at..].trim())),
        _ => (line, None),
    };
    let line = line.trim().trim_end_matches([',', ';']).trim_end();
    let joined = join_parentheses(line);
    let spaced = joined.replace(',', ", ");
    let mut keys = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for word in spaced.split_whitespace() {
        match word.trim_end_matches(',') {
            key @ ("PK" | "FK" | "UK") => keys.push(key.to_owned()),
            "" => {}
            word => words.push(word.to_owned()),
        }
    }
    let colon = words.iter().position(|word| word.ends_with(':'));
    let (kind, name) = match (words.as_slice(), colon) {
        ([name, kind @ ..], Some(0)) if !kind.is_empty() => {
            (kind.join("_"), name.trim_end_matches(':').to_owned())
        }
        ([one], None) => one
            .split_once(':')
            .map(|(name, kind)| (kind.to_owned(), name.to_owned()))
            .filter(|(a, b)| !a.is_empty() && !b.is_empty())?,
        ([kind @ .., name], None) if !kind.is_empty() => (kind.join("_"), name.clone()),
        _ => return None,
    };
    let name = if name.starts_with('"') || kind.contains('"') {
        // A name of several words in quotes.
        let whole = line.find('"').map(|at| line[at..].trim_matches('"'))?;
        let kind = line[..line.find('"')?].trim();
        return Some(format!("{kind} {}", whole.split_whitespace().collect::<Vec<_>>().join("_")));
    } else {
        name
    };
    let kind = kind.trim_end_matches(':').replace(['<', '>'], "_");
    let kind = kind.trim_end_matches('_');
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || "_-[]()".contains(c))
    };
    if !word(kind) || !word(&name) {
        return None;
    }
    let mut good = format!("{kind} {name}");
    if !keys.is_empty() {
        good.push(' ');
        good.push_str(&keys.join(", "));
    }
    if let Some(comment) = comment {
        good.push(' ');
        good.push_str(comment);
    }
    Some(good)
}

/// `decimal(10, 2)` as one word: `decimal(10-2)`.
fn join_parentheses(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut inside = false;
    for character in line.chars() {
        match character {
            '(' => inside = true,
            ')' => inside = false,
            ',' if inside => {
                out.push('-');
                continue;
            }
            c if inside && c.is_whitespace() => continue,
            _ => {}
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn attributes_are_put_in_order() {
        check_rule(
            "ER001",
            "erDiagram\n  A {\n    id: int\n%%  ^^^^^^^ An attribute is written `int id`.\n  }\n",
        );
        check_fix(
            "erDiagram\n  A {\n    id:int\n    PK int key\n    decimal(10, 2) price \"net\",\n    timestamp with \
            time zone at\n    string \"family name\"\n  }\n",
            "erDiagram\n  A {\n    int id\n    int key PK\n    decimal(10-2) price \"net\"\n    \
            timestamp_with_time_zone at\n    string family_name\n  }\n",
        );
    }
}
