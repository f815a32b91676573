use super::direction_ring::{Parts, Previous, newest_first};
use super::iteration::{Iteration, check_norm, guarded_norm, initialize, residual, run, shortage};
use super::{LinearSystem, Report, Step, Stop};
use crate::linop::LinearOperator;
use crate::space::{Serial, Space};
use crate::{Error, Real};
use core::borrow::BorrowMut;

/// How [`LearnedDirections`] uses what f returns.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DirectionSettings<T> {
    /// k: previous directions that a new one is made conjugate to.
    pub memory: usize,
    /// τ in [0, 1): a direction whose cosine with the residual is no larger gives way to the residual.
    pub safeguard: T,
}

impl<T: Real> Default for DirectionSettings<T> {
    /// k = 2, τ = 0.02.
    fn default() -> Self {
        Self { memory: 2, safeguard: T::from_f64(0.02) }
    }
}

impl<T: Real> DirectionSettings<T> {
    /// # Errors
    /// [`Error::Setting`] for a safeguard outside of its range.
    pub fn validate(&self) -> Result<(), Error> {
        if self.safeguard >= T::ZERO && self.safeguard < T::ONE {
            return Ok(());
        }
        Err(Error::Setting { name: "safeguard", expected: "in [0, 1)" })
    }
}

/// Conjugate directions from any source f: for Ax = b, A symmetric positive definite, f(r/‖r‖) ≈ c·A⁻¹r.
///
/// Each step takes q = f(r/‖r‖), made a unit vector; for the last k directions p, newest first,
/// q ← q − p⟨q, Ap⟩/⟨p, Ap⟩; then θ = ⟨q, r⟩/⟨q, Aq⟩, x ← x + θq, r ← r − θAq. Every tenth step r is b − Ax
/// computed afresh. If |⟨q, r⟩| ≤ τ‖q‖‖r‖, or less than a thousandth of q is left, q = r/‖r‖ takes its place
/// and is made conjugate in the same way; where rounding leaves nothing of that either, the stored directions
/// are forgotten.
///
/// Shapes: A n×n; b, x, and what f reads and writes of length n. Guarantees: whatever f writes, NaN included,
/// the error in the norm of A never grows but for rounding, and falls in every step by the factor √(1 − τ²/κ)
/// at least, or by that of steepest descent; with f(r) = r and k ≥ 1 the iterates are those of
/// [`Cg`](super::Cg), with f = c·A⁻¹ one step is enough; scaling b by a power of two scales x, bit for bit,
/// until numbers leave the normal range. f depends on the residual's direction alone: without the safeguard a
/// direction orthogonal to r would come again for ever. On a grid with solid cells f must return zeros there.
/// Cost: a step is f, one product with A (two in every tenth) and (4k + 16)n flops; twice that without f where
/// the safeguard acts; (2k + 4)n + k scalars lent. Source: A. Kaneda et al., A Deep Conjugate Direction Method
/// for Iteratively Solving Linear Systems, 2023, algorithm 1. Departures: the safeguard, the unit length, and
/// the recurrence for r, which there is computed afresh in every step.
///
/// ```
/// use quern_kernels::krylov::{DirectionSettings, LearnedDirections, LinearSystem, Status, Stop};
/// use quern_kernels::linop::FixedDense;
/// let matrix = FixedDense::new(&[[4.0, 1.0], [1.0, 3.0]]).unwrap();
/// let problem = LinearSystem::new(&matrix, &[1.0, 2.0]);
/// // A guess at the inverse: the reciprocal diagonal.
/// let source = |r: &[f64], q: &mut [f64]| q.copy_from_slice(&[r[0] / 4.0, r[1] / 3.0]);
/// let settings = DirectionSettings::default();
/// let memory = vec![0.0; LearnedDirections::scalars(2, settings.memory)];
/// let mut solver = LearnedDirections::new(memory, settings, source)?;
/// let report = solver.solve(&problem, &Stop::default())?;
/// assert_eq!((report.status, report.iterations), (Status::Converged, 2));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LearnedDirections<T, B, F, S = Serial> {
    /// x, r, q, then Aq and r/‖r‖ by turns; the k curvatures; k pairs of p and Ap.
    memory: B,
    space: S,
    settings: DirectionSettings<T>,
    source: F,
    size: usize,
    residual_norm: T,
    right_hand_side_norm: T,
    steps: usize,
    /// Directions stored, and where the next one goes.
    stored: usize,
    next: usize,
    safeguarded: usize,
}

/// Steps from one residual computed afresh to the next.
const PERIOD: usize = 10;

/// Share of a unit direction that must be left once it is conjugate.
const LEAST_LEFT: f64 = 1e-3;

impl LearnedDirections<(), (), ()> {
    /// Scalars to lend for n unknowns and k previous directions: (2k + 4)n + k.
    pub const fn scalars(n: usize, memory: usize) -> usize {
        memory.saturating_mul(2).saturating_add(4).saturating_mul(n).saturating_add(memory)
    }
}

impl<T: Real, B: BorrowMut<[T]>, F: FnMut(&[T], &mut [T])> LearnedDirections<T, B, F> {
    /// A workspace over lent memory, of [`scalars`](LearnedDirections::scalars) entries at least, that takes
    /// its directions from `source`: it reads r/‖r‖ and writes q, which holds numbers of no meaning before.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(memory: B, settings: DirectionSettings<T>, source: F) -> Result<Self, Error> {
        Self::in_space(memory, settings, source, Serial)
    }
}

impl<T: Real, B: BorrowMut<[T]>, F: FnMut(&[T], &mut [T]), S: Space<T>> LearnedDirections<T, B, F, S> {
    /// A workspace whose vectors live in `space`.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn in_space(memory: B, settings: DirectionSettings<T>, source: F, space: S) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self {
            memory,
            space,
            settings,
            source,
            size: 0,
            residual_norm: T::ZERO,
            right_hand_side_norm: T::ZERO,
            steps: 0,
            stored: 0,
            next: 0,
            safeguarded: 0,
        })
    }

    /// Sets x₀ = 0 and forgets all directions. Cost: 4n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if ‖r‖
    /// overflows.
    pub fn start<A: LinearOperator<T>>(&mut self, problem: &LinearSystem<'_, T, A>) -> Result<(), Error> {
        self.prepare(problem, None)
    }

    /// Sets x₀ to the given iterate. Cost: one product with A, and 6n flops.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_from<A: LinearOperator<T>>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        initial: &[T],
    ) -> Result<(), Error> {
        self.prepare(problem, Some(initial))
    }

    fn prepare<A: LinearOperator<T>>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        initial: Option<&[T]>,
    ) -> Result<(), Error> {
        problem.check_square()?;
        let n = problem.operator.rows();
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let required = LearnedDirections::scalars(n, self.settings.memory);
        let parts = Parts::split(memory, n, self.settings.memory);
        let Parts { x, r, .. } = parts.ok_or(shortage(required, available))?;
        self.right_hand_side_norm = initialize(&self.space, problem, initial, x, r)?;
        self.residual_norm =
            if initial.is_some() { guarded_norm(&self.space, r) } else { self.right_hand_side_norm };
        self.size = n;
        (self.steps, self.stored, self.next, self.safeguarded) = (0, 0, 0, 0);
        check_norm(self.residual_norm)
    }

    /// One step, bounded in cost: one call of f, at most two products with A; call it after a start, with the
    /// same problem.
    pub fn step<A: LinearOperator<T>>(&mut self, problem: &LinearSystem<'_, T, A>) -> Step {
        let n = problem.operator.rows();
        let Self { space, settings, .. } = self;
        let Some(Parts { x, r, q, product, curvatures, pairs }) =
            Parts::split(self.memory.borrow_mut(), n, settings.memory)
        else {
            return Step::Breakdown;
        };
        if self.residual_norm == T::ZERO {
            return Step::Finished;
        }
        let inverse = T::ONE / self.residual_norm;
        if !inverse.is_finite() {
            return Step::Breakdown;
        }
        let previous = Previous { space, curvatures, pairs, n, stored: self.stored, next: self.next };
        let unit = &mut *product;
        space.copy(r, unit);
        space.scale(inverse, unit);
        (self.source)(unit, q);
        let mut accepted = false;
        let norm = guarded_norm(space, q);
        let scale = T::ONE / norm;
        // False of NaN, and of a direction that is zero, infinite, or beyond inversion.
        if norm > T::ZERO && norm.is_finite() && scale.is_finite() && scale > T::ZERO {
            space.scale(scale, q);
            let left = previous.conjugate(q);
            let cosine = space.dot(q, unit).abs();
            accepted = cosine > settings.safeguard * left && left >= T::from_f64(LEAST_LEFT);
        }
        if !accepted {
            self.safeguarded = self.safeguarded.saturating_add(1);
            space.copy(unit, q);
            let enough = previous.conjugate(q) >= T::from_f64(LEAST_LEFT);
            // Only rounding puts the residual into the span of directions it is orthogonal to.
            if !enough {
                space.copy(unit, q);
                (self.stored, self.next) = (0, 0);
            }
        }
        // ⟨q, r⟩ of the residual itself: that of the unit vector would lose a rounding.
        let along = space.dot(q, r);
        let curvature = problem.operator.apply_dot(space, q, product);
        let step_length = along / curvature;
        // Both tests are also false of NaN.
        if !(curvature > T::ZERO && step_length.is_finite()) {
            return Step::Breakdown;
        }
        space.axpy(step_length, q, x);
        let squared = space.axpy_dot(-step_length, product, r);
        self.residual_norm = norm_of(space, squared, r);
        self.steps = self.steps.saturating_add(1);
        if settings.memory > 0 {
            let slot =
                curvatures.get_mut(self.next).zip(pairs.chunks_exact_mut((2 * n).max(1)).nth(self.next));
            if let Some((stored, (p, image))) =
                slot.and_then(|(stored, pair)| Some((stored, pair.split_at_mut_checked(n)?)))
            {
                *stored = curvature;
                space.copy(q, p);
                space.copy(product, image);
            }
            self.stored = self.stored.saturating_add(1).min(settings.memory);
            self.next = if self.next.saturating_add(1) < settings.memory { self.next + 1 } else { 0 };
        }
        if self.steps.is_multiple_of(PERIOD) {
            problem.operator.apply(x, product);
            space.copy(problem.right_hand_side, r);
            let squared = space.axpy_dot(-T::ONE, product, r);
            self.residual_norm = norm_of(space, squared, r);
        }
        Step::Advanced
    }

    /// Starts at zero and steps until `stop` is met, or cannot be.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Setting`]; [`Error::Breakdown`] if the iterate ends non-finite.
    pub fn solve<A: LinearOperator<T>>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        self.start(problem)?;
        self.resume(problem, stop)
    }

    /// Goes on from where a start, steps or a solve left off. The budget counts anew.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn resume<A: LinearOperator<T>>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        let norm = self.right_hand_side_norm;
        run(self, problem, norm, stop)
    }

    /// The iterate: usable after a start and every step.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// ‖r‖ of the recurrence.
    pub fn residual_norm(&self) -> T {
        self.residual_norm
    }

    /// Steps since the start in which the residual took the place of f's direction.
    pub fn safeguarded(&self) -> usize {
        self.safeguarded
    }

    /// The last directions, at most k, newest first: (p, Ap, ⟨p, Ap⟩).
    pub fn directions(&self) -> impl Iterator<Item = (&[T], &[T], T)> {
        let (n, k) = (self.size, self.settings.memory);
        let memory = self.memory.borrow();
        let rest = memory.get(n.saturating_mul(4)..).unwrap_or_default();
        let (curvatures, pairs) = rest.split_at_checked(k).unwrap_or_default();
        newest_first(pairs, curvatures, n, self.stored, self.next)
    }
}

/// The norm of r, whose square is known unless it left the normal range.
fn norm_of<T: Real>(space: &impl Space<T>, squared: T, r: &mut [T]) -> T {
    if squared.is_finite() && squared > T::MIN_POSITIVE / T::EPSILON {
        squared.sqrt()
    } else {
        guarded_norm(space, r)
    }
}

impl<T, B, F, S, A> Iteration<T, LinearSystem<'_, T, A>> for LearnedDirections<T, B, F, S>
where
    T: Real,
    B: BorrowMut<[T]>,
    F: FnMut(&[T], &mut [T]),
    S: Space<T>,
    A: LinearOperator<T>,
{
    fn step(&mut self, problem: &LinearSystem<'_, T, A>) -> Step {
        LearnedDirections::step(self, problem)
    }

    fn at_most(&self, bound: T) -> bool {
        self.residual_norm <= bound
    }

    fn iterate(&self) -> &[T] {
        self.solution()
    }

    fn compute_residual(&mut self, problem: &LinearSystem<'_, T, A>) -> T {
        let n = problem.operator.rows();
        let Some(Parts { x, product, .. }) = Parts::split(self.memory.borrow_mut(), n, self.settings.memory)
        else {
            return T::MAX;
        };
        residual(&self.space, problem, x, product)
    }

    fn restart(&mut self, problem: &LinearSystem<'_, T, A>) -> Result<(), Error> {
        let n = problem.operator.rows();
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let required = LearnedDirections::scalars(n, self.settings.memory);
        let Parts { r, product, .. } =
            Parts::split(memory, n, self.settings.memory).ok_or(shortage(required, available))?;
        self.space.copy(product, r);
        self.residual_norm = guarded_norm(&self.space, r);
        check_norm(self.residual_norm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::krylov::{Cg, Status};
    use crate::linop::{FixedDense, Stencil5};
    use std::vec;
    use std::vec::Vec;

    fn settings(memory: usize) -> DirectionSettings<f64> {
        DirectionSettings { memory, ..DirectionSettings::default() }
    }

    fn ramp(length: usize) -> Vec<f64> {
        (0..length).map(|i| ((i * 37 + 11) % 64) as f64 / 32.0 - 0.98).collect()
    }

    fn lent(n: usize, k: usize) -> Vec<f64> {
        vec![0.0; LearnedDirections::scalars(n, k)]
    }

    #[test]
    fn the_residual_itself_gives_conjugate_gradients() {
        let operator = Stencil5::new([6, 5], [1.0; 2]).unwrap();
        let b = ramp(30);
        let problem = LinearSystem::new(&operator, &b);
        let mut cg = Cg::new(vec![0.0; Cg::scalars(30)]);
        let identity = |r: &[f64], q: &mut [f64]| q.copy_from_slice(r);
        let mut solver = LearnedDirections::new(lent(30, 2), settings(2), identity).unwrap();
        cg.start(&problem).unwrap();
        solver.start(&problem).unwrap();
        for _ in 0..12 {
            assert_eq!((cg.step(&problem), solver.step(&problem)), (Step::Advanced, Step::Advanced));
            for (x, y) in cg.solution().iter().zip(solver.solution()) {
                assert!((x - y).abs() <= 1e-10);
            }
        }
        assert_eq!(solver.safeguarded(), 0);
    }

    #[test]
    fn directions_come_newest_first_and_are_conjugate() {
        let operator = Stencil5::new([6, 5], [1.0; 2]).unwrap();
        let b = ramp(30);
        let problem = LinearSystem::new(&operator, &b);
        // Something poor: half of the residual is dropped.
        let half = |r: &[f64], q: &mut [f64]| {
            q.copy_from_slice(r);
            q[..15].fill(0.0);
        };
        for k in 0..4 {
            let mut solver = LearnedDirections::new(lent(30, k), settings(k), half).unwrap();
            solver.start(&problem).unwrap();
            for steps in 1..7 {
                assert_eq!(solver.step(&problem), Step::Advanced);
                let stored: Vec<_> = solver.directions().collect();
                assert_eq!(stored.len(), k.min(steps));
                for (i, (p, _, d)) in stored.iter().enumerate() {
                    for (_, image, other) in stored.iter().skip(i + 1) {
                        let product: f64 = p.iter().zip(*image).map(|(p, image)| p * image).sum();
                        assert!(product.abs() <= 1e-10 * (d * other).sqrt());
                    }
                }
            }
        }
    }

    #[test]
    fn a_useless_source_is_replaced() {
        let operator = Stencil5::new([5, 5], [1.0; 2]).unwrap();
        let b = ramp(25);
        let problem = LinearSystem::new(&operator, &b);
        let stop = Stop { relative_tolerance: 1e-8, ..Stop::default() };
        type Source = fn(&[f64], &mut [f64]);
        let sources: [Source; 5] = [
            |_, q| q.fill(1.0),
            |_, q| q.fill(0.0),
            |_, q| q.fill(f64::NAN),
            |_, q| q.fill(f64::INFINITY),
            |_, q| q.fill(1e-320),
        ];
        for source in sources {
            let mut solver = LearnedDirections::new(lent(25, 2), settings(2), source).unwrap();
            let report = solver.solve(&problem, &stop).unwrap();
            assert_eq!(report.status, Status::Converged);
            assert!(solver.safeguarded() > 0);
        }
    }

    #[test]
    fn extreme_right_hand_sides_take_as_many_steps() {
        let operator = Stencil5::new([4, 4], [1.0_f32; 2]).unwrap();
        let source = |r: &[f32], q: &mut [f32]| {
            for (q, r) in q.iter_mut().zip(r) {
                *q = r * r + r;
            }
        };
        let stop = Stop { relative_tolerance: 1e-4, ..Stop::default() };
        let counts = [-100, 0, 100].map(|exponent: i32| {
            let b: Vec<f32> = ramp(16).iter().map(|b| *b as f32 * 2f32.powi(exponent)).collect();
            let memory = vec![0.0; LearnedDirections::scalars(16, 2)];
            let mut solver = LearnedDirections::new(memory, DirectionSettings::default(), source).unwrap();
            let report = solver.solve(&LinearSystem::new(&operator, &b), &stop).unwrap();
            (report.status, report.iterations)
        });
        assert_eq!(counts[0], counts[1]);
        assert_eq!(counts[2], counts[1]);
        assert_eq!(counts[1].0, Status::Converged);
    }

    #[test]
    fn misuse_is_refused() {
        let identity = |r: &[f64], q: &mut [f64]| q.copy_from_slice(r);
        for safeguard in [-0.1, 1.0, f64::NAN] {
            let settings = DirectionSettings { memory: 2, safeguard };
            assert!(LearnedDirections::new(lent(2, 2), settings, identity).is_err());
        }
        let matrix = FixedDense::new(&[[1.0, 0.0], [0.0, -1.0]]).unwrap();
        let mut solver = LearnedDirections::new(lent(2, 2), settings(2), identity).unwrap();
        let stop = Stop::default();
        let long = solver.solve(&LinearSystem::new(&matrix, &[1.0; 3]), &stop);
        assert!(matches!(long, Err(Error::Dimension { .. })));
        let nan = solver.solve(&LinearSystem::new(&matrix, &[1.0, f64::NAN]), &stop);
        assert!(matches!(nan, Err(Error::NonFinite { .. })));
        // ⟨q, Aq⟩ = 0.
        let report = solver.solve(&LinearSystem::new(&matrix, &[1.0, 1.0]), &stop).unwrap();
        assert_eq!(report.status, Status::Breakdown);
        let zero = solver.solve(&LinearSystem::new(&matrix, &[0.0; 2]), &stop).unwrap();
        assert_eq!((zero.status, zero.iterations), (Status::Converged, 0));
        let mut small = LearnedDirections::new([0.0; 8], settings(2), identity).unwrap();
        let refused = small.start(&LinearSystem::new(&matrix, &[1.0; 2]));
        assert_eq!(refused, Err(Error::Capacity { what: "workspace", required: 18, available: 8 }));
        assert_eq!(small.step(&LinearSystem::new(&matrix, &[1.0; 2])), Step::Breakdown);
    }
}
