use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use quern::place::boards::BOARDS;
use quern::place::image::{self, Usage};
use quern::place::toolchain;
use serde::Serialize;

use super::board;
use crate::commands::output;

/// Builds a board's image and prints where it is and what it takes of the board's memory. Where flash is too small for all
/// kernels, several images hold them together.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern board build --board rpi-pico
  quern board build --board all --json")]
pub(crate) struct Build {
    /// The board, or `all`; `quern board list` names them.
    #[arg(long)]
    board: String,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    images: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    board: &'static str,
    path: PathBuf,
    #[serde(flatten)]
    usage: Usage,
}

impl Build {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let boards: Vec<_> = match self.board.as_str() {
            "all" => BOARDS.iter().collect(),
            name => vec![board(name)?],
        };
        let progress = output::progress(boards.len() as u64);
        let mut images = Vec::new();
        for board in boards {
            progress.set_message(board.name);
            for part in 0..board.parts {
                let path = toolchain::build_image(board, part)?;
                images.push(Row { board: board.name, usage: image::usage(board, &path)?, path });
            }
            progress.inc(1);
        }
        progress.finish_and_clear();
        if self.json {
            output::json(&Document { images })?;
            return Ok(ExitCode::SUCCESS);
        }
        output::line(format_args!(
            "{:<15} {:>9} {:>9} {:>9} {:>9}  image",
            "board", "flash", "of", "RAM", "of"
        ))?;
        for Row { board, path, usage } in images {
            let Usage { flash_bytes, flash_capacity, ram_bytes, ram_capacity } = usage;
            output::line(format_args!(
                "{board:<15} {flash_bytes:>9} {flash_capacity:>9} {ram_bytes:>9} {ram_capacity:>9}  {}",
                path.display()
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
