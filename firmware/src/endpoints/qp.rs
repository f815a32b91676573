//! Quadratic programs.

use crate::{Call, CallError, Scalar};
use quern_kernels::factor::LdlPattern;
use quern_kernels::linop::{Csr, Dense, SymmetricCsr};
use quern_kernels::optim::qp::{
    DenseKkt, InteriorPoint, InteriorPointSettings, Problem, Report, SparseKkt, Splitting, SplittingSettings,
    Status, Stop, equilibrate,
};

endpoints! {
    "optim/qp_splitting" => splitting;
    "optim/qp_interior_point" => interior_point;
    "optim/qp_sparse" => sparse;
}

/// A problem with dense P and A.
type DenseProblem<'a, T> = Problem<'a, T, Dense<'a, T>, Dense<'a, T>>;

/// The dense problem of the next arguments, and when to stop: P (n² entries), q, A by columns, l, u, absolute
/// tolerance, steps.
fn dense<'a, T: Scalar>(call: &mut Call<'a>) -> Result<(DenseProblem<'a, T>, Stop<T>), CallError> {
    let (p, q, a) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let (lower, upper) = (call.vector::<T>()?, call.vector::<T>()?);
    let (n, m) = (q.len(), lower.len());
    let (p, a) = (Dense::new(n, n, p)?, Dense::new(m, n, a)?);
    let problem = Problem::new(p, q, a, lower, upper)?;
    Ok((problem, stop(call)?))
}

/// Absolute tolerance, steps.
fn stop<T: Scalar>(call: &mut Call<'_>) -> Result<Stop<T>, CallError> {
    let absolute_tolerance = call.scalar()?;
    Ok(Stop {
        absolute_tolerance,
        relative_tolerance: T::ZERO,
        max_iterations: call.size()?,
        ..Stop::default()
    })
}

/// P, q, A, l, u, tolerance, steps → status, steps taken, x, y.
fn splitting<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (problem, stop) = dense::<T>(call)?;
    let (n, m) = (problem.variables(), problem.constraints());
    let mut kkt = DenseKkt::new(call.lend::<T>(DenseKkt::scalars(n, m))?);
    let memory = call.lend::<T>(Splitting::scalars(n, m))?;
    let mut solver = Splitting::new(SplittingSettings::default(), memory)?;
    let (x, y) = (call.lend::<T>(n)?, call.lend::<T>(m)?);
    let report = call.measure(|| solver.solve(&problem, &mut kkt, &stop))?;
    solver.solution(&problem, x, y)?;
    answer(call, &report, x, y)
}

/// P, q, A, l, u, tolerance, steps → status, steps taken, x, y.
fn interior_point<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (problem, stop) = dense::<T>(call)?;
    let (n, m) = (problem.variables(), problem.constraints());
    let mut kkt = DenseKkt::new(call.lend::<T>(DenseKkt::scalars(n, m))?);
    let memory = call.lend::<T>(InteriorPoint::scalars(n, m))?;
    let mut solver = InteriorPoint::new(InteriorPointSettings::default(), memory)?;
    let (x, y) = (call.lend::<T>(n)?, call.lend::<T>(m)?);
    let report = call.measure(|| solver.solve(&problem, &mut kkt, &stop))?;
    solver.solution(&problem, x, y)?;
    answer(call, &report, x, y)
}

/// P's lower triangle and A, each as row pointers, column indices and values; q, l, u; the order, the pattern
/// of the matrix (pointers, rows, sources) and of the factor (pointers, rows); tolerance, steps → status, steps
/// taken, x, y.
fn sparse<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let p = SymmetricCsr::new(call.indices()?, call.indices()?, call.vector::<T>()?)?;
    let (pointers, columns, values) = (call.indices()?, call.indices()?, call.vector::<T>()?);
    let (q, lower, upper) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let (n, m) = (q.len(), lower.len());
    let stored = p.values().len().saturating_add(values.len());
    let a = Csr::new(n, pointers, columns, values)?;
    let problem = Problem::new(p, q, a, lower, upper)?;
    let pattern = LdlPattern::new(
        call.indices()?,
        call.indices()?,
        call.indices()?,
        call.indices()?,
        call.indices()?,
        call.indices()?,
    )?;
    let stop = stop(call)?;
    let rows = n.saturating_add(m);
    let scaled = call.lend::<T>(Problem::<T>::equilibration_scalars(n, m, stored))?;
    let factor = call.lend::<T>(SparseKkt::scalars(pattern.stored(), rows))?;
    let mut kkt = SparseKkt::new(pattern, factor, call.lend::<u32>(SparseKkt::indices(rows))?);
    let memory = call.lend::<T>(Splitting::scalars(n, m))?;
    let (x, y) = (call.lend::<T>(n)?, call.lend::<T>(m)?);
    let mut solver = Splitting::new(SplittingSettings::default(), memory)?;
    let report = call.measure(|| {
        let problem = equilibrate(&problem, 10, scaled)?;
        let report = solver.solve(&problem, &mut kkt, &stop)?;
        solver.solution(&problem, x, y).map(|()| report)
    })?;
    answer(call, &report, x, y)
}

fn answer<T: Scalar>(call: &mut Call<'_>, report: &Report<T>, x: &[T], y: &[T]) -> Result<(), CallError> {
    let status = match report.status {
        Status::Solved => 0,
        Status::PrimalInfeasible => 1,
        Status::DualInfeasible => 2,
        Status::MaxIterations => 3,
        Status::Stagnated => 4,
    };
    call.answer_size(status)?;
    call.answer_size(report.iterations)?;
    call.answer_vector(x)?;
    call.answer_vector(y)
}
