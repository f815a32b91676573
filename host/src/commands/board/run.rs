use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use quern::costs;
use quern::instances::{self, InstanceResult};
use quern::place::{Board, Wired};
use quern_firmware::instances::{ALL, find};
use serde::Serialize;

use super::{board, show};
use crate::commands::output;

/// Runs the board-sized instance of a specification on a board and prints its hash and figures.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern board run quantization-constraints --board mps2-an386
  quern board run all --board rv32 --json")]
pub(crate) struct Run {
    /// The specification's slug, or `all`.
    slug: String,
    /// The board; `quern board list` names them.
    #[arg(long)]
    board: String,
    /// Show the board's log on standard error (needs the feature `logs`).
    #[arg(long)]
    log: bool,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    board: &'static str,
    instances: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    result: InstanceResult,
    instructions: u64,
}

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let board = board(&self.board)?;
        let slugs: Vec<_> = match self.slug.as_str() {
            "all" => ALL.iter().map(|instance| instance.slug).collect(),
            slug => match find(slug) {
                Some(instance) => vec![instance.slug],
                None => bail!("no instance named {slug}; `quern list` names them"),
            },
        };
        let hidden = indicatif::ProgressBar::hidden();
        let mut wired = Wired::start(board, show(self.log, &hidden))?;
        let mut rows = Vec::new();
        for slug in slugs {
            let result = match instances::run(&mut wired, slug)? {
                Ok(result) => result,
                // On `all`, an instance that the board's memory does not hold is named and passed over.
                Err(refusal) if self.slug == "all" && refusal.starts_with("capacity") => {
                    eprintln!("{slug}: does not fit {}: {refusal}", board.name);
                    continue;
                }
                Err(refusal) => bail!("{slug} on {}: {refusal}", board.name),
            };
            let instructions = costs::to_instructions(board.tick, result.elapsed);
            rows.push(Row { result: spans_in_instructions(result, board), instructions });
        }
        if self.json {
            output::json(&Document { board: board.name, instances: rows })?;
            return Ok(ExitCode::SUCCESS);
        }
        for Row { result, instructions } in rows {
            output::line(format_args!("{}: hash {}, {instructions} instructions", result.slug, result.hash))?;
            for (name, value) in &result.values {
                output::line(format_args!("  {name:<32} {value}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Figures of the clock, in instructions.
fn spans_in_instructions(mut result: InstanceResult, board: &Board) -> InstanceResult {
    result.values = std::mem::take(&mut result.values)
        .into_iter()
        .map(|(name, value)| match (name.strip_suffix("_elapsed"), value.as_u64()) {
            (Some(part), Some(elapsed)) => {
                (format!("{part}_instructions"), costs::to_instructions(board.tick, elapsed).into())
            }
            _ => (name, value),
        })
        .collect();
    result
}
