//! The page of a diagram in real Chromium: nothing that was typed is lost, nothing is overwritten, and the picture, the
//! text and the version that are shown belong together.

use fantoccini::Locator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    pages::{Driver, browser, installed},
    process::Server,
    teams::Person,
};

const TEXT: &str = "A customer places orders. An order has a number. Nothing here.";

/// One person in local mode, in two windows.
async fn with_page(test: impl AsyncFnOnce(Person, Person, &Server)) {
    if !installed("chromium") || !installed("chromedriver") {
        return;
    }
    let data = TempDir::new().expect("a folder");
    let (ones, others) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let server = Server::start(data.path(), &[]);
    let (first, second) = (Driver::start(), Driver::start());
    let home = format!("http://{}", server.address);
    let one = Person { client: browser(&first, &ones).await, home: home.clone() };
    let other = Person { client: browser(&second, &others).await, home };
    test(one, other, &server).await;
}

/// A JSON answer of the API.
fn json_at(server: &Server, path: &str) -> Value {
    let (status, body) = server.request("GET", path, "").expect("an answer");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

impl Person {
    /// Draws `TEXT` and returns the path of the diagram.
    async fn draw(&self) -> String {
        self.open("/").await;
        self.fill("#message", TEXT).await;
        self.press("main form button").await;
        self.path().await
    }

    async fn value(&self, css: &str) -> String {
        let script = format!("return document.querySelector({}).value;", json!(css));
        let value = self.client.execute(&script, vec![]).await.expect("a script");
        value.as_str().expect("a text").to_owned()
    }

    async fn has(&self, css: &str) -> bool {
        self.client.find(Locator::Css(css)).await.is_ok()
    }

    async fn set_code(&self, change: &str) {
        let script =
            format!("const field = document.getElementById('code'); field.value = field.value{change};");
        self.client.execute(&script, vec![]).await.expect("a script");
    }

    async fn save(&self) {
        self.press("form:has(#code) button[value=save]").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drawing_has_an_address_that_draws_nothing_again() {
    with_page(async |one, _, server| {
        let path = one.draw().await;
        assert!(path.starts_with("/diagrams/dia_"), "{path}");
        one.client.refresh().await.expect("the page again");
        assert_eq!(one.path().await, path);
        let list = json_at(server, "/api/v1/projects/default/diagrams");
        assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list:#}");
        assert!(one.text(".note.good").await.contains("2 of 3 sentences covered"));
        assert!(one.text(".unused").await.contains("Nothing here."));
        // The same text for another diagram.
        one.press("a[href^='/?from=']").await;
        assert_eq!(one.value("#message").await, TEXT);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_text_is_saved_only_when_asked_to() {
    with_page(async |one, _, server| {
        let path = one.draw().await;
        one.set_code(".replace('classDiagram', 'classDiagram\\n  class [[[')").await;
        let typed = one.value("#code").await;
        one.save().await;
        assert!(one.text(".problem").await.contains("was not saved"));
        assert!(one.text(".findings").await.contains("Line 2"));
        assert_eq!(one.value("#code").await, typed);
        assert_eq!(json_at(server, &format!("/api/v1{path}"))["version"], 1);
        one.press("button[value=save_broken]").await;
        assert!(one.text(".good").await.contains("although Mermaid does not accept it"));
        assert!(one.text(".note.warning").await.contains("Version 2"));
        // The older version is shown as a whole, and can be the newest again.
        one.open(&format!("{path}?version=1")).await;
        assert!(one.text("#source").await.starts_with("classDiagram\n") && !one.has("#code").await);
        assert!(one.text(".note.good").await.contains("Version 1"));
        one.press("form:has(input[value=restore_version]) button").await;
        assert!(one.text("[aria-label=Diagram] .note.good").await.contains("Version 3"));
        let newest = json_at(server, &format!("/api/v1{path}"))["newest"].clone();
        assert!(newest["trace"].as_array().is_some_and(|trace| !trace.is_empty()), "{newest:#}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_twice_overwrites_nothing() {
    with_page(async |one, other, server| {
        let path = one.draw().await;
        let newest = async || json_at(server, &format!("/api/v1{path}"))["newest"].clone();
        let code = async || newest().await["code"].as_str().expect("a text").to_owned();
        other.open(&path).await;
        one.set_code(" + '    class Shop\\n'").await;
        one.save().await;
        // What both changed apart from each other is put together, and saved when it was seen.
        other.set_code(" + '    class Invoice\\n'").await;
        other.save().await;
        assert!(other.text(".problem").await.contains("together in the text below"));
        assert!(other.text("[aria-label='Changes of others']").await.contains("Shop"));
        assert!(!code().await.contains("Invoice"));
        other.save().await;
        assert!(other.text(".good").await.contains("Saved"));
        assert!(code().await.contains("class Shop") && code().await.contains("class Invoice"));
        // The same element changed twice: every further press asks again.
        one.open(&path).await;
        other.open(&path).await;
        one.set_code(".replace('number', 'number String')").await;
        one.save().await;
        other.set_code(".replace('number', 'number int')").await;
        let typed = other.value("#code").await;
        for _ in 0..2 {
            other.save().await;
            assert!(other.text(".problem").await.contains("Both of you changed Order"));
            assert_eq!(other.value("#code").await, typed);
            assert!(code().await.contains("number String"));
        }
        other.press("button[value=save_mine]").await;
        assert!(code().await.contains("number int"));
        let before = newest().await["number"].as_u64().expect("a number") - 1;
        let kept = json_at(server, &format!("/api/v1{path}/versions/{before}"));
        assert!(kept["code"].as_str().is_some_and(|code| code.contains("number String")), "{kept:#}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_files_and_the_page_follows_the_theme() {
    with_page(async |one, _, server| {
        let path = one.draw().await;
        for (file, begins) in [
            ("1.svg", "<svg"),
            ("1.svg?theme=dark", "<svg"),
            ("1.mmd", "classDiagram"),
            ("1.md", "# "),
            ("1.json", "{"),
        ] {
            let (status, body) =
                server.request("GET", &format!("{path}/versions/{file}"), "").expect("a file");
            assert!(status == 200 && body.starts_with(begins), "{file}: {status} {body}");
        }
        for missing in ["9.svg", "1.exe", "x.svg", "1"] {
            let (status, _) =
                server.request("GET", &format!("{path}/versions/{missing}"), "").expect("an answer");
            assert_eq!(status, 404, "{missing}");
        }
        let shown = "return [...document.querySelectorAll('.picture')].filter(p => p.checkVisibility())\
                     .map(p => p.className);";
        assert_eq!(one.client.execute(shown, vec![]).await.expect("a script"), json!(["picture light"]));
        // An address that leads nowhere is a page.
        one.open("/no/such/page").await;
        assert!(one.text(".problem").await.contains("no page at this address"));
    })
    .await;
}
