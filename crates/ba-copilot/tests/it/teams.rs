//! The pages of accounts and teams, in real Chromium against the real program, from the first user to a second user's
//! version of a diagram.

use fantoccini::{Client, Locator};
use tempfile::TempDir;

use crate::{
    pages::{Driver, browser, installed},
    process::Server,
    users::{PASSWORD, code_of},
};

/// A user with a browser.
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) home: String,
}

impl Person {
    pub(crate) async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.home)).await.expect("the page");
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field =
            self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        field.clear().await.expect("an empty field");
        field.send_keys(text).await.expect("typed");
    }

    /// Clicks a button and waits for the next page.
    pub(crate) async fn press(&self, css: &str) {
        let old = self.client.find(Locator::Css("body")).await.expect("a page");
        let button =
            self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        button.click().await.expect("pressed");
        while old.is_enabled().await.is_ok() {
            tokio::task::yield_now().await;
        }
        self.client.wait().for_element(Locator::Css("footer")).await.expect("the next page");
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        let found =
            self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        found.text().await.expect("text")
    }

    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.expect("an address").path().to_owned()
    }

    /// Checks that no buttons or fields overlap, and that nothing is wider than the window.
    pub(crate) async fn assert_layout(&self) {
        let faults = self
            .client
            .execute(
                "const boxes = [...document.querySelectorAll('input:not([type=hidden]):not([type=radio])\
                 :not([type=checkbox]), button, select, textarea')]\
                 .filter(b => b.offsetParent && b.checkVisibility()).map(b => [b, b.getBoundingClientRect()]); \
                 const faults = []; \
                 for (const [i, [a, r]] of boxes.entries()) for (const [b, s] of boxes.slice(i + 1)) \
                     if (r.left < s.right - 1 && s.left < r.right - 1 && r.top < s.bottom - 1 && s.top < r.bottom - 1) \
                         faults.push(a.outerHTML + ' over ' + b.outerHTML); \
                 if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the window'); \
                 for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea')) \
                     if (!field.labels.length && !field.ariaLabel) faults.push('without a label: ' + field.outerHTML); \
                 return faults;",
                vec![],
            )
            .await
            .expect("a script");
        assert_eq!(faults, serde_json::json!([]), "{}", self.path().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn team_works_through_the_pages() {
    if !installed("chromium") || !installed("chromedriver") {
        return;
    }
    let data = TempDir::new().expect("a folder");
    let (ones, others) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let server = Server::start(data.path(), &[]);
    let (driver, second) = (Driver::start(), Driver::start());
    let home = format!("http://{}", server.address);
    let ada = Person { client: browser(&driver, &ones).await, home: home.clone() };

    // The first user sets up the server.
    ada.open("/").await;
    ada.press("nav a[href='/set-up']").await;
    ada.fill("#name", "Ada Lovelace").await;
    ada.fill("#email", "ada@example.com").await;
    ada.fill("#password", "short").await;
    ada.press("main button").await;
    assert!(ada.text(".problem").await.contains("12 to 256 characters"));
    ada.assert_layout().await;
    ada.fill("#password", PASSWORD).await;
    ada.press("main button").await;
    assert_eq!(ada.path().await, "/");

    // Signs out and in again, and is redirected to the requested page.
    ada.press("nav form button").await;
    assert_eq!(ada.path().await, "/sign-in");
    assert!(ada.text(".good").await.contains("signed out"));
    ada.open("/account").await;
    assert_eq!(ada.path().await, "/sign-in");
    ada.fill("#email", "ada@example.com").await;
    ada.fill("#password", "not the password").await;
    ada.press("main button").await;
    assert!(ada.text(".problem").await.contains("is wrong"));
    ada.assert_layout().await;
    ada.fill("#password", PASSWORD).await;
    ada.press("main button").await;
    assert_eq!(ada.path().await, "/account");
    ada.assert_layout().await;

    // A token is shown once.
    ada.fill("#token-name", "nightly").await;
    ada.press("form:has(#token-name) button").await;
    assert!(ada.text("#token").await.starts_with("bac_"));
    ada.open("/account").await;
    assert!(ada.client.find(Locator::Css("#token")).await.is_err());
    ada.press("form:has(input[value=end-token]) button").await;
    assert!(ada.text(".good").await.contains("is revoked"));

    // A second factor, and signing in with it.
    ada.press("form:has(input[value=offer]) button").await;
    let secret = ada.text("#factor").await;
    let code = |ahead_s: u64| {
        let secret = totp_rs::Secret::try_from_base32(&secret).expect("a secret");
        let totp =
            totp_rs::Builder::new().with_secret(secret).with_account_name("a").build().expect("a clock");
        totp.generate(unix_now() + ahead_s).to_string()
    };
    ada.fill("#code", &code(0)).await;
    ada.fill("#factor-password", "not the password").await;
    ada.press("form:has(input[value=factor]) button").await;
    // The secret that the app has already stays valid.
    assert!(ada.text(".problem").await.contains("password is wrong"));
    assert_eq!(ada.text("#factor").await, secret);
    ada.assert_layout().await;
    ada.fill("#code", &code(0)).await;
    ada.fill("#factor-password", PASSWORD).await;
    ada.press("form:has(input[value=factor]) button").await;
    assert!(ada.text(".good").await.contains("your recovery codes"));
    ada.press("nav form button").await;
    ada.fill("#email", "ada@example.com").await;
    ada.fill("#password", PASSWORD).await;
    ada.press("main button").await;
    ada.assert_layout().await;
    // The next code is valid half a minute early, for clocks that are ahead.
    ada.fill("#code", &code(30)).await;
    ada.press("main button").await;
    assert_eq!(ada.path().await, "/");

    // A project and an invitation.
    ada.open("/projects").await;
    ada.assert_layout().await;
    ada.fill("#name", "Web shop").await;
    ada.press("form[action='/projects'] button").await;
    let project = ada.path().await;
    assert!(project.starts_with("/projects/prj_"), "{project}");
    ada.fill("#email", "grace@example.com").await;
    ada.press("form:has(#email) button").await;
    let link = ada.text("#link").await;
    ada.assert_layout().await;

    // The invited user follows the link and creates a diagram.
    let grace = Person { client: browser(&second, &others).await, home: home.clone() };
    grace.open(&format!("/invitation?code={}", code_of(&link))).await;
    assert!(grace.text("main").await.contains("Web shop"));
    grace.fill("#name", "Grace Hopper").await;
    grace.fill("#password", PASSWORD).await;
    grace.assert_layout().await;
    grace.press("main button").await;
    grace.open(&format!("/?project={}", project.rsplit('/').next().unwrap_or_default())).await;
    grace.fill("#message", "A customer places orders. Each order has a number.").await;
    grace.press("main form button").await;
    grace.assert_layout().await;
    let diagram = grace.path().await;
    let source = grace.text("#source").await;
    grace.fill("#code", &format!("{source}\n    class Canary")).await;
    grace.fill("#note", "A bird").await;
    grace.press("form:has(#code) button").await;
    assert!(grace.text(".good").await.contains("Saved as a new version"));
    assert!(grace.text("#source").await.contains("Canary"));

    // Ada sees the new version and the earlier one, and cannot overwrite a version that she has not seen.
    ada.open(&project).await;
    assert!(ada.text("main").await.contains("Grace Hopper"));
    ada.press("a[href^='/diagrams/']").await;
    assert_eq!(ada.path().await, diagram);
    grace.fill("#note", "Another bird").await;
    grace.press("form:has(#code) button").await;
    ada.fill("#note", "No bird").await;
    ada.press("form:has(#code) button").await;
    assert!(ada.text(".problem").await.contains("Somebody else saved a version while you were writing"));
    ada.open(&format!("{diagram}?version=1")).await;
    assert!(!ada.text("#source").await.contains("Canary"));

    // A removed member has no access.
    ada.open(&project).await;
    ada.press(
        "tr:has(td:first-child):not(:has(select[name=role] option[value=owner][selected])) \
         form:has(input[value=remove]) button",
    )
    .await;
    grace.open(&diagram).await;
    assert!(grace.text("main").await.contains("no such diagram"));

    // A forgotten password.
    grace.press("nav form button").await;
    grace.open("/forgot-password").await;
    grace.fill("#email", "grace@example.com").await;
    grace.press("main button").await;
    let letters = data.path().join("mail");
    let letter = loop {
        let found = std::fs::read_dir(&letters).expect("the letters").flatten().find_map(|file| {
            let text = std::fs::read_to_string(file.path()).ok()?.replace("=\r\n", "").replace("=3D", "=");
            text.contains("/reset-password?code=").then_some(text)
        });
        if let Some(letter) = found {
            break letter;
        }
        tokio::task::yield_now().await;
    };
    grace.open(&format!("/reset-password?code={}", code_of(&letter))).await;
    grace.fill("#password", "a quite different sentence").await;
    grace.press("main button").await;
    assert!(grace.text(".good").await.contains("Your password is changed"));
    grace.fill("#email", "grace@example.com").await;
    grace.fill("#password", "a quite different sentence").await;
    grace.press("main button").await;
    assert_eq!(grace.path().await, "/");
    ada.client.close().await.expect("the end");
    grace.client.close().await.expect("the end");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the real program asks the machine, so its codes are those of now"
)]
fn unix_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
}
