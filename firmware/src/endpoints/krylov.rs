//! Krylov methods.

use super::linop::columns;
use crate::{Call, CallError, Scalar};
use quern_kernels::factor::IncompleteCholesky;
use quern_kernels::krylov::{
    Cg, DeflatedCg, Deflation, DirectionSettings, Gmres, LearnedDirections, LeastSquaresStop, LinearSystem,
    Lsqr, Minres, PreconditionedCg, Report, Sketch, SketchAndProject, Stop,
};
use quern_kernels::linop::{Dense, Diagonal, FixedDense, Identity, SymmetricCsr};

endpoints! {
    "krylov/cg" => cg;
    "krylov/cg_step" => cg_step;
    "krylov/preconditioned_cg" => preconditioned_cg;
    "krylov/deflated_cg" => deflated_cg;
    "krylov/learned_directions" => learned_directions;
    "krylov/minres" => minres;
    "krylov/gmres" => gmres;
    "krylov/lsqr" => lsqr;
    "krylov/sketch_and_project" => sketch_and_project;
}

/// rtol, atol, largest number of iterations.
fn stop<T: Scalar>(call: &mut Call<'_>) -> Result<Stop<T>, CallError> {
    Ok(Stop {
        relative_tolerance: call.scalar()?,
        absolute_tolerance: call.scalar()?,
        max_iterations: call.size()?,
    })
}

/// The report, then x.
fn answer<T: Scalar>(call: &mut Call<'_>, report: &Report<T>, x: &[T]) -> Result<(), CallError> {
    call.answer_size(report.status as usize)?;
    call.answer_size(report.iterations)?;
    call.answer_size(report.recurrence_iterations)?;
    call.answer_scalar(report.residual_norm)?;
    call.answer_scalar(report.right_hand_side_norm)?;
    call.answer_vector(x)
}

/// n, A, b, stop → report, x.
fn cg<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let matrix = Dense::new(n, n, call.vector()?)?;
    let problem = LinearSystem::new(&matrix, call.vector::<T>()?);
    let stop = stop(call)?;
    let mut solver = Cg::new(call.lend::<T>(Cg::scalars(n))?);
    let report = call.measure(|| solver.solve(&problem, &stop))?;
    answer(call, &report, solver.solution())
}

/// A of 8×8, b, number of steps → the last step's outcome, rᵀr, x. The last step is measured.
fn cg_step<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let entries = call.array::<T, 64>()?;
    let right_hand_side = call.array::<T, 8>()?;
    let steps = call.size()?.clamp(1, 64);
    let matrix = FixedDense::new(columns(entries)?)?;
    let problem = LinearSystem::new(&matrix, right_hand_side);
    let mut solver = Cg::new([T::ZERO; Cg::scalars(8)]);
    solver.start(&problem)?;
    for _ in 1..steps {
        solver.step(&problem);
    }
    let outcome = call.measure(|| solver.step(&problem));
    call.answer_size(outcome as usize)?;
    call.answer_scalar(solver.residual_squared())?;
    call.answer_vector(solver.solution())
}

/// Row pointers, column indices, values of the lower triangle, shift, b, stop → report, x. The preconditioner is IC(0) with this shift.
fn preconditioned_cg<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let matrix = SymmetricCsr::new(call.indices()?, call.indices()?, call.vector::<T>()?)?;
    let shift = call.scalar()?;
    let right_hand_side = call.vector()?;
    let stop = stop(call)?;
    let factor = IncompleteCholesky::factor(&matrix, shift, call.lend(matrix.values().len())?)?;
    let problem = LinearSystem::new(&matrix, right_hand_side).preconditioned(&factor);
    let memory = call.lend::<T>(PreconditionedCg::scalars(problem.right_hand_side.len()))?;
    let mut solver = PreconditionedCg::new(memory);
    let report = call.measure(|| solver.solve(&problem, &stop))?;
    answer(call, &report, solver.solution())
}

/// n, A, Ritz vectors, Ritz values, b, stop → report, x.
fn deflated_cg<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let matrix = Dense::new(n, n, call.vector()?)?;
    let deflation = Deflation::new(call.vector()?, call.vector::<T>()?)?;
    let identity = Identity::new(n);
    let problem = LinearSystem::new(&matrix, call.vector()?).preconditioned(&identity);
    let stop = stop(call)?;
    let mut solver = DeflatedCg::new(call.lend::<T>(DeflatedCg::scalars(n))?, deflation);
    let report = call.measure(|| solver.solve(&problem, &stop))?;
    answer(call, &report, solver.solution())
}

/// n, A, d, k, τ, b, stop → report, x, steps in which the safeguard acted. The source of directions is diag(d)·r.
fn learned_directions<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let matrix = Dense::new(n, n, call.vector()?)?;
    let diagonal = call.vector::<T>()?;
    let settings = DirectionSettings { memory: call.size()?, safeguard: call.scalar()? };
    let problem = LinearSystem::new(&matrix, call.vector()?);
    let stop = stop(call)?;
    let source = |r: &[T], q: &mut [T]| {
        q.fill(T::ZERO);
        for ((q, &r), &scale) in q.iter_mut().zip(r).zip(diagonal.iter()) {
            *q = scale * r;
        }
    };
    let memory = call.lend::<T>(LearnedDirections::scalars(n, settings.memory))?;
    let mut solver = LearnedDirections::new(memory, settings, source)?;
    let report = call.measure(|| solver.solve(&problem, &stop))?;
    answer(call, &report, solver.solution())?;
    call.answer_size(solver.safeguarded())
}

/// Row pointers, column indices, values of the lower triangle, b, stop → report, x.
fn minres<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let matrix = SymmetricCsr::new(call.indices()?, call.indices()?, call.vector::<T>()?)?;
    let right_hand_side = call.vector()?;
    let stop = stop(call)?;
    let identity = Identity::new(right_hand_side.len());
    let problem = LinearSystem::new(&matrix, right_hand_side).preconditioned(&identity);
    let mut solver = Minres::new(call.lend::<T>(Minres::scalars(problem.right_hand_side.len()))?);
    let report = call.measure(|| solver.solve(&problem, &stop))?;
    answer(call, &report, solver.solution())
}

/// n, A, the diagonal of the right preconditioner, b, restart length, stop → report, x.
fn gmres<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let matrix = Dense::new(n, n, call.vector()?)?;
    let preconditioner = Diagonal::new(call.vector()?)?;
    let problem = LinearSystem::new(&matrix, call.vector()?).preconditioned(&preconditioner);
    let restart_length = call.size()?;
    let stop = stop(call)?;
    let mut solver = Gmres::new(call.lend::<T>(Gmres::scalars(n, restart_length))?, restart_length)?;
    let report = call.measure(|| solver.solve(&problem, &stop))?;
    answer(call, &report, solver.solution())
}

/// m, n, A, b, ATOL, BTOL, largest number of iterations → status, iterations, ‖r‖, ‖Aᵀr‖, ‖x‖, ‖A‖, x.
fn lsqr<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (rows, columns) = (call.size()?, call.size()?);
    let matrix = Dense::new(rows, columns, call.vector()?)?;
    let problem = LinearSystem::new(&matrix, call.vector()?);
    let stop = LeastSquaresStop {
        operator_tolerance: call.scalar()?,
        right_hand_side_tolerance: call.scalar()?,
        max_iterations: call.size()?,
    };
    let mut solver = Lsqr::new(call.lend::<T>(Lsqr::scalars(rows, columns))?);
    let report = call.measure(|| solver.solve(&problem, &stop))?;
    call.answer_size(report.status as usize)?;
    call.answer_size(report.iterations)?;
    call.answer_scalar(report.residual_norm)?;
    call.answer_scalar(report.normal_residual_norm)?;
    call.answer_scalar(report.solution_norm)?;
    call.answer_scalar(report.operator_norm)?;
    call.answer_vector(solver.solution())
}

/// A sketch by its number: Gaussian, Kaczmarz's uniform and weighted, then sparse ones of so many terms less two.
pub(super) fn sketch(call: &mut Call<'_>) -> Result<Sketch, CallError> {
    Ok(match call.size()? {
        0 => Sketch::Gaussian,
        1 => Sketch::UniformKaczmarz,
        2 => Sketch::WeightedKaczmarz,
        number => Sketch::Sparse(number.saturating_sub(2).min(64) as u16),
    })
}

/// n, A, b, sketch, seed, stop → report, z.
fn sketch_and_project<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let matrix = Dense::new(n, n, call.vector()?)?;
    let problem = LinearSystem::new(&matrix, call.vector::<T>()?);
    let sketch = sketch(call)?;
    let mut generator = super::random::key(call)?.stream();
    let stop = stop(call)?;
    let memory = call.lend::<T>(SketchAndProject::scalars(n))?;
    let mut solver = SketchAndProject::new(memory, sketch)?;
    let report = call.measure(|| solver.solve(&problem, &stop, &mut generator))?;
    answer(call, &report, solver.solution())
}
