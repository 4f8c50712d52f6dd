//! The engine, and the services that the settings name: Redis, other servers, a model. No check sends a request that
//! costs money.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Url;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;

use super::context::CheckContext;
use crate::diagnostics::{CheckResult, Outcome};
use application::accounts::users;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Slower verdicts mean that the machine is overloaded.
const MAX_VERDICT_TIME: Duration = Duration::from_secs(1);

pub(super) async fn engine(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    if mermend::MERMAID_VERSION.is_none() {
        return Ok(Outcome::warning(
            "this build has no Mermaid engine; verdicts are those of the fast parser",
            "Use a build with the feature `mermaid`, such as a released one.",
        ));
    }
    let checker = Arc::clone(&app.checker);
    let judged = tokio::task::spawn_blocking(move || {
        // The first check includes the start of the engine.
        checker.check("flowchart LR\n  doctor --> start");
        let started = Instant::now();
        let good = checker.check("classDiagram\n  Order --> Customer");
        let bad = checker.check("classDiagram\n  class [[[");
        (good.validated(), bad.mermaid.is_some() && !bad.valid, started.elapsed())
    });
    Ok(match judged.await {
        Ok((true, true, took)) if took <= MAX_VERDICT_TIME => {
            Outcome::ok(format!("a valid and an invalid diagram were checked in {} ms", took.as_millis()))
        }
        Ok((true, true, took)) => Outcome::warning(
            format!("two verdicts took {} ms", took.as_millis()),
            "The machine is overloaded, or its container has too little CPU time: check its load and limits.",
        ),
        _ => Outcome::failed(
            "Mermaid's parser does not tell a valid diagram from an invalid one",
            "Give the process more memory (an engine needs about 40 MB). If that does not help, report it as a bug.",
        ),
    })
}

pub(super) async fn redis(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let Some(memory) = &app.shared_memory else { return Ok(Outcome::skipped("REDIS_URL is not set")) };
    Ok(match memory.connect().await {
        Ok(()) => Outcome::ok(format!("{} answers", memory.address())),
        Err(error) => Outcome::failed(
            format!("{}: {error}", memory.address()),
            "Start it, or correct REDIS_URL. Meanwhile each process has limits and a cache of its own.",
        ),
    })
}

pub(super) async fn ai_service(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let Some(remote) = &app.generator else {
        return Ok(Outcome::skipped("AI_SERVICE_URL is not set; this process generates"));
    };
    Ok(match remote.probe(CONNECT_TIMEOUT).await {
        Ok(took) => Outcome::ok(format!("{} answered in {} ms", remote.address(), took.as_millis())),
        Err(error) => Outcome::failed(
            format!("{}: {error}", remote.address()),
            "Start it, or correct AI_SERVICE_URL and AI_SERVICE_TOKEN. Meanwhile this process generates.",
        ),
    })
}

pub(super) async fn mcp_server(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let Some(remote) = &app.remote else {
        return Ok(Outcome::skipped("MCP_SERVER_URL is not set; this process checks"));
    };
    Ok(match remote.probe(CONNECT_TIMEOUT).await {
        Ok(took) => {
            Outcome::ok(format!("{} returned a verdict in {} ms", remote.address(), took.as_millis()))
        }
        Err(error) => Outcome::failed(
            format!("{}: {error}", remote.address()),
            "Start it, or correct MCP_SERVER_URL and MCP_TOKEN. Meanwhile this process checks.",
        ),
    })
}

pub(super) async fn mail(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let url = app.config.mail.smtp_url.expose_secret();
    if url.is_empty() {
        let has_accounts = match context.current() {
            Ok((app, _)) => users::is_set_up(app).await.unwrap_or(false),
            Err(_) => false,
        };
        return Ok(match has_accounts {
            true => Outcome::warning(
                "mail is written to the folder `mail` in the data folder and not sent",
                "Set SMTP_URL and MAIL_FROM. Until then, pass on invitations and links yourself.",
            ),
            false => Outcome::skipped("no accounts, and no SMTP_URL"),
        });
    }
    let at = Url::parse(url).ok().and_then(|url| {
        let port =
            url.port().unwrap_or(match (url.scheme(), url.query().is_some_and(|it| it.contains("tls"))) {
                ("smtps", _) => 465,
                (_, true) => 587,
                _ => 25,
            });
        Some((url.host_str()?.to_owned(), port))
    });
    Ok(match connect(at).await {
        Ok(at) => Outcome::ok(format!("{at} accepts connections")),
        Err(problem) => Outcome::failed(
            format!("the mail server cannot be reached: {problem}"),
            "Correct SMTP_URL, start the mail server, or allow connections to it.",
        ),
    })
}

pub(super) async fn sign_in_provider(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let Some(provider) = &app.oidc else { return Ok(Outcome::skipped("oidc.issuer is not set")) };
    Ok(match provider.probe().await {
        Ok(()) => Outcome::ok(format!("the configuration of {} is complete", provider.issuer())),
        Err(error) => Outcome::failed(
            format!("{}: {error}", provider.issuer()),
            "Open its /.well-known/openid-configuration from this machine, and correct OIDC_ISSUER or the network. \
             Meanwhile users can sign in with passwords.",
        ),
    })
}

pub(super) async fn model(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let Some(provider) = app.config.default_provider() else {
        return Ok(Outcome::skipped("no model is configured; the built-in drafter generates"));
    };
    let endpoint = app.config.endpoint(provider);
    if !endpoint.is_configured() {
        return Ok(Outcome::failed(
            format!("model.provider is {provider}, which has no key or no address"),
            "Set its key (docs/config.md, [providers]), or set model.provider to auto or builtin.",
        ));
    }
    let address = endpoint.address().unwrap_or_default();
    let proxy = app.config.proxies().find(&address);
    let at = Url::parse(proxy.as_ref().unwrap_or(&address)).ok().and_then(|url| {
        let socks = url.scheme().starts_with("socks").then_some(1080);
        Some((url.host_str()?.to_owned(), url.port_or_known_default().or(socks)?))
    });
    Ok(match (connect(at).await, proxy) {
        (Ok(at), None) => Outcome::ok(format!("{provider} at {at} accepts connections")),
        // Whether it lets requests through is known only by sending one.
        (Ok(at), Some(_)) => Outcome::ok(format!("the proxy for {provider} at {at} accepts connections")),
        (Err(problem), None) => Outcome::warning(
            format!("{provider} cannot be reached: {problem}"),
            "Correct the address, start the server, or allow connections to it. If only a proxy may connect to other \
             networks, set HTTPS_PROXY. Meanwhile the built-in drafter generates, with a warning.",
        ),
        (Err(problem), Some(_)) => Outcome::warning(
            format!("the proxy for {provider} cannot be reached: {problem}"),
            "Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or except the provider with NO_PROXY. Meanwhile the \
             built-in drafter generates, with a warning.",
        ),
    })
}

pub(super) async fn traces(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let Some(url) = app.config.traces.url() else {
        return Ok(Outcome::skipped("OTEL_EXPORTER_OTLP_ENDPOINT is not set; spans are not exported"));
    };
    let at = url.host_str().map(str::to_owned).zip(url.port_or_known_default());
    Ok(match connect(at).await {
        // The standard port of the other variant of the protocol.
        Ok(at) if url.port() == Some(4317) => Outcome::warning(
            format!(
                "{at} accepts connections, and is the usual port of OTLP over gRPC, which is not supported"
            ),
            "Set OTEL_EXPORTER_OTLP_ENDPOINT to the port for OTLP over HTTP, usually 4318.",
        ),
        Ok(at) => Outcome::ok(format!("{at} accepts connections")),
        Err(problem) => Outcome::warning(
            format!("the trace collector cannot be reached: {problem}"),
            "Correct OTEL_EXPORTER_OTLP_ENDPOINT, start the collector, or allow connections to it. Meanwhile only \
             spans are lost.",
        ),
    })
}

pub(super) async fn error_reports(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let Some(dsn) = app.config.errors.dsn() else {
        return Ok(Outcome::skipped("SENTRY_DSN is not set; errors are only logged"));
    };
    Ok(match connect(Some((dsn.host().to_owned(), dsn.port()))).await {
        Ok(at) => Outcome::ok(format!("{at} accepts connections")),
        Err(problem) => Outcome::warning(
            format!("Sentry cannot be reached: {problem}"),
            "Correct SENTRY_DSN, or allow connections to it. Meanwhile errors are only logged.",
        ),
    })
}

/// Opens and closes a connection; returns host and port, or why it failed.
async fn connect(at: Option<(String, u16)>) -> Result<String, String> {
    let Some((host, port)) = at else { return Err("its address has no host".to_owned()) };
    let host = host.trim_matches(['[', ']']).to_owned();
    let address = format!("{host}:{port}");
    match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(address),
        Ok(Err(error)) => Err(format!("{address}: {error}")),
        Err(_) => Err(format!("{address}: no answer within {} s", CONNECT_TIMEOUT.as_secs())),
    }
}

pub(super) async fn breached_passwords(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let file = &app.config.accounts.breached_passwords;
    if file.is_empty() {
        return Ok(Outcome::skipped("accounts.breached_passwords is not set"));
    }
    let cure = "Use the file of SHA-1 hashes from Have I Been Pwned, ordered by hash, or sort it: LC_ALL=C sort. \
                Without it, passwords cannot be set.";
    Ok(match sample_hashes(Path::new(file)) {
        Ok(None) => Outcome::ok(format!("{file} is sorted, as far as it was sampled")),
        Ok(Some(problem)) => Outcome::failed(format!("{file}: {problem}"), cure),
        Err(error) => Outcome::failed(format!("{file} cannot be read: {error}"), cure),
    })
}

/// Reads the first lines and samples of the rest; none if they are sorted hashes.
fn sample_hashes(path: &Path) -> std::io::Result<Option<&'static str>> {
    const FIRST_LINES: usize = 1000;
    const SAMPLES: u64 = 200;
    let mut file = BufReader::new(File::open(path)?);
    let length = file.get_ref().metadata()?.len();
    let mut sums = Vec::new();
    let mut line = String::new();
    let mut next = |file: &mut BufReader<File>, whole: bool| -> std::io::Result<Option<String>> {
        if !whole {
            line.clear();
            file.by_ref().take(256).read_line(&mut line)?;
        }
        line.clear();
        file.by_ref().take(256).read_line(&mut line)?;
        Ok((!line.is_empty()).then(|| line.get(..40).unwrap_or(&line).to_owned()))
    };
    while let Some(sum) = next(&mut file, true)? {
        sums.push(sum);
        if sums.len() == FIRST_LINES {
            break;
        }
    }
    let from = file.stream_position()?;
    for sample in 0..SAMPLES {
        let at = length / SAMPLES * sample;
        if at > from {
            file.seek(SeekFrom::Start(at))?;
            sums.extend(next(&mut file, false)?);
        }
    }
    let is_sum = |sum: &String| {
        sum.len() == 40 && sum.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
    };
    Ok(match () {
        () if sums.is_empty() => Some("it is empty"),
        () if !sums.iter().all(is_sum) => Some("its lines do not begin with SHA-1 hashes in upper case"),
        () if !sums.is_sorted() => Some("its lines are not sorted"),
        () => None,
    })
}
