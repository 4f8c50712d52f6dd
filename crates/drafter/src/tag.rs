//! Parts of speech: what every word of a sentence is, given its neighbours.
//!
//! Closed classes come from a table, open classes from `lexicon`, and the neighbours decide between noun and verb.
//! Never fails: an unknown word is a noun.

use crate::lexicon::{self, Readings};
use crate::source::{Token, TokenKind};

/// Parts of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// A noun in the singular.
    Noun,
    /// A noun in the plural.
    Plural,
    /// A name: a capital letter inside of a sentence.
    Name,
    /// An adjective.
    Adjective,
    /// An adverb.
    Adverb,
    /// `a`, `the`, `each`, `some`, …
    Determiner,
    /// A number, in digits or words.
    Number,
    /// `'s`
    Genitive,
    /// `its`, `their`, …
    Possessive,
    /// `it`, `they`, …
    Pronoun,
    /// A verb in its base form.
    Verb,
    /// A verb in the third person.
    VerbS,
    /// A past form or participle.
    VerbPast,
    /// A present participle.
    VerbIng,
    /// `can`, `must`, …
    Modal,
    /// A form of `be`.
    Be,
    /// A form of `have`.
    Have,
    /// A form of `do`.
    Do,
    /// `to`
    To,
    /// `of`, `in`, …
    Preposition,
    /// `and`, `or`, …
    And,
    /// `if`, `when`, …
    Subordinator,
    /// `who`, `which`, `that`, …
    Relative,
    /// `not`
    Not,
    /// `there`
    There,
    /// Anything that is no word.
    Mark,
}

/// A token with its part of speech and base form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tagged {
    pub(crate) token: Token,
    /// Its part of speech.
    pub(crate) tag: Tag,
    /// Its base form: singular of a noun, infinitive of a verb.
    pub(crate) lemma: String,
}

impl Tagged {
    /// The word in lower case.
    pub(crate) fn lower(&self) -> &str {
        &self.token.lower
    }

    /// Any kind of noun.
    pub(crate) fn is_noun(&self) -> bool {
        matches!(self.tag, Tag::Noun | Tag::Plural | Tag::Name)
    }
}

/// The closed classes: one row for each part of speech.
const CLOSED: &[(Tag, &str)] = &[
    (
        Tag::Determiner,
        "a an the each every some any no all both either neither another this these those many few several most half \
        enough much what whatever such",
    ),
    (
        Tag::Number,
        "zero one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty \
        hundred thousand",
    ),
    (Tag::Possessive, "my your his her its our their whose"),
    (
        Tag::Pronoun,
        "i you he she it we they me him us them themselves himself herself itself myself ourselves yourself oneself \
        i'm i've i'd i'll it's they're we're you're someone somebody everyone everybody anyone anybody nobody \
        something everything anything nothing",
    ),
    (
        Tag::Modal,
        "can could may might must shall should will would cannot can't won't shouldn't mustn't couldn't",
    ),
    (Tag::Be, "is are was were be been being am isn't aren't wasn't weren't"),
    (Tag::Have, "has have had having hasn't haven't"),
    (Tag::Do, "does do did don't doesn't didn't"),
    (Tag::To, "to"),
    (
        Tag::Preposition,
        "of in on at by for with from into onto about through via over under between among within without during \
        against per upon across towards toward along around behind beyond except including excluding regarding \
        concerning despite throughout like besides inside outside versus near off out up down",
    ),
    (Tag::And, "and or but nor & and/or as-well-as plus"),
    (
        Tag::Subordinator,
        "if when whenever while whereas because since although though unless until once after before whether so than \
        as where whereby how why that's otherwise else",
    ),
    (Tag::Relative, "who which that whom"),
    (Tag::Not, "not never n't"),
    (Tag::There, "there"),
    (
        Tag::Adverb,
        "also well then only too very always often sometimes usually again already just still yet even ever finally \
        later soon now afterwards therefore thus hence however moreover furthermore additionally instead either-way \
        together typically e.g. i.e. e.g i.e etc maybe perhaps once-more first next here back away more less most \
        otherwise respectively namely meanwhile simultaneously twice not-only least online",
    ),
];

/// The closed class of a word, if it is in one.
fn closed(word: &str) -> Option<Tag> {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    static TABLE: LazyLock<HashMap<&'static str, Tag>> = LazyLock::new(|| {
        let mut table = HashMap::new();
        for (tag, words) in CLOSED {
            for word in words.split_whitespace() {
                table.entry(word).or_insert(*tag);
            }
        }
        table
    });
    TABLE.get(word).copied()
}

/// What is known of the words before the one that is decided.
struct Before<'a> {
    tag: Option<Tag>,
    word: &'a str,
    /// Whether a finite verb has been seen since the clause began.
    verb_seen: bool,
    /// Whether a verb without an object and a comma stand before.
    after_bare_verb: bool,
    /// Whether an infinitive and its object with an article stand before the conjunction.
    after_definite: bool,
}

/// Where the words are in `Patients, who have a number, visit doctors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aside {
    None,
    /// Behind `, who`.
    Open,
    /// Right behind the comma that may close it.
    Closed,
}

/// Tags the words of one sentence.
pub(crate) fn tag(tokens: Vec<Token>) -> Vec<Tagged> {
    let readings: Vec<Readings> = tokens.iter().map(|t| lexicon::readings(&t.lower)).collect();
    let mut out: Vec<Tagged> = Vec::with_capacity(tokens.len());
    let mut verb_seen = false;
    let mut aside = Aside::None;
    let finite = tokens.iter().zip(&readings).any(|(t, r)| {
        matches!(closed(&t.lower), Some(Tag::Be | Tag::Modal | Tag::Have | Tag::Do))
            || (r.third.is_some() && !r.noun)
    });
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        // Adverbs do not separate a word from what decides about it.
        let before = out.iter().rev().find(|t| t.tag != Tag::Adverb && t.tag != Tag::Not);
        let context = Before {
            tag: before.map(|t| t.tag),
            word: before.map_or("", |t| t.lower()),
            verb_seen,
            after_bare_verb: matches!(
                out.as_slice(),
                [.., Tagged { tag: Tag::VerbS, .. }, Tagged { tag: Tag::Mark, .. }]
            ),
            after_definite: after_definite(&out),
        };
        let empty = Readings::default();
        let mine = readings.get(at).unwrap_or(&empty);
        // `Patients, who have a number, visit doctors`: after the aside comes the verb of the sentence.
        let main_verb = aside == Aside::Closed
            && (mine.base || mine.third.is_some())
            && closed(&token.lower).is_none()
            && next.is_some_and(|t| t.kind != TokenKind::Mark && closed(&t.lower) != Some(Tag::And));
        // `Review applications`: an order starts with its verb.
        // `Line manager reviews the request`: a person acts, whatever stands before.
        let doer = next.is_some_and(|t| lexicon::is_person(&t.lower))
            && readings.get(at + 2).is_some_and(|r| r.third.is_some());
        let order =
            at == 0 && mine.base && !finite && !doer && next.is_some_and(|t| t.kind == TokenKind::Word);
        let tag = if order || main_verb && mine.base {
            Tag::Verb
        } else if main_verb {
            Tag::VerbS
        } else {
            decide(token, at, &context, next, readings.get(at + 1), tokens.get(at + 2), mine)
        };
        aside = match (aside, tag) {
            (Aside::None, Tag::Relative) if !verb_seen && at > 1 && context.word == "," => Aside::Open,
            (Aside::Open | Aside::Closed, Tag::Mark) if token.lower == "," && verb_seen => Aside::Closed,
            (Aside::Closed, _) if main_verb => Aside::None,
            (Aside::Closed, _) => Aside::Open,
            (kept, _) => kept,
        };
        match tag {
            // `lets customers search`: the object does the next verb.
            Tag::Verb | Tag::VerbS if matches!(token.lower.as_str(), "let" | "lets") => verb_seen = false,
            Tag::Verb | Tag::VerbS | Tag::Modal | Tag::Be | Tag::Have | Tag::Do => verb_seen = true,
            Tag::Relative | Tag::Subordinator => verb_seen = false,
            Tag::Adverb if token.lower == "then" => verb_seen = false,
            Tag::And => verb_seen = verb_seen && !starts_clause(&tokens, &readings, at + 1),
            Tag::Mark if matches!(token.lower.as_str(), ":" | ";" | "," | "(" | "–" | "—") => {
                verb_seen = verb_seen && token.lower == "," && !starts_clause(&tokens, &readings, at + 1);
            }
            _ => {}
        }
        let lemma = lemma(token, tag, mine);
        out.push(Tagged { token: token.clone(), tag, lemma });
    }
    out
}

/// Whether the last words are a base verb, an article, a noun and a conjunction.
fn after_definite(out: &[Tagged]) -> bool {
    let tags: Vec<Tag> = out.iter().rev().take(4).map(|t| t.tag).collect();
    matches!(tags.as_slice(), [Tag::And, Tag::Noun | Tag::Plural, Tag::Determiner, Tag::Verb])
}

/// Whether a clause with its own subject seems to start here: a determiner or pronoun, and a sure verb soon after.
fn starts_clause(tokens: &[Token], readings: &[Readings], from: usize) -> bool {
    let Some(first) = tokens.get(from) else {
        return false;
    };
    let opener =
        matches!(closed(&first.lower), Some(Tag::Determiner | Tag::Pronoun | Tag::Possessive | Tag::There));
    // `the accountant issues the invoice`: a noun that may be a verb, with an object after it.
    let with_object = |at: usize| {
        readings.get(at).is_some_and(|r| r.third.is_some())
            && tokens.get(at + 1).is_some_and(|t| {
                matches!(
                    closed(&t.lower),
                    Some(Tag::Determiner | Tag::Possessive | Tag::Pronoun | Tag::Number)
                )
            })
    };
    let free = |at: usize| tokens.get(at).is_some_and(|t| t.kind == TokenKind::Word);
    let ends = |at: usize| {
        tokens.get(at).is_some_and(|t| INTRANSITIVE.contains(&t.lower.as_str()))
            && tokens.get(at + 1).is_none_or(|t| t.kind == TokenKind::Mark)
    };
    if opener && (from + 2..from + 7).take_while(|at| free(*at)).any(|at| with_object(at) || ends(at)) {
        return true;
    }
    opener
        && tokens.iter().zip(readings).skip(from + 1).take(5).any(|(t, r)| {
            matches!(closed(&t.lower), Some(Tag::Modal | Tag::Be | Tag::Have | Tag::Do))
                || (r.third.is_some() && !r.noun)
        })
}

/// Decides the part of speech of one word.
fn decide(
    token: &Token,
    at: usize,
    before: &Before<'_>,
    next: Option<&Token>,
    next_readings: Option<&Readings>,
    after_next: Option<&Token>,
    mine: &Readings,
) -> Tag {
    match token.kind {
        TokenKind::Genitive => return Tag::Genitive,
        TokenKind::Number => return Tag::Number,
        TokenKind::Mark if token.lower == "/" || token.lower == "&" => return Tag::And,
        TokenKind::Mark => return Tag::Mark,
        TokenKind::Word => {}
    }
    let word = token.lower.as_str();
    let next_closed = next.and_then(|t| closed(&t.lower));
    let next_word = next.map_or("", |t| t.lower.as_str());
    if token.shouted && !matches!(mine, Readings { base: true, noun: false, .. }) {
        return Tag::Name;
    }
    if let Some(tag) = closed(word) {
        return match (tag, word) {
            (_, "that") if before.tag.is_some_and(is_nominal) => Tag::Relative,
            (_, "that")
                if next_readings.is_some_and(|r| r.noun && next_closed.is_none())
                    && !before.tag.is_some_and(is_verbal) =>
            {
                Tag::Determiner
            }
            (_, "that") => Tag::Subordinator,
            (_, "her") if next_closed.is_some() => Tag::Pronoun,
            (Tag::Adverb, "first" | "next" | "more" | "less" | "most" | "least" | "back" | "online")
                if matches!(
                    before.tag,
                    Some(Tag::Determiner | Tag::Possessive | Tag::Genitive | Tag::Preposition)
                ) && next_readings.is_some_and(|r| r.noun || r.adjective)
                    && next_closed.is_none_or(|t| t == Tag::And) =>
            {
                Tag::Adjective
            }
            (Tag::Adverb, "first" | "next") if next_closed == Some(Tag::And) => Tag::Adjective,
            (_, "like") if before.tag.is_some_and(|t| matches!(t, Tag::Modal | Tag::Pronoun | Tag::To)) => {
                Tag::Verb
            }
            (Tag::Number, "one")
                if matches!(next_closed, Some(Tag::Be | Tag::Modal))
                    && before.tag != Some(Tag::Determiner) =>
            {
                Tag::Number
            }
            (_, "will" | "may" | "can" | "might" | "must")
                if before.tag == Some(Tag::Determiner) && before.word != "this" =>
            {
                Tag::Noun
            }
            _ => tag,
        };
    }
    let nominal_before = before.tag.is_some_and(|t| {
        matches!(
            t,
            Tag::Determiner
                | Tag::Possessive
                | Tag::Genitive
                | Tag::Adjective
                | Tag::Number
                | Tag::Preposition
        )
    });
    let next_starts_phrase =
        matches!(next_closed, Some(Tag::Determiner | Tag::Possessive | Tag::Pronoun | Tag::Number))
            || next.is_some_and(|t| t.kind == TokenKind::Number);
    let next_is_noun =
        next_closed.is_none() && next_readings.is_some_and(|r| r.noun || r.adjective || r.ing.is_some());
    let verb_slot = matches!(before.tag, Some(Tag::Modal | Tag::To | Tag::Do));
    let subject_before = matches!(before.tag, Some(Tag::Pronoun | Tag::Relative | Tag::There))
        || (before.tag == Some(Tag::Number) && before.word == "one");
    if word.ends_with("ly") && word.len() > 4 && !ENDS_IN_LY.contains(&word) && !mine.base {
        return Tag::Adverb;
    }
    let noun = |word: &str| {
        if lexicon::is_plural(word) { Tag::Plural } else { Tag::Noun }
    };
    // The base form after `to`, `can`, `does`.
    if verb_slot && mine.base {
        return Tag::Verb;
    }
    if verb_slot
        && before.tag == Some(Tag::Modal)
        && !mine.adjective
        && mine.past.is_none()
        && mine.third.is_none()
        && next.is_some()
    {
        return Tag::Verb;
    }
    // The past and the participle.
    if mine.past.is_some() && (!mine.base || matches!(before.tag, Some(Tag::Be | Tag::Have))) {
        if nominal_before && next_is_noun && before.tag != Some(Tag::Preposition) {
            return Tag::Adjective;
        }
        if mine.adjective && !matches!(before.tag, Some(Tag::Be)) {
            return Tag::Adjective;
        }
        return Tag::VerbPast;
    }
    if mine.ing.is_some() && !mine.adjective {
        // `the scoring`, `scoring table`: a noun; `is scoring`, `by scoring points`: a verb.
        if matches!(before.tag, Some(Tag::Be)) {
            return Tag::VerbIng;
        }
        // `Accounting checks the receipts`: a department.
        if at == 0
            && next_readings.is_some_and(|r| r.third.is_some())
            && after_next.is_some_and(|t| matches!(closed(&t.lower), Some(Tag::Determiner | Tag::Possessive)))
        {
            return Tag::Noun;
        }
        if matches!(before.tag, Some(Tag::Determiner | Tag::Possessive | Tag::Genitive | Tag::Adjective)) {
            return if mine.noun || !next_starts_phrase { Tag::Noun } else { Tag::VerbIng };
        }
        if before.tag.is_some_and(is_nominal)
            && !next_starts_phrase
            && (next_is_noun || next_closed.is_some())
            && next_closed != Some(Tag::Preposition)
            && next_closed != Some(Tag::To)
            && !next_readings.is_some_and(|r| r.adjective)
            && !lexicon::is_plural(next_word)
        {
            return Tag::Noun;
        }
        return Tag::VerbIng;
    }
    if mine.adjective && !(mine.noun && !next_is_noun && nominal_before && before.tag != Some(Tag::Adjective))
    {
        let clean_verb = mine.base && subject_before;
        let acts = mine.base && next_starts_phrase && !nominal_before && before.tag != Some(Tag::Be);
        if !clean_verb && !acts {
            return Tag::Adjective;
        }
    }
    if mine.third.is_some() {
        if !mine.noun {
            // Unless it is a name's plural, only a verb.
            return if nominal_before
                && before.tag != Some(Tag::Number)
                && before.tag != Some(Tag::Preposition)
            {
                Tag::Plural
            } else {
                Tag::VerbS
            };
        }
        if nominal_before {
            return Tag::Plural;
        }
        // `creates the content, designs the pages`.
        if matches!(before.tag, Some(Tag::Mark))
            && before.word == ","
            && matches!(next_closed, Some(Tag::Determiner | Tag::Possessive))
        {
            return Tag::VerbS;
        }
        // `cleans, repairs and tests the bike`.
        if before.after_bare_verb
            && before.word == ","
            && next_closed == Some(Tag::And)
            && after_next.is_some_and(|t| lexicon::readings(&t.lower).third.is_some())
        {
            return Tag::VerbS;
        }
        if subject_before && !before.verb_seen {
            return Tag::VerbS;
        }
        if matches!(before.tag, Some(Tag::And)) && before.verb_seen {
            return if next_starts_phrase { Tag::VerbS } else { Tag::Plural };
        }
        if !before.verb_seen
            && matches!(before.tag, Some(Tag::Noun | Tag::Plural | Tag::Name))
            && next.is_none_or(|t| t.kind == TokenKind::Mark)
            && INTRANSITIVE.contains(&word)
        {
            return Tag::VerbS;
        }
        let after_noun = matches!(before.tag, Some(Tag::Noun | Tag::Name));
        if after_noun && !before.verb_seen {
            let verb_follows = matches!(next_closed, Some(Tag::Be | Tag::Have | Tag::Modal | Tag::Do))
                || after_next
                    .is_some_and(|t| matches!(closed(&t.lower), Some(Tag::Be | Tag::Modal | Tag::Have)))
                    && next_closed == Some(Tag::Adverb)
                || next_closed.is_none() && next_readings.is_some_and(|r| r.third.is_some() && !r.noun);
            if next_starts_phrase
                || (next_is_noun && !verb_follows)
                || matches!(next_closed, Some(Tag::Preposition | Tag::To | Tag::Subordinator))
                    && next_word != "of"
                    && !verb_follows
            {
                return Tag::VerbS;
            }
            if next_closed == Some(Tag::Adverb) && !verb_follows || next_word.ends_with("ly") {
                return Tag::VerbS;
            }
        }
        return Tag::Plural;
    }
    if mine.base {
        let plural_before =
            matches!(before.tag, Some(Tag::Plural)) || (subject_before && before.word != "it");
        if !mine.noun {
            return if nominal_before
                && before.tag != Some(Tag::Number)
                && (before.tag != Some(Tag::Preposition))
                && !next_starts_phrase
            {
                noun(word)
            } else {
                Tag::Verb
            };
        }
        if nominal_before {
            return noun(word);
        }
        if plural_before
            && !before.verb_seen
            && (next_starts_phrase
                || next_is_noun
                || matches!(next_closed, Some(Tag::Preposition | Tag::To | Tag::Adverb)))
        {
            return Tag::Verb;
        }
        if (at == 0 || before.tag == Some(Tag::Mark)) && next_starts_phrase {
            return Tag::Verb;
        }
        if matches!(before.tag, Some(Tag::And | Tag::Mark)) && next_starts_phrase {
            return Tag::Verb;
        }
        // `manage the catalogue and block users`, not `the product and order lines`.
        if before.tag == Some(Tag::And) && before.after_definite && lexicon::is_plural(next_word) {
            return Tag::Verb;
        }
        return noun(word);
    }
    // `The florist binds the bouquet`: a verb that no table knows.
    if lexicon::is_plural(word)
        && !before.verb_seen
        && matches!(before.tag, Some(Tag::Noun))
        && matches!(next_closed, Some(Tag::Determiner | Tag::Possessive))
    {
        return Tag::VerbS;
    }
    if token.capital && at > 0 && before.tag != Some(Tag::Mark) && !lexicon::is_plural(word) {
        return Tag::Name;
    }
    noun(word)
}

/// Verbs that need no object: at the end of a clause they are verbs, not nouns.
const INTRANSITIVE: &[&str] = &[
    "ends", "starts", "stops", "fails", "closes", "changes", "works", "leaves", "returns", "calls", "drops",
    "waits",
];

/// Words in `-ly` that are no adverbs.
const ENDS_IN_LY: &[&str] = &[
    "family",
    "supply",
    "assembly",
    "reply",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "friendly",
    "fly",
    "apply",
    "early",
    "only",
    "ally",
    "jelly",
    "bi-weekly",
    "italy",
    "anomaly",
    "hourly",
    "quarterly",
];

/// Whether a tag can end a noun phrase.
fn is_nominal(tag: Tag) -> bool {
    matches!(tag, Tag::Noun | Tag::Plural | Tag::Name)
}

/// Whether a tag is part of a verb group.
fn is_verbal(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::Verb | Tag::VerbS | Tag::VerbPast | Tag::VerbIng | Tag::Be | Tag::Have | Tag::Do | Tag::Modal
    )
}

/// The base form of a word as this part of speech.
fn lemma(token: &Token, tag: Tag, readings: &Readings) -> String {
    let word = token.lower.as_str();
    match tag {
        Tag::Noun | Tag::Plural | Tag::Name => lexicon::singular(word),
        Tag::VerbS => readings.third.clone().unwrap_or_else(|| lexicon::singular(word)),
        Tag::VerbPast => readings.past.clone().unwrap_or_else(|| lexicon::guess_base(word)),
        Tag::VerbIng => readings.ing.clone().unwrap_or_else(|| lexicon::guess_base(word)),
        Tag::Be => "be".to_owned(),
        Tag::Have => "have".to_owned(),
        Tag::Do => "do".to_owned(),
        _ => word.to_owned(),
    }
}
