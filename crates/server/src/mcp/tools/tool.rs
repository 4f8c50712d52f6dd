//! A tool: its description, its schemas, and its function with typed input and answer.

use std::sync::Arc;

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

/// The limit of an answer. Claude Desktop refuses results above 1 MB, with the names around them.
pub(super) const MAX_ANSWER_BYTES: usize = 1_000_000;
/// What the names around the contents take, with the request id.
pub(super) const ENVELOPE_BYTES: usize = 2_000;

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
    let schema = Arc::clone(&tool.input_schema);
    let call = move |ask: CallContext, mut arguments: JsonObject| {
        schema::read_strings(&schema, &mut arguments);
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
                    fit(Answer { structured: serde_json::to_value(answer).unwrap_or_default(), content })
                })
                .boxed(),
        }
    };
    Row { tool, call: Box::new(call) }
}

/// The answer within the limit of its size. A text form that is too large is left out, because the structured form has
/// the same.
fn fit(mut answer: Answer) -> Result<Answer, Error> {
    let structured = size_of(&answer.structured) + ENVELOPE_BYTES;
    if structured + size_of(&answer.content) <= MAX_ANSWER_BYTES {
        return Ok(answer);
    }
    for block in &mut answer.content {
        if block.as_text().is_some_and(|text| text.text.len() > MAX_ANSWER_BYTES / 100) {
            *block = text(
                "This part of the answer is left out, because it is too large. See the structured form.",
            );
        }
    }
    let size = structured + size_of(&answer.content);
    if size <= MAX_ANSWER_BYTES {
        return Ok(answer);
    }
    Err(Error::invalid(
        "arguments",
        format!(
            "The answer would have {size} bytes; clients accept at most {MAX_ANSWER_BYTES}. Send a smaller diagram, or \
             use the HTTP API or the command line."
        ),
    ))
}

/// The size as JSON.
pub(super) fn size_of(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither the values nor the counter fail; a value that did would not be sent either.
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}

pub(super) fn text(text: impl Into<String>) -> ContentBlock {
    ContentBlock::text(text)
}
