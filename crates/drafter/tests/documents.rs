//! What is read in documents: tables, stories, feature files, minutes, mail; and what is left out, with its reason.

mod render;

use blueprint::Kind::{self, Activity, Class, UseCase};
use drafter::Reason;

#[track_caller]
fn check(kind: Kind, text: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(render::render(kind, text), expected.join("\n"), "\ntext: {text}");
}

/// The passages that are left out, without headings.
#[track_caller]
fn check_left_out(kind: Kind, text: &str, expected: &[(Reason, &str)]) {
    let draft = drafter::draft(kind, text);
    let found: Vec<(Reason, &str)> = draft
        .left_out
        .iter()
        .filter(|left| left.reason != Reason::Heading)
        .map(|left| (left.reason, &text[left.span.start..left.span.end]))
        .collect();
    assert_eq!(found, expected, "\ntext: {text}");
    for (reason, _) in expected {
        assert!(draft.notes.iter().any(|note| note.contains(reason.label())), "{:?}", draft.notes);
    }
}

const STORIES: &str = "
actor Tenant
actor Porter
Tenant -- Report a leak
Porter -- Lock the gate
";

#[test]
fn stories_are_read_in_every_layout() {
    let layouts = [
        "As a tenant, I want to report a leak.\nAs a porter, I want to lock the gate.",
        "US-001: As a tenant, I want to report a leak\nUS-002: As a porter, I want to lock the gate",
        "US-1 - As a tenant I want to report a leak so that it is repaired\n\nUS-2 - As a porter I need to lock \
         the gate",
        "**As a** tenant\n**I want to** report a leak\n**so that** it is repaired\n\n**As a** porter\n**I want \
         to** lock the gate",
        "As a: tenant\nI want to: report a leak\nSo that: it is repaired\n\nAs a: porter\nI want to: lock the gate",
        "- **US-1:** As a *tenant*, I want to report a leak\n- **US-2:** As a *porter*, I want to lock the gate",
        "> As a tenant, I can report a leak.\n\n> As a porter, I can lock the gate.",
        "| ID | Story | Priority |\n|---|---|---|\n| 1 | As a tenant, I want to report a leak | High |\n| 2 | \
         As a porter, I want to lock the gate | Low |",
        "| Role | I want to | So that |\n|---|---|---|\n| tenant | report a leak | it is repaired |\n| porter | \
         lock the gate | |",
        "1. As a tenant, I want to report a leak.\n   - Acceptance criteria:\n     - The tenant gets a \
         number\n2. As a porter, I want to lock the gate.\n   - The owner is informed",
    ];
    for text in layouts {
        check(UseCase, text, STORIES);
    }
}

#[test]
fn labels_and_markup_are_no_words() {
    let expected = "
        Ferry(name:String)
        Deck
        Ferry \"1\" -- \"*\" Deck
    ";
    for text in [
        "FR-8 A ferry has a name.\nFR-9 A ferry has several decks.",
        "[REQ-1.2] A ferry has a name.<br>\n[REQ-1.3] A ferry has several decks.<br>",
        "/LF10/ A ferry has a name.\n/LF20/ A ferry has several decks.",
        "| ID | Requirement |\n|--|--|\n| FR8 | A **ferry** has a name. |\n| FR9 | A ferry has several decks. |",
    ] {
        let classes: Vec<String> =
            render::render(Class, text).lines().map(|l| l.replace("--has-->", "--")).collect();
        assert_eq!(classes.join("\n"), expected.trim().replace("        ", ""), "{text}");
    }
}

#[test]
fn tables_of_fields_give_attributes_to_their_title() {
    for text in [
        "### 2.1 Hospital ward\n\n| Attribute | Type |\n|---|---|\n| number | int |\n| floor | int |",
        "Table: Hospital ward\n\n| Field | Type | Notes |\n|---|---|---|\n| number | int | |\n| floor | \
         int | 0 is ground |",
    ] {
        check(Class, text, "HospitalWard(number:Integer, floor:Integer)");
    }
}

#[test]
fn what_is_not_about_the_system_is_left_out_with_its_reason() {
    check_left_out(
        Activity,
        "# Lost keys\n\n## Overview\nPeople lose keys.\n\n## Procedure\n1. The tenant reports the lost key.\n2. \
         TODO: ask \
         the insurer\n3. The porter orders a key.\n\n```sql\nSELECT 1;\n```\n\n## Quality\n- Fast.\n\n## Out of \
         scope\n\
         - Safes",
        &[
            (Reason::Background, "People lose keys."),
            (Reason::Question, "TODO: ask the insurer"),
            (Reason::Code, "```sql\nSELECT 1;\n```"),
            (Reason::NonFunctional, "Fast."),
            (Reason::OutOfScope, "Safes"),
        ],
    );
    check_left_out(
        Class,
        "From: Ann\nTo: Bo\n\nHi Bo,\n\nA tenant has a name. \"Finally!\" (Ann). The search must answer within \
         2 seconds. \
         Who pays?\n\nBest regards,\nAnn",
        &[
            (Reason::Administrative, "From: Ann\nTo: Bo\n\nHi Bo,"),
            (Reason::Quotation, "\"Finally!\""),
            (Reason::NonFunctional, "The search must answer within 2 seconds."),
            (Reason::Question, "Who pays?"),
            (Reason::Administrative, "Best regards,\nAnn"),
        ],
    );
}

#[test]
fn speakers_and_keywords_are_no_classes() {
    check(
        Class,
        "Ada: What do you keep?\nIda (owner): A kennel has a number.\nAda: And else?\nIda (owner): A dog has a \
         name. A \
         kennel holds several dogs.",
        "
        Kennel(number:Integer)
        Dog(name:String)
        Kennel \"1\" o-- \"*\" Dog
        ",
    );
    check(
        UseCase,
        "Feature: Keys\n\n  Scenario: Lost\n    Given the tenant has a key\n    When the tenant reports the \
         key\n    Then \
         the system informs the porter",
        "
        actor Tenant
        Tenant -- Report the key
        ",
    );
}

#[test]
fn another_language_is_named_and_nothing_is_drafted() {
    for (text, name) in
        [(include_str!("texts/german.txt"), "German"), (include_str!("texts/vietnamese.txt"), "Vietnamese")]
    {
        for kind in [Class, UseCase, Activity] {
            let draft = drafter::draft(kind, text);
            assert_eq!(draft.language.map(|l| l.name), Some(name));
            assert!(blueprint::is_empty(&draft.blueprint));
            assert!(draft.notes[0].starts_with(&format!("This text looks {name}.")), "{:?}", draft.notes);
        }
    }
    for text in
        ["A tenant reports a leak.", "Order: number, date", "", "Müller AG orders Überweisung forms daily."]
    {
        assert_eq!(drafter::draft(Class, text).language, None, "{text}");
    }
}
