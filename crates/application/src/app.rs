//! Shared state of a process: built once, cheap to clone.

use std::{num::NonZeroUsize, sync::Arc};

use llm::{Llm, Script};
use mermend::{Checker, Limits};
use store::Store;

use crate::{
    Error,
    account_presence::AccountPresence,
    after_response::AfterResponse,
    clock::Clock,
    cpu_pool::CpuPool,
    data_lock::DataLock,
    event_bus::EventBus,
    mail::Mailer,
    oidc_client::OidcProvider,
    password_hashing::HashingPool,
    pixel_budget::PixelBudget,
    remote::{checker::RemoteChecker, generator::RemoteGenerator},
    safe_http::SafeHttpClient,
    secrets::Sealer,
    shared_memory::SharedMemory,
    verdicts::SharedVerdicts,
};
use config::Config;

#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    /// `None` in processes without a database (command line, stateless roles).
    pub store: Option<Store>,
    pub llm: Arc<Llm>,
    /// A script answers in place of the model providers.
    pub scripted: bool,
    pub checker: Arc<Checker>,
    pub cpu: CpuPool,
    /// Limit of pixels rendered at once.
    pub pixels: PixelBudget,
    /// Remote checker (MCP_SERVER_URL).
    pub remote: Option<RemoteChecker>,
    /// Remote generator (AI_SERVICE_URL).
    pub generator: Option<RemoteGenerator>,
    /// Identity provider for single sign-on.
    pub oidc: Option<OidcProvider>,
    /// Redis, if configured.
    pub shared_memory: Option<SharedMemory>,
    /// Verdicts shared between processes through Redis.
    pub verdicts: Option<SharedVerdicts>,
    pub mailer: Mailer,
    /// HTTP client for addresses from user input (webhooks).
    pub safe_http: SafeHttpClient,
    pub events: EventBus,
    pub hashing: HashingPool,
    pub after_response: AfterResponse,
    /// Encrypts secrets at rest; `None` without a database.
    pub sealer: Option<Sealer>,
    pub account_presence: Arc<AccountPresence>,
    /// Lock of the data folder; `None` if it is not used.
    pub data_lock: Option<Arc<DataLock>>,
    pub clock: Clock,
    pub started_us: store::TimeUs,
}

impl App {
    /// A process without a database.
    pub fn stateless(config: Config, clock: Clock) -> Result<App, Error> {
        let llm = Llm::with_proxies(config.llm_limits(), &config.proxies())
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        App::with_llm(config, clock, llm, false)
    }

    /// A process without a database whose model follows a script; for tests.
    pub fn scripted(config: Config, clock: Clock, script: Script) -> Result<App, Error> {
        let llm = Llm::scripted(script, config.llm_limits());
        App::with_llm(config, clock, llm, true)
    }

    fn with_llm(config: Config, clock: Clock, llm: Llm, scripted: bool) -> Result<App, Error> {
        let checker = Arc::new(Checker::new(check_limits(&config)));
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let cpu = CpuPool::new(cores, checker.limits().threads);
        let remote = config.mcp_server_url().map(|url| RemoteChecker::new(url, &config.mcp));
        let generator = RemoteGenerator::from_config(&config).map_err(Error::Unavailable)?;
        let oidc = OidcProvider::from_config(&config, &clock)
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let shared_memory =
            SharedMemory::new(&config.redis).map_err(|error| Error::Unavailable(error.to_string()))?;
        let verdicts = match &shared_memory {
            Some(memory) => SharedVerdicts::new(&config, memory)?,
            None => None,
        };
        Ok(App {
            oidc,
            started_us: clock.now_us(),
            mailer: Mailer::new(&config)?,
            safe_http: SafeHttpClient::new(&config.webhooks).map_err(Error::Unavailable)?,
            events: EventBus::default(),
            hashing: HashingPool::new(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
            after_response: AfterResponse::default(),
            sealer: None,
            data_lock: None,
            account_presence: Arc::default(),
            config: Arc::new(config),
            store: None,
            llm: Arc::new(llm),
            scripted,
            checker,
            cpu,
            pixels: PixelBudget::default(),
            remote,
            generator,
            shared_memory,
            verdicts,
            clock,
        })
    }

    /// Disables the remote generator. A process that generates for others must not forward, or requests could loop.
    pub fn without_remote_generator(mut self) -> App {
        self.generator = None;
        self
    }

    pub fn sealer(&self) -> Result<&Sealer, Error> {
        self.sealer.as_ref().ok_or_else(|| {
            Error::Unavailable(
                "This process has no database: it was started in a role without one.".to_owned(),
            )
        })
    }

    /// Starts every engine thread in the background, so that no request waits for it.
    pub fn warm_up(&self) {
        for thread in 0..self.checker.limits().threads.get() {
            let checker = Arc::clone(&self.checker);
            // Different texts, so that none is answered from the cache.
            tokio::task::spawn_blocking(move || checker.check(&format!("flowchart LR\n  a{thread} --> b")));
        }
    }
}

fn check_limits(config: &Config) -> Limits {
    let defaults = Limits::default();
    Limits {
        threads: NonZeroUsize::new(config.check.threads).unwrap_or(defaults.threads),
        time: config.check_time(),
        size_bytes: config.check.max_text_bytes,
        cache_entries: NonZeroUsize::new(config.check.cache_entries).unwrap_or(defaults.cache_entries),
        mermaid_max_edges: config.check.mermaid_max_edges,
        mermaid_max_text_size: config.check.mermaid_max_text_size,
        ..defaults
    }
}
