use super::memory::largest;
use super::{Problem, Stop};
use crate::blas::dot_unchecked;
use crate::linop::{Adjoint, LinearOperator};
use crate::{Error, Real, check_finite, check_length};

/// How far x and y are from the optimality conditions, in the units of the problem before it was equilibrated.
///
/// | residual | formula | scale |
/// |---|---|---|
/// | primal | ‖Ax − Π(Ax)‖∞, Π the projection onto [l, u] | max(‖Ax‖∞, ‖Π(Ax)‖∞) |
/// | dual | ‖Px + q + Aᵀy‖∞ | max(‖Px‖∞, ‖Aᵀy‖∞, ‖q‖∞) |
/// | gap | \|xᵀPx + qᵀx + Σ uᵢyᵢ⁺ + lᵢyᵢ⁻\| | the largest of the three terms |
///
/// Together they vanish exactly at the solutions. Where yᵢ has a sign whose bound is infinite, the gap is the
/// largest number. Cost: of [`compute`](Self::compute), products with P, A and Aᵀ, and 6n + 8m flops; lent
/// are 2n + m numbers.
///
/// ```
/// use quern_kernels::linop::{Csr, SymmetricCsr};
/// use quern_kernels::optim::qp::{Problem, Residuals};
/// let quadratic = SymmetricCsr::new(&[0, 1], &[0], &[2.0])?;
/// let constraints = Csr::new(1, &[0, 1], &[0], &[1.0])?;
/// let problem = Problem::new(quadratic, &[-2.0], constraints, &[f64::NEG_INFINITY], &[0.5])?;
/// // 2x − 2 + y = 0 at the bound x = ½.
/// let residuals = Residuals::compute(&problem, &[0.5], &[1.0], &mut [0.0; 3])?;
/// assert_eq!((residuals.primal, residuals.dual, residuals.gap), (0.0, 0.0, 0.0));
/// assert_eq!(residuals.objective, -0.75);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residuals<T> {
    /// The largest violation of a constraint.
    pub primal: T,
    /// The largest entry of the gradient of the Lagrangian.
    pub dual: T,
    /// The difference of the primal and the dual objective.
    pub gap: T,
    /// ½xᵀPx + qᵀx.
    pub objective: T,
    /// Scale of `primal`.
    pub primal_scale: T,
    /// Scale of `dual`.
    pub dual_scale: T,
    /// Scale of `gap`.
    pub gap_scale: T,
}

impl<T: Real> Residuals<T> {
    /// The worst there are.
    pub(super) const NONE: Self = Self {
        primal: T::MAX,
        dual: T::MAX,
        gap: T::MAX,
        objective: T::ZERO,
        primal_scale: T::ZERO,
        dual_scale: T::ZERO,
        gap_scale: T::ZERO,
    };

    /// Residuals of x and y, both in the units of `problem` itself: x̄ and ȳ if it is equilibrated.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`] unless 2n + m numbers are lent.
    pub fn compute<P: LinearOperator<T>, A: Adjoint<T>>(
        problem: &Problem<'_, T, P, A>,
        x: &[T],
        y: &[T],
        memory: &mut [T],
    ) -> Result<Self, Error> {
        let (n, m) = (problem.variables(), problem.constraints());
        check_length("x", x.len(), n)?;
        check_length("y", y.len(), m)?;
        check_finite("x", x)?;
        check_finite("y", y)?;
        let available = memory.len();
        let mut rest = memory;
        let mut take = |length| super::memory::take(&mut rest, length);
        let (Some(px), Some(aty), Some(ax)) = (take(n), take(n), take(m)) else {
            return Err(super::memory::shortage(n.saturating_mul(2).saturating_add(m), available));
        };
        Ok(Self::of(problem, x, y, px, aty, ax))
    }

    /// The residuals; leaves Px, Aᵀy and Ax behind.
    pub(super) fn of<P: LinearOperator<T>, A: Adjoint<T>>(
        problem: &Problem<'_, T, P, A>,
        x: &[T],
        y: &[T],
        px: &mut [T],
        aty: &mut [T],
        ax: &mut [T],
    ) -> Self {
        problem.p.apply(x, px);
        problem.a.apply_adjoint(y, aty);
        problem.a.apply(x, ax);
        let scaling = &problem.scaling;
        let cost = T::ONE / scaling.cost;
        let (mut primal, mut primal_scale) = (Largest::new(), Largest::new());
        let mut support = T::ZERO;
        for (i, ((&ax, &y), (lower, upper))) in ax.iter().zip(y).zip(problem.bounds()).enumerate() {
            let unit = T::ONE / scaling.constraint(i);
            let projected = ax.maximum(lower).minimum(upper);
            primal.add((ax - projected) * unit);
            primal_scale.add(ax * unit);
            primal_scale.add(projected * unit);
            // 0·∞ does not occur: y = 0 takes no bound.
            if y > T::ZERO {
                support += upper * y;
            } else if y < T::ZERO {
                support += lower * y;
            }
        }
        let (mut dual, mut dual_scale) = (Largest::new(), Largest::new());
        for (j, ((&px, &aty), &q)) in px.iter().zip(aty.iter()).zip(problem.q).enumerate() {
            let unit = cost / scaling.variable(j);
            dual.add((px + q + aty) * unit);
            dual_scale.add(px * unit);
            dual_scale.add(aty * unit);
            dual_scale.add(q * unit);
        }
        let quadratic = dot_unchecked(x, px) * cost;
        let linear = dot_unchecked(x, problem.q) * cost;
        let support = support * cost;
        let half = T::from_f64(0.5);
        Self {
            primal: primal.value(),
            dual: dual.value(),
            gap: largest([quadratic + linear + support].into_iter()),
            objective: half * quadratic + linear,
            primal_scale: primal_scale.value(),
            dual_scale: dual_scale.value(),
            gap_scale: largest([quadratic, linear, support].into_iter()),
        }
    }

    /// Whether every residual meets its tolerance.
    ///
    /// ```
    /// use quern_kernels::optim::qp::{Residuals, Stop};
    /// let residuals = Residuals {
    ///     primal: 1e-3, dual: 0.0, gap: 0.0, objective: 0.0,
    ///     primal_scale: 1.0, dual_scale: 1.0, gap_scale: 1.0,
    /// };
    /// let stop = Stop { absolute_tolerance: 1e-4, relative_tolerance: 0.0, ..Stop::default() };
    /// assert!(!residuals.meet(&stop));
    /// assert!(residuals.meet(&Stop { relative_tolerance: 1e-3, ..stop }));
    /// ```
    pub fn meet(&self, stop: &Stop<T>) -> bool {
        self.objective.is_finite() && self.excess(stop) <= T::ONE
    }

    /// The largest quotient of a residual and its tolerance; a vanishing residual counts as 0.
    pub(super) fn excess(&self, stop: &Stop<T>) -> T {
        let pairs =
            [(self.primal, self.primal_scale), (self.dual, self.dual_scale), (self.gap, self.gap_scale)];
        let mut excess = T::ZERO;
        for (residual, scale) in pairs {
            let tolerance = stop.absolute_tolerance + stop.relative_tolerance * scale;
            // The largest number stands for a residual that overflowed: no tolerance is met.
            if residual >= T::MAX || !tolerance.is_finite() {
                return T::MAX;
            }
            if residual > T::ZERO {
                let quotient = if tolerance > T::ZERO { residual / tolerance } else { T::MAX };
                excess = excess.maximum(quotient);
            }
        }
        excess
    }
}

/// A running maximum of sizes that remembers what is not finite.
struct Largest<T> {
    value: T,
    finite: bool,
}

impl<T: Real> Largest<T> {
    fn new() -> Self {
        Self { value: T::ZERO, finite: true }
    }

    #[inline(always)]
    fn add(&mut self, value: T) {
        self.finite &= value.is_finite();
        self.value = self.value.maximum(value.abs());
    }

    fn value(&self) -> T {
        if self.finite { self.value } else { T::MAX }
    }
}
