//! Normalization: what is corrected, and its notes.

use blueprint::*;
use serde_json::{Value, json};

/// Normalizing `before` gives `after`, and says these things.
fn check(kind: Kind, before: Value, after: Value, said: &[&str]) {
    let mut blueprint = parse(kind, &before.to_string()).unwrap();
    let done = normalize(&mut blueprint);
    assert_eq!(blueprint, parse(kind, &after.to_string()).unwrap(), "{before}");
    assert_eq!(done, said, "{before}");
    assert!(normalize(&mut blueprint).is_empty(), "{before}");
}

#[test]
fn samples_need_nothing() {
    for row in KINDS {
        let mut sample = (row.sample)();
        assert_eq!(normalize(&mut sample), Vec::<String>::new(), "{}", row.id);
        assert_eq!(sample, (row.sample)());
    }
}

#[test]
fn normalizes_class_diagrams() {
    check(
        Kind::Class,
        json!({"classes": [
            {"name": " Order\n", "attributes": [{"name": "total: \
            Money"}, {"name": "total", "type": "money"}, {"name": ""}]},
            {"name": "order", "kind": "abstract", "methods": [{"name": "pay()", "returns": "void"}]},
            {"name": "Loan Item"}, {"name": ""}],
         "relationships": [
            {"from": "orders", "to": "LoanItem", "multiplicity_from": "one", "multiplicity_to": "0..n"},
            {"from": "Order", "to": "Loan Item", "multiplicity_from": "1", "multiplicity_to": "0..*"},
            {"from": "", "to": "Order"}]}),
        json!({"classes": [
            {"name": "Order", "kind": "abstract", "attributes": [{"name": "total", "type": "Money"}],
             "methods": [{"name": "pay"}]},
            {"name": "Loan Item"}],
         "relationships": [{"from": "Order", "to": "Loan Item", "multiplicity_from": "1", "multiplicity_to": "0..*"}]}),
        &[
            "Removed stray white space and characters that cannot be drawn from texts.",
            "Read `total: Money` as a name and a type.",
            "Dropped 1 attribute without a name.",
            "Dropped 1 class without a name.",
            "Merged two classes named `Order`.",
            "Dropped 1 repeated attribute.",
            "Wrote the multiplicity `one` as `1`.",
            "Wrote the multiplicity `0..n` as `0..*`.",
            "Read `orders` as `Order`.",
            "Read `LoanItem` as `Loan Item`.",
            "Dropped 1 relationship without ends.",
            "Dropped 1 repeated relationship.",
        ],
    );
}

#[test]
fn normalizes_use_case_diagrams() {
    check(
        Kind::UseCase,
        json!({"system": "Shop ", "actors": ["Customer", "customer"], "use_cases": ["Pay", ""],
         "links": [{"from": "pay", "to": "customers"}, {"from": "Customer", "to": "Pay"}]}),
        json!({"system": "Shop", "actors": ["Customer"], "use_cases": ["Pay"],
            "links": [{"from": "Customer", "to": "Pay"}]}),
        &[
            "Removed stray white space and characters that cannot be drawn from texts.",
            "Dropped 1 use case without a name.",
            "Dropped 1 repeated actor.",
            "Read `pay` as `Pay`.",
            "Read `customers` as `Customer`.",
            "Turned associations round so that they start at the actor.",
            "Dropped 1 repeated line.",
        ],
    );
}

#[test]
fn normalizes_activity_diagrams() {
    check(
        Kind::Activity,
        json!({"nodes": [
            {"id": "1", "kind": "start"}, {"id": "check stock", "label": "Check stock", "lane": "Shop"},
            {"id": "check_stock", "kind": "decision", "label": "In \
            stock?", "lane": "shop"}, {"id": "e", "kind": "end"}],
         "edges": [
            {"from": "1", "to": "check stock"}, {"from": "Check Stock", "to": "In stock"},
            {"from": "check_stock", "to": "E", "guard": "[yes]"}]}),
        json!({"nodes": [
            {"id": "step_1", "kind": "start"}, {"id": "check_stock_2", "label": "Check stock", "lane": "Shop"},
            {"id": "check_stock", "kind": "decision", "label": "In \
            stock?", "lane": "Shop"}, {"id": "e", "kind": "end"}],
         "edges": [
            {"from": "step_1", "to": "check_stock_2"}, {"from": "check_stock_2", "to": "check_stock"},
            {"from": "check_stock", "to": "e", "guard": "yes"}]}),
        &[
            "Read the lane `shop` as `Shop`.",
            "Gave the step `1` the id `step_1`.",
            "Gave the step `check stock` the id `check_stock_2`.",
            "Read `Check Stock` as `check_stock_2`.",
            "Read `In stock` as `check_stock`.",
            "Read `E` as `e`.",
        ],
    );
}

#[test]
fn long_evidence_is_kept() {
    let quote = "word ".repeat(55).trim().to_owned();
    let mut blueprint =
        parse(Kind::Class, &json!({"classes": [{"name": "A", "evidence": quote}]}).to_string()).unwrap();
    assert!(normalize(&mut blueprint).is_empty());
    let Blueprint::Class(model) = blueprint else { panic!() };
    assert_eq!(model.classes[0].evidence.as_deref(), Some(quote.as_str()));
}

#[test]
fn summaries() {
    for (kind, want) in [
        (Kind::Class, "6 classes, 4 relationships: Customer, Order, OrderStatus, OrderLine, Product, Book"),
        (
            Kind::UseCase,
            "Library system: 4 actors, 6 use cases, 8 relationships: Member, Student member, Librarian, Payment \
            service; \
             Borrow a book, Check account, Renew a loan, Pay a fine, Add a book to the catalogue, Reserve a study room",
        ),
        (
            Kind::Activity,
            "6 actions, 1 decision, 12 arrows, 3 lanes: Place an order, Check stock, Tell the customer, Pack the \
            goods, \
             Write the invoice, Ship the parcel",
        ),
    ] {
        assert_eq!(describe(&(kind.row().sample)()), want);
    }
    assert_eq!(describe(&Blueprint::Class(ClassModel::default())), "0 classes, 0 relationships");
}
