//! Canaries: prompt, response, key and address are in no log at any level and in no error, for every kind of failure.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use llm::{Endpoint, Limits, Llm, ProviderId, Question};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::recorded::OPENAI;
use crate::server::{Act, Server, events, json, reply};

/// A subscriber for all levels and threads, which stores lines of this crate and lines with a canary.
#[derive(Clone, Default)]
struct LogCapture(Arc<Mutex<String>>);

/// One event or span, as text.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl LogCapture {
    fn store_line(&self, metadata: Option<&Metadata<'_>>, record: impl FnOnce(&mut Line)) {
        let target = metadata.map_or("span", |metadata| metadata.target());
        let mut line = Line(format!("\n{target}"));
        record(&mut line);
        if target == "llm" || line.0.contains("CANARY") {
            self.0.lock().expect("log").push_str(&line.0);
        }
    }
}

impl Subscriber for LogCapture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.store_line(Some(span.metadata()), |line| span.record(line));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        self.store_line(None, |line| values.record(line));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        self.store_line(Some(event.metadata()), |line| event.record(line));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn prompts_replies_keys_and_addresses_are_never_logged() {
    let echo = r#"{"error":{"message":"key CANARY-KEY is wrong, you said CANARY-PROMPT, CANARY-REPLY"}}"#;
    let answer = events(&OPENAI.replace("Hello", "CANARY-REPLY"));
    let broken = events("data: CANARY-REPLY\n\n");
    let error_event = events(&format!("data: {echo}\n\n"));
    let page = reply(200, "text/html", "CANARY-REPLY\n\nCANARY-REPLY");
    let redirect = Act::Reply {
        status: 302,
        headers: vec![("location", "http://127.0.0.1/CANARY-REPLY".to_owned())],
        body: vec![],
    };
    let acts = [
        answer,
        broken,
        error_event,
        page,
        redirect,
        json(400, echo),
        json(401, echo),
        json(500, echo),
        Act::Close(vec![]),
    ];

    let log = LogCapture::default();
    tracing::subscriber::set_global_default(log.clone()).expect("the only subscriber");
    let (mut errors, mut said) = (String::new(), String::new());
    for act in acts {
        for provider in
            [ProviderId::OpenAi, ProviderId::OpenRouter, ProviderId::Anthropic, ProviderId::Gemini]
        {
            let server = Server::start(vec![act.clone()]).await;
            let endpoint = Endpoint::new(provider)
                .with_key("CANARY-KEY".to_owned().into())
                .with_base_url(format!("{}/CANARY-PATH/", server.url));
            let llm = Llm::new(Limits { attempts: 1, ..Limits::default() }).expect("client");
            let question = Question::new("CANARY-PROMPT", "CANARY-PROMPT");
            if let Err(error) = llm.ask(&endpoint, &question).await {
                let _ = write!(errors, "{error} {error:?} ");
                // Only the person who asked sees the words of the vendor, and never a key.
                let _ = write!(said, "{} ", error.user_message());
            }
            let bad_model = endpoint.with_model("CANARY MODEL?");
            let refused = llm.ask(&bad_model, &question).await.expect_err("bad name");
            let _ = write!(errors, "{refused} {refused:?}");
        }
    }
    let log = log.0.lock().expect("log").clone();
    assert!(
        log.contains("llm.provider=\"openai\"")
            && log.contains("duration_ms=")
            && log.contains("the model answered"),
        "{log}"
    );
    assert!(log.contains("llm.attempts=1") && log.contains("llm.error=\"llm_refused\""), "{log}");
    assert!(!log.contains("CANARY"), "{log}");
    assert!(!errors.contains("CANARY"), "{errors}");
    assert!(said.contains("you said") && !said.contains("CANARY-KEY"), "{said}");
}
