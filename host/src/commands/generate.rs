//! `quern generate`: a problem as a small crate for boards.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use quern::generate;
use quern::mpc::Model;

use super::output;

/// Writes a small `no_std` crate with the constants of one problem and a typed `solve`.
///
/// The crate depends on `quern-kernels` alone, allocates nothing and compiles for every board.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern generate mpc --model quadrotor.toml --out my-mpc")]
pub(crate) struct Generate {
    #[command(subcommand)]
    problem: Problem,
}

#[derive(Subcommand)]
enum Problem {
    Mpc(Mpc),
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

impl Generate {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Problem::Mpc(Mpc { model, out, kernels }) = self.problem;
        let model = Model::read(&model)?;
        let files = generate::mpc::files(&model)?;
        let description = format!("A controller for {}", model.name);
        generate::write(&out, &description, kernels.as_deref(), &files)?;
        output::line(format_args!("{}", out.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
