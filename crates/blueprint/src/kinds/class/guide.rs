//! How to make a good class diagram, and one.

use super::model::{
    Attribute, Class, ClassKind, ClassModel, Method, Relationship, RelationshipKind, Visibility,
};

pub(crate) const INSTRUCTIONS: &str = "\
Make a UML class diagram of the domain that the requirements describe: what people talk about, not how software is \
built.
- A class is a thing the system must remember several of, and that has properties or a life of its own. Name it with \
a singular noun in UpperCamelCase, in the words of the requirements (`LoanItem`).
- An attribute is a simple value that describes one class: a name, date, amount, number, yes or no. If it has \
properties of its own, or others refer to it, it is a class with a relationship instead. Never repeat a relationship \
as an attribute.
- Leave out the system itself, its screens, reports and buttons, `Database`, and actors of whom nothing is remembered.
- Types: `String`, `Integer`, `Decimal`, `Boolean`, `Date`, `DateTime`, `Money`, or the name of an enumeration. \
Leave a type empty rather than guess.
- A fixed set of values (`open, paid or shipped`) is a class of kind `enum` with its `literals`, used as the type of \
an attribute.
- A method is a duty that the requirements give to this class; a lowerCamelCase verb (`renew`). No getters, setters \
or constructors.
- Inheritance only where every object of the special class is an object of the general one; it goes from the special \
(`from`) to the general (`to`).
- Composition and aggregation go from the whole (`from`) to the part (`to`). Composition only if the part cannot \
exist without its whole (an order and its lines); else an association.
- An association goes from the one that acts to the one acted upon, with a verb as label (`places`), and a \
multiplicity at both ends where the requirements allow one: `1`, `0..1`, `1..*`, `*`. `multiplicity_to` is how many \
of `to` one of `from` has.
- A relationship with data of its own (a loan has a due date) is a class between the two.
- One relationship for one fact; no pair of opposite lines, no line that follows from others. Both ends are exactly \
names of your classes.
- Invent nothing. For each element copy into `evidence` the words it comes from, unchanged; null if it is only \
implied.";

pub(crate) const SAMPLE_TEXT: &str = "\
A customer has a name and an e-mail address and can place any number of orders. Each order belongs to one customer, \
was \
placed on a date, and is open, paid or shipped. An order consists of one or more order lines. An order line states a \
quantity and refers to one product. A product has a title and a price. A book is a product with an ISBN. Customers can \
cancel an order.";

pub(crate) fn sample() -> ClassModel {
    let attribute = |name: &str, type_name: &str, evidence: &str| Attribute {
        name: name.into(),
        type_name: type_name.into(),
        visibility: Visibility::Public,
        evidence: Some(evidence.into()),
        ..Attribute::default()
    };
    let class = |name: &str, evidence: &str, attributes: Vec<Attribute>| Class {
        name: name.into(),
        attributes,
        evidence: Some(evidence.into()),
        ..Class::default()
    };
    let line =
        |from: &str, to: &str, kind, label: &str, ends: Option<(&str, &str)>, evidence: &str| Relationship {
            from: from.into(),
            to: to.into(),
            kind,
            label: label.into(),
            multiplicity_from: ends.map(|(one, _)| one.into()),
            multiplicity_to: ends.map(|(_, other)| other.into()),
            evidence: Some(evidence.into()),
            ..Relationship::default()
        };
    let mut order = class(
        "Order",
        "place any number of orders",
        vec![
            attribute("placedOn", "Date", "placed on a date"),
            attribute("status", "OrderStatus", "is open, paid or shipped"),
        ],
    );
    order.methods.push(Method {
        name: "cancel".into(),
        evidence: Some("Customers can cancel an order".into()),
        ..Method::default()
    });
    let status = Class {
        name: "OrderStatus".into(),
        kind: ClassKind::Enum,
        literals: vec!["Open".into(), "Paid".into(), "Shipped".into()],
        evidence: Some("is open, paid or shipped".into()),
        ..Class::default()
    };
    ClassModel {
        classes: vec![
            class(
                "Customer",
                "A customer has a name and an e-mail address",
                vec![
                    attribute("name", "String", "has a name"),
                    attribute("email", "String", "an e-mail address"),
                ],
            ),
            order,
            status,
            class(
                "OrderLine",
                "one or more order lines",
                vec![attribute("quantity", "Integer", "a quantity")],
            ),
            class(
                "Product",
                "A product has a title and a price",
                vec![attribute("title", "String", "a title"), attribute("price", "Money", "a price")],
            ),
            class("Book", "A book is a product with an ISBN", vec![attribute("isbn", "String", "an ISBN")]),
        ],
        relationships: vec![
            line(
                "Customer",
                "Order",
                RelationshipKind::Association,
                "places",
                Some(("1", "*")),
                "can place any number of orders",
            ),
            line(
                "Order",
                "OrderLine",
                RelationshipKind::Composition,
                "",
                Some(("1", "1..*")),
                "An order consists of one or more order lines",
            ),
            line(
                "OrderLine",
                "Product",
                RelationshipKind::Association,
                "refers to",
                Some(("*", "1")),
                "refers to one product",
            ),
            line("Book", "Product", RelationshipKind::Inheritance, "", None, "A book is a product"),
        ],
    }
}
