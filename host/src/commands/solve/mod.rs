//! `quern solve`: one problem, from files.

mod linear;
mod nlp;
mod qp;
mod transport;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

/// Solves one problem: a linear system by an iterative method (the first argument), or a problem of its own
/// subcommand.
///
/// cg needs a symmetric positive definite matrix, minres a symmetric one, gmres a square one; lsqr takes any
/// shape. The relative residual ‖b − Ax‖/‖b‖ printed is computed afresh from the result and the matrix of the
/// file, in double precision. lsqr stops by the rules of its authors: at ‖r‖ ≤ tolerance·(‖b‖ + ‖A‖‖x‖), or,
/// where the system has no solution, at ‖Aᵀr‖ ≤ tolerance·‖A‖‖r‖. Exits with 0 only if the method converged.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  quern solve cg --matrix bcsstk15.mtx --preconditioner ic0
  quern solve gmres --matrix A.mtx --rhs b.npy --tolerance 1e-10 --out x.npy --history h.csv
  quern solve lsqr --matrix illc1033.mtx --rhs illc1033_rhs.mtx --json
  quern solve qp --problem p.npz --tolerance 1e-6 --out x.npy
  quern solve nlp --name HS28
  quern solve transport --cost C.npy --method sparse --k 2 --json"
)]
pub(crate) struct Solve {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    linear: Option<linear::Linear>,
}

#[derive(Subcommand)]
enum What {
    Qp(qp::Qp),
    Nlp(nlp::Nlp),
    Transport(transport::Transport),
}

impl Solve {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.what {
            Some(What::Qp(qp)) => qp.run(),
            Some(What::Nlp(nlp)) => nlp.run(),
            Some(What::Transport(transport)) => transport.run(),
            None => self.linear.context("expected a method")?.run(),
        }
    }
}
