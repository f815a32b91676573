use crate::prox::{OuterProductProjection, OuterProducts, ProjectionStatus, singular_soft_threshold};
use crate::{Error, Real, blas, check_finite, check_length};
use core::borrow::BorrowMut;

/// How [`NuclearSvm`] works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NuclearSvmSettings<T> {
    /// ρ.
    pub penalty: T,
    /// ‖W − Z‖_F and ‖Z − Z before‖_F at or below which it has converged.
    pub tolerance: T,
    /// Rounds allowed.
    pub max_rounds: usize,
    /// Largest move of a multiplier in the last sweep of a projection.
    pub projection_tolerance: T,
    /// Sweeps of a projection allowed.
    pub max_sweeps: usize,
}

impl<T: Real> Default for NuclearSvmSettings<T> {
    /// ρ = 1, 500 rounds to √u of u the distance from 1 to the next number, projections of 20000 sweeps to 8u.
    fn default() -> Self {
        Self {
            penalty: T::ONE,
            tolerance: T::EPSILON.sqrt(),
            max_rounds: 500,
            projection_tolerance: T::from_u32(8) * T::EPSILON,
            max_sweeps: 20_000,
        }
    }
}

impl<T: Real> NuclearSvmSettings<T> {
    /// Refuses settings outside of their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] with the name.
    pub fn validate(&self) -> Result<(), Error> {
        if !super::is_size(self.penalty, false) {
            return Err(Error::Setting { name: "penalty", expected: "finite and above 0" });
        }
        for (name, value) in
            [("tolerance", self.tolerance), ("projection_tolerance", self.projection_tolerance)]
        {
            if !super::is_size(value, true) {
                return Err(Error::Setting { name, expected: "finite and at least 0" });
            }
        }
        Ok(())
    }
}

/// How a solve by [`NuclearSvm`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NuclearSvmStatus {
    /// Both residuals meet the tolerance.
    Converged,
    /// The budget of rounds is exhausted.
    MaxRounds,
    /// A projection found the constraints contradictory, or cannot meet them within its sweeps.
    Infeasible,
}

/// The outcome of [`NuclearSvm::solve`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NuclearSvmReport<T> {
    /// How it ended.
    pub status: NuclearSvmStatus,
    /// Rounds taken.
    pub rounds: usize,
    /// ‖W − Z‖_F.
    pub primal_residual: T,
    /// ‖Z − Z before‖_F.
    pub dual_residual: T,
    /// The sum of the singular values of Z.
    pub nuclear_norm: T,
}

/// The support vector machine of least nuclear norm: min ‖W‖_* over the matrices with ΔᵢᵀWzᵢ ≥ 1.
///
/// By the alternating direction method of multipliers, from Z = U = 0: W projects Z − U onto the constraints, Z shrinks the
/// singular values of W + U by 1/ρ, U ← U + W − Z.
///
/// Shapes: W p×q with p ≥ q; m constraints. Guarantees: W meets the constraints to the projection's tolerance, Z is of low
/// rank, both converge to one matrix; the [`multipliers`](Self::multipliers) λ certify the optimum: S = ρΣ λᵢΔᵢzᵢᵀ has ‖S‖₂ ≤ 1
/// and ⟨S, W⟩ = ‖W‖_*, up to the residuals. The matrix of least nuclear norm need not be
/// unique. Cost: a round is a projection (sweeps of m(4pq + 2q) flops) and a singular value decomposition;
/// [`scalars`](NuclearSvm::scalars) lent.
///
/// Source: the method: S. Boyd et al., Distributed Optimization and Statistical Learning via the Alternating Direction Method
/// of Multipliers, 2011, section 3.1.1; the problem: D. Ataee Tarzanagh et al., Transformers as Support Vector Machines, 2023.
///
/// ```
/// use quern_kernels::optim::{NuclearSvm, NuclearSvmSettings, NuclearSvmStatus};
/// use quern_kernels::prox::OuterProducts;
/// let constraints = OuterProducts::new(&[2.0, 0.0], &[1.0, 0.0], 2, 2)?;
/// let mut svm = NuclearSvm::new(NuclearSvmSettings::default(), [0.0_f64; NuclearSvm::scalars(1, 2, 2)])?;
/// let report = svm.solve(&constraints)?;
/// assert_eq!(report.status, NuclearSvmStatus::Converged);
/// assert!((report.nuclear_norm - 0.5).abs() < 1e-7);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NuclearSvm<T, B> {
    settings: NuclearSvmSettings<T>,
    /// λ and W of the projection, Z, U, Z − U or Z before, singular values, and what the threshold takes.
    memory: B,
    count: usize,
    shape: (usize, usize),
    residuals: (T, T),
}

impl NuclearSvm<(), ()> {
    /// Scalars to lend for m constraints on a p×q matrix: m + 5pq + q² + q.
    pub const fn scalars(m: usize, p: usize, q: usize) -> usize {
        m.saturating_add(p.saturating_mul(q).saturating_mul(5))
            .saturating_add(q.saturating_mul(q))
            .saturating_add(q)
    }
}

/// The lent memory, cut.
struct Parts<'a, T> {
    projection: &'a mut [T],
    z: &'a mut [T],
    u: &'a mut [T],
    other: &'a mut [T],
    values: &'a mut [T],
    threshold: &'a mut [T],
}

impl<'a, T> Parts<'a, T> {
    fn split(memory: &'a mut [T], m: usize, (p, q): (usize, usize)) -> Result<Self, Error> {
        let (required, available) = (NuclearSvm::scalars(m, p, q), memory.len());
        Self::cut(memory, m, p, q).ok_or(Error::Capacity { what: "workspace", required, available })
    }

    fn cut(memory: &'a mut [T], m: usize, p: usize, q: usize) -> Option<Self> {
        let entries = p.checked_mul(q)?;
        let (projection, memory) = memory.split_at_mut_checked(m.checked_add(entries)?)?;
        let (z, memory) = memory.split_at_mut_checked(entries)?;
        let (u, memory) = memory.split_at_mut_checked(entries)?;
        let (other, memory) = memory.split_at_mut_checked(entries)?;
        let (values, memory) = memory.split_at_mut_checked(q)?;
        let threshold = memory.get_mut(..entries.checked_add(q.checked_mul(q)?)?)?;
        Some(Self { projection, z, u, other, values, threshold })
    }
}

impl<T: Real, B: BorrowMut<[T]>> NuclearSvm<T, B> {
    /// A workspace over lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: NuclearSvmSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self { settings, memory, count: 0, shape: (0, 0), residuals: (T::MAX, T::MAX) })
    }

    /// Sets Z = U = 0.
    ///
    /// # Errors
    /// [`Error::Dimension`] if p < q; [`Error::Capacity`].
    pub fn start(&mut self, constraints: &OuterProducts<'_, T>) -> Result<(), Error> {
        let (p, q) = constraints.shape();
        if p < q {
            return Err(Error::Dimension { what: "rows", expected: q, found: p });
        }
        let parts = Parts::split(self.memory.borrow_mut(), constraints.count(), (p, q))?;
        for part in [parts.projection, parts.z, parts.u, parts.values] {
            part.fill(T::ZERO);
        }
        (self.count, self.shape, self.residuals) = (constraints.count(), (p, q), (T::MAX, T::MAX));
        Ok(())
    }

    /// One round, after a start with the same constraints; whether its projection met them.
    ///
    /// # Errors
    /// [`Error::Dimension`] before a start; [`Error::NonFinite`]; those of the projection and the threshold.
    pub fn step(&mut self, constraints: &OuterProducts<'_, T>) -> Result<bool, Error> {
        check_length("constraints", constraints.count(), self.count)?;
        let parts = Parts::split(self.memory.borrow_mut(), self.count, self.shape)?;
        let Parts { projection, z, u, other, values, threshold } = parts;
        for ((out, &z), &u) in other.iter_mut().zip(z.iter()).zip(u.iter()) {
            *out = z - u;
        }
        let NuclearSvmSettings { penalty, projection_tolerance, max_sweeps, .. } = self.settings;
        let mut hildreth = OuterProductProjection::new(projection);
        let report = hildreth.solve(constraints, Some(other), projection_tolerance, max_sweeps)?;
        let met = match report.status {
            ProjectionStatus::Converged => true,
            ProjectionStatus::MaxSweeps => report.violation <= T::from_f64(1e-6),
            ProjectionStatus::Infeasible => false,
        };
        if !met {
            return Ok(false);
        }
        let w = hildreth.matrix();
        blas::copy(z, other)?;
        for ((z, &w), &u) in z.iter_mut().zip(w).zip(u.iter()) {
            *z = w + u;
        }
        singular_soft_threshold(z, self.shape.0, T::ONE / penalty, values, threshold)?;
        for ((u, &w), &z) in u.iter_mut().zip(w).zip(z.iter()) {
            *u += w - z;
        }
        check_finite("multipliers", u)?;
        let distance =
            |x: &[T], y: &[T]| x.iter().zip(y).fold(T::ZERO, |sum, (&x, &y)| sum + (x - y) * (x - y)).sqrt();
        self.residuals = (distance(w, z), distance(other, z));
        Ok(true)
    }

    /// Starts and takes rounds until both residuals meet the tolerance.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`step`](Self::step).
    pub fn solve(&mut self, constraints: &OuterProducts<'_, T>) -> Result<NuclearSvmReport<T>, Error> {
        self.start(constraints)?;
        let (mut status, mut rounds) = (NuclearSvmStatus::MaxRounds, 0);
        while rounds < self.settings.max_rounds {
            rounds += 1;
            if !self.step(constraints)? {
                status = NuclearSvmStatus::Infeasible;
                break;
            }
            let tolerance = self.settings.tolerance;
            if self.residuals.0 <= tolerance && self.residuals.1 <= tolerance {
                status = NuclearSvmStatus::Converged;
                break;
            }
        }
        let (primal_residual, dual_residual) = self.residuals;
        let nuclear_norm = blas::sum(self.singular_values());
        Ok(NuclearSvmReport { status, rounds, primal_residual, dual_residual, nuclear_norm })
    }

    fn part(&self, first: usize, length: usize) -> &[T] {
        let all = self.memory.borrow().get(first..first.saturating_add(length));
        all.unwrap_or_default()
    }

    fn entries(&self) -> usize {
        self.shape.0.saturating_mul(self.shape.1)
    }

    /// λ of the last projection.
    pub fn multipliers(&self) -> &[T] {
        self.part(0, self.count)
    }

    /// W, which meets the constraints.
    pub fn matrix(&self) -> &[T] {
        self.part(self.count, self.entries())
    }

    /// Z, of low rank.
    pub fn low_rank(&self) -> &[T] {
        self.part(self.count.saturating_add(self.entries()), self.entries())
    }

    /// The singular values of Z, descending.
    pub fn singular_values(&self) -> &[T] {
        self.part(self.count.saturating_add(self.entries().saturating_mul(4)), self.shape.1)
    }
}
