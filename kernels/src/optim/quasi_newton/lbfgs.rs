use super::history::{Ring, Vectors, scalars};
use super::report::Iteration;
use super::{Report, Step, Stop, run};
use crate::optim::line_search::{self, StrongWolfe, StrongWolfeSettings};
use crate::{Error, Real, blas, check_finite, check_length};
use core::borrow::BorrowMut;

/// How [`Lbfgs`] remembers and searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LbfgsSettings<T> {
    /// m ≥ 1: pairs kept.
    pub history: usize,
    /// What a step must satisfy.
    pub line_search: StrongWolfeSettings<T>,
}

impl<T: Real> Default for LbfgsSettings<T> {
    /// Ten pairs, and the usual search.
    fn default() -> Self {
        Self { history: 10, line_search: StrongWolfeSettings::default() }
    }
}

impl<T: Real> LbfgsSettings<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        if self.history == 0 {
            return Err(Error::Setting { name: "history", expected: "at least 1" });
        }
        self.line_search.validate()
    }
}

/// L-BFGS: x₊ = x − tH∇f(x), t by a [`StrongWolfe`] search, H the BFGS matrix of the last m pairs on top of
/// (sᵀy/yᵀy)I.
///
/// Shapes: x of n. Guarantees: f falls with every iterate, up to its rounding; each has finite f and ∇f; a
/// trial where they are not is a step too long. The first step, and the first after a search that failed, is
/// −∇f·min(1, 1/‖∇f‖). Pairs without sᵀy > ε‖s‖‖y‖ are passed over. For convex smooth f with bounded
/// curvature it converges linearly. Cost of a step: one evaluation and at most 8mn + 14n flops; 5n + 2m(n+1)
/// scalars lent. Source: J. Nocedal, Updating Quasi-Newton Matrices with Limited Storage, Mathematics of
/// Computation 35 (1980); D. C. Liu, J. Nocedal, On the Limited Memory BFGS Method, Mathematical Programming
/// 45 (1989); the product in Nocedal and Wright, Numerical Optimization, algorithm 7.4, the scaling (7.20).
///
/// ```
/// use quern_kernels::optim::quasi_newton::{Lbfgs, LbfgsSettings, Status, Stop};
/// let mut solver = Lbfgs::new(LbfgsSettings::default(), [0.0; Lbfgs::scalars(2, 10)])?;
/// let rosenbrock = |x: &[f64], gradient: &mut [f64]| {
///     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
///     gradient.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
///     Ok(a * a + 100.0 * b * b)
/// };
/// let report = solver.minimize(&[-1.2, 1.0], rosenbrock, &Stop::default())?;
/// assert_eq!(report.status, Status::Converged);
/// assert!((solver.iterate()[1] - 1.0).abs() < 1e-7);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs<T, B> {
    settings: LbfgsSettings<T>,
    memory: B,
    size: usize,
    ring: Ring,
    phase: Phase<T>,
    value: T,
    iterations: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase<T> {
    /// The first evaluation is still to come.
    Fresh,
    Searching(StrongWolfe<T>),
    /// Nothing lies lower.
    Resting,
}

impl Lbfgs<(), ()> {
    /// Scalars to lend for n variables and m pairs: 5n + 2m(n + 1).
    pub const fn scalars(n: usize, history: usize) -> usize {
        scalars(n, history)
    }
}

impl<T: Real, B: BorrowMut<[T]>> Lbfgs<T, B> {
    /// A workspace over lent memory, of [`scalars`](Lbfgs::scalars) entries at least.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: LbfgsSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        let (size, iterations) = (0, 0);
        Ok(Self {
            settings,
            memory,
            size,
            ring: Ring::default(),
            phase: Phase::Fresh,
            value: T::ZERO,
            iterations,
        })
    }

    /// Makes the initial point the first trial, without a memory of other points.
    ///
    /// # Errors
    /// [`Error::Capacity`]; [`Error::NonFinite`].
    pub fn start(&mut self, initial: &[T]) -> Result<(), Error> {
        check_finite("initial iterate", initial)?;
        self.size = initial.len();
        self.ring = Ring::default();
        self.phase = Phase::Fresh;
        self.iterations = 0;
        let vectors = self.vectors()?;
        blas::copy(initial, vectors.x)?;
        blas::copy(initial, vectors.trial)
    }

    /// x.
    pub fn iterate(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// ∇f(x).
    pub fn gradient(&self) -> &[T] {
        self.memory.borrow().get(self.size..self.size.saturating_mul(2)).unwrap_or_default()
    }

    /// f(x).
    pub fn value(&self) -> T {
        self.value
    }

    /// Where to evaluate next.
    pub fn trial(&self) -> &[T] {
        let (start, end) = (self.size.saturating_mul(3), self.size.saturating_mul(4));
        self.memory.borrow().get(start..end).unwrap_or_default()
    }

    /// Judges f and ∇f at the trial; call it after a start.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if f or ∇f is not finite at the initial point.
    pub fn step(&mut self, value: T, gradient: &[T]) -> Result<Step, Error> {
        check_length("gradient", gradient.len(), self.size)?;
        let vectors = self.vectors()?;
        blas::copy(gradient, vectors.trial_gradient)?;
        self.judge(value)
    }

    /// Steps from an initial point until `stop` is met. `objective` writes ∇f and returns f; where it returns
    /// [`Error::NonFinite`] the step is too long, any other error ends the minimization.
    ///
    /// # Errors
    /// [`Error::Capacity`]; [`Error::Setting`]; [`Error::NonFinite`] if the initial point, f or ∇f there is
    /// not finite; those of `objective`.
    pub fn minimize(
        &mut self,
        initial: &[T],
        mut objective: impl FnMut(&[T], &mut [T]) -> Result<T, Error>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        self.start(initial)?;
        run(self, &mut objective, stop)
    }

    fn vectors(&mut self) -> Result<Vectors<'_, T>, Error> {
        Vectors::split(self.memory.borrow_mut(), self.size, self.settings.history)
    }

    fn judge(&mut self, value: T) -> Result<Step, Error> {
        let Self { memory, ring, settings, .. } = self;
        let mut vectors = Vectors::split(memory.borrow_mut(), self.size, settings.history)?;
        match &mut self.phase {
            Phase::Fresh => {
                check_finite("value", &[value])?;
                check_finite("gradient", vectors.trial_gradient)?;
                blas::copy(vectors.trial_gradient, vectors.gradient)?;
            }
            Phase::Searching(search) => {
                let slope = blas::dot(vectors.direction, vectors.trial_gradient)?;
                match search.step(value, slope) {
                    line_search::Step::Evaluate => {
                        place(&mut vectors, search.step_length())?;
                        return Ok(Step::Evaluate);
                    }
                    line_search::Step::Accepted => {
                        ring.accept(&mut vectors)?;
                        self.iterations = self.iterations.saturating_add(1);
                    }
                    line_search::Step::Failed => {
                        let remembered = ring.stored > 0;
                        *ring = Ring::default();
                        self.aim(remembered)?;
                        return Ok(if remembered { Step::Evaluate } else { Step::Stagnated });
                    }
                }
            }
            Phase::Resting => return Ok(Step::Stagnated),
        }
        self.value = value;
        self.aim(true)?;
        Ok(Step::Advanced)
    }

    /// The next direction and its first trial; none unless `going`.
    fn aim(&mut self, going: bool) -> Result<(), Error> {
        let (value, line_search) = (self.value, self.settings.line_search);
        let Self { memory, ring, settings, .. } = self;
        let mut vectors = Vectors::split(memory.borrow_mut(), self.size, settings.history)?;
        let mut slope = newton_direction(ring, &mut vectors)?;
        if !(slope < T::ZERO && slope.is_finite()) {
            *ring = Ring::default();
            slope = newton_direction(ring, &mut vectors)?;
        }
        let mut step_length = T::ONE;
        if ring.stored == 0 {
            step_length = step_length.minimum(T::ONE / blas::norm2(vectors.gradient));
        }
        self.phase = match StrongWolfe::start(line_search, value, slope, step_length) {
            Ok(search) if going => {
                place(&mut vectors, step_length)?;
                Phase::Searching(search)
            }
            // No slope, or one that overflows.
            _ => {
                blas::copy(vectors.x, vectors.trial)?;
                Phase::Resting
            }
        };
        Ok(())
    }
}

/// trial ← x + t·direction.
fn place<T: Real>(vectors: &mut Vectors<'_, T>, step_length: T) -> Result<(), Error> {
    blas::copy(vectors.x, vectors.trial)?;
    blas::axpy(step_length, vectors.direction, vectors.trial)
}

/// direction ← −H∇f; its slope.
fn newton_direction<T: Real>(ring: &Ring, vectors: &mut Vectors<'_, T>) -> Result<T, Error> {
    let Vectors { x, gradient, direction, curvatures, shares, pairs, .. } = vectors;
    let n = x.len();
    for (d, &g) in direction.iter_mut().zip(gradient.iter()) {
        *d = -g;
    }
    let newest_first = ring.newest_first(n, pairs, curvatures);
    let mut scale = None;
    for ((s, y, curvature), share) in newest_first.zip(shares.iter_mut()) {
        *share = blas::dot(s, direction)? / curvature;
        blas::axpy(-*share, y, direction)?;
        if scale.is_none() {
            scale = Some(curvature / blas::dot(y, y)?);
        }
    }
    if let Some(scale) = scale {
        blas::scale(scale, direction);
    }
    let oldest_first = ring.newest_first(n, pairs, curvatures).rev();
    let shares = shares.get(..ring.stored).unwrap_or_default();
    for ((s, y, curvature), &share) in oldest_first.zip(shares.iter().rev()) {
        let other = blas::dot(y, direction)? / curvature;
        blas::axpy(share - other, s, direction)?;
    }
    blas::dot(gradient, direction)
}

impl<T: Real, B: BorrowMut<[T]>> Iteration<T> for Lbfgs<T, B> {
    fn evaluate<F: FnMut(&[T], &mut [T]) -> Result<T, Error>>(
        &mut self,
        objective: &mut F,
    ) -> Result<Step, Error> {
        let first = self.phase == Phase::Fresh;
        let value = self.vectors()?.evaluate(objective, first)?;
        self.judge(value)
    }

    fn state(&self) -> Result<(T, T, usize), Error> {
        Ok((self.value, blas::norm_infinity(self.gradient()), self.iterations))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// ½xᵀDx − 1ᵀx, whose minimum is −½Σ1/dᵢ at xᵢ = 1/dᵢ.
    fn diagonal<T: Real>(x: &[T], gradient: &mut [T]) -> Result<T, Error> {
        let half = T::ONE / (T::ONE + T::ONE);
        let mut value = T::ZERO;
        for (i, (&x, g)) in x.iter().zip(gradient).enumerate() {
            let d = T::from_usize(i * i + 1);
            *g = d * x - T::ONE;
            value += half * d * x * x - x;
        }
        Ok(value)
    }

    #[test]
    fn a_quadratic_function_is_minimized_to_rounding_in_both_precisions() {
        fn distance<T: Real>(history: usize) -> f64 {
            let n = 12;
            let settings = LbfgsSettings { history, ..LbfgsSettings::default() };
            let mut solver = Lbfgs::new(settings, vec![T::ZERO; Lbfgs::scalars(n, history)]).unwrap();
            // The gradient's rounding is that of its terms, of size 1.
            let stop = Stop { gradient_tolerance: T::from_f64(4.0) * T::EPSILON, ..Stop::default() };
            let report = solver.minimize(&vec![T::ZERO; n], diagonal, &stop).unwrap();
            assert_eq!(report.status, Status::Converged, "{report:?}");
            assert!(report.evaluations <= 2 * report.iterations + 4 && report.iterations < 300, "{report:?}");
            let error = solver.iterate().iter().enumerate();
            error.map(|(i, x)| (x.to_f64() - 1.0 / (i * i + 1) as f64).abs()).fold(0.0, f64::max)
        }
        for history in [1, 5, 10] {
            // Within the tolerance over the smallest curvature, 1.
            assert!(distance::<f64>(history) <= 4.0 * f64::EPSILON, "{history}");
            assert!(distance::<f32>(history) <= 4.0 * f64::from(f32::EPSILON), "{history}");
        }
    }

    #[test]
    fn the_report_is_of_the_iterate_whatever_ends_it() {
        for max_evaluations in 1..30 {
            for max_iterations in [0, 3, 100] {
                let mut solver =
                    Lbfgs::new(LbfgsSettings::default(), vec![0.0; Lbfgs::scalars(3, 10)]).unwrap();
                let stop =
                    Stop { max_evaluations, max_iterations, gradient_tolerance: 0.0, ..Stop::default() };
                let report = solver.minimize(&[3.0, -2.0, 1.0], diagonal, &stop).unwrap();
                let mut gradient = [0.0; 3];
                assert_eq!(diagonal(solver.iterate(), &mut gradient), Ok(report.value));
                assert_eq!(report.stationarity, blas::norm_infinity(&gradient));
                assert!(report.evaluations <= max_evaluations && report.iterations <= max_iterations);
            }
        }
    }

    #[test]
    fn a_step_into_nonsense_is_too_long() {
        // −ln x + x, not defined for x ≤ 0, refused there or NaN.
        for refuses in [true, false] {
            let barrier = |x: &[f64], gradient: &mut [f64]| {
                if refuses && x[0] <= 0.0 {
                    return Err(Error::NonFinite { what: "x", index: 0 });
                }
                gradient[0] = 1.0 - 1.0 / x[0];
                Ok(if x[0] > 0.0 { x[0] - x[0].ln() } else { f64::NAN })
            };
            let mut solver = Lbfgs::new(LbfgsSettings::default(), [0.0; Lbfgs::scalars(1, 10)]).unwrap();
            for start in [1e-6, 0.5, 40.0] {
                let report = solver.minimize(&[start], barrier, &Stop::default()).unwrap();
                assert_eq!(report.status, Status::Converged, "{start}: {report:?}");
                assert!((solver.iterate()[0] - 1.0).abs() < 1e-7);
            }
            assert!(solver.minimize(&[-1.0], barrier, &Stop::default()).is_err());
        }
    }

    #[test]
    fn at_a_kink_it_stagnates_with_the_best_point() {
        let kink = |x: &[f64], gradient: &mut [f64]| {
            gradient.copy_from_slice(&[x[0].signum() + 0.3, 2.0 * x[1]]);
            Ok(x[0].abs() + 0.3 * x[0] + x[1] * x[1])
        };
        let mut solver = Lbfgs::new(LbfgsSettings::default(), [0.0; Lbfgs::scalars(2, 10)]).unwrap();
        let report = solver.minimize(&[1.0, 1.0], kink, &Stop::default()).unwrap();
        assert!(matches!(report.status, Status::Stagnated | Status::MaxIterations), "{report:?}");
        assert!(report.value < 1.0 && report.value.is_finite());
    }

    #[test]
    fn the_direction_is_that_of_the_explicit_matrix() {
        let (n, m) = (4, 3);
        let mut memory = vec![0.0; Lbfgs::scalars(n, m)];
        let mut vectors = Vectors::split(&mut memory, n, m).unwrap();
        let mut ring = Ring::default();
        let mut pairs = Vec::new();
        for k in 0..5 {
            for i in 0..n {
                vectors.trial[i] = ((3 * i + 5 * k) % 7) as f64 / 3.0;
                vectors.trial_gradient[i] = vectors.trial[i] * (i + 1) as f64 + 0.1 * ((i + k) % 3) as f64;
            }
            let s: Vec<f64> = vectors.trial.iter().zip(&*vectors.x).map(|(a, b)| a - b).collect();
            let y: Vec<f64> =
                vectors.trial_gradient.iter().zip(&*vectors.gradient).map(|(a, b)| a - b).collect();
            if is_curved(&s, &y) {
                pairs.push((s, y));
            }
            ring.accept(&mut vectors).unwrap();
        }
        assert!(pairs.len() > m, "the ring has turned");
        // H ← (I − sy'/s'y) H (I − ys'/s'y) + ss'/s'y, column by column.
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let last = &pairs[pairs.len() - m..];
        let (s, y) = &last[m - 1];
        let scale = product(s, y) / product(y, y);
        let mut h = nalgebra::DMatrix::<f64>::identity(n, n) * scale;
        for (s, y) in last {
            let (s, y) = (nalgebra::DVector::from_column_slice(s), nalgebra::DVector::from_column_slice(y));
            let rho = 1.0 / s.dot(&y);
            let left = nalgebra::DMatrix::identity(n, n) - &s * y.transpose() * rho;
            h = &left * h * left.transpose() + &s * s.transpose() * rho;
        }
        newton_direction(&ring, &mut vectors).unwrap();
        let expected = -h * nalgebra::DVector::from_column_slice(vectors.gradient);
        for (d, expected) in vectors.direction.iter().zip(expected.iter()) {
            assert!((d - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{d} {expected}");
        }
    }

    fn is_curved(s: &[f64], y: &[f64]) -> bool {
        super::super::history::is_curved(blas::dot(s, y).unwrap(), s, y)
    }

    #[test]
    fn misuse_is_refused() {
        let settings = LbfgsSettings::<f64>::default();
        assert!(Lbfgs::new(LbfgsSettings { history: 0, ..settings }, [0.0; 1]).is_err());
        let mut small = Lbfgs::new(settings, [0.0; Lbfgs::scalars(2, 10) - 1]).unwrap();
        assert!(matches!(small.start(&[0.0; 2]), Err(Error::Capacity { .. })));
        let mut solver = Lbfgs::new(settings, [0.0; Lbfgs::scalars(2, 10)]).unwrap();
        assert!(matches!(solver.start(&[0.0, f64::NAN]), Err(Error::NonFinite { .. })));
        solver.start(&[0.0; 2]).unwrap();
        assert!(matches!(solver.step(0.0, &[1.0]), Err(Error::Dimension { .. })));
        assert!(matches!(solver.step(f64::NAN, &[1.0; 2]), Err(Error::NonFinite { .. })));
        assert_eq!(solver.step(0.0, &[0.0; 2]), Ok(Step::Advanced));
        assert_eq!(solver.step(0.0, &[0.0; 2]), Ok(Step::Stagnated));
        let fails = |_: &[f64], _: &mut [f64]| Err(Error::Infeasible { what: "test" });
        assert!(matches!(solver.minimize(&[0.0; 2], fails, &Stop::default()), Err(Error::Infeasible { .. })));
        let none = solver.minimize(&[], |_, _| Ok(1.0), &Stop::default()).unwrap();
        assert_eq!((none.status, none.iterations), (Status::Converged, 0));
    }
}
