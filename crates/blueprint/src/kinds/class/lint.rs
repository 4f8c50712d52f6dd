//! What can be wrong with a diagram of this kind.

use std::collections::{HashMap, HashSet};

use super::{
    model::{Class, ClassKind, ClassModel, RelationshipKind},
    multiplicity::is_multiplicity,
};
use crate::{
    kinds::names,
    lint::{self, EMPTY_DIAGRAM, Lint, Lints, NO_NAME},
    text::shorten,
};

/// Longest class or member name that is not called long, in characters.
const LONG_NAME: usize = 60;

rules! {
    /// ## What it finds
    /// Classes that inherit from one another in a circle.
    ///
    /// ## Why it breaks
    /// Each of them would be a special case of itself.
    ///
    /// ## Fix
    /// Remove the inheritance that is the wrong way round: the arrow points from the special to the general.
    INHERITANCE_CYCLE, "BP010", "inheritance-cycle", Error;

    /// ## What it finds
    /// A class that inherits from itself, or implements itself.
    ///
    /// ## Why it breaks
    /// A class cannot be a special case of itself.
    ///
    /// ## Fix
    /// Remove the line. If objects of the class refer to each other, use an association.
    SELF_INHERITANCE, "BP011", "self-inheritance", Error;

    /// ## What it finds
    /// A class without attributes, methods and relationships.
    ///
    /// ## Why it breaks
    /// Either it is an attribute of another class, or the requirements say more about it than the diagram does.
    ///
    /// ## Fix
    /// Connect it, give it attributes, or make it an attribute of another class.
    ISOLATED_CLASS, "BP012", "lonely-class", Warning;

    /// ## What it finds
    /// An enumeration without values.
    ///
    /// ## Why it breaks
    /// An attribute of this type can have no value.
    ///
    /// ## Fix
    /// List the values, or make it an attribute of type `String`.
    EMPTY_ENUMERATION, "BP013", "empty-enumeration", Warning;

    /// ## What it finds
    /// A class with values that is not an enumeration.
    ///
    /// ## Why it breaks
    /// Only an enumeration has values.
    ///
    /// ## Fix
    /// Change its kind to `enum`, or make the values attributes.
    VALUES_OUTSIDE_ENUMERATION, "BP014", "values-outside-enumeration", Warning;

    /// ## What it finds
    /// A multiplicity that is not written as in UML.
    ///
    /// ## Why it breaks
    /// A multiplicity is a number, `*`, or a range such as `0..1` and `1..*`, the lower bound first.
    ///
    /// ## Fix
    /// Write `1`, `0..1`, `*` or `1..*`.
    INVALID_MULTIPLICITY, "BP015", "odd-multiplicity", Warning;

    /// ## What it finds
    /// A class with two attributes, or two values, of the same name.
    ///
    /// ## Why it breaks
    /// A reader cannot tell which of the two is meant.
    ///
    /// ## Fix
    /// Remove one of them.
    DUPLICATE_MEMBER, "BP016", "duplicate-member", Warning;

    /// ## What it finds
    /// Classes that are composed of one another in a circle.
    ///
    /// ## Why it breaks
    /// A part ends with its whole, so it cannot contain that whole.
    ///
    /// ## Fix
    /// Make one of the compositions an aggregation or an association.
    COMPOSITION_CYCLE, "BP017", "part-of-itself", Error;
}

pub(super) fn lint(model: &ClassModel) -> Vec<Lint> {
    let mut lints = Lints::default();
    if model.classes.is_empty() {
        let hint = "Say what things the system deals with.";
        lints.add(&EMPTY_DIAGRAM, "classes", None, "There are no classes.", hint);
    }
    let mut seen = HashSet::new();
    let used: HashSet<&str> =
        model.relationships.iter().flat_map(|r| [r.from.as_str(), r.to.as_str()]).collect();
    for (at, class) in model.classes.iter().enumerate() {
        lints.name(&format!("classes[{at}].name"), &class.name, LONG_NAME, &mut seen);
        lint_class(&mut lints, class, at, used.contains(class.name.as_str()));
    }
    lint_relationships(&mut lints, model);
    lints.finish()
}

fn lint_class(lints: &mut Lints, class: &Class, at: usize, used: bool) {
    let element = || Some(class.name.clone());
    let name = shorten(&class.name);
    let bare = class.attributes.is_empty() && class.methods.is_empty() && class.literals.is_empty();
    if class.kind == ClassKind::Enum && class.literals.is_empty() {
        let message = format!("The enumeration `{name}` has no values.");
        lints.add(
            &EMPTY_ENUMERATION,
            format!("classes[{at}].literals"),
            element(),
            message,
            "List its values.",
        );
    } else if bare && !used {
        let message = format!("The class `{name}` has no members and no relationships.");
        let hint = "Connect it, give it attributes, or make it an attribute of another class.";
        lints.add(&ISOLATED_CLASS, format!("classes[{at}]"), element(), message, hint);
    }
    if class.kind != ClassKind::Enum && !class.literals.is_empty() {
        let message = format!("`{name}` has values, but is not an enumeration.");
        lints.add(
            &VALUES_OUTSIDE_ENUMERATION,
            format!("classes[{at}].literals"),
            element(),
            message,
            "Make its kind `enum`.",
        );
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
            lints.add(&NO_NAME, path, element(), "A member has no name.", "Name it, or remove it.");
            continue;
        }
        if member.chars().count() > LONG_NAME {
            let message = format!("The name `{}` has more than {LONG_NAME} characters.", shorten(member));
            lints.add(
                &lint::LONG_NAME,
                path.clone(),
                Some(format!("{}.{member}", class.name)),
                message,
                "Use a few words.",
            );
        }
        if !seen.insert((list, member.trim().to_lowercase())) {
            let message = format!("`{name}` has `{}` twice.", shorten(member));
            lints.add(
                &DUPLICATE_MEMBER,
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
                    &INVALID_MULTIPLICITY,
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
                lints.add(&SELF_INHERITANCE, format!("relationships[{at}]"), Some(element), message, hint);
            }
            RelationshipKind::Inheritance | RelationshipKind::Realization => general.push((from, to)),
            // A tree of parts of one class (a folder in a folder) is fine; a circle of several is not.
            RelationshipKind::Composition if from != to => parts.push((from, to)),
            _ => {}
        }
    }
    let mut circle = |rule, edges: &[(usize, usize)], verb: &str, hint: &str| {
        if let Some(cycle) = names::cycle_of_names(edges, &known) {
            let message = format!("A circle of {verb}: {}.", names::cycle_text(&cycle));
            lints.add(rule, "relationships", cycle.into_iter().next(), message, hint);
        }
    };
    circle(&INHERITANCE_CYCLE, &general, "inheritance", "Remove the line that is the wrong way round.");
    circle(&COMPOSITION_CYCLE, &parts, "composition", "Make one of them an association.");
}
