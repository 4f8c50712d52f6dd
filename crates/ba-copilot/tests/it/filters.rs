//! Filters of lists in the query string.
//!
//! Runs on both databases.

use serde_json::{Value, json};

use crate::{app::TestApp, users::Browser};

/// The values of one field of every page of a list.
async fn every(app: &TestApp, path: &str, field: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}&limit=2{after}")).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        let page = page.json();
        let items = page["items"].as_array().expect("entries");
        all.extend(items.iter().map(|it| it[field].as_str().map_or(it[field].to_string(), str::to_owned)));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", crate::users::percent(next)),
            None => return all,
        }
    }
}

#[tokio::test]
async fn lists_are_filtered() {
    let app = TestApp::builtin().await;
    let mut me = Browser::default();
    let project = "/api/v1/projects/default";
    let folder = app.post(&format!("{project}/folders"), json!({"name": "F"})).await.json();
    let folder = folder["id"].as_str().expect("an id").to_owned();
    let mut ids = Vec::new();
    for (title, code, folder) in [
        ("Order one", "classDiagram\n  class Order", Some(&folder)),
        ("Order two", "sequenceDiagram\n  A->>B: hi", None),
        ("Order three", "classDiagram\n  class Order", None),
        ("Order four", "nonsense", Some(&folder)),
        ("Order five", "sequenceDiagram\n  A->>B: hi", Some(&folder)),
    ] {
        app.wait_s(1);
        let body = json!({"title": title, "code": code, "folder_id": folder});
        let made = app.post(&format!("{project}/diagrams"), body).await.json();
        ids.push(made["id"].as_str().expect("an id").to_owned());
    }
    let path = format!("/api/v1/diagrams/{}", ids[4]);
    me.send_with(&app, "PATCH", &path, json!({"archived": true}), &[("if-match", "*")]).await;
    for (asked, titles) in [
        (String::new(), vec!["Order four", "Order three", "Order two", "Order one"]),
        ("kind=class".to_owned(), vec!["Order three", "Order one"]),
        ("kind=unknown".to_owned(), vec!["Order four"]),
        ("kind=er".to_owned(), vec![]),
        ("folder=none".to_owned(), vec!["Order three", "Order two"]),
        (format!("folder={folder}"), vec!["Order four", "Order one"]),
        (format!("folder={folder}&kind=class"), vec!["Order one"]),
        (format!("folder={folder}&archived=true"), vec!["Order five"]),
        ("archived=true&kind=class".to_owned(), vec![]),
        ("folder=none&archived=false&kind=sequence".to_owned(), vec!["Order two"]),
    ] {
        let path = format!("{project}/diagrams?{asked}");
        assert_eq!(every(&app, &path, "title").await, titles, "{asked}");
        // The same for the lists that are searched, on one page.
        let found = app.get(&format!("{path}&q=ord")).await.json();
        let found: Vec<_> =
            found["items"].as_array().expect("hits").iter().map(|it| it["title"].as_str()).collect();
        assert_eq!(found, titles.into_iter().map(Some).collect::<Vec<_>>(), "{asked}, searched");
    }

    let words = "- A clerk pays claims.\n- A clerk settles orders.\n- A customer orders.";
    let made = app
        .post(&format!("{project}/requirements/import"), json!({"format": "markdown", "content": words}))
        .await;
    let requirement = made.json()[1]["id"].as_str().expect("an id").to_owned();
    let list = format!("{project}/requirements?");
    assert_eq!(every(&app, &format!("{list}q=ORD"), "number").await, ["3", "2"]);
    assert_eq!(every(&app, &format!("{list}q=clerk%20ord"), "number").await, ["2"]);
    me.send_with(
        &app,
        "PATCH",
        &format!("/api/v1/requirements/{requirement}"),
        json!({"archived": true}),
        &[("if-match", "*")],
    )
    .await;
    assert_eq!(every(&app, &format!("{list}q=ord"), "number").await, ["3"]);
    assert_eq!(every(&app, &format!("{list}archived=true"), "number").await, ["2"]);

    let diagram = format!("/api/v1/diagrams/{}", ids[0]);
    for (body, element) in [("One", None), ("Two", Some("Order")), ("Three", Some("Order"))] {
        app.post(&format!("{diagram}/comments"), json!({"body": body, "element": element})).await;
        app.wait_s(1);
    }
    let comments = format!("{diagram}/comments?");
    let last = app.get(&comments).await.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    me.send(&app, "PATCH", &format!("/api/v1/comments/{last}"), json!({"resolved": true})).await;
    assert_eq!(every(&app, &format!("{comments}resolved=false"), "body").await, ["Two", "One"]);
    assert_eq!(every(&app, &format!("{comments}resolved=true"), "body").await, ["Three"]);
    assert_eq!(every(&app, &format!("{comments}resolved=false&element=Order"), "body").await, ["Two"]);
    let links = format!("{diagram}/trace-links");
    for element in ["Order", "Other"] {
        app.post(&links, json!({"element": element, "requirement_id": requirement})).await;
        app.wait_s(1);
    }
    let code = json!({"code": "classDiagram\n  class Order {\n    number\n  }"});
    me.send_with(&app, "POST", &format!("{diagram}/versions"), code, &[("if-match", "*")]).await;
    assert_eq!(every(&app, &format!("{links}?suspect=true"), "element").await, ["Order"]);
    assert_eq!(every(&app, &format!("{links}?suspect=false"), "element").await, ["Other"]);
    assert_eq!(
        every(&app, &format!("{links}?element=Order&suspect=false"), "element").await,
        Vec::<String>::new()
    );

    let events = format!("{project}/audit-events?");
    assert_eq!(every(&app, &format!("{events}action=diagram.create"), "action").await.len(), 5);
    assert_eq!(every(&app, &format!("{events}action=diagram."), "action").await.len(), 6);
    assert_eq!(every(&app, &format!("{events}action=diagram"), "action").await.len(), 0);
    assert_eq!(every(&app, &format!("{events}user=usr_nobody"), "action").await.len(), 0);
    // The clock started at 2027-01-15T08:00:00Z and advanced by one second before each diagram.
    let created =
        async |asked: &str| every(&app, &format!("{events}action=diagram.create&{asked}"), "at").await;
    assert_eq!(
        created("from=2027-01-15T08:00:02Z&to=2027-01-15T08:00:04Z").await,
        ["2027-01-15T08:00:03.000Z", "2027-01-15T08:00:02.000Z"]
    );
    assert_eq!(created("from=2027-01-15T09:00:05%2B01:00").await, ["2027-01-15T08:00:05.000Z"]);
    assert_eq!(
        created("to=2027-01-15T09:00:02+01:00").await,
        ["2027-01-15T08:00:01.000Z"],
        "a plus sign decoded as a space"
    );
    assert_eq!(every(&app, "/api/v1/audit-events?action=comment.resolve", "action").await.len(), 1);
}

#[tokio::test]
async fn unknown_filters_are_rejected_by_name() {
    let app = TestApp::builtin().await;
    let body = json!({"title": "Orders", "code": "classDiagram\n  class Order"});
    let made = app.post("/api/v1/projects/default/diagrams", body).await.json();
    let diagram = format!("/api/v1/diagrams/{}", made["id"].as_str().expect("an id"));
    let long = "x".repeat(201);
    for (path, asked, wrong) in [
        ("/api/v1/projects/default/diagrams", "kind=poem", "kind"),
        ("/api/v1/projects/default/diagrams", "kind=", "kind"),
        ("/api/v1/projects/default/diagrams", "folder=fld_nowhere", "folder"),
        ("/api/v1/projects/default/diagrams", "folder=", "folder"),
        ("/api/v1/projects/default/diagrams", "archived=yes", "archived"),
        ("/api/v1/projects/default/diagrams", "q=x&archived=1", "archived"),
        ("/api/v1/projects/default/diagrams", "limit=0", "limit"),
        ("/api/v1/projects/default/requirements", "archived=TRUE", "archived"),
        ("/api/v1/projects/default/requirements", &format!("q={long}"), "q"),
        (&format!("{diagram}/comments"), "resolved=no", "resolved"),
        (&format!("{diagram}/comments"), &format!("element={long}"), "element"),
        (&format!("{diagram}/trace-links"), "suspect=", "suspect"),
        ("/api/v1/audit-events", "action=DIAGRAM", "action"),
        ("/api/v1/audit-events", "user=%20", "user"),
        ("/api/v1/audit-events", "from=yesterday", "from"),
        ("/api/v1/audit-events", "to=2026-13-01T00:00:00Z", "to"),
        ("/api/v1/audit-events", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("/api/v1/projects/default/audit-events/export", "from=1", "from"),
        ("/api/v1/projects/default/audit-events/export", "format=xml", "format"),
    ] {
        let problem = app.get(&format!("{path}?{asked}")).await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["path"], wrong, "{path}?{asked}: {problem}");
        assert_ne!(problem["detail"], Value::Null);
    }
}
