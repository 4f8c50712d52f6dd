//! A tool: its description, its schemas, and its function with typed input and answer.

use futures_util::{FutureExt, future::BoxFuture};
use rmcp::{
    model::{ContentBlock, JsonObject, MetaObject, Tool, ToolAnnotations},
    schemars::JsonSchema,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::schema;
use crate::mcp::{context::CallContext, resources};
use application::Error;

/// The answer of a tool.
pub(in crate::mcp) struct Answer {
    /// For programs.
    pub(in crate::mcp) structured: Value,
    /// For models and people.
    pub(in crate::mcp) content: Vec<ContentBlock>,
}

type Call = Box<dyn Fn(CallContext, JsonObject) -> BoxFuture<'static, Result<Answer, Error>> + Send + Sync>;

/// A tool and its function.
pub(in crate::mcp) struct Row {
    pub(in crate::mcp) tool: Tool,
    pub(in crate::mcp) call: Call,
}

/// The description of a tool.
pub(super) struct About {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    /// Whether it stores something.
    pub(super) writes: bool,
    /// Whether the viewer shows its answers.
    pub(super) viewer: bool,
}

/// A tool of input `I` and answer `O`.
pub(super) fn typed_row<I, O, F>(about: About, run: fn(CallContext, I) -> F) -> Row
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
    let call = move |ask: CallContext, arguments: JsonObject| {
        let input = serde_json::from_value::<I>(Value::Object(arguments));
        match input {
            Err(why) => {
                let why = why.to_string();
                let message = format!("The arguments do not match the input schema of the tool: {why}.");
                std::future::ready(Err(Error::invalid("arguments", message))).boxed()
            }
            Ok(input) => run(ask, input)
                .map(|result| {
                    let (answer, content) = result?;
                    // Strings, numbers and lists always serialize.
                    Ok(Answer { structured: serde_json::to_value(answer).unwrap_or_default(), content })
                })
                .boxed(),
        }
    };
    Row { tool, call: Box::new(call) }
}

pub(super) fn text(text: impl Into<String>) -> ContentBlock {
    ContentBlock::text(text)
}
