//! The program: arguments in, exit code out.

use std::process::ExitCode;

use ba_copilot::cli;
use clap::Parser;
use config::Environment;

fn main() -> ExitCode {
    // Vendors are asked over TLS by a library that leaves the choice of cryptography to the program.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::from(2);
    }
    cli::run(cli::Cli::parse(), Environment::of_process())
}
