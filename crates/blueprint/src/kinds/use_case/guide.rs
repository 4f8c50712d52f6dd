//! How to make a good use-case diagram, and one.

use super::model::{Actor, UseCase, UseCaseLink, UseCaseLinkKind, UseCaseModel};

pub(crate) const INSTRUCTIONS: &str = "\
Make a UML use-case diagram of what the requirements want the system to do for whom.
- `system` is the name of what is to be built, as the requirements call it; empty if they do not name it.
- An actor is a role outside the system that uses it, or that it uses: a singular noun (`Store manager`), not a \
person's name, a department or a screen. The system itself, and parts of it such as its database, are never actors.
- Another system or device that takes part (a payment service) is an actor with `external_system` true. Time is an \
actor only where something happens on a schedule.
- A use case is a goal that an actor reaches in one sitting and would call done: verb and object, active (`Renew a \
loan`). Not a step (`Click save`), not a screen, not a quality (`Be fast`).
- Keep a short list: one `Manage products` instead of adding, changing and removing, unless the requirements treat \
them differently. Logging in is a use case only if the requirements speak of it.
- An `association` connects an actor (`from`) with a use case (`to`). Every actor has at least one, or a \
generalization; two actors are never associated.
- `include`: `from` always does `to` as a part. Use it where two use cases share that part, or the requirements say \
that one needs the other done.
- `extend`: `from` sometimes adds something to `to` under a condition. If in doubt between include and extend: what \
always happens is included.
- `generalization`: the special one (`from`) is a kind of the general one (`to`), both actors or both use cases. A \
special actor can do all that the general one can: do not repeat those associations.
- Include, extend and generalization do not describe an order of steps.
- Both ends of a line are exactly names of your actors or use cases; a name is used once.
- Invent nothing. For each element copy into `evidence` the words it comes from, unchanged; null if it is only \
implied.";

pub(crate) const SAMPLE_TEXT: &str = "\
The library system lets members borrow books and renew loans. Before borrowing a book, the system checks the member's \
account. When a loan is overdue, renewing it may also involve paying a fine. Fines are charged through the payment \
service. Librarians add books to the catalogue. A student member is a member and can also reserve a study room.";

pub(crate) fn sample() -> UseCaseModel {
    let actor = |name: &str, external_system, evidence: &str| Actor {
        name: name.into(),
        external_system,
        evidence: Some(evidence.into()),
        ..Actor::default()
    };
    let use_case = |name: &str, evidence: &str| UseCase {
        name: name.into(),
        evidence: Some(evidence.into()),
        ..UseCase::default()
    };
    let link = |from: &str, to: &str, kind, evidence: &str| UseCaseLink {
        from: from.into(),
        to: to.into(),
        kind,
        evidence: Some(evidence.into()),
        ..UseCaseLink::default()
    };
    UseCaseModel {
        system: "Library system".into(),
        actors: vec![
            actor("Member", false, "lets members borrow books"),
            actor("Student member", false, "A student member is a member"),
            actor("Librarian", false, "Librarians add books"),
            actor("Payment service", true, "charged through the payment service"),
        ],
        use_cases: vec![
            use_case("Borrow a book", "lets members borrow books"),
            use_case("Check account", "checks the member's account"),
            use_case("Renew a loan", "renew loans"),
            use_case("Pay a fine", "may also involve paying a fine"),
            use_case("Add a book to the catalogue", "Librarians add books to the catalogue"),
            use_case("Reserve a study room", "reserve a study room"),
        ],
        links: vec![
            link("Member", "Borrow a book", UseCaseLinkKind::Association, "lets members borrow books"),
            link("Member", "Renew a loan", UseCaseLinkKind::Association, "renew loans"),
            link("Borrow a book", "Check account", UseCaseLinkKind::Include, "Before borrowing a book"),
            link(
                "Pay a fine",
                "Renew a loan",
                UseCaseLinkKind::Extend,
                "renewing it may also involve paying a fine",
            ),
            link(
                "Payment service",
                "Pay a fine",
                UseCaseLinkKind::Association,
                "Fines are charged through the payment service",
            ),
            link(
                "Librarian",
                "Add a book to the catalogue",
                UseCaseLinkKind::Association,
                "Librarians add books",
            ),
            link("Student member", "Member", UseCaseLinkKind::Generalization, "A student member is a member"),
            link(
                "Student member",
                "Reserve a study room",
                UseCaseLinkKind::Association,
                "can also reserve a study room",
            ),
        ],
    }
}
