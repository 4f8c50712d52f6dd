//! Small documents that would need much memory.
//!
//! Runs on both databases.

use std::io::{Cursor, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::app::TestApp;

const IMPORT: &str = "/api/v1/projects/default/requirements/import";

fn word(body: &str) -> String {
    let body = format!(
        "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
         <w:body>{body}</w:body></w:document>"
    );
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("word/document.xml", SimpleFileOptions::default()).expect("a part");
    writer.write_all(body.as_bytes()).expect("written");
    STANDARD.encode(writer.finish().expect("a file").into_inner())
}

#[tokio::test]
async fn document_bombs_are_rejected() {
    let app = TestApp::builtin().await;
    let tables = |inner: &str, count: usize| word(&format!("<w:tbl>{}</w:tbl>", inner.repeat(count)));
    for (format, content, words) in [
        ("docx", tables("<w:tr><w:tc/><w:tc/></w:tr>", 1_000_000), "rows in tables"),
        (
            "docx",
            word(&format!("<w:tbl><w:tr>{}</w:tr></w:tbl>", "<w:tc/>".repeat(4_000_000))),
            "cells in tables",
        ),
        ("docx", word(&"<w:p><w:r><w:t>x</w:t></w:r></w:p>".repeat(800_000)), "paragraphs"),
        (
            "docx",
            word(&format!("<w:p><w:r><w:t>{}</w:t></w:r></w:p>", "x".repeat(30 << 20))),
            "bytes of text",
        ),
        (
            "docx",
            word(&format!("{}{}", "<w:tbl><w:tr><w:tc>".repeat(60), "</w:tc></w:tr></w:tbl>".repeat(60))),
            "Tables of the document are nested",
        ),
        ("csv", format!("text\n{}", ",".repeat(2_000_000)), "fields"),
        ("csv", format!("text\n{}", "x\n".repeat(2_000_000)), "lines"),
        ("markdown", "- \n".repeat(1_000_000), "lines"),
        ("text", "\n".repeat(2_000_000), "lines"),
    ] {
        let size = content.len();
        assert!(size < 8_000_000, "{format}: {size}");
        let reply = app.post(IMPORT, json!({"format": format, "content": content})).await;
        let problem = reply.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["path"], "content");
        assert!(problem["detail"].as_str().expect("words").contains(words), "{format}: {problem}");
    }
    assert_eq!(app.get("/api/v1/projects/default/requirements").await.json()["items"], json!([]));
}
