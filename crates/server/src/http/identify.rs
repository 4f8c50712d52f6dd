//! Who is calling: the session or the token of a request, how often they may call, and whether a page elsewhere sent it.
//!
//! Everything is closed unless [`OPEN`] names it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use crate::{Shared, http::error::Pending};
use application::{
    access::Caller,
    accounts::{
        self,
        sign_in::{self, ClientInfo, NewSession},
    },
    cpu_pool,
    network::Network,
    secrets,
};
use config::Role;

/// Routes that a stranger may call. `/mcp` looks at tokens itself.
pub const OPEN: [&str; 27] = [
    // Says who answers; the page behind it asks for more.
    "/",
    "/health",
    "/livez",
    "/readyz",
    "/startupz",
    "/metrics",
    "/assets/{file}",
    "/openapi.json",
    "/docs",
    "/docs/",
    "/docs/{*rest}",
    "/mcp",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/set-up",
    "/sign-in",
    "/sign-in/code",
    "/sign-in/oidc",
    "/sign-in/oidc/callback",
    "/forgot-password",
    "/reset-password",
    "/verify-email",
    "/invitation",
    "/api/v1/sign-in",
    "/api/v1/sign-in/code",
    "/api/v1/password-resets",
    "/api/v1/password-resets/finish",
];

/// A cookie. Over HTTPS its name has a prefix with which browsers take it from this very host alone, and not from one above or
/// beside it (`__Host-`); the name without it is still read, and goes with the release after this one.
#[derive(Clone, Copy)]
pub(crate) struct CookieName {
    plain: &'static str,
    prefixed: &'static str,
}

impl CookieName {
    /// A cookie of this server.
    pub(crate) const fn new(plain: &'static str, prefixed: &'static str) -> Self {
        CookieName { plain, prefixed }
    }
}

const SESSION: CookieName = CookieName::new("bac_session", "__Host-bac_session");
const DEVICE: CookieName = CookieName::new("bac_device", "__Host-bac_device");
/// A browser is known for a year after signing in.
const DEVICE_AGE_S: i64 = 365 * 24 * 3600;

/// Who is calling, where strangers may call too.
#[derive(Clone)]
pub struct Visitor(pub Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Pending;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Pending> {
        Ok(parts.extensions.get::<Visitor>().cloned().unwrap_or(Visitor(None)))
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Pending;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Pending> {
        match parts.extensions.get::<Visitor>() {
            Some(Visitor(Some(caller))) => Ok(caller.clone()),
            _ => Err(stranger()),
        }
    }
}

fn stranger() -> Pending {
    Pending::new(
        StatusCode::UNAUTHORIZED,
        "sign_in",
        "Say who you are: sign in at /sign-in, or send a token as `Authorization: Bearer bac_…`.",
    )
}

/// Finds out who is calling, and lets strangers no further than [`OPEN`].
pub async fn identify(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let mcp = route.as_deref() == Some("/mcp");
    let token = bearer(request.headers()).map(str::to_owned);
    if token.is_none() && !mcp && from_elsewhere(request.method(), request.headers()) {
        return Pending::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "This request was sent by a page of another site, so it was not carried out. Open this server's own page and send it from there.",
        )
        .into_response();
    }
    let session = cookie(&shared, request.headers(), SESSION).map(str::to_owned);
    let open = route.as_deref().is_none_or(|route| OPEN.contains(&route));
    let known = match find(&shared, session.as_deref(), token.as_deref()).await {
        Ok(known) => known,
        // How it is must be told also when the database is away; who asks does not matter there.
        Err(_) if open => Known { caller: None, new_secret: None },
        Err(problem) => return problem.into_response(),
    };
    let Known { caller, new_secret } = known;
    // Probes and counters are asked by machines, and cost nothing.
    let free = matches!(
        route.as_deref(),
        Some("/health" | "/livez" | "/readyz" | "/startupz" | "/metrics" | "/assets/{file}")
    );
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let network = network_of(&shared, request.headers(), connected);
    if !free && let Some(wait) = shared.limiter.count_request(caller.as_ref(), &network).await {
        let why = format!("These are too many requests for now. Wait {wait} s.");
        return Pending::new(StatusCode::TOO_MANY_REQUESTS, "too_many", why).after(wait).into_response();
    }
    if !open && caller.is_none() {
        return refuse(&request);
    }
    if token.is_some() && caller.is_some() && !mcp {
        // Nothing behind this needs it.
        request.headers_mut().remove(header::AUTHORIZATION);
    }
    // Whose work it is, where work waits for a processor: a person's, whatever they call with, or a network address.
    let person: Arc<str> = match caller.as_ref().and_then(Caller::user_id) {
        Some(user) => user.as_str().into(),
        None => network.as_str().into(),
    };
    request.extensions_mut().insert(Visitor(caller));
    let mut response = cpu_pool::on_behalf_of(person, next.run(request)).await;
    if let Some(secret) = new_secret {
        let max_age_s = shared.app.config.accounts.session_max_h.saturating_mul(3600);
        set_cookie(&mut response, &shared, SESSION, &secret, max_age_s);
    }
    response
}

struct Known {
    caller: Option<Caller>,
    new_secret: Option<String>,
}

async fn find(shared: &Shared, session: Option<&str>, token: Option<&str>) -> Result<Known, Pending> {
    let app = &shared.app;
    let nobody = Known { caller: None, new_secret: None };
    let tokens = app.config.ai.tokens();
    if shared.role == Role::Ai && !tokens.is_empty() {
        // Hashes, so that comparing takes no longer for a token that begins like a good one.
        let token = token.map(secrets::hash);
        let known = token.is_some_and(|token| tokens.iter().any(|good| secrets::hash(good) == token));
        return Ok(Known { caller: known.then(Caller::local), new_secret: None });
    }
    if accounts::is_local(app).await? {
        return Ok(Known { caller: Some(Caller::local()), new_secret: None });
    }
    if let Some(token) = token {
        return Ok(Known { caller: sign_in::find_token(app, token).await?, new_secret: None });
    }
    let Some(secret) = session else { return Ok(nobody) };
    Ok(match sign_in::find_session(app, secret).await? {
        Some(known) => Known { caller: Some(known.caller), new_secret: known.new_secret },
        None => nobody,
    })
}

/// A page in a browser is sent to sign in; a program is told.
fn refuse(request: &Request) -> Response {
    let wants_page = request.method() == Method::GET
        && request
            .headers()
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
    if wants_page {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        return Redirect::to(&format!("/sign-in?next={}", encoded(path))).into_response();
    }
    let mut response = stranger().into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"BA Copilot\""));
    response
}

/// A text as a value in an address.
pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A page of another site sent it. Browsers say so themselves; a program says nothing of the kind.
fn from_elsewhere(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    // Older browsers name the origin of what they send.
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        _ => false,
    }
}

pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether people reach this server over HTTPS.
fn over_https(shared: &Shared) -> bool {
    shared.app.config.server.public_url.starts_with("https:")
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(shared: &Shared, headers: &'a HeaderMap, name: CookieName) -> Option<&'a str> {
    let prefixed = over_https(shared).then(|| raw_cookie(headers, name.prefixed)).flatten();
    prefixed.or_else(|| raw_cookie(headers, name.plain))
}

fn raw_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(found, _)| *found == name))
        .map(|(_, value)| value)
}

pub(crate) fn set_cookie(
    response: &mut Response,
    shared: &Shared,
    name: CookieName,
    value: &str,
    max_age_s: i64,
) {
    let mut cookies = Vec::new();
    if over_https(shared) {
        cookies.push(format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}; Secure",
            name.prefixed
        ));
        // What an earlier version set would be left behind.
        cookies.push(format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure", name.plain));
    } else {
        cookies.push(format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}", name.plain));
    }
    for cookie in cookies {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// The answer with which a browser is signed in from now on.
pub(crate) fn signed_in(shared: &Shared, mut response: Response, session: &NewSession) -> Response {
    set_cookie(&mut response, shared, SESSION, &session.secret, session.max_age_s);
    set_cookie(&mut response, shared, DEVICE, &session.device, DEVICE_AGE_S);
    response
}

/// The answer with which a browser is signed out.
pub(crate) fn signed_out(shared: &Shared, mut response: Response) -> Response {
    set_cookie(&mut response, shared, SESSION, "", 0);
    response
}

/// From where a request comes that signs somebody in.
pub struct Origin(pub ClientInfo);

impl FromRequestParts<Shared> for Origin {
    type Rejection = Pending;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Pending> {
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        Ok(Origin(ClientInfo {
            device: cookie(shared, &parts.headers, DEVICE).map(str::to_owned),
            device_name: agent.unwrap_or_default().to_owned(),
            network: network_of(shared, &parts.headers, connected),
        }))
    }
}

/// The network of the caller: what the outermost of our own proxies saw. Whatever stands before that in
/// `X-Forwarded-For` was written by the caller.
fn network_of(shared: &Shared, headers: &HeaderMap, connected: Option<SocketAddr>) -> Network {
    let proxies = shared.app.config.server.proxies;
    let seen: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let by_proxy = if proxies == 0 { None } else { seen.len().checked_sub(proxies).map(|at| seen[at]) };
    match by_proxy {
        Some(address) => Network::parse(address),
        None => connected.map(|address| Network::from_ip(address.ip())).unwrap_or_default(),
    }
}
