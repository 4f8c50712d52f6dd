//! What every request passes: connections, guards, identification, idempotency and errors.

pub mod connections;
pub mod error;
mod guarded_body;
pub mod idempotency;
pub mod identify;
pub mod middleware;
