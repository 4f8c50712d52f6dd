//! Attacks on the running program that once worked, one file for each kind.

mod connections;
mod docs_page;
mod documents;
mod env;
mod labels;
