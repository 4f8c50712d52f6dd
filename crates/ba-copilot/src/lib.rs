//! Requirements in, validated diagrams out: the product, in reading order.
//!
//! Doors (`cli`, `http`, `mcp`, `web`) parse, call one function of `service`, and render what it returns. `service` waits and
//! remembers; `engine` decides; `ops` is for whoever runs it. `config` is the only reader of the environment, `telemetry` the only
//! installer of logs.

pub mod after_response;
pub mod app;
mod circuit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cpu_pool;
pub mod engine;
pub mod error_reports;
pub mod hand_over;
pub mod http;
pub mod jobs;
pub mod mcp;
pub mod metric_labels;
pub mod metrics_table;
pub mod network;
pub mod oidc;
pub mod ops;
pub mod outbound;
mod private_files;
mod process_limits;
mod process_metrics;
pub mod quota;
pub mod remote;
pub mod remote_generator;
pub mod service;
mod service_manager;
pub mod shared_memory;
pub mod standby;
pub mod telemetry;
pub mod trace;
mod trace_export;
pub mod web;
