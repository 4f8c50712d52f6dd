//! How to make a good activity diagram, and one.

use super::model::{ActivityEdge, ActivityModel, ActivityNode, ActivityNodeKind};

pub(crate) const INSTRUCTIONS: &str = "\
Make a UML activity diagram of the process that the requirements describe, in the order in which it happens.
- Exactly one node of kind `start`, and at least one `end`; every node lies on a way from the start to an end.
- An `action` is one step that somebody or the system does: verb and object, active (`Check stock`), in the words of \
the requirements. Steps that always follow each other and are done by the same one may be one action; never one \
action for a whole paragraph.
- A `decision` is a question (`In stock?`) with two or more ways out. Each way out has a `guard` that answers it \
(`yes`, `no`, or `under 100 €`, `else`); together they cover every case and no two overlap. The action that finds \
the answer comes before the decision.
- Where the requirements tell only the good case, lead the other outcome to what they say happens then; if they say \
nothing, to an end.
- A `merge` is where alternative ways meet again; a loop goes back to a merge before the step that is repeated, \
never into the start.
- Use `fork` and `join` only where the requirements say that things happen at the same time or in any order; every \
way out of a fork comes to the same join. A fork or join has no guard.
- Actions, starts, merges and joins have one way out; only decisions and forks have more.
- `lane` is who does the step (`Customer`, `Warehouse`, `System`), the same spelling throughout. Fill it for all \
actions and decisions if the requirements name more than one doer, else leave it empty everywhere.
- `start`, `end`, `merge`, `fork` and `join` have an empty label.
- `id` is a short snake_case word of the label (`check_stock`), unique. Both ends of an edge are exactly ids of your \
nodes.
- Invent nothing. For each node copy into `evidence` the words it comes from, unchanged; null if it is only implied.";

pub(crate) const SAMPLE_TEXT: &str = "\
The customer places an order. The warehouse checks whether the goods are in stock. If they are not, the shop tells the \
customer and the process ends. If they are in stock, the warehouse packs the goods while the shop writes the invoice. \
When both are done, the warehouse ships the parcel.";

pub(crate) fn sample() -> ActivityModel {
    use ActivityNodeKind::{Action, Decision, End, Fork, Join, Start};
    let node = |id: &str, kind, label: &str, lane: &str, evidence: &str| ActivityNode {
        id: id.into(),
        kind,
        label: label.into(),
        lane: lane.into(),
        evidence: Some(evidence.to_owned()).filter(|text| !text.is_empty()),
        ..ActivityNode::default()
    };
    let edge = |from: &str, to: &str, guard: &str| ActivityEdge {
        from: from.into(),
        to: to.into(),
        guard: guard.into(),
        ..ActivityEdge::default()
    };
    ActivityModel {
        nodes: vec![
            node("begin", Start, "", "", ""),
            node("place_order", Action, "Place an order", "Customer", "The customer places an order"),
            node("check_stock", Action, "Check stock", "Warehouse", "The warehouse checks"),
            node("in_stock", Decision, "In stock?", "Warehouse", "whether the goods are in stock"),
            node("tell_customer", Action, "Tell the customer", "Shop", "the shop tells the customer"),
            node("refused", End, "", "", "the process ends"),
            node("split", Fork, "", "", ""),
            node("pack_goods", Action, "Pack the goods", "Warehouse", "the warehouse packs the goods"),
            node("write_invoice", Action, "Write the invoice", "Shop", "the shop writes the invoice"),
            node("both_done", Join, "", "", "When both are done"),
            node("ship_parcel", Action, "Ship the parcel", "Warehouse", "the warehouse ships the parcel"),
            node("shipped", End, "", "", ""),
        ],
        edges: vec![
            edge("begin", "place_order", ""),
            edge("place_order", "check_stock", ""),
            edge("check_stock", "in_stock", ""),
            edge("in_stock", "tell_customer", "no"),
            edge("tell_customer", "refused", ""),
            edge("in_stock", "split", "yes"),
            edge("split", "pack_goods", ""),
            edge("split", "write_invoice", ""),
            edge("pack_goods", "both_done", ""),
            edge("write_invoice", "both_done", ""),
            edge("both_done", "ship_parcel", ""),
            edge("ship_parcel", "shipped", ""),
        ],
    }
}
