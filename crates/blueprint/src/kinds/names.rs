//! Names: tidied, compared, and resolved where a line spells one differently.

use std::collections::{HashMap, HashSet};

use crate::{escape, text::shorten};

/// The corrections that were made to a blueprint, each once.
#[derive(Default)]
pub(crate) struct Notes(Vec<String>);

impl Notes {
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    /// Makes one line of `text`, without stray space and without what cannot be drawn.
    pub(crate) fn tidy(&mut self, text: &mut String) {
        let tidy = escape::one_line(text);
        if tidy != *text {
            self.note("Removed stray white space and characters that cannot be drawn from texts.");
            *text = tidy;
        }
    }

    /// Tidies a text that may be missing; an empty one is missing.
    pub(crate) fn tidy_option(&mut self, text: &mut Option<String>) {
        if let Some(inner) = text {
            self.tidy(inner);
            if inner.is_empty() {
                *text = None;
            }
        }
    }

    /// Keeps the items for which `keep` is true, and notes how many were dropped.
    pub(crate) fn retain<T>(&mut self, list: &mut Vec<T>, what: &str, mut keep: impl FnMut(&T) -> bool) {
        let before = list.len();
        list.retain(|item| keep(item));
        match before - list.len() {
            0 => {}
            1 => self.note(format!("Dropped 1 {what}.")),
            n => self.note(format!("Dropped {n} {what}s.")),
        }
    }

    pub(crate) fn finish(self) -> Vec<String> {
        self.0
    }
}

/// The names of a diagram, to find what the end of a line means.
pub(crate) struct Names {
    exact: HashSet<String>,
    folded: HashMap<String, Option<String>>,
    singular: HashMap<String, Option<String>>,
}

impl Names {
    /// The names that lines may end at.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Names { exact: HashSet::new(), folded: HashMap::new(), singular: HashMap::new() };
        for name in names {
            if !found.exact.insert(name.to_owned()) {
                continue;
            }
            for (map, key) in [(&mut found.folded, fold(name)), (&mut found.singular, singular(&fold(name)))]
            {
                // A key that two names share finds neither.
                map.entry(key).and_modify(|known| *known = None).or_insert_with(|| Some(name.to_owned()));
            }
        }
        found
    }

    /// Replaces `end` by the one name that it must mean; leaves it where there is none, or more than one.
    pub(crate) fn resolve(&self, end: &mut String, notes: &mut Notes) {
        if self.exact.contains(end.as_str()) {
            return;
        }
        let folded = fold(end);
        let found = self.folded.get(&folded).or_else(|| self.singular.get(&singular(&folded)));
        if let Some(Some(name)) = found {
            notes.note(format!("Read `{}` as `{name}`.", shorten(end)));
            *end = name.clone();
        }
    }
}

/// Lower case, letters and digits only: `Loan item`, `loan_item` and `LoanItem` are one.
pub(crate) fn fold(name: &str) -> String {
    let folded: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if folded.is_empty() { name.to_lowercase() } else { folded }
}

/// The singular of an English noun, near enough to compare two spellings of one name.
fn singular(word: &str) -> String {
    for (plural, one) in [("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x")] {
        if let Some(stem) = word.strip_suffix(plural).filter(|stem| stem.chars().count() > 1) {
            return format!("{stem}{one}");
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if stem.chars().count() > 2 && !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => word.to_owned(),
    }
}

/// Whether `next` leads from any node back to itself; the nodes of one such circle, or none. Depth is not bounded by
/// the stack.
fn find_cycle(edges: &[(usize, usize)], count: usize) -> Option<Vec<usize>> {
    let mut next = vec![Vec::new(); count];
    for &(from, to) in edges {
        if let Some(list) = next.get_mut(from) {
            list.push(to);
        }
    }
    // 0 not seen, 1 on the way, 2 done.
    let mut state = vec![0_u8; count];
    for root in 0..count {
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        while let Some((node, at)) = path.last_mut() {
            let (node, step) = (*node, *at);
            *at += 1;
            if step == 0 {
                if state.get(node).is_none_or(|s| *s == 2) {
                    path.pop();
                    continue;
                }
                state[node] = 1;
            }
            match next[node].get(step) {
                Some(&to) if state.get(to) == Some(&1) => {
                    let nodes: Vec<usize> = path.iter().map(|(node, _)| *node).collect();
                    let start = nodes.iter().position(|n| *n == to).unwrap_or_default();
                    return Some(nodes[start..].to_vec());
                }
                Some(&to) if state.get(to) == Some(&0) => path.push((to, 0)),
                Some(_) => {}
                None => {
                    state[node] = 2;
                    path.pop();
                }
            }
        }
    }
    None
}

/// The names of a cycle of `edges` between `names`, the first again at the end.
pub(crate) fn cycle_of_names(edges: &[(usize, usize)], names: &[&str]) -> Option<Vec<String>> {
    let cycle = find_cycle(edges, names.len())?;
    let round = cycle.iter().chain(cycle.first()).filter_map(|at| names.get(*at));
    Some(round.map(|name| (*name).to_owned()).collect())
}

/// `A → B → A`.
pub(crate) fn cycle_text(cycle: &[String]) -> String {
    cycle.iter().map(|name| shorten(name)).collect::<Vec<_>>().join(" → ")
}

/// `5 classes`, `1 class`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The first names of a list: `A, B and 3 more`.
pub(crate) fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let total = names.len();
    let shown: Vec<String> = names.take(SHOWN).map(shorten).collect();
    match total.checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_one_meaning_only() {
        let names = Names::new(["Order", "LoanItem", "Category", "Status", "news", "News"].into_iter());
        for (end, want) in [
            ("order", "Order"),
            ("Orders", "Order"),
            ("loan items", "LoanItem"),
            ("categories", "Category"),
            ("statuses", "statuses"),
            ("NEWS", "NEWS"),
            ("Invoice", "Invoice"),
        ] {
            let mut end = end.to_owned();
            names.resolve(&mut end, &mut Notes::default());
            assert_eq!(end, want);
        }
    }

    #[test]
    fn finds_circles() {
        assert_eq!(find_cycle(&[(0, 1), (1, 2)], 3), None);
        assert_eq!(find_cycle(&[(0, 1), (0, 2), (1, 2)], 3), None);
        assert_eq!(find_cycle(&[(0, 1), (1, 2), (2, 1)], 3), Some(vec![1, 2]));
        assert_eq!(find_cycle(&[(0, 0)], 1), Some(vec![0]));
        let long: Vec<(usize, usize)> = (0..100_000).map(|n| (n, n + 1)).collect();
        assert_eq!(find_cycle(&long, 100_001), None);
    }
}
