//! `quern board`: the boards, and the kernels on them.

mod build;
mod cost;
mod flash;
mod list;
mod parity;
mod run;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use quern::place::{self, Sink, boards};

/// Works with a board: runs instances, compares it with the host bit for bit, weighs the
/// kernels on it, builds and flashes its image.
#[derive(Args)]
pub(crate) struct Board {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(list::List),
    Run(run::Run),
    Parity(parity::Parity),
    Cost(cost::Cost),
    Build(build::Build),
    Flash(flash::Flash),
}

impl Board {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::List(arguments) => arguments.run(),
            Command::Run(arguments) => arguments.run(),
            Command::Parity(arguments) => arguments.run(),
            Command::Cost(arguments) => arguments.run(),
            Command::Build(arguments) => arguments.run(),
            Command::Flash(arguments) => arguments.run(),
        }
    }
}

/// The board of this name.
fn board(name: &str) -> Result<&'static place::Board> {
    match boards::find(name) {
        Some(board) => Ok(board),
        None => {
            let known: Vec<_> = boards::BOARDS.iter().map(|board| board.name).collect();
            bail!("--board: no board named {name}; expected one of {}", known.join(", "))
        }
    }
}

/// Shows a board's log on standard error, beside the bar of `progress`.
fn show(log: bool, progress: &indicatif::ProgressBar) -> Option<Sink> {
    let progress = progress.clone();
    log.then(|| -> Sink { Box::new(move |line| progress.suspend(|| eprintln!("{line}"))) })
}
