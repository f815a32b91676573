use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use quern::place;

use super::board;

/// Writes a board's image to its flash through a debug probe, and starts it.
///
/// Needs the feature `probe` (`cargo build --release -p quern --features probe`) and one probe plugged in.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern board flash --board nrf52840-dk
  quern board flash --board rpi-pico-2")]
pub(crate) struct Flash {
    /// The board; `quern board list` names them.
    #[arg(long)]
    board: String,
}

impl Flash {
    pub(crate) fn run(self) -> Result<ExitCode> {
        place::flash(board(&self.board)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
