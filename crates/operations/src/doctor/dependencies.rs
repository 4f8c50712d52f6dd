//! What the product is made of and whom it asks: the engine, Redis, other servers. Nobody is asked for anything that costs.

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

use super::{Bench, Outcome};
use application::accounts::users;

/// Longest time for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// A verdict that takes longer is a sign of a machine that is too small.
const VERDICT: Duration = Duration::from_secs(1);

pub(super) async fn engine(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    if mermend::MERMAID_VERSION.is_none() {
        return Outcome::warning(
            "this build has no Mermaid engine, so that verdicts are the fast parser's",
            "Use a build with the feature `mermaid`, as the released ones are.",
        );
    }
    let checker = Arc::clone(&app.checker);
    let judged = tokio::task::spawn_blocking(move || {
        // The first question pays for the start.
        checker.check("flowchart LR\n  doctor --> start");
        let begun = Instant::now();
        let good = checker.check("classDiagram\n  Order --> Customer");
        let bad = checker.check("classDiagram\n  class [[[");
        (good.validated(), bad.mermaid.is_some() && !bad.valid, begun.elapsed())
    });
    match judged.await {
        Ok((true, true, took)) if took <= VERDICT => {
            Outcome::ok(format!("a good and a bad diagram were told apart in {} ms", took.as_millis()))
        }
        Ok((true, true, took)) => Outcome::warning(
            format!("two verdicts took {} ms", took.as_millis()),
            "The machine is very busy or has too little processor time; see its load and the limits of its container.",
        ),
        _ => Outcome::problem(
            "Mermaid's parser does not tell a good diagram from a bad one",
            "Give the process more memory (an engine takes about 40 MB); if that does not help, report it.",
        ),
    }
}

pub(super) async fn redis(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let Some(memory) = &app.shared_memory else { return Outcome::skipped("REDIS_URL is not set") };
    match memory.connect().await {
        Ok(()) => Outcome::ok(format!("{} answers", memory.address())),
        Err(error) => Outcome::problem(
            format!("{}: {error}", memory.address()),
            "Start it, or correct REDIS_URL. Meanwhile each process counts and checks by itself.",
        ),
    }
}

pub(super) async fn ai_service(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let Some(remote) = &app.generator else {
        return Outcome::skipped("AI_SERVICE_URL is not set; this process generates");
    };
    match remote.probe(CONNECT).await {
        Ok(took) => Outcome::ok(format!("{} answered in {} ms", remote.address(), took.as_millis())),
        Err(error) => Outcome::problem(
            format!("{}: {error}", remote.address()),
            "Start it, or correct AI_SERVICE_URL and AI_SERVICE_TOKEN. Meanwhile this process generates by itself.",
        ),
    }
}

pub(super) async fn mcp_server(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let Some(remote) = &app.remote else {
        return Outcome::skipped("MCP_SERVER_URL is not set; this process checks");
    };
    match remote.probe(CONNECT).await {
        Ok(took) => Outcome::ok(format!("{} gave a verdict in {} ms", remote.address(), took.as_millis())),
        Err(error) => Outcome::problem(
            format!("{}: {error}", remote.address()),
            "Start it, or correct MCP_SERVER_URL and MCP_TOKEN. Meanwhile this process checks by itself.",
        ),
    }
}

pub(super) async fn mail(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let url = app.config.mail.smtp_url.expose_secret();
    if url.is_empty() {
        let people = match bench.current() {
            Ok((app, _)) => users::is_set_up(app).await.unwrap_or(false),
            Err(_) => false,
        };
        return match people {
            true => Outcome::warning(
                "messages are written into the folder `mail` in the data folder, where nobody gets them",
                "Set SMTP_URL, and MAIL_FROM; until then hand invitations and links out by hand.",
            ),
            false => Outcome::skipped("no accounts, and no SMTP_URL"),
        };
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
    match reachable(at).await {
        Ok(at) => Outcome::ok(format!("{at} takes connections")),
        Err(problem) => Outcome::problem(
            format!("the mail server cannot be reached: {problem}"),
            "Correct SMTP_URL, start the mail server, or open the way to it.",
        ),
    }
}

pub(super) async fn sign_in_provider(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let Some(provider) = &app.oidc else { return Outcome::skipped("oidc.issuer is not set") };
    match provider.probe().await {
        Ok(()) => Outcome::ok(format!("{} says what is needed", provider.issuer())),
        Err(error) => Outcome::problem(
            format!("{}: {error}", provider.issuer()),
            "Open its /.well-known/openid-configuration from this machine, and correct OIDC_ISSUER or the way to it. Meanwhile people sign in with passwords.",
        ),
    }
}

pub(super) async fn model(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let Some(provider) = app.config.default_provider() else {
        return Outcome::skipped("no model is set; the built-in drafter writes");
    };
    let endpoint = app.config.endpoint(provider);
    if !endpoint.is_configured() {
        return Outcome::problem(
            format!("model.provider is {provider}, and it has no key or no address"),
            "Give its key (docs/config.md, [providers]), or set model.provider to auto or builtin.",
        );
    }
    let address = endpoint.base_url.as_deref().or(provider.row().default_base_url).unwrap_or_default();
    let at = Url::parse(address)
        .ok()
        .and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    match reachable(at).await {
        Ok(at) => Outcome::ok(format!("{provider} at {at} takes connections")),
        // There may be a way through a proxy that this does not take.
        Err(problem) => Outcome::warning(
            format!("{provider} cannot be reached: {problem}"),
            "Correct the address, start the server, or open the way to it. Meanwhile the built-in drafter writes, with a warning.",
        ),
    }
}

pub(super) async fn traces(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let Some(url) = app.config.traces.url() else {
        return Outcome::skipped("OTEL_EXPORTER_OTLP_ENDPOINT is not set; nobody is told of spans");
    };
    let at = url.host_str().map(str::to_owned).zip(url.port_or_known_default());
    match reachable(at).await {
        // The port that everybody has for the other form of the protocol.
        Ok(at) if url.port() == Some(4317) => Outcome::warning(
            format!("{at} takes connections, and is mostly that of OTLP over gRPC, which is not spoken here"),
            "Set OTEL_EXPORTER_OTLP_ENDPOINT to the port of the collector for OTLP over HTTP, mostly 4318.",
        ),
        Ok(at) => Outcome::ok(format!("{at} takes connections")),
        Err(problem) => Outcome::warning(
            format!("the collector of traces cannot be reached: {problem}"),
            "Correct OTEL_EXPORTER_OTLP_ENDPOINT, start the collector, or open the way to it. Meanwhile spans are lost; nothing else is.",
        ),
    }
}

pub(super) async fn error_reports(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let Some(dsn) = app.config.errors.dsn() else {
        return Outcome::skipped("SENTRY_DSN is not set; errors stand in the log alone");
    };
    match reachable(Some((dsn.host().to_owned(), dsn.port()))).await {
        Ok(at) => Outcome::ok(format!("{at} takes connections")),
        Err(problem) => Outcome::warning(
            format!("Sentry cannot be reached: {problem}"),
            "Correct SENTRY_DSN, or open the way to it. Meanwhile errors stand in the log alone.",
        ),
    }
}

/// Connects, says nothing and goes. Host and port, or why not.
async fn reachable(at: Option<(String, u16)>) -> Result<String, String> {
    let Some((host, port)) = at else { return Err("its address has no host".to_owned()) };
    let host = host.trim_matches(['[', ']']).to_owned();
    let told = format!("{host}:{port}");
    match tokio::time::timeout(CONNECT, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(told),
        Ok(Err(error)) => Err(format!("{told}: {error}")),
        Err(_) => Err(format!("{told}: no answer within {} s", CONNECT.as_secs())),
    }
}

pub(super) async fn breached_passwords(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let file = &app.config.accounts.breached_passwords;
    if file.is_empty() {
        return Outcome::skipped("accounts.breached_passwords is not set");
    }
    let cure = "Take the file of SHA-1 sums from Have I Been Pwned, ordered by hash, or sort it: LC_ALL=C sort. Without it no password can be chosen.";
    match look_through(Path::new(file)) {
        Ok(None) => Outcome::ok(format!("{file} is sorted, as far as it was looked through")),
        Ok(Some(problem)) => Outcome::problem(format!("{file}: {problem}"), cure),
        Err(error) => Outcome::problem(format!("{file} cannot be read: {error}"), cure),
    }
}

/// Looks at the first lines, and at some all over the file; none if they are sums in order.
fn look_through(path: &Path) -> std::io::Result<Option<&'static str>> {
    const FIRST: usize = 1000;
    const PLACES: u64 = 200;
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
        if sums.len() == FIRST {
            break;
        }
    }
    let from = file.stream_position()?;
    for place in 0..PLACES {
        let at = length / PLACES * place;
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
        () if !sums.iter().all(is_sum) => Some("its lines do not begin with SHA-1 sums in capitals"),
        () if !sums.is_sorted() => Some("its lines are not sorted"),
        () => None,
    })
}
