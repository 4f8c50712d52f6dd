//! One request is one trace through all processes: in the response, the logs, the requests to the model and the
//! checker, and the exported spans. Content of users is not exported, and no request waits for the collector.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    trace::v1::Span,
};
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    acknowledged_writes::wait_for,
    collector::Collector,
    process::Server,
    providers::{read_request, respond, vendor},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SENDER: &str = "b7ad6b7169203331";
/// Each canary is sent in a different input, and must not occur in the exported data.
const CANARIES: [&str; 6] =
    ["canaryhuman", "canaryelement", "sk-canary-4f1d", "canary-key-77", "canary@example.com", "canary-query"];
const ATTRIBUTES: [&str; 28] = [
    "check.engine",
    "check.remembered",
    "check.valid",
    "db.operation.name",
    "db.system.name",
    "diagram.kind",
    "error.type",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.max_tokens",
    "gen_ai.request.model",
    "gen_ai.tool.name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "generation.checked",
    "generation.retry_count",
    "generation.validated",
    "generation.written",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "job.attempts",
    "job.id",
    "job.kind",
    "mcp.method.name",
    "repair.class",
    "repair.valid",
    "request.id",
];

/// An exported span, with the name of the service.
#[derive(Debug, Clone)]
struct Exported {
    service: String,
    span: Span,
}

impl Exported {
    fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    fn attribute(&self, name: &str) -> Value {
        value(&self.span.attributes, name)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn value(attributes: &[KeyValue], name: &str) -> Value {
    let found = attributes.iter().find(|it| it.key == name).and_then(|it| it.value.clone()?.value);
    match found {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::BoolValue(yes)) => json!(yes),
        Some(other) => panic!("{name} is {other:?}"),
        None => Value::Null,
    }
}

/// All exported spans, in the order in which they arrived.
fn exported(collector: &Collector) -> Vec<Exported> {
    let mut all = Vec::new();
    for request in collector.received() {
        assert!(request.head.starts_with("post /v1/traces "), "{}", request.head);
        assert!(request.head.contains("\r\nx-scope: team a"), "{}", request.head);
        let request = ExportTraceServiceRequest::decode(request.body.as_slice()).expect("spans");
        for resource in request.resource_spans {
            let common = resource.resource.expect("a resource").attributes;
            let service = value(&common, "service.name").as_str().expect("a name").to_owned();
            assert_eq!(value(&common, "deployment.environment.name"), "test");
            assert_eq!(value(&common, "service.version"), "1.2.3-abc");
            assert_eq!(value(&common, "host.name"), Value::Null);
            for scope in resource.scope_spans {
                all.extend(scope.spans.into_iter().map(|span| Exported { service: service.clone(), span }));
            }
        }
    }
    all
}

fn export_to<'a>(url: &'a str, service: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let common = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=team%20a"),
        ("OTEL_SERVICE_NAME", service),
        ("ENV", "test"),
        ("BA_COPILOT_RELEASE", "1.2.3-abc"),
        ("LOG_LEVEL", "debug"),
    ];
    common.into_iter().chain(more.iter().copied()).collect()
}

/// Sends one request with these headers; returns the head and the body.
pub(crate) fn ask(server: &Server, request: &str, headers: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    let head = format!(
        "{request} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         {headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        server.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

fn end(server: Server) -> String {
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    log
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let prefix = format!("{name}: ");
    head.lines()
        .find(|line| line.to_ascii_lowercase().starts_with(&prefix))
        .map(|line| line[prefix.len()..].trim())
}

/// A model whose first answer contains no diagram and whose second one does, and the requests it received.
fn model() -> (String, mpsc::Receiver<String>, mpsc::Sender<()>) {
    let (seen, requests) = mpsc::channel();
    let count = AtomicU32::new(0);
    let (url, open) = vendor(move |mut stream, _| {
        let _ = seen.send(read_request(&mut stream));
        let content = match count.fetch_add(1, Ordering::Relaxed) {
            0 => {
                json!({
                    "classes": [{"name": "Order"}],
                    "relationships": [{"from": "Order", "to": "Ghost", "kind": "association"}]
                })
            }
            _ => json!({"classes": [{"name": "Canaryelement"}, {"name": "Order"}], "relationships": []}),
        };
        let chunk = |delta: Value, reason: Value| {
            json!({
                "id": "1", "object": "chat.completion.chunk", "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]
            })
        };
        let usage = json!({
            "id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        });
        let events = [
            chunk(json!({"role": "assistant", "content": content.to_string()}), Value::Null),
            chunk(json!({}), json!("stop")),
            usage,
        ];
        let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        respond(&mut stream, "200 OK", "text/event-stream", &format!("{events}data: [DONE]\n\n"));
    });
    (url, requests, open)
}

#[test]
fn one_generation_is_one_trace_through_all_processes() {
    let folder = TempDir::new().expect("a folder");
    let collector = Collector::start("200 OK");
    let to = format!("http://{}", collector.address);
    let (url, requests, _open) = model();
    let checker = Server::start_with(
        &["--role", "mcp", "--listen", "127.0.0.1:0"],
        folder.path(),
        &export_to(&to, "checker", &[]),
    );
    let at = format!("http://{}", checker.address);
    let more = [
        ("MCP_SERVER_URL", at.as_str()),
        ("OPENAI_BASE_URL", &url),
        ("OPENAI_API_KEY", "sk-canary-4f1d"),
        ("MODEL", "local-model"),
    ];
    let server = Server::start(folder.path(), &export_to(&to, "server", &more));
    let body = json!({"message": "A canaryhuman (canary@example.com) places an order."}).to_string();
    let headers = format!("traceparent: 00-{TRACE}-{SENDER}-01\r\nx-ai-api-key: canary-key-77\r\n");
    let (head, answer) = ask(&server, "POST /api/v1/generate/class-diagram?canary-query=1", &headers, &body);
    let answer: Value =
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {head}\n{answer}"));
    let metadata = &answer["response"]["metadata"];
    assert_eq!(
        (&metadata["validator"]["mode"], &metadata["retry_count"]),
        (&json!("remote"), &json!(1)),
        "{answer}"
    );
    // Spans of probes are not exported.
    ask(&server, "GET /health", &format!("traceparent: 00-{TRACE}-{SENDER}-01\r\n"), "");
    let logs = [end(server), end(checker)];

    // The response, every log and the request to the model have the same trace id.
    assert_eq!(header(&head, "x-trace-id"), Some(TRACE), "{head}");
    for (log, line) in logs.iter().zip(["Generated a diagram", "Answered a call of validate_mermaid"]) {
        assert!(log.lines().any(|it| it.contains(line) && it.contains(TRACE)), "{line} in\n{log}");
    }
    let asked: Vec<String> = requests.try_iter().collect();
    assert_eq!(asked.len(), 2);

    let spans = exported(&collector);
    assert!(spans.iter().all(|it| hex(&it.span.trace_id) == TRACE), "another trace: {spans:#?}");
    let by_id: BTreeMap<String, &Exported> = spans.iter().map(|it| (hex(&it.span.span_id), it)).collect();
    assert_eq!(by_id.len(), spans.len(), "duplicate span ids");
    // The path from each span to the root, the outermost first.
    let way = |it: &Exported| {
        let mut names = vec![it.span.name.clone()];
        let mut parent = it.parent();
        while parent != SENDER {
            let above = by_id
                .get(&parent)
                .unwrap_or_else(|| panic!("{names:?} belongs to {parent}, which is nowhere"));
            names.insert(0, format!("{}: {}", above.service, above.span.name));
            parent = above.parent();
        }
        names.last_mut().expect("a name").insert_str(0, &format!("{}: ", it.service));
        names.join(" > ")
    };
    let mut ways: Vec<String> = spans.iter().map(way).collect();
    ways.sort();
    let request = "server: POST /api/v1/generate/{diagram}";
    let call = format!("{request} > server: generate > server: tools/call validate_mermaid");
    let mut expected = vec![
        request.to_owned(),
        format!("{request} > server: generate"),
        format!("{request} > server: generate > server: chat local-model"),
        format!("{request} > server: generate > server: chat local-model"),
        call.clone(),
        format!("{call} > checker: POST /mcp"),
        format!("{call} > checker: POST /mcp > checker: tools/call validate_mermaid"),
        format!("{call} > checker: POST /mcp > checker: tools/call validate_mermaid > checker: check"),
        format!("{request} > server: record_generation"),
    ];
    expected.sort();
    assert_eq!(ways, expected);

    // The model received the id of the span of its request.
    let named = |name: &str| spans.iter().filter(|it| it.span.name == name).collect::<Vec<_>>();
    let chats: BTreeSet<String> = named("chat local-model").iter().map(|it| hex(&it.span.span_id)).collect();
    let heard: BTreeSet<String> = asked
        .iter()
        .map(|asked| {
            let trace = header(asked, "traceparent").unwrap_or_else(|| panic!("no trace in {asked}"));
            let parts: Vec<&str> = trace.split('-').collect();
            assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"));
            parts[2].to_owned()
        })
        .collect();
    assert_eq!(heard, chats);

    // The attributes of each span.
    for (name, attribute, expected) in [
        (&request[8..], "http.request.method", json!("POST")),
        (&request[8..], "http.route", json!("/api/v1/generate/{diagram}")),
        (&request[8..], "http.response.status_code", json!(200)),
        (&request[8..], "request.id", json!(header(&head, "x-request-id").expect("an id"))),
        ("generate", "diagram.kind", json!("class")),
        ("generate", "generation.written", json!("model")),
        ("generate", "generation.retry_count", json!(1)),
        ("generate", "generation.checked", json!("remote")),
        ("chat local-model", "gen_ai.provider.name", json!("compatible")),
        ("chat local-model", "gen_ai.request.model", json!("local-model")),
        ("chat local-model", "gen_ai.usage.input_tokens", json!(11)),
        ("chat local-model", "gen_ai.usage.output_tokens", json!(7)),
        ("tools/call validate_mermaid", "gen_ai.tool.name", json!("validate_mermaid")),
        ("check", "check.valid", json!(true)),
        ("record_generation", "db.system.name", json!("sqlite")),
    ] {
        let spans = named(name);
        assert!(
            spans.iter().all(|it| it.attribute(attribute) == expected),
            "{attribute} of {name}: {spans:#?}"
        );
    }
    assert_nothing_else_is_exported(&collector, &spans);
    // Control: the expected values are found where they belong.
    assert!(asked.iter().all(|asked| asked.contains("canaryhuman")), "the canaries are missing in the input");
}

/// No canary in any byte, and no attribute that is not on the list.
fn assert_nothing_else_is_exported(collector: &Collector, spans: &[Exported]) {
    for came in collector.received() {
        let text = format!("{}{}", came.head, String::from_utf8_lossy(&came.body)).to_lowercase();
        for canary in CANARIES {
            assert!(!text.contains(canary), "{canary} was exported:\n{text}");
        }
        assert!(
            !String::from_utf8_lossy(&came.body).contains("127.0.0.1"),
            "an address was exported:\n{text}"
        );
    }
    for exported in spans {
        assert!(exported.span.events.is_empty(), "{exported:?}");
        for attribute in &exported.span.attributes {
            assert!(
                ATTRIBUTES.contains(&attribute.key.as_str()),
                "{} of {}",
                attribute.key,
                exported.span.name
            );
        }
    }
}

#[test]
fn background_spans_link_to_their_request() {
    let folder = TempDir::new().expect("a folder");
    let collector = Collector::start("200 OK");
    let hook = Collector::start("204 No Content");
    let to = format!("http://{}", collector.address);
    let allow = [("BA_COPILOT__WEBHOOKS__ALLOW_PRIVATE", "true")];
    let server = Server::start(folder.path(), &export_to(&to, "server", &allow));
    let url = format!("http://{}/canary-query", hook.address);
    let webhook = json!({"url": url, "events": ["job.create"]}).to_string();
    let (head, body) = ask(&server, "POST /api/v1/projects/default/webhooks", "", &webhook);
    assert!(head.starts_with("HTTP/1.1 201"), "{head}\n{body}");
    let message = json!({"message": "A canaryhuman places an order."}).to_string();
    let headers = format!("traceparent: 00-{TRACE}-{SENDER}-01\r\nprefer: respond-async\r\n");
    let (head, body) = ask(&server, "POST /api/v1/generate/class-diagram", &headers, &message);
    assert!(head.starts_with("HTTP/1.1 202"), "{head}\n{body}");
    let job: Value = serde_json::from_str(&body).expect("JSON");
    let path = format!("GET /api/v1/jobs/{}", job["id"].as_str().expect("an id"));
    wait_for("the diagram", || ask(&server, &path, "", "").1.contains("\"status\":\"done\""));
    wait_for("the webhook", || !hook.received().is_empty());
    let log = end(server);

    let spans = exported(&collector);
    let request = spans
        .iter()
        .find(|it| it.span.name == "POST /api/v1/generate/{diagram}")
        .unwrap_or_else(|| panic!("no span of the request: {spans:#?}"));
    for name in ["job generate", "job deliver"] {
        let job =
            spans.iter().find(|it| it.span.name == name).unwrap_or_else(|| panic!("no {name}: {spans:#?}"));
        assert_ne!(job.span.trace_id, request.span.trace_id, "{name} is a separate trace");
        assert!(job.span.parent_span_id.is_empty(), "{name} has a parent");
        let links: Vec<(String, String)> =
            job.span.links.iter().map(|it| (hex(&it.trace_id), hex(&it.span_id))).collect();
        assert_eq!(links, [(TRACE.to_owned(), hex(&request.span.span_id))], "{name}");
        let parts: Vec<&str> = spans
            .iter()
            .filter(|it| it.span.parent_span_id == job.span.span_id)
            .map(|it| it.span.name.as_str())
            .collect();
        assert!(!parts.is_empty(), "{name} has no child spans");
        assert!(
            log.contains(&hex(&job.span.trace_id)) || name == "job deliver",
            "{name} is not in the log:\n{log}"
        );
    }
    // The receiver gets the trace of the delivery.
    let deliver = spans.iter().find(|it| it.span.name == "job deliver").expect("it is there");
    let heard = hook.received();
    let trace = header(&heard[0].head, "traceparent").expect("a trace").to_owned();
    assert!(trace.contains(&hex(&deliver.span.trace_id)), "{trace}");
    assert_nothing_else_is_exported(&collector, &spans);
}

#[test]
fn no_span_is_exported_unless_configured() {
    let folder = TempDir::new().expect("a folder");
    let (url, requests, _open) = model();
    let server = Server::start(folder.path(), &[("OPENAI_BASE_URL", &url), ("MODEL", "local-model")]);
    let headers = format!("traceparent: 00-{TRACE}-{SENDER}-01\r\n");
    let body = json!({"message": "A canaryhuman places an order."}).to_string();
    let (head, answer) = ask(&server, "POST /api/v1/generate/class-diagram", &headers, &body);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{answer}");
    assert_eq!(header(&head, "x-trace-id"), Some(TRACE));
    let asked: Vec<String> = requests.try_iter().collect();
    assert!(
        !asked.is_empty() && asked.iter().all(|asked| header(asked, "traceparent").is_none()),
        "{asked:?}"
    );
    end(server);
}

#[test]
fn sampling_decides_what_is_exported() {
    let folder = TempDir::new().expect("a folder");
    let collector = Collector::start("200 OK");
    let to = format!("http://{}", collector.address);
    let none = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let server = Server::start(folder.path(), &export_to(&to, "server", &none));
    let body = r#"{"code":"flowchart LR\n  a --> b"}"#;
    // A trace that starts here, one whose sender does not sample it, and one whose sender does.
    ask(&server, "POST /api/v1/validate", "", body);
    let no = "traceparent: 00-11111111111111111111111111111111-b7ad6b7169203331-00\r\n";
    ask(&server, "POST /api/v1/validate", no, body);
    ask(&server, "POST /api/v1/validate", &format!("traceparent: 00-{TRACE}-{SENDER}-01\r\n"), body);
    end(server);
    let spans = exported(&collector);
    let names: BTreeSet<&str> = spans.iter().map(|it| it.span.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["POST /api/v1/validate", "check"]));
    assert!(spans.iter().all(|it| hex(&it.span.trace_id) == TRACE), "{spans:#?}");
}

/// The number of spans in `/metrics` that did not reach the collector.
fn lost(server: &Server) -> u64 {
    let (_, metrics) = server.request("GET", "/metrics", "").expect("metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix("ba_copilot_spans_total{sent=\"false\"} "));
    line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("nothing is counted:\n{metrics}"))
}

#[test]
fn unavailable_collector_loses_only_spans() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    // Accepts connections and never answers.
    let hangs = TcpListener::bind("127.0.0.1:0").expect("a port");
    let refuses = Collector::start("401 Unauthorized");
    for (what, address) in [
        ("is down", closed.to_string()),
        ("hangs", hangs.local_addr().expect("an address").to_string()),
        ("refuses", refuses.address.clone()),
    ] {
        let folder = TempDir::new().expect("a folder");
        let to = format!("http://{address}");
        let server = Server::start(folder.path(), &export_to(&to, "server", &[]));
        assert_eq!(lost(&server), 0, "{what}");
        // Far more spans than the queue holds.
        for _ in 0..3000 {
            let (status, body) = server
                .request("POST", "/api/v1/validate", r#"{"code":"flowchart LR\n  a --> b"}"#)
                .expect("an answer");
            assert_eq!(status, 200, "{what}: {body}");
        }
        wait_for("spans are counted as lost", || lost(&server) > 0);
        let log = end(server);
        let warnings = log.matches("Spans are dropped until").count();
        assert!(
            warnings <= 1 && (warnings == 1 || what == "hangs"),
            "{what} is logged {warnings} times:\n{log}"
        );
        assert!(!log.contains("team%20a") && !log.contains("team a"), "{log}");
    }
}
