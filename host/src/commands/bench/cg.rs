use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use quern::space::{ThreadedCsr, Threads};
use quern_kernels::krylov::{Cg as Solver, LinearSystem, Step};
use quern_kernels::linop::{Csr, LinearOperator};
use serde::Serialize;

use super::memory::{Laplacian, copy_bandwidth, shortest};
use super::peer;
use crate::commands::output;

/// Vectors that an iteration reads or writes at least: p and Ap for the product, three of r ← r − αAp, five of x ← x + αp
/// and p ← r + βp.
const VECTORS: usize = 10;

/// Conjugate gradients on the five-point Poisson problem, against the copy bandwidth and against peers.
///
/// The matrix is stored by rows (CSR), in double precision; the right-hand side is 1. A row says the time of an iteration, and
/// what share of the copy bandwidth on as many threads the bytes make that an iteration must move: values, column
/// indices and row pointers of the matrix, and 10 vectors. Times are the shortest of several runs.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern bench cg
  quern bench cg --side 2000 --threads 1,2,4 --json
  quern bench cg --python venv/bin/python --eigen /usr/include/eigen3")]
pub(super) struct Cg {
    /// Points a side.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    side: u32,
    /// Iterations a run.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// Runs.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Numbers of threads, one measurement each.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// A Python interpreter with SciPy, to measure its `cg` as well.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// A folder with Eigen's headers, to measure its `ConjugateGradient` as well.
    #[arg(long, value_name = "DIR")]
    eigen: Option<PathBuf>,
    /// The compiler for Eigen.
    #[arg(long, value_name = "FILE", default_value = "c++")]
    compiler: PathBuf,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    unknowns: usize,
    bytes_per_iteration: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    solver: String,
    threads: usize,
    seconds_per_iteration: f64,
    /// Copied bytes, read and written, a second.
    copy_bandwidth: f64,
    /// Bytes an iteration must move over its time, over the copy bandwidth.
    share_of_copy_bandwidth: f64,
}

impl Cg {
    pub(super) fn run(self) -> Result<ExitCode> {
        ensure!(!self.threads.contains(&0), "--threads: expected numbers of at least 1");
        let Laplacian { pointers, indices, values } =
            Laplacian::new([self.side as usize, self.side as usize, 1]);
        let unknowns = pointers.len() - 1;
        let matrix = Csr::new(unknowns, &pointers, &indices, &values)?;
        let bytes_per_iteration = values.len() * 12 + pointers.len() * 4 + VECTORS * unknowns * 8;
        let arguments = [self.side, self.iterations, self.repetitions].map(|number| number.to_string());
        let folder = tempfile::tempdir()?;
        if let Some(headers) = &self.eigen {
            peer::compile(&self.compiler, headers, include_str!("peers/cg.cpp"), folder.path())?;
        }
        let mut rows = Vec::new();
        for &count in &self.threads {
            let threads = Threads::new(count)?;
            let copy_bandwidth = copy_bandwidth(self.repetitions, &threads, values.len());
            let mut row = |solver: String, seconds_per_iteration: f64| {
                rows.push(Row {
                    solver,
                    threads: count,
                    seconds_per_iteration,
                    copy_bandwidth,
                    share_of_copy_bandwidth: bytes_per_iteration as f64
                        / seconds_per_iteration
                        / copy_bandwidth,
                });
            };
            row("Quern".into(), self.quern(matrix, &threads)?);
            if self.eigen.is_some() {
                let measured = peer::compiled(folder.path(), count, &arguments)?;
                row(measured.name, measured.seconds);
            }
            if let (Some(python), 1) = (&self.python, count) {
                let measured = peer::python(python, include_str!("peers/cg.py"), &arguments)?;
                row(measured.name, measured.seconds);
            }
        }
        let document = Document { unknowns, bytes_per_iteration, rows };
        if self.json {
            output::json(&document)?;
        } else {
            for row in &document.rows {
                output::line(format_args!(
                    "{:16} {} threads: {:.3} ms an iteration, {:.2} of the copy bandwidth of {:.1} GB/s",
                    row.solver,
                    row.threads,
                    row.seconds_per_iteration * 1e3,
                    row.share_of_copy_bandwidth,
                    row.copy_bandwidth / 1e9
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Seconds an iteration.
    fn quern(&self, matrix: Csr<'_, f64>, threads: &Threads) -> Result<f64> {
        let right_hand_side = vec![1.0; matrix.rows()];
        let operator = ThreadedCsr::new(matrix, threads.clone());
        let problem = LinearSystem::new(&operator, &right_hand_side);
        let mut solver = Solver::in_space(vec![0.0; Solver::scalars(matrix.rows())], threads.clone());
        let mut failure = None;
        let seconds = shortest(self.repetitions, || {
            if let Err(error) = solver.start(&problem) {
                failure = Some(error.to_string());
            }
            for iteration in 0..self.iterations {
                if solver.step(&problem) != Step::Advanced {
                    failure = Some(format!("iteration {iteration} did not advance"));
                    break;
                }
            }
        });
        match failure {
            None => Ok(seconds / f64::from(self.iterations)),
            Some(failure) => anyhow::bail!("conjugate gradients: {failure}; fewer --iterations may do"),
        }
    }
}
