use crate::linop::{Adjoint, Csr, LinearOperator, SymmetricCsr};
use crate::{Error, Real, check_finite, check_length};

/// min ½xᵀPx + qᵀx subject to l ≤ Ax ≤ u, with P symmetric positive semidefinite.
///
/// Shapes: P n×n, q of length n, A m×n, l and u of length m. Bounds may be −∞ below and ∞ above; lᵢ = uᵢ is
/// an equality; bounds on variables are rows of A with a single entry. Guarantee: l ≤ u and every other number
/// is finite. P is not examined here: the solvers refuse what is not positive semidefinite. Nothing lent.
///
/// ```
/// use quern_kernels::linop::{Csr, SymmetricCsr};
/// use quern_kernels::optim::qp::Problem;
/// let quadratic = SymmetricCsr::new(&[0, 1], &[0], &[2.0])?;
/// let constraints = Csr::new(1, &[0, 1], &[0], &[1.0])?;
/// let problem = Problem::new(quadratic, &[-2.0], constraints, &[f64::NEG_INFINITY], &[0.5])?;
/// assert_eq!((problem.variables(), problem.constraints()), (1, 1));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a, T, P = SymmetricCsr<'a, T>, A = Csr<'a, T>> {
    /// P.
    pub(super) p: P,
    /// q.
    pub(super) q: &'a [T],
    /// A.
    pub(super) a: A,
    /// l.
    pub(super) lower: &'a [T],
    /// u.
    pub(super) upper: &'a [T],
    pub(super) scaling: Scaling<'a, T>,
}

/// How an equilibrated problem relates to the one it came from: x = Dx̄, y = Eȳ/c, with D and E diagonal.
///
/// Shapes: D of n numbers, E of m. Where D or E has no entries, it is the identity.
#[derive(Clone, Copy, Debug)]
pub struct Scaling<'a, T> {
    /// The diagonal of D.
    pub variables: &'a [T],
    /// The diagonal of E.
    pub constraints: &'a [T],
    /// c.
    pub cost: T,
}

impl<T: Real> Scaling<'_, T> {
    /// D = I, E = I, c = 1.
    pub const IDENTITY: Self = Self { variables: &[], constraints: &[], cost: T::ONE };

    #[inline(always)]
    pub(super) fn variable(&self, index: usize) -> T {
        self.variables.get(index).copied().unwrap_or(T::ONE)
    }

    #[inline(always)]
    pub(super) fn constraint(&self, index: usize) -> T {
        self.constraints.get(index).copied().unwrap_or(T::ONE)
    }
}

impl<'a, T: Real, P: LinearOperator<T>, A: Adjoint<T>> Problem<'a, T, P, A> {
    /// The problem with these data.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] for q, or a bound that is NaN, −∞ above or ∞ below;
    /// [`Error::Infeasible`] unless l ≤ u.
    pub fn new(
        quadratic: P,
        linear: &'a [T],
        constraints: A,
        lower: &'a [T],
        upper: &'a [T],
    ) -> Result<Self, Error> {
        Self::scaled(quadratic, linear, constraints, lower, upper, Scaling::IDENTITY)
    }

    /// An equilibrated problem, and how it relates to the one it came from.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Setting`] for a scale that is not positive and finite.
    pub fn scaled(
        quadratic: P,
        linear: &'a [T],
        constraints: A,
        lower: &'a [T],
        upper: &'a [T],
        scaling: Scaling<'a, T>,
    ) -> Result<Self, Error> {
        let (n, m) = (quadratic.columns(), constraints.rows());
        check_length("P", quadratic.rows(), n)?;
        check_length("q", linear.len(), n)?;
        check_length("A", constraints.columns(), n)?;
        check_length("l", lower.len(), m)?;
        check_length("u", upper.len(), m)?;
        check_finite("q", linear)?;
        for (index, (&lower, &upper)) in lower.iter().zip(upper).enumerate() {
            // A NaN fails both comparisons.
            if !(lower <= T::MAX && upper >= -T::MAX) {
                let what = if lower <= T::MAX { "u" } else { "l" };
                return Err(Error::NonFinite { what, index });
            }
            if lower > upper {
                return Err(Error::Infeasible { what: "l ≤ u" });
            }
        }
        let Scaling { variables, constraints: rows, cost } = scaling;
        check_length("scales of variables", variables.len(), if variables.is_empty() { 0 } else { n })?;
        check_length("scales of constraints", rows.len(), if rows.is_empty() { 0 } else { m })?;
        let scales = variables.iter().chain(rows).chain([&cost]);
        if scales.into_iter().any(|&scale| !(scale > T::ZERO && scale.is_finite())) {
            return Err(Error::Setting { name: "scale", expected: "positive and finite" });
        }
        Ok(Self { p: quadratic, q: linear, a: constraints, lower, upper, scaling })
    }

    /// The same matrices and scales with other q, l and u, in the units of this (perhaps equilibrated)
    /// problem.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(&self, linear: &'a [T], lower: &'a [T], upper: &'a [T]) -> Result<Self, Error>
    where
        P: Copy,
        A: Copy,
    {
        Self::scaled(self.p, linear, self.a, lower, upper, self.scaling)
    }

    /// n.
    pub fn variables(&self) -> usize {
        self.q.len()
    }

    /// m.
    pub fn constraints(&self) -> usize {
        self.lower.len()
    }

    /// P, q, A, l and u, equilibrated if the problem is.
    pub fn parts(&self) -> (&P, &'a [T], &A, &'a [T], &'a [T]) {
        (&self.p, self.q, &self.a, self.lower, self.upper)
    }

    /// D, E and c.
    pub fn scaling(&self) -> Scaling<'a, T> {
        self.scaling
    }

    /// The rows' bounds.
    #[inline]
    pub(super) fn bounds(&self) -> impl Iterator<Item = (T, T)> + Clone + use<'a, T, P, A> {
        self.lower.iter().copied().zip(self.upper.iter().copied())
    }
}

/// What a pair of bounds says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// lᵢ = uᵢ.
    Equality,
    /// One bound at least is finite.
    Inequality,
    /// Nothing.
    Free,
}

impl Kind {
    #[inline]
    pub(super) fn of<T: Real>((lower, upper): (T, T)) -> Self {
        if lower == upper {
            Self::Equality
        } else if lower.is_finite() || upper.is_finite() {
            Self::Inequality
        } else {
            Self::Free
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_problem_is_refused() {
        let p = SymmetricCsr::new(&[0, 1], &[0], &[2.0]).unwrap();
        let a = Csr::new(1, &[0, 1], &[0], &[1.0]).unwrap();
        let with = |q: &[f64], l: &[f64], u: &[f64]| Problem::new(p, q, a, l, u).map(drop);
        let infinity = f64::INFINITY;
        assert_eq!(with(&[1.0], &[-infinity], &[infinity]), Ok(()));
        assert!(matches!(with(&[], &[0.0], &[0.0]), Err(Error::Dimension { what: "q", .. })));
        assert!(matches!(with(&[1.0], &[], &[0.0]), Err(Error::Dimension { what: "l", .. })));
        assert_eq!(with(&[f64::NAN], &[0.0], &[0.0]), Err(Error::NonFinite { what: "q", index: 0 }));
        assert_eq!(with(&[1.0], &[f64::NAN], &[0.0]), Err(Error::NonFinite { what: "l", index: 0 }));
        assert_eq!(with(&[1.0], &[infinity], &[infinity]), Err(Error::NonFinite { what: "l", index: 0 }));
        assert_eq!(with(&[1.0], &[0.0], &[f64::NAN]), Err(Error::NonFinite { what: "u", index: 0 }));
        assert_eq!(with(&[1.0], &[1.0], &[0.0]), Err(Error::Infeasible { what: "l ≤ u" }));
        let scaling = Scaling { variables: &[0.0], ..Scaling::IDENTITY };
        assert!(matches!(
            Problem::scaled(p, &[1.0], a, &[0.0], &[0.0], scaling),
            Err(Error::Setting { name: "scale", .. })
        ));
    }
}
