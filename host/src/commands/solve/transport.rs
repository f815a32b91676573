//! `quern solve transport`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use quern::io::npy::{self, Array, Entries, Shape};
use quern::io::{file, npz};
use quern_kernels::optim::quasi_newton::{Lbfgs, LbfgsSettings};
use quern_kernels::transport::{
    Ascent, AscentSettings, Problem, QuasiNewton, Regularizer, Sinkhorn, Status, Stop, plan,
};
use serde::Serialize;

use crate::commands::number::positive;
use crate::commands::output;

/// Solves a problem of optimal transport: min ⟨T, C⟩ + a regularizer over T ≥ 0 with T1 = a, Tᵀ1 = b.
///
/// The value printed is ⟨T, C⟩, the marginal error ‖a − T1‖₁ + ‖b − Tᵀ1‖₁ of the plan as written. With few nonzeros a
/// column there may be no plan with these marginals that a potential describes: the error then stays, and the value may
/// lie below that of every plan. Exits with 0 only if the error is at most the tolerance times the mass.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern solve transport --cost C.npy --method sparse --k 2 --regularization 1 --out plan.npz
  quern solve transport --cost C.npy --a a.npy --b b.npy --method sinkhorn --regularization 0.01 --json")]
pub(super) struct Transport {
    /// The cost: .npy, m×n.
    #[arg(long, value_name = "FILE")]
    cost: PathBuf,
    /// The masses of the rows: .npy, m entries [default: 1/m each].
    #[arg(long, value_name = "FILE")]
    a: Option<PathBuf>,
    /// The masses of the columns: .npy, n entries [default: 1/n each].
    #[arg(long, value_name = "FILE")]
    b: Option<PathBuf>,
    /// The regularizer.
    #[arg(long, value_enum)]
    method: Method,
    /// The most nonzeros in a column of the plan; for sparse alone.
    #[arg(long, value_name = "K", required_if_eq("method", "sparse"))]
    k: Option<usize>,
    /// The regularizer's weight: of the entropy, or γ of (γ/2)‖T‖².
    #[arg(long, value_name = "G", default_value_t = 0.1, value_parser = positive, allow_negative_numbers = true)]
    regularization: f64,
    /// The marginal error asked for, as a share of the mass.
    #[arg(long, default_value_t = 1e-6, value_parser = positive, allow_negative_numbers = true)]
    tolerance: f64,
    /// The most steps.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_iterations: usize,
    /// Where the plan goes, .npz: its entries above zero as rows, columns and values, and its shape.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON document instead of a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Method {
    /// Entropy: a full plan, by Sinkhorn's iteration.
    Sinkhorn,
    /// A squared norm: a sparse plan, by L-BFGS.
    Quadratic,
    /// A squared norm and at most K nonzeros a column, by L-BFGS, then Adam where that stalls.
    Sparse,
}

#[derive(Serialize)]
struct Document {
    status: String,
    value: f64,
    /// The maximum found of the semi-dual; none for sinkhorn.
    #[serde(skip_serializing_if = "Option::is_none")]
    dual_value: Option<f64>,
    marginal_error: f64,
    row_error: f64,
    iterations: usize,
    seconds: f64,
    nonzeros: usize,
    largest_column: usize,
}

/// The entries of a plan above zero.
#[derive(Default)]
struct Plan {
    rows: Vec<i64>,
    columns: Vec<i64>,
    values: Vec<f64>,
}

/// What a method found.
struct Found {
    status: Status,
    iterations: usize,
    dual_value: Option<f64>,
    plan: Plan,
}

/// Rows and columns of positive mass: the others have nothing to transport.
struct Data {
    shape: [usize; 2],
    rows: Vec<usize>,
    columns: Vec<usize>,
    a: Vec<f64>,
    b: Vec<f64>,
    /// By columns.
    cost: Vec<f64>,
}

impl Transport {
    pub(super) fn run(self) -> Result<ExitCode> {
        ensure!(self.k.is_none() || self.method == Method::Sparse, "--k is for --method sparse");
        let data = self.read()?;
        let place = self.cost.display().to_string();
        let started = Instant::now();
        let found = self.solve(&data).with_context(|| place.clone())?;
        let seconds = started.elapsed().as_secs_f64();
        let Found { status, iterations, dual_value, plan } = found;

        let (mut row_sums, mut column_sums) = (vec![0.0; data.a.len()], vec![0.0; data.b.len()]);
        let (mut counts, mut value) = (vec![0; data.b.len()], 0.0);
        for ((&i, &j), &t) in plan.rows.iter().zip(&plan.columns).zip(&plan.values) {
            let (i, j) = (i as usize, j as usize);
            row_sums[i] += t;
            column_sums[j] += t;
            counts[j] += 1;
            value += t * data.cost[i + j * data.a.len()];
        }
        let distance = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).abs()).sum::<f64>();
        let row_error = distance(&data.a, &row_sums);
        let marginal_error = row_error + distance(&data.b, &column_sums);
        let nonzeros = plan.values.len();
        if let Some(path) = &self.out {
            let original = |kept: &[usize], indices: Vec<i64>| {
                Array::vector(Entries::I64(indices.into_iter().map(|i| kept[i as usize] as i64).collect()))
            };
            let members = [
                ("rows", original(&data.rows, plan.rows)),
                ("columns", original(&data.columns, plan.columns)),
                ("values", Array::vector(Entries::F64(plan.values))),
                ("shape", Array::vector(Entries::I64(data.shape.map(|extent| extent as i64).into()))),
            ];
            file::write_one(path, npz::to_bytes(&members)?)?;
        }
        let largest_column = counts.into_iter().max().unwrap_or(0);
        let document = Document {
            status: status.to_string(),
            value,
            dual_value,
            marginal_error,
            row_error,
            iterations,
            seconds,
            nonzeros,
            largest_column,
        };
        if self.json {
            output::json(&document)?;
        } else {
            output::line(format_args!(
                "{status} after {iterations} steps and {seconds:.3} s, value {value:.10e}, marginal error \
                 {marginal_error:.1e}, {nonzeros} nonzeros, at most {largest_column} in a column"
            ))?;
        }
        Ok(if status == Status::Converged { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn read(&self) -> Result<Data> {
        let (shape, cost) = numbers(&self.cost)?;
        let name = self.cost.display();
        let &[m, n] = &shape[..] else {
            bail!("{name}: expected a matrix, found the shape {}", Shape(&shape));
        };
        ensure!(m > 0 && n > 0, "{name}: expected rows and columns, found the shape {}", Shape(&shape));
        let uniform = |path: &Option<PathBuf>, count: usize, side: &str| match path {
            None => Ok(vec![1.0 / count as f64; count]),
            Some(path) => masses(path, count, side),
        };
        let a = uniform(&self.a, m, "rows")?;
        let mut b = uniform(&self.b, n, "columns")?;
        let (mass, other) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
        // Single precision is enough to be equal.
        if (mass - other).abs() > 1e-6 * mass || !mass.is_finite() {
            let name = |path: &Option<PathBuf>| {
                path.as_deref().map_or("uniform weights".into(), |path: &Path| path.display().to_string())
            };
            bail!("{} sum to {mass}, {} to {other}: expected equal sums", name(&self.a), name(&self.b));
        }
        b.iter_mut().for_each(|b| *b *= mass / other);
        let kept = |masses: &[f64]| (0..masses.len()).filter(|&i| masses[i] > 0.0).collect::<Vec<_>>();
        let (rows, columns) = (kept(&a), kept(&b));
        let places = columns.iter().flat_map(|&j| rows.iter().map(move |&i| i * n + j));
        let cost = places.map(|place| cost[place]).collect();
        let a = rows.iter().map(|&i| a[i]).collect();
        let b = columns.iter().map(|&j| b[j]).collect();
        Ok(Data { shape: [m, n], rows, columns, a, b, cost })
    }

    fn solve(&self, data: &Data) -> Result<Found> {
        let problem = Problem::dense(&data.a, &data.b, &data.cost)?;
        let (m, n) = (problem.rows(), problem.columns());
        let stop = Stop { tolerance: self.tolerance, max_iterations: self.max_iterations };
        let mut found = Plan::default();
        let mut put = |i: usize, j: usize, value: f64| {
            if value > 0.0 {
                found.rows.push(i as i64);
                found.columns.push(j as i64);
                found.values.push(value);
            }
        };
        let nonzeros = match self.method {
            Method::Sinkhorn => {
                let mut solver = Sinkhorn::new(vec![0.0; Sinkhorn::scalars(m, n)]);
                let report = solver.solve(&problem, self.regularization, &stop)?;
                let mut column = vec![0.0; m];
                for j in 0..n {
                    solver.plan_column(&problem, self.regularization, j, &mut column)?;
                    column.iter().enumerate().for_each(|(i, &value)| put(i, j, value));
                }
                let (status, iterations) = (report.status, report.iterations);
                return Ok(Found { status, iterations, dual_value: None, plan: found });
            }
            Method::Quadratic => m,
            Method::Sparse => self.k.unwrap_or(m).min(m),
        };
        let regularizer = Regularizer { weight: self.regularization, nonzeros };
        regularizer.validate()?;
        let lbfgs = Lbfgs::new(LbfgsSettings::default(), vec![0.0; Lbfgs::scalars(m, 10)])?;
        let memory = vec![0.0; QuasiNewton::scalars(m, nonzeros)];
        let mut solver = QuasiNewton::new(lbfgs, memory, vec![0; nonzeros]);
        let mut report = solver.solve(&problem, &regularizer, &stop)?;
        let mut potential = solver.potential().to_vec();
        if report.status == Status::Stagnated && nonzeros < m {
            let size = data.cost.iter().fold(0.0_f64, |size, c| size.max(c.abs()));
            let settings = AscentSettings::default();
            let learning_rate = settings.learning_rate * if size > 0.0 { size } else { 1.0 };
            let memory = vec![0.0; Ascent::scalars(m, nonzeros)];
            let settings = AscentSettings { learning_rate, ..settings };
            let mut solver = Ascent::new(settings, memory, vec![0.0; 2 * m], vec![0; nonzeros])?;
            let max_iterations = self.max_iterations.saturating_sub(report.iterations);
            let other = solver.solve(&problem, &regularizer, &Stop { max_iterations, ..stop })?;
            let iterations = report.iterations + other.iterations;
            if other.status == Status::Converged || other.value > report.value {
                report = other;
                potential.copy_from_slice(solver.potential());
            } else {
                report.status = other.status;
            }
            report.iterations = iterations;
        }
        let (mut indices, mut entries) = (vec![0; n * nonzeros], vec![0.0; n * nonzeros]);
        let memory = &mut vec![0.0; 2 * m + nonzeros];
        plan(&problem, &regularizer, &potential, &mut indices, &mut entries, memory)?;
        for (place, (&i, &value)) in indices.iter().zip(&entries).enumerate() {
            put(i as usize, place / nonzeros, value);
        }
        let (status, iterations) = (report.status, report.iterations);
        Ok(Found { status, iterations, dual_value: Some(report.value), plan: found })
    }
}

/// A file's finite numbers.
fn numbers(path: &Path) -> Result<(Vec<usize>, Vec<f64>)> {
    let Array { shape, entries } = npy::read(path)?;
    let numbers: Vec<f64> = match entries {
        Entries::F64(entries) => entries,
        Entries::F32(entries) => entries.into_iter().map(f64::from).collect(),
        Entries::U8(entries) => entries.into_iter().map(f64::from).collect(),
        Entries::I8(entries) => entries.into_iter().map(f64::from).collect(),
        Entries::I64(entries) => entries.into_iter().map(|entry| entry as f64).collect(),
    };
    if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
        bail!("{}: entry {} is {}", path.display(), place + 1, numbers[place]);
    }
    Ok((shape, numbers))
}

/// Masses, of which some may be zero.
fn masses(path: &Path, count: usize, side: &str) -> Result<Vec<f64>> {
    let (shape, masses) = numbers(path)?;
    let name = path.display();
    let long = shape.iter().filter(|&&extent| extent != 1).count();
    ensure!(long <= 1, "{name}: expected a vector, found the shape {}", Shape(&shape));
    ensure!(
        masses.len() == count,
        "{name}: expected {count} entries, as the cost has {side}, found {}",
        masses.len()
    );
    if let Some(place) = masses.iter().position(|mass| *mass < 0.0) {
        bail!("{name}: entry {} is {}: a weight cannot be negative", place + 1, masses[place]);
    }
    ensure!(masses.iter().any(|mass| *mass > 0.0), "{name}: expected a positive weight");
    Ok(masses)
}
