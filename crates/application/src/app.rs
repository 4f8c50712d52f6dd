//! Everything that a running product shares: built once, cloned everywhere.

use std::{num::NonZeroUsize, sync::Arc};

use llm::{Llm, Script};
use mermend::Checker;
use store::Store;

use crate::{
    Error,
    account_presence::AccountPresence,
    accounts::hashing::HashingPool,
    after_response::AfterResponse,
    clock::Clock,
    cpu_pool::CpuPool,
    data_lock::DataLock,
    event_bus::EventBus,
    mail::Mailer,
    oidc_client::Provider,
    pixel_budget::PixelBudget,
    remote::{checker::RemoteChecker, generator::RemoteGenerator},
    safe_http::Outbound,
    secrets::Sealer,
    shared_memory::SharedMemory,
    verdicts::SharedVerdicts,
};
use config::Config;

/// The parts of a running product.
#[derive(Clone)]
pub struct App {
    /// All settings.
    pub config: Arc<Config>,
    /// What is remembered; none where nothing is (command line, stateless roles).
    pub store: Option<Store>,
    /// The way to models.
    pub llm: Arc<Llm>,
    /// Questions go to a script instead of a vendor.
    pub scripted: bool,
    /// Both engines.
    pub checker: Arc<Checker>,
    /// Where work goes that takes a processor for a while.
    pub cpu: CpuPool,
    /// How many pixels may be painted at once.
    pub pixels: PixelBudget,
    /// Another process that checks for this one, if one is configured.
    pub remote: Option<RemoteChecker>,
    /// Another process that generates for this one, if one is configured.
    pub generator: Option<RemoteGenerator>,
    /// With whom else people may sign in, if with anybody.
    pub oidc: Option<Provider>,
    /// What this process remembers together with others, if a Redis is configured.
    pub shared_memory: Option<SharedMemory>,
    /// What other processes have checked, where that can be trusted.
    pub verdicts: Option<SharedVerdicts>,
    /// The way to people.
    pub mailer: Mailer,
    /// The way to addresses that people typed in.
    pub outbound: Outbound,
    /// What happens, as it happens.
    pub events: EventBus,
    /// Where passwords are hashed.
    pub hashing: HashingPool,
    /// What goes on after the response.
    pub after_response: AfterResponse,
    /// Seals what must be read again; none where nothing is kept.
    pub sealer: Option<Sealer>,
    /// Whether there are accounts, as far as this process has seen.
    pub account_presence: Arc<AccountPresence>,
    /// Says that the data folder is in use; none where nothing is kept in it.
    pub data_lock: Option<Arc<DataLock>>,
    /// Time and ids.
    pub clock: Clock,
    /// When it was built.
    pub started_us: store::TimeUs,
}

impl App {
    /// A product without memory.
    ///
    /// # Errors
    /// When the HTTPS client cannot be built.
    pub fn stateless(config: Config, clock: Clock) -> Result<App, Error> {
        let llm = Llm::new(config.llm_limits()).map_err(|error| Error::Unavailable(error.to_string()))?;
        App::with_llm(config, clock, llm, false)
    }

    /// A product without memory whose model follows a script; for tests of everything but vendors.
    ///
    /// # Errors
    /// When the configuration of messages cannot be used.
    pub fn scripted(config: Config, clock: Clock, script: Script) -> Result<App, Error> {
        let llm = Llm::scripted(script, config.llm_limits());
        App::with_llm(config, clock, llm, true)
    }

    fn with_llm(config: Config, clock: Clock, llm: Llm, scripted: bool) -> Result<App, Error> {
        let checker = Arc::new(Checker::new(config.check_limits()));
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let cpu = CpuPool::new(cores, checker.limits().threads);
        let remote = config.mcp_server_url().map(|url| RemoteChecker::new(url, &config.mcp));
        let generator = RemoteGenerator::of(&config).map_err(Error::Unavailable)?;
        let oidc = Provider::of(&config, &clock).map_err(|error| Error::Unavailable(error.to_string()))?;
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
            outbound: Outbound::new(&config.webhooks).map_err(Error::Unavailable)?,
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

    /// The same, generating by itself whatever the configuration says: whom others ask to generate asks nobody else.
    pub fn generating_itself(mut self) -> App {
        self.generator = None;
        self
    }

    /// Seals what must be read again.
    ///
    /// # Errors
    /// Where nothing is kept.
    pub fn sealer(&self) -> Result<&Sealer, Error> {
        self.sealer.as_ref().ok_or_else(|| {
            Error::Unavailable(
                "This process keeps nothing: it was started in a role without a database.".to_owned(),
            )
        })
    }

    /// Starts the engine in the background, on every thread of it, so that no request pays for that.
    pub fn warm_up(&self) {
        for thread in 0..self.checker.limits().threads.get() {
            let checker = Arc::clone(&self.checker);
            // Each another text, or the second would be answered from memory.
            tokio::task::spawn_blocking(move || checker.check(&format!("flowchart LR\n  a{thread} --> b")));
        }
    }
}
