//! What several processes remember together, in a Redis that may go away at any time. Nothing else names the crate.
//!
//! Nobody waits for it longer than `redis.timeout_ms`, and after one failure nobody waits for it at all: the way is closed,
//! and a task in the background connects anew. It never decides what is done meanwhile; whoever asks knows a way without it.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, aio::MultiplexedConnection};
use secrecy::ExposeSecret;

use crate::{
    circuit_breaker::{self, CircuitBreaker},
    quota::{Counted, Quota},
};
use config;

/// One failure is enough: each costs somebody the whole timeout.
const FAILURES: u32 = 1;
/// How soon, and how seldom at most, it is asked whether it is back.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long a new connection may take, with encryption and password. Only the start of a process waits for that.
const CONNECT: Duration = Duration::from_secs(1);
/// What every name begins with.
const PREFIX: &str = "ba-copilot:";

/// Counts one against every name, or against none of them: the arithmetic of `quota.rs`, by the clock of Redis. Answers the
/// microseconds until it may be, 0 if it was counted. A time beyond what can be due is from a clock that was set back.
const COUNT: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait, due = 0, {}
for i, name in ipairs(KEYS) do
  local interval, most = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local known = tonumber(redis.call('GET', name) or '0') or 0
  due[i] = math.max(math.min(known, now + most), now) + interval
  wait = math.max(wait, due[i] - now - most)
end
if wait == 0 then
  for i, name in ipairs(KEYS) do
    redis.call('SET', name, string.format('%.0f', due[i]), 'PX', math.ceil((due[i] - now) / 1000))
  end
end
return wait";

/// Why there is no answer; safe to show and to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharedMemoryError {
    /// No connection, or it broke.
    #[error("Redis cannot be reached")]
    Unreachable,
    /// It took too long.
    #[error("Redis did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It wants another password.
    #[error("Redis refused the user or the password; look at REDIS_URL")]
    Refused,
    /// It could not do what was asked.
    #[error("Redis answered with an error ({0})")]
    Failed(String),
    /// The address cannot be used.
    #[error("REDIS_URL is not an address of a Redis")]
    Misconfigured,
}

/// The way to Redis. Cheap to clone.
#[derive(Clone)]
pub struct SharedMemory(Arc<Inner>);

struct Inner {
    client: Client,
    address: String,
    timeout: Duration,
    /// The connection, while there is one; only [`SharedMemory::connect`] makes it.
    connection: Mutex<Option<Arc<MultiplexedConnection>>>,
    circuit: CircuitBreaker<SharedMemoryError>,
}

impl SharedMemory {
    /// The way to the Redis of the configuration, if there is one; nothing is sent yet.
    pub fn new(settings: &config::Redis) -> Result<Option<Self>, SharedMemoryError> {
        let url = settings.url.expose_secret();
        if url.is_empty() {
            return Ok(None);
        }
        let client = Client::open(url).map_err(|_| SharedMemoryError::Misconfigured)?;
        let address = client.get_connection_info().addr().to_string();
        Ok(Some(SharedMemory(Arc::new(Inner {
            client,
            address,
            timeout: Duration::from_millis(settings.timeout_ms),
            connection: Mutex::new(None),
            circuit: CircuitBreaker::new(FAILURES),
        }))))
    }

    /// Where it is: host and port, without user and password.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Counts one against all of these or against none, and says how long until it may be if it may not now.
    pub async fn count(&self, counted: &[Counted]) -> Result<Result<(), Duration>, SharedMemoryError> {
        let wait_us: u64 = self.ask(&count(counted)).await?;
        Ok(if wait_us == 0 { Ok(()) } else { Err(Duration::from_micros(wait_us)) })
    }

    /// What is kept under this name, if it is no larger than `most_bytes`.
    pub async fn find(&self, name: &str, most_bytes: usize) -> Result<Option<Vec<u8>>, SharedMemoryError> {
        let mut command = redis::cmd("GETRANGE");
        // One byte more than wanted tells what is too large; nobody reads what somebody else made huge.
        command.arg(format!("{PREFIX}{name}")).arg(0).arg(most_bytes);
        let value: Vec<u8> = self.ask(&command).await?;
        Ok(Some(value).filter(|value| !value.is_empty() && value.len() <= most_bytes))
    }

    /// Keeps a value under this name, for so long at most.
    pub async fn store_value(
        &self,
        name: &str,
        value: &[u8],
        ttl: Duration,
    ) -> Result<(), SharedMemoryError> {
        let mut command = redis::cmd("SET");
        command.arg(format!("{PREFIX}{name}")).arg(value).arg("EX").arg(ttl.as_secs().max(1));
        self.ask(&command).await
    }

    /// Whether it works, and how fast it answers.
    pub async fn probe(&self) -> Result<Duration, SharedMemoryError> {
        let begun = Instant::now();
        self.ask::<u64>(&probe()).await.map(|_| begun.elapsed())
    }

    /// Connects and looks whether it works, so that from now on it is asked. For the start of a process; later the task in
    /// the background does it.
    pub async fn connect(&self) -> Result<(), SharedMemoryError> {
        let connected = self.connect_once().await;
        if let Err(error) = &connected {
            self.close(error);
        }
        connected
    }

    async fn connect_once(&self) -> Result<(), SharedMemoryError> {
        let inner = &self.0;
        // Bounded as a whole here; each question has its own bound.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = async {
            let connection = inner.client.get_multiplexed_async_connection_with_config(&config).await?;
            // It must be able to do what it will be asked for: a full or a read-only Redis answers a PING.
            probe().query_async::<u64>(&mut connection.clone()).await?;
            Ok(connection)
        };
        let connection = match tokio::time::timeout(CONNECT, connecting).await {
            Ok(answer) => answer.map_err(|error: redis::RedisError| classify(&error))?,
            Err(_) => return Err(SharedMemoryError::TimedOut(CONNECT)),
        };
        *self.lock_connection() = Some(Arc::new(connection));
        inner.circuit.reset();
        metrics::gauge!("ba_copilot_redis_up").set(1.0);
        Ok(())
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, SharedMemoryError> {
        let inner = &self.0;
        if let Some(error) = inner.circuit.blocking_error() {
            return Err(error);
        }
        let shared = self.lock_connection().clone();
        let Some(shared) = shared else {
            self.close(&SharedMemoryError::Unreachable);
            return Err(SharedMemoryError::Unreachable);
        };
        let mut connection = MultiplexedConnection::clone(&shared);
        let answer = match tokio::time::timeout(inner.timeout, command.query_async(&mut connection)).await {
            Ok(answer) => answer.map_err(|error| classify(&error)),
            Err(_) => Err(SharedMemoryError::TimedOut(inner.timeout)),
        };
        if let Err(error) = &answer {
            metrics::counter!("ba_copilot_redis_failures_total").increment(1);
            // What somebody else put under one name is no fault of Redis, and what an earlier connection did not answer says
            // nothing about the one that is there now.
            if *error != SharedMemoryError::Failed("WRONGTYPE".to_owned())
                && self.lock_connection().as_ref().is_some_and(|now| Arc::ptr_eq(now, &shared))
            {
                self.close(error);
            }
        }
        answer
    }

    /// Asks nobody any more, until the task in the background has connected anew.
    fn close(&self, error: &SharedMemoryError) {
        *self.lock_connection() = None;
        if self.0.circuit.record_failure(error) {
            metrics::gauge!("ba_copilot_redis_up").set(0.0);
            tracing::warn!(server.address = %self.0.address, "Going on without Redis: {error}");
            tokio::spawn(reconnect(Arc::downgrade(&self.0)));
        }
    }

    fn lock_connection(&self) -> std::sync::MutexGuard<'_, Option<Arc<MultiplexedConnection>>> {
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn reconnect(inner: Weak<Inner>) {
    circuit_breaker::retry_with_backoff(BACKOFF, || {
        let memory = SharedMemory(inner.upgrade()?);
        Some(async move {
            match memory.connect_once().await {
                Ok(()) => {
                    tracing::info!(server.address = %memory.0.address, "Redis is back and is asked again");
                    true
                }
                Err(error) => {
                    memory.0.circuit.update_error(error);
                    false
                }
            }
        })
    })
    .await;
}

fn count(counted: &[Counted]) -> Cmd {
    // The text of the script and not its hash: a Redis that was restarted would not know the hash.
    let mut command = redis::cmd("EVAL");
    command.arg(COUNT).arg(counted.len());
    for Counted { name, .. } in counted {
        command.arg(format!("{PREFIX}{name}"));
    }
    for Counted { quota, .. } in counted {
        command.arg(quota.interval_us).arg(quota.most_us);
    }
    command
}

/// What is asked to see whether it works: everything that is needed, with a name of its own.
fn probe() -> Cmd {
    count(&[Counted { name: "probe".to_owned(), quota: Quota::per_minute(u32::MAX) }])
}

fn classify(error: &redis::RedisError) -> SharedMemoryError {
    if error.is_timeout() || error.is_io_error() || error.is_connection_dropped() {
        return SharedMemoryError::Unreachable;
    }
    match error.code() {
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => SharedMemoryError::Refused,
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => SharedMemoryError::Refused,
        // The word that the answer begins with; what follows may repeat what was sent.
        Some(code) => SharedMemoryError::Failed(code.chars().take(20).collect()),
        None => SharedMemoryError::Failed("not what was asked for".to_owned()),
    }
}
