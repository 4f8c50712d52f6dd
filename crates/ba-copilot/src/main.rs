//! The entry point of the program.

use std::process::ExitCode;

use ba_copilot::cli;
use clap::Parser;
use config::Environment;

fn main() -> ExitCode {
    // rustls has no default cryptography provider.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::from(2);
    }
    cli::run(cli::Cli::parse(), Environment::from_process())
}
