//! Similarity of names and F1.

use std::fmt;

/// What was found, expected, and both.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    pub(crate) found: usize,
    pub(crate) expected: usize,
    pub(crate) right: usize,
}

impl Score {
    pub(crate) fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.found + self.expected).max(1) as f64
    }

    pub(crate) fn add(&mut self, other: Score) {
        self.found += other.found;
        self.expected += other.expected;
        self.right += other.right;
    }

    /// Pairs expected and found elements one to one, the most similar first.
    pub(crate) fn matched<T>(
        gold: &[T],
        found: &[T],
        similarity: impl Fn(&T, &T) -> f64,
    ) -> (Self, Vec<(usize, usize)>) {
        let mut candidates: Vec<(f64, usize, usize)> = Vec::new();
        for (i, g) in gold.iter().enumerate() {
            candidates.extend(found.iter().enumerate().map(|(j, f)| (similarity(g, f), i, j)));
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (_, i, j) in candidates.into_iter().take_while(|(s, ..)| *s >= 0.5) {
            if pairs.iter().all(|(a, b)| *a != i && *b != j) {
                pairs.push((i, j));
            }
        }
        (Self { found: found.len(), expected: gold.len(), right: pairs.len() }, pairs)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, expected, right } = self;
        write!(f, "F1 {:.3} ({right} right, {found} found, {expected} expected)", self.f1())
    }
}

/// The words of a name, singular, in lower case: `OrderLines` is `order line`.
fn words(name: &str) -> Vec<String> {
    let mut spaced = String::new();
    let mut lower = false;
    for c in name.chars() {
        if c.is_uppercase() && lower {
            spaced.push(' ');
        }
        lower = c.is_lowercase() || c.is_numeric();
        spaced.push(c);
    }
    let small =
        ["the", "a", "an", "of", "for", "and", "to", "in", "be", "is", "are", "has", "does", "my", "their"];
    spaced
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty() && !small.contains(w))
        .map(|w| match w {
            _ if w.len() > 3 && w.ends_with("ies") => format!("{}y", &w[..w.len() - 3]),
            _ if w.len() > 3 && w.ends_with('s') && !w.ends_with("ss") && !w.ends_with("us") => {
                w[..w.len() - 1].to_owned()
            }
            _ => w.to_owned(),
        })
        .collect()
}

/// How many words two texts share, as the F1 of their words.
pub(crate) fn overlap(a: &str, b: &str) -> f64 {
    let (a, mut b) = (words(a), words(b));
    let all = a.len() + b.len();
    let mut shared = 0;
    for word in &a {
        let same = |w: &String| w == word || w.len() > 4 && word.len() > 4 && w[..].starts_with(stem(word));
        if let Some(place) = b.iter().position(same) {
            b.remove(place);
            shared += 1;
        }
    }
    if all == 0 { 0.0 } else { 2.0 * shared as f64 / all as f64 }
}

/// The first five bytes of a word, or all of it.
fn stem(word: &str) -> &str {
    word.get(..5).unwrap_or(word)
}

/// 1 for equal names, else their overlap if they share the head noun and half of their words.
pub(crate) fn similar(a: &str, b: &str) -> f64 {
    let (left, right) = (words(a), words(b));
    if left.concat() == right.concat() {
        return 1.0;
    }
    let heads = match (left.last(), right.last()) {
        (Some(l), Some(r)) => l == r || l.len() > 4 && r.len() > 4 && r.starts_with(stem(l)),
        _ => false,
    };
    if heads { overlap(a, b) } else { 0.0 }
}
