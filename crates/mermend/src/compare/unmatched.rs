//! The lines of the old diagram that no line of the new one is matched with yet.

use std::collections::{HashMap, VecDeque};

use diagram::OutlineEdge;

/// The old lines that are not matched yet, by what they are looked up with.
pub(super) struct Unmatched<'a> {
    edges: &'a [OutlineEdge],
    taken: Vec<bool>,
    same: HashMap<&'a OutlineEdge, VecDeque<usize>>,
    by_ends: HashMap<(&'a str, &'a str), VecDeque<usize>>,
    by_words: HashMap<(&'a str, &'a str, &'a str), VecDeque<usize>>,
}

impl<'a> Unmatched<'a> {
    pub(super) fn new(edges: &'a [OutlineEdge]) -> Self {
        let mut found = Unmatched {
            edges,
            taken: vec![false; edges.len()],
            same: HashMap::new(),
            by_ends: HashMap::new(),
            by_words: HashMap::new(),
        };
        for (at, edge) in edges.iter().enumerate() {
            found.same.entry(edge).or_default().push_back(at);
            found.by_ends.entry((&edge.from, &edge.to)).or_default().push_back(at);
            found.by_words.entry((&edge.from, &edge.to, &edge.label)).or_default().push_back(at);
        }
        found
    }

    /// The first of `places` that is not matched, which is matched now.
    fn take(taken: &mut [bool], places: Option<&mut VecDeque<usize>>) -> Option<usize> {
        let places = places?;
        while let Some(at) = places.pop_front() {
            if let Some(taken) = taken.get_mut(at)
                && !*taken
            {
                *taken = true;
                return Some(at);
            }
        }
        None
    }

    /// Which of the old lines are matched.
    pub(super) fn into_taken(self) -> Vec<bool> {
        self.taken
    }

    pub(super) fn take_same(&mut self, edge: &OutlineEdge) -> bool {
        Self::take(&mut self.taken, self.same.get_mut(edge)).is_some()
    }

    pub(super) fn take_ends(&mut self, edge: &'a OutlineEdge) -> Option<&'a OutlineEdge> {
        let places = self.by_ends.get_mut(&(edge.from.as_str(), edge.to.as_str()));
        self.edges.get(Self::take(&mut self.taken, places)?)
    }

    pub(super) fn take_turned(&mut self, edge: &'a OutlineEdge) -> Option<&'a OutlineEdge> {
        let places = self.by_words.get_mut(&(edge.to.as_str(), edge.from.as_str(), edge.label.as_str()));
        self.edges.get(Self::take(&mut self.taken, places)?)
    }
}
