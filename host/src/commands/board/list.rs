use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use quern::place::boards::{BOARDS, Target};
use serde::Serialize;

use crate::commands::output;

/// Lists the boards.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern board list
  quern board list --json")]
pub(crate) struct List {
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    boards: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    board: &'static str,
    summary: &'static str,
    target: &'static str,
    emulated: bool,
}

impl List {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let rows = BOARDS.iter().map(|board| Row {
            board: board.name,
            summary: board.summary,
            target: board.triple,
            emulated: matches!(board.target, Target::Qemu { .. }),
        });
        if self.json {
            output::json(&Document { boards: rows.collect() })?;
        } else {
            for row in rows {
                output::line(format_args!("{:<15} {:<29} {}", row.board, row.target, row.summary))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
