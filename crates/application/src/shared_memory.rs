//! Redis client for state shared between processes. The only file that uses the crate `redis`.
//!
//! A request waits at most `redis.timeout_ms`. One failure opens the circuit: no request waits until a background
//! task has reconnected. Every caller has a fallback without Redis.

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

/// One is enough: each failure costs a caller the whole timeout.
const FAILURES: u32 = 1;
/// First and longest delay between probes.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Time limit of a connection, with TLS and authentication. Only startup waits for it.
const CONNECT: Duration = Duration::from_secs(1);
/// Prefix of every key.
const PREFIX: &str = "ba-copilot:";

/// Counts a request against all keys, or against none: the algorithm of `quota.rs`, by the clock of Redis. Returns
/// the wait in microseconds, 0 if it was counted. A due time that is too far ahead is from before the clock was set
/// back.
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

/// Safe to show and to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharedMemoryError {
    #[error("Redis cannot be reached")]
    Unreachable,
    #[error("Redis did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("Redis refused the user or the password; check REDIS_URL")]
    Refused,
    #[error("Redis answered with an error ({0})")]
    Failed(String),
    #[error("REDIS_URL is not a Redis URL")]
    Misconfigured,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct SharedMemory(Arc<Inner>);

struct Inner {
    client: Client,
    address: String,
    timeout: Duration,
    /// Set only by [`SharedMemory::connect`].
    connection: Mutex<Option<Arc<MultiplexedConnection>>>,
    circuit: CircuitBreaker<SharedMemoryError>,
}

impl SharedMemory {
    /// The configured Redis, if any. Sends no request.
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

    /// Host and port, without credentials.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Counts a request against all of these limits, or against none; the inner error is the wait until it is
    /// allowed.
    pub async fn count(&self, counted: &[Counted]) -> Result<Result<(), Duration>, SharedMemoryError> {
        let wait_us: u64 = self.ask(&count(counted)).await?;
        Ok(if wait_us == 0 { Ok(()) } else { Err(Duration::from_micros(wait_us)) })
    }

    /// Reads a value of at most `most_bytes`.
    pub async fn find(&self, name: &str, most_bytes: usize) -> Result<Option<Vec<u8>>, SharedMemoryError> {
        let mut command = redis::cmd("GETRANGE");
        // One more byte detects a larger value without reading all of it.
        command.arg(format!("{PREFIX}{name}")).arg(0).arg(most_bytes);
        let value: Vec<u8> = self.ask(&command).await?;
        Ok(Some(value).filter(|value| !value.is_empty() && value.len() <= most_bytes))
    }

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

    /// Response time of Redis.
    pub async fn probe(&self) -> Result<Duration, SharedMemoryError> {
        let begun = Instant::now();
        self.ask::<u64>(&probe()).await.map(|_| begun.elapsed())
    }

    /// Connects and checks that Redis works. Called at startup; later a background task reconnects.
    pub async fn connect(&self) -> Result<(), SharedMemoryError> {
        let connected = self.connect_once().await;
        if let Err(error) = &connected {
            self.close(error);
        }
        connected
    }

    async fn connect_once(&self) -> Result<(), SharedMemoryError> {
        let inner = &self.0;
        // Limited as a whole below; each command has its own timeout.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = async {
            let connection = inner.client.get_multiplexed_async_connection_with_config(&config).await?;
            // Runs a real command: a full or read-only Redis still answers PING.
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
            // A value of another type is not a failure of Redis, and a failure of an earlier connection does not
            // affect the current one.
            if *error != SharedMemoryError::Failed("WRONGTYPE".to_owned())
                && self.lock_connection().as_ref().is_some_and(|now| Arc::ptr_eq(now, &shared))
            {
                self.close(error);
            }
        }
        answer
    }

    /// Opens the circuit until the background task has reconnected.
    fn close(&self, error: &SharedMemoryError) {
        *self.lock_connection() = None;
        if self.0.circuit.record_failure(error) {
            metrics::gauge!("ba_copilot_redis_up").set(0.0);
            tracing::warn!(server.address = %self.0.address, "Continuing without Redis: {error}");
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
                    tracing::info!(server.address = %memory.0.address, "Redis is available again");
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
    // The script, not its hash, which a restarted Redis does not know.
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

/// Exercises everything that is used, on a key of its own.
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
        // The error code; the rest of the message may contain values.
        Some(code) => SharedMemoryError::Failed(code.chars().take(20).collect()),
        None => SharedMemoryError::Failed("not what was asked for".to_owned()),
    }
}
