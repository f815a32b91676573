//! `quern bench`: speed on this machine, against others in the same run.

mod train;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measures speed on this machine, against other programs in the same run.
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand)]
enum Work {
    Train(train::Train),
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.work {
            Work::Train(train) => train.run(),
        }
    }
}
