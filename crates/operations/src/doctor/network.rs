//! Who can reach the server, and how.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::context::{CheckContext, Database};
use crate::diagnostics::{CheckFailure, CheckResult, Outcome};
use application::accounts::users;
use config::{Config, Role};

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

fn config(context: &CheckContext) -> Result<&Config, CheckFailure> {
    context.app().map(|app| &*app.config)
}

pub(super) async fn accounts(context: &CheckContext) -> CheckResult {
    let config = config(context)?;
    let cure = "Create the first account with `ba-copilot user add EMAIL` or `ba-copilot user setup-link`, or listen \
                on 127.0.0.1.";
    let known = match context.current() {
        Ok((app, _)) => users::is_set_up(app).await,
        Err(failure) if config.is_loopback() => return Err(failure),
        Err(_) if matches!(context.database, Database::Missing) => Ok(false),
        Err(failure) => return Err(failure),
    };
    Ok(match (known, config.is_loopback()) {
        (Ok(true), _) => Outcome::ok("callers must authenticate"),
        (Ok(false), true) => Outcome::ok("no accounts, and only this machine can connect"),
        (Ok(false), false) => Outcome::failed(
            "other machines can connect and there are no accounts, so the server refuses to start",
            cure,
        ),
        (Err(error), _) => Outcome::skipped(error.to_string()),
    })
}

pub(super) async fn public_url(context: &CheckContext) -> CheckResult {
    let config = config(context)?;
    let url = config.server.public_url.as_str();
    Ok(match (url, config.is_loopback()) {
        ("", true) => Outcome::ok("only this machine can connect"),
        ("", false) => Outcome::warning(
            "not set: links in messages do not work, and cookies are sent without TLS",
            "Set PUBLIC_URL to the address that users open, for example https://ba.example.com",
        ),
        (url, _) if url.starts_with("https://") || is_loopback_url(url) => {
            Outcome::ok("TLS, or this machine only")
        }
        _ => Outcome::warning(
            "it begins with http://: passwords and sessions can be intercepted",
            "Use a proxy with TLS (docs/operations.md), and set PUBLIC_URL to its https:// address.",
        ),
    })
}

fn is_loopback_url(url: &str) -> bool {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

pub(super) async fn proxies(context: &CheckContext) -> CheckResult {
    let config = config(context)?;
    let tls = config.server.public_url.starts_with("https://");
    Ok(match (tls, config.server.proxies) {
        // This program does not implement TLS, so a proxy does.
        (true, 0) => Outcome::warning(
            "a proxy provides TLS, and server.proxies is 0: all clients count as one address",
            "Set BA_COPILOT__SERVER__PROXIES to the number of proxies in front of the server, usually 1.",
        ),
        (false, proxies) if proxies > 0 && config.server.public_url.is_empty() && !config.is_loopback() => {
            Outcome::warning(
                "server.proxies is set, and clients that bypass the proxy can claim any address",
                "Set PUBLIC_URL to the address of the proxy, and let only the proxy connect to this server.",
            )
        }
        (_, proxies) => Outcome::ok(format!("{proxies} proxies")),
    })
}

/// The forward proxy, apart from the reverse proxies in [`proxies`].
pub(super) async fn provider_proxy(context: &CheckContext) -> CheckResult {
    let config = config(context)?;
    let set: Vec<&str> = ["proxy.http", "proxy.https", "proxy.all"]
        .into_iter()
        .filter(|key| {
            let setting = context.inspection.setting(key);
            setting.is_some_and(|setting| setting.origin != config::Origin::Default)
        })
        .collect();
    if set.is_empty() {
        return Ok(Outcome::ok("no proxy is set (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY)"));
    }
    let set = set.join(", ");
    let provider = config.default_provider();
    let Some((provider, address)) = provider.and_then(|it| Some((it, config.endpoint(it).address()?))) else {
        return Ok(Outcome::ok(format!("{set}: set, and no model is configured")));
    };
    Ok(match config.proxies().find(&address) {
        Some(proxy) => Outcome::ok(format!("requests to {provider} go through {proxy} ({set})")),
        None => Outcome::ok(format!(
            "{set}: set, and {provider} is connected to directly (NO_PROXY, or this machine)"
        )),
    })
}

pub(super) async fn certificates(_: &CheckContext) -> CheckResult {
    let llm::Authorities { built_in, machine, problems } = llm::authorities();
    Ok(match problems.as_slice() {
        [] => Outcome::ok(format!("{machine} authorities of this machine and {built_in} built in")),
        [first, ..] => Outcome::warning(
            format!("certificates of this machine cannot be read: {first}"),
            "Correct SSL_CERT_FILE and SSL_CERT_DIR, or the permissions of the file. Until then, servers with \
             certificates of your own authority are not trusted.",
        ),
    })
}

pub(super) async fn port(context: &CheckContext) -> CheckResult {
    let listen = (config(context)?).listen(Role::All);
    Ok(match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => Outcome::ok(format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => match is_ours(listen).await {
            true => Outcome::ok(format!("a server of this program listens on {listen}")),
            false => Outcome::failed(
                format!("another program listens on {listen}"),
                "Stop it, or choose another address with --listen or BA_COPILOT__SERVER__LISTEN.",
            ),
        },
        Err(error) => Outcome::failed(
            format!("cannot listen on {listen}: {error}"),
            "Choose an address of this machine, and a port above 1023 unless the user may use lower ones.",
        ),
    })
}

/// Whether the server at this address is this program.
async fn is_ours(listen: SocketAddr) -> bool {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv6() {
            std::net::Ipv6Addr::LOCALHOST.into()
        } else {
            std::net::Ipv4Addr::LOCALHOST.into()
        });
    }
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(16 << 10).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).contains("\"mcp_server\""))
    };
    matches!(tokio::time::timeout(PROBE_TIMEOUT, asked).await, Ok(Ok(true)))
}
