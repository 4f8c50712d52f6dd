//! What every request passes: connections, access, authentication, idempotency and errors.

pub mod access;
pub mod base_path;
pub mod connections;
pub mod error;
mod guarded_body;
pub(crate) mod host;
pub mod idempotency;
pub mod identify;
pub mod middleware;
mod request_id;
