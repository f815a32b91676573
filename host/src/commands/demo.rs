use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use quern::experiments::quantization_constraints::demo;
use quern::experiments::{self, Scale, Settings};
use quern::instances::{self, InstanceResult};
use quern::place::{Board, Native, Wired, boards};
use quern::report::{Agreement, Digest, Folder};

use super::{output, run};

const SLUG: &str = "quantization-constraints";
/// What the instance is lent where no board says how much.
const MEMORY_BYTES: usize = 256 * 1024;

/// Fine-tunes a small network inside its quantization cells, here and on an emulated board, and compares the
/// bits.
///
/// A network that reads handwritten digits learns a new task while its quantized bytes stay identical. The
/// board-sized problem runs on this machine and on an emulated Cortex-M4F: both must give the same hash.
/// Exits with 0 only if every check holds and the hashes are equal.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern demo                   writes quern-demo and names the page to open
  quern demo --out somewhere   writes another folder
  quern demo --board rv32      compares with another emulated board")]
pub(crate) struct Demo {
    /// The folder to write.
    #[arg(long, value_name = "DIR", default_value = "quern-demo")]
    out: PathBuf,
    /// The board to compare with; `quern board list` names them.
    #[arg(long, default_value = "mps2-an386")]
    board: String,
}

impl Demo {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let board = boards::find(&self.board).with_context(|| {
            format!("--board: no board is named {}; `quern board list` names them", self.board)
        })?;
        let experiment = experiments::find(SLUG).context("the experiment of the demo is missing")?;
        let mut folder = Folder::open(&self.out).context("--out")?;

        eprintln!("Fine-tuning inside the quantization cells, on this machine");
        let settings = Settings { scale: Scale::Quick, seed: 0, data: None, threads: 0 };
        let (mut record, findings) =
            run::observe(experiment, &settings, |progress| demo(&settings, progress))?;
        run::print(&record)?;

        eprintln!("Building the image for {} and running the board-sized problem on both", board.name);
        let (here, there) = both(board);
        let mut digests = Vec::new();
        for (place, result) in
            [("this machine".to_owned(), here), (format!("{} ({})", board.name, board.summary), there)]
        {
            match result {
                Ok(InstanceResult { hash, .. }) => {
                    output::line(format_args!("hash {hash} on {place}"))?;
                    digests.push(Digest { place, hash });
                }
                Err(error) => eprintln!("error: {place}: {error:#}"),
            }
        }
        let agreement = Agreement::new(digests);
        output::line(match (agreement.digests.len(), agreement.equal) {
            (0 | 1, _) => "nothing to compare",
            (_, true) => "the hashes are equal",
            (_, false) => "THE HASHES DIFFER",
        })?;
        record.agreement = Some(agreement);
        let holds = record.holds();
        folder.add(record, &findings)?;
        eprintln!("The page: {}", folder.page().display());
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Runs the instance on this machine, lending as much as the board does, and on the board.
fn both(board: &'static Board) -> (Result<InstanceResult>, Result<InstanceResult>) {
    let emulator = Wired::start(board, None);
    let mut here = match &emulator {
        Ok(emulator) => Native::twin(emulator.sizes()),
        Err(_) => Native::new(MEMORY_BYTES, 4096),
    };
    let refused = |refusal| anyhow::anyhow!("{SLUG}: {refusal}");
    let answer = |result: Result<Result<_, _>>| result.and_then(|answer| answer.map_err(refused));
    let there = emulator.and_then(|mut emulator| answer(instances::run(&mut emulator, SLUG)));
    (answer(instances::run(&mut here, SLUG)), there)
}
