use super::{Problem, Regularizer, Report, Status, Step, Stop, semidual};
use crate::optim::quasi_newton::{self, Lbfgs};
use crate::{Error, Real, blas};
use core::borrow::BorrowMut;

/// Maximizes the semi-dual by L-BFGS: for quadratic regularization, and for k not far below m.
///
/// Where the semi-dual has kinks the search along a line stalls at one: then the status is
/// [`Stagnated`](Status::Stagnated), and [`Ascent`](super::Ascent) goes on.
///
/// Shapes: α of m, k = min(nonzeros, m). Guarantees: D rises with every iterate, up to its rounding. Cost of a
/// step: one evaluation and those of [`Lbfgs`]; its memory, 2m + k scalars beside it, and k indices lent (none
/// for k = m). Source: the settings of Liu, Puigcerver, Blondel (2023), appendix, with a search for the strong
/// Wolfe conditions.
///
/// ```
/// use quern_kernels::optim::quasi_newton::{Lbfgs, LbfgsSettings};
/// use quern_kernels::transport::{Problem, QuasiNewton, Regularizer, Status, Stop};
/// let problem = Problem::dense(&[0.25, 0.75], &[0.5; 2], &[0.0, 0.1, 0.3, 0.2])?;
/// let lbfgs = Lbfgs::new(LbfgsSettings::default(), [0.0; Lbfgs::scalars(2, 10)])?;
/// let mut solver = QuasiNewton::new(lbfgs, [0.0; 6], [0; 2]);
/// let report = solver.solve(&problem, &Regularizer::quadratic(0.1), &Stop::default())?;
/// assert_eq!(report.status, Status::Converged);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct QuasiNewton<T, B, M, I> {
    lbfgs: Lbfgs<T, B>,
    /// The gradient, then room for a column.
    memory: M,
    indices: I,
    evaluations: usize,
    iterations: usize,
    /// Of the iterate.
    row_error: T,
}

impl QuasiNewton<(), (), (), ()> {
    /// Scalars to lend beside those of L-BFGS, for m rows and k nonzeros a column: 2m + k.
    pub const fn scalars(rows: usize, nonzeros: usize) -> usize {
        rows.saturating_mul(2).saturating_add(if nonzeros < rows { nonzeros } else { rows })
    }
}

impl<T: Real, B: BorrowMut<[T]>, M: BorrowMut<[T]>, I: BorrowMut<[u32]>> QuasiNewton<T, B, M, I> {
    /// A workspace over that of L-BFGS and lent memory, of [`scalars`](QuasiNewton::scalars) entries at least and
    /// k indices.
    pub fn new(lbfgs: Lbfgs<T, B>, memory: M, indices: I) -> Self {
        Self { lbfgs, memory, indices, evaluations: 0, iterations: 0, row_error: T::ZERO }
    }

    /// Evaluates at an initial α.
    ///
    /// # Errors
    /// Those of [`semidual`] and [`Lbfgs::start`].
    pub fn start<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
        initial: &[T],
    ) -> Result<(), Error> {
        self.lbfgs.start(initial)?;
        self.begin(problem, regularizer)
    }

    /// The first evaluation.
    fn begin<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
    ) -> Result<(), Error> {
        (self.evaluations, self.iterations) = (0, 0);
        self.evaluate(problem, regularizer).map(drop)
    }

    /// One evaluation; call it after a start, with the same problem.
    ///
    /// # Errors
    /// Those of [`semidual`], of which overflow is the only one after a start.
    pub fn step<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
    ) -> Result<Step, Error> {
        match self.evaluate(problem, regularizer)? {
            quasi_newton::Step::Advanced => self.iterations = self.iterations.saturating_add(1),
            quasi_newton::Step::Evaluate => {}
            quasi_newton::Step::Stagnated => return Ok(Step::Stagnated),
        }
        Ok(Step::Advanced)
    }

    fn evaluate<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
    ) -> Result<quasi_newton::Step, Error> {
        let (m, memory) = (problem.rows(), self.memory.borrow_mut());
        let required = QuasiNewton::scalars(m, regularizer.nonzeros);
        let missing = Error::Capacity { what: "workspace", required, available: memory.len() };
        let (gradient, rest) = memory.split_at_mut_checked(m).ok_or(missing)?;
        let indices = self.indices.borrow_mut();
        let first = self.evaluations == 0;
        self.evaluations = self.evaluations.saturating_add(1);
        let value = match semidual(problem, regularizer, self.lbfgs.trial(), gradient, indices, rest) {
            Ok(value) => value,
            // A step too long.
            Err(Error::NonFinite { .. } | Error::Breakdown { .. }) if !first => T::INFINITY,
            Err(error) => return Err(error),
        };
        blas::scale(-T::ONE, gradient);
        let step = self.lbfgs.step(-value, gradient)?;
        if step == quasi_newton::Step::Advanced {
            self.row_error = blas::norm1(gradient);
        }
        Ok(step)
    }

    /// Steps from α = 0 until `stop` is met; at most 20 evaluations an iteration.
    ///
    /// # Errors
    /// Those of [`start`](Self::start) and [`step`](Self::step); [`Error::Setting`].
    pub fn solve<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        stop.validate()?;
        let (m, memory) = (problem.rows(), self.memory.borrow_mut());
        let required = QuasiNewton::scalars(m, regularizer.nonzeros);
        let missing = Error::Capacity { what: "workspace", required, available: memory.len() };
        let (zero, _) = memory.split_at_mut_checked(m).ok_or(missing)?;
        zero.fill(T::ZERO);
        self.lbfgs.start(zero)?;
        self.begin(problem, regularizer)?;
        let target = stop.tolerance * problem.mass();
        let status = loop {
            if self.row_error <= target {
                break Status::Converged;
            }
            if self.iterations >= stop.max_iterations {
                break Status::MaxIterations;
            }
            if self.step(problem, regularizer)? == Step::Stagnated {
                break Status::Stagnated;
            }
        };
        let (iterations, evaluations) = (self.iterations, self.evaluations);
        Ok(Report { status, iterations, evaluations, value: self.value(), row_error: self.row_error })
    }

    /// α.
    pub fn potential(&self) -> &[T] {
        self.lbfgs.iterate()
    }

    /// D(α).
    pub fn value(&self) -> T {
        -self.lbfgs.value()
    }

    /// T1 − a.
    pub fn gradient(&self) -> &[T] {
        self.lbfgs.gradient()
    }

    /// ‖a − T1‖₁.
    pub fn row_error(&self) -> T {
        self.row_error
    }

    /// Evaluations so far.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }
}
