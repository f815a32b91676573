use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use quern::parity::{self, Comparison, Sampling};
use quern::place::{Native, Wired};
use quern_firmware::endpoints;
use serde::Serialize;

use super::{board, show};
use crate::commands::output;

/// Calls every kernel on a board and on the host with the same generated arguments and compares the answers bit for bit.
///
/// Exits with 0 only if no bit differs. A difference is shrunk to a small call and shown.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern board parity --board mps2-an386
  quern board parity --board microbit --kernel blas/dot --cases 5000 --seed 7
  quern board parity --board rv32 --json")]
pub(crate) struct Parity {
    /// The board; `quern board list` names them.
    #[arg(long)]
    board: String,
    /// Only kernels whose name contains this.
    #[arg(long, default_value = "")]
    kernel: String,
    /// Generated cases a kernel [default: what the board's speed allows, 1000 mostly].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    cases: Option<u32>,
    /// All cases follow from this.
    #[arg(long, default_value_t = 0)]
    seed: u64,
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
    seed: u64,
    kernels: Vec<Comparison>,
    differing: u32,
}

impl Parity {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let board = board(&self.board)?;
        let chosen: Vec<_> =
            endpoints::all().filter(|endpoint| endpoint.name.contains(&self.kernel)).collect();
        if chosen.is_empty() {
            bail!("--kernel: no kernel's name contains {}", self.kernel);
        }
        let progress = output::progress(chosen.len() as u64);
        let mut wired = Wired::start(board, show(self.log, &progress))?;
        let mut host = Native::twin(wired.sizes());
        let sampling = Sampling {
            cases: self.cases.unwrap_or(board.cases),
            seed: self.seed,
            case_bytes: board.case_bytes,
        };
        let mut kernels = Vec::with_capacity(chosen.len());
        for endpoint in chosen {
            progress.set_message(endpoint.name);
            let comparison = parity::compare(&mut wired, &mut host, endpoint, sampling)?;
            if !self.json {
                let Comparison { kernel, scalar, cases, refused, differing, .. } = &comparison;
                progress.suspend(|| {
                    output::line(format_args!(
                        "{kernel:<34} {scalar}  {cases:>6} cases  {refused:>5} refused alike  {differing:>4} differing"
                    ))
                })?;
                if let Some(example) = &comparison.counterexample {
                    progress.suspend(|| {
                        output::line(format_args!(
                            "  arguments {}\n  board     {}\n  host      {}",
                            example.arguments, example.board, example.host
                        ))
                    })?;
                }
            }
            kernels.push(comparison);
            progress.inc(1);
        }
        progress.finish_and_clear();
        let differing = kernels.iter().map(|kernel| kernel.differing).sum();
        if self.json {
            output::json(&Document { board: board.name, seed: self.seed, kernels, differing })?;
        } else {
            output::line(format_args!("{}: {} kernels, {differing} differing", board.name, kernels.len()))?;
        }
        Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
