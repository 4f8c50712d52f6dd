//! Word documents through the API.
//!
//! Runs on both databases.

use std::io::{Cursor, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::app::TestApp;

const IMPORT: &str = "/api/v1/projects/default/requirements/import";

/// A document with these paragraphs, and a picture of this many incompressible bytes.
fn document(paragraphs: &[&str], picture_bytes: usize) -> String {
    let paragraphs: String =
        paragraphs.iter().map(|text| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")).collect();
    let body = format!(
        "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
         <w:body>{paragraphs}</w:body></w:document>"
    );
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("word/document.xml", SimpleFileOptions::default()).expect("a part");
    writer.write_all(body.as_bytes()).expect("written");
    writer.start_file("word/media/image1.png", stored).expect("a part");
    writer.write_all(&vec![7; picture_bytes]).expect("written");
    STANDARD.encode(writer.finish().expect("a file").into_inner())
}

#[tokio::test]
async fn word_documents_become_requirements() {
    let app = TestApp::builtin().await;
    let content = document(&["A member borrows books.", "", "Each loan has a date."], 0);
    let made = app.post(IMPORT, json!({"format": "docx", "content": content})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let texts: Vec<String> = made
        .json()
        .as_array()
        .expect("requirements")
        .iter()
        .map(|it| it["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(texts, ["A member borrows books.", "Each loan has a date."]);

    // The limit is larger than for other requests, and the error names it.
    let large = document(&["Behind a picture."], 5_000_000);
    assert!(large.len() > 6_000_000);
    assert_eq!(app.post(IMPORT, json!({"format": "docx", "content": large})).await.status, 201);
    let larger = json!({"format": "docx", "content": document(&["x"], 6_100_000)});
    let problem = app.post(IMPORT, larger).await.problem(413, "too_large");
    assert!(problem["detail"].as_str().expect("words").contains("8 MB"), "{problem}");
    let requirement = json!({"text": "x".repeat(1_100_000)});
    app.post("/api/v1/projects/default/requirements", requirement).await.problem(413, "too_large");

    for (content, words) in [
        ("%%%".to_owned(), "base64"),
        (STANDARD.encode(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 WordDocument"), "`.doc`"),
        (STANDARD.encode(b"plain"), "not a Word document"),
        (document(&[], 0), "no requirements"),
    ] {
        let problem = app
            .post(IMPORT, json!({"format": "docx", "content": content}))
            .await
            .problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["path"], "content");
        assert!(problem["detail"].as_str().expect("words").contains(words), "{problem}");
    }
    let many: Vec<&str> = vec!["One more."; 1_001];
    let problem = app.post(IMPORT, json!({"format": "docx", "content": document(&many, 0)})).await;
    assert!(
        problem.problem(422, "invalid_input")["detail"]
            .as_str()
            .expect("words")
            .contains("1001 requirements")
    );
    let left = app.get("/api/v1/projects/default/requirements").await.json();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(3));
}
