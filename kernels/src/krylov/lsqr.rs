use super::iteration::{check_iterate, check_norm, guarded_norm, residual, set_iterate, shortage};
use super::{LinearSystem, Status, Step};
use crate::linop::Adjoint;
use crate::space::{Serial, Space};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// When LSQR stops: at ‖r‖ ≤ `right_hand_side_tolerance`·‖b‖ + `operator_tolerance`·‖A‖‖x‖ (the system is
/// consistent), at ‖Aᵀr‖ ≤ `operator_tolerance`·‖A‖‖r‖ (a least-squares solution), or after `max_iterations`
/// steps.
///
/// ‖A‖ is LSQR's estimate of the Frobenius norm. The tolerances are the relative errors of the data: with
/// them at b's and A's, the answer is exact for data as good. Source: C. C. Paige and M. A. Saunders, LSQR,
/// section 6, rules 1 and 2.
///
/// ```
/// use quern_kernels::krylov::LeastSquaresStop;
/// assert!(LeastSquaresStop::<f64>::default().validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeastSquaresStop<T> {
    /// ATOL, dimensionless.
    pub operator_tolerance: T,
    /// BTOL, dimensionless.
    pub right_hand_side_tolerance: T,
    /// Largest number of steps.
    pub max_iterations: usize,
}

impl<T: Real> Default for LeastSquaresStop<T> {
    /// Both tolerances 16·ε, 1000 iterations.
    fn default() -> Self {
        let tolerance = T::from_f64(16.0) * T::EPSILON;
        Self { operator_tolerance: tolerance, right_hand_side_tolerance: tolerance, max_iterations: 1000 }
    }
}

impl<T: Real> LeastSquaresStop<T> {
    /// Refuses tolerances that are negative, NaN or infinite.
    ///
    /// # Errors
    /// [`Error::Setting`] with the name of the tolerance.
    pub fn validate(&self) -> Result<(), Error> {
        let valid = |tolerance: T| tolerance >= T::ZERO && tolerance.is_finite();
        if !valid(self.operator_tolerance) {
            return Err(Error::Setting { name: "operator_tolerance", expected: "finite and not negative" });
        }
        if !valid(self.right_hand_side_tolerance) {
            let name = "right_hand_side_tolerance";
            return Err(Error::Setting { name, expected: "finite and not negative" });
        }
        Ok(())
    }
}

/// The outcome of a least-squares solve. All norms but `operator_norm` are computed afresh from the returned
/// x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeastSquaresReport<T> {
    /// How it ended.
    pub status: Status,
    /// Steps taken, those after a restart included.
    pub iterations: usize,
    /// Steps taken when the recurrences first met a rule; `iterations` if they never did.
    pub recurrence_iterations: usize,
    /// ‖b − Ax‖₂.
    pub residual_norm: T,
    /// ‖Aᵀ(b − Ax)‖₂.
    pub normal_residual_norm: T,
    /// ‖x‖₂.
    pub solution_norm: T,
    /// The estimate of ‖A‖ in the rules.
    pub operator_norm: T,
    /// ‖b‖₂.
    pub right_hand_side_norm: T,
}

/// LSQR: min ‖b − Ax‖₂ for A of any shape, by Golub–Kahan bidiagonalization.
///
/// β₁u₁ = b, α₁v₁ = Aᵀu₁; then βₖ₊₁uₖ₊₁ = Avₖ − αₖuₖ and αₖ₊₁vₖ₊₁ = Aᵀuₖ₊₁ − βₖ₊₁vₖ, and one rotation a step:
/// x ← x + (φₖ/ρₖ)wₖ, wₖ₊₁ = vₖ₊₁ − (θₖ₊₁/ρₖ)wₖ. In exact arithmetic the iterates are those of conjugate
/// gradients on AᵀAx = Aᵀb.
///
/// Shapes: A m×n; b of length m; x of length n. From x₀ = 0 a rank-deficient A leads to the solution of least
/// norm. Guarantees: ‖r‖ never grows; [`Status::Converged`] is said only when the norms computed from x meet
/// a rule. Where the recurrences do and the computed norms do not, LSQR starts again from x, and reports
/// [`Status::Stagnated`] once that no longer halves the excess. Cost: a step is one product with A, one with
/// Aᵀ, 3m + 9n flops and three square roots; m + 3n + max(m, n) scalars lent. Source: C. C. Paige and M. A.
/// Saunders, LSQR: An Algorithm for Sparse Linear Equations and Sparse Least Squares, section 4.
///
/// ```
/// use quern_kernels::krylov::{LeastSquaresStop, LinearSystem, Lsqr, Status};
/// use quern_kernels::linop::Dense;
/// // The mean of three numbers.
/// let column = Dense::new(3, 1, &[1.0; 3]).unwrap();
/// let mut solver = Lsqr::new([0.0; Lsqr::scalars(3, 1)]);
/// let problem = LinearSystem::new(&column, &[1.0, 2.0, 6.0]);
/// let report = solver.solve(&problem, &LeastSquaresStop::default()).unwrap();
/// assert_eq!(report.status, Status::Converged);
/// assert!((solver.solution()[0] - 3.0_f64).abs() < 1e-14);
/// ```
#[derive(Clone, Debug)]
pub struct Lsqr<T, B, S = Serial> {
    /// x, v, w of n; u of m; a vector of max(m, n).
    memory: B,
    space: S,
    rows: usize,
    size: usize,
    right_hand_side_norm: T,
    alpha: T,
    rho_bar: T,
    phi_bar: T,
    residual_norm: T,
    normal_residual_norm: T,
    solution_norm: T,
    /// Σ αₖ² + βₖ₊₁² since the bidiagonalization started.
    operator_norm_squared: T,
    /// The largest root of such a sum.
    operator_norm: T,
}

/// The lent memory by purpose.
struct Parts<'a, T> {
    x: &'a mut [T],
    v: &'a mut [T],
    w: &'a mut [T],
    u: &'a mut [T],
    scratch: &'a mut [T],
}

fn parts<T>(memory: &mut [T], m: usize, n: usize) -> Option<Parts<'_, T>> {
    let (x, rest) = memory.split_at_mut_checked(n)?;
    let (v, rest) = rest.split_at_mut_checked(n)?;
    let (w, rest) = rest.split_at_mut_checked(n)?;
    let (u, rest) = rest.split_at_mut_checked(m)?;
    let scratch = rest.get_mut(..m.max(n))?;
    Some(Parts { x, v, w, u, scratch })
}

impl Lsqr<(), ()> {
    /// Scalars to lend for an m×n matrix: m + 3n + max(m, n).
    pub const fn scalars(m: usize, n: usize) -> usize {
        n.saturating_mul(3).saturating_add(m).saturating_add(if m > n { m } else { n })
    }
}

impl<T: Real, B: BorrowMut<[T]>> Lsqr<T, B> {
    /// A workspace over lent memory, of [`scalars`](Lsqr::scalars) entries at least.
    pub fn new(memory: B) -> Self {
        Self::in_space(memory, Serial)
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>> Lsqr<T, B, S> {
    /// A workspace whose vectors live in `space`.
    pub fn in_space(memory: B, space: S) -> Self {
        let zero = T::ZERO;
        Self {
            memory,
            space,
            rows: 0,
            size: 0,
            right_hand_side_norm: zero,
            alpha: zero,
            rho_bar: zero,
            phi_bar: zero,
            residual_norm: zero,
            normal_residual_norm: zero,
            solution_norm: zero,
            operator_norm_squared: zero,
            operator_norm: zero,
        }
    }

    /// Sets x₀ = 0. Cost: one product with Aᵀ, 4m + 4n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if a norm
    /// overflows.
    pub fn start<A: Adjoint<T> + ?Sized>(&mut self, problem: &LinearSystem<'_, T, A>) -> Result<(), Error> {
        self.prepare(problem, None)
    }

    /// Sets x₀ to the given iterate. Cost: a product with A more.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_from<A: Adjoint<T> + ?Sized>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        initial: &[T],
    ) -> Result<(), Error> {
        self.prepare(problem, Some(initial))
    }

    fn prepare<A: Adjoint<T> + ?Sized>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        initial: Option<&[T]>,
    ) -> Result<(), Error> {
        let (m, n) = (problem.operator.rows(), problem.operator.columns());
        check_length("right-hand side", problem.right_hand_side.len(), m)?;
        check_finite("right-hand side", problem.right_hand_side)?;
        let memory = self.memory.borrow_mut();
        let missing = shortage(Lsqr::scalars(m, n), memory.len());
        let Parts { x, u, .. } = parts(memory, m, n).ok_or(missing)?;
        set_iterate(&self.space, initial, x)?;
        self.space.copy(problem.right_hand_side, u);
        self.right_hand_side_norm = guarded_norm(&self.space, u);
        self.operator_norm = T::ZERO;
        (self.rows, self.size) = (m, n);
        self.compute_norms(problem, initial.is_none());
        self.begin()
    }

    /// r = b − Ax into u and Aᵀr into v, and their norms.
    fn compute_norms<A: Adjoint<T> + ?Sized>(&mut self, problem: &LinearSystem<'_, T, A>, zero: bool) {
        let Some(Parts { x, v, u, .. }) = parts(self.memory.borrow_mut(), self.rows, self.size) else {
            return;
        };
        self.residual_norm = if zero {
            self.space.copy(problem.right_hand_side, u);
            guarded_norm(&self.space, u)
        } else {
            residual(&self.space, problem, x, u)
        };
        problem.operator.apply_adjoint(u, v);
        self.normal_residual_norm = guarded_norm(&self.space, v);
        self.solution_norm = self.space.norm2(x);
    }

    /// The bidiagonalization starts at r and Aᵀr, as [`compute_norms`](Self::compute_norms) left them.
    fn begin(&mut self) -> Result<(), Error> {
        check_norm(self.residual_norm)?;
        check_norm(self.normal_residual_norm)?;
        let Some(Parts { v, w, u, .. }) = parts(self.memory.borrow_mut(), self.rows, self.size) else {
            return Ok(());
        };
        self.alpha = T::ZERO;
        if self.residual_norm > T::ZERO {
            let scale = T::ONE / self.residual_norm;
            self.space.scale(scale, u);
            self.space.scale(scale, v);
            self.alpha = guarded_norm(&self.space, v);
        }
        if self.alpha > T::ZERO {
            self.space.scale(T::ONE / self.alpha, v);
        }
        self.space.copy(v, w);
        self.rho_bar = self.alpha;
        self.phi_bar = self.residual_norm;
        self.operator_norm_squared = T::ZERO;
        Ok(())
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    pub fn step<A: Adjoint<T> + ?Sized>(&mut self, problem: &LinearSystem<'_, T, A>) -> Step {
        let parts = parts(self.memory.borrow_mut(), self.rows, self.size);
        let Some(Parts { x, v, w, u, scratch }) = parts else { return Step::Breakdown };
        if self.phi_bar == T::ZERO || self.alpha == T::ZERO {
            return Step::Finished;
        }
        let Some(image) = scratch.get_mut(..self.rows) else { return Step::Breakdown };
        problem.operator.apply(v, image);
        self.space.xpby(image, -self.alpha, u);
        let beta = self.space.norm2(u);
        if beta > T::ZERO {
            self.space.scale(T::ONE / beta, u);
        }
        let alpha_before = self.alpha;
        let Some(image) = scratch.get_mut(..self.size) else { return Step::Breakdown };
        problem.operator.apply_adjoint(u, image);
        self.space.xpby(image, -beta, v);
        let alpha = self.space.norm2(v);
        let rho = (self.rho_bar * self.rho_bar + beta * beta).sqrt();
        // Also false of NaN, which every non-finite number met so far ends in.
        if !(rho > T::ZERO && rho.is_finite() && alpha.is_finite()) {
            return Step::Breakdown;
        }
        if alpha > T::ZERO {
            self.space.scale(T::ONE / alpha, v);
        }
        let (cosine, sine) = (self.rho_bar / rho, beta / rho);
        let theta = sine * alpha;
        let phi = cosine * self.phi_bar;
        self.rho_bar = -(cosine * alpha);
        self.phi_bar = sine * self.phi_bar;
        self.solution_norm = self.space.axpy_dot(phi / rho, w, x).sqrt();
        self.space.xpby(v, -(theta / rho), w);
        self.alpha = alpha;
        self.residual_norm = self.phi_bar;
        self.normal_residual_norm = self.phi_bar * alpha * cosine.abs();
        self.operator_norm_squared += alpha_before * alpha_before + beta * beta;
        self.operator_norm = self.operator_norm.maximum(self.operator_norm_squared.sqrt());
        Step::Advanced
    }

    /// By which factor the norms at hand exceed what the nearer rule allows; 0 where a rule is met.
    fn excess(&self, stop: &LeastSquaresStop<T>) -> T {
        let over = |norm: T, bound: T| {
            if norm <= bound {
                T::ZERO
            } else if bound > T::ZERO {
                (norm / bound).minimum(T::MAX)
            } else {
                T::MAX
            }
        };
        let atol = stop.operator_tolerance;
        let consistent = stop.right_hand_side_tolerance * self.right_hand_side_norm
            + atol * self.operator_norm * self.solution_norm;
        over(self.residual_norm, consistent)
            .minimum(over(self.normal_residual_norm, atol * self.operator_norm * self.residual_norm))
    }

    /// Starts at zero and steps until `stop` is met, or cannot be.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Setting`]; [`Error::Breakdown`] if the iterate ends non-finite.
    pub fn solve<A: Adjoint<T> + ?Sized>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        stop: &LeastSquaresStop<T>,
    ) -> Result<LeastSquaresReport<T>, Error> {
        self.start(problem)?;
        self.resume(problem, stop)
    }

    /// Goes on from where a start or steps left off. The budget counts anew; the end of a solve starts LSQR
    /// again from its iterate.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn resume<A: Adjoint<T> + ?Sized>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        stop: &LeastSquaresStop<T>,
    ) -> Result<LeastSquaresReport<T>, Error> {
        stop.validate()?;
        let mut iterations = 0;
        let mut recurrence_iterations = None;
        let mut previous = T::MAX;
        loop {
            let mut ending = None;
            if self.excess(stop) > T::ZERO {
                if iterations >= stop.max_iterations {
                    ending = Some(Status::MaxIterations);
                } else {
                    match self.step(problem) {
                        Step::Advanced => {
                            iterations += 1;
                            continue;
                        }
                        Step::Finished => {}
                        Step::Breakdown => ending = Some(Status::Breakdown),
                    }
                }
            }
            if ending.is_none() {
                recurrence_iterations.get_or_insert(iterations);
            }
            self.compute_norms(problem, false);
            check_iterate(self.solution(), iterations)?;
            let excess = self.excess(stop);
            if excess == T::ZERO {
                ending = Some(Status::Converged);
            } else if ending.is_none() {
                if excess > previous / (T::ONE + T::ONE) {
                    ending = Some(Status::Stagnated);
                } else if iterations >= stop.max_iterations {
                    ending = Some(Status::MaxIterations);
                }
            }
            if let Some(status) = ending {
                let report = LeastSquaresReport {
                    status,
                    iterations,
                    recurrence_iterations: recurrence_iterations.unwrap_or(iterations),
                    residual_norm: self.residual_norm,
                    normal_residual_norm: self.normal_residual_norm,
                    solution_norm: self.solution_norm,
                    operator_norm: self.operator_norm,
                    right_hand_side_norm: self.right_hand_side_norm,
                };
                self.begin()?;
                return Ok(report);
            }
            previous = excess;
            self.begin()?;
        }
    }

    /// The iterate: usable after a start and every step.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// ‖r‖ and ‖Aᵀr‖ of the recurrences.
    pub fn residual_norms(&self) -> (T, T) {
        (self.residual_norm, self.normal_residual_norm)
    }
}
