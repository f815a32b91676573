//! Optimal transport. The cost is m×n by columns, for a of m and b of n.

use crate::link::Value;
use crate::{Call, CallError, Scalar};
use quern_kernels::optim::quasi_newton::{Lbfgs, LbfgsSettings};
use quern_kernels::transport::{
    self, Ascent, AscentSettings, Problem, QuasiNewton, Regularizer, Report, Sinkhorn, Status, Stop,
};

endpoints! {
    "transport/max_k" => max_k;
    "transport/delta_k" => delta_k;
    "transport/semidual" => semidual;
    "transport/dual" => dual;
    "transport/plan" => plan;
    "transport/marginal_error" => marginal_error;
    "transport/ascent" => ascent;
    "transport/quasi_newton" => quasi_newton;
    "transport/sinkhorn" => sinkhorn;
}

/// γ, k → the regularizer.
fn regularizer<T: Scalar>(call: &mut Call<'_>) -> Result<Regularizer<T>, CallError> {
    Ok(Regularizer { weight: call.scalar()?, nonzeros: call.size()? })
}

/// x, total, γ, k → value, indices, entries.
fn max_k<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let total = call.scalar()?;
    let Regularizer { weight, nonzeros } = regularizer::<T>(call)?;
    let k = nonzeros.min(x.len());
    let (indices, entries) = (call.lend::<u32>(k)?, call.lend::<T>(k)?);
    let value = call.measure(|| transport::max_k(x, total, weight, indices, entries))?;
    call.answer_scalar(value)?;
    call.answer(Value::Indices(bytemuck::cast_slice(indices)))?;
    call.answer_vector(entries)
}

/// s, γ, k → value, indices, entries.
fn delta_k<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let s = call.vector::<T>()?;
    let Regularizer { weight, nonzeros } = regularizer::<T>(call)?;
    let k = nonzeros.min(s.len());
    let (indices, entries) = (call.lend::<u32>(k)?, call.lend::<T>(k)?);
    let value = call.measure(|| transport::delta_k(s, weight, indices, entries))?;
    call.answer_scalar(value)?;
    call.answer(Value::Indices(bytemuck::cast_slice(indices)))?;
    call.answer_vector(entries)
}

/// a, b, C, α, γ, k → D, its supergradient.
fn semidual<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Problem::dense(call.vector::<T>()?, call.vector()?, call.vector()?)?;
    let potential = call.vector()?;
    let regularizer = regularizer(call)?;
    let m = problem.rows();
    let k = regularizer.nonzeros.min(m);
    let gradient = call.lend(m)?;
    let (indices, memory) = (call.lend(k)?, call.lend(m.saturating_add(k))?);
    let value =
        call.measure(|| transport::semidual(&problem, &regularizer, potential, gradient, indices, memory))?;
    call.answer_scalar(value)?;
    call.answer_vector(gradient)
}

/// a, b, C, α, β, γ, k → the dual's value and its supergradients.
fn dual<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Problem::dense(call.vector::<T>()?, call.vector()?, call.vector()?)?;
    let (rows, columns) = (call.vector::<T>()?, call.vector::<T>()?);
    let regularizer = regularizer(call)?;
    let m = problem.rows();
    let k = regularizer.nonzeros.min(m);
    let (row_gradient, column_gradient) = (call.lend::<T>(m)?, call.lend::<T>(problem.columns())?);
    let (indices, memory) = (call.lend(k)?, call.lend(m.saturating_add(k))?);
    let value = call.measure(|| {
        let gradients = (&mut *row_gradient, &mut *column_gradient);
        transport::dual(&problem, &regularizer, (rows, columns), gradients, indices, memory)
    })?;
    call.answer_scalar(value)?;
    call.answer_vector(row_gradient)?;
    call.answer_vector(column_gradient)
}

/// a, b, C, α, γ, k → indices, entries, cost, row error, column error, nonzeros, most in a column.
fn plan<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Problem::dense(call.vector::<T>()?, call.vector()?, call.vector()?)?;
    let potential = call.vector()?;
    let regularizer = regularizer(call)?;
    let m = problem.rows();
    let k = regularizer.nonzeros.min(m);
    let length = problem.columns().saturating_mul(k);
    let (indices, entries) = (call.lend(length)?, call.lend(length)?);
    let memory = call.lend(m.saturating_mul(2).saturating_add(k))?;
    let report =
        call.measure(|| transport::plan(&problem, &regularizer, potential, indices, entries, memory))?;
    call.answer(Value::Indices(bytemuck::cast_slice(indices)))?;
    call.answer_vector(entries)?;
    for figure in [report.cost, report.row_error, report.column_error] {
        call.answer_scalar(figure)?;
    }
    call.answer_size(report.nonzeros)?;
    call.answer_size(report.largest_column)
}

/// a, b, indices, entries → row error, column error.
fn marginal_error<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (a, b) = (call.vector::<T>()?, call.vector::<T>()?);
    let (indices, entries) = (call.indices()?, call.vector::<T>()?);
    let row_sums = call.lend(a.len())?;
    let (rows, columns) = call.measure(|| transport::marginal_error(a, b, indices, entries, row_sums))?;
    call.answer_scalar(rows)?;
    call.answer_scalar(columns)
}

/// a, b, C, γ, k, tolerance, steps → status, steps taken, D, row error, α.
fn ascent<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Problem::dense(call.vector::<T>()?, call.vector()?, call.vector()?)?;
    let regularizer = regularizer(call)?;
    let stop = Stop { tolerance: call.scalar()?, max_iterations: call.size()? };
    let m = problem.rows();
    let memory = call.lend::<T>(Ascent::scalars(m, regularizer.nonzeros))?;
    let moments = call.lend(m.saturating_mul(2))?;
    let indices = call.lend::<u32>(regularizer.nonzeros.min(m))?;
    let mut solver = Ascent::new(AscentSettings::default(), memory, moments, indices)?;
    let report = call.measure(|| solver.solve(&problem, &regularizer, &stop))?;
    answer(call, &report, solver.potential())
}

/// a, b, C, γ, k, tolerance, steps → status, steps taken, D, row error, α; three pairs are kept.
fn quasi_newton<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Problem::dense(call.vector::<T>()?, call.vector()?, call.vector()?)?;
    let regularizer = regularizer(call)?;
    let stop = Stop { tolerance: call.scalar()?, max_iterations: call.size()? };
    let m = problem.rows();
    let settings = LbfgsSettings { history: 3, ..LbfgsSettings::default() };
    let lbfgs = Lbfgs::new(settings, call.lend::<T>(Lbfgs::scalars(m, 3))?)?;
    let memory = call.lend::<T>(QuasiNewton::scalars(m, regularizer.nonzeros))?;
    let indices = call.lend::<u32>(regularizer.nonzeros.min(m))?;
    let mut solver = QuasiNewton::new(lbfgs, memory, indices);
    let report = call.measure(|| solver.solve(&problem, &regularizer, &stop))?;
    answer(call, &report, solver.potential())
}

fn answer<T: Scalar>(call: &mut Call<'_>, report: &Report<T>, potential: &[T]) -> Result<(), CallError> {
    call.answer_size(status(report.status))?;
    call.answer_size(report.iterations)?;
    call.answer_scalar(report.value)?;
    call.answer_scalar(report.row_error)?;
    call.answer_vector(potential)
}

fn status(status: Status) -> usize {
    match status {
        Status::Converged => 0,
        Status::MaxIterations => 1,
        Status::Stagnated => 2,
    }
}

/// a, b, C, ε, tolerance, steps → status, steps taken, cost, row error, the plan by columns.
fn sinkhorn<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Problem::dense(call.vector::<T>()?, call.vector()?, call.vector()?)?;
    let regularization = call.scalar()?;
    let stop = Stop { tolerance: call.scalar()?, max_iterations: call.size()? };
    let (m, n) = (problem.rows(), problem.columns());
    let mut solver = Sinkhorn::new(call.lend::<T>(Sinkhorn::scalars(m, n))?);
    let entries = call.lend::<T>(m.saturating_mul(n))?;
    let report = call.measure(|| solver.solve(&problem, regularization, &stop))?;
    for (j, column) in entries.chunks_exact_mut(m.max(1)).enumerate() {
        solver.plan_column(&problem, regularization, j, column)?;
    }
    call.answer_size(status(report.status))?;
    call.answer_size(report.iterations)?;
    call.answer_scalar(report.cost)?;
    call.answer_scalar(report.row_error)?;
    call.answer_vector(entries)
}
