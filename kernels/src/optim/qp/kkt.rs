use super::Problem;
use super::memory::{at, shortage, take};
use crate::factor::{LdlPattern, SparseLdl};
use crate::linop::{Adjoint, Csr, LinearOperator, SymmetricCsr};
use crate::{Error, Real, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

mod dense;

pub use dense::DenseKkt;

/// Solves systems with the matrix K = (P + σI, Aᵀ; A, −W), W diagonal and positive.
///
/// K is quasi-definite, so it has an LDLᵀ factorization without pivoting in every order.
pub trait Kkt<T: Real, P: LinearOperator<T>, A: Adjoint<T>> {
    /// Factors K for the problem, the shift σ and the diagonal of W; how many pivots had to be replaced
    /// because they had the wrong sign.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Capacity`]; [`Error::Breakdown`]; [`Error::NotPositiveDefinite`] if a
    /// pivot has the wrong sign and is not replaced.
    fn factor(&mut self, problem: &Problem<'_, T, P, A>, shift: T, weights: &[T]) -> Result<usize, Error>;

    /// (x, y) ← K⁻¹(x, y), stored one after the other. Other lengths are refused, and change nothing.
    fn solve(&mut self, problem: &Problem<'_, T, P, A>, right_hand_side: &mut [T]);
}

/// Refuses a P that is not positive semidefinite: with W large, the pivots of K are those of P + σI.
pub(super) fn check_convex<T: Real, P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
    problem: &Problem<'_, T, P, A>,
    kkt: &mut K,
    weights: &mut [T],
) -> Result<(), Error> {
    weights.fill(T::ONE / (T::EPSILON * T::EPSILON));
    match kkt.factor(problem, T::EPSILON.sqrt(), weights)? {
        0 => Ok(()),
        _ => Err(Error::NotPositiveDefinite { index: 0 }),
    }
}

/// K of a sparse problem, factored as LDLᵀ on a constant pattern.
///
/// Shapes: the pattern is of n + m rows; its values are numbered: first the stored entries of P (the lower
/// triangle, by rows), then those of A. 3(n + m) + z + (n + m) numbers, for z entries of L, and 3(n + m)
/// indices are lent. Cost and source: those of [`SparseLdl`].
#[derive(Clone, Debug)]
pub struct SparseKkt<'a, T, B, I> {
    pattern: LdlPattern<'a>,
    memory: B,
    indices: I,
    scalar: PhantomData<T>,
}

impl SparseKkt<'_, (), (), ()> {
    /// Scalars to lend, for z stored entries of L and n + m rows: z + 4(n + m).
    pub const fn scalars(stored: usize, rows: usize) -> usize {
        stored.saturating_add(rows.saturating_mul(4))
    }

    /// Indices to lend for n + m rows: 3(n + m).
    pub const fn indices(rows: usize) -> usize {
        rows.saturating_mul(3)
    }
}

impl<'a, T: Real, B: BorrowMut<[T]>, I: BorrowMut<[u32]>> SparseKkt<'a, T, B, I> {
    /// A factorization over lent memory.
    pub fn new(pattern: LdlPattern<'a>, memory: B, indices: I) -> Self {
        Self { pattern, memory, indices, scalar: PhantomData }
    }

    /// The factor: L by columns, then 1/D; what [`ConstantKkt`] takes.
    pub fn factor_values(&self) -> &[T] {
        let length = SparseLdl::scalars(self.pattern.stored(), self.pattern.dimension());
        self.memory.borrow().get(..length).unwrap_or_default()
    }
}

impl<T: Real, B: BorrowMut<[T]>, I: BorrowMut<[u32]>> Kkt<T, SymmetricCsr<'_, T>, Csr<'_, T>>
    for SparseKkt<'_, T, B, I>
{
    fn factor(
        &mut self,
        problem: &Problem<'_, T, SymmetricCsr<'_, T>, Csr<'_, T>>,
        shift: T,
        weights: &[T],
    ) -> Result<usize, Error> {
        let (n, m) = (problem.variables(), problem.constraints());
        let rows = n.saturating_add(m);
        check_length("pattern", self.pattern.dimension(), rows)?;
        check_length("weights", weights.len(), m)?;
        let (p, a) = (problem.p.values(), problem.a.values());
        let sources = p.len().saturating_add(a.len());
        if self.pattern.sources() > sources {
            let found = self.pattern.sources();
            return Err(Error::Dimension { what: "pattern's sources", expected: sources, found });
        }
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let shortage = shortage(SparseKkt::scalars(self.pattern.stored(), rows), available);
        let mut rest = memory;
        let mut lend = |length| take(&mut rest, length).ok_or(shortage);
        let factor = lend(SparseLdl::scalars(self.pattern.stored(), rows))?;
        let diagonal = lend(rows)?;
        let work = lend(rows.saturating_mul(2))?;
        let (variables, constraints) = diagonal.split_at_mut_checked(n).ok_or(shortage)?;
        problem.p.diagonal(variables)?;
        for value in variables.iter_mut() {
            *value += shift;
        }
        for (value, &weight) in constraints.iter_mut().zip(weights) {
            *value = -weight;
        }
        let half = T::from_f64(0.5);
        let value = |source: usize| match p.get(source) {
            Some(&value) => value,
            None => at(a, source.wrapping_sub(p.len())),
        };
        let ldl = SparseLdl::factor(
            self.pattern,
            diagonal,
            value,
            // In exact arithmetic no pivot is smaller than σ and Wᵢ.
            |index| match weights.get(index.wrapping_sub(n)) {
                Some(&weight) if index >= n => -(half * weight),
                _ => half * shift,
            },
            factor,
            work,
            self.indices.borrow_mut(),
        )?;
        Ok(ldl.replaced())
    }

    fn solve(&mut self, _: &Problem<'_, T, SymmetricCsr<'_, T>, Csr<'_, T>>, right_hand_side: &mut [T]) {
        let length = SparseLdl::scalars(self.pattern.stored(), self.pattern.dimension());
        let Some((factor, work)) = self.memory.borrow_mut().split_at_mut_checked(length) else { return };
        // Other lengths than those promised are refused, and change nothing.
        let _ = SparseLdl::of(self.pattern, &*factor).solve(right_hand_side, work);
    }
}

/// K with a factor computed before, in constant memory: what a generated solver holds.
///
/// It takes every shift and weight for those that the factor was computed with: settings must be the same,
/// and ρ must not adapt. With others a solver does not find a solution, and does not claim one.
///
/// Shapes: the pattern is of n + m rows; n + m numbers are lent. Cost of a solve: 4z + (n + m) flops.
#[derive(Clone, Debug)]
pub struct ConstantKkt<'a, T, B> {
    factor: SparseLdl<'a, T, &'a [T]>,
    memory: B,
}

impl<'a, T: Real, B: BorrowMut<[T]>> ConstantKkt<'a, T, B> {
    /// K with this factor: L by columns, then 1/D.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    pub fn new(pattern: LdlPattern<'a>, factor: &'a [T], memory: B) -> Result<Self, Error> {
        Ok(Self { factor: SparseLdl::from_factor(pattern, factor)?, memory })
    }
}

impl<T: Real, P: LinearOperator<T>, A: Adjoint<T>, B: BorrowMut<[T]>> Kkt<T, P, A> for ConstantKkt<'_, T, B> {
    fn factor(&mut self, problem: &Problem<'_, T, P, A>, _: T, weights: &[T]) -> Result<usize, Error> {
        let rows = problem.variables().saturating_add(weights.len());
        check_length("pattern", self.factor.pattern().dimension(), rows)?;
        let available = self.memory.borrow().len();
        if available < rows { Err(shortage(rows, available)) } else { Ok(0) }
    }

    fn solve(&mut self, _: &Problem<'_, T, P, A>, right_hand_side: &mut [T]) {
        // Other lengths than those promised are refused, and change nothing.
        let _ = self.factor.solve(right_hand_side, self.memory.borrow_mut());
    }
}
