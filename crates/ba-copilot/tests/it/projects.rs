//! Content of a project: versions without lost updates, requirements and trace links, reviews.
//!
//! Runs on both databases.

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    users::{Browser, set_up as set_up_accounts},
};

#[tokio::test]
async fn stale_update_is_rejected() {
    let app = TestApp::builtin().await;
    let body = json!({"title": "Orders", "code": "classDiagram\n  class Order"});
    let made = app.post("/api/v1/projects/default/diagrams", body).await;
    assert_eq!((made.status.as_u16(), &made.headers["etag"]), (201, &"\"1\"".parse().expect("a value")));
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/diagrams/{id}/versions");
    let mut me = Browser::default();
    let next = json!({"code": "classDiagram\n  class Order\n  class Customer", "note": "Customers too"});
    me.send(&app, "POST", &path, next.clone()).await.problem(428, "if_match_needed");
    let written = me.send_with(&app, "POST", &path, next.clone(), &[("if-match", "\"1\"")]).await;
    assert_eq!(
        (written.status.as_u16(), &written.headers["etag"]),
        (201, &"\"2\"".parse().expect("a value"))
    );
    let written = written.json();
    assert_eq!((&written["version"], &written["newest"]["validated"]), (&json!(2), &json!(true)));
    for stale in ["\"1\"", "\"7\"", "nonsense", "\"\""] {
        me.send_with(&app, "POST", &path, next.clone(), &[("if-match", stale)]).await.problem(412, "changed");
    }
    let wrong = json!({"code": "classDiagram\n  class [[["});
    let kept = me.send_with(&app, "POST", &path, wrong, &[("if-match", "*")]).await.json();
    assert_eq!(
        (&kept["version"], &kept["newest"]["validated"]),
        (&json!(3), &json!(false)),
        "stored and reported as invalid"
    );
    assert!(!kept["newest"]["findings"].as_array().expect("findings").is_empty());
    let lines = app.get(&path).await.json();
    let numbers: Vec<_> =
        lines["items"].as_array().expect("versions").iter().map(|it| it["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(3), Some(2), Some(1)]);
    assert_eq!(app.get(&format!("{path}/2")).await.json()["note"], "Customers too");
    app.get(&format!("{path}/4")).await.problem(404, "not_found");
    app.get(&format!("{path}/x")).await.problem(404, "not_found");
    // Of ten concurrent updates of the same revision, one succeeds.
    let etag =
        app.get(&format!("/api/v1/diagrams/{id}")).await.headers["etag"].to_str().expect("text").to_owned();
    let mut statuses = Vec::new();
    let all = (0..10).map(|n| {
        let (path, etag, app) = (path.clone(), etag.clone(), &app);
        async move {
            let body = json!({"code": format!("classDiagram\n  class C{n}")});
            Browser::default()
                .send_with(app, "POST", &path, body, &[("if-match", &etag)])
                .await
                .status
                .as_u16()
        }
    });
    statuses.extend(futures_util::future::join_all(all).await);
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[412; 9][..]));
}

#[tokio::test]
async fn a_version_written_by_hand_keeps_the_trace() {
    let app = TestApp::builtin().await;
    let mut me = Browser::default();
    let message = "A customer places orders. An order has a number and a status.";
    let drafted = app.post("/api/v1/generate/class-diagram", json!({"message": message})).await.json();
    let id = drafted["response"]["metadata"]["diagram_id"].as_str().expect("an id");
    let path = format!("/api/v1/diagrams/{id}/versions");
    let first = app.get(&format!("{path}/1")).await.json();
    let first_code = first["code"].as_str().expect("a text").to_owned();
    let words = |version: &Value, element: &str| {
        let trace = version["trace"].as_array().expect("a trace").clone();
        let requirement = version["requirement"].as_str().expect("a text").to_owned();
        let of = trace.into_iter().filter(|entry| entry["element"] == element);
        of.map(|entry| {
            let at = |end: &str| entry[end].as_u64().expect("a number") as usize;
            assert_eq!(requirement[at("start")..at("end")], entry["text"], "the words are at their place");
            format!("{} {}", entry["requirement"], entry["text"].as_str().expect("words"))
        })
        .collect::<Vec<_>>()
    };
    let (order, number) = (words(&first, "Order"), words(&first, "Order.number"));
    assert!(!order.is_empty() && !number.is_empty(), "{first:#}");
    // Each row: what was done to the text, and the sources of an element afterwards.
    let check =
        async |me: &mut Browser, code: String, requirement: Option<&str>, element: &str, want: &[String]| {
            let body = json!({"code": code, "requirement": requirement});
            let written = me.send_with(&app, "POST", &path, body, &[("if-match", "*")]).await.json();
            assert_eq!(words(&written["newest"], element), want, "{element} in {code}: {written:#}");
            written["newest"].clone()
        };
    let later = "Read this first. A customer places orders. An order has a number and a status.";
    // An element that is not touched.
    check(&mut me, format!("{first_code}\n    class Shop\n"), None, "Order", &order).await;
    // A new one that the requirement names, and one that it does not.
    check(&mut me, format!("{first_code}\n    class status\n"), None, "status", &["2 status".to_owned()])
        .await;
    check(&mut me, format!("{first_code}\n    class Shop\n"), None, "Shop", &[]).await;
    // A renamed class takes its sources, and those of its members, along.
    let renamed = first_code.replace("Order", "Purchase");
    check(&mut me, renamed.clone(), None, "Purchase", &order).await;
    check(&mut me, first_code.clone(), None, "Order.number", &number).await;
    check(&mut me, renamed, None, "Purchase.number", &number).await;
    // A text that is broken for a moment.
    check(&mut me, "classDiagram\n  class [[[".to_owned(), None, "Purchase", &order).await;
    check(&mut me, first_code.replace("Order", "Purchase"), None, "Purchase", &order).await;
    // A requirement that became longer, and one without the words.
    let newest = check(&mut me, first_code.clone(), None, "Order", &order).await;
    assert!(
        newest["blueprint"]["classes"].as_array().is_some_and(|classes| !classes.is_empty()),
        "{newest:#}"
    );
    let newest =
        check(&mut me, first_code.clone(), Some(later), "Order.number", &["3 number".to_owned()]).await;
    assert_eq!(words(&newest, "Customer"), ["2 customer"]);
    check(&mut me, first_code, Some("Nothing about it."), "Order", &[]).await;
}

#[tokio::test]
async fn an_older_version_is_restored_with_its_trace() {
    let app = TestApp::builtin().await;
    let mut me = Browser::default();
    let message = json!({"message": "A customer places orders. An order has a number."});
    let drafted = app.post("/api/v1/generate/class-diagram", message).await.json();
    let id = drafted["response"]["metadata"]["diagram_id"].as_str().expect("an id");
    let path = format!("/api/v1/diagrams/{id}/versions");
    let other = json!({"code": "classDiagram\n  class Shop", "requirement": "A shop."});
    assert_eq!(me.send_with(&app, "POST", &path, other, &[("if-match", "\"1\"")]).await.status, 201);
    let restore = format!("{path}/1/restore");
    me.send(&app, "POST", &restore, Value::Null).await.problem(428, "if_match_needed");
    me.send_with(&app, "POST", &restore, Value::Null, &[("if-match", "\"1\"")]).await.problem(412, "changed");
    let any = [("if-match", "*")];
    me.send_with(&app, "POST", &format!("{path}/9/restore"), Value::Null, &any)
        .await
        .problem(404, "not_found");
    let restored = me.send_with(&app, "POST", &restore, Value::Null, &[("if-match", "\"2\"")]).await;
    assert_eq!(
        (restored.status.as_u16(), &restored.headers["etag"]),
        (201, &"\"3\"".parse().expect("a value"))
    );
    let newest = restored.json()["newest"].clone();
    let first = app.get(&format!("{path}/1")).await.json();
    for same in ["code", "requirement", "blueprint", "trace", "validated", "findings"] {
        assert_eq!(newest[same], first[same], "{same}");
    }
    assert_eq!((&newest["number"], &newest["note"]), (&json!(3), &json!("Version 1 restored")));
}

#[tokio::test]
async fn diagrams_are_compared_and_patched() {
    let app = TestApp::builtin().await;
    let (old, new) = ("classDiagram\n  class Order", "classDiagram\n  class Order\n  class Customer");
    let compared = app.post("/api/v1/compare", json!({"old": old, "new": new})).await.json();
    let change = &compared["changes"][0];
    assert_eq!(
        (&change["element"], &change["part"], &change["change"]),
        (&json!("Customer"), &json!("node"), &json!("added")),
        "{compared:#}"
    );
    assert!(change["sentence"].as_str().is_some_and(|words| words.contains("Customer")), "{compared:#}");
    assert_eq!((&compared["same"], &compared["by_element"]), (&json!(false), &json!(true)));
    let operations = json!([{"op": "add_node", "id": "Customer"}]);
    let patched = app.post("/api/v1/patch", json!({"code": old, "operations": operations})).await.json();
    assert_eq!((&patched["valid"], &patched["changes"][0]["element"]), (&json!(true), &json!("Customer")));
    let again = json!({"old": patched["code"], "new": new});
    assert_eq!(app.post("/api/v1/compare", again).await.json()["same"], true);
    // The newest version of a stored diagram, which stays as it is.
    let body = json!({"title": "Orders", "code": old});
    let made = app.post("/api/v1/projects/default/diagrams", body).await.json();
    let proposal = json!({"diagram_id": made["id"], "operations": operations});
    let patched_stored = app.post("/api/v1/patch", proposal).await.json();
    assert_eq!((&patched_stored["code"], &patched_stored["version"]), (&patched["code"], &json!(1)));
    let path = format!("/api/v1/diagrams/{}", made["id"].as_str().expect("an id"));
    assert_eq!(app.get(&path).await.json()["version"], 1);
    for (body, status, code) in [
        (json!({"operations": []}), 422, "invalid_input"),
        (json!({"code": old, "diagram_id": made["id"], "operations": []}), 422, "invalid_input"),
        (json!({"diagram_id": "dia_none", "operations": []}), 404, "not_found"),
        (json!({"code": old, "operations": [{"op": "remove_node", "id": "Shop"}]}), 422, "invalid_input"),
        (json!({"code": old, "operations": [{"op": "explode"}]}), 422, "invalid_input"),
    ] {
        app.post("/api/v1/patch", body).await.problem(status, code);
    }
    app.post("/api/v1/compare", json!({"old": old})).await.problem(422, "invalid_input");
}

#[tokio::test]
async fn trace_links_become_suspect_when_either_side_changes() {
    let app = TestApp::builtin().await;
    let mut me = Browser::default();
    let requirements = "/api/v1/projects/default/requirements";
    let content = "# Shop\n- A customer places orders.\n- An order has a number.";
    let import = json!({"format": "markdown", "content": content});
    let made = app.post(&format!("{requirements}/import"), import).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let numbers: Vec<_> =
        made.as_array().expect("requirements").iter().map(|it| it["number"].as_i64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
    let requirement = made[0]["id"].as_str().expect("an id").to_owned();
    let body = json!({"title": "Orders", "code": "classDiagram\n  class Customer\n  class Order"});
    let diagram = app.post("/api/v1/projects/default/diagrams", body).await.json();
    let diagram = format!("/api/v1/diagrams/{}", diagram["id"].as_str().expect("an id"));
    let links = format!("{diagram}/trace-links");
    let link = |element: &str| json!({"element": element, "requirement_id": requirement});
    for element in ["Customer", "Order"] {
        assert_eq!(app.post(&links, link(element)).await.status, 201);
    }
    app.post(&links, link("Order")).await.problem(409, "conflict");
    let suspects = async || {
        let page = app.get(&links).await.json();
        let items = page["items"].as_array().expect("links").clone();
        let of = |element: &str| {
            let found = items.iter().find(|it| it["element"] == element).expect("a link");
            found["suspect"].as_str().unwrap_or("").to_owned()
        };
        (of("Customer"), of("Order"))
    };
    let suspect = |customer: &str, order: &str| (customer.to_owned(), order.to_owned());
    assert_eq!(suspects().await, suspect("", ""));
    // A version that changes one element makes only the links of that element suspect.
    let path = format!("{diagram}/versions");
    let code = json!({"code": "classDiagram\n  class Customer\n  class Order {\n    number\n  }"});
    assert_eq!(me.send_with(&app, "POST", &path, code, &[("if-match", "*")]).await.status, 201);
    assert_eq!(suspects().await, suspect("", "diagram"));
    // A changed requirement makes all its links suspect.
    let path = format!("/api/v1/requirements/{requirement}");
    let seen = app.get(&path).await.headers["etag"].to_str().expect("text").to_owned();
    let words = json!({"text": "A customer places and cancels orders."});
    me.send(&app, "PATCH", &path, words.clone()).await.problem(428, "if_match_needed");
    let changed = me.send_with(&app, "PATCH", &path, words.clone(), &[("if-match", &seen)]).await.json();
    assert_eq!(changed["version"], 2);
    me.send_with(&app, "PATCH", &path, words.clone(), &[("if-match", &seen)]).await.problem(412, "changed");
    assert_eq!(suspects().await, suspect("requirement", "both"));
    // The same text is not a change.
    let same = me.send_with(&app, "PATCH", &path, words, &[("if-match", "*")]).await.json();
    assert_eq!(same["version"], 2);
    for item in app.get(&links).await.json()["items"].as_array().expect("links") {
        let path = format!("/api/v1/trace-links/{}/confirm", item["id"].as_str().expect("an id"));
        let confirmed = app.post(&path, Value::Null).await.json();
        assert_eq!(
            (&confirmed["requirement_version"], &confirmed["diagram_version"]),
            (&json!(2), &json!(2))
        );
    }
    assert_eq!(suspects().await, suspect("", ""));
    let versions = app.get(&format!("/api/v1/requirements/{requirement}/versions")).await.json();
    assert_eq!(versions[1]["text"], "A customer places orders.");
    // An invalid document creates no requirements.
    for (bad, path) in [
        (json!({"format": "doc", "content": "x"}), "format"),
        (json!({"format": "text", "content": " \n "}), "content"),
        (json!({"format": "csv", "content": "a,b\n1,2"}), "content"),
        (json!({"format": "text", "content": format!("Good.\n\n{}", "x".repeat(5_001))}), "requirements[1]"),
    ] {
        let problem = app.post(&format!("{requirements}/import"), bad).await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["path"], path);
    }
    assert_eq!(app.get(requirements).await.json()["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn review_applies_to_the_reviewed_version() {
    let app = TestApp::builtin().await;
    let mut me = Browser::default();
    let body = json!({"title": "Orders", "code": "classDiagram\n  class Order"});
    let id = app.post("/api/v1/projects/default/diagrams", body).await.json();
    let diagram = format!("/api/v1/diagrams/{}", id["id"].as_str().expect("an id"));
    app.post("/api/v1/projects/default/requirements", json!({"text": "A customer places orders."})).await;
    let comment = app
        .post(&format!("{diagram}/comments"), json!({"body": "Who cancels?", "element": "Order"}))
        .await
        .json();
    assert_eq!((&comment["version"], &comment["resolved_at"]), (&json!(1), &Value::Null));
    let path = format!("/api/v1/comments/{}", comment["id"].as_str().expect("an id"));
    let resolved = me.send(&app, "PATCH", &path, json!({"resolved": true})).await.json();
    assert!(resolved["resolved_at"].is_string());
    let again = me.send(&app, "PATCH", &path, json!({"resolved": false})).await.json();
    assert_eq!(again["resolved_at"], Value::Null);

    let baseline = app.post("/api/v1/projects/default/baselines", json!({"name": "Release 1"})).await.json();
    let wrong = json!({"code": "classDiagram\n  class [[["});
    me.send_with(&app, "POST", &format!("{diagram}/versions"), wrong, &[("if-match", "*")]).await;
    let path = |version: u32| format!("{diagram}/versions/{version}/approvals");
    app.post(&path(2), json!({"decision": "approved"})).await.problem(409, "conflict");
    app.post(&path(1), json!({"decision": "perhaps"})).await.problem(422, "invalid_input");
    app.post(&path(9), json!({"decision": "approved"})).await.problem(404, "not_found");
    assert_eq!(app.post(&path(1), json!({"decision": "approved", "note": "Fine."})).await.status, 201);
    assert_eq!(app.get(&path(1)).await.json()["items"][0]["note"], "Fine.");
    // A baseline is immutable.
    let kept =
        app.get(&format!("/api/v1/baselines/{}", baseline["id"].as_str().expect("an id"))).await.json();
    let items: Vec<_> = kept["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|it| (it["what"].as_str(), it["version"].as_u64()))
        .collect();
    assert_eq!(items, [(Some("diagram"), Some(1)), (Some("requirement"), Some(1))]);

    let glossary = "/api/v1/projects/default/glossary";
    let term = app.post(glossary, json!({"term": "Order", "definition": "What is wanted."})).await;
    assert_eq!(term.headers["etag"], "\"1\"");
    app.post(glossary, json!({"term": " order ", "definition": "Again."})).await.problem(409, "conflict");
    let path = format!("/api/v1/terms/{}", term.json()["id"].as_str().expect("an id"));
    let changed = me
        .send_with(
            &app,
            "PATCH",
            &path,
            json!({"definition": "What is wanted now."}),
            &[("if-match", "\"1\"")],
        )
        .await;
    assert_eq!(changed.json()["term"], "Order");
    me.send_with(&app, "PATCH", &path, json!({"term": "X"}), &[("if-match", "\"1\"")])
        .await
        .problem(412, "changed");
    assert_eq!(me.send(&app, "DELETE", &path, Value::Null).await.status, 204);
    me.send(&app, "DELETE", &path, Value::Null).await.problem(404, "not_found");
}

#[tokio::test]
async fn search_matches_word_prefixes_of_titles() {
    let app = TestApp::builtin().await;
    let diagrams = "/api/v1/projects/default/diagrams";
    for title in ["Order to cash", "Cash register", "Orders (Ärzte)", "Delivery"] {
        let body = json!({"title": title, "code": "classDiagram\n  class Order"});
        assert_eq!(app.post(diagrams, body).await.status, 201);
    }
    app.post("/api/v1/generate/class-diagram", json!({"message": "A cashier counts cash."})).await;
    let find = async |asked: &str| -> Vec<String> {
        let path = format!("{diagrams}?q={}", crate::users::percent(asked));
        let items = app.get(&path).await.json()["items"].as_array().expect("hits").clone();
        items.iter().map(|it| it["title"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(find("ord").await, ["Orders (Ärzte)", "Order to cash"]);
    assert_eq!(find("CASH ord").await, ["Order to cash"]);
    assert_eq!(find("cash").await, ["A cashier counts cash.", "Cash register", "Order to cash"]);
    assert_eq!(find("ärz").await, ["Orders (Ärzte)"]);
    assert_eq!(find("'; drop table diagrams; --").await, Vec::<String>::new());
    assert_eq!(find("%").await.len(), 0);
    assert_eq!(find(" ").await.len(), 5, "an empty search lists all");
    // Search uses the new title after a rename.
    let id = app.get(diagrams).await.json()["items"][4]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/diagrams/{id}");
    let mut me = Browser::default();
    me.send_with(&app, "PATCH", &path, json!({"title": "Purchase"}), &[("if-match", "*")]).await;
    assert_eq!(find("ord").await, ["Orders (Ärzte)"]);
    assert_eq!(find("purch").await, ["Purchase"]);
    me.send_with(&app, "PATCH", &path, json!({"archived": true}), &[("if-match", "*")]).await;
    assert_eq!(find("purch").await.len(), 0);
}

/// The texts of a page, without its scripts, styles and pictures.
fn page_texts(html: &str) -> String {
    let mut rest = html;
    let mut texts = String::new();
    while let Some((before, tag)) = rest.split_once('<') {
        texts.push_str(before);
        texts.push('\n');
        let end = ["script", "style", "svg"].into_iter().find(|name| tag.starts_with(name));
        let skipped =
            end.and_then(|name| tag.split_once(&format!("</{name}"))).map_or(tag, |(_, after)| after);
        rest = skipped.split_once('>').map_or("", |(_, after)| after);
    }
    texts + rest
}

/// A word such as `DiagramInput`: the name of a type, not a word of a page.
fn is_type_name(word: &str) -> bool {
    let humps = word.split(|c: char| c.is_uppercase()).filter(|hump| hump.len() > 1).count();
    word.starts_with(char::is_uppercase) && humps > 1 && word.chars().all(char::is_alphanumeric)
}

#[tokio::test]
async fn pages_show_no_names_of_types() {
    let app = TestApp::builtin().await;
    let set_up = app.get("/set-up").await;
    let mut ada = set_up_accounts(&app).await;
    let projects = ada.get(&app, "/api/v1/projects").await.json();
    let project = projects["items"][0]["id"].as_str().expect("a project").to_owned();
    let body = json!({"title": "Orders", "code": "flowchart LR\n  order --> shipment"});
    let made = ada.send(&app, "POST", &format!("/api/v1/projects/{project}/diagrams"), body).await.json();
    let diagram = format!("/diagrams/{}", made["id"].as_str().expect("an id"));
    let mut pages = vec![("/set-up".to_owned(), set_up, "Password")];
    for (path, expected) in [
        ("/", "Requirements"),
        ("/projects", "Your role"),
        (&format!("/projects/{project}"), "Diagrams"),
        (&diagram, "Versions"),
        ("/account", "Second factor"),
    ] {
        let request = ada.send_with(&app, "GET", path, Value::Null, &[("accept", "text/html")]).await;
        pages.push((path.to_owned(), request, expected));
    }
    for (path, expected) in [("/sign-in", "Sign in"), ("/forgot-password", "E-mail address")] {
        pages.push((path.to_owned(), app.get(path).await, expected));
    }
    for (path, page, expected) in pages {
        let texts = page_texts(page.text());
        assert!(texts.contains(expected), "{path}: {} {texts}", page.status);
        let names: Vec<&str> = texts.split_whitespace().filter(|word| is_type_name(word)).collect();
        assert_eq!(names, Vec::<&str>::new(), "{path}");
    }
}
