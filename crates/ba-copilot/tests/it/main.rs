//! Integration tests through the public interfaces: HTTP, command line, pages, and the real process.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "a test stops at the first surprise and says loudly what it could not look at"
)]

mod accounts;
mod acknowledged_writes;
mod alerts;
mod api;
mod app;
mod attacks;
mod audit_export;
mod backup;
mod backup_faults;
mod backup_files;
mod bad_input;
mod base_path;
mod budgets;
mod check_files;
mod cli;
mod cluster;
mod collector;
mod configuration;
mod constant_load;
mod containers;
mod crash;
mod databases;
mod deployment;
mod diagram_page;
mod docs;
mod doctor;
mod email_address;
mod error_reports;
mod events;
mod faults;
mod filters;
mod folders;
mod fuzz;
mod gateways;
mod guides;
mod idempotency;
mod imports;
mod jobs;
mod lifecycle;
mod mcp;
mod mcp_fixtures;
mod mcp_transport;
mod metrics;
mod monitor;
mod oidc;
mod oidc_certified;
mod oidc_provider;
mod pages;
mod permissions;
mod point_in_time;
mod postgres;
mod process;
mod projects;
mod providers;
mod recovery;
mod redis;
mod remote;
mod roles;
mod roles_budgets;
mod s3;
mod s3_server;
mod systemd_machine;
mod teams;
mod traces;
mod users;
mod verify;
mod viewer;
mod webhooks;
