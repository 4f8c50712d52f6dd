//! Corrections that do not change the meaning of a diagram.

use std::collections::{HashMap, HashSet};

use super::{
    model::{Attribute, Class, ClassKind, ClassModel, Relationship},
    multiplicity::is_multiplicity,
};
use crate::{
    kinds::names::{Names, Notes},
    text::shorten,
};

pub(super) fn normalize(model: &mut ClassModel) -> Vec<String> {
    let mut notes = Notes::default();
    for class in &mut model.classes {
        tidy_class(class, &mut notes);
    }
    notes.retain(&mut model.classes, "class without a name", |class| !class.name.is_empty());
    merge_classes(model, &mut notes);
    for class in &mut model.classes {
        drop_repeated_members(class, &mut notes);
    }
    let names = Names::new(model.classes.iter().map(|class| class.name.as_str()));
    for relationship in &mut model.relationships {
        tidy_relationship(relationship, &names, &mut notes);
    }
    notes.retain(&mut model.relationships, "relationship without ends", |r| {
        !r.from.is_empty() && !r.to.is_empty()
    });
    let mut seen = HashSet::new();
    notes.retain(&mut model.relationships, "repeated relationship", |r| {
        seen.insert((
            r.from.clone(),
            r.to.clone(),
            r.kind as u8,
            r.label.to_lowercase(),
            r.multiplicity_from.clone(),
            r.multiplicity_to.clone(),
        ))
    });
    notes.finish()
}

fn tidy_class(class: &mut Class, notes: &mut Notes) {
    notes.tidy(&mut class.name);
    notes.tidy_option(&mut class.evidence);
    for literal in &mut class.literals {
        notes.tidy(literal);
    }
    for attribute in &mut class.attributes {
        notes.tidy(&mut attribute.name);
        notes.tidy(&mut attribute.type_name);
        notes.tidy_option(&mut attribute.evidence);
        split_type(attribute, notes);
    }
    for method in &mut class.methods {
        notes.tidy(&mut method.name);
        notes.tidy(&mut method.returns);
        notes.tidy_option(&mut method.evidence);
        while let Some(bare) = method.name.strip_suffix("()") {
            method.name = bare.trim_end().to_owned();
        }
        if method.returns.eq_ignore_ascii_case("void") || method.returns.eq_ignore_ascii_case("none") {
            method.returns.clear();
        }
        for parameter in &mut method.parameters {
            notes.tidy(parameter);
        }
        method.parameters.retain(|parameter| !parameter.is_empty());
    }
    notes.retain(&mut class.literals, "value without a name", |literal| !literal.is_empty());
    notes.retain(&mut class.attributes, "attribute without a name", |attribute| !attribute.name.is_empty());
    notes.retain(&mut class.methods, "method without a name", |method| !method.name.is_empty());
}

/// `total: Money` in the place of a name is a name and a type.
fn split_type(attribute: &mut Attribute, notes: &mut Notes) {
    if !attribute.type_name.is_empty() {
        return;
    }
    let Some((name, kind)) = attribute.name.split_once(": ") else {
        return;
    };
    let (name, kind) = (name.trim().to_owned(), kind.trim().to_owned());
    if name.is_empty() || kind.is_empty() {
        return;
    }
    notes.note(format!("Read `{}` as a name and a type.", shorten(&attribute.name)));
    attribute.name = name;
    attribute.type_name = kind;
}

fn drop_repeated_members(class: &mut Class, notes: &mut Notes) {
    let mut seen = HashSet::new();
    notes.retain(&mut class.literals, "repeated value", |literal| seen.insert(literal.clone()));
    let mut seen = HashSet::new();
    notes.retain(&mut class.attributes, "repeated attribute", |a| {
        seen.insert((a.name.to_lowercase(), a.type_name.to_lowercase()))
    });
    let mut seen = HashSet::new();
    notes.retain(&mut class.methods, "repeated method", |m| {
        seen.insert((m.name.clone(), m.parameters.clone()))
    });
}

/// Classes whose names differ in case at most become one, in the place of the first.
fn merge_classes(model: &mut ClassModel, notes: &mut Notes) {
    let mut place: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Class> = Vec::with_capacity(model.classes.len());
    for class in std::mem::take(&mut model.classes) {
        let first = place.entry(class.name.to_lowercase()).or_insert(kept.len());
        let Some(known) = kept.get_mut(*first) else {
            kept.push(class);
            continue;
        };
        notes.note(format!("Merged two classes named `{}`.", shorten(&known.name)));
        known.attributes.extend(class.attributes);
        known.methods.extend(class.methods);
        known.literals.extend(class.literals);
        known.sources.extend(class.sources);
        known.evidence = known.evidence.take().or(class.evidence);
        if known.kind == ClassKind::Class {
            known.kind = class.kind;
        }
    }
    model.classes = kept;
}

fn tidy_relationship(relationship: &mut Relationship, names: &Names, notes: &mut Notes) {
    for text in [&mut relationship.from, &mut relationship.to, &mut relationship.label] {
        notes.tidy(text);
    }
    notes.tidy_option(&mut relationship.evidence);
    for end in [&mut relationship.multiplicity_from, &mut relationship.multiplicity_to] {
        notes.tidy_option(end);
        if let Some(text) = end
            && let Some(plain) = plain_multiplicity(text)
            && plain != *text
        {
            notes.note(format!("Wrote the multiplicity `{}` as `{plain}`.", shorten(text)));
            *text = plain;
        }
    }
    names.resolve(&mut relationship.from, notes);
    names.resolve(&mut relationship.to, notes);
}

/// Another spelling of a multiplicity in UML's: `0..n`, `many`, `1-*`, `"1"`.
fn plain_multiplicity(text: &str) -> Option<String> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && *c != '"' && *c != '\'').collect();
    let bare = bare.to_lowercase().replace("...", "..");
    let bare = match bare.as_str() {
        "many" | "n" | "m" | "0..*" | "0..n" | "0..m" | "zeroormore" => "*".to_owned(),
        "one" => "1".to_owned(),
        "zeroorone" | "optional" | "0-1" | "0,1" => "0..1".to_owned(),
        "oneormore" | "1..n" | "1..m" | "1+" | "1-*" | "1-n" | "1..many" => "1..*".to_owned(),
        _ => bare,
    };
    // `0..*` and `*` are the same; which of them is written is the author's choice.
    let kept = if bare == "*" && text.contains("..") { "0..*".to_owned() } else { bare };
    is_multiplicity(&kept).then_some(kept)
}
