//! `quern generate`: a problem as a small crate for boards.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use quern::generate;
use quern::io::quadratic_program;
use quern::mpc::Model;

use super::output;

/// Writes a small `no_std` crate with the constants of one problem and a typed `solve`.
///
/// The crate depends on `quern-kernels` alone, allocates nothing and compiles for every board.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern generate mpc --model quadrotor.toml --out my-mpc
  quern generate qp --problem p.npz --out my-qp")]
pub(crate) struct Generate {
    #[command(subcommand)]
    problem: Problem,
}

#[derive(Subcommand)]
enum Problem {
    Mpc(Mpc),
    Qp(Qp),
}

/// A controller by linear model predictive control.
#[derive(Args)]
struct Mpc {
    /// The model, TOML.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The folder to write; its name is the crate's.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The version of quern-kernels to depend on [default: the sources of this project].
    #[arg(long, value_name = "VERSION")]
    kernels: Option<String>,
}

/// A solver of a quadratic program with constant P and A, by operator splitting in single precision.
#[derive(Args)]
struct Qp {
    /// The problem, .npz or .qps.
    #[arg(long, value_name = "FILE")]
    problem: PathBuf,
    /// The folder to write; its name is the crate's.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The version of quern-kernels to depend on [default: the sources of this project].
    #[arg(long, value_name = "VERSION")]
    kernels: Option<String>,
}

impl Generate {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (out, kernels, description, files) = match self.problem {
            Problem::Mpc(Mpc { model, out, kernels }) => {
                let model = Model::read(&model)?;
                (out, kernels, format!("A controller for {}", model.name), generate::mpc::files(&model)?)
            }
            Problem::Qp(Qp { problem, out, kernels }) => {
                let program = quadratic_program::read(&problem)?;
                let files = generate::qp::files(&program).context(problem.display().to_string())?;
                (out, kernels, "A solver of a quadratic program".to_owned(), files)
            }
        };
        generate::write(&out, &description, kernels.as_deref(), &files)?;
        output::line(format_args!("{}", out.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
