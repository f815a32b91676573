use super::SplitProblem;
use crate::linop::{Adjoint, LinearOperator};
use crate::optim::qp::memory::{copy, shortage};
use crate::prox::{OuterProductProjection, OuterProducts, ProjectionStatus, singular_soft_threshold};
use crate::{Error, Real, blas};
use core::borrow::BorrowMut;

/// How a [`NuclearSvm`] is split and projected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NuclearSvmSettings<T> {
    /// ρ.
    pub penalty: T,
    /// Largest move of a multiplier in the last sweep of a projection.
    pub projection_tolerance: T,
    /// Sweeps of a projection allowed.
    pub max_sweeps: usize,
}

impl<T: Real> Default for NuclearSvmSettings<T> {
    /// ρ = 1, projections of 20000 sweeps to 8u, u the distance from 1 to the next number.
    fn default() -> Self {
        Self { penalty: T::ONE, projection_tolerance: T::from_u32(8) * T::EPSILON, max_sweeps: 20_000 }
    }
}

/// The support vector machine of least nuclear norm, for [`Admm`](super::Admm): min ‖Z‖_* over the matrices W = Z with
/// ΔᵢᵀWzᵢ ≥ 1.
///
/// The first minimization projects onto the constraints, the second shrinks singular values by 1/ρ.
///
/// Shapes: W and Z p×q with p ≥ q, so that the method's x and z are of length pq; m constraints. Guarantees: W meets the
/// constraints to the projection's tolerance, or to 10⁻⁶ after its last sweep; else the step is refused. Z is of low
/// rank. The [`multipliers`](Self::multipliers) λ certify the optimum: S = ρΣ λᵢΔᵢzᵢᵀ has ‖S‖₂ ≤ 1 and ⟨S, Z⟩ = ‖Z‖_*, up
/// to the residuals. The matrix of least nuclear norm need not be unique. Cost: a step is a projection, sweeps of
/// m(4pq + 2q) flops, and a singular value decomposition; [`scalars`](NuclearSvm::scalars) lent. Source: D. Ataee
/// Tarzanagh et al., Transformers as Support Vector Machines, 2023.
///
/// ```
/// use quern_kernels::optim::composite::{Admm, AdmmSettings, NuclearSvm, Status, Stop};
/// use quern_kernels::prox::OuterProducts;
/// let constraints = OuterProducts::new(&[2.0, 0.0], &[1.0, 0.0], 2, 2)?;
/// let mut svm = NuclearSvm::new(constraints, Default::default(), [0.0_f64; NuclearSvm::scalars(1, 2, 2)])?;
/// let mut admm = Admm::new(AdmmSettings { relaxation: 1.0 }, [0.0; Admm::scalars(4, 4)])?;
/// assert_eq!(admm.solve(&mut svm, &Stop::default())?.status, Status::Converged);
/// assert!((svm.nuclear_norm() - 0.5).abs() < 1e-7);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NuclearSvm<'a, T, B> {
    constraints: OuterProducts<'a, T>,
    settings: NuclearSvmSettings<T>,
    /// λ and W of the projection, singular values, and what the threshold takes.
    memory: B,
}

impl NuclearSvm<'_, (), ()> {
    /// Scalars to lend for m constraints on a p×q matrix: m + 2pq + q² + q.
    pub const fn scalars(m: usize, p: usize, q: usize) -> usize {
        m.saturating_add(p.saturating_mul(q).saturating_mul(2))
            .saturating_add(q.saturating_mul(q))
            .saturating_add(q)
    }
}

impl<'a, T: Real, B: BorrowMut<[T]>> NuclearSvm<'a, T, B> {
    /// The problem of these constraints, with lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`] if p < q; [`Error::Capacity`]; [`Error::Setting`].
    pub fn new(
        constraints: OuterProducts<'a, T>,
        settings: NuclearSvmSettings<T>,
        memory: B,
    ) -> Result<Self, Error> {
        if !crate::optim::is_size(settings.penalty, false) {
            return Err(Error::Setting { name: "penalty", expected: "finite and above 0" });
        }
        if !crate::optim::is_size(settings.projection_tolerance, true) {
            return Err(Error::Setting { name: "projection_tolerance", expected: "finite and at least 0" });
        }
        let (p, q) = constraints.shape();
        if p < q {
            return Err(Error::Dimension { what: "rows", expected: q, found: p });
        }
        let (required, available) = (NuclearSvm::scalars(constraints.count(), p, q), memory.borrow().len());
        if available < required {
            Err(shortage(required, available))
        } else {
            Ok(Self { constraints, settings, memory })
        }
    }

    fn size(&self) -> usize {
        let (p, q) = self.constraints.shape();
        p.saturating_mul(q)
    }

    /// Scalars that a projection works on.
    fn projected(&self) -> usize {
        self.constraints.count().saturating_add(self.size())
    }

    /// λ of the last projection.
    pub fn multipliers(&self) -> &[T] {
        self.memory.borrow().get(..self.constraints.count()).unwrap_or_default()
    }

    /// The singular values of Z, descending.
    pub fn singular_values(&self) -> &[T] {
        let rest = self.memory.borrow().get(self.projected()..).unwrap_or_default();
        rest.get(..self.constraints.shape().1).unwrap_or_default()
    }

    /// ‖Z‖_*, the sum of the singular values.
    pub fn nuclear_norm(&self) -> T {
        blas::sum(self.singular_values())
    }
}

impl<T: Real, B: BorrowMut<[T]>> LinearOperator<T> for NuclearSvm<'_, T, B> {
    fn rows(&self) -> usize {
        self.size()
    }
    fn columns(&self) -> usize {
        self.size()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        copy(x, y);
    }
}

impl<T: Real, B: BorrowMut<[T]>> Adjoint<T> for NuclearSvm<'_, T, B> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        copy(y, x);
    }
}

impl<T: Real, B: BorrowMut<[T]>> SplitProblem<T> for NuclearSvm<'_, T, B> {
    fn penalty(&self) -> T {
        self.settings.penalty
    }

    fn minimize_first(&mut self, target: &[T], x: &mut [T]) -> Result<(), Error> {
        let NuclearSvmSettings { projection_tolerance, max_sweeps, .. } = self.settings;
        let (constraints, projected) = (self.constraints, self.projected());
        let memory = self.memory.borrow_mut().get_mut(..projected).unwrap_or_default();
        let mut projection = OuterProductProjection::new(memory);
        let report = projection.solve(&constraints, Some(target), projection_tolerance, max_sweeps)?;
        let met = match report.status {
            ProjectionStatus::Converged => true,
            ProjectionStatus::MaxSweeps => report.violation <= T::from_f64(1e-6),
            ProjectionStatus::Infeasible => false,
        };
        if !met {
            return Err(Error::Infeasible { what: "outer products" });
        }
        copy(projection.matrix(), x);
        Ok(())
    }

    fn minimize_second(&mut self, z: &mut [T]) -> Result<(), Error> {
        let ((rows, columns), projected) = (self.constraints.shape(), self.projected());
        let required = z.len().saturating_add(columns.saturating_mul(columns));
        let rest = self.memory.borrow_mut().get_mut(projected..).unwrap_or_default();
        let (values, rest) = rest.split_at_mut_checked(columns).unwrap_or_default();
        let threshold = rest.get_mut(..required).unwrap_or_default();
        singular_soft_threshold(z, rows, T::ONE / self.settings.penalty, values, threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Admm, AdmmSettings, Stop};
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let (left, right) = ([1.0_f64, 0.0], [1.0]);
        let tall = OuterProducts::new(&left, &right, 2, 1).unwrap();
        let settings = NuclearSvmSettings::default();
        assert!(NuclearSvm::new(tall, settings, [0.0; NuclearSvm::scalars(1, 2, 1)]).is_ok());
        let short = NuclearSvm::new(tall, settings, [0.0; NuclearSvm::scalars(1, 2, 1) - 1]);
        assert!(matches!(short, Err(Error::Capacity { required: 7, available: 6, .. })));
        let wide = OuterProducts::new(&right, &left, 1, 2).unwrap();
        assert!(matches!(NuclearSvm::new(wide, settings, [0.0; 20]), Err(Error::Dimension { .. })));
        for bad in [
            NuclearSvmSettings { penalty: 0.0, ..settings },
            NuclearSvmSettings { projection_tolerance: f64::NAN, ..settings },
        ] {
            assert!(matches!(NuclearSvm::new(tall, bad, [0.0; 20]), Err(Error::Setting { .. })), "{bad:?}");
        }
    }

    #[test]
    fn contradictory_constraints_are_infeasible() {
        let (left, right) = ([1.0_f64, -1.0], [1.0, 1.0]);
        let constraints = OuterProducts::new(&left, &right, 1, 1).unwrap();
        let mut svm =
            NuclearSvm::new(constraints, Default::default(), [0.0; NuclearSvm::scalars(2, 1, 1)]).unwrap();
        let mut admm = Admm::new(AdmmSettings { relaxation: 1.0 }, [0.0; Admm::scalars(1, 1)]).unwrap();
        let outcome = admm.solve(&mut svm, &Stop::default());
        assert!(matches!(outcome, Err(Error::Infeasible { .. })), "{outcome:?}");
    }
}
