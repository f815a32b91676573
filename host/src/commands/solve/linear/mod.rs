//! `quern solve` of a linear system, or a least-squares problem, from files.

mod methods;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use quern::io::matrix_market::{self, Matrix, Symmetry};
use quern::io::npy::{self, Array, Entries, Shape};
use quern::io::{csv, file};
use quern::report::short;
use quern_kernels::krylov::Status;
use serde::Serialize;

use crate::commands::output;

/// Solves Ax = b, or min ‖Ax − b‖₂ with lsqr, by an iterative method.
///
/// cg needs a symmetric positive definite matrix, minres a symmetric one, gmres a square one; lsqr takes any
/// shape. The relative residual ‖b − Ax‖/‖b‖ printed is computed afresh from the result and the matrix of the
/// file, in double precision. lsqr stops by the rules of its authors: at ‖r‖ ≤ tolerance·(‖b‖ + ‖A‖‖x‖), or,
/// where the system has no solution, at ‖Aᵀr‖ ≤ tolerance·‖A‖‖r‖. Exits with 0 only if the method converged.
#[derive(Args)]
pub(super) struct Linear {
    /// The method.
    #[arg(value_enum)]
    method: Method,
    /// The matrix A, MatrixMarket.
    #[arg(long, value_name = "FILE")]
    matrix: PathBuf,
    /// The right-hand side b, .npy or MatrixMarket [default: A times a vector of ones].
    #[arg(long, value_name = "FILE")]
    rhs: Option<PathBuf>,
    /// The initial iterate, .npy or MatrixMarket [default: zero].
    #[arg(long, value_name = "FILE")]
    x0: Option<PathBuf>,
    /// The preconditioner. An incomplete factor that breaks down is computed again with a larger diagonal.
    #[arg(long, value_enum, default_value = "none")]
    preconditioner: Preconditioner,
    /// The relative residual asked for.
    #[arg(long, default_value_t = 1e-8, value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: f64,
    /// The most steps [default: ten times the unknowns, for lsqr twenty times].
    #[arg(long, value_name = "N")]
    max_iterations: Option<usize>,
    /// Steps of gmres before it starts afresh.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = at_least_one)]
    restart: usize,
    /// The precision of the method.
    #[arg(long, value_enum, default_value = "f64")]
    precision: Precision,
    /// Threads; 0 for one per core. The result does not depend on their number.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Where the result goes, .npy of the method's precision.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where the relative residual after each step goes, .csv; it is that of the method's recurrence.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Print one JSON document instead of a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Conjugate gradients: symmetric positive definite.
    Cg,
    /// Minimal residuals: symmetric.
    Minres,
    /// Generalized minimal residuals, restarted: square.
    Gmres,
    /// Least squares: any shape.
    Lsqr,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Preconditioner {
    /// None.
    None,
    /// The inverse of the diagonal, which must be positive (for gmres, not zero).
    Jacobi,
    /// Incomplete Cholesky factorization without fill-in: symmetric positive definite.
    Ic0,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Precision {
    F32,
    F64,
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(tolerance) if (0.0..1.0).contains(&tolerance) => Ok(tolerance),
        _ => Err("expected a number from 0 to below 1".into()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a whole number of at least 1".into()),
    }
}

/// What is solved.
struct Problem {
    matrix: Matrix,
    right_hand_side: Vec<f64>,
    initial: Option<Vec<f64>>,
}

/// What a method returned.
struct Outcome {
    status: Status,
    iterations: usize,
    solution: Entries,
    /// Residual norms after 0, 1, ... steps.
    history: Vec<f64>,
    /// What the incomplete factorization added to the diagonal, relative to it.
    shift: Option<f64>,
}

#[derive(Serialize)]
struct Document {
    status: &'static str,
    iterations: usize,
    relative_residual: f64,
    seconds: f64,
    rows: usize,
    columns: usize,
    stored: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    normal_residual: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shift: Option<f64>,
}

impl Linear {
    pub(super) fn run(self) -> Result<ExitCode> {
        let matrix = matrix_market::read_matrix(&self.matrix)?;
        self.fits(&matrix).with_context(|| self.matrix.display().to_string())?;
        let right_hand_side = match &self.rhs {
            Some(path) => vector(path, matrix.rows, "rows").context("--rhs")?,
            None => product(&matrix, &vec![1.0; matrix.columns])?,
        };
        let initial = match &self.x0 {
            Some(path) => Some(vector(path, matrix.columns, "columns").context("--x0")?),
            None => None,
        };
        let problem = Problem { matrix, right_hand_side, initial };

        let started = Instant::now();
        let outcome = match self.precision {
            Precision::F32 => methods::solve::<f32>(&self, &problem, Entries::F32),
            Precision::F64 => methods::solve::<f64>(&self, &problem, Entries::F64),
        }
        .with_context(|| self.matrix.display().to_string())?;
        let seconds = started.elapsed().as_secs_f64();
        self.report(&problem, outcome, seconds)
    }

    /// Refuses a matrix that the method is not for, as far as it can be seen.
    fn fits(&self, matrix: &Matrix) -> Result<()> {
        let Matrix { rows, columns, .. } = *matrix;
        ensure!(rows > 0 && columns > 0, "the matrix is empty: {rows}×{columns}");
        let square = "a square matrix; lsqr takes any shape";
        let (needs, symmetric) = match self.method {
            Method::Lsqr => {
                ensure!(self.preconditioner == Preconditioner::None, "lsqr takes no preconditioner");
                return Ok(());
            }
            Method::Gmres => (square, self.preconditioner == Preconditioner::Ic0),
            Method::Cg => ("a symmetric positive definite matrix", true),
            Method::Minres => ("a symmetric matrix", true),
        };
        ensure!(rows == columns, "the method needs {needs}, this one is {rows}×{columns}");
        if symmetric && let Some((row, column)) = asymmetry(matrix) {
            let whose = if self.method == Method::Gmres { "ic0" } else { "the method" };
            bail!(
                "{whose} needs a symmetric matrix, but the entries ({row}, {column}) and ({column}, {row}) differ; \
                 gmres without ic0 takes it"
            );
        }
        if self.method == Method::Cg
            && let Some(row) = (0..rows).find(|&row| entry(matrix, row, row) <= 0.0)
        {
            bail!(
                "the method needs a positive definite matrix, but the diagonal entry {} is {}; minres takes it",
                row + 1,
                entry(matrix, row, row)
            );
        }
        Ok(())
    }

    fn report(self, problem: &Problem, outcome: Outcome, seconds: f64) -> Result<ExitCode> {
        let Problem { matrix, right_hand_side, .. } = problem;
        let Outcome { status, iterations, solution, history, shift } = outcome;
        let x = match &solution {
            Entries::F32(x) => x.iter().map(|&x| f64::from(x)).collect(),
            Entries::F64(x) => x.clone(),
            _ => bail!("the method returned {}", solution.type_name()),
        };
        let image = product(matrix, &x)?;
        let residual: Vec<f64> = right_hand_side.iter().zip(&image).map(|(b, image)| b - image).collect();
        let scale = match norm(right_hand_side) {
            0.0 => 1.0,
            norm => norm,
        };
        let relative_residual = norm(&residual) / scale;
        let normal_residual = (self.method == Method::Lsqr).then(|| {
            let bound = norm(&matrix.values) * norm(&residual);
            if bound > 0.0 { norm(&adjoint_product(matrix, &residual)) / bound } else { 0.0 }
        });
        // What converged in single precision may not have solved the system of the file.
        let reached = self.method == Method::Lsqr || relative_residual <= self.tolerance * 1.01;
        let status = match status {
            Status::Converged if reached => "converged",
            Status::Converged | Status::Stagnated => "stagnated",
            Status::MaxIterations => "max-iterations",
            Status::Breakdown => "breakdown",
        };

        let mut files = Vec::new();
        if let Some(path) = &self.out {
            files.push((path.as_path(), npy::to_bytes(&Array::vector(solution))?));
        }
        if let Some(path) = &self.history {
            let rows = history.iter().enumerate();
            let rows = rows.map(|(step, residual)| [step.to_string(), format!("{:e}", residual / scale)]);
            files.push((path.as_path(), csv::to_bytes(&["iteration", "residual"], rows)?));
        }
        file::write(files)?;

        if let Some(shift) = shift.filter(|&shift| shift > 0.0) {
            let shift = short(shift);
            eprintln!(
                "The incomplete factor broke down and was computed again with {shift} of the diagonal added"
            );
        }
        match status {
            "stagnated" => eprintln!("Rounding allows no smaller residual in this precision"),
            "breakdown" if self.method == Method::Cg => {
                eprintln!(
                    "The matrix (or the preconditioner) is not positive definite; minres or gmres may take it"
                );
            }
            "breakdown" => {
                eprintln!("The method cannot go on: the matrix is singular, or not of the kind it is for")
            }
            _ => {}
        }
        let document = Document {
            status,
            iterations,
            relative_residual,
            seconds,
            rows: matrix.rows,
            columns: matrix.columns,
            stored: matrix.values.len(),
            normal_residual,
            shift,
        };
        if self.json {
            output::json(&document)?;
        } else {
            output::line(format_args!(
                "{status} after {iterations} steps and {seconds:.3} s, relative residual {relative_residual:.3e}"
            ))?;
            if let Some(normal_residual) = normal_residual {
                output::line(format_args!(
                    "relative residual of the normal equations {normal_residual:.3e}"
                ))?;
            }
        }
        Ok(if status == "converged" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A finite vector of the length that fits the matrix.
fn vector(path: &Path, length: usize, what: &str) -> Result<Vec<f64>> {
    let place = path.display();
    let values = if path.extension().is_some_and(|extension| extension == "mtx") {
        matrix_market::read_vector(path)?
    } else {
        let Array { shape, entries } = npy::read(path)?;
        ensure!(
            shape.iter().filter(|&&extent| extent != 1).count() <= 1,
            "{place}: expected a vector, found the shape {}",
            Shape(&shape)
        );
        match entries {
            Entries::F32(values) => values.into_iter().map(f64::from).collect(),
            Entries::F64(values) => values,
            other => bail!("{place}: expected float32 or float64, found {}", other.type_name()),
        }
    };
    ensure!(
        values.len() == length,
        "{place}: expected {length} entries, one for each of the matrix's {what}, found {}",
        values.len()
    );
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        bail!("{place}: entry {} is {}", index + 1, values[index]);
    }
    Ok(values)
}

/// Columns and values of a row.
fn row(matrix: &Matrix, row: usize) -> impl Iterator<Item = (usize, f64)> {
    let range = matrix.row_pointers[row] as usize..matrix.row_pointers[row + 1] as usize;
    let columns = matrix.column_indices[range.clone()].iter().map(|&column| column as usize);
    columns.zip(matrix.values[range].iter().copied())
}

/// Entry (i, j), 0 where none is stored.
fn entry(matrix: &Matrix, i: usize, j: usize) -> f64 {
    let range = matrix.row_pointers[i] as usize..matrix.row_pointers[i + 1] as usize;
    match matrix.column_indices[range.clone()].binary_search(&(j as u32)) {
        Ok(position) => matrix.values[range][position],
        Err(_) => 0.0,
    }
}

/// The first entry, counted from 1, that differs from its mirror image by more than rounding.
fn asymmetry(matrix: &Matrix) -> Option<(usize, usize)> {
    if matrix.symmetry == Symmetry::Symmetric {
        return None;
    }
    (0..matrix.rows).find_map(|i| {
        row(matrix, i)
            .find(|&(j, value)| {
                let mirrored = entry(matrix, j, i);
                (value - mirrored).abs() > 1e-14 * value.abs().max(mirrored.abs())
            })
            .map(|(j, _)| (i + 1, j + 1))
    })
}

fn product(matrix: &Matrix, x: &[f64]) -> Result<Vec<f64>> {
    use quern_kernels::linop::LinearOperator;
    let mut y = vec![0.0; matrix.rows];
    matrix.csr()?.apply(x, &mut y);
    Ok(y)
}

fn adjoint_product(matrix: &Matrix, y: &[f64]) -> Vec<f64> {
    let mut x = vec![0.0; matrix.columns];
    for (i, y) in y.iter().enumerate() {
        for (j, value) in row(matrix, i) {
            x[j] += value * y;
        }
    }
    x
}

/// ‖x‖₂, free of overflow and underflow.
fn norm(x: &[f64]) -> f64 {
    let largest = x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * x.iter().map(|x| (x / largest) * (x / largest)).sum::<f64>().sqrt()
}
