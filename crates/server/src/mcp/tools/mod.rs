//! THE tool table. Names, arguments and answers are in docs/mcp.md; each file holds one tool.
//!
//! Inputs and answers are types; their JSON Schemas are made from them, so that the two cannot differ. A diagram that is
//! not valid is a normal answer; an error is for what could not be done.

mod compare;
mod draft;
mod explain;
mod kinds;
mod legacy_validate;
mod patch;
mod render;
mod repair;
mod schema;
mod validate;

use std::sync::OnceLock;

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::{
    model::{ContentBlock, JsonObject, MetaObject, Tool, ToolAnnotations},
    schemars::JsonSchema,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Ask, resources};
use application::Error;

pub(super) use validate::verdict_text;

/// What a tool answers.
pub(super) struct Answer {
    /// For programs.
    pub(super) structured: Value,
    /// For models and people.
    pub(super) content: Vec<ContentBlock>,
}

type Call = Box<dyn Fn(Ask, JsonObject) -> BoxFuture<'static, Result<Answer, Error>> + Send + Sync>;

/// A tool and how it is carried out.
pub(super) struct Row {
    pub(super) tool: Tool,
    pub(super) call: Call,
}

/// What a client is told of a tool.
struct About {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// Something is kept.
    writes: bool,
    /// Its answers are shown in the viewer.
    viewer: bool,
}

/// A tool of input `I` and answer `O`.
fn row<I, O, F>(about: About, run: fn(Ask, I) -> F) -> Row
where
    I: DeserializeOwned + JsonSchema + 'static,
    O: Serialize + JsonSchema + 'static,
    F: Future<Output = Result<(O, Vec<ContentBlock>), Error>> + Send + 'static,
{
    let annotations = ToolAnnotations::with_title(about.title)
        .read_only(!about.writes)
        .destructive(false)
        .idempotent(!about.writes)
        .open_world(false);
    let mut tool = Tool::new(about.name, about.description, schema::of_input::<I>())
        .with_title(about.title)
        .with_raw_output_schema(schema::of_answer::<O>())
        .with_annotations(annotations);
    if about.viewer {
        let meta = json!({"ui": {"resourceUri": resources::APP_URI}});
        tool = tool.with_meta(MetaObject(meta.as_object().cloned().unwrap_or_default()));
    }
    let call = move |ask: Ask, arguments: JsonObject| {
        let input = serde_json::from_value::<I>(Value::Object(arguments));
        match input {
            Err(why) => {
                let why = why.to_string();
                let message =
                    format!("The arguments are not what the tool takes: {why}. See its input schema.");
                std::future::ready(Err(Error::invalid("arguments", message))).boxed()
            }
            Ok(input) => run(ask, input)
                .map(|result| {
                    let (answer, content) = result?;
                    // Strings, numbers and lists: that cannot fail.
                    Ok(Answer { structured: serde_json::to_value(answer).unwrap_or_default(), content })
                })
                .boxed(),
        }
    };
    Row { tool, call: Box::new(call) }
}

/// Every tool, in the order in which clients list them.
pub(super) fn table() -> &'static [Row] {
    static TABLE: OnceLock<Vec<Row>> = OnceLock::new();
    TABLE.get_or_init(|| {
        vec![
            validate::row(),
            repair::row(),
            render::row(),
            draft::row(),
            compare::row(),
            patch::row(),
            explain::row(),
            kinds::row(),
            legacy_validate::row(),
        ]
    })
}

pub(super) fn find(name: &str) -> Option<&'static Row> {
    table().iter().find(|row| row.tool.name == name)
}

fn text(text: impl Into<String>) -> ContentBlock {
    ContentBlock::text(text)
}
