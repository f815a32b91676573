//! `quern solve nlp`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};
use quern::io::file;
use quern::io::npy::{self, Array, Entries};
use quern::nlp::{self, Method, Options};
use quern_firmware::generators::{TEST_PROGRAMS, TestProgram};
use quern_kernels::optim::sqp::{Accuracy, EqualityProgram, SketchedSqpSettings, Status};
use quern_kernels::random::Key;
use serde::Serialize;

use crate::commands::number::tolerance;
use crate::commands::output;

/// Solves built-in problems under equality constraints, min f(x) subject to c(x) = 0, from their usual starts.
///
/// Solved is what brings ‖(∇f + Gᵀλ, c)‖ to the tolerance; f less its known optimum tells whether it is the known
/// solution. Exits with 0 only if all were solved.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern solve nlp --name HS28
  quern solve nlp --name HS77 --name BT5 --method sketched-kaczmarz --mode practical
  quern solve nlp --all --method direct --json
  quern solve nlp --name HS100LNP --method gmres-l1 --tolerance 1e-6 --out x.npy")]
pub(super) struct Nlp {
    /// A problem, such as HS28; may be given several times.
    #[arg(long, value_name = "NAME", required_unless_present = "all")]
    name: Vec<String>,
    /// All built-in problems.
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// The method.
    #[arg(long, value_enum, default_value = "sketched-gaussian")]
    method: Method,
    /// How accurate the steps of the sketched methods and the direct one are [default: practical].
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// The size of the conditions of first order asked for.
    #[arg(long, default_value_t = 1e-4, value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: f64,
    /// The most steps.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_iterations: usize,
    /// Of the random projections.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where x goes, .npy of doubles; for one problem.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// As accurate as the theory asks, about 1e-9 relative.
    Theory,
    /// A tenth to begin with, sharpened where a step does not descend.
    Practical,
}

#[derive(Serialize)]
struct Document {
    results: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    status: String,
    objective: f64,
    /// f at the known solution.
    optimum: f64,
    constraint_norm: f64,
    optimality_norm: f64,
    iterations: usize,
    inner_iterations: usize,
    value_evaluations: usize,
    derivative_evaluations: usize,
    seconds: f64,
    x: Vec<f64>,
}

impl Nlp {
    pub(super) fn run(self) -> Result<ExitCode> {
        let programs = self.programs()?;
        ensure!(
            self.out.is_none() || programs.len() == 1,
            "--out: expected one problem, found {}",
            programs.len()
        );
        ensure!(
            self.mode.is_none() || self.method.has_modes(),
            "--mode: only the sketched methods and the direct one have modes"
        );
        let accuracy = match self.mode {
            Some(Mode::Theory) => Accuracy::Guaranteed,
            Some(Mode::Practical) | None => Accuracy::Practical,
        };
        let settings = SketchedSqpSettings {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
            ..SketchedSqpSettings::new(accuracy)
        };
        let options = Options { method: self.method, settings, key: Key::from_seed(self.seed) };
        let bar = output::progress(programs.len() as u64);
        let mut results = Vec::new();
        for program in programs {
            let multipliers = vec![program.initial_multiplier; EqualityProgram::<f64>::constraints(program)];
            let started = Instant::now();
            let outcome = nlp::solve(program, program.start, &multipliers, &options)?;
            let (report, seconds) = (outcome.report, started.elapsed().as_secs_f64());
            bar.inc(1);
            results.push(Entry {
                name: program.name,
                status: report.status.to_string(),
                objective: report.objective,
                optimum: program.optimum,
                constraint_norm: report.constraint_norm,
                optimality_norm: report.optimality_norm,
                iterations: report.iterations,
                inner_iterations: report.inner_iterations,
                value_evaluations: report.value_evaluations,
                derivative_evaluations: report.derivative_evaluations,
                seconds,
                x: outcome.x,
            });
        }
        bar.finish_and_clear();
        if let (Some(path), [result]) = (&self.out, &results[..]) {
            file::write_one(path, npy::to_bytes(&Array::vector(Entries::F64(result.x.clone())))?)?;
        }
        let solved = Status::Solved.to_string();
        let code = if results.iter().all(|result| result.status == solved) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
        if self.json {
            output::json(&Document { results })?;
        } else {
            for result in &results {
                output::line(format_args!(
                    "{:9} {} after {} steps, {} inner, {} evaluations: f = {:.8e} (known {:.8e}), |c| = {:.1e}, \
                     optimality {:.1e}, {:.3} s",
                    result.name,
                    result.status,
                    result.iterations,
                    result.inner_iterations,
                    result.value_evaluations,
                    result.objective,
                    result.optimum,
                    result.constraint_norm,
                    result.optimality_norm,
                    result.seconds
                ))?;
            }
        }
        Ok(code)
    }

    fn programs(&self) -> Result<Vec<&'static TestProgram>> {
        if self.all {
            return Ok(TEST_PROGRAMS.iter().collect());
        }
        self.name
            .iter()
            .map(|name| match TestProgram::find(name) {
                Some(program) => Ok(program),
                None => {
                    let known: Vec<_> = TEST_PROGRAMS.iter().map(|program| program.name).collect();
                    bail!("--name: no problem {name:?}; there are {}", known.join(", "))
                }
            })
            .collect()
    }
}
