//! Budgets of model usage: the limit for concurrent requests, what is counted, which budget is charged, and the error
//! when a budget is exhausted.
//!
//! Runs on both databases.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use llm::{BadReply, Limit, LlmError, Outage, Reason, Refusal, Script, Scripted, Usage};
use serde_json::{Value, json};

use crate::{
    app::{Reply, TestApp},
    providers::{read_request, vendor},
    users::{Browser, add, id_of, invite, set_up},
};

const GENERATE: &str = "/api/v1/generate/class-diagram";
/// The only project of a server without accounts.
const BUDGET: &str = "/api/v1/projects/default/budget";

fn blueprint() -> String {
    json!({"classes": [{"name": "Customer"}, {"name": "Order"}], "relationships": []}).to_string()
}

fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, cost_micro_usd: None }
}

/// The model returns a diagram and reports this usage.
fn diagram_reply(usage: Usage) -> Scripted {
    Scripted::Text(blueprint(), usage)
}

fn question(fallback: bool) -> Value {
    json!({"message": "A customer places orders.", "fallback": fallback})
}

async fn set(app: &TestApp, body: Value) -> Reply {
    let set = Browser::default().send_with(app, "PUT", BUDGET, body.clone(), &[("if-match", "*")]).await;
    if set.status == 412 { Browser::default().send(app, "PUT", BUDGET, body).await } else { set }
}

async fn tokens(app: &TestApp, period: &str, max_tokens: i64) {
    let reply = set(app, json!({"period": period, "max_tokens": max_tokens})).await;
    assert!(reply.status.is_success(), "{}", reply.text());
}

async fn used(app: &TestApp) -> (i64, i64) {
    let budget = app.get(BUDGET).await.json();
    let number = |name: &str| budget[name].as_i64().unwrap_or_else(|| panic!("{name} of {budget}"));
    (number("used_tokens"), number("used_micro_usd"))
}

/// Sends a request and drops it as soon as the model is called, as a killed process does.
async fn abandon_request(app: &TestApp) {
    let asked = app.script.questions().len();
    app.script.push(Scripted::Hang);
    let mut asking = pin!(app.post(GENERATE, question(true)));
    let was_asked = async {
        while app.script.questions().len() == asked {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        reply = &mut asking => panic!("{}", reply.text()),
        () = was_asked => (),
    }
}

/// The amount that is reserved for a request: the charge of an abandoned one.
async fn most(app: &TestApp) -> i64 {
    tokens(app, "total", 1_000_000).await;
    let (before, _) = used(app).await;
    abandon_request(app).await;
    let most = used(app).await.0 - before;
    assert!(most > i64::from(app.app.config.model.max_output_tokens), "{most}");
    most
}

/// A server with an empty budget for this many requests, and the maximum charge of one of them.
async fn with_room_for(questions: i64, answer: fn() -> Scripted) -> (TestApp, i64) {
    let app = TestApp::start(Some(Script::answering(move |_| answer())), &[]).await;
    let most = most(&app).await;
    let gone = Browser::default().send(&app, "DELETE", BUDGET, Value::Null).await;
    assert_eq!(gone.status, 204);
    tokens(&app, "month", most * questions + most - 1).await;
    assert_eq!(used(&app).await, (0, 0));
    (app, most)
}

#[tokio::test]
async fn parallel_requests_stay_within_the_budget() {
    // The model reports no usage, so the reserved amount stays charged.
    let (app, most) = with_room_for(4, || Scripted::text(blueprint())).await;
    let before = app.script.questions().len();
    let replies = join_all((0..12).map(|_| app.post(GENERATE, question(true)))).await;
    assert_eq!(app.script.questions().len() - before, 4);
    assert_eq!(used(&app).await.0, most * 4);
    let mut drafts = 0;
    for reply in replies {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let reply = reply.json();
        let metadata = &reply["response"]["metadata"];
        assert_eq!((&metadata["validated"], &metadata["retry_count"]), (&json!(true), &json!(0)));
        if let Some(warning) = metadata["warning"].as_str() {
            drafts += 1;
            for words in ["The budget of this project for this month is exhausted", "2027-02-01 00:00 UTC"] {
                assert!(warning.contains(words), "{words} in {warning}");
            }
        }
    }
    assert_eq!(drafts, 8);
    let metrics = app.get("/metrics").await;
    assert!(
        metrics.text().contains("ba_copilot_budget_refusals_total{of=\"project\"}"),
        "{}",
        metrics.text()
    );
}

#[tokio::test]
async fn usage_never_exceeds_the_budget() {
    let (app, most) = with_room_for(3, || {
        Scripted::After(Duration::from_millis(2), Box::new(diagram_reply(usage(300, 200))))
    })
    .await;
    let before = app.script.questions().len();
    let left = AtomicUsize::new(16);
    let asking = join_all((0..16).map(|_| async {
        let reply = app.post(GENERATE, question(true)).await;
        left.fetch_sub(1, Ordering::Relaxed);
        reply
    }));
    let watching = async {
        let mut seen = Vec::new();
        while left.load(Ordering::Relaxed) > 0 {
            seen.push(used(&app).await.0);
        }
        seen
    };
    let (replies, seen) = tokio::join!(asking, watching);
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(seen.iter().all(|used| *used < most * 4), "{seen:?}");
    let asked = app.script.questions().len() - before;
    assert!(asked >= 3, "{asked}");
    assert_eq!(used(&app).await.0, 500 * asked as i64, "unused reserved tokens are released");
}

#[tokio::test]
async fn exhausted_budget_reports_its_reset_time() {
    let (app, most) = with_room_for(0, || diagram_reply(usage(300, 200))).await;
    let asked = app.script.questions().len();
    // One request does not fit into the whole budget: waiting would not help.
    let refused = app.post(GENERATE, question(false)).await;
    let problem = refused.problem(403, "budget_spent");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("Ask an owner")), "{problem}");
    assert!(!refused.headers.contains_key("retry-after"));

    tokens(&app, "month", most).await;
    abandon_request(&app).await;
    assert_eq!(used(&app).await.0, most, "the reservation of an abandoned request stays charged");
    let refused = app.post(GENERATE, question(false)).await;
    let problem = refused.problem(429, "budget_spent");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("2027-02-01")), "{problem}");
    // From 15 January, 08:00, to 1 February.
    assert_eq!(refused.headers["retry-after"], "1440000");
    tokens(&app, "total", most).await;
    let refused = app.post(GENERATE, question(false)).await;
    refused.problem(403, "budget_spent");

    // The usage of today is known when the budget becomes a daily one, and the next day it is reset.
    tokens(&app, "day", most).await;
    let refused = app.post(GENERATE, question(false)).await;
    refused.problem(429, "budget_spent");
    assert_eq!(refused.headers["retry-after"], "57600");
    assert_eq!(app.script.questions().len(), asked + 1);
    let stored = app.generations().await;
    let spent = stored.iter().filter(|generation| generation.error_code.as_deref() == Some("budget_spent"));
    assert_eq!(spent.count(), 4);
    app.wait_s(57_600);
    let budget = app.get(BUDGET).await.json();
    assert_eq!(
        (&budget["used_tokens"], &budget["remaining_tokens"], &budget["period_start"], &budget["renews_at"]),
        (&json!(0), &json!(most), &json!("2027-01-16T00:00:00.000Z"), &json!("2027-01-17T00:00:00.000Z"))
    );
    let reply = app.post(GENERATE, question(false)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(used(&app).await.0, 500);
}

#[tokio::test]
async fn second_attempt_is_charged_to_the_budget() {
    let (app, most) = with_room_for(1, || diagram_reply(usage(300, 200))).await;
    // The first answer is not a valid diagram, and its usage leaves no room for a second attempt.
    app.script
        .push(Scripted::Text(r#"{"classes": 1}"#.to_owned(), usage(1, u64::try_from(most).expect("fits"))));
    let asked = app.script.questions().len();
    let reply = app.post(GENERATE, question(true)).await.json();
    let metadata = &reply["response"]["metadata"];
    assert!(metadata["warning"].as_str().is_some_and(|text| text.contains("budget")), "{reply}");
    assert_eq!((app.script.questions().len() - asked, &metadata["retry_count"]), (1, &json!(0)));
    assert_eq!(metadata["usage"]["output_tokens"], json!(most), "the usage of the first attempt is charged");
    assert_eq!(used(&app).await.0, most + 1);
}

/// What the model does, and the resulting charge: a number of tokens, or all that was reserved.
#[tokio::test]
async fn unknown_usage_is_charged_at_its_maximum() {
    let refused =
        |why| Scripted::Fail(LlmError::Refused { why, usage: Usage::default(), reason: Reason::default() });
    let unavailable = |why| LlmError::Unavailable { why, reason: Reason::default() };
    let bad = |what, usage| Scripted::Fail(LlmError::BadReply { what, usage, reason: Reason::default() });
    let rows = [
        ("answers", diagram_reply(usage(300, 200)), Some(500)),
        ("reports no usage", Scripted::text(blueprint()), None),
        ("claims more than was allowed", diagram_reply(usage(300, 500_000)), Some(500_300)),
        ("is cut off", bad(BadReply::CutOff, usage(7, 8)), Some(15)),
        ("writes nonsense", bad(BadReply::Garbled, Usage::default()), None),
        ("refuses the key", refused(Refusal::Key), Some(0)),
        ("refuses the text", refused(Refusal::Content), None),
        (
            "is busy",
            Scripted::Fail(LlmError::Retry { after: None, status: 429, reason: Reason::default() }),
            Some(0),
        ),
        ("refuses connections", Scripted::Fail(unavailable(Outage::NoConnection)), Some(0)),
        ("fails", Scripted::Fail(unavailable(Outage::Server { status: 504 })), None),
        ("breaks off", Scripted::Break("{".to_owned(), unavailable(Outage::ConnectionLost)), None),
        ("is silent", Scripted::Fail(LlmError::TimedOut { limit: Limit::Total }), None),
        ("times out on connection", Scripted::Fail(LlmError::TimedOut { limit: Limit::Connect }), Some(0)),
    ];
    let app = TestApp::scripted([]).await;
    let most = most(&app).await;
    tokens(&app, "total", 10_000_000).await;
    for (name, outcome, expected) in rows {
        let before = used(&app).await.0;
        app.script.push(outcome);
        let reply = app.post(GENERATE, question(true)).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert_eq!(used(&app).await.0 - before, expected.unwrap_or(most), "a model that {name}");
    }
    // A reported count is used, and the missing one is not estimated.
    let before = used(&app).await.0;
    app.script.push(diagram_reply(usage(0, 200)));
    app.post(GENERATE, question(true)).await;
    let output = i64::from(app.app.config.model.max_output_tokens);
    assert_eq!(used(&app).await.0 - before, most - output + 200);
}

/// Real connections that break: `llm` retries by itself, and each attempt is charged before it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn broken_connections_are_charged_to_the_budget() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let (url, _open) = vendor(move |mut stream, _| {
        read_request(&mut stream);
        count.fetch_add(1, Ordering::Relaxed);
    });
    let app = TestApp::start(None, &[("OPENAI_BASE_URL", &url)]).await;
    tokens(&app, "total", 10_000_000).await;
    app.post(GENERATE, question(false)).await.problem(502, "llm_unavailable");
    assert_eq!(asked.swap(0, Ordering::Relaxed), 3);
    let (all, _) = used(&app).await;
    assert_eq!(all % 3, 0);
    let most = all / 3;
    tokens(&app, "total", all + most * 2 + most - 1).await;
    app.post(GENERATE, question(false)).await.problem(502, "llm_unavailable");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(used(&app).await.0, most * 5);
}

#[tokio::test]
async fn money_budget_requires_a_price() {
    let in_money = |max: i64| json!({"period": "month", "max_micro_usd": max});
    let app = TestApp::start(Some(Script::answering(|_| diagram_reply(usage(300, 200)))), &[]).await;
    set(&app, in_money(1_000_000)).await;
    let problem = app.post(GENERATE, question(false)).await.problem(422, "price_unknown");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("model.prices")), "{problem}");
    let reply = app.post(GENERATE, question(true)).await.json();
    let warning = &reply["response"]["metadata"]["warning"];
    assert!(warning.as_str().is_some_and(|text| text.contains("budget in tokens")), "{reply}");
    assert_eq!(app.script.questions().len(), 0);

    let prices = [("BA_COPILOT__MODEL__PRICES", "compatible/default=0:0, scripted/script=2:10")];
    let app = TestApp::start(Some(Script::answering(|_| diagram_reply(usage(300, 200)))), &prices).await;
    set(&app, in_money(1_000_000)).await;
    let reply = app.post(GENERATE, question(false)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(used(&app).await, (500, 2_600));
    assert_eq!(app.generations().await[0].cost_micro_usd, Some(2_600), "the configured price applies");
    // The cost reported by the vendor has priority over the price.
    app.script.push(diagram_reply(Usage { cost_micro_usd: Some(1_400), ..usage(300, 200) }));
    app.post(GENERATE, question(false)).await;
    assert_eq!(used(&app).await, (1_000, 4_000));
    set(&app, in_money(4_001)).await;
    let problem = app.post(GENERATE, question(false)).await.problem(403, "budget_spent");
    assert!(
        problem["detail"].as_str().is_some_and(|text| text.contains("of $0.004001, $0.004 are used")),
        "{problem}"
    );
    // The same for a budget of zero.
    set(&app, in_money(0)).await;
    app.post(GENERATE, question(false)).await.problem(403, "budget_spent");
    assert_eq!(app.script.questions().len(), 2);
}

#[tokio::test]
async fn key_owner_is_charged() {
    let app = TestApp::start(Some(Script::answering(|_| diagram_reply(usage(300, 200)))), &[]).await;
    let mut ada = set_up(&app).await;
    let mut bob = add(&app, &mut ada, "bob@example.com").await;
    let made = ada.send(&app, "POST", "/api/v1/projects", json!({"name": "Shop"})).await.json();
    let project = made["id"].as_str().expect("an id").to_owned();
    invite(&app, &mut ada, &project, &mut bob, "bob@example.com", "editor").await;
    let bobs = id_of(&app, &mut bob).await;
    let (of_project, of_bob) =
        (format!("/api/v1/projects/{project}/budget"), format!("/api/v1/users/{bobs}/budget"));
    let much = json!({"period": "month", "max_tokens": 10_000_000});
    let nothing = json!({"period": "day", "max_tokens": 0});
    for path in [&of_project, &of_bob] {
        assert_eq!(ada.send(&app, "PUT", path, much.clone()).await.status, 201);
    }
    let body = json!({"message": "A customer places orders.", "project_id": project, "fallback": false});
    let check = async |bob: &mut Browser, headers: &[(&str, &str)], expected: (i64, i64), status: u16| {
        let reply = bob.send_with(&app, "POST", GENERATE, body.clone(), headers).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        let used = |reply: Reply| reply.json()["used_tokens"].as_i64().expect("a number");
        let project = used(bob.get(&app, &of_project).await);
        let mine = used(bob.get(&app, "/api/v1/me/budget").await);
        assert_eq!((project, mine), expected);
        reply
    };
    // The key of the server and a key of the project are charged to both budgets.
    check(&mut bob, &[], (500, 500), 200).await;
    let key = json!({"key": "sk-or-0123456789"});
    let keys = format!("/api/v1/projects/{project}/provider-keys/openrouter");
    assert_eq!(ada.send(&app, "PUT", &keys, key.clone()).await.status, 204);
    check(&mut bob, &[], (1_000, 1_000), 200).await;
    // A key in the request is charged to no budget.
    let brought = [("x-ai-api-key", "sk-of-this-request")];
    check(&mut bob, &brought, (1_000, 1_000), 200).await;
    // A key that Bob stored is charged to his own budget.
    assert_eq!(bob.send(&app, "PUT", "/api/v1/me/provider-keys/openrouter", key).await.status, 204);
    check(&mut bob, &[], (1_000, 1_500), 200).await;
    let any = [("if-match", "*")];
    assert_eq!(ada.send_with(&app, "PUT", &of_project, nothing.clone(), &any).await.status, 200);
    check(&mut bob, &[], (1_000, 2_000), 200).await;
    assert_eq!(ada.send_with(&app, "PUT", &of_bob, nothing, &any).await.status, 200);
    let refused = check(&mut bob, &[], (1_000, 2_000), 403).await;
    let problem = refused.problem(403, "budget_spent");
    assert!(problem["detail"].as_str().is_some_and(|text| text.starts_with("Your budget")), "{problem}");
    check(&mut bob, &brought, (1_000, 2_000), 200).await;
}

#[tokio::test]
async fn budget_update_requires_a_current_revision() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let projects = ada.get(&app, "/api/v1/projects").await.json();
    let project = projects["items"][0]["id"].as_str().expect("an id").to_owned();
    let me = id_of(&app, &mut ada).await;
    for path in [format!("/api/v1/projects/{project}/budget"), format!("/api/v1/users/{me}/budget")] {
        let month = json!({"period": "month", "max_tokens": 1_000, "max_micro_usd": 2_500_000});
        ada.get(&app, &path).await.problem(404, "not_found");
        let put = async |ada: &mut Browser, headers: &[(&str, &str)]| {
            ada.send_with(&app, "PUT", &path, month.clone(), headers).await
        };
        put(&mut ada, &[("if-match", "*")]).await.problem(412, "changed");
        put(&mut ada, &[("if-match", "\"1\"")]).await.problem(412, "changed");
        let made = put(&mut ada, &[("if-none-match", "*")]).await;
        assert_eq!((made.status.as_u16(), &made.headers["etag"]), (201, &"\"1\"".parse().expect("a value")));
        put(&mut ada, &[("if-none-match", "*")]).await.problem(412, "changed");
        put(&mut ada, &[]).await.problem(428, "if_match_needed");
        let changed = put(&mut ada, &[("if-match", "\"1\"")]).await;
        assert_eq!(
            (changed.status.as_u16(), &changed.headers["etag"]),
            (200, &"\"2\"".parse().expect("a value"))
        );
        put(&mut ada, &[("if-match", "\"1\"")]).await.problem(412, "changed");
        let found = ada.get(&app, &path).await;
        assert_eq!(found.headers["etag"], "\"2\"");
        let found: BTreeMap<String, Value> = serde_json::from_value(found.json()).expect("an object");
        let expected = json!({
            "period": "month", "max_tokens": 1_000, "max_micro_usd": 2_500_000, "used_tokens": 0,
            "used_micro_usd": 0, "remaining_tokens": 1_000, "remaining_micro_usd": 2_500_000,
            "period_start": "2027-01-01T00:00:00.000Z", "renews_at": "2027-02-01T00:00:00.000Z",
            "created_at": "2027-01-15T08:00:00.000Z", "updated_at": "2027-01-15T08:00:00.000Z",
        });
        assert_eq!(json!(found), expected);
        for wrong in [
            json!({"period": "week", "max_tokens": 1}),
            json!({"period": "day"}),
            json!({"period": "day", "max_tokens": -1}),
            json!({"period": "day", "max_micro_usd": i64::MAX}),
            json!({"period": "day", "max_tokens": 1.5}),
            json!({"period": "day", "max_euros": 1}),
        ] {
            let refused = ada.send_with(&app, "PUT", &path, wrong, &[("if-match", "*")]).await;
            refused.problem(422, "invalid_input");
        }
    }
    let mine = ada.get(&app, "/api/v1/me/budget").await.json();
    assert_eq!(mine["remaining_micro_usd"], 2_500_000);
    ada.get(&app, "/api/v1/users/usr_nobody/budget").await.problem(404, "not_found");

    for (path, shown) in [(format!("/projects/{project}"), true), ("/account".to_owned(), true)] {
        let headers = [("accept", "text/html")];
        let page = ada.send_with(&app, "GET", &path, Value::Null, &headers).await;
        let has = page.text().contains("0 of 1000 tokens and $0.00 of $2.50");
        assert_eq!(has, shown, "{path}: {}", page.text());
    }
    let events = ada.get(&app, "/api/v1/audit-events").await.json();
    let of_me = json!({"max_micro_usd": 2_500_000, "max_tokens": 1_000, "period": "month", "user": me});
    let written = events["items"]
        .as_array()
        .expect("a list")
        .iter()
        .any(|event| event["action"] == "budget.set" && event["details"] == of_me);
    assert!(written, "{events}");
    let path = format!("/api/v1/users/{me}/budget");
    assert_eq!(ada.send(&app, "DELETE", &path, Value::Null).await.status, 204);
    ada.get(&app, "/api/v1/me/budget").await.problem(404, "not_found");
    ada.send(&app, "DELETE", &path, Value::Null).await.problem(404, "not_found");
    let page = ada.send_with(&app, "GET", "/account", Value::Null, &[("accept", "text/html")]).await;
    assert!(!page.text().contains("Budget of models"), "{}", page.text());
}
