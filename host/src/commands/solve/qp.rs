//! `quern solve qp`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use quern::io::npy::{self, Array, Entries};
use quern::io::{file, quadratic_program};
use quern::qp::{Method, Prepared};
use quern_kernels::optim::qp::Status;
use serde::Serialize;

use crate::commands::number::tolerance;
use crate::commands::output;

/// Solves a convex quadratic program: min ½xᵀPx + qᵀx + r subject to l ≤ Ax ≤ u.
///
/// The residuals printed are absolute, in the units of the file, computed afresh from x and its multipliers:
/// the largest violation of a constraint, ‖Px + q + Aᵀy‖∞, and the difference of the primal and the dual
/// objective. Solved is what brings each to the tolerance, or, where rounding does not allow that, to the
/// tolerance times one more than the largest of the terms it is the sum of. Exits with 0 only if solved.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern solve qp --problem p.npz
  quern solve qp --problem QAFIRO.qps --tolerance 1e-8 --out x.npy --json
  quern solve qp --problem mpc.npz --method splitting --tolerance 1e-3")]
pub(super) struct Qp {
    /// The problem: .npz with the members P_data, P_indices, P_indptr, P_shape (by columns, both triangles),
    /// likewise A, and q, l, u and perhaps r; or .qps.
    #[arg(long, value_name = "FILE")]
    problem: PathBuf,
    /// The residuals asked for.
    #[arg(long, default_value_t = 1e-6, value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: f64,
    /// The method.
    #[arg(long, value_enum, default_value = "interior-point")]
    method: Kernel,
    /// The most steps [default: 200, for splitting 10000].
    #[arg(long, value_name = "N")]
    max_iterations: Option<usize>,
    /// Where x goes, .npy of doubles.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON document instead of a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kernel {
    /// 10 to 30 steps with a factorization each; where it fails, operator splitting looks for a certificate.
    InteriorPoint,
    /// Many cheap steps with one factorization, then polishing.
    Splitting,
}

#[derive(Serialize)]
struct Document {
    status: String,
    /// None where infinite.
    objective: Option<f64>,
    primal_residual: Option<f64>,
    dual_residual: Option<f64>,
    gap: Option<f64>,
    iterations: usize,
    seconds: f64,
}

impl Qp {
    pub(super) fn run(self) -> Result<ExitCode> {
        let place = self.problem.display().to_string();
        let program = quadratic_program::read(&self.problem)?;
        let method = match self.method {
            Kernel::InteriorPoint => Method::InteriorPoint,
            Kernel::Splitting => Method::Splitting,
        };
        let started = Instant::now();
        let outcome =
            Prepared::new(&program).solve(method, self.tolerance, self.max_iterations).context(place)?;
        let seconds = started.elapsed().as_secs_f64();
        let residuals = outcome.residuals;
        let status = match outcome.status {
            // What no step improves has spent its budget as well.
            Status::Stagnated => Status::MaxIterations,
            status => status,
        };
        if let (Some(path), Status::Solved | Status::MaxIterations) = (&self.out, status) {
            file::write_one(path, npy::to_bytes(&Array::vector(Entries::F64(outcome.x)))?)?;
        }
        let finite = |value: f64| (value < f64::MAX).then_some(value);
        let document = Document {
            status: status.to_string(),
            objective: finite(residuals.objective + program.constant),
            primal_residual: finite(residuals.primal),
            dual_residual: finite(residuals.dual),
            gap: finite(residuals.gap),
            iterations: outcome.iterations,
            seconds,
        };
        if self.json {
            output::json(&document)?;
        } else {
            output::line(format_args!(
                "{status} after {} steps and {seconds:.3} s, objective {:.10e}, residuals {:.1e} primal, {:.1e} dual, \
                 {:.1e} gap",
                outcome.iterations,
                residuals.objective + program.constant,
                residuals.primal,
                residuals.dual,
                residuals.gap
            ))?;
        }
        Ok(if status == Status::Solved { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
