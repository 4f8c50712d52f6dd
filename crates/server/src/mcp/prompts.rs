//! Prompts that users choose in their agent: draft, review, explain.

use mermend::Engine;
use rmcp::model::{GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::{Map, Value};

use super::quote::as_data;
use application::{Error, app::App, check, reference_docs};

struct Row {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// Name, description, whether it is required.
    arguments: &'static [(&'static str, &'static str, bool)],
}

const ROWS: [Row; 3] = [
    Row {
        name: "draft_diagram",
        title: "Draft a diagram from requirements",
        description: "Turn requirement text into a diagram of a kind, checked by Mermaid's own parser",
        arguments: &[
            ("kind", "What to draw, for example class, use_case, activity, sequence or er", true),
            ("text", "The requirements: plain sentences, user stories, notes", true),
        ],
    },
    Row {
        name: "review_diagram",
        title: "Review a diagram",
        description: "Check a diagram against the text it was made from, and say what is missing, wrong or unclear",
        arguments: &[
            ("code", "The Mermaid text", true),
            ("text", "The requirements it was made from", false),
        ],
    },
    Row {
        name: "explain_findings",
        title: "Explain what is wrong with a diagram",
        description: "Explain in plain words why Mermaid rejects a diagram and how to repair it",
        arguments: &[("code", "The Mermaid text", true)],
    },
];

pub(super) fn list() -> Vec<Prompt> {
    let argument = |(name, description, required): &(&str, &str, bool)| {
        PromptArgument::new(*name).with_description(*description).with_required(*required)
    };
    ROWS.iter()
        .map(|row| {
            let arguments = row.arguments.iter().map(argument).collect();
            Prompt::new(row.name, Some(row.description), Some(arguments)).with_title(row.title)
        })
        .collect()
}

/// The known values of an argument, for completion.
pub(super) fn choices(prompt: &str, argument: &str) -> Vec<&'static str> {
    match (prompt, argument) {
        ("draft_diagram", "kind") => reference_docs::kind_names(),
        _ => Vec::new(),
    }
}

pub(super) async fn get(
    app: &App,
    name: &str,
    arguments: &Map<String, Value>,
) -> Result<GetPromptResult, Error> {
    let Some(row) = ROWS.iter().find(|row| row.name == name) else {
        let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        return Err(Error::invalid(
            "name",
            format!("There is no such prompt. Use one of {}.", known.join(", ")),
        ));
    };
    let given =
        |name: &str| arguments.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    check::refuse_target(given("target"))?;
    for (name, description, required) in row.arguments {
        if *required && given(name).is_none() {
            return Err(Error::invalid(name, format!("`{name}` is missing: {description}.")));
        }
    }
    let given = |name: &str| given(name).unwrap_or_default();
    let text = match row.name {
        "draft_diagram" => draft(given("kind"), given("text"))?,
        "review_diagram" => review(app, given("code"), given("text")).await?,
        _ => explain(app, given("code")).await?,
    };
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)])
        .with_description(row.description))
}

fn draft(kind: &str, text: &str) -> Result<String, Error> {
    let card = reference_docs::syntax_card(kind).ok_or_else(|| {
        Error::invalid(
            "kind",
            format!("There is no such kind. Use one of {}.", reference_docs::kind_names().join(", ")),
        )
    })?;
    Ok(format!(
        "Draw the diagram described below as Mermaid text, from the requirements at the end and from nothing else. \
         Leave out what they do not say. Call validate_mermaid with your text before you answer; when it is not \
         valid, repair it by its findings or with repair_mermaid and check again. Answer with the diagram in one \
         ```mermaid fence, then list for each element the words that it comes from.\n\n{card}\n\n# \
         Requirements\n\n{}\n",
        as_data(text)
    ))
}

async fn review(app: &App, code: &str, text: &str) -> Result<String, Error> {
    let verdict = verdict(app, code).await?;
    let requirements = match text {
        "" => "None were given: ask for them where you need them.".to_owned(),
        text => as_data(text),
    };
    Ok(format!(
        "Review this diagram as a business analyst would: what of the requirements is missing in it, what in it is in \
         none of them, what is drawn wrongly (direction, multiplicity, order, branches), and which names are \
         unclear. Quote the words that you rely on. Say first whether it is valid.\n\n# Verdict\n\n{verdict}\n\n# \
         Diagram\n\n{}\n\n# Requirements\n\n{requirements}\n",
        as_data(code)
    ))
}

async fn explain(app: &App, code: &str) -> Result<String, Error> {
    let verdict = verdict(app, code).await?;
    Ok(format!(
        "Explain in plain words, for someone who does not know Mermaid's grammar, what is wrong with this diagram and \
         what to change, line by line; then give the repaired text after checking it with validate_mermaid. \
         explain_finding explains a code.\n\n# Verdict\n\n{verdict}\n\n# Diagram\n\n{}\n",
        as_data(code)
    ))
}

async fn verdict(app: &App, code: &str) -> Result<String, Error> {
    let judged = check::check_in_process(app, code.to_owned(), Engine::Mermaid).await?;
    Ok(super::tools::verdict_text(&judged))
}
