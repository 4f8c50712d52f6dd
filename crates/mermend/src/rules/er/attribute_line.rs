//! ER001: attributes as SQL or a programming language writes them.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// Lines inside an entity that are nearly an attribute: `name: type`, a comma at the end, the key before the type,
    /// `numeric(10, 2)` with a blank, a type of SQL that has several words, a name in quotes, a comment without quotes.
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

/// Words of which the types of SQL are made that have several.
const TYPE_WORDS: [&str; 52] = [
    "double",
    "precision",
    "timestamp",
    "datetime",
    "time",
    "with",
    "without",
    "zone",
    "local",
    "tz",
    "character",
    "char",
    "varying",
    "bit",
    "int",
    "integer",
    "bigint",
    "smallint",
    "tinyint",
    "mediumint",
    "serial",
    "unsigned",
    "signed",
    "big",
    "small",
    "tiny",
    "medium",
    "long",
    "short",
    "national",
    "large",
    "object",
    "interval",
    "year",
    "to",
    "month",
    "day",
    "second",
    "zerofill",
    "varbinary",
    "raw",
    "text",
    "decimal",
    "numeric",
    "float",
    "real",
    "number",
    "binary",
    "varchar",
    "nvarchar",
    "blob",
    "clob",
];

/// Words behind the name that say more about the column.
const CONSTRAINTS: [&str; 7] =
    ["not", "null", "unique", "default", "auto_increment", "autoincrement", "identity"];

/// The line as Mermaid wants it; `None` if it is not clear.
fn attribute(line: &str) -> Option<String> {
    let line = line.trim_end_matches([',', ';']).trim_end();
    let (line, mut comment) = comment(line);
    let joined = join_parentheses(line.trim().trim_end_matches([',', ';']));
    if let Some(name) = quoted_name(&joined) {
        return comment.is_none().then_some(name);
    }
    // Keys, and what stands before and behind them.
    let is_key = |word: &str| matches!(word, "PK" | "FK" | "UK");
    let (mut keys, mut words, mut behind) = (Vec::new(), Vec::new(), Vec::new());
    for word in
        joined.split_whitespace().map(|word| word.trim_end_matches(',')).filter(|word| !word.is_empty())
    {
        if is_key(word) {
            keys.push(word);
        } else if !keys.is_empty() && words.len() > 1 {
            behind.push(word);
        } else {
            words.push(word);
        }
    }
    // `customer_id FK -> CUSTOMER.id`
    if behind.first().is_some_and(|word| matches!(*word, "->" | "-->" | "→")) {
        behind.remove(0);
    }
    let split: Vec<&str>;
    let (kind, name) = match words.as_slice() {
        [one] => {
            let (name, kind) = one.split_once(':')?;
            (vec![kind], name)
        }
        [name, kind @ ..] if name.ends_with(':') => (kind.to_vec(), name.trim_end_matches(':')),
        [name, ":", kind @ ..] => (kind.to_vec(), *name),
        [name, kind @ ..] if name.contains(':') && !name.contains("::") => {
            let (name, first) = name.split_once(':')?;
            split = std::iter::once(first).chain(kind.iter().copied()).collect();
            (split, name)
        }
        [kind, name] => (vec![*kind], *name),
        words => {
            let constraint =
                words.iter().position(|word| CONSTRAINTS.contains(&word.to_lowercase().as_str()));
            let end = constraint.filter(|at| *at > 1).unwrap_or(words.len());
            behind.splice(0..0, words[end..].iter().copied());
            let (name, kind) = words[..end].split_last()?;
            (kind.to_vec(), *name)
        }
    };
    // A line of prose is no attribute.
    let plain = |word: &&str| word.split('(').next().unwrap_or_default().to_lowercase();
    if kind.len() > 1 && !kind.iter().all(|word| TYPE_WORDS.contains(&plain(word).as_str())) {
        return None;
    }
    let kind = kind.join("_").replace(['<', '>'], "~");
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || "_-[](),~.".contains(c))
    };
    if !word(&kind) || !word(name) || name.contains(['(', ',', '~']) {
        return None;
    }
    if !behind.is_empty() {
        let said = format!("\"{}\"", behind.join(" "));
        if comment.is_some() || said[1..said.len() - 1].contains('"') {
            return None;
        }
        comment = Some(said);
    }
    let mut good = format!("{kind} {name}");
    if !keys.is_empty() {
        good.push(' ');
        good.push_str(&keys.join(", "));
    }
    if let Some(comment) = comment {
        good.push(' ');
        good.push_str(&comment);
    }
    Some(good)
}

/// What stands before the comment at the end, and the comment in quotes.
fn comment(line: &str) -> (&str, Option<String>) {
    for quote in ['"', '\''] {
        if let Some(at) = line.find(quote)
            && line.matches(quote).count() == 2
            && line.ends_with(quote)
            && line[..at].split_whitespace().count() >= 2
        {
            let text = line[at..].trim_matches(quote).replace('"', "'");
            return (&line[..at], Some(format!("\"{text}\"")));
        }
    }
    (line, None)
}

/// `string "family name"` with its name as one word.
fn quoted_name(line: &str) -> Option<String> {
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let name = rest.trim().strip_prefix('"')?.strip_suffix('"')?;
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_ -".contains(c));
    let name = name.split_whitespace().collect::<Vec<_>>().join("_");
    (plain(kind) && plain(&name) && !name.is_empty()).then(|| format!("{kind} {name}"))
}

/// `decimal(10, 2)` as one word: `decimal(10,2)`.
fn join_parentheses(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut inside = false;
    for character in line.chars() {
        match character {
            '(' => inside = true,
            ')' => inside = false,
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
            "erDiagram\n  A {\n    int id\n    int key PK\n    decimal(10,2) price \"net\"\n    \
            timestamp_with_time_zone at\n    string family_name\n  }\n",
        );
    }
}
