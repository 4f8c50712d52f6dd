//! Below a path of a host, behind a proxy that strips the path and behind one that keeps it: no address in any page
//! leaves the path.
//!
//! Runs on SQLite only: the addresses do not come from the database.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    fs,
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use reqwest::{Client, Method, Url, redirect::Policy};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    app::{TestApp, eventually},
    process::Server,
    users::{Browser, PASSWORD, letters, percent},
};

const BASE: &str = "/ba";

fn client() -> Client {
    let tls = llm::tls_config().expect("TLS");
    let builder = Client::builder().tls_backend_preconfigured(tls).redirect(Policy::none()).no_proxy();
    builder.build().expect("a client")
}

/// A host that serves the product below [`BASE`] and nothing else: nginx, or a small proxy where nginx is not
/// installed.
struct Front {
    address: String,
    strips: bool,
    upstream: Arc<OnceLock<String>>,
    nginx: Option<(Child, TempDir)>,
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some((nginx, _)) = &mut self.nginx {
            let _ = nginx.kill();
            let _ = nginx.wait();
        }
    }
}

impl Front {
    /// Starts the server behind a proxy.
    async fn start(strips: bool, data: &TempDir) -> (Front, Server) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let public = format!("http://{address}{BASE}");
        let folder = data.path().to_owned();
        let server =
            tokio::task::spawn_blocking(move || Server::start(&folder, &[("PUBLIC_URL", public.as_str())]));
        let server = server.await.expect("a server");
        let mut front = Front { address, strips, upstream: Arc::default(), nginx: None };
        front.upstream.set(server.address.clone()).expect("set once");
        let version = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
        if version.is_ok_and(|status| status.success()) {
            drop(listener);
            front.nginx = Some(front.start_nginx());
        } else {
            let forward = (Arc::clone(&front.upstream), strips, client());
            let routes = Router::new().fallback(pass_on).with_state(forward);
            tokio::spawn(async move { axum::serve(listener, routes).await });
        }
        let health = format!("http://{}{BASE}/health", front.address);
        eventually("the proxy answers", async || {
            client().get(&health).send().await.ok().filter(|answer| answer.status() == 200)
        })
        .await;
        (front, server)
    }

    /// As docs/operations.md describes it.
    fn start_nginx(&self) -> (Child, TempDir) {
        let folder = TempDir::new().expect("a folder");
        let (at, upstream) = (folder.path().display(), self.upstream.get().expect("an address"));
        let locations = match self.strips {
            true => format!("location {BASE}/ {{ proxy_pass http://{upstream}/; }}"),
            false => {
                format!(
                    "location {BASE}/ {{ proxy_pass http://{upstream}; proxy_set_header Host $http_host; }}"
                )
            }
        };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {at}/{name};\n"))
            .collect();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n\
             {temporary}server {{\nlisten {};\n{locations}\nlocation / {{ return 404; }}\n}}\n}}\n",
            self.address
        );
        fs::write(folder.path().join("nginx.conf"), config).expect("written");
        let nginx = Command::new("nginx")
            .args(["-e", "stderr", "-c"])
            .arg(folder.path().join("nginx.conf"))
            .stderr(Stdio::null())
            .spawn();
        (nginx.expect("nginx"), folder)
    }
}

type Forward = (Arc<OnceLock<String>>, bool, Client);

async fn pass_on(State((upstream, strips, client)): State<Forward>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().expect("a path").as_str();
    let Some(inside) = path.strip_prefix(BASE).filter(|inside| inside.starts_with('/')) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let url = format!("http://{}{}", upstream.get().expect("an address"), if strips { inside } else { path });
    let mut headers = parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    if strips {
        // Like nginx if it is not told otherwise, it puts the address of the server here.
        headers.remove(header::HOST);
    }
    let body = to_bytes(body, 10 << 20).await.expect("a body");
    let answer =
        client.request(parts.method, url).headers(headers).body(body).send().await.expect("an answer");
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONNECTION);
    let chunks = stream::unfold(answer, |mut answer| async move {
        let chunk = answer.chunk().await.ok()??;
        Some((Ok::<_, Infallible>(chunk), answer))
    });
    (status, headers, Body::from_stream(chunks)).into_response()
}

/// A form of a page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    action: Url,
    posts: bool,
    fields: Vec<(String, String)>,
}

/// A browser that opens every address that it finds.
struct Walker {
    client: Client,
    base: Url,
    cookies: BTreeMap<String, String>,
    ahead: VecDeque<Url>,
    seen: BTreeSet<String>,
    forms: BTreeSet<Form>,
    sent: BTreeSet<String>,
    /// The path of a form that is not sent.
    spared: &'static str,
}

impl Walker {
    fn new(front: &Front) -> Self {
        Walker {
            client: client(),
            base: Url::parse(&format!("http://{}{BASE}/", front.address)).expect("an address"),
            cookies: BTreeMap::new(),
            ahead: VecDeque::new(),
            seen: BTreeSet::new(),
            forms: BTreeSet::new(),
            sent: BTreeSet::new(),
            spared: "none",
        }
    }

    fn url(&self, inside: &str) -> Url {
        self.base.join(inside.trim_start_matches('/')).expect("an address")
    }

    /// The address that a browser opens, which must be below the path.
    fn resolve(&self, page: &Url, address: &str) -> Url {
        let to = page.join(address).unwrap_or_else(|error| panic!("{address} on {page}: {error}"));
        assert_eq!(to.origin(), self.base.origin(), "{address} on {page}");
        assert!(to.path().starts_with(&format!("{BASE}/")), "{address} on {page} leaves the path");
        to
    }

    async fn send(
        &mut self,
        method: Method,
        url: &Url,
        form: Option<&str>,
    ) -> (StatusCode, HeaderMap, String) {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url.clone()).header("accept", "text/html,*/*;q=0.5");
        request = request.header("cookie", cookies.join("; "));
        if let Some(form) = form {
            request = request.header("content-type", "application/x-www-form-urlencoded");
            request = request.header("origin", url.origin().ascii_serialization()).body(form.to_owned());
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let (status, headers) = (answer.status(), answer.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            assert!(cookie.contains(&format!("; Path={BASE};")), "{url}: {cookie}");
            let (name, value) =
                cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let bytes = answer.bytes().await.unwrap_or_else(|error| panic!("{url}: {error}"));
        (status, headers, String::from_utf8_lossy(&bytes).into_owned())
    }

    fn go(&mut self, url: Url) {
        if self.seen.insert(url.to_string()) {
            self.ahead.push_back(url);
        }
    }

    /// Takes in a response: where it redirects to, and what its page refers to.
    fn take_in(&mut self, url: &Url, status: StatusCode, headers: &HeaderMap, text: &str) {
        if let Some(location) = headers.get("location") {
            let to = self.resolve(url, location.to_str().expect("text"));
            self.go(to);
            return;
        }
        assert!(!status.is_server_error(), "{url}: {status}: {text}");
        let kind = headers.get("content-type").map(|kind| kind.to_str().expect("text")).unwrap_or_default();
        if kind.starts_with("text/html") {
            self.take_in_page(url, text);
        } else if kind.starts_with("text/css") {
            for address in text.split("url(").skip(1).filter_map(|rest| rest.split(')').next()) {
                let address = address.trim_matches(['"', '\'']);
                if !address.starts_with("data:") {
                    let to = self.resolve(url, address);
                    self.go(to);
                }
            }
        }
    }

    fn take_in_page(&mut self, url: &Url, page: &str) {
        let mut form: Option<Form> = None;
        for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let name = tag.split([' ', '/']).next().unwrap_or_default();
            let of = |name: &str| attribute(tag, name);
            for name in ["href", "src", "formaction", "poster", "srcset", "xlink:href"] {
                let Some(address) = of(name).filter(|address| !address.starts_with(['#'])) else { continue };
                if !["data:", "otpauth:"].iter().any(|scheme| address.starts_with(scheme)) {
                    let to = self.resolve(url, &address);
                    self.go(to);
                }
            }
            match name {
                "form" => {
                    let action = self.resolve(url, &of("action").unwrap_or_default());
                    let posts = of("method").is_some_and(|method| method == "post");
                    form = Some(Form { action, posts, fields: Vec::new() });
                }
                "input" | "select" | "textarea" => {
                    let (Some(form), Some(name)) = (&mut form, of("name")) else { continue };
                    let hidden = of("type").is_some_and(|kind| kind == "hidden");
                    let value = match (name.as_str(), of("value").unwrap_or_default()) {
                        (_, value) if hidden || !value.is_empty() => value,
                        ("email", _) => "ada@example.com".to_owned(),
                        ("password", _) => PASSWORD.to_owned(),
                        ("message", _) => "A customer places orders. Each order has a number.".to_owned(),
                        _ => "Something".to_owned(),
                    };
                    if form.fields.iter().all(|(other, _)| *other != name) {
                        form.fields.push((name, value));
                    }
                }
                "" if tag.starts_with("/form") => self.forms.extend(form.take()),
                _ => (),
            }
        }
    }

    /// Opens everything that is reachable from these paths.
    async fn open_all(&mut self, starts: &[&str]) {
        for start in starts {
            let url = self.url(start);
            self.go(url);
        }
        while let Some(url) = self.ahead.pop_front() {
            let (status, headers, text) = self.send(Method::GET, &url, None).await;
            assert!(!text.contains("\"no_such_route\""), "{url} leads nowhere");
            self.take_in(&url, status, &headers, &text);
        }
    }

    /// Signing out comes last.
    fn next_form(&mut self) -> Option<Form> {
        self.forms.retain(|form| !form.action.path().ends_with(self.spared));
        let stays = |form: &&Form| !form.action.path().ends_with("/sign-out");
        let form = self.forms.iter().find(stays).or(self.forms.first()).cloned()?;
        self.forms.remove(&form);
        Some(form)
    }

    /// Sends every form that was found, and opens what the answers lead to.
    async fn send_all(&mut self) {
        while let Some(Form { action, posts, fields }) = self.next_form() {
            // One of a kind is enough, or each new revision of a page would be a new form.
            let does = fields.iter().find(|(name, _)| name == "action").map(|(_, value)| value);
            let names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
            if !self.sent.insert(format!("{} {does:?} {names:?}", action.path())) {
                continue;
            }
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
            let mut url = action;
            let (status, headers, text) = match posts {
                true => self.send(Method::POST, &url, Some(&fields.join("&"))).await,
                false => {
                    url.set_query(Some(&fields.join("&")));
                    self.send(Method::GET, &url, None).await
                }
            };
            for code in ["\"no_such_route\"", "\"no_such_method\"", "\"cross_site\""] {
                assert!(!text.contains(code), "{url}: {text}");
            }
            self.take_in(&url, status, &headers, &text);
            self.open_all(&[]).await;
        }
    }

    fn has_opened(&self, inside: &str) -> bool {
        let start = self.url(inside).to_string();
        self.seen.iter().any(|url| url.starts_with(&start))
    }
}

/// The value of an attribute of a tag, unescaped.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let value = rest.split('"').next()?;
    Some(value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
}

async fn walk(strips: bool) {
    let data = TempDir::new().expect("a folder");
    let (front, _server) = Front::start(strips, &data).await;
    // Without accounts.
    let mut first = Walker { spared: "/set-up", ..Walker::new(&front) };
    first.open_all(&["/", "/docs/", "/projects", "/openapi.json", "/health"]).await;
    for inside in ["/assets/page.css", "/assets/page.js", "/docs/swagger-ui-bundle.js", "/set-up"] {
        assert!(first.has_opened(inside), "{inside} is not among {:?}", first.seen);
    }
    let fonts = first.seen.iter().filter(|url| url.ends_with(".woff2")).count();
    assert!(fonts > 1, "{:?}", first.seen);
    first.send_all().await;
    assert!(first.has_opened("/diagrams/"), "the page of a new diagram is linked: {:?}", first.seen);
    let mut user = Walker::new(&front);
    let set_up = user.url("/set-up");
    let fields = format!("name=Ada&email=ada%40example.com&password={}", percent(PASSWORD));
    let (status, headers, text) = user.send(Method::POST, &set_up, Some(&fields)).await;
    user.take_in(&set_up, status, &headers, &text);
    assert!(user.cookies.contains_key("bac_session"), "{:?}", user.cookies);
    // A visitor, who signs in at the end.
    let mut visitor = Walker::new(&front);
    let pages = ["/", "/projects", "/forgot-password", "/reset-password?code=x", "/verify-email?code=x"];
    visitor.open_all(&pages).await;
    assert!(visitor.has_opened("/sign-in"), "{:?}", visitor.seen);
    visitor.send_all().await;
    assert!(visitor.cookies.contains_key("bac_session"), "{:?}", visitor.cookies);
    // Every page of a user.
    user.open_all(&["/", "/account", "/docs"]).await;
    for inside in ["/projects/", "/diagrams/", "/account", "/docs/"] {
        assert!(user.has_opened(inside), "{inside} is not among {:?}", user.seen);
    }
    check_api(&mut user).await;
    user.send_all().await;
    assert!(user.has_opened("/sign-in?done=out"), "{:?}", user.seen);
    eprintln!(
        "{} addresses, {} forms, nginx: {}",
        first.seen.len() + visitor.seen.len() + user.seen.len(),
        first.sent.len() + visitor.sent.len() + user.sent.len(),
        front.nginx.is_some()
    );
}

/// Documents, jobs, events and MCP below the path.
async fn check_api(user: &mut Walker) {
    let get = |user: &Walker, inside: &str| {
        let cookie = format!("bac_session={}", user.cookies["bac_session"]);
        user.client.get(user.url(inside)).header("cookie", cookie)
    };
    let json = async |request: reqwest::RequestBuilder| -> Value {
        let text = request.send().await.expect("an answer").text().await.expect("text");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let document = json(get(user, "/openapi.json")).await;
    assert_eq!(document["servers"], json!([{"url": BASE}]));
    let problem = json(get(user, "/api/v1/projects/prj_none")).await;
    let code = problem["code"].as_str().expect("a code");
    assert_eq!(problem["type"], format!("{BASE}/docs#{code}"), "{problem}");
    let script = get(user, "/docs/swagger-initializer.js").send().await.expect("an answer");
    let script = script.text().await.expect("text");
    let address = script.split(['"', '\'']).find(|word| word.ends_with("openapi.json")).expect("an address");
    user.resolve(&user.url("/docs/"), address);
    let post = |user: &Walker, inside: &str, body: Value| {
        let cookie = format!("bac_session={}", user.cookies["bac_session"]);
        let request = user.client.post(user.url(inside)).header("cookie", cookie);
        request.header("content-type", "application/json").body(body.to_string())
    };
    let body = json!({"message": "A customer places orders."});
    let job = post(user, "/api/v1/generate/class-diagram", body.clone()).header("prefer", "respond-async");
    let job = job.send().await.expect("an answer");
    assert_eq!(job.status(), 202);
    let location = job.headers()["location"].to_str().expect("text").to_owned();
    let there = user.resolve(&user.url("/api/v1/generate/class-diagram"), &location);
    assert!(there.path().starts_with("/ba/api/v1/jobs/"), "{there}");
    // Events arrive while the stream is open.
    let projects = json(get(user, "/api/v1/projects")).await;
    let project = projects["items"][0]["id"].as_str().expect("a project");
    let events = format!("/api/v1/projects/{project}/events");
    let mut events = get(user, &events).send().await.expect("an answer");
    assert_eq!(events.status(), 200);
    let begun = events.chunk().await.expect("a chunk").expect("a chunk");
    assert!(begun.starts_with(b": following"), "{begun:?}");
    drop(events);
    let token = json(post(user, "/api/v1/tokens", json!({"name": "agent", "scopes": ["mcp"]}))).await;
    let token = format!("Bearer {}", token["secret"].as_str().expect("a token"));
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for inside in ["/mcp", "/mcp/"] {
        let answer = json(post(user, inside, ping.clone()).header("authorization", &token)).await;
        assert_eq!(answer["id"], 1, "{answer}");
    }
    let refused = user.client.post(user.url("/mcp")).header("content-type", "application/json");
    let refused = refused.body(ping.to_string()).send().await.expect("an answer");
    let challenge = refused.headers()["www-authenticate"].to_str().expect("text").to_owned();
    let address = challenge.split('"').find(|word| word.contains("well-known")).expect("an address");
    let metadata = user.resolve(&user.base.clone(), address);
    let metadata = json(user.client.get(metadata)).await;
    assert_eq!(metadata["resource"], user.url("/mcp").as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_leaves_the_path_if_the_proxy_strips_it() {
    walk(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_leaves_the_path_if_the_proxy_keeps_it() {
    walk(false).await;
}

#[tokio::test]
async fn messages_and_cookies_over_https_are_for_the_path() {
    let app = TestApp::start(None, &[("PUBLIC_URL", "https://example.com/ba/")]).await;
    let mut ada = set_up_below(&app).await;
    for name in ["__Secure-bac_session", "__Secure-bac_device"] {
        assert!(ada.cookies.contains_key(name), "{:?}", ada.cookies);
    }
    assert_eq!(ada.get(&app, "/api/v1/me").await.status, 200);
    assert_eq!(ada.get(&app, "/ba/api/v1/me").await.status, 200);
    let reply = ada.form(&app, "/ba/forgot-password", &[("email", "ada@example.com")]).await;
    assert_eq!(reply.headers["location"], "/ba/forgot-password?done=sent");
    let letter = eventually("a message", async || {
        letters(&app).into_iter().find(|letter| letter.contains("/reset-password?code="))
    })
    .await;
    assert!(letter.contains("https://example.com/ba/reset-password?code="), "{letter}");
    // A visitor comes back to the page that was asked for.
    let mut visitor = Browser::default();
    let headers = [("accept", "text/html")];
    let refused = visitor.send_with(&app, "GET", "/ba/projects?after=x", Value::Null, &headers).await;
    assert_eq!(refused.headers["location"], "/ba/sign-in?next=%2Fprojects%3Fafter%3Dx");
    let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", "/projects?after=x")];
    let reply = visitor.form(&app, "/ba/sign-in", &fields).await;
    assert_eq!(reply.headers["location"], "/ba/projects?after=x");
}

async fn set_up_below(app: &TestApp) -> Browser {
    let mut ada = Browser::default();
    let fields = [("name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
    let reply = ada.form(app, "/ba/set-up", &fields).await;
    assert_eq!(reply.headers["location"], "/ba/");
    for cookie in reply.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().expect("text");
        assert!(cookie.contains("; Path=/ba;") && cookie.ends_with("; Secure"), "{cookie}");
    }
    ada
}

#[tokio::test]
async fn a_prefix_in_a_header_counts_from_proxies_only() {
    let proxies = ("BA_COPILOT__SERVER__PROXIES", "1");
    let root = ("PUBLIC_URL", "https://example.com");
    let below = ("PUBLIC_URL", "https://example.com/ba");
    for (settings, header, location) in [
        (vec![proxies], "/tools/", "/tools/sign-in"),
        (vec![proxies, root], "/tools", "/tools/sign-in"),
        (vec![proxies], "/", "/sign-in"),
        (vec![], "/tools", "/sign-in"),
        // The address in messages wins.
        (vec![proxies, below], "/tools", "/ba/sign-in"),
        (vec![proxies], "//evil.example", "/sign-in"),
        (vec![proxies], "/\\evil.example", "/sign-in"),
        (vec![proxies], "https://evil.example", "/sign-in"),
        (vec![proxies], "/a/../b", "/sign-in"),
        (vec![proxies], "/a\"><script>", "/sign-in"),
        (vec![proxies], "/a, /b", "/sign-in"),
    ] {
        let app = TestApp::start(None, &settings).await;
        set_up_anywhere(&app).await;
        let headers = [("accept", "text/html"), ("x-forwarded-prefix", header)];
        let reply = Browser::default().send_with(&app, "GET", "/", Value::Null, &headers).await;
        assert_eq!(reply.headers["location"], location, "{settings:?} {header}");
        let page = Browser::default().send_with(&app, "GET", "/sign-in", Value::Null, &headers).await;
        let expected = location.replace("/sign-in", "/forgot-password");
        assert!(page.text().contains(&format!("href=\"{expected}\"")), "{settings:?} {header}");
    }
}

async fn set_up_anywhere(app: &TestApp) {
    let fields = [("name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
    assert_eq!(Browser::default().form(app, "/set-up", &fields).await.status, 303);
}

#[tokio::test]
async fn host_of_the_public_address_and_of_this_machine_are_accepted() {
    let public = ("PUBLIC_URL", "https://ba.example.com/ba");
    let listed = ("ALLOWED_HOSTS", "other.example, [2001:db8::7], 2001:db8::8");
    for (settings, host, accepted) in [
        (vec![], "localhost:8000", true),
        (vec![], "LOCALHOST", true),
        (vec![], "ba.localhost:8000", true),
        (vec![], "127.0.0.1:8000", true),
        (vec![], "127.1.2.3", true),
        (vec![], "[::1]:8000", true),
        (vec![], "[0:0::1]", true),
        (vec![], "ba.example.com", false),
        (vec![], "[2001:db8::7]", false),
        (vec![public], "ba.example.com", true),
        (vec![public], "BA.example.com.:443", true),
        (vec![public], "evil.example", false),
        (vec![public, listed], "ba.example.com", true),
        (vec![listed], "other.example:8000", true),
        (vec![listed], "[2001:DB8:0::7]:8000", true),
        (vec![listed], "[2001:db8::8]", true),
        (vec![listed], "[2001:db8::9]", false),
        (vec![listed], "ba.example.com", false),
        (vec![("PUBLIC_URL", "http://[2001:db8::1]:8000")], "[2001:db8::1]:8000", true),
    ] {
        let app = TestApp::start(None, &settings).await;
        let headers = [("host", host)];
        let reply = Browser::default().send_with(&app, "GET", "/health", Value::Null, &headers).await;
        assert_eq!(reply.status == 200, accepted, "{settings:?} {host}: {}", reply.text());
        if !accepted {
            reply.problem(421, "wrong_host");
        }
    }
}
