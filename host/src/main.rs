//! The `quern` command.

mod commands;

use std::process::ExitCode;

use clap::Parser;

/// Numerical kernels, the same to the bit on the desktop and on a board.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "`quern help <command>` shows the examples of a command."
)]
struct Arguments {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    Arguments::parse().command.run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
