//! The methods, on the operator and the preconditioner asked for.

use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use quern::io::npy::Entries;
use quern::space::{ThreadedCsr, Threads};
use quern_kernels::factor::IncompleteCholesky;
use quern_kernels::krylov::{
    Cg, Gmres, LeastSquaresStop, LinearSystem, Lsqr, Minres, PreconditionedCg, PreconditionedSystem, Report,
    Step, Stop,
};
use quern_kernels::linop::{Adjoint, Csr, Diagonal, Identity, LinearOperator, SymmetricCsr};
use quern_kernels::space::Space;
use quern_kernels::{Error, Real};

use super::{Linear, Method, Outcome, Preconditioner, Problem};
use crate::commands::output;

/// Solves in precision `T`.
pub(super) fn solve<T: Real + Send + Sync>(
    arguments: &Linear,
    problem: &Problem,
    wrap: fn(Vec<T>) -> Entries,
) -> Result<Outcome> {
    let rounded = |values: &[f64]| values.iter().map(|&value| T::from_f64(value)).collect::<Vec<T>>();
    let matrix = problem.matrix.rounded::<T>();
    let csr = matrix.csr().context("a value is too large for --precision f32")?;
    let right_hand_side = rounded(&problem.right_hand_side);
    let initial = match &problem.initial {
        Some(initial) => rounded(initial),
        None => vec![T::ZERO; matrix.columns],
    };
    let threads = Threads::new(arguments.threads)?;
    let factor = if arguments.method == Method::Lsqr { 20 } else { 10 };
    let budget = arguments.max_iterations.unwrap_or(matrix.columns.saturating_mul(factor));
    let task = Task {
        arguments,
        right_hand_side: &right_hand_side,
        initial: &initial,
        threads: &threads,
        budget,
        wrap,
        bar: output::progress(budget as u64),
    };
    let operator = Counted { inner: ThreadedCsr::new(csr, threads.clone()), bar: &task.bar };
    let n = matrix.columns;
    let outcome = match (arguments.method, arguments.preconditioner) {
        (Method::Lsqr, _) => task.least_squares(csr),
        (Method::Cg, Preconditioner::None) => {
            let system = LinearSystem::new(&operator, &right_hand_side);
            let mut solver = Cg::in_space(vec![T::ZERO; Cg::scalars(n)], threads.clone());
            solver.start_from(&system, &initial)?;
            task.iterate(&mut Bound { solver, system: &system })
        }
        (_, Preconditioner::None) => task.preconditioned(&operator, &Identity::new(n)),
        (method, Preconditioner::Jacobi) => {
            let mut diagonal = vec![T::ZERO; n];
            csr.diagonal(&mut diagonal)?;
            // Only the symmetric methods need the preconditioner positive definite.
            let fits = |&entry: &T| if method == Method::Gmres { entry != T::ZERO } else { entry > T::ZERO };
            if let Some(index) = diagonal.iter().position(|entry| !fits(entry)) {
                let needed = if method == Method::Gmres { "without zeros" } else { "that is positive" };
                bail!(
                    "jacobi needs a diagonal {needed}, entry {} is {}",
                    index + 1,
                    diagonal[index].to_f64()
                );
            }
            let inverse: Vec<T> = diagonal.iter().map(|&entry| T::ONE / entry).collect();
            task.preconditioned(
                &operator,
                &Diagonal::new(&inverse).context("jacobi: the inverse of the diagonal")?,
            )
        }
        (_, Preconditioner::Ic0) => {
            let lower = matrix.lower_triangle();
            let lower = SymmetricCsr::new(&lower.row_pointers, &lower.column_indices, &lower.values)?;
            let mut memory = vec![T::ZERO; lower.values().len()];
            let shift = shift(&lower, &mut memory)?;
            let factor = IncompleteCholesky::factor(&lower, T::from_f64(shift), &mut memory)?;
            let outcome = task.preconditioned(&operator, &factor);
            outcome.map(|outcome| Outcome { shift: Some(shift), ..outcome })
        }
    };
    task.bar.finish_and_clear();
    outcome
}

/// The least of 0, 0.001, 0.002, 0.004, ... with which the incomplete factorization does not break down.
fn shift<T: Real>(lower: &SymmetricCsr<'_, T>, memory: &mut [T]) -> Result<f64> {
    let mut shift = 0.0;
    loop {
        match IncompleteCholesky::factor(lower, T::from_f64(shift), memory) {
            Ok(_) => return Ok(shift),
            Err(Error::NotPositiveDefinite { .. }) if shift < 1e3 => {
                shift = if shift == 0.0 { 1e-3 } else { 2.0 * shift };
            }
            Err(Error::NotPositiveDefinite { index }) => {
                bail!("ic0 needs a positive definite matrix, row {} has no positive pivot", index + 1)
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What every method is given.
struct Task<'a, T> {
    arguments: &'a Linear,
    right_hand_side: &'a [T],
    initial: &'a [T],
    threads: &'a Threads,
    budget: usize,
    wrap: fn(Vec<T>) -> Entries,
    bar: ProgressBar,
}

impl<T: Real + Send + Sync> Task<'_, T> {
    fn preconditioned<A: LinearOperator<T>, M: LinearOperator<T>>(
        &self,
        operator: &A,
        inverse: &M,
    ) -> Result<Outcome> {
        let system = PreconditionedSystem::new(operator, inverse, self.right_hand_side);
        let system = &system;
        let n = operator.rows();
        let threads = self.threads.clone();
        match self.arguments.method {
            Method::Cg => {
                let memory = vec![T::ZERO; PreconditionedCg::scalars(n)];
                let mut solver = PreconditionedCg::in_space(memory, threads);
                solver.start_from(system, self.initial)?;
                self.iterate(&mut Bound { solver, system })
            }
            Method::Minres => {
                let memory = vec![T::ZERO; Minres::scalars(n)];
                let mut solver = Minres::in_space(memory, threads);
                solver.start_from(system, self.initial)?;
                self.iterate(&mut Bound { solver, system })
            }
            _ => {
                let restart = self.arguments.restart.min(n);
                let memory = vec![T::ZERO; Gmres::scalars(n, restart)];
                let mut solver = Gmres::in_space(memory, restart, threads)?;
                solver.start_from(system, self.initial)?;
                self.iterate(&mut Bound { solver, system })
            }
        }
    }

    /// Steps until the recurrence meets the tolerance, then lets the method check itself.
    fn iterate(&self, method: &mut impl Stepping<T>) -> Result<Outcome> {
        let stop = self.stop();
        stop.validate()?;
        let norm = self.threads.dot(self.right_hand_side, self.right_hand_side).sqrt();
        // The same test as the method's own, so that the history changes nothing.
        let bound = (stop.relative_tolerance * norm).maximum(T::EPSILON * norm);
        let mut history = vec![method.residual_norm().to_f64()];
        let mut taken = 0;
        while taken < self.budget && !method.at_most(bound) && method.step() == Step::Advanced {
            taken += 1;
            history.push(method.residual_norm().to_f64());
        }
        let report = method.finish(&Stop { max_iterations: self.budget - taken, ..stop })?;
        if report.iterations > 0 {
            history.resize(taken + report.iterations, f64::NAN);
            history.push(report.residual_norm.to_f64());
        }
        Ok(Outcome {
            status: report.status,
            iterations: taken + report.iterations,
            solution: (self.wrap)(method.solution().to_vec()),
            history,
            shift: None,
        })
    }

    fn stop(&self) -> Stop<T> {
        Stop {
            relative_tolerance: T::from_f64(self.arguments.tolerance),
            max_iterations: self.budget,
            ..Stop::default()
        }
    }

    fn least_squares(&self, csr: Csr<'_, T>) -> Result<Outcome> {
        let operator = Counted { inner: csr, bar: &self.bar };
        let (m, n) = (csr.rows(), csr.columns());
        ensure!(self.right_hand_side.len() == m, "the right-hand side does not fit");
        let system = LinearSystem::new(&operator, self.right_hand_side);
        let stop = LeastSquaresStop {
            operator_tolerance: T::from_f64(self.arguments.tolerance),
            right_hand_side_tolerance: T::from_f64(self.arguments.tolerance),
            max_iterations: self.budget,
        };
        let solver = || Lsqr::in_space(vec![T::ZERO; Lsqr::scalars(m, n)], self.threads.clone());
        let mut solved = solver();
        solved.start_from(&system, self.initial)?;
        let report = solved.resume(&system, &stop)?;
        let mut history = Vec::new();
        if self.arguments.history.is_some() {
            // The rules of least squares are the method's own: the same steps once more tell the history.
            let mut again = solver();
            again.start_from(&system, self.initial)?;
            history.push(again.residual_norms().0.to_f64());
            for _ in 0..report.recurrence_iterations {
                again.step(&system);
                history.push(again.residual_norms().0.to_f64());
            }
        }
        Ok(Outcome {
            status: report.status,
            iterations: report.iterations,
            solution: (self.wrap)(solved.solution().to_vec()),
            history,
            shift: None,
        })
    }
}

/// A started method with its problem.
trait Stepping<T> {
    fn step(&mut self) -> Step;
    fn at_most(&self, bound: T) -> bool;
    fn residual_norm(&self) -> T;
    fn finish(&mut self, stop: &Stop<T>) -> Result<Report<T>, Error>;
    fn solution(&self) -> &[T];
}

struct Bound<'a, M, P> {
    solver: M,
    system: &'a P,
}

macro_rules! stepping {
    ($($method:ident, $system:ident<$($part:ident),+>, |$solver:ident, $bound:ident| $at_most:expr, $norm:expr;)*) => {$(
        impl<T: Real, S: Space<T>, $($part: LinearOperator<T>),+> Stepping<T>
            for Bound<'_, $method<T, Vec<T>, S>, $system<'_, T, $($part),+>>
        {
            fn step(&mut self) -> Step {
                self.solver.step(self.system)
            }
            fn at_most(&self, $bound: T) -> bool {
                let $solver = &self.solver;
                $at_most
            }
            fn residual_norm(&self) -> T {
                let $solver = &self.solver;
                $norm
            }
            fn finish(&mut self, stop: &Stop<T>) -> Result<Report<T>, Error> {
                self.solver.resume(self.system, stop)
            }
            fn solution(&self) -> &[T] {
                self.solver.solution()
            }
        }
    )*};
}

stepping! {
    Cg, LinearSystem<A>, |solver, bound| solver.residual_squared() <= bound * bound, solver.residual_squared().sqrt();
    PreconditionedCg, PreconditionedSystem<A, M>,
        |solver, bound| solver.residual_squared() <= bound * bound, solver.residual_squared().sqrt();
    Minres, PreconditionedSystem<A, M>,
        |solver, bound| solver.residual_squared() <= bound * bound, solver.residual_squared().sqrt();
    Gmres, PreconditionedSystem<A, M>, |solver, bound| solver.residual_norm() <= bound, solver.residual_norm();
}

/// An operator that moves the progress bar with every product.
struct Counted<'a, A> {
    inner: A,
    bar: &'a ProgressBar,
}

impl<T, A: LinearOperator<T>> LinearOperator<T> for Counted<'_, A> {
    fn rows(&self) -> usize {
        self.inner.rows()
    }
    fn columns(&self) -> usize {
        self.inner.columns()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        self.bar.inc(1);
        self.inner.apply(x, y);
    }
}

impl<T, A: Adjoint<T>> Adjoint<T> for Counted<'_, A> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.inner.apply_adjoint(y, x);
    }
}
