//! XY001: text of an axis that must stand in quotes.

use std::ops::Range;

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    reading,
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// A category, a title or the name of a series with characters outside ASCII or with signs, and no quotes around
    /// it.
    ///
    /// ## Why it breaks
    /// Without quotes Mermaid reads only letters from A to Z, digits and a few signs here.
    ///
    /// ## Example
    /// ```text
    /// xychart-beta
    ///   x-axis [1月, 2月]
    ///   y-axis Quantité 0 --> 900
    ///   bar [120, 340]
    /// ```
    /// becomes
    /// ```mermaid
    /// xychart-beta
    ///   x-axis ["1月", "2月"]
    ///   y-axis "Quantité" 0 --> 900
    ///   bar [120, 340]
    /// ```
    ///
    /// ## Fix
    /// Put the text into quotes.
    "XY001", "unquoted-text", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("xychart") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in document.body() {
        let (start, content) = line.content();
        let end = start + content.len();
        let word = content.split([' ', '\t', '[']).next().unwrap_or_default();
        let rest = start + word.len();
        match word {
            "title" => quote(document.text, rest..end, &mut hits),
            "x-axis" | "y-axis" | "bar" | "line" => {
                let text = &document.text[rest..end];
                if let Some((open, close)) =
                    text.find('[').zip(text.rfind(']')).filter(|(open, close)| open < close)
                {
                    quote(document.text, rest..rest + open, &mut hits);
                    let items = &text[open + 1..close];
                    let outside = reading::outside(items);
                    let commas = items.match_indices(',').map(|(at, _)| at).filter(|at| outside[*at]);
                    let mut from = 0;
                    for to in commas.chain([items.len()]).filter(|_| word == "x-axis") {
                        quote(document.text, rest + open + 1 + from..rest + open + 1 + to, &mut hits);
                        from = to + 1;
                    }
                } else {
                    // A range of numbers may follow the title.
                    let head = text.split("-->").next().unwrap_or_default().trim_end();
                    let number = head.rfind(char::is_whitespace).map_or(head.len(), |at| at + 1);
                    let is_number = head.get(number..).is_some_and(|last| last.parse::<f64>().is_ok());
                    let title = if is_number { number } else { head.len() };
                    quote(document.text, rest..rest + title, &mut hits);
                }
            }
            _ => {}
        }
    }
    hits
}

fn quote(text: &str, range: Range<usize>, hits: &mut Vec<Hit>) {
    let Some(written) = text.get(range.clone()) else { return };
    let trimmed = written.trim();
    let plain = trimmed.chars().all(|c| c.is_ascii_alphanumeric() || " _-.+".contains(c));
    // Typographic quotes stand where plain ones should.
    let inner = trimmed.trim_matches(['"', '“', '”', '„', '‟']);
    let typographic = trimmed.starts_with(['“', '„', '‟', '”']) || trimmed.ends_with(['“', '„', '‟', '”']);
    if plain || inner.is_empty() || inner.contains('"') || (trimmed.contains('"') && !typographic) {
        return;
    }
    let start = range.start + written.len() - written.trim_start().len();
    let end = start + trimmed.len();
    let edits = vec![Edit::replace(start, end, format!("\"{inner}\""))];
    hits.push(Hit::new(start..end, format!("`{trimmed}` must stand in quotes."), edits));
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn text_outside_ascii_is_quoted() {
        check_fix(
            "xychart-beta\n  x-axis Größe [klein, groß, \"a, ü, b\"]\n  y-axis Stück\n  bar [1, 2, 3]\n",
            "xychart-beta\n  x-axis \"Größe\" [klein, \"groß\", \"a, ü, b\"]\n  y-axis \"Stück\"\n  bar [1, 2, 3]\n",
        );
        check_fix(
            "xychart-beta\n  y-axis “a (b)”\n  bar [1, 2]\n",
            "xychart-beta\n  y-axis \"a (b)\"\n  bar [1, 2]\n",
        );
    }
}
