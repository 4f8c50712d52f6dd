//! Who reaches the server, and how.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Bench, Outcome};
use application::accounts::users;
use config::{Config, Role};

/// Longest time for an answer of whoever listens at our address.
const ANSWER: Duration = Duration::from_secs(2);

fn config(bench: &Bench) -> Result<&Config, Outcome> {
    bench.app().map(|app| &*app.config)
}

pub(super) async fn accounts(bench: &Bench) -> Outcome {
    let config = match config(bench) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    let cure = "Make the first account with `ba-copilot user add EMAIL`, or a link for it with `ba-copilot user setup-link`; or listen on 127.0.0.1.";
    let known = match bench.current() {
        Ok((app, _)) => users::is_set_up(app).await,
        Err(outcome) if config.is_loopback() => return outcome,
        Err(_) if matches!(bench.database, super::context::Database::NotYet) => Ok(false),
        Err(outcome) => return outcome,
    };
    match (known, config.is_loopback()) {
        (Ok(true), _) => Outcome::ok("whoever calls must say who they are"),
        (Ok(false), true) => Outcome::ok("no accounts, and only this machine reaches it"),
        (Ok(false), false) => {
            Outcome::problem("others reach it, and there are no accounts, so it does not start", cure)
        }
        (Err(error), _) => Outcome::skipped(error.to_string()),
    }
}

pub(super) async fn public_url(bench: &Bench) -> Outcome {
    let config = match config(bench) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    let url = config.server.public_url.as_str();
    match (url, config.is_loopback()) {
        ("", true) => Outcome::ok("only this machine reaches it"),
        ("", false) => Outcome::warning(
            "it is not set, so that links in messages lead nowhere, and cookies are sent without TLS",
            "Set PUBLIC_URL to the address that people type in, for example https://ba.example.com",
        ),
        (url, _) if url.starts_with("https://") || is_here(url) => Outcome::ok("links and cookies are safe"),
        _ => Outcome::warning(
            "it begins with http://, so that passwords and sessions can be read on the way",
            "Put a proxy with TLS in front (docs/operations.md) and set PUBLIC_URL to its https:// address.",
        ),
    }
}

fn is_here(url: &str) -> bool {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

pub(super) async fn proxies(bench: &Bench) -> Outcome {
    let config = match config(bench) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    let tls = config.server.public_url.starts_with("https://");
    match (tls, config.server.proxies) {
        // This program speaks no TLS, so that somebody in front of it does.
        (true, 0) => Outcome::warning(
            "people reach it through TLS, so through a proxy, and server.proxies is 0: all of them count as one address",
            "Set BA_COPILOT__SERVER__PROXIES to how many proxies are in front of it, mostly 1.",
        ),
        (false, proxies) if proxies > 0 && config.server.public_url.is_empty() && !config.is_loopback() => {
            Outcome::warning(
                "proxies are counted, and others may reach it past them and claim any address",
                "Set PUBLIC_URL to the address of the proxy, and let only the proxy reach this server.",
            )
        }
        (_, proxies) => Outcome::ok(format!("{proxies} proxies")),
    }
}

pub(super) async fn port(bench: &Bench) -> Outcome {
    let listen = match config(bench) {
        Ok(config) => config.listen(Role::All),
        Err(outcome) => return outcome,
    };
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => Outcome::ok(format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => match is_ours(listen).await {
            true => Outcome::ok(format!("a server of this program answers at {listen}")),
            false => Outcome::problem(
                format!("another program listens at {listen}"),
                "End it, or choose another address with --listen or BA_COPILOT__SERVER__LISTEN.",
            ),
        },
        Err(error) => Outcome::problem(
            format!("nothing can listen at {listen}: {error}"),
            "Choose an address that this machine has, and a port above 1023 unless the program may use those below.",
        ),
    }
}

/// Whether what listens there answers as this program does.
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
    matches!(tokio::time::timeout(ANSWER, asked).await, Ok(Ok(true)))
}
