use super::history::{Ring, Vectors, is_curved, scalars};
use super::report::Iteration;
use super::{Report, Step, Stop, run};
use crate::optim::line_search::{self, Armijo, ArmijoSettings};
use crate::optim::projected::{check_box, stationarity};
use crate::{Error, Real, blas, check_finite, check_length};
use core::borrow::BorrowMut;

/// How [`Lbfgsb`] remembers and searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LbfgsbSettings<T> {
    /// m ≥ 1: pairs kept.
    pub history: usize,
    /// What a step must satisfy.
    pub line_search: ArmijoSettings<T>,
}

impl<T: Real> Default for LbfgsbSettings<T> {
    /// Ten pairs, and the usual search.
    fn default() -> Self {
        Self { history: 10, line_search: ArmijoSettings::default() }
    }
}

impl<T: Real> LbfgsbSettings<T> {
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

/// L-BFGS in a box: x₊ = clip(x + td), d = −H∇f on the free variables, t by an [`Armijo`] search along the
/// path, which bends at the box.
///
/// Bound are the variables at a bound, or within min(ρ, √ε·max(1, |x|)) of it, that −∇f pushes out; they
/// follow the scaled gradient and so end on the bound. H is the BFGS matrix of the last m pairs restricted to
/// the free variables, (sᵀy/yᵀy)I below it. Since d descends in both parts and H is positive definite, every
/// clipped step short enough lowers f.
///
/// Shapes: x, l and u of n; bounds may be infinite. Guarantees: every trial lies in the box; f falls with
/// every iterate, up to its rounding; the report's ρ is [`stationarity`](crate::optim::stationarity), 0
/// exactly at points where nothing in the box descends. Cost of a step: one evaluation and at most 14mn + 20n
/// flops; 6n + 2m(n+1) scalars lent. Source: D. P. Bertsekas, Projected Newton Methods for Optimization
/// Problems with Simple Constraints, SIAM J. Control and Optimization 20 (1982), equations (32) to (37), with
/// the limited-memory matrix in the place of the Hessian. It is simpler than the method of R. H. Byrd, P. Lu,
/// J. Nocedal, C. Zhu (1995), which looks for a Cauchy point: many bounds change in one step here too, but H
/// is restricted anew instead of inverted in compact form.
///
/// ```
/// use quern_kernels::optim::quasi_newton::{Lbfgsb, LbfgsbSettings, Status, Stop};
/// let mut solver = Lbfgsb::new(LbfgsbSettings::default(), [0.0; Lbfgsb::scalars(2, 10)])?;
/// // The nearest point to (2, ½) of the unit square.
/// let distance = |x: &[f64], gradient: &mut [f64]| {
///     gradient.copy_from_slice(&[x[0] - 2.0, x[1] - 0.5]);
///     Ok(((x[0] - 2.0).powi(2) + (x[1] - 0.5).powi(2)) / 2.0)
/// };
/// let report = solver.minimize(&[0.0, 0.0], &[0.0; 2], &[1.0; 2], distance, &Stop::default())?;
/// assert_eq!(report.status, Status::Converged);
/// assert_eq!(solver.iterate(), [1.0, 0.5]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgsb<T, B> {
    settings: LbfgsbSettings<T>,
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
    Searching(Armijo<T>),
    /// Nothing lies lower.
    Resting,
}

impl Lbfgsb<(), ()> {
    /// Scalars to lend for n variables and m pairs: 6n + 2m(n + 1).
    pub const fn scalars(n: usize, history: usize) -> usize {
        scalars(n, history).saturating_add(n)
    }
}

impl<T: Real, B: BorrowMut<[T]>> Lbfgsb<T, B> {
    /// A workspace over lent memory, of [`scalars`](Lbfgsb::scalars) entries at least.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: LbfgsbSettings<T>, memory: B) -> Result<Self, Error> {
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

    /// Makes the point of the box nearest to the initial one the first trial, without a memory of others.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Infeasible`] unless l ≤ u; [`Error::Capacity`]; [`Error::NonFinite`].
    pub fn start(&mut self, initial: &[T], lower: &[T], upper: &[T]) -> Result<(), Error> {
        check_finite("initial iterate", initial)?;
        check_box(initial, lower, upper)?;
        self.size = initial.len();
        self.ring = Ring::default();
        self.phase = Phase::Fresh;
        self.iterations = 0;
        let available = self.memory.borrow().len();
        let vectors = Vectors::split(self.memory.borrow_mut(), self.size, self.settings.history)?;
        if vectors.rest.len() < self.size {
            let required = Lbfgsb::scalars(self.size, self.settings.history);
            return Err(Error::Capacity { what: "workspace", required, available });
        }
        for ((x, &initial), (&lower, &upper)) in
            vectors.x.iter_mut().zip(initial).zip(lower.iter().zip(upper))
        {
            *x = initial.maximum(lower).minimum(upper);
        }
        check_finite("bounds", vectors.x)?;
        blas::copy(vectors.x, vectors.trial)
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

    /// Judges f and ∇f at the trial; call it after a start, with the same box.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if f or ∇f is not finite at the initial point.
    pub fn step(&mut self, value: T, gradient: &[T], lower: &[T], upper: &[T]) -> Result<Step, Error> {
        check_length("gradient", gradient.len(), self.size)?;
        check_length("lower", lower.len(), self.size)?;
        check_length("upper", upper.len(), self.size)?;
        let vectors = Vectors::split(self.memory.borrow_mut(), self.size, self.settings.history)?;
        blas::copy(gradient, vectors.trial_gradient)?;
        self.judge(value, lower, upper)
    }

    /// Steps from an initial point until `stop` is met. `objective` writes ∇f and returns f; where it returns
    /// [`Error::NonFinite`] the step is too long, any other error ends the minimization.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Setting`]; [`Error::NonFinite`] if f or ∇f is not finite at the
    /// first trial; those of `objective`.
    pub fn minimize(
        &mut self,
        initial: &[T],
        lower: &[T],
        upper: &[T],
        mut objective: impl FnMut(&[T], &mut [T]) -> Result<T, Error>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        self.start(initial, lower, upper)?;
        run(&mut InBox { solver: self, lower, upper }, &mut objective, stop)
    }

    fn judge(&mut self, value: T, lower: &[T], upper: &[T]) -> Result<Step, Error> {
        let Self { memory, ring, settings, .. } = self;
        let mut vectors = Vectors::split(memory.borrow_mut(), self.size, settings.history)?;
        match &mut self.phase {
            Phase::Fresh => {
                check_finite("value", &[value])?;
                check_finite("gradient", vectors.trial_gradient)?;
                blas::copy(vectors.trial_gradient, vectors.gradient)?;
            }
            Phase::Searching(search) => {
                let change = vectors.rest.get_mut(..self.size).unwrap_or_default();
                blas::copy(vectors.x, change)?;
                blas::xpby(vectors.trial, -T::ONE, change)?;
                let predicted = blas::dot(vectors.gradient, change)?;
                let returned = blas::dot(vectors.trial_gradient, change)?;
                let value = if returned.is_finite() { value } else { returned };
                match search.step_on_path(value, predicted, returned) {
                    line_search::Step::Evaluate => {
                        place(&mut vectors, search.step_length(), lower, upper);
                        return Ok(Step::Evaluate);
                    }
                    line_search::Step::Accepted => {
                        ring.accept(&mut vectors)?;
                        self.iterations = self.iterations.saturating_add(1);
                    }
                    line_search::Step::Failed => {
                        let remembered = ring.stored > 0;
                        *ring = Ring::default();
                        self.aim(remembered, lower, upper)?;
                        return Ok(if remembered { Step::Evaluate } else { Step::Stagnated });
                    }
                }
            }
            Phase::Resting => return Ok(Step::Stagnated),
        }
        self.value = value;
        self.aim(true, lower, upper)?;
        Ok(Step::Advanced)
    }

    /// The next direction and its first trial; none unless `going`.
    fn aim(&mut self, going: bool, lower: &[T], upper: &[T]) -> Result<(), Error> {
        let (value, line_search) = (self.value, self.settings.line_search);
        let Self { memory, ring, settings, .. } = self;
        let mut vectors = Vectors::split(memory.borrow_mut(), self.size, settings.history)?;
        let near = stationarity(vectors.x, vectors.gradient, lower, upper)?;
        let mut slope = newton_direction(ring, &mut vectors, near, lower, upper)?;
        if !(slope < T::ZERO && slope.is_finite()) {
            *ring = Ring::default();
            slope = newton_direction(ring, &mut vectors, near, lower, upper)?;
        }
        let mut step_length = T::ONE;
        if ring.stored == 0 {
            step_length = step_length.minimum(T::ONE / blas::norm2(vectors.direction));
        }
        self.phase = match Armijo::start(line_search, value, slope, step_length) {
            Ok(search) if going => {
                place(&mut vectors, step_length, lower, upper);
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

/// trial ← clip(x + t·direction).
fn place<T: Real>(vectors: &mut Vectors<'_, T>, step_length: T, lower: &[T], upper: &[T]) {
    let moved = vectors.x.iter().zip(vectors.direction.iter()).map(|(&x, &d)| x + step_length * d);
    for ((trial, moved), (&lower, &upper)) in vectors.trial.iter_mut().zip(moved).zip(lower.iter().zip(upper))
    {
        *trial = moved.maximum(lower).minimum(upper);
    }
}

/// Where a variable stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Free,
    /// So near to a bound, and pushed to it, that it is to end there.
    Near,
    /// On a bound, and pushed out.
    At,
}

fn place_of<T: Real>(x: T, gradient: T, lower: T, upper: T, near: T) -> Place {
    let near = near.minimum(T::EPSILON.sqrt() * T::ONE.maximum(x.abs()));
    let room = if gradient > T::ZERO { x - lower } else { upper - x };
    if gradient == T::ZERO || room > near {
        Place::Free
    } else if room > T::ZERO {
        Place::Near
    } else {
        Place::At
    }
}

/// direction ← d; its slope.
fn newton_direction<T: Real>(
    ring: &Ring,
    vectors: &mut Vectors<'_, T>,
    near: T,
    lower: &[T],
    upper: &[T],
) -> Result<T, Error> {
    let Vectors { x, gradient, direction, curvatures, shares, pairs, rest, .. } = vectors;
    let n = x.len();
    let masked = rest.get_mut(..n).unwrap_or_default();
    let places = || {
        let bounds = lower.iter().zip(upper);
        x.iter().zip(gradient.iter()).zip(bounds).map(|((&x, &g), (&l, &u))| (place_of(x, g, l, u, near), g))
    };
    let mask = |vector: &mut [T]| {
        for (entry, (place, _)) in vector.iter_mut().zip(places()) {
            if place != Place::Free {
                *entry = T::ZERO;
            }
        }
    };
    for (d, &g) in direction.iter_mut().zip(gradient.iter()) {
        *d = -g;
    }
    mask(direction);
    let mut scale = None;
    for ((s, y, _), share) in ring.newest_first(n, pairs, curvatures).zip(shares.iter_mut()) {
        blas::copy(y, masked)?;
        mask(masked);
        let curvature = blas::dot(s, masked)?;
        *share = T::ZERO;
        if !is_curved(curvature, s, masked) {
            continue;
        }
        *share = blas::dot(s, direction)? / curvature;
        blas::axpy(-*share, masked, direction)?;
        if scale.is_none() {
            scale = Some(curvature / blas::dot(masked, masked)?);
        }
    }
    let scale = scale.unwrap_or(T::ONE);
    blas::scale(scale, direction);
    let shares = shares.get(..ring.stored).unwrap_or_default();
    for ((s, y, _), &share) in ring.newest_first(n, pairs, curvatures).rev().zip(shares.iter().rev()) {
        blas::copy(y, masked)?;
        mask(masked);
        let curvature = blas::dot(s, masked)?;
        if !is_curved(curvature, s, masked) {
            continue;
        }
        let other = blas::dot(masked, direction)? / curvature;
        blas::copy(s, masked)?;
        mask(masked);
        blas::axpy(share - other, masked, direction)?;
    }
    for (d, (place, g)) in direction.iter_mut().zip(places()) {
        match place {
            Place::Free => {}
            Place::Near => *d = -scale * g,
            Place::At => *d = T::ZERO,
        }
    }
    blas::dot(gradient, direction)
}

/// A solver with the box it minimizes over.
struct InBox<'a, T, B> {
    solver: &'a mut Lbfgsb<T, B>,
    lower: &'a [T],
    upper: &'a [T],
}

impl<T: Real, B: BorrowMut<[T]>> Iteration<T> for InBox<'_, T, B> {
    fn evaluate<F: FnMut(&[T], &mut [T]) -> Result<T, Error>>(
        &mut self,
        objective: &mut F,
    ) -> Result<Step, Error> {
        let Lbfgsb { memory, size, settings, phase, .. } = &mut *self.solver;
        let vectors = Vectors::split(memory.borrow_mut(), *size, settings.history)?;
        let value = vectors.evaluate(objective, *phase == Phase::Fresh)?;
        self.solver.judge(value, self.lower, self.upper)
    }

    fn state(&self) -> Result<(T, T, usize), Error> {
        let solver = &self.solver;
        let rho = stationarity(solver.iterate(), solver.gradient(), self.lower, self.upper)?;
        Ok((solver.value, rho, solver.iterations))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// Σ dᵢ(xᵢ − cᵢ)²/2 + couplings of neighbours.
    fn chain<T: Real>(x: &[T], gradient: &mut [T]) -> Result<T, Error> {
        let half = T::ONE / (T::ONE + T::ONE);
        let mut value = T::ZERO;
        for (i, (&x, g)) in x.iter().zip(gradient.iter_mut()).enumerate() {
            let (d, c) = (T::from_usize(1 + i % 5), T::from_f64((i * 7 % 11) as f64 / 4.0 - 1.2));
            *g = d * (x - c);
            value += half * d * (x - c) * (x - c);
        }
        for i in 1..x.len() {
            let difference = x[i] - x[i - 1];
            value += half * difference * difference;
            gradient[i] += difference;
            gradient[i - 1] -= difference;
        }
        Ok(value)
    }

    #[test]
    fn the_certificate_holds_in_both_precisions() {
        fn check<T: Real>() {
            let n = 30;
            let mut solver =
                Lbfgsb::new(LbfgsbSettings::default(), vec![T::ZERO; Lbfgsb::scalars(n, 10)]).unwrap();
            let lower: Vec<T> = (0..n).map(|i| T::from_f64(if i % 3 == 0 { -0.5 } else { -1e9 })).collect();
            let upper: Vec<T> = (0..n).map(|i| T::from_f64(if i % 2 == 0 { 0.3 } else { 0.4 })).collect();
            // Sums of four terms of size at most 10.
            let stop = Stop { gradient_tolerance: T::from_f64(40.0) * T::EPSILON, ..Stop::default() };
            for start in [-3.0, 0.0, 5.0] {
                let report =
                    solver.minimize(&vec![T::from_f64(start); n], &lower, &upper, chain, &stop).unwrap();
                assert_eq!(report.status, Status::Converged, "{report:?}");
                assert!(report.iterations < 120, "{report:?}");
                let mut gradient = vec![T::ZERO; n];
                chain(solver.iterate(), &mut gradient).unwrap();
                let rho = stationarity(solver.iterate(), &gradient, &lower, &upper).unwrap();
                assert_eq!(rho, report.stationarity);
                let inside = solver.iterate().iter().zip(lower.iter().zip(&upper));
                let mut at_bounds = 0;
                for (x, (l, u)) in inside {
                    assert!(l <= x && x <= u);
                    at_bounds += usize::from(x == l || x == u);
                }
                assert!(at_bounds >= 5, "{at_bounds}");
            }
        }
        check::<f64>();
        check::<f32>();
    }

    #[test]
    fn without_bounds_that_matter_it_is_unconstrained() {
        let n = 10;
        let mut solver = Lbfgsb::new(LbfgsbSettings::default(), vec![0.0; Lbfgsb::scalars(n, 10)]).unwrap();
        let (lower, upper) = (vec![f64::NEG_INFINITY; n], vec![f64::INFINITY; n]);
        let report = solver.minimize(&vec![0.0; n], &lower, &upper, chain, &Stop::default()).unwrap();
        assert_eq!(report.status, Status::Converged);
        let mut free = super::super::Lbfgs::new(
            super::super::LbfgsSettings::default(),
            vec![0.0; super::super::Lbfgs::scalars(n, 10)],
        )
        .unwrap();
        free.minimize(&vec![0.0; n], chain, &Stop::default()).unwrap();
        for (x, y) in solver.iterate().iter().zip(free.iterate()) {
            // Each within its gradient's tolerance of the minimum, the curvature being at least 1.
            assert!((x - y).abs() <= 1e-7);
        }
    }

    #[test]
    fn fixed_variables_stay_and_corners_are_found() {
        let mut solver = Lbfgsb::new(LbfgsbSettings::default(), vec![0.0; Lbfgsb::scalars(3, 10)]).unwrap();
        let line = |x: &[f64], gradient: &mut [f64]| {
            gradient.copy_from_slice(&[1.0, -2.0, 5.0]);
            Ok(x[0] - 2.0 * x[1] + 5.0 * x[2])
        };
        let report = solver
            .minimize(&[9.0, 9.0, 9.0], &[0.0, 0.0, 0.5], &[1.0, 1.0, 0.5], line, &Stop::default())
            .unwrap();
        assert_eq!((report.status, report.stationarity), (Status::Converged, 0.0));
        assert_eq!(solver.iterate(), [0.0, 1.0, 0.5]);
    }

    #[test]
    fn misuse_is_refused() {
        let settings = LbfgsbSettings::<f64>::default();
        assert!(Lbfgsb::new(LbfgsbSettings { history: 0, ..settings }, [0.0; 1]).is_err());
        let mut small = Lbfgsb::new(settings, [0.0; Lbfgsb::scalars(1, 10) - 1]).unwrap();
        assert!(matches!(small.start(&[0.0], &[0.0], &[1.0]), Err(Error::Capacity { .. })));
        let mut solver = Lbfgsb::new(settings, [0.0; Lbfgsb::scalars(1, 10)]).unwrap();
        assert!(matches!(solver.start(&[0.0], &[1.0], &[0.0]), Err(Error::Infeasible { .. })));
        assert!(matches!(
            solver.start(&[0.0], &[f64::INFINITY], &[f64::INFINITY]),
            Err(Error::NonFinite { what: "bounds", .. })
        ));
        solver.start(&[0.0], &[0.0], &[1.0]).unwrap();
        assert!(matches!(solver.step(0.0, &[0.0], &[0.0], &[]), Err(Error::Dimension { .. })));
        assert!(matches!(solver.step(f64::NAN, &[0.0], &[0.0], &[1.0]), Err(Error::NonFinite { .. })));
    }
}
