//! The scripted provider, as the tests of dependent crates use it. Time is the paused clock of tokio.

use std::time::Duration;

use llm::{
    BadReply, Endpoint, Limit, Limits, Llm, LlmError, Misconfigured, Outage, ProviderId, Question, Reason,
    Script, Scripted, Usage,
};

fn endpoint() -> Endpoint {
    Endpoint::new(ProviderId::Scripted)
}

fn misconfigured(what: Misconfigured) -> LlmError {
    LlmError::Misconfigured { what, reason: Reason::default() }
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_ordered_and_questions_recorded() {
    let usage = Usage { input_tokens: 7, output_tokens: 3, cost_micro_usd: Some(11) };
    let lost = LlmError::Unavailable { why: Outage::ConnectionLost, reason: Reason::default() };
    let script = Script::new([
        Scripted::Text("first".to_owned(), usage),
        Scripted::Fail(lost.clone()),
        Scripted::After(Duration::from_secs(60), Box::new(Scripted::text("late"))),
        Scripted::Break("half of an answer".to_owned(), lost.clone()),
        Scripted::Hang,
    ]);
    let llm = Llm::scripted(script.clone(), Limits::default());
    let question = |text: &str| Question::new("", text);

    let answer = llm.ask(&endpoint(), &question("1")).await.expect("answer");
    assert_eq!((answer.text.as_str(), answer.usage, answer.attempts), ("first", usage, 1));
    assert_eq!((answer.provider, answer.model.as_str()), (ProviderId::Scripted, "script"));
    assert_eq!(llm.ask(&endpoint(), &question("2")).await, Err(lost.clone()));
    let answer = llm.ask(&endpoint(), &question("3")).await.expect("answer");
    assert_eq!((answer.text.as_str(), answer.duration), ("late", Duration::from_secs(60)));

    let mut pieces = Vec::new();
    let result = llm.ask_streaming(&endpoint(), &question("4"), |piece| pieces.push(piece.to_owned())).await;
    assert_eq!((result, pieces.concat().as_str(), pieces.len()), (Err(lost), "half of an answer", 2));

    assert_eq!(llm.ask(&endpoint(), &question("5")).await, Err(LlmError::TimedOut { limit: Limit::Total }));
    assert_eq!(llm.ask(&endpoint(), &question("6")).await, Err(misconfigured(Misconfigured::NoScript)));
    let asked: Vec<_> = script.questions().iter().map(|question| question.turns[0].text.clone()).collect();
    assert_eq!(asked, ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(script.remaining(), 0);

    script.push(Scripted::text("more"));
    assert_eq!(llm.ask(&endpoint(), &question("7")).await.expect("answer").text, "more");
}

#[tokio::test(start_paused = true)]
async fn the_last_check_and_the_first_are_those_of_every_provider() {
    let script =
        Script::answering(|question| Scripted::text(format!("```json\n{}\n```", question.turns[0].text)));
    let llm = Llm::scripted(script.clone(), Limits::default());
    let ask = |text: &str| Question::new("", text).with_schema("any", serde_json::json!({"type": "object"}));
    let keyed = Endpoint::new(ProviderId::OpenAi).with_key("k".to_owned().into());

    let answer = llm.ask(&keyed, &ask("{\"é\":1}")).await.expect("answer");
    assert_eq!(
        (answer.text.as_str(), answer.structured, answer.provider),
        ("{\"é\":1}", true, ProviderId::OpenAi)
    );
    let not_json =
        LlmError::BadReply { what: BadReply::NotJson, usage: Usage::default(), reason: Reason::default() };
    assert_eq!(llm.ask(&keyed, &ask("{\"é\":")).await, Err(not_json));
    let no_key = misconfigured(Misconfigured::NoKey { variable: "OPENAI_API_KEY" });
    assert_eq!(llm.ask(&Endpoint::new(ProviderId::OpenAi), &ask("{}")).await, Err(no_key));
    let mut nothing = ask("{}");
    nothing.turns.clear();
    assert_eq!(llm.ask(&keyed, &nothing).await, Err(misconfigured(Misconfigured::NoQuestion)));
    assert_eq!(script.questions().len(), 2);
}

#[tokio::test]
async fn scripted_provider_needs_a_script() {
    let llm = Llm::new(Limits::default()).expect("client");
    let result = llm.ask(&endpoint(), &Question::new("", "?")).await;
    assert_eq!(result, Err(misconfigured(Misconfigured::NoScript)));
}

#[test]
fn questions_can_be_asked_concurrently() {
    fn sendable<T: Send>(_: &T) {}
    let llm = Llm::scripted(Script::default(), Limits::default());
    let (endpoint, question) = (endpoint(), Question::new("", "?"));
    sendable(&llm.ask(&endpoint, &question));
    sendable(&llm.ask_streaming(&endpoint, &question, |_| ()));
}
