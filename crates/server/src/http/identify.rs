//! Authentication: the session or the token of a request, rate limits, and protection against cross-site requests.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{access::Access, error::ProblemResponse};
use crate::state::AppState;
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

/// A cookie. Over HTTPS its name has the prefix `__Host-`, with which browsers accept it from this host alone and
/// not from a parent or sibling domain. The name without the prefix is still read until the next release.
///
/// Below a base path the cookie is for that path, so that the other programs of the host do not receive it. Browsers
/// accept the prefix `__Host-` for whole hosts only, so that it is `__Secure-` there.
#[derive(Clone, Copy)]
pub(crate) struct CookieName(pub(crate) &'static str);

impl CookieName {
    fn prefixed(self, base: &str) -> String {
        format!("{}{}", if base.is_empty() { "__Host-" } else { "__Secure-" }, self.0)
    }
}

const SESSION: CookieName = CookieName("bac_session");
const DEVICE: CookieName = CookieName("bac_device");
/// For how long a browser counts as known after signing in.
const DEVICE_AGE_S: i64 = 365 * 24 * 3600;

/// The caller, or none if the request is not authenticated.
#[derive(Clone)]
pub struct MaybeCaller(pub Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ProblemResponse> {
        Ok(parts.extensions.get::<MaybeCaller>().cloned().unwrap_or(MaybeCaller(None)))
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ProblemResponse> {
        match parts.extensions.get::<MaybeCaller>() {
            Some(MaybeCaller(Some(caller))) => Ok(caller.clone()),
            _ => Err(not_authenticated()),
        }
    }
}

fn not_authenticated() -> ProblemResponse {
    ProblemResponse::new(
        StatusCode::UNAUTHORIZED,
        "sign_in",
        "This request is not authenticated. Sign in at /sign-in, or send a token as `Authorization: Bearer bac_…`.",
    )
}

/// Finds the caller, and refuses requests without one unless the route is open.
pub async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let access = Access::of_request(&request);
    let mcp = access == Access::Own;
    let token = bearer(request.headers()).map(str::to_owned);
    if token.is_none() && !mcp && is_cross_site(&state, request.method(), request.headers()) {
        return ProblemResponse::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "This request came from a page of another site, so it was refused. Open this server's own page and send \
             it from there.",
        )
        .into_response();
    }
    let session = cookie(&state, request.headers(), SESSION).map(str::to_owned);
    let open = access.is_open();
    let known = match find(&state, session.as_deref(), token.as_deref()).await {
        Ok(known) => known,
        // Health must be readable without the database.
        Err(_) if open => Known { caller: None, new_secret: None },
        Err(problem) => return problem.into_response(),
    };
    let Known { caller, new_secret } = known;
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let network = network_of(&state, request.headers(), connected);
    if access.is_limited()
        && let Some(wait) = state.limiter.count_request(caller.as_ref(), &network).await
    {
        let why = format!("The rate limit is reached. Retry in {wait} s.");
        return ProblemResponse::new(StatusCode::TOO_MANY_REQUESTS, "too_many", why)
            .after(wait)
            .into_response();
    }
    if !open && caller.is_none() {
        return refuse(&request);
    }
    if token.is_some() && caller.is_some() && !mcp {
        // The layers and handlers behind this do not need it.
        request.headers_mut().remove(header::AUTHORIZATION);
    }
    // The processor pool takes turns by person, whatever they call with, or by network address.
    let person: Arc<str> = match caller.as_ref().and_then(Caller::user_id) {
        Some(user) => user.as_str().into(),
        None => network.as_str().into(),
    };
    request.extensions_mut().insert(MaybeCaller(caller));
    let mut response = cpu_pool::on_behalf_of(person, next.run(request)).await;
    if let Some(secret) = new_secret {
        let max_age_s = state.app.config.accounts.session_max_h.saturating_mul(3600);
        set_cookie(&mut response, &state, SESSION, &secret, max_age_s);
    }
    response
}

struct Known {
    caller: Option<Caller>,
    new_secret: Option<String>,
}

async fn find(
    state: &AppState,
    session: Option<&str>,
    token: Option<&str>,
) -> Result<Known, ProblemResponse> {
    let app = &state.app;
    let unknown = Known { caller: None, new_secret: None };
    let tokens = app.config.ai.tokens();
    if state.role == Role::Ai && !tokens.is_empty() {
        // Hashes, so that the time of a comparison does not reveal the beginning of a valid token.
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
    let Some(secret) = session else { return Ok(unknown) };
    Ok(match sign_in::find_session(app, secret).await? {
        Some(known) => Known { caller: Some(known.caller), new_secret: known.new_secret },
        None => unknown,
    })
}

/// Redirects a browser to the sign-in page; answers a program with a problem.
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
    let mut response = not_authenticated().into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"BA Copilot\""));
    response
}

/// Percent-encodes a query value.
pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Whether a page of another site sent the request. Browsers say so in a header; programs send none.
fn is_cross_site(state: &AppState, method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    // Older browsers send the origin only. A proxy may have replaced the host.
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_none_or(|(_, from)| from != host)
                && state.app.config.public_origin().as_deref() != Some(origin)
        }
        _ => false,
    }
}

pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn over_https(state: &AppState) -> bool {
    state.app.config.server.public_url.starts_with("https:")
}

pub(crate) fn cookie<'a>(state: &AppState, headers: &'a HeaderMap, name: CookieName) -> Option<&'a str> {
    let prefixed = || raw_cookie(headers, &name.prefixed(&state.app.config.base_path()));
    over_https(state).then(prefixed).flatten().or_else(|| raw_cookie(headers, name.0))
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
    state: &AppState,
    name: CookieName,
    value: &str,
    max_age_s: i64,
) {
    let base = state.app.config.base_path();
    let path = if base.is_empty() { "/" } else { &base };
    let attributes = format!("Path={path}; HttpOnly; SameSite=Lax");
    let mut cookies = Vec::new();
    if over_https(state) {
        let prefixed = name.prefixed(&base);
        cookies.push(format!("{prefixed}={value}; {attributes}; Max-Age={max_age_s}; Secure"));
        // Removes the cookie that an earlier version set.
        cookies.push(format!("{}=; {attributes}; Max-Age=0; Secure", name.0));
    } else {
        cookies.push(format!("{}={value}; {attributes}; Max-Age={max_age_s}", name.0));
    }
    for cookie in cookies {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// Sets the cookies of a session.
pub(crate) fn signed_in(state: &AppState, mut response: Response, session: &NewSession) -> Response {
    set_cookie(&mut response, state, SESSION, &session.secret, session.max_age_s);
    set_cookie(&mut response, state, DEVICE, &session.device, DEVICE_AGE_S);
    response
}

/// Removes the cookie of a session.
pub(crate) fn signed_out(state: &AppState, mut response: Response) -> Response {
    set_cookie(&mut response, state, SESSION, "", 0);
    response
}

/// The browser and the network that a sign-in comes from.
pub struct Origin(pub ClientInfo);

impl FromRequestParts<AppState> for Origin {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ProblemResponse> {
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        Ok(Origin(ClientInfo {
            device: cookie(state, &parts.headers, DEVICE).map(str::to_owned),
            device_name: agent.unwrap_or_default().to_owned(),
            network: network_of(state, &parts.headers, connected),
        }))
    }
}

/// The network of the caller, as the outermost of our own proxies saw it. Earlier entries of `X-Forwarded-For` are
/// written by the caller.
fn network_of(state: &AppState, headers: &HeaderMap, connected: Option<SocketAddr>) -> Network {
    let proxies = state.app.config.server.proxies;
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
