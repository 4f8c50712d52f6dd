//! The viewer that agents show beside a result, in a real browser, in a sandboxed frame that allows only scripts.
//!
//! Runs on SQLite only: the viewer keeps nothing.

use fantoccini::Locator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    app::TestApp,
    pages::{Driver, browser, installed},
};

const HOST: &str = include_str!("mcp_app_host.html");

const VALID: &str = "flowchart LR\n  a[\"Order <b>received</b>\"] --> b{\"In stock?\"} -->|yes| c[Ship]";
const INVALID: &str = "flowchart LR\n  a[run()] --> b\n  b --> c[check(x)]";

/// The displayed result: the verdict, and the values that JavaScript in the frame reports.
#[tokio::test(flavor = "multi_thread")]
async fn viewer_shows_a_picture_and_findings() {
    if !installed("chromium") || !installed("chromedriver") {
        return;
    }
    let app = TestApp::builtin().await;
    let page = app.rpc("resources/read", json!({"uri": "ui://ba-copilot/diagram"})).await;
    let page = page["result"]["contents"][0]["text"].as_str().expect("a page").to_owned();
    let call = async |name: &str, arguments: &Value| app.tool(name, arguments.clone()).await;
    let (valid, invalid) = (json!({"code": VALID}), json!({"code": INVALID}));
    let rendered = call("render_mermaid", &valid).await;
    let folder = TempDir::new().expect("a folder");
    let profile = TempDir::new().expect("a folder");
    let driver = Driver::start();
    let client = browser(&driver, &profile).await;
    let picture =
        "document.getElementById('image').naturalWidth > 100 && !document.getElementById('picture').hidden";
    let findings = "[...document.querySelectorAll('#findings li')].length >= 2 \
                    && document.querySelectorAll('#code mark').length >= 1 \
                    && document.getElementById('source').open";
    for (theme, input, result, verdict, holds) in [
        (
            "light",
            &valid,
            call("render_mermaid", &valid).await,
            "Valid: accepted by Mermaid 12.3.0.",
            picture,
        ),
        // The result has no picture: the viewer requests one from its host.
        (
            "dark",
            &valid,
            call("validate_mermaid", &valid).await,
            "Valid: accepted by Mermaid 12.3.0.",
            picture,
        ),
        (
            "dark",
            &invalid,
            call("validate_mermaid", &invalid).await,
            "Not valid: Mermaid 12.3.0 does not accept it.",
            findings,
        ),
        (
            "light",
            &json!({}),
            call("validate_mermaid", &json!({})).await,
            "`code` is missing: send the Mermaid text.",
            "document.getElementById('picture').hidden",
        ),
        (
            "light",
            &json!({}),
            Value::Null,
            "Waiting for a diagram …",
            "document.getElementById('source').hidden",
        ),
    ] {
        let case =
            json!({"page": page, "theme": theme, "input": input, "result": result, "rendered": rendered});
        let file = folder.path().join("host.html");
        std::fs::write(&file, HOST.replace("{{case}}", &case.to_string().replace("</", "<\\/")))
            .expect("written");
        client.goto(&format!("file://{}", file.display())).await.expect("the host");
        let frame = client.find(Locator::Id("viewer")).await.expect("the frame");
        frame.enter_frame().await.expect("the viewer");
        let script = format!(
            "const done = arguments[0]; const look = () => {{ \
             const text = document.getElementById('verdict')?.textContent; \
             if (text === {verdict:?} && document.documentElement.dataset.theme === '{theme}' \
             && ({holds})) done('ok'); \
             else if (performance.now() > 20000) \
             done(`${{text}} | ${{document.body.innerHTML.slice(0, 600)}}`); \
             else requestAnimationFrame(look); }}; look();"
        );
        let seen = client.execute_async(&script, vec![]).await.expect("a script");
        assert_eq!(seen, json!("ok"), "{theme} {verdict}");
        // Nothing overflows a narrow window, and no text of a diagram is interpreted as HTML.
        let whole = client
            .execute(
                "return [document.documentElement.scrollWidth <= innerWidth, \
                 document.querySelectorAll('main b, main script').length]",
                vec![],
            )
            .await;
        assert_eq!(whole.expect("a script"), json!([true, 0]), "{verdict}");
        client.enter_parent_frame().await.expect("the host");
        let methods = client.execute("return window.seen", vec![]).await.expect("a script").to_string();
        assert!(
            methods.contains("ui/notifications/initialized") && methods.contains("size-changed"),
            "{methods}"
        );
    }
    client.close().await.expect("closed");
}
