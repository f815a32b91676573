mod settings;

pub use settings::SplittingSettings;

use settings::LARGEST_RHO;

use super::certificate::{dual_infeasible, primal_infeasible, unscale};
use super::kkt::check_convex;
use super::memory::{copy, shortage, take};
use super::{Kkt, Problem, Report, Residuals, Status, Step, Stop};
use crate::linop::{Adjoint, LinearOperator};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// Operator splitting (ADMM) with a factorization that is kept.
///
/// With z for Ax, each step solves
/// (P + σI, Aᵀ; A, −diag(1/ρ)) (x̃; ν) = (σx − q; z − y/ρ), z̃ = z + (ν − y)/ρ, and sets
/// x ← αx̃ + (1 − α)x, ẑ = αz̃ + (1 − α)z, z ← Π(ẑ + y/ρ), y ← y + ρ(ẑ − z), Π the projection onto [l, u].
///
/// Shapes: those of the [`Problem`], best [equilibrated](super::equilibrate); 5n + 6m numbers are lent, see
/// [`scalars`](Splitting::scalars), beside those of the [`Kkt`]. Guarantees: converges for every convex
/// problem that has a solution; where there is none, the differences of successive iterates converge to a
/// certificate of that. Only finite data are taken, and a P that is not positive semidefinite is refused. z
/// satisfies the bounds, and x is usable, after every step. Cost of a step: one solve with the factor, and
/// 5n + 12m flops; a look at the residuals: products with P, A and Aᵀ, and as much again for certificates; a
/// start: two factorizations. Source: B. Stellato et al., OSQP: an operator splitting solver for quadratic
/// programs, Math. Prog. Comp. 12 (2020), algorithm 1, sections 3.4 and 5.2. Departures: certificates are
/// judged by what they exclude, see [`Stop`]; convexity is checked.
///
/// ```
/// use quern_kernels::linop::Dense;
/// use quern_kernels::optim::qp::{DenseKkt, Problem, Splitting, SplittingSettings, Status, Stop};
/// // min ½(x² + y²) − 2x − y, x + y = 1, x ≤ 0.9
/// let quadratic = Dense::new(2, 2, &[1.0, 0.0, 0.0, 1.0])?;
/// let constraints = Dense::new(2, 2, &[1.0, 1.0, 1.0, 0.0])?;
/// let (lower, upper) = ([1.0, f64::NEG_INFINITY], [1.0, 0.9]);
/// let problem = Problem::new(quadratic, &[-2.0, -1.0], constraints, &lower, &upper)?;
/// let mut kkt = DenseKkt::new([0.0; DenseKkt::scalars(2, 2)]);
/// let mut solver = Splitting::new(SplittingSettings::default(), [0.0; Splitting::scalars(2, 2)])?;
/// let report = solver.solve(&problem, &mut kkt, &Stop::default())?;
/// assert_eq!(report.status, Status::Solved);
/// let (mut x, mut y) = ([0.0; 2], [0.0; 2]);
/// solver.solution(&problem, &mut x, &mut y)?;
/// assert!((x[0] - 0.9).abs() < 1e-6 && (x[1] - 0.1).abs() < 1e-6);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Splitting<T, B> {
    settings: SplittingSettings<T>,
    memory: B,
    /// What adaptation has multiplied ρ by.
    rho: T,
    scalar: PhantomData<T>,
}

/// The vectors of the workspace.
struct Vectors<'m, T> {
    x: &'m mut [T],
    y: &'m mut [T],
    z: &'m mut [T],
    /// The last differences of x and y.
    dx: &'m mut [T],
    dy: &'m mut [T],
    right_hand_side: &'m mut [T],
    px: &'m mut [T],
    aty: &'m mut [T],
    ax: &'m mut [T],
    /// 1/ρ.
    weights: &'m mut [T],
}

impl<'m, T> Vectors<'m, T> {
    fn of(memory: &'m mut [T], n: usize, m: usize) -> Option<Self> {
        let mut rest = memory;
        let mut lend = |length| take(&mut rest, length);
        Some(Self {
            x: lend(n)?,
            y: lend(m)?,
            z: lend(m)?,
            dx: lend(n)?,
            dy: lend(m)?,
            right_hand_side: lend(n.checked_add(m)?)?,
            px: lend(n)?,
            aty: lend(n)?,
            ax: lend(m)?,
            weights: lend(m)?,
        })
    }
}

impl Splitting<(), ()> {
    /// Scalars to lend for n variables and m constraints: 5n + 6m.
    pub const fn scalars(n: usize, m: usize) -> usize {
        n.saturating_mul(5).saturating_add(m.saturating_mul(6))
    }
}

impl<T: Real, B: BorrowMut<[T]>> Splitting<T, B> {
    /// A workspace over lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: SplittingSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self { settings, memory, rho: T::ONE, scalar: PhantomData })
    }

    /// ρ, as adaptation has it.
    pub fn rho(&self) -> T {
        self.settings.rho * self.rho
    }

    fn vectors(&mut self, n: usize, m: usize) -> Result<Vectors<'_, T>, Error> {
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        Vectors::of(memory, n, m).ok_or(shortage(Splitting::scalars(n, m), available))
    }

    /// Sets x = 0 and y = 0, and factors.
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
        let (settings, vectors) = (self.settings, self.vectors(n, m)?);
        for vector in [vectors.x, vectors.y, vectors.z, vectors.dx, vectors.dy] {
            vector.fill(T::ZERO);
        }
        check_convex(problem, kkt, vectors.weights)?;
        settings.weights(problem.lower, problem.upper, vectors.weights)?;
        kkt.factor(problem, settings.sigma, vectors.weights)?;
        self.rho = T::ONE;
        Ok(())
    }

    /// Moves to x and y, in the units of the problem before it was equilibrated, and keeps the factor: call
    /// it after a start, also one with other q, l and u, provided that equalities stay equalities and rows
    /// without bounds such. Cost: a product with A.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`].
    pub fn warm_start<P: LinearOperator<T>, A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        x: &[T],
        y: &[T],
    ) -> Result<(), Error> {
        let (n, m) = (problem.variables(), problem.constraints());
        check_length("x", x.len(), n)?;
        check_length("y", y.len(), m)?;
        let scaling = problem.scaling;
        let vectors = self.vectors(n, m)?;
        unscale(x, |j| T::ONE / scaling.variable(j), vectors.dx)?;
        unscale(y, |i| scaling.cost / scaling.constraint(i), vectors.dy)?;
        check_finite("x", vectors.dx)?;
        check_finite("y", vectors.dy)?;
        problem.a.apply(vectors.dx, vectors.ax);
        check_finite("Ax", vectors.ax)?;
        copy(vectors.dx, vectors.x);
        copy(vectors.dy, vectors.y);
        for (z, (&ax, (lower, upper))) in vectors.z.iter_mut().zip(vectors.ax.iter().zip(problem.bounds())) {
            *z = ax.maximum(lower).minimum(upper);
        }
        Ok(())
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    pub fn step<P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        kkt: &mut K,
    ) -> Step {
        let (n, m) = (problem.variables(), problem.constraints());
        let SplittingSettings { sigma, relaxation, .. } = self.settings;
        let Ok(vectors) = self.vectors(n, m) else { return Step::Stagnated };
        let Vectors { x, y, z, dx, dy, right_hand_side, weights, .. } = vectors;
        let Some((top, bottom)) = right_hand_side.split_at_mut_checked(n) else { return Step::Stagnated };
        for (top, (&x, &q)) in top.iter_mut().zip(x.iter().zip(problem.q)) {
            *top = sigma * x - q;
        }
        for (bottom, ((&z, &y), &weight)) in bottom.iter_mut().zip(z.iter().zip(y.iter()).zip(weights.iter()))
        {
            *bottom = z - y * weight;
        }
        kkt.solve(problem, right_hand_side);
        let Some((top, bottom)) = right_hand_side.split_at_mut_checked(n) else { return Step::Stagnated };
        let mut sum = T::ZERO;
        for (dx, (&x, &next)) in dx.iter_mut().zip(x.iter().zip(top.iter())) {
            *dx = relaxation * (next - x);
            sum += *dx;
        }
        // ẑ + y/ρ takes the place of ν.
        for (bottom, ((&z, &y), &weight)) in bottom.iter_mut().zip(z.iter().zip(y.iter()).zip(weights.iter()))
        {
            *bottom = z + (relaxation * (*bottom - y) + y) * weight;
            sum += *bottom;
        }
        // 0·s is NaN for every s that is not finite.
        if sum * T::ZERO != T::ZERO {
            return Step::Stagnated;
        }
        for (x, &dx) in x.iter_mut().zip(dx.iter()) {
            *x += dx;
        }
        let rows = bottom.iter().zip(weights.iter()).zip(problem.bounds());
        for (((z, y), dy), ((&shifted, &weight), (lower, upper))) in
            z.iter_mut().zip(y.iter_mut()).zip(dy.iter_mut()).zip(rows)
        {
            *z = shifted.maximum(lower).minimum(upper);
            let next = (shifted - *z) / weight;
            *dy = next - *y;
            *y = next;
        }
        Step::Advanced
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
        self.start(problem, kkt)?;
        self.resume(problem, kkt, stop)
    }

    /// Goes on from where a start, a warm start, steps or a solve left off. The budget counts anew.
    ///
    /// # Errors
    /// [`Error::Setting`]; [`Error::Capacity`]; those of [`Kkt::factor`] if ρ adapts.
    pub fn resume<P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        kkt: &mut K,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        stop.validate()?;
        let SplittingSettings { check_interval, adaptation_interval, .. } = self.settings;
        let mut iterations = 0;
        loop {
            let last = iterations >= stop.max_iterations;
            if last || iterations.is_multiple_of(check_interval) {
                let residuals = self.residuals(problem)?;
                let status = if residuals.meet(stop) {
                    Some(Status::Solved)
                } else if iterations > 0 && self.primal_infeasible(problem, stop)? {
                    Some(Status::PrimalInfeasible)
                } else if iterations > 0 && self.dual_infeasible(problem, stop)? {
                    Some(Status::DualInfeasible)
                } else {
                    last.then_some(Status::MaxIterations)
                };
                if let Some(status) = status {
                    return Ok(Report { status, iterations, residuals });
                }
                let due = adaptation_interval.is_some_and(|interval| iterations.is_multiple_of(interval));
                if iterations > 0 && due {
                    self.adapt(problem, kkt, &residuals)?;
                }
            }
            if self.step(problem, kkt) == Step::Stagnated {
                let residuals = self.residuals(problem)?;
                return Ok(Report { status: Status::Stagnated, iterations, residuals });
            }
            iterations = iterations.saturating_add(1);
        }
    }

    /// The residuals of the iterate, computed afresh. Cost: products with P, A and Aᵀ.
    ///
    /// # Errors
    /// [`Error::Capacity`].
    pub fn residuals<P: LinearOperator<T>, A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
    ) -> Result<Residuals<T>, Error> {
        let Vectors { x, y, px, aty, ax, .. } = self.vectors(problem.variables(), problem.constraints())?;
        Ok(Residuals::of(problem, x, y, px, aty, ax))
    }

    fn primal_infeasible<P: LinearOperator<T>, A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        stop: &Stop<T>,
    ) -> Result<bool, Error> {
        let Vectors { dy, aty, .. } = self.vectors(problem.variables(), problem.constraints())?;
        Ok(primal_infeasible(problem, stop, dy, aty))
    }

    fn dual_infeasible<P: LinearOperator<T>, A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        stop: &Stop<T>,
    ) -> Result<bool, Error> {
        let Vectors { dx, px, ax, .. } = self.vectors(problem.variables(), problem.constraints())?;
        Ok(dual_infeasible(problem, stop, dx, px, ax))
    }

    /// Multiplies ρ by the root of the quotient of the relative residuals, if that is far from 1, and factors
    /// anew.
    fn adapt<P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        kkt: &mut K,
        residuals: &Residuals<T>,
    ) -> Result<(), Error> {
        let Residuals { primal, dual, primal_scale, dual_scale, .. } = *residuals;
        let quotient = (primal * dual_scale) / (dual * primal_scale);
        if !(quotient > T::ZERO && quotient.is_finite()) {
            return Ok(());
        }
        let most = T::from_f64(LARGEST_RHO);
        let before = self.settings.rho * self.rho;
        let rho = (before * quotient.sqrt()).maximum(T::ONE / most).minimum(most);
        let five = T::from_f64(5.0);
        if rho < before * five && before < rho * five {
            return Ok(());
        }
        let settings = SplittingSettings { rho, ..self.settings };
        let vectors = self.vectors(problem.variables(), problem.constraints())?;
        settings.weights(problem.lower, problem.upper, vectors.weights)?;
        kkt.factor(problem, settings.sigma, vectors.weights)?;
        self.rho = rho / self.settings.rho;
        Ok(())
    }

    /// x and y in the units of the problem before it was equilibrated; after an infeasible end, x − xₖ₋₁ is
    /// read by [`certificate`](Self::certificate).
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
        unscale(vectors.x, |j| scaling.variable(j), x)?;
        unscale(vectors.y, |i| scaling.constraint(i) / scaling.cost, y)
    }

    /// The last differences of x and y, in the units of the problem before it was equilibrated: after
    /// [`Status::PrimalInfeasible`] y is the certificate, after [`Status::DualInfeasible`] x is.
    ///
    /// # Errors
    /// As [`solution`](Self::solution).
    pub fn certificate<P: LinearOperator<T>, A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        x: &mut [T],
        y: &mut [T],
    ) -> Result<(), Error> {
        let scaling = problem.scaling;
        let vectors = self.vectors(problem.variables(), problem.constraints())?;
        unscale(vectors.dx, |j| scaling.variable(j), x)?;
        unscale(vectors.dy, |i| scaling.constraint(i) / scaling.cost, y)
    }

    /// Polishes the iterate, see [`polish`](super::polish); the factor is then another: go on by a start.
    ///
    /// # Errors
    /// Those of [`polish`](super::polish).
    pub fn polish<P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
        &mut self,
        problem: &Problem<'_, T, P, A>,
        kkt: &mut K,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        let (n, m) = (problem.variables(), problem.constraints());
        let Vectors { x, y, z, dx, dy, right_hand_side, px, aty, ax, weights } = self.vectors(n, m)?;
        super::polish::polish_vectors(
            problem,
            kkt,
            stop,
            super::polish::Vectors { x, y, z, x_next: dx, y_next: dy, right_hand_side, px, aty, ax, weights },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::Dense;
    use crate::optim::qp::DenseKkt;

    #[test]
    fn settings_are_checked() {
        let settings = SplittingSettings::<f64>::default();
        for bad in [
            SplittingSettings { rho: 0.0, ..settings },
            SplittingSettings { sigma: f64::NAN, ..settings },
            SplittingSettings { equality_factor: f64::INFINITY, ..settings },
            SplittingSettings { relaxation: 2.0, ..settings },
            SplittingSettings { check_interval: 0, ..settings },
            SplittingSettings { adaptation_interval: Some(0), ..settings },
        ] {
            assert!(matches!(Splitting::new(bad, [0.0; 1]), Err(Error::Setting { .. })), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_convex_and_too_little_memory_are_refused() {
        let p = Dense::new(1, 1, &[-1.0]).unwrap();
        let a = Dense::new(1, 1, &[1.0]).unwrap();
        let problem = Problem::new(p, &[0.0], a, &[-1.0], &[1.0]).unwrap();
        let mut kkt = DenseKkt::new([0.0; DenseKkt::scalars(1, 1)]);
        let settings = SplittingSettings::default();
        let mut solver = Splitting::new(settings, [0.0; 11]).unwrap();
        let stop = Stop::default();
        let refused = solver.solve(&problem, &mut kkt, &stop);
        assert!(matches!(refused, Err(Error::NotPositiveDefinite { .. })));
        let mut solver = Splitting::new(settings, [0.0; 10]).unwrap();
        let refused = solver.solve(&problem, &mut kkt, &stop);
        assert_eq!(refused, Err(Error::Capacity { what: "workspace", required: 11, available: 10 }));
    }

    #[test]
    fn certificates_of_what_has_no_solution() {
        let p = Dense::new(1, 1, &[0.0]).unwrap();
        let a = Dense::new(2, 1, &[1.0, 1.0]).unwrap();
        let infinity = f64::INFINITY;
        let cases = [
            ([-infinity, 1.0], [0.0, infinity], Status::PrimalInfeasible),
            ([-infinity, 0.0], [infinity, infinity], Status::DualInfeasible),
        ];
        for (lower, upper, status) in cases {
            let problem = Problem::new(p, &[-1.0], a, &lower, &upper).unwrap();
            let mut kkt = DenseKkt::new([0.0; DenseKkt::scalars(1, 2)]);
            let mut solver =
                Splitting::new(SplittingSettings::default(), [0.0; Splitting::scalars(1, 2)]).unwrap();
            let report = solver.solve(&problem, &mut kkt, &Stop::default()).unwrap();
            assert_eq!(report.status, status);
            let (mut x, mut y) = ([0.0], [0.0; 2]);
            solver.certificate(&problem, &mut x, &mut y).unwrap();
            match status {
                Status::PrimalInfeasible => assert!(y[0] > 0.0 && (y[0] + y[1]).abs() <= 1e-6 * y[0]),
                _ => assert!(x[0] > 0.0),
            }
        }
    }
}
