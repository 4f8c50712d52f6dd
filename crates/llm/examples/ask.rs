//! Asks one question of any OpenAI-compatible server, three ways, and prints what came back:
//! `cargo run -p llm --example ask -- http://127.0.0.1:8080/v1 [MODEL]`. Reads no key and no environment.

use std::error::Error;
use std::io::Write;

use llm::{Endpoint, Limits, Llm, ProviderId, Question};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let base_url = arguments.next().ok_or("usage: ask BASE_URL [MODEL]")?;
    let endpoint = Endpoint::new(ProviderId::Compatible).with_base_url(base_url);
    let endpoint = match arguments.next() {
        Some(model) => endpoint.with_model(model),
        None => endpoint,
    };
    let llm = Llm::new(Limits::default())?;
    let mut out = std::io::stdout().lock();

    let mut question = Question::new("Answer in one short sentence.", "What is the capital of France?");
    question.max_output_tokens = 300;
    let answer = llm.ask(&endpoint, &question).await?;
    writeln!(out, "plain\n{}\n{}", answer.text, summary(&answer))?;

    let mut pieces = 0;
    let answer = llm.ask_streaming(&endpoint, &question, |_| pieces += 1).await?;
    writeln!(out, "\nstreaming, in {pieces} pieces\n{}\n{}", answer.text, summary(&answer))?;

    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "classes": {
                "type": "array", "minItems": 1, "maxItems": 4,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "maxLength": 20},
                        "attributes": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 20}}
                    },
                    "required": ["name", "attributes"], "additionalProperties": false
                }
            }
        },
        "required": ["classes"], "additionalProperties": false
    });
    let mut question = Question::new("You draw class diagrams.", "A library lends books to members.")
        .with_schema("class_diagram", schema);
    question.max_output_tokens = 600;
    let answer = llm.ask(&endpoint, &question).await?;
    writeln!(out, "\nstructured\n{}\n{}", answer.text, summary(&answer))?;
    Ok(())
}

fn summary(answer: &llm::Answer) -> String {
    let usage = answer.usage;
    format!(
        "[{} {}: {} tokens read, {} written, attempt {}, structured {}, {} ms]",
        answer.provider,
        answer.model,
        usage.input_tokens,
        usage.output_tokens,
        answer.attempts,
        answer.structured,
        answer.duration.as_millis()
    )
}
