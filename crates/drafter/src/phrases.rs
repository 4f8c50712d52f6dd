//! Noun phrases: which words belong together, whose they are, and how many are meant.
//!
//! Never decides whether a phrase is a class, an actor or an attribute; the drafters do.

use blueprint::Span;

use crate::lexicon;
use crate::quantity::{self, Quantity};
use crate::source::{self, Role, Sentence, Token};
use crate::tag::{Tag, Tagged};
use crate::work;

/// A noun phrase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Phrase {
    /// First token, with articles and quantities.
    pub(crate) start: usize,
    /// One past the last token.
    pub(crate) end: usize,
    /// The tokens that make the name: modifiers, then the head noun.
    pub(crate) core: Vec<usize>,
    /// How many.
    pub(crate) quantity: Quantity,
    /// Whether the head is a plural.
    pub(crate) plural: bool,
    /// `a type of X`: the phrase is X, and its kinds are spoken of.
    pub(crate) kind_of: bool,
    /// The phrase before `'s`.
    pub(crate) owner: Option<usize>,
    /// `its`, `their`, `whose`, …
    pub(crate) possessive: Option<String>,
    /// The phrase after `of`.
    pub(crate) of: Option<usize>,
    /// A pronoun stands for the noun.
    pub(crate) pronoun: bool,
}

/// A sentence with its tags and noun phrases.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) sentence: Sentence,
    /// Its words.
    pub(crate) tokens: Vec<Tagged>,
    /// Its noun phrases, in order of appearance.
    pub(crate) phrases: Vec<Phrase>,
    /// For words in brackets: the place of their sentence, and the token there that they follow.
    pub(crate) parenthetical_of: Option<(usize, usize)>,
}

impl Parsed {
    /// Tags and chunks one sentence.
    fn new(tokens: Vec<Token>, sentence: Sentence, parenthetical_of: Option<(usize, usize)>) -> Self {
        let tokens = crate::tag::tag(tokens);
        let phrases = chunk(&tokens);
        Self { sentence, tokens, phrases, parenthetical_of }
    }

    /// The head noun of a phrase, singular.
    pub(crate) fn head(&self, phrase: &Phrase) -> &str {
        work::step();
        phrase.core.last().and_then(|at| self.tokens.get(*at)).map_or("", |t| t.lemma.as_str())
    }

    /// The words of the name of a phrase, singular, without modifiers that say nothing.
    pub(crate) fn name_words(&self, phrase: &Phrase) -> Vec<String> {
        let last = phrase.core.len().saturating_sub(1);
        phrase
            .core
            .iter()
            .enumerate()
            .filter_map(|(place, at)| {
                let token = self.tokens.get(*at)?;
                if place == last {
                    return Some(token.lemma.clone());
                }
                let plain = !lexicon::is_generic_modifier(token.lower()) && token.tag != Tag::Number;
                plain.then(|| token.lower().to_owned())
            })
            .collect()
    }

    /// Where the words of the name of a phrase stand.
    pub(crate) fn name_span(&self, phrase: &Phrase) -> Span {
        let keep =
            |at: &&usize| self.tokens.get(**at).is_some_and(|t| !lexicon::is_generic_modifier(t.lower()));
        let last = phrase.core.last();
        let first = phrase.core.iter().find(keep).or(last);
        self.span(first.copied().unwrap_or(phrase.start), last.map_or(phrase.end, |at| at + 1))
    }

    /// The bytes of the tokens `from..to`.
    pub(crate) fn span(&self, from: usize, to: usize) -> Span {
        let start = self.tokens.get(from).map_or(self.sentence.span.start, |t| t.token.span.start);
        let end =
            to.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(start, |t| t.token.span.end);
        Span { start, end: end.max(start) }
    }

    /// The word at a place, in lower case; empty beyond the ends.
    pub(crate) fn word(&self, at: usize) -> &str {
        work::step();
        self.tokens.get(at).map_or("", Tagged::lower)
    }

    /// The part of speech at a place.
    pub(crate) fn tag(&self, at: usize) -> Option<Tag> {
        work::step();
        self.tokens.get(at).map(|t| t.tag)
    }

    /// Where the benefit of a user story starts (`so that …`): it explains, and asks for nothing.
    pub(crate) fn benefit_start(&self) -> Option<usize> {
        let story = self.word(0) == "as"
            && self
                .tokens
                .iter()
                .any(|t| matches!(t.lower(), "want" | "need" | "would" | "can" | "like" | "wish"));
        let so = |at: &usize| {
            (self.word(*at) == "so"
                && (self.word(at + 1) == "that" || self.tag(at + 1) == Some(Tag::Pronoun)))
                || (self.word(*at) == "in" && self.word(at + 1) == "order" && self.word(at + 2) == "to")
        };
        // `so that` explains everywhere; `so they` and `in order to` go on with a procedure, except in a story.
        (1..self.tokens.len()).find(so).filter(|at| story || self.word(at + 1) == "that")
    }

    /// The phrase that contains a token.
    pub(crate) fn phrase_at(&self, at: usize) -> Option<usize> {
        self.phrases.iter().position(|p| p.start <= at && at < p.end)
    }
}

/// Tags and chunks sentences of a text.
pub(crate) fn parse(text: &str, sentences: Vec<Sentence>) -> Vec<Parsed> {
    let mut out = Vec::new();
    for sentence in sentences {
        let (main, parentheticals) = split_parentheticals(words_of(text, &sentence));
        let parent = out.len();
        out.push(Parsed::new(main, sentence.clone(), None));
        for (after, tokens) in parentheticals {
            out.push(Parsed::new(tokens, sentence.clone(), Some((parent, after))));
        }
    }
    out
}

/// The words of a sentence, with those that the layout implies.
fn words_of(text: &str, sentence: &Sentence) -> Vec<Token> {
    let mut words = source::tokens(text, sentence.span);
    for implied in &sentence.implied {
        let at = words.iter().position(|t| t.span.start >= implied.at).unwrap_or(words.len());
        let copied = text.get(implied.from.start..implied.from.end) == Some(implied.words.as_str());
        let added = if copied {
            source::tokens(text, implied.from)
        } else {
            let whole = Span { start: 0, end: implied.words.len() };
            let tokens = source::tokens(&implied.words, whole).into_iter();
            tokens.map(|token| Token { span: implied.from, ..token }).collect()
        };
        words.splice(at..at, added);
    }
    // `As a: family, I want to: request a parcel`.
    if sentence.role == Role::Story {
        words.retain(|t| t.lower != ":");
    }
    words
}

/// Words in brackets, and after which token of their sentence they stand.
type Parentheticals = Vec<(usize, Vec<Token>)>;

/// Takes the words in brackets out of a sentence, so that they do not stand between a noun and its verb.
fn split_parentheticals(tokens: Vec<Token>) -> (Vec<Token>, Parentheticals) {
    let mut main: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut parentheticals: Parentheticals = Vec::new();
    let mut open: Option<Vec<Token>> = None;
    for token in tokens {
        match (&mut open, token.lower.as_str()) {
            (None, "(") => open = Some(Vec::new()),
            (Some(_), ")") => {
                let inside = open.take().unwrap_or_default();
                // `(i)` and `(a)` only count.
                let counts = inside.len() == 1
                    && inside.first().is_some_and(|t| {
                        t.lower.len() <= 3
                            && t.lower.chars().all(|c| matches!(c, 'i' | 'v' | 'x' | 'a'..='d'))
                    });
                if !inside.is_empty() && !counts {
                    parentheticals.push((main.len(), inside));
                }
            }
            (Some(inside), _) => inside.push(token),
            (None, _) => main.push(token),
        }
    }
    // A bracket that is never closed opens nothing.
    main.extend(open.unwrap_or_default());
    (main, parentheticals)
}

/// `a … of X` where the phrase is about X, and there are many of them.
const COLLECTIONS: &[&str] = &[
    "number",
    "set",
    "list",
    "series",
    "group",
    "range",
    "variety",
    "collection",
    "lot",
    "couple",
    "pair",
    "bunch",
    "sequence",
    "plenty",
    "multitude",
    "amount",
    "majority",
    "dozen",
    "batch",
    "pool",
    "track",
    "care",
    "advantage",
];

/// `type of X` where the phrase is about X.
const KINDS: &[&str] = &["type", "kind", "sort", "category", "form", "variant", "subtype", "class"];

/// Finds the noun phrases of a tagged sentence.
fn chunk(tokens: &[Tagged]) -> Vec<Phrase> {
    let mut phrases: Vec<Phrase> = Vec::new();
    let mut at = 0;
    let mut owner: Option<usize> = None;
    while at < tokens.len() {
        let found = chunk_at(tokens, at);
        let Some((mut found, next)) = found else {
            at += 1;
            owner = None;
            continue;
        };
        if let Some(first) = found.first_mut() {
            first.owner = owner;
        }
        if let Some(owner) = owner {
            for phrase in &mut found {
                phrase.owner = Some(owner);
            }
        }
        phrases.append(&mut found);
        owner = None;
        at = next.max(at + 1);
        if tokens.get(at).is_some_and(|t| t.tag == Tag::Genitive) {
            owner = phrases.len().checked_sub(1);
            at += 1;
        }
    }
    link_of(tokens, phrases)
}

/// Joins `a number of boilers` and notes `the price of the product`.
fn link_of(tokens: &[Tagged], phrases: Vec<Phrase>) -> Vec<Phrase> {
    let mut out: Vec<Phrase> = Vec::with_capacity(phrases.len());
    // Owners are places in the list, which merging moves.
    let mut moved: Vec<usize> = Vec::with_capacity(phrases.len());
    for mut phrase in phrases {
        let adjacent = out.last().is_some_and(|before| {
            before.end + 1 == phrase.start
                && tokens.get(before.end).is_some_and(|t| t.lower() == "of")
                && !before.pronoun
        });
        if adjacent && let Some(before) = out.last_mut() {
            let head = before.core.last().and_then(|at| tokens.get(*at)).map_or("", |t| t.lemma.as_str());
            let special_case = head == "case" && before.core.len() > 1;
            let kind = KINDS.contains(&head) || special_case;
            let idiom = matches!(head, "track" | "care" | "advantage");
            let open = (!idiom || before.quantity == Quantity::Unsaid)
                && matches!(
                    before.quantity,
                    Quantity::A | Quantity::Many | Quantity::Unsaid | Quantity::Range(..)
                );
            // `a certain number of rooms` is a property, `a large number of rooms` are many rooms.
            let measured = before.core.iter().any(|at| {
                tokens.get(*at).is_some_and(|t| {
                    matches!(
                        t.lower(),
                        "specific"
                            | "certain"
                            | "given"
                            | "particular"
                            | "fixed"
                            | "total"
                            | "maximum"
                            | "minimum"
                            | "exact"
                    )
                })
            });
            let collection = !measured
                && COLLECTIONS.contains(&head)
                && open
                && !before.plural
                && (head != "number" || before.quantity == Quantity::A)
                && (head != "amount" || before.quantity == Quantity::A);
            if before.owner.is_none() && (kind || collection) && before.core.len() <= 3 {
                phrase.start = before.start;
                phrase.kind_of = kind;
                // `keep track of the orders` is about the orders, and counts nothing.
                let counts = !matches!(head, "track" | "care" | "advantage");
                if kind {
                    (phrase.quantity, phrase.plural) = (before.quantity, before.plural);
                } else if counts {
                    (phrase.quantity, phrase.plural) = (Quantity::Many, true);
                }
                phrase.possessive = before.possessive.take().or(phrase.possessive);
                phrase.owner = phrase.owner.and_then(|at| moved.get(at).copied());
                out.pop();
                moved.push(out.len());
                out.push(phrase);
                continue;
            }
        }
        phrase.owner = phrase.owner.and_then(|at| moved.get(at).copied());
        let place = out.len();
        if adjacent && let Some(before) = out.last_mut() {
            before.of = Some(place);
        }
        moved.push(place);
        out.push(phrase);
    }
    out
}

/// The longest row of articles and quantities before a noun.
const MAX_DETERMINERS: usize = 8;

/// Reads the noun phrase that starts at `from`; several if modifiers share a head (`first and last name`).
fn chunk_at(tokens: &[Tagged], from: usize) -> Option<(Vec<Phrase>, usize)> {
    let first = tokens.get(from)?;
    if first.tag == Tag::Pronoun
        || (first.tag == Tag::Number && first.lower() == "one" && starts_predicate(tokens, from + 1))
    {
        let phrase = Phrase {
            start: from,
            end: from + 1,
            core: vec![from],
            plural: matches!(first.lower(), "they" | "them" | "we" | "us"),
            pronoun: true,
            ..Phrase::default()
        };
        return Some((vec![phrase], from + 1));
    }
    let (mut quantity, mut at) = quantity::read(tokens, from);
    let mut possessive = None;
    // Articles and quantities come in rows: `all its`, `the two`, `each of the`. Longer rows are no language, and
    // every word of one would read the rest again.
    for _ in 0..MAX_DETERMINERS {
        if let Some(token) =
            tokens.get(at.saturating_sub(1)).filter(|t| at > from && t.tag == Tag::Possessive)
        {
            possessive = Some(token.lower().to_owned());
        }
        if at > from
            && tokens.get(at).is_some_and(|t| t.lower() == "of")
            && matches!(quantity, Quantity::Each | Quantity::Many | Quantity::Range(..))
            && tokens.get(at + 1).is_some_and(|t| matches!(t.tag, Tag::Determiner | Tag::Possessive))
        {
            at += 2;
            continue;
        }
        let (more, next) = quantity::read(tokens, at);
        if next == at {
            break;
        }
        if !matches!(quantity, Quantity::Each | Quantity::Range(..)) || more.is_stated() {
            quantity = if more == Quantity::The { quantity_or_the(quantity) } else { more };
        }
        at = next;
    }
    let begin = at;
    let mut core = Vec::new();
    let mut shared: Option<usize> = None;
    while let Some(token) = tokens.get(at) {
        let next_tag = |step: usize| tokens.get(at + step).map(|t| t.tag);
        let nounish =
            |tag: Option<Tag>| matches!(tag, Some(Tag::Noun | Tag::Plural | Tag::Name | Tag::Adjective));
        match token.tag {
            Tag::Adjective | Tag::Noun | Tag::Name => core.push(at),
            Tag::Plural => {
                core.push(at);
                // `sales team`: a plural in front of a noun is rare, and short.
                if !(nounish(next_tag(1)) && token.lemma == token.token.lower) {
                    at += 1;
                    break;
                }
            }
            Tag::VerbPast | Tag::VerbIng
                if nounish(next_tag(1))
                    && (at > from || !core.is_empty() || token.tag == Tag::VerbPast)
                    && !(core.iter().any(|c| tokens.get(*c).is_some_and(Tagged::is_noun))) =>
            {
                // `is given keys`: part of the verb, not of the noun.
                let after = from.checked_sub(1).and_then(|b| tokens.get(b)).map(|t| t.tag);
                let verbal = matches!(
                    after,
                    Some(
                        Tag::Be
                            | Tag::Have
                            | Tag::Noun
                            | Tag::Plural
                            | Tag::Name
                            | Tag::Pronoun
                            | Tag::Adverb
                            | Tag::Not
                    )
                );
                if at == from && (token.tag == Tag::VerbIng || verbal) {
                    break;
                }
                core.push(at);
            }
            // `a customer choosing a bike`: the customer chooses.
            Tag::VerbIng
                if core.last().and_then(|last| tokens.get(*last)).is_some_and(|noun| {
                    noun.is_noun()
                        && (lexicon::is_person(&noun.lemma)
                            || matches!(next_tag(1), Some(Tag::Determiner | Tag::Possessive)))
                }) =>
            {
                break;
            }
            Tag::VerbIng if at > begin || at > from => {
                core.push(at);
                at += 1;
                break;
            }
            Tag::Number if !core.is_empty() && nounish(next_tag(1)) => core.push(at),
            Tag::Adverb
                if core.is_empty()
                    && matches!(next_tag(1), Some(Tag::Adjective | Tag::VerbPast))
                    && at > from => {}
            Tag::Adverb
                if core.is_empty()
                    && matches!(token.lower(), "most" | "very" | "more" | "online")
                    && nounish(next_tag(1)) => {}
            Tag::And if shared.is_none() && shares_head(tokens, &core, at) => shared = Some(core.len()),
            _ => break,
        }
        at += 1;
    }
    // Trailing adjectives are no part of the phrase: `the nurse responsible`.
    while core.last().is_some_and(|last| tokens.get(*last).is_some_and(|t| t.tag == Tag::Adjective))
        && core.iter().any(|c| tokens.get(*c).is_some_and(Tagged::is_noun))
    {
        at = core.pop().unwrap_or(at);
    }
    let head = core.last().copied()?;
    let head_token = tokens.get(head)?;
    let gerund = head_token.tag == Tag::VerbIng && head > from;
    if !(head_token.is_noun() || gerund) {
        return None;
    }
    let plural = head_token.tag == Tag::Plural;
    let phrase = |core: Vec<usize>, start: usize| Phrase {
        start,
        end: at,
        core,
        quantity,
        plural,
        possessive: possessive.clone(),
        ..Phrase::default()
    };
    let phrases = match shared {
        Some(split) if split > 0 && split < core.len() => {
            let (left, right) = core.split_at(split);
            let mut one = left.to_vec();
            one.push(head);
            let boundary = right.first().copied().unwrap_or(head);
            let mut first = phrase(one, from);
            first.end = boundary;
            vec![first, phrase(right.to_vec(), boundary)]
        }
        _ => vec![phrase(core, from)],
    };
    Some((phrases, at))
}

/// `the several`, `its two`: the second word says how many.
fn quantity_or_the(quantity: Quantity) -> Quantity {
    if quantity == Quantity::Unsaid { Quantity::The } else { quantity }
}

/// Whether a verb follows, so that a number word stands alone.
fn starts_predicate(tokens: &[Tagged], at: usize) -> bool {
    tokens.get(at).is_some_and(|t| matches!(t.tag, Tag::Modal | Tag::Be | Tag::Have))
}

/// Whether the `and` at `at` joins two modifiers of one noun: `first and last name`, `billing and delivery addresses`.
fn shares_head(tokens: &[Tagged], core: &[usize], at: usize) -> bool {
    let modifier_before = core.last().and_then(|last| tokens.get(*last));
    let (Some(left), Some(right), Some(head)) = (modifier_before, tokens.get(at + 1), tokens.get(at + 2))
    else {
        return false;
    };
    if !head.is_noun()
        || tokens.get(at + 3).is_some_and(|t| t.is_noun() || t.tag == Tag::Genitive)
        || core.len() != 1
    {
        return false;
    }
    let adjectives = left.tag == Tag::Adjective && right.tag == Tag::Adjective;
    let shared_attribute = head.tag == Tag::Plural
        && matches!(left.tag, Tag::Noun | Tag::Adjective)
        && matches!(right.tag, Tag::Noun | Tag::Adjective | Tag::VerbIng)
        && lexicon::is_attribute_head(&head.lemma)
        && !lexicon::is_attribute_head(&left.lemma);
    adjectives || shared_attribute
}
