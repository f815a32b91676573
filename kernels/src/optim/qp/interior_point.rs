use super::certificate::{dual_infeasible, primal_infeasible, unscale};
use super::kkt::check_convex;
use super::memory::{copy, shortage, take};
use super::{Kkt, Problem, Report, Residuals, Status, Step, Stop};
use crate::linop::{Adjoint, LinearOperator};
use crate::{Error, Real};
use core::borrow::BorrowMut;

mod direction;
mod slacks;

use slacks::Slacks;

/// A solve gives up after so many steps in a row without a better iterate.
const PATIENCE: usize = 15;

/// How an [`InteriorPoint`] method steps.
///
/// ```
/// use quern_kernels::optim::qp::InteriorPointSettings;
/// let settings = InteriorPointSettings::<f64>::default();
/// assert!(settings.validate().is_ok());
/// assert!(InteriorPointSettings { step_fraction: 1.0, ..settings }.validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InteriorPointSettings<T> {
    /// δ at the start, in units of the equilibrated problem.
    pub regularization: T,
    /// The fraction of the way to the boundary that a step goes at most, in (0, 1).
    pub step_fraction: T,
    /// Steps of iterative refinement of a direction.
    pub refinements: usize,
}

impl<T: Real> Default for InteriorPointSettings<T> {
    /// δ = ε^⅝, 1.6·10⁻¹⁰ for doubles and 4.7·10⁻⁵ for singles, 0.99, and at most 6 refinements.
    fn default() -> Self {
        Self {
            regularization: T::EPSILON.powf(T::from_f64(0.625)),
            step_fraction: T::from_f64(0.99),
            refinements: 6,
        }
    }
}

impl<T: Real> InteriorPointSettings<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        if !(self.regularization > T::ZERO && self.regularization < T::ONE) {
            return Err(Error::Setting { name: "regularization", expected: "a number between 0 and 1" });
        }
        if !(self.step_fraction > T::ZERO && self.step_fraction < T::ONE) {
            return Err(Error::Setting { name: "step_fraction", expected: "a number between 0 and 1" });
        }
        Ok(())
    }
}

/// A primal-dual interior-point method with Mehrotra's predictor and corrector.
///
/// With slacks s = Ax − l and t = u − Ax and their multipliers v, w ≥ 0, y = w − v, Newton's method is applied
/// to the optimality conditions with sᵢvᵢ = tᵢwᵢ = μ, μ → 0. Its systems have the matrix
/// (P + δI, Aᵀ; A, −W), Wᵢ = 1/(vᵢ/sᵢ + wᵢ/tᵢ) + δ for an inequality, δ for an equality; δ makes it a proximal
/// method of multipliers about the last iterate, whose limit δ does not move. Of the changes of a slack and its
/// multiplier, the one of the smaller is found by dividing by the larger, so that rounding is not magnified as
/// products vanish.
///
/// Shapes: those of the [`Problem`], best [equilibrated](super::equilibrate); 8n + 14m numbers are lent, see
/// [`scalars`](InteriorPoint::scalars), beside those of the [`Kkt`]. Guarantees: only finite data are taken,
/// and a P that is not positive semidefinite is refused; the best iterate met is the one returned. Cost of a
/// step: one factorization, or up to three where one breaks down and δ grows a hundredfold, 2 to 14 solves, as many
/// products with P, A and Aᵀ; a start: two factorizations. Source: S. Mehrotra, On the implementation of a primal-dual interior point method, SIAM J.
/// Optim. 2 (1992); the regularization as in R. Schwan et al., PIQP: a proximal interior-point quadratic
/// programming solver, 2023, equation (9). Departures: one step length for x and y; δ grows where it must and never shrinks.
///
/// ```
/// use quern_kernels::linop::Dense;
/// use quern_kernels::optim::qp::{DenseKkt, InteriorPoint, Problem, Status, Stop};
/// // min ½(x² + y²) − 2x − y, x + y ≤ 1, x ≤ 0.9
/// let quadratic = Dense::new(2, 2, &[1.0, 0.0, 0.0, 1.0])?;
/// let constraints = Dense::new(2, 2, &[1.0, 1.0, 1.0, 0.0])?;
/// let (lower, upper) = ([f64::NEG_INFINITY; 2], [1.0, 0.9]);
/// let problem = Problem::new(quadratic, &[-2.0, -1.0], constraints, &lower, &upper)?;
/// let mut kkt = DenseKkt::new([0.0; DenseKkt::scalars(2, 2)]);
/// let mut solver = InteriorPoint::new(Default::default(), [0.0; InteriorPoint::scalars(2, 2)])?;
/// let report = solver.solve(&problem, &mut kkt, &Stop::default())?;
/// assert_eq!(report.status, Status::Solved);
/// let (mut x, mut y) = ([0.0; 2], [0.0; 2]);
/// solver.solution(&problem, &mut x, &mut y)?;
/// assert!((x[0] - 0.9).abs() < 1e-6 && (x[1] - 0.1).abs() < 1e-6);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InteriorPoint<T, B> {
    settings: InteriorPointSettings<T>,
    /// δ, grown where a factorization broke down.
    regularization: T,
    memory: B,
}

/// The vectors of the workspace.
struct Vectors<'m, T> {
    x: &'m mut [T],
    y: &'m mut [T],
    slacks: Slacks<'m, T>,
    best_x: &'m mut [T],
    best_y: &'m mut [T],
    px: &'m mut [T],
    aty: &'m mut [T],
    ax: &'m mut [T],
    weights: &'m mut [T],
    right_hand_side: &'m mut [T],
    /// (Δx, Δy).
    direction: &'m mut [T],
    /// The residual of the direction, (r, r').
    work: &'m mut [T],
    /// AΔx.
    change: &'m mut [T],
    /// PΔx.
    image: &'m mut [T],
}

impl<'m, T> Vectors<'m, T> {
    fn of(memory: &'m mut [T], n: usize, m: usize) -> Option<Self> {
        let rows = n.checked_add(m)?;
        let mut rest = memory;
        let mut lend = |length| take(&mut rest, length);
        Some(Self {
            x: lend(n)?,
            y: lend(m)?,
            slacks: Slacks {
                below: lend(m)?,
                above: lend(m)?,
                below_multipliers: lend(m)?,
                above_multipliers: lend(m)?,
                below_products: lend(m)?,
                above_products: lend(m)?,
            },
            best_x: lend(n)?,
            best_y: lend(m)?,
            px: lend(n)?,
            aty: lend(n)?,
            ax: lend(m)?,
            weights: lend(m)?,
            right_hand_side: lend(rows)?,
            direction: lend(rows)?,
            work: lend(rows)?,
            change: lend(m)?,
            image: lend(n)?,
        })
    }
}

impl InteriorPoint<(), ()> {
    /// Scalars to lend for n variables and m constraints: 8n + 14m.
    pub const fn scalars(n: usize, m: usize) -> usize {
        n.saturating_mul(8).saturating_add(m.saturating_mul(14))
    }
}

impl<T: Real, B: BorrowMut<[T]>> InteriorPoint<T, B> {
    /// A workspace over lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: InteriorPointSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self { settings, regularization: settings.regularization, memory })
    }

    fn vectors(&mut self, n: usize, m: usize) -> Result<Vectors<'_, T>, Error> {
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        Vectors::of(memory, n, m).ok_or(shortage(InteriorPoint::scalars(n, m), available))
    }

    /// Sets x and y to the solution of the problem with Ax drawn towards its bounds by a quadratic penalty,
    /// and the slacks and their multipliers to positive numbers near what x and y say.
    ///
    /// # Errors
    /// [`Error::Capacity`]; [`Error::NotPositiveDefinite`] if P is not positive semidefinite; those of
    /// [`Kkt::factor`].
    pub fn start<P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        kkt: &mut K,
    ) -> Result<(), Error> {
        let (n, m) = (problem.variables(), problem.constraints());
        let delta = self.settings.regularization;
        self.regularization = delta;
        let Vectors { x, y, mut slacks, best_x, best_y, ax, weights, right_hand_side, .. } =
            self.vectors(n, m)?;
        check_convex(problem, kkt, weights)?;
        let Some((top, bottom)) = right_hand_side.split_at_mut_checked(n) else { return Ok(()) };
        for (top, &q) in top.iter_mut().zip(problem.q) {
            *top = -q;
        }
        for ((bottom, weight), bounds) in bottom.iter_mut().zip(weights.iter_mut()).zip(problem.bounds()) {
            *bottom = T::ZERO.maximum(bounds.0).minimum(bounds.1);
            *weight = slacks::start_weight(bounds, delta);
        }
        kkt.factor(problem, delta, weights)?;
        kkt.solve(problem, right_hand_side);
        let Some((top, bottom)) = right_hand_side.split_at_checked(n) else { return Ok(()) };
        if top.iter().chain(bottom).any(|value| !value.is_finite()) {
            return Err(Error::Breakdown { what: "first iterate", index: 0 });
        }
        copy(top, x);
        copy(bottom, y);
        problem.a.apply(x, ax);
        slacks.start(problem.bounds(), ax, y);
        copy(x, best_x);
        copy(y, best_y);
        Ok(())
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    pub fn step<P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        kkt: &mut K,
    ) -> Step {
        let (n, m) = (problem.variables(), problem.constraints());
        let (settings, mut regularization) = (self.settings, self.regularization);
        let step = match self.vectors(n, m) {
            Ok(vectors) => direction::step(problem, kkt, &settings, &mut regularization, vectors),
            Err(_) => Step::Stagnated,
        };
        self.regularization = regularization;
        step
    }

    /// Starts, and steps until `stop` is met.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`Stop::validate`].
    pub fn solve<P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        kkt: &mut K,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        stop.validate()?;
        self.start(problem, kkt)?;
        let (n, m) = (problem.variables(), problem.constraints());
        let (mut best, mut least, mut since) = (Residuals::NONE, T::MAX, 0_usize);
        let mut iterations = 0_usize;
        let mut status = loop {
            let Vectors { x, y, best_x, best_y, px, aty, ax, direction, work, .. } = self.vectors(n, m)?;
            let residuals = Residuals::of(problem, x, y, px, aty, ax);
            let excess = residuals.excess(stop);
            if excess < least || iterations == 0 {
                (best, least, since) = (residuals, excess, 0);
                copy(x, best_x);
                copy(y, best_y);
            } else {
                since = since.saturating_add(1);
            }
            if residuals.meet(stop) {
                break Status::Solved;
            }
            if iterations > 0 {
                // Diverging multipliers become a certificate, as do diverging variables.
                let Some(y_copy) = work.get_mut(n..) else { break Status::Stagnated };
                copy(y, y_copy);
                if primal_infeasible(problem, stop, y_copy, aty) {
                    copy(y_copy, best_y);
                    break Status::PrimalInfeasible;
                }
                let (d, _) = direction.split_at_checked(n).unwrap_or_default();
                if dual_infeasible(problem, stop, x, px, ax) {
                    copy(x, best_x);
                    break Status::DualInfeasible;
                }
                if dual_infeasible(problem, stop, d, px, ax) {
                    copy(d, best_x);
                    break Status::DualInfeasible;
                }
            }
            if iterations >= stop.max_iterations {
                break Status::MaxIterations;
            }
            if since >= PATIENCE || self.step(problem, kkt) == Step::Stagnated {
                break Status::Stagnated;
            }
            iterations = iterations.saturating_add(1);
        };
        // What was best is looked at again: its residuals are those of what is returned.
        if matches!(status, Status::Solved | Status::MaxIterations | Status::Stagnated) {
            let Vectors { best_x, best_y, px, aty, ax, .. } = self.vectors(n, m)?;
            best = Residuals::of(problem, best_x, best_y, px, aty, ax);
            if status != Status::Solved && best.meet(stop) {
                status = Status::Solved;
            }
        }
        Ok(Report { status, iterations, residuals: best })
    }

    /// The best x and y in the units of the problem before it was equilibrated. After
    /// [`Status::PrimalInfeasible`] y is the certificate instead, after [`Status::DualInfeasible`] x is.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Capacity`].
    pub fn solution<P: LinearOperator<T>, A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        x: &mut [T],
        y: &mut [T],
    ) -> Result<(), Error> {
        let scaling = problem.scaling;
        let vectors = self.vectors(problem.variables(), problem.constraints())?;
        unscale(vectors.best_x, |j| scaling.variable(j), x)?;
        unscale(vectors.best_y, |i| scaling.constraint(i) / scaling.cost, y)
    }
}
