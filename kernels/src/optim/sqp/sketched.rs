use super::iterate::{Iterate, check_shapes, cut, scalars};
use super::report::{Counts, run};
use super::{
    Accuracy, Directions, EqualityProgram, ExactAugmentedLagrangian, Report, SketchedSqpSettings, Status,
    Step, kkt_assemble,
};
use crate::blas::{copy, dot, norm2};
use crate::factor::Qr;
use crate::krylov::{self, LinearSystem, Sketch, SketchAndProject};
use crate::linop::Dense;
use crate::optim::line_search::ArmijoSettings;
use crate::random::{Key, Stream};
use crate::{Error, Real, check_finite};
use core::borrow::BorrowMut;

/// Sequential quadratic programming on an exact augmented Lagrangian, Newton's system solved as accurately as descent
/// needs.
///
/// A step solves Γz = b, Γ = (B, Gᵀ; G, 0), b = −(∇ₓL; c), z = (Δx; Δλ), B = W or, where that is not positive definite
/// on the null space of G, W + (ξ_B + ‖W‖)I. It tightens the accuracy and moves the penalties until
/// ∇L_ηᵀz ≤ −(η₂/2)‖b‖², or the penalties reach their limits, each time going on from the z it has; then x and λ move by
/// one step length, the first of 1, ½, ¼, … that [`Armijo`] accepts on L_η.
///
/// Shapes: those of the [`EqualityProgram`]; N = n + m. Guarantees: at fixed η the merit function decreases with every
/// step; the same key, the same path on every target; a report belongs to the iterate, whose figures are finite. Cost of
/// a step: an evaluation of everything and one of f, c, ∇f, G for each trial, of 50 at most; 4N² flops and N normal
/// numbers a Gaussian projection, 4N a projection of Kaczmarz, of at most
/// `max_projections` for each of at most log(10⁸/η₁)/log ν² tests of descent (23 with the constants of the source); O(N³) for the tests of rank
/// and curvature, and for a direct solve. [`scalars`](SketchedSqp::scalars) lent.
///
/// Source: I. Hong, S. Na, M. W. Mahoney, M. Kolar, Constrained Optimization via Exact Augmented Lagrangian and Randomized
/// Iterative Sketching, ICML 2023, algorithm 1, with these departures: z starts at 0 with the residual −b; the gradient of
/// the merit function takes W, not ∇²f; [`Accuracy::Practical`] is this crate's own.
///
/// ```
/// use quern_kernels::optim::sqp::{Accuracy, Directions, EqualityProgram, SketchedSqp, SketchedSqpSettings, Status};
/// use quern_kernels::random::Key;
/// /// The point of the circle x² + y² = 2 with the least x + y.
/// struct Circle;
/// impl EqualityProgram<f64> for Circle {
///     fn variables(&self) -> usize {
///         2
///     }
///     fn constraints(&self) -> usize {
///         1
///     }
///     fn values(&self, x: &[f64], constraints: &mut [f64]) -> f64 {
///         constraints[0] = x[0] * x[0] + x[1] * x[1] - 2.0;
///         x[0] + x[1]
///     }
///     fn derivatives(&self, x: &[f64], gradient: &mut [f64], jacobian: &mut [f64]) {
///         gradient.copy_from_slice(&[1.0, 1.0]);
///         jacobian.copy_from_slice(&[2.0 * x[0], 2.0 * x[1]]);
///     }
///     fn lagrangian_hessian(&self, _: &[f64], multipliers: &[f64], hessian: &mut [f64]) {
///         hessian.copy_from_slice(&[2.0 * multipliers[0], 0.0, 0.0, 2.0 * multipliers[0]]);
///     }
/// }
/// let settings = SketchedSqpSettings::new(Accuracy::Practical);
/// let memory = [0.0; SketchedSqp::scalars(2, 1)];
/// let mut solver = SketchedSqp::new(memory, settings, Directions::Direct, Key::from_seed(1))?;
/// let report = solver.solve(&Circle, &[-1.5, -0.2], &[1.0])?;
/// assert_eq!(report.status, Status::Solved);
/// assert!(solver.solution().iter().all(|x| (x + 1.0).abs() < 1e-3));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SketchedSqp<T, B> {
    memory: B,
    settings: SketchedSqpSettings<T>,
    directions: Directions,
    key: Key,
    generator: Stream,
    variables: usize,
    constraints: usize,
    penalties: ExactAugmentedLagrangian<T>,
    /// δ or κ.
    accuracy: T,
    /// θₖ.
    forcing: T,
    counts: Counts,
    step_length: T,
    objective: T,
}

/// The lent memory by purpose; N = n + m.
struct Parts<'a, T> {
    iterate: Iterate<'a, T>,
    /// Γ; before it, Gᵀ and Z.
    matrix: &'a mut [T],
    /// N² + N: the factors of Γ, or what the tests need.
    scratch: &'a mut [T],
    /// b.
    right_hand_side: &'a mut [T],
    /// z.
    direction: &'a mut [T],
    merit_gradient: &'a mut [T],
    /// The point a line search starts from.
    origin: &'a mut [T],
    /// 4N.
    projections: &'a mut [T],
}

fn parts<T: Real>(memory: &mut [T], n: usize, m: usize) -> Option<Parts<'_, T>> {
    let size = n.checked_add(m)?;
    let square = size.checked_mul(size)?;
    let mut rest = memory;
    Some(Parts {
        iterate: Iterate::cut(&mut rest, n, m)?,
        matrix: cut(&mut rest, square)?,
        scratch: cut(&mut rest, square.checked_add(size)?)?,
        right_hand_side: cut(&mut rest, size)?,
        direction: cut(&mut rest, size)?,
        merit_gradient: cut(&mut rest, size)?,
        origin: cut(&mut rest, size)?,
        projections: cut(&mut rest, SketchAndProject::scalars(size))?,
    })
}

impl SketchedSqp<(), ()> {
    /// Scalars to lend: 2N² + 9N and n² + nm + 3n + 2m, N = n + m.
    pub const fn scalars(n: usize, m: usize) -> usize {
        let size = n.saturating_add(m);
        scalars(n, m)
            .saturating_add(size.saturating_mul(size).saturating_mul(2))
            .saturating_add(size.saturating_mul(9))
    }
}

impl<T: Real, B: BorrowMut<[T]>> SketchedSqp<T, B> {
    /// A workspace over lent memory, of [`scalars`](SketchedSqp::scalars) entries at least. The key is of the projections.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(
        memory: B,
        settings: SketchedSqpSettings<T>,
        directions: Directions,
        key: Key,
    ) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self {
            memory,
            settings,
            directions,
            key,
            generator: key.stream(),
            variables: 0,
            constraints: 0,
            penalties: settings.penalties,
            accuracy: settings.initial_accuracy,
            forcing: T::ONE,
            counts: Counts::default(),
            step_length: T::ZERO,
            objective: T::ZERO,
        })
    }

    /// Takes x₀ and λ₀ and evaluates the problem there.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`], also of what the problem gives at x₀; [`Error::Capacity`].
    pub fn start(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        x: &[T],
        multipliers: &[T],
    ) -> Result<(), Error> {
        let (n, m) = check_shapes(problem, x, multipliers)?;
        (self.variables, self.constraints) = (n, m);
        self.generator = self.key.stream();
        self.penalties = self.settings.penalties;
        (self.accuracy, self.forcing) = (self.settings.initial_accuracy, T::ONE);
        (self.counts, self.step_length) = (Counts::default(), T::ZERO);
        let memory = self.memory.borrow_mut();
        let (required, available) = (SketchedSqp::scalars(n, m), memory.len());
        let missing = Error::Capacity { what: "workspace", required, available };
        let mut parts = parts(memory, n, m).ok_or(missing)?;
        self.objective = parts.iterate.start(problem, x, multipliers, &mut self.counts)?;
        Ok(())
    }

    /// One iteration, bounded in cost; call it after a start, with the same problem.
    pub fn step(&mut self, problem: &(impl EqualityProgram<T> + ?Sized)) -> Step {
        match self.advance(problem) {
            Ok(step) => step,
            Err(_) => Step::Stopped(Status::Breakdown),
        }
    }

    fn advance(&mut self, problem: &(impl EqualityProgram<T> + ?Sized)) -> Result<Step, Error> {
        let settings = self.settings;
        let (n, m) = (self.variables, self.constraints);
        let Some(mut parts) = parts(self.memory.borrow_mut(), n, m) else {
            return Ok(Step::Stopped(Status::Breakdown));
        };
        let iterate = &mut parts.iterate;
        let right_hand_side_norm = norm2(iterate.optimality);
        if right_hand_side_norm <= settings.tolerance {
            return Ok(Step::Stopped(Status::Solved));
        }
        iterate.evaluate_hessian(problem, None)?;
        let rank = iterate.jacobian_rank(parts.scratch)?;
        let independent = rank >= settings.rank_threshold;
        if !independent {
            return Ok(Step::Stopped(Status::SingularJacobian));
        }
        let shift = iterate.hessian_shift(
            settings.curvature_threshold,
            settings.curvature_margin,
            parts.matrix,
            parts.scratch,
        )?;
        kkt_assemble(n, m, iterate.hessian, shift, iterate.jacobian, parts.matrix)?;
        for (b, &value) in parts.right_hand_side.iter_mut().zip(iterate.optimality.iter()) {
            *b = -value;
        }
        let norms = Norms::new(iterate, parts.matrix, rank, &settings);
        self.accuracy = norms.accuracy(self.accuracy, &self.penalties, &settings);

        let matrix = Dense::new(n.saturating_add(m), n.saturating_add(m), parts.matrix)?;
        let system = LinearSystem::new(&matrix, parts.right_hand_side);
        let sketch = match self.directions {
            Directions::Sketched(sketch) => Some(sketch),
            Directions::Direct => {
                self.counts.inner = self.counts.inner.saturating_add(1);
                solve_directly(&system, parts.scratch, parts.direction)?;
                None
            }
        };
        let mut solver = SketchAndProject::new(&mut *parts.projections, sketch.unwrap_or(Sketch::Gaussian))?;
        if sketch.is_some() {
            solver.start(&system)?;
        }
        let (most, least) = settings.limits();
        let slope = loop {
            if sketch.is_some() {
                let mut budget = settings.max_projections;
                let small = |residual: T, z: &[T]| match settings.accuracy {
                    Accuracy::Guaranteed => {
                        norms.matrix * norms.inverse * residual
                            <= self.forcing * self.accuracy * right_hand_side_norm
                    }
                    Accuracy::Practical => {
                        let rounding = T::from_f64(8.0) * T::EPSILON * norms.matrix * norm2(z);
                        residual <= (self.forcing * self.accuracy * right_hand_side_norm).maximum(rounding)
                    }
                };
                while budget > 0 && !small(solver.residual_norm(), solver.solution()) {
                    if solver.step(&system, &mut self.generator) == krylov::Step::Breakdown {
                        return Ok(Step::Stopped(Status::Breakdown));
                    }
                    budget -= 1;
                    self.counts.inner = self.counts.inner.saturating_add(1);
                }
                for (z, &found) in parts.direction.iter_mut().zip(solver.solution()) {
                    *z = found;
                }
            }
            let (lagrangian_gradient, constraints) = iterate.conditions();
            let (jacobian, hessian) = (&*iterate.jacobian, &*iterate.hessian);
            let scratch = parts.scratch.get_mut(..m).unwrap_or_default();
            let gradient = &mut *parts.merit_gradient;
            self.penalties.gradient(
                constraints,
                lagrangian_gradient,
                jacobian,
                hessian,
                scratch,
                gradient,
            )?;
            let slope = dot(gradient, parts.direction)?;
            let half = T::from_f64(0.5) * self.penalties.gradient_penalty;
            let enough = slope <= -(half * right_hand_side_norm * right_hand_side_norm);
            if enough || self.penalties.constraint_penalty > most || self.penalties.gradient_penalty < least {
                break slope;
            }
            let growth = settings.penalty_growth;
            self.penalties.constraint_penalty *= growth * growth;
            self.penalties.gradient_penalty /= growth;
            self.accuracy /= growth * growth * growth * growth;
            self.accuracy = norms.accuracy(self.accuracy, &self.penalties, &settings);
        };
        check_finite("direction", parts.direction)?;
        self.search(problem, slope)
    }

    /// Moves along z by the line search.
    fn search(&mut self, problem: &(impl EqualityProgram<T> + ?Sized), slope: T) -> Result<Step, Error> {
        let Some(Parts { mut iterate, direction, origin, .. }) =
            parts(self.memory.borrow_mut(), self.variables, self.constraints)
        else {
            return Ok(Step::Stopped(Status::Breakdown));
        };
        let merit = |objective: T, iterate: &Iterate<'_, T>| {
            let (lagrangian_gradient, constraints) = iterate.conditions();
            self.penalties.value(objective, iterate.halves().1, constraints, lagrangian_gradient)
        };
        let settings = ArmijoSettings {
            sufficient_decrease: self.settings.sufficient_decrease,
            relative_rounding: match self.settings.accuracy {
                Accuracy::Guaranteed => T::ZERO,
                Accuracy::Practical => T::from_f64(4.0) * T::EPSILON,
            },
            least_contraction: T::from_f64(0.5),
            max_evaluations: 50,
        };
        let (start, along) = ((self.objective, slope), (&*direction, origin));
        let Some(found) = iterate.search(problem, &mut self.counts, settings, start, along, merit)? else {
            return Ok(Step::Stopped(Status::LineSearch));
        };
        (self.objective, self.step_length) = found;
        self.forcing *= self.settings.forcing_decay;
        self.counts.iterations = self.counts.iterations.saturating_add(1);
        Ok(Step::Advanced)
    }

    /// Starts and steps until solved, or as long as there is a step and the budget lasts.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn solve(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        x: &[T],
        multipliers: &[T],
    ) -> Result<Report<T>, Error> {
        self.start(problem, x, multipliers)?;
        let stop = (self.settings.tolerance, self.settings.max_iterations);
        Ok(run(self, stop, Self::report, |method| method.step(problem)))
    }

    /// The figures of the iterate at hand, under this status.
    pub fn report(&self, status: Status) -> Report<T> {
        let optimality = super::iterate::optimality(self.memory.borrow(), self.variables, self.constraints);
        self.counts.report(status, self.variables, optimality, self.objective, self.step_length)
    }

    /// x.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.variables).unwrap_or_default()
    }

    /// λ.
    pub fn multipliers(&self) -> &[T] {
        let rest = self.memory.borrow().get(self.variables..);
        rest.and_then(|rest| rest.get(..self.constraints)).unwrap_or_default()
    }

    /// η as it stands.
    pub fn penalties(&self) -> ExactAugmentedLagrangian<T> {
        self.penalties
    }
}

/// What the bounds on the direction's accuracy are made of.
struct Norms<T> {
    /// ‖Γ‖.
    matrix: T,
    /// Ψ, a bound on ‖Γ⁻¹‖.
    inverse: T,
    /// Υ.
    derivatives: T,
}

impl<T: Real> Norms<T> {
    fn new(iterate: &Iterate<'_, T>, matrix: &[T], rank: T, settings: &SketchedSqpSettings<T>) -> Self {
        let n = iterate.variables;
        // ‖B‖² from the columns of Γ that hold it.
        let size = iterate.point.len().max(1);
        let columns = matrix.chunks_exact(size).take(n).filter_map(|column| column.get(..n));
        let hessian = columns.fold(T::ZERO, |sum, column| {
            let norm = norm2(column);
            sum + norm * norm
        });
        let inverse = T::from_f64(20.0) * hessian.maximum(T::ONE)
            / (rank.minimum(T::ONE) * settings.curvature_margin.minimum(T::ONE));
        let derivatives = norm2(iterate.jacobian).maximum(norm2(iterate.hessian)).maximum(T::ONE);
        Self { matrix: norm2(matrix), inverse, derivatives }
    }

    /// δ ← max(min(δ, δ_trial), 10⁻⁶) with the largest δ for which η is known to descend; κ stays.
    fn accuracy(
        &self,
        accuracy: T,
        penalties: &ExactAugmentedLagrangian<T>,
        settings: &SketchedSqpSettings<T>,
    ) -> T {
        if settings.accuracy == Accuracy::Practical {
            return accuracy;
        }
        let ExactAugmentedLagrangian { constraint_penalty, gradient_penalty } = *penalties;
        let product = self.derivatives * self.inverse;
        let trial = (T::from_f64(0.5) - settings.sufficient_decrease) * gradient_penalty
            / ((T::ONE + constraint_penalty + gradient_penalty) * product * product);
        accuracy.minimum(trial).maximum(T::from_f64(1e-6))
    }
}

/// z ← Γ⁻¹b. Scratch: N² + N.
fn solve_directly<T: Real>(
    system: &LinearSystem<'_, T, Dense<'_, T>>,
    scratch: &mut [T],
    direction: &mut [T],
) -> Result<(), Error> {
    let size = direction.len();
    let mut rest = scratch;
    let factors = cut(&mut rest, size.saturating_mul(size));
    let (Some(factors), Some(scales)) = (factors, cut(&mut rest, size)) else { return Ok(()) };
    copy(system.operator.entries(), factors)?;
    copy(system.right_hand_side, direction)?;
    Qr::factor(size, size, factors, scales)?.solve(direction)
}
