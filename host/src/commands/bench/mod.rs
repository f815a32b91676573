//! `quern bench`: time on this machine, against the bytes that must move and against peers, in one run.

mod cg;
mod csr;
mod memory;
mod peer;
mod qp;
mod train;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measures time on this machine, against what the memory allows and against peers, in one run.
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Cg(cg::Cg),
    Csr(csr::Csr),
    Qp(qp::Qp),
    Train(train::Train),
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Cg(cg) => cg.run(),
            What::Csr(csr) => csr.run(),
            What::Qp(qp) => qp.run(),
            What::Train(train) => train.run(),
        }
    }
}
