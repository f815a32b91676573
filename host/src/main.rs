//! The `quern` command.

use clap::{Parser, Subcommand};

/// Numerical kernels, the same to the bit on the desktop and on a board.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {}

fn main() {
    match Arguments::parse().command {}
}
