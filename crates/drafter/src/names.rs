//! Spelling of names: `OrderLine`, `dueDate`, `Renew a loan`.
//!
//! Never returns an empty name for words that have a letter or digit.

/// The longest class, attribute or actor name in characters.
pub(crate) const MAX_NAME: usize = 80;

/// The letters and digits of words, in pieces.
fn pieces(words: &[String]) -> Vec<String> {
    words
        .iter()
        .flat_map(|word| word.split(|c: char| !c.is_alphanumeric()))
        .filter(|piece| !piece.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The first letter large, the others as they are.
pub(crate) fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// `order line` -> `OrderLine`.
pub(crate) fn upper_camel(words: &[String]) -> String {
    let name: String = pieces(words).iter().map(|piece| capitalised(piece)).collect();
    let name: String = name.chars().take(MAX_NAME).collect();
    if name.chars().next().is_some_and(|c| c.is_ascii_digit()) { format!("N{name}") } else { name }
}

/// `due date` -> `dueDate`.
pub(crate) fn lower_camel(words: &[String]) -> String {
    let mut name = String::new();
    for (place, piece) in pieces(words).iter().enumerate() {
        if place == 0 { name.push_str(&piece.to_lowercase()) } else { name.push_str(&capitalised(piece)) }
    }
    let name: String = name.chars().take(MAX_NAME).collect();
    if name.chars().next().is_some_and(|c| c.is_ascii_digit()) { format!("n{name}") } else { name }
}

/// Cuts a label at a word boundary.
pub(crate) fn shortened(label: &str, max_chars: usize) -> String {
    if label.chars().count() <= max_chars {
        return label.to_owned();
    }
    let cut: String = label.chars().take(max_chars.saturating_sub(1)).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(head, _)| head);
    format!("{}…", whole.trim_end_matches([',', ' ']))
}
