use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use quern::costs::{self, Row};
use quern::place::Wired;
use serde::Serialize;

use super::board;
use crate::commands::output;

/// Prints what each kernel and instance costs on a board: instructions, flash, stack, lent memory, and whether a path that
/// panics is linked in.
///
/// Instructions are exact and repeat: the emulator's time is a count of instructions. On silicon they are core
/// cycles. Of a solver, the largest step is what one more step of its budget takes at most, over generated calls of that
/// size. Flash is that of the endpoint linked alone, beyond what any call needs.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern board cost --board mps2-an386
  quern board cost --board mps2-an386 --kernel blas/
  quern board cost --board mps2-an386 --kernel optim/ --step-cases 10000
  quern board cost --board rv32 --json")]
pub(crate) struct Cost {
    /// The board; `quern board list` names them.
    #[arg(long)]
    board: String,
    /// Only kernels and instances whose name contains this.
    #[arg(long, default_value = "")]
    kernel: String,
    /// Generated calls among which a solver's largest step is sought.
    #[arg(long, default_value_t = 100)]
    step_cases: u32,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    board: &'static str,
    rows: Vec<Row>,
}

impl Cost {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let board = board(&self.board)?;
        let mut wired = Wired::start(board, None)?;
        let progress = output::spinner();
        let what = (&*self.kernel, self.step_cases);
        let rows = costs::measure(board, &mut wired, what, &|name| progress.set_message(name.to_owned()))?;
        progress.finish_and_clear();
        if rows.is_empty() {
            bail!("--kernel: no kernel's or instance's name contains {}", self.kernel);
        }
        if self.json {
            output::json(&Document { board: board.name, rows })?;
            return Ok(ExitCode::SUCCESS);
        }
        output::line(format_args!(
            "{:<34} {:<6} {:<10} {:>12} {:>12} {:>7} {:>7} {:>7}  panic path",
            "kernel", "scalar", "size", "instructions", "largest step", "flash", "stack", "lent"
        ))?;
        for row in rows {
            let flash = row.flash_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
            let panic = row.panic_path.map_or("-", |path| if path { "yes" } else { "no" });
            let step = row.largest_step.map_or_else(|| "-".to_owned(), |step| step.instructions.to_string());
            output::line(format_args!(
                "{:<34} {:<6} {:<10} {:>12} {step:>12} {flash:>7} {:>7} {:>7}  {panic}",
                row.kernel, row.scalar, row.size, row.instructions, row.stack_bytes, row.lent_bytes
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
