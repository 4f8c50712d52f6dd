//! Attacks on the running program, one kind per file: each test failed against the version with the vulnerability.

mod addresses;
mod connections;
mod cookies;
mod credentials;
mod docs_page;
mod documents;
mod env;
mod files;
mod guessing;
mod invitations;
mod labels;
mod load;
mod mail;
mod races;
mod redirects;
