use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use quern::experiments::{Axis, Cell, Findings, Plot, PlotKind, Series, Table};
use quern::io::npy::{self, Entries};
use quern::io::{file, quadratic_program};
use quern::qp::optimality::violations;
use quern::qp::{Method, Program, solve};
use quern::report;
use serde::{Deserialize, Serialize};

use super::peer;
use crate::commands::number::positive;
use crate::commands::output;

/// Quadratic programs, against OSQP and Clarabel.
///
/// Every solver has the same tolerance and one thread, and may set up as it likes within its time. What it returns is
/// checked by the same plain loops: solved is what violates no optimality condition by more than the tolerance times one
/// more than the largest term of that condition. Times are the shortest of several runs, in OSQP's case by its own clock, and
/// are averaged as geometric means; a failure counts as the limit of time.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern bench qp --problems maros_meszaros
  quern bench qp --problems maros_meszaros --python venv/bin/python --out profile
  quern bench qp --problems a.npz --problems b.npz --tolerance 1e-8 --json")]
pub(super) struct Qp {
    /// A problem as `quern solve qp` takes it in .npz, or a folder of such.
    #[arg(long, value_name = "PATH", required = true)]
    problems: Vec<PathBuf>,
    /// The residuals asked for.
    #[arg(long, default_value_t = 1e-6, value_parser = positive, allow_negative_numbers = true)]
    tolerance: f64,
    /// Runs.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Seconds after which a solver may give up.
    #[arg(long, default_value_t = 10.0, value_parser = positive, allow_negative_numbers = true)]
    limit: f64,
    /// A Python interpreter with NumPy, SciPy, OSQP and Clarabel, to measure these as well.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// A folder for the times and the performance profile.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// One solver on one problem.
#[derive(Serialize)]
struct Run {
    solver: String,
    problem: String,
    seconds: f64,
    /// The largest violation of an optimality condition.
    residual: f64,
    /// The largest quotient of a violation and one more than the largest term of its condition.
    scaled_residual: f64,
    objective: f64,
    solved: bool,
}

#[derive(Serialize)]
struct Summary {
    solver: String,
    solved: usize,
    /// Solved with the tolerance met absolutely.
    solved_absolutely: usize,
    /// In seconds.
    geometric_mean: f64,
    /// The geometric mean over that of Quern.
    ratio: f64,
}

#[derive(Serialize)]
struct Document {
    tolerance: f64,
    problems: usize,
    solvers: Vec<Summary>,
    runs: Vec<Run>,
}

/// What the peers' script prints.
#[derive(Deserialize)]
struct Line {
    solver: String,
    problem: usize,
    seconds: f64,
    values: PathBuf,
}

impl Qp {
    pub(super) fn run(self) -> Result<ExitCode> {
        let files = files(&self.problems)?;
        let programs: Vec<_> =
            files.iter().map(|file| quadratic_program::read(file)).collect::<Result<_>>()?;
        let mut runs = Vec::new();
        for (file, program) in files.iter().zip(&programs) {
            runs.push(self.quern(&name(file), program)?);
        }
        if let Some(python) = &self.python {
            let folder = tempfile::tempdir()?;
            let mut arguments = vec![folder.path().display().to_string(), self.tolerance.to_string()];
            arguments.extend([self.repetitions.to_string(), self.limit.to_string()]);
            arguments.extend(files.iter().map(|file| file.display().to_string()));
            for line in peer::python_output(python, include_str!("peers/qp.py"), &arguments)?.lines() {
                let line: Line =
                    serde_json::from_str(line).with_context(|| format!("a peer printed {line:?}"))?;
                let (file, program) = (files.get(line.problem), programs.get(line.problem));
                let (file, program) = file.zip(program).context("a peer numbers its problems wrongly")?;
                let Entries::F64(values) = npy::read(&line.values)?.entries else {
                    anyhow::bail!("{}: expected doubles", line.values.display());
                };
                ensure!(
                    values.len() == program.q.len() + program.lower.len(),
                    "{} returned {} numbers for {}",
                    line.solver,
                    values.len(),
                    file.display()
                );
                runs.push(self.judged(line.solver, name(file), line.seconds, program, &values));
            }
        }
        let document = Document {
            tolerance: self.tolerance,
            problems: files.len(),
            solvers: self.summaries(&runs),
            runs,
        };
        if let Some(folder) = &self.out {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("--out: cannot make the folder {}", folder.display()))?;
            let written = report::files(folder, &findings(&document))?;
            file::write(written.iter().map(|(path, bytes)| (path.as_path(), bytes.clone())))?;
        }
        if self.json {
            output::json(&document)?;
        } else {
            for summary in &document.solvers {
                output::line(format_args!(
                    "{:16} solved {} of {}, {} of them absolutely; geometric mean {:.3} ms, {:.2} of Quern's",
                    summary.solver,
                    summary.solved,
                    document.problems,
                    summary.solved_absolutely,
                    summary.geometric_mean * 1e3,
                    summary.ratio
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn quern(&self, problem: &str, program: &Program) -> Result<Run> {
        let (mut seconds, mut spent, mut values) = (f64::INFINITY, 0.0, Vec::new());
        for _ in 0..self.repetitions {
            let start = Instant::now();
            let outcome = solve(program, Method::InteriorPoint, self.tolerance, None)
                .with_context(|| problem.to_owned())?;
            let here = start.elapsed().as_secs_f64();
            seconds = seconds.min(here);
            values = [outcome.x, outcome.y].concat();
            spent += here;
            if spent > self.limit {
                break;
            }
        }
        Ok(self.judged("Quern".into(), problem.into(), seconds, program, &values))
    }

    /// A run whose x and multipliers are looked at by plain loops.
    fn judged(
        &self,
        solver: String,
        problem: String,
        seconds: f64,
        program: &Program,
        values: &[f64],
    ) -> Run {
        let (x, y) = values.split_at(program.q.len());
        let found = violations(program, x, y);
        let (residual, scaled_residual) = (found.residual(), found.scaled_residual());
        let solved = scaled_residual <= self.tolerance && seconds <= self.limit;
        Run { solver, problem, seconds, residual, scaled_residual, objective: found.objective, solved }
    }

    fn summaries(&self, runs: &[Run]) -> Vec<Summary> {
        let mut solvers: Vec<&str> = Vec::new();
        for run in runs {
            if !solvers.contains(&run.solver.as_str()) {
                solvers.push(&run.solver);
            }
        }
        let mut quern = None;
        solvers
            .into_iter()
            .map(|solver| {
                let of: Vec<_> = runs.iter().filter(|run| run.solver == solver).collect();
                let logarithms = of.iter().map(|run| if run.solved { run.seconds } else { self.limit }.ln());
                let geometric_mean = (logarithms.sum::<f64>() / of.len() as f64).exp();
                let solved = of.iter().filter(|run| run.solved);
                Summary {
                    solver: solver.into(),
                    solved: solved.clone().count(),
                    solved_absolutely: solved.filter(|run| run.residual <= self.tolerance).count(),
                    geometric_mean,
                    ratio: geometric_mean / *quern.get_or_insert(geometric_mean),
                }
            })
            .collect()
    }
}

/// The problems of these paths, in order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
            let mut here = Vec::new();
            for entry in entries {
                here.push(entry.with_context(|| path.display().to_string())?.path());
            }
            here.retain(|file| file.extension().is_some_and(|extension| extension == "npz"));
            ensure!(!here.is_empty(), "{}: expected .npz files, found none", path.display());
            here.sort();
            files.extend(here);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

/// The times as a table, and the share of problems a solver solves within a multiple of the shortest time.
fn findings(document: &Document) -> Findings {
    let columns = ["solver", "problem", "time (s)", "residual", "scaled residual", "objective", "solved"];
    let mut table = Table::new("times", "Time and residuals of every solver on every problem", &columns);
    for run in &document.runs {
        table.rows.push(vec![
            Cell::from(run.solver.clone()),
            Cell::from(run.problem.clone()),
            Cell::from(run.seconds),
            Cell::from(run.residual),
            Cell::from(run.scaled_residual),
            Cell::from(run.objective),
            Cell::from(if run.solved { "yes" } else { "no" }),
        ]);
    }
    let shortest = |problem: &str| {
        let of = document.runs.iter().filter(|run| run.problem == problem && run.solved);
        of.map(|run| run.seconds).fold(f64::INFINITY, f64::min)
    };
    let series = document.solvers.iter().map(|summary| {
        let of = document.runs.iter().filter(|run| run.solver == summary.solver && run.solved);
        let mut ratios: Vec<f64> = of.map(|run| run.seconds / shortest(&run.problem)).collect();
        ratios.sort_by(f64::total_cmp);
        let share = |count: usize| count as f64 / document.problems as f64;
        let steps =
            ratios.iter().enumerate().flat_map(|(i, &ratio)| [(ratio, share(i)), (ratio, share(i + 1))]);
        Series::new(summary.solver.clone(), steps.collect())
    });
    let plot = Plot {
        name: "performance-profile".into(),
        title: "Share of the problems solved within a multiple of the shortest time".into(),
        x_axis: Axis { logarithmic: true, ..Axis::new("time over the shortest time") },
        y_axis: Axis::new("share of the problems"),
        kind: PlotKind::Lines,
        series: series.collect(),
    };
    Findings { tables: vec![table], plots: vec![plot], ..Findings::default() }
}
