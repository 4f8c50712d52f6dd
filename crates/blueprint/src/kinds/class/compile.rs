//! A class diagram as Mermaid text. Both targets read the same text.
//!
//! Lines run the way UML says them: `Special --|> General`, `Whole *-- Part`. An attribute is written `+Type name`, as
//! Mermaid's own documents do, where both are single words, and `+name: Type` where they are not.

use std::collections::HashMap;

use diagram::Span;

use super::model::{
    Attribute, Class, ClassKind, ClassModel, Method, Relationship, RelationshipKind, Visibility,
};
use crate::{
    compile::{Compiled, Element, ElementKind, Ids, Pairs, Writer, ascii_word},
    escape,
};

/// `enumeration` and so on; the same words as Mermaid's documents use.
pub(super) const STEREOTYPES: [(ClassKind, &str); 3] = [
    (ClassKind::Enum, "enumeration"),
    (ClassKind::Interface, "interface"),
    (ClassKind::Abstract, "abstract"),
];

/// How each line is drawn.
const ARROWS: [(RelationshipKind, &str); 6] = [
    (RelationshipKind::Association, "-->"),
    (RelationshipKind::Aggregation, "o--"),
    (RelationshipKind::Composition, "*--"),
    (RelationshipKind::Inheritance, "--|>"),
    (RelationshipKind::Realization, "..|>"),
    (RelationshipKind::Dependency, "..>"),
];

pub(super) fn compile(model: &ClassModel) -> Compiled {
    let mut writer = Writer::new("classDiagram");
    // Mermaid refuses a class diagram that says nothing at all.
    if model.classes.is_empty() {
        writer.line(1, "note \"Nothing to draw\"");
    }
    let mut ids = Ids::default();
    let mut id_of: HashMap<&str, String> = HashMap::new();
    for class in &model.classes {
        let id = ids.unique(&mermaid_id(&class.name));
        write_class(&mut writer, class, &id);
        // A line that names a name used twice goes to the first.
        id_of.entry(class.name.as_str()).or_insert(id);
    }
    let mut pairs = Pairs::default();
    for relationship in &model.relationships {
        let ends = (id_of.get(relationship.from.as_str()), id_of.get(relationship.to.as_str()));
        if let (Some(from), Some(to)) = ends {
            write_relationship(&mut writer, relationship, from, to, pairs.next(from, to));
        }
    }
    writer.finish()
}

/// A word that no grammar of Mermaid knows: all its own begin with a small letter.
fn mermaid_id(name: &str) -> String {
    let word = ascii_word(name);
    let mut letters = word.chars();
    match letters.next() {
        Some(first) if first.is_ascii_alphabetic() => {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        }
        Some(_) => format!("C{word}"),
        None => "Class1".to_owned(),
    }
}

fn write_class(writer: &mut Writer, class: &Class, id: &str) {
    let mut head = format!("class {id}");
    // Mermaid 12 cannot draw a class whose title is blank; a nameless one shows its id.
    if class.name != id && !escape::clean(&class.name).is_empty() {
        head.push_str(&format!("[\"{}\"]", escape::quoted(&class.name)));
    }
    let stereotype = STEREOTYPES.iter().find(|(kind, _)| *kind == class.kind).map(|(_, word)| *word);
    let element = |kind, id: &str, label: &str, sources: &Vec<Span>, evidence: &Option<String>| Element {
        id: id.to_owned(),
        mermaid_id: String::new(),
        line: 0,
        label: label.to_owned(),
        kind,
        sources: sources.clone(),
        evidence: evidence.clone(),
    };
    let body = stereotype.is_some()
        || !(class.attributes.is_empty() && class.methods.is_empty() && class.literals.is_empty());
    if body {
        head.push_str(" {");
    }
    let whole = element(ElementKind::Class, class.name.trim(), &class.name, &class.sources, &class.evidence);
    writer.draw(1, &head, Element { mermaid_id: id.to_owned(), ..whole });
    if !body {
        return;
    }
    if let Some(word) = stereotype {
        writer.line(2, &format!("<<{word}>>"));
    }
    let name = class.name.trim();
    // A value has no place of its own in the requirements: it is where its enumeration is.
    for literal in &class.literals {
        let text = escape::member(literal);
        if text.is_empty() {
            continue;
        }
        let part = element(
            ElementKind::Literal,
            &format!("{name}.{}", literal.trim()),
            literal,
            &class.sources,
            &class.evidence,
        );
        writer.draw(2, &text, Element { mermaid_id: id.to_owned(), ..part });
    }
    for attribute in &class.attributes {
        let Some(text) = attribute_line(attribute) else {
            continue;
        };
        let part_id = format!("{name}.{}", attribute.name.trim());
        let part = element(
            ElementKind::Attribute,
            &part_id,
            &attribute.name,
            &attribute.sources,
            &attribute.evidence,
        );
        writer.draw(2, &text, Element { mermaid_id: id.to_owned(), ..part });
    }
    for method in &class.methods {
        let Some(text) = method_line(method) else { continue };
        let part_id = format!("{name}.{}()", method.name.trim());
        let part = element(
            ElementKind::Method,
            &part_id,
            &format!("{}()", method.name.trim()),
            &method.sources,
            &method.evidence,
        );
        writer.draw(2, &text, Element { mermaid_id: id.to_owned(), ..part });
    }
    writer.line(1, "}");
}

fn sign(visibility: Visibility) -> char {
    match visibility {
        Visibility::Public => '+',
        Visibility::Private => '-',
        Visibility::Protected => '#',
        Visibility::Package => '~',
    }
}

fn attribute_line(attribute: &Attribute) -> Option<String> {
    let name = escape::member(&attribute.name);
    if name.is_empty() {
        return None;
    }
    let kind = type_text(&attribute.type_name);
    let sign = sign(attribute.visibility);
    Some(match kind.as_str() {
        "" => format!("{sign}{name}"),
        _ if name.contains(' ') || kind.contains(' ') || !reads_as_type(&attribute.type_name) => {
            format!("{sign}{name}: {kind}")
        }
        _ => format!("{sign}{kind} {name}"),
    })
}

/// Whether the first of two words would be taken for a type; used to write and to read attributes.
pub(super) fn reads_as_type(word: &str) -> bool {
    const SMALL: [&str; 14] = [
        "int", "integer", "long", "short", "float", "double", "decimal", "number", "bool", "boolean",
        "string", "char", "date", "datetime",
    ];
    word.starts_with(|c: char| c.is_ascii_uppercase()) || SMALL.contains(&word)
}

/// A type; `List<Order>` in Mermaid's own spelling, which every version draws with angle brackets.
fn type_text(text: &str) -> String {
    let text = escape::clean(text);
    let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric());
    if let Some((outer, inner)) = text.split_once('<')
        && let Some(inner) = inner.strip_suffix('>')
        && word(outer)
        && word(inner)
    {
        return format!("{outer}~{inner}~");
    }
    escape::member(&text)
}

fn method_line(method: &Method) -> Option<String> {
    let name = escape::member(method.name.trim());
    if name.is_empty() {
        return None;
    }
    let parameters: Vec<String> = method
        .parameters
        .iter()
        .map(|parameter| escape::member(parameter))
        .filter(|text| !text.is_empty())
        .collect();
    let mut line = format!("{}{name}({})", sign(method.visibility), parameters.join(", "));
    let returns = type_text(&method.returns);
    if !returns.is_empty() {
        line.push(' ');
        line.push_str(&returns);
    }
    Some(line)
}

fn write_relationship(writer: &mut Writer, relationship: &Relationship, from: &str, to: &str, pair: String) {
    let arrow = ARROWS.iter().find(|(kind, _)| *kind == relationship.kind).map_or("-->", |(_, arrow)| *arrow);
    let mut line = from.to_owned();
    let end = |multiplicity: &Option<String>| multiplicity.as_deref().and_then(multiplicity_text);
    if let Some(text) = end(&relationship.multiplicity_from) {
        line.push_str(&format!(" \"{text}\""));
    }
    line.push_str(&format!(" {arrow}"));
    if let Some(text) = end(&relationship.multiplicity_to) {
        line.push_str(&format!(" \"{text}\""));
    }
    line.push_str(&format!(" {to}"));
    let label = escape::after_colon(&relationship.label);
    if !label.is_empty() {
        line.push_str(&format!(" : {label}"));
    }
    let element = Element {
        id: format!("{}--{}", relationship.from.trim(), relationship.to.trim()),
        mermaid_id: pair,
        line: 0,
        label: relationship.label.clone(),
        kind: ElementKind::Relationship,
        sources: relationship.sources.clone(),
        evidence: relationship.evidence.clone(),
    };
    writer.draw(1, &line, element);
}

/// `0..*` as it is, because everybody reads and edits it so; anything else escaped; nothing for a blank one.
fn multiplicity_text(text: &str) -> Option<String> {
    let text = escape::clean(text);
    match text.is_empty() {
        true => None,
        false if super::multiplicity::is_multiplicity(&text) => Some(text),
        false => Some(escape::quoted(&text)),
    }
}
