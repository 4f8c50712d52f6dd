//! The product through its doors: HTTP, command line, pages, and the real process.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "a test stops at the first surprise and says loudly what it could not look at"
)]

mod accounts;
mod alerts;
mod api;
mod app;
mod attacks;
mod audit_export;
mod backup;
mod backup_files;
mod backup_trouble;
mod bad_input;
mod booted;
mod budgets;
mod cli;
mod cluster;
mod collector;
mod configuration;
mod constant_load;
mod containers;
mod crash;
mod deployment;
mod docs;
mod doctor;
mod email_address;
mod error_reports;
mod events;
mod filters;
mod folders;
mod fuzz;
mod guides;
mod imports;
mod jobs;
mod ledger;
mod manners;
mod mcp;
mod mcp_fixtures;
mod metrics;
mod monitor;
mod oidc;
mod oidc_for_real;
mod oidc_provider;
mod once;
mod pages;
mod people;
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
mod roles_money;
mod s3;
mod s3_server;
mod teams;
mod traces;
mod trouble;
mod verify;
mod viewer;
mod webhooks;
