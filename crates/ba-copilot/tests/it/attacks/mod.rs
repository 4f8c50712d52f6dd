//! Attacks on the running product, one kind a file: each failed against the version that had the hole.

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
