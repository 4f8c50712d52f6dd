//! Folders in the API and on the page of a project.
//!
//! Runs on both databases.

use serde_json::{Value, json};

use crate::{app::TestApp, users::Browser};

const FOLDERS: &str = "/api/v1/projects/default/folders";
const DIAGRAMS: &str = "/api/v1/projects/default/diagrams";

async fn make(app: &TestApp, name: &str, parent: Option<&str>) -> String {
    let made = app.post(FOLDERS, json!({"name": name, "parent_id": parent})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.headers["etag"], "\"1\"");
    made.json()["id"].as_str().expect("an id").to_owned()
}

/// A diagram in a folder.
async fn draw(app: &TestApp, title: &str, folder: Option<&str>) -> Value {
    let body = json!({"title": title, "code": "classDiagram\n  class Order", "folder_id": folder});
    let made = app.post(DIAGRAMS, body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

async fn patch(app: &TestApp, path: &str, body: Value, seen: &str) -> crate::app::Reply {
    Browser::default().send_with(app, "PATCH", path, body, &[("if-match", seen)]).await
}

/// The response is a problem with one field of the input, with this text.
fn refused(reply: &crate::app::Reply, path: &str, words: &str) {
    let problem = reply.problem(422, "invalid_input");
    assert_eq!(problem["errors"][0]["path"], path, "{problem}");
    assert!(problem["detail"].as_str().expect("words").contains(words), "{problem}");
}

#[tokio::test]
async fn folders_are_created_moved_and_deleted() {
    let app = TestApp::builtin().await;
    let orders = make(&app, "  Ordering \n and paying ", None).await;
    let path = format!("/api/v1/folders/{orders}");
    assert_eq!(app.get(&path).await.json()["name"], "Ordering and paying");
    let inner = make(&app, "Paying", Some(&orders)).await;
    let taken = app.post(FOLDERS, json!({"name": "PAYING", "parent_id": orders})).await;
    taken.problem(409, "conflict");
    make(&app, "PAYING", None).await;
    for (name, words) in [("", "1 to 100"), (" \t ", "1 to 100"), ("a\u{7}b", "one line")] {
        refused(&app.post(FOLDERS, json!({"name": name})).await, "name", words);
    }
    refused(&app.post(FOLDERS, json!({"name": "é".repeat(101)})).await, "name", "1 to 100");
    make(&app, &"é".repeat(100), None).await;
    for parent in ["fld_nowhere", "not an id"] {
        refused(&app.post(FOLDERS, json!({"name": "X", "parent_id": parent})).await, "parent_id", "no such");
    }

    // An omitted field does not change, and `null` removes the diagram from its folder.
    let path = format!("/api/v1/folders/{inner}");
    let mut me = Browser::default();
    me.send(&app, "PATCH", &path, json!({"name": "Bills"})).await.problem(428, "if_match_needed");
    let renamed = patch(&app, &path, json!({"name": "Bills"}), "\"1\"").await;
    assert_eq!(
        (renamed.json()["parent_id"].as_str(), &renamed.headers["etag"]),
        (Some(orders.as_str()), &"\"2\"".parse().expect("a value"))
    );
    patch(&app, &path, json!({"parent_id": null}), "\"1\"").await.problem(412, "changed");
    assert_eq!(
        patch(&app, &path, json!({"parent_id": null}), "\"2\"").await.json()["parent_id"],
        Value::Null
    );
    patch(&app, &path, json!({"name": "Paying"}), "*").await.problem(409, "conflict");
    patch(&app, &path, json!({"parent_id": orders}), "*").await;
    let circle = patch(&app, &format!("/api/v1/folders/{orders}"), json!({"parent_id": inner}), "*").await;
    refused(&circle, "parent_id", "cannot be moved into itself");
    let mut deepest = inner.clone();
    for depth in 3..=8 {
        deepest = make(&app, &format!("Level {depth}"), Some(&deepest)).await;
    }
    refused(
        &app.post(FOLDERS, json!({"name": "X", "parent_id": deepest})).await,
        "parent_id",
        "at most 8 deep",
    );

    // A folder with contents is not deleted, and the error names its contents.
    let path = format!("/api/v1/folders/{deepest}");
    let diagram = draw(&app, "Bill", Some(&deepest)).await;
    assert_eq!(diagram["folder_id"], deepest.as_str());
    let held = me.send(&app, "DELETE", &path, Value::Null).await.problem(409, "conflict");
    assert!(held["detail"].as_str().expect("words").contains("one diagram"), "{held}");
    let of_diagram = format!("/api/v1/diagrams/{}", diagram["id"].as_str().expect("an id"));
    let updated = patch(&app, &of_diagram, json!({"title": "Bill 2"}), "\"1\"").await.json();
    assert_eq!(updated["folder_id"], deepest.as_str(), "an omitted field does not change");
    let out = patch(&app, &of_diagram, json!({"folder_id": null}), "\"2\"").await.json();
    assert_eq!(out.get("folder_id"), None);
    assert_eq!(app.get(&of_diagram).await.json().get("folder_id"), None);
    assert_eq!(me.send(&app, "DELETE", &path, Value::Null).await.status, 204);
    me.send(&app, "DELETE", &path, Value::Null).await.problem(404, "not_found");
    refused(
        &patch(&app, &of_diagram, json!({"folder_id": deepest}), "*").await,
        "folder_id",
        "no such folder",
    );

    // A folder of another project is not found.
    let other = app.post("/api/v1/projects", json!({"name": "Other"})).await.json();
    let other = format!("/api/v1/projects/{}", other["id"].as_str().expect("an id"));
    let foreign = app.post(&format!("{other}/folders"), json!({"name": "X"})).await.json();
    let foreign = foreign["id"].as_str().expect("an id");
    refused(
        &patch(&app, &of_diagram, json!({"folder_id": foreign}), "*").await,
        "folder_id",
        "no such folder",
    );
    refused(
        &app.post(FOLDERS, json!({"name": "X", "parent_id": foreign})).await,
        "parent_id",
        "no such folder",
    );
    refused(&app.get(&format!("{DIAGRAMS}?folder={foreign}")).await, "folder", "no such folder");

    // Every change has an audit event.
    let events = app.get("/api/v1/projects/default/audit-events?action=folder.&limit=200").await.json();
    let actions: Vec<_> =
        events["items"].as_array().expect("events").iter().map(|it| it["action"].as_str()).collect();
    assert_eq!(actions.first(), Some(&Some("folder.delete")));
    assert_eq!(actions.iter().filter(|it| **it == Some("folder.update")).count(), 3);
    assert_eq!(actions.iter().filter(|it| **it == Some("folder.create")).count(), 10);
}

#[tokio::test]
async fn project_page_shows_its_folders() {
    let app = TestApp::builtin().await;
    let mut me = Browser::default();
    let page = "/projects/default";
    draw(&app, "Loose one", None).await;
    let send = async |me: &mut Browser, fields: &[(&str, &str)]| {
        let reply = me.form(&app, page, fields).await;
        match reply.headers.get("location") {
            Some(to) => to.to_str().expect("text").to_owned(),
            None => panic!("{}: {}", reply.status, reply.text()),
        }
    };
    assert_eq!(
        send(&mut me, &[("action", "make-folder"), ("name", "Shop <1>")]).await,
        "/projects/default?done=folder-made"
    );
    let folder = app.get(FOLDERS).await.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let html = me.get(&app, page).await.text().to_owned();
    assert!(
        html.contains(&format!("<a href=\"/projects/default?folder={folder}\">Shop &lt;1&gt;/</a>")),
        "{html}"
    );
    assert!(html.contains("Loose one"));
    let here = format!("{page}?folder={folder}");
    assert!(me.get(&app, &here).await.text().contains("No diagram lies here."));

    // A folder inside it, and a diagram moved into that.
    send(&mut me, &[("action", "make-folder"), ("name", "Inner"), ("here", &folder)]).await;
    let inner = app.get(FOLDERS).await.json()["items"][0].clone();
    assert_eq!(inner["parent_id"], folder.as_str());
    let inner = inner["id"].as_str().expect("an id");
    let diagram = app.get(DIAGRAMS).await.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let moved = [("action", "move-diagram"), ("diagram", &format!("{diagram} 1")), ("folder", inner)];
    assert_eq!(send(&mut me, &moved).await, "/projects/default?done=diagram-moved");
    assert!(!me.get(&app, page).await.text().contains("Loose one</a>"));
    let html = me.get(&app, &format!("{page}?folder={inner}&done=diagram-moved")).await.text().to_owned();
    assert!(html.contains("Loose one</a>") && html.contains("The diagram is moved."), "{html}");
    assert!(
        html.contains(&format!("<a href=\"/projects/default?folder={folder}\">Shop &lt;1&gt;</a>")),
        "the page has a link to the parent folder"
    );
    // Search covers all folders.
    assert!(me.get(&app, &format!("{page}?q=loose")).await.text().contains("Loose one</a>"));
    // The diagram has been changed by another request since.
    let stale = me.form(&app, page, &moved).await;
    assert!(stale.status == 412 && stale.text().contains("has been changed"), "{}", stale.text());

    let renamed = [("action", "rename-folder"), ("here", inner), ("revision", "1"), ("name", "Deeper")];
    assert_eq!(send(&mut me, &renamed).await, format!("{page}?folder={inner}&done=folder-renamed"));
    let full = me.form(&app, page, &[("action", "delete-folder"), ("here", inner)]).await;
    assert!(full.status == 409 && full.text().contains("one diagram"), "{}", full.text());
    assert!(full.text().contains("Deeper"), "the same folder is shown again");
    send(
        &mut me,
        &[("action", "move-diagram"), ("diagram", &format!("{diagram} 2")), ("folder", ""), ("here", inner)],
    )
    .await;
    assert_eq!(
        send(&mut me, &[("action", "delete-folder"), ("here", inner)]).await,
        format!("{here}&done=folder-deleted")
    );
    let gone = me.get(&app, &format!("{page}?folder={inner}")).await;
    assert!(gone.status == 404 && gone.text().contains("no such folder"), "{}", gone.text());
}
