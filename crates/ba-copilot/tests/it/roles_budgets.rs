//! Budgets with remote generation: the usage of the remote process is charged once, and requests that it did not send
//! to a model are not charged.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    process::Server,
    providers::{read_request, respond, vendor},
    roles::{GENERATE, TEXT, fake_generator, health, raw, start, written},
};

const BUDGET: &str = "/api/v1/projects/default/budget";
/// A provider without a listener, so that local generation uses no tokens.
const CLOSED_PROVIDER: (&str, &str) = ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1");

fn with_budget(data: &TempDir, ai: &str, variables: &[(&str, &str)]) -> Server {
    let variables = [&[("AI_SERVICE_URL", ai), ("OPENAI_API_KEY", "sk-canary")], variables].concat();
    let server = start("all", data.path(), &variables);
    let budget = json!({"period": "total", "max_tokens": 100_000_000});
    let (status, body) = server.request("PUT", BUDGET, &budget.to_string()).expect("an answer");
    assert!((200..300).contains(&status), "{body}");
    server
}

fn used(server: &Server) -> i64 {
    let (_, body) = server.request("GET", BUDGET, "").expect("a budget");
    let budget: Value = serde_json::from_str(&body).expect("JSON");
    budget["used_tokens"].as_i64().unwrap_or_else(|| panic!("{budget}"))
}

/// Generates with the server's own key and returns the number of tokens charged.
fn charged_tokens(server: &Server) -> i64 {
    let before = used(server);
    let body = json!({"message": TEXT}).to_string();
    let answer = raw(server, &format!("POST {GENERATE}"), "", &body);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"validated\":true"), "{answer}");
    used(server) - before
}

fn stream(events: &[(&str, Value)]) -> String {
    let events = events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    format!("{head}{}", events.collect::<String>())
}

fn event(input: u64, output: u64, unknown: u32) -> (&'static str, Value) {
    ("usage", json!({"input_tokens": input, "output_tokens": output, "cost_usd": null, "unknown": unknown}))
}

fn result(written: &str, input: u64, output: u64) -> (&'static str, Value) {
    let usage = json!({"input_tokens": input, "output_tokens": output});
    let metadata = json!({
        "validated": true, "written": written, "retry_count": 0, "repairs": [], "model": "m", "usage": usage
    });
    let detail = "```mermaid\nclassDiagram\n    class Made\n```";
    let response = json!({"detail": detail, "blueprint": null, "trace": [], "metadata": metadata});
    ("result", json!({"type": "diagram", "response": response}))
}

#[test]
fn remote_usage_is_charged() {
    let asking = || ("status", json!({"stage": "asking"}));
    let error = || ("error", json!({"code": "llm_busy", "detail": "The vendor is busy."}));
    let status =
        |status: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let take = |answer: String| {
        let (address, _) = fake_generator(answer);
        let data = TempDir::new().expect("a folder");
        charged_tokens(&with_budget(&data, &format!("http://{address}"), &[CLOSED_PROVIDER]))
    };
    // The stream ends early: the usage is unknown, so the maximum is charged.
    let most = take(stream(&[asking()]));
    let share = (most + 3) / 4;
    assert!(share > 1_000, "{most}");
    for (name, answer, expected) in [
        ("closes the connection", String::new(), 0),
        ("is shutting down", status("503 Service Unavailable"), 0),
        ("is down behind a proxy", status("502 Bad Gateway"), 0),
        ("requires another token", status("401 Unauthorized"), 0),
        ("sent a request", stream(&[asking(), event(300, 200, 0), result("model", 300, 200)]), 500),
        (
            "sent two requests",
            stream(&[event(300, 200, 0), event(30, 20, 0), result("model", 330, 220)]),
            550,
        ),
        ("reports usage only at the end", stream(&[result("model", 300, 200)]), 500),
        ("reached no model", stream(&[asking(), event(0, 0, 0), result("fallback", 0, 0)]), 0),
        (
            "reports one of two requests",
            stream(&[event(300, 200, 0), event(0, 0, 1), result("fallback", 300, 200)]),
            500 + share,
        ),
        ("reports usage as text", stream(&[("usage", json!("much")), result("model", 0, 0)]), share),
        ("used a busy provider", stream(&[asking(), event(0, 0, 0), error()]), 0),
        ("ends the stream early", stream(&[event(1, 1, 0)]), most),
    ] {
        assert_eq!(take(answer), expected, "a service that {name}");
    }
}

#[test]
fn unavailable_generator_charges_nothing() {
    let (address, heard) = fake_generator(stream(&[("status", json!({"stage": "asking"}))]));
    let data = TempDir::new().expect("a folder");
    let all = with_budget(&data, &format!("http://{address}"), &[CLOSED_PROVIDER]);
    let asked = || heard.lock().expect("heard").iter().filter(|head| head.starts_with("POST")).count();
    let charged: Vec<i64> = (0..5).map(|_| charged_tokens(&all)).collect();
    assert!(charged[0] > 0 && charged[1] == charged[0] && charged[2] == charged[0], "{charged:?}");
    assert_eq!((&charged[3..], asked()), (&[0, 0][..], 3));
}

/// With a real `ai` process and a provider, the usage is the same as in a single process.
#[test]
fn budget_is_the_same_in_one_process_and_in_two() {
    let blueprint =
        json!({"classes": [{"name": "Customer"}, {"name": "Order"}], "relationships": []}).to_string();
    let usage = json!({"prompt_tokens": 300, "completion_tokens": 200, "total_tokens": 500});
    let whole = json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": blueprint}, "finish_reason": "stop"}],
        "usage": usage,
    })
    .to_string();
    let pieces = [
        json!({"choices": [{"index": 0, "delta": {"content": blueprint}, "finish_reason": "stop"}]}),
        json!({"choices": [], "usage": usage}),
    ];
    let pieces = pieces.map(|piece| format!("data: {piece}\n\n")).concat() + "data: [DONE]\n\n";
    for (name, status, expected) in [
        ("answers", "200 OK", 500),
        ("refuses the key", "401 Unauthorized", 0),
        ("is busy", "429 Too Many Requests\r\nretry-after: 3600", 0),
    ] {
        let (whole, pieces) = (whole.clone(), pieces.clone());
        let (url, _open) = vendor(move |mut stream, _| {
            let streams = read_request(&mut stream).contains("\"stream\":true");
            let (kind, body) = match (status, streams) {
                ("200 OK", true) => ("text/event-stream", pieces.as_str()),
                ("200 OK", false) => ("application/json", whole.as_str()),
                _ => ("application/json", "{}"),
            };
            respond(&mut stream, status, kind, body);
        });
        let (here, there) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
        let vendor = ("OPENAI_BASE_URL", url.as_str());
        let ai = start("ai", there.path(), &[vendor]);
        let all = with_budget(&here, &format!("http://{}", ai.address), &[vendor]);
        assert_eq!(charged_tokens(&all), expected, "a provider that {name}");
        // Diagrams and tokens are counted by the process that generated them, so that the sum over both is correct.
        assert_eq!((written(&ai), written(&all)), (1.0, 0.0), "a provider that {name}");
        let tokens = |server: &Server| {
            let (_, metrics) = server.request("GET", "/metrics", "").expect("metrics");
            let of_tokens = |line: &&str| line.starts_with("ba_copilot_tokens_total{");
            let numbers = metrics
                .lines()
                .filter(of_tokens)
                .filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok());
            numbers.sum::<i64>()
        };
        assert_eq!((tokens(&ai), tokens(&all)), (expected, 0), "a provider that {name}");
        let alone = TempDir::new().expect("a folder");
        assert_eq!(
            charged_tokens(&with_budget(&alone, "", &[vendor])),
            expected,
            "one process, a provider that {name}"
        );
        assert_eq!(health(&all)["checks"]["ai_service"]["status"], "healthy");
    }
}
