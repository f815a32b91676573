//! One module a subcommand: a [`clap::Args`] with `run(self) -> Result<ExitCode>`.
//!
//! Results go to standard output through [`output`], everything else to standard error.

mod audit;
mod bench;
mod board;
mod cells;
mod demo;
mod generate;
mod list;
mod number;
mod output;
mod project;
mod quantize;
mod run;
mod sim;
mod solve;
mod train;
mod weights;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Lists the subcommands: a variant's name on the command line, and the module that runs it.
macro_rules! commands {
    ($($name:ident($arguments:ty),)*) => {
        #[derive(Subcommand)]
        pub(crate) enum Command { $($name($arguments),)* }

        impl Command {
            pub(crate) fn run(self) -> Result<ExitCode> {
                match self { $(Self::$name(arguments) => arguments.run(),)* }
            }
        }
    };
}

commands! {
    Demo(demo::Demo),
    List(list::List),
    Run(run::Run),
    Solve(solve::Solve),
    Train(train::Train),
    Project(project::Project),
    Quantize(quantize::Quantize),
    Cells(cells::Cells),
    Audit(audit::Audit),
    Board(board::Board),
    Bench(bench::Bench),
    Generate(generate::Generate),
    Sim(sim::Sim),
}
