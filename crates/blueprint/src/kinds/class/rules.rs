//! What makes a class diagram tidy, and what makes it wrong.

use std::collections::{HashMap, HashSet};

use super::{Attribute, Class, ClassKind, ClassModel, Relationship, RelationshipKind};
use crate::{
    Compiled, Lint, Target,
    kinds::{
        Model,
        names::{self, Done, Names},
    },
    lint::{Lints, shorten},
};

/// Longest class or member name that is not called long, in characters.
const LONG_NAME: usize = 60;

impl Model for ClassModel {
    fn compile(&self, _target: Target) -> Compiled {
        super::compile::compile(self)
    }

    fn normalize(&mut self) -> Vec<String> {
        let mut done = Done::default();
        for class in &mut self.classes {
            tidy_class(class, &mut done);
        }
        done.retain(&mut self.classes, "class without a name", |class| !class.name.is_empty());
        merge_classes(self, &mut done);
        for class in &mut self.classes {
            drop_repeated_members(class, &mut done);
        }
        let names = Names::new(self.classes.iter().map(|class| class.name.as_str()));
        for relationship in &mut self.relationships {
            tidy_relationship(relationship, &names, &mut done);
        }
        done.retain(&mut self.relationships, "relationship without ends", |r| {
            !r.from.is_empty() && !r.to.is_empty()
        });
        let mut seen = HashSet::new();
        done.retain(&mut self.relationships, "repeated relationship", |r| {
            seen.insert((
                r.from.clone(),
                r.to.clone(),
                r.kind as u8,
                r.label.to_lowercase(),
                r.multiplicity_from.clone(),
                r.multiplicity_to.clone(),
            ))
        });
        done.finish()
    }

    fn lint(&self) -> Vec<Lint> {
        let mut lints = Lints::default();
        if self.classes.is_empty() {
            let hint = "Say what things the system deals with.";
            lints.add("BP003", "classes", None, "There are no classes.", hint);
        }
        let mut seen = HashSet::new();
        let used: HashSet<&str> =
            self.relationships.iter().flat_map(|r| [r.from.as_str(), r.to.as_str()]).collect();
        for (at, class) in self.classes.iter().enumerate() {
            lints.name(&format!("classes[{at}].name"), &class.name, LONG_NAME, &mut seen);
            lint_class(&mut lints, class, at, used.contains(class.name.as_str()));
        }
        lint_relationships(&mut lints, self);
        lints.finish()
    }

    fn describe(&self) -> String {
        format!(
            "{}, {}: {}",
            names::count(self.classes.len(), "class", "classes"),
            names::count(self.relationships.len(), "relationship", "relationships"),
            names::list(self.classes.iter().map(|class| class.name.as_str())),
        )
    }
}

fn tidy_class(class: &mut Class, done: &mut Done) {
    done.tidy(&mut class.name);
    done.tidy_option(&mut class.evidence);
    for literal in &mut class.literals {
        done.tidy(literal);
    }
    for attribute in &mut class.attributes {
        done.tidy(&mut attribute.name);
        done.tidy(&mut attribute.type_name);
        done.tidy_option(&mut attribute.evidence);
        split_type(attribute, done);
    }
    for method in &mut class.methods {
        done.tidy(&mut method.name);
        done.tidy(&mut method.returns);
        done.tidy_option(&mut method.evidence);
        while let Some(bare) = method.name.strip_suffix("()") {
            method.name = bare.trim_end().to_owned();
        }
        if method.returns.eq_ignore_ascii_case("void") || method.returns.eq_ignore_ascii_case("none") {
            method.returns.clear();
        }
        for parameter in &mut method.parameters {
            done.tidy(parameter);
        }
        method.parameters.retain(|parameter| !parameter.is_empty());
    }
    done.retain(&mut class.literals, "value without a name", |literal| !literal.is_empty());
    done.retain(&mut class.attributes, "attribute without a name", |attribute| !attribute.name.is_empty());
    done.retain(&mut class.methods, "method without a name", |method| !method.name.is_empty());
}

/// `total: Money` in the place of a name is a name and a type.
fn split_type(attribute: &mut Attribute, done: &mut Done) {
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
    done.note(format!("Read `{}` as a name and a type.", shorten(&attribute.name)));
    attribute.name = name;
    attribute.type_name = kind;
}

fn drop_repeated_members(class: &mut Class, done: &mut Done) {
    let mut seen = HashSet::new();
    done.retain(&mut class.literals, "repeated value", |literal| seen.insert(literal.clone()));
    let mut seen = HashSet::new();
    done.retain(&mut class.attributes, "repeated attribute", |a| {
        seen.insert((a.name.to_lowercase(), a.type_name.to_lowercase()))
    });
    let mut seen = HashSet::new();
    done.retain(&mut class.methods, "repeated method", |m| {
        seen.insert((m.name.clone(), m.parameters.clone()))
    });
}

/// Classes whose names differ in case at most become one, in the place of the first.
fn merge_classes(model: &mut ClassModel, done: &mut Done) {
    let mut place: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Class> = Vec::with_capacity(model.classes.len());
    for class in std::mem::take(&mut model.classes) {
        let first = place.entry(class.name.to_lowercase()).or_insert(kept.len());
        let Some(known) = kept.get_mut(*first) else {
            kept.push(class);
            continue;
        };
        done.note(format!("Merged two classes named `{}`.", shorten(&known.name)));
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

fn tidy_relationship(relationship: &mut Relationship, names: &Names, done: &mut Done) {
    for text in [&mut relationship.from, &mut relationship.to, &mut relationship.label] {
        done.tidy(text);
    }
    done.tidy_option(&mut relationship.evidence);
    for end in [&mut relationship.multiplicity_from, &mut relationship.multiplicity_to] {
        done.tidy_option(end);
        if let Some(text) = end
            && let Some(plain) = plain_multiplicity(text)
            && plain != *text
        {
            done.note(format!("Wrote the multiplicity `{}` as `{plain}`.", shorten(text)));
            *text = plain;
        }
    }
    names.resolve(&mut relationship.from, done);
    names.resolve(&mut relationship.to, done);
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

/// A number, `*`, or a range with the lower bound first.
pub(super) fn is_multiplicity(text: &str) -> bool {
    let number = |text: &str| text.len() <= 6 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once("..") {
        Some((low, high)) => {
            let least = low.parse::<u32>().ok().filter(|_| number(low));
            least.is_some_and(|least| {
                high == "*" || (number(high) && high.parse::<u32>().is_ok_and(|most| most >= least))
            })
        }
        None => text == "*" || number(text),
    }
}

fn lint_class(lints: &mut Lints, class: &Class, at: usize, used: bool) {
    let element = || Some(class.name.clone());
    let name = shorten(&class.name);
    let bare = class.attributes.is_empty() && class.methods.is_empty() && class.literals.is_empty();
    if class.kind == ClassKind::Enum && class.literals.is_empty() {
        let message = format!("The enumeration `{name}` has no values.");
        lints.add("BP013", format!("classes[{at}].literals"), element(), message, "List its values.");
    } else if bare && !used {
        let message = format!("The class `{name}` has no members and no relationships.");
        let hint = "Connect it, give it attributes, or make it an attribute of another class.";
        lints.add("BP012", format!("classes[{at}]"), element(), message, hint);
    }
    if class.kind != ClassKind::Enum && !class.literals.is_empty() {
        let message = format!("`{name}` has values, but is not an enumeration.");
        lints.add("BP014", format!("classes[{at}].literals"), element(), message, "Make its kind `enum`.");
    }
    let members = class.attributes.iter().map(|a| ("attributes", a.name.as_str()));
    let members = members.chain(class.literals.iter().map(|l| ("literals", l.as_str()))).collect::<Vec<_>>();
    let mut seen = HashSet::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for (list, member) in members {
        let counter = index.entry(list).or_default();
        let path = format!("classes[{at}].{list}[{counter}]");
        *counter += 1;
        if member.trim().is_empty() {
            lints.add("BP004", path, element(), "A member has no name.", "Name it, or remove it.");
            continue;
        }
        if member.chars().count() > LONG_NAME {
            let message = format!("The name `{}` has more than {LONG_NAME} characters.", shorten(member));
            lints.add(
                "BP005",
                path.clone(),
                Some(format!("{}.{member}", class.name)),
                message,
                "Use a few words.",
            );
        }
        if !seen.insert((list, member.trim().to_lowercase())) {
            let message = format!("`{name}` has `{}` twice.", shorten(member));
            lints.add(
                "BP016",
                path,
                Some(format!("{}.{member}", class.name)),
                message,
                "Remove one of them.",
            );
        }
    }
}

fn lint_relationships(lints: &mut Lints, model: &ClassModel) {
    let known: Vec<&str> = model.classes.iter().map(|class| class.name.as_str()).collect();
    let place: HashMap<&str, usize> = known.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let mut general = Vec::new();
    let mut parts = Vec::new();
    for (at, r) in model.relationships.iter().enumerate() {
        let element = format!("{}--{}", r.from, r.to);
        for (end, name) in [("from", &r.from), ("to", &r.to)] {
            if !place.contains_key(name.as_str()) {
                lints.dangling(format!("relationships[{at}].{end}"), element.clone(), name, &known);
            }
        }
        for (field, text) in
            [("multiplicity_from", &r.multiplicity_from), ("multiplicity_to", &r.multiplicity_to)]
        {
            if let Some(text) = text.as_deref().filter(|text| !is_multiplicity(text.trim())) {
                let message = format!("`{}` is not a multiplicity.", shorten(text));
                let hint = "Write `1`, `0..1`, `*` or `1..*`.";
                lints.add(
                    "BP015",
                    format!("relationships[{at}].{field}"),
                    Some(element.clone()),
                    message,
                    hint,
                );
            }
        }
        let (Some(&from), Some(&to)) = (place.get(r.from.as_str()), place.get(r.to.as_str())) else {
            continue;
        };
        match r.kind {
            RelationshipKind::Inheritance | RelationshipKind::Realization if from == to => {
                let message = format!("`{}` inherits from itself.", shorten(&r.from));
                let hint = "Remove the line, or make it an association.";
                lints.add("BP011", format!("relationships[{at}]"), Some(element), message, hint);
            }
            RelationshipKind::Inheritance | RelationshipKind::Realization => general.push((from, to)),
            // A tree of parts of one class (a folder in a folder) is fine; a circle of several is not.
            RelationshipKind::Composition if from != to => parts.push((from, to)),
            _ => {}
        }
    }
    let mut circle = |code, edges: &[(usize, usize)], verb: &str, hint: &str| {
        if let Some(cycle) = names::find_cycle(edges, known.len()) {
            let mut round: Vec<String> =
                cycle.iter().filter_map(|at| known.get(*at)).map(|n| shorten(n)).collect();
            round.extend(round.first().cloned());
            let element = cycle.first().and_then(|at| known.get(*at)).map(|name| (*name).to_owned());
            lints.add(
                code,
                "relationships",
                element,
                format!("A circle of {verb}: {}.", round.join(" → ")),
                hint,
            );
        }
    };
    circle("BP010", &general, "inheritance", "Remove the line that is the wrong way round.");
    circle("BP017", &parts, "composition", "Make one of them an association.");
}
