use super::conjugate::{maximum, sparse_maximum};
use super::{Problem, Regularizer};
use crate::{Error, Real, blas, check_finite, check_length};

/// D(α) = ⟨α, a⟩ − Σⱼ max_{t ∈ Δ_k(bⱼ)} ⟨t, α − cⱼ⟩ − (γ/2)‖t‖², and a supergradient a − T1: concave for every
/// k, and differentiable where no column has a tie at its cut.
///
/// Δ_k(b) are the t ≥ 0 with Σt = b and at most k nonzeros; T has the maximizers as columns. D(α + c1) = D(α).
///
/// Shapes: α and the gradient of m; `memory` at least m + k, k = min(nonzeros, m); at least k indices unless k =
/// m. Guarantees: T never exists as a whole; Tᵀ1 = b. Cost: n(3m + 8k) flops, m comparisons a column and at most
/// 2m⌈log₂k⌉ more; for k = m at most log₂m and the number of bits passes of 4m flops instead of the comparisons.
/// Source: Liu, Puigcerver, Blondel (2023), section 4, equation (10).
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Capacity`]; [`Error::Setting`]; [`Error::NonFinite`] for α, the cost, or their
/// difference; [`Error::Breakdown`] if D overflows.
///
/// ```
/// use quern_kernels::transport::{Problem, Regularizer, semidual};
/// let problem = Problem::dense(&[0.5; 2], &[0.5; 2], &[0.0, 1.0, 1.0, 0.0])?;
/// let one = Regularizer { weight: 1.0, nonzeros: 1 };
/// let mut gradient = [0.0; 2];
/// let value = semidual(&problem, &one, &[0.0; 2], &mut gradient, &mut [0; 1], &mut [0.0; 3])?;
/// // Each target from its own source: nothing is paid, and the regularizer is (γ/2)(¼ + ¼).
/// assert_eq!((value, gradient), (0.25, [0.0; 2]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn semidual<T: Real, C: Fn(usize, &mut [T])>(
    problem: &Problem<'_, T, C>,
    regularizer: &Regularizer<T>,
    potential: &[T],
    gradient: &mut [T],
    indices: &mut [u32],
    memory: &mut [T],
) -> Result<T, Error> {
    regularizer.validate()?;
    check_length("potential", potential.len(), problem.rows())?;
    check_length("gradient", gradient.len(), problem.rows())?;
    check_finite("potential", potential)?;
    let mut columns = Columns::new(problem, regularizer, indices, memory)?;
    let weighted = blas::dot(potential, problem.sources)?;
    blas::copy(problem.sources, gradient)?;
    let mut shares = T::ZERO;
    for (j, _) in problem.targets.iter().enumerate() {
        shares += columns.solve(problem, potential, j)?;
        if columns.indices.is_empty() {
            for (g, &entry) in gradient.iter_mut().zip(columns.entries.iter()) {
                *g -= entry;
            }
        } else {
            for (&index, &entry) in columns.indices.iter().zip(columns.entries.iter()) {
                if let Some(g) = gradient.get_mut(index as usize) {
                    *g -= entry;
                }
            }
        }
    }
    let value = weighted - shares;
    if value.is_finite() { Ok(value) } else { Err(Error::Breakdown { what: "a finite value", index: 0 }) }
}

/// The columns of the plan, one after the other in the same memory.
pub(super) struct Columns<'a, T> {
    weight: T,
    /// α − cⱼ.
    pub(super) reduced: &'a mut [T],
    /// Empty where every row has an entry.
    pub(super) indices: &'a mut [u32],
    pub(super) entries: &'a mut [T],
}

impl<'a, T: Real> Columns<'a, T> {
    pub(super) fn new<C: Fn(usize, &mut [T])>(
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
        indices: &'a mut [u32],
        memory: &'a mut [T],
    ) -> Result<Self, Error> {
        let rows = problem.rows();
        let k = regularizer.nonzeros_of(rows);
        let selected = if k == rows { 0 } else { k };
        let shortage = |what, required, available| Error::Capacity { what, required, available };
        let (lent, lent_indices) = (memory.len(), indices.len());
        let indices = indices.get_mut(..selected).ok_or(shortage("indices", selected, lent_indices))?;
        let missing = shortage("memory", rows.saturating_add(k), lent);
        let (reduced, rest) = memory.split_at_mut_checked(rows).ok_or(missing)?;
        let entries = rest.get_mut(..k).ok_or(missing)?;
        Ok(Self { weight: regularizer.weight, reduced, indices, entries })
    }

    /// The j-th column and its share of the semi-dual.
    pub(super) fn solve<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        potential: &[T],
        column: usize,
    ) -> Result<T, Error> {
        let Self { weight, reduced, indices, entries } = self;
        let total = problem.targets.get(column).copied().unwrap_or(T::ZERO);
        problem.reduced(column, potential, reduced)?;
        if indices.is_empty() {
            maximum(reduced, total, *weight, entries)
        } else {
            sparse_maximum(reduced, total, *weight, indices, entries)
        }
    }
}
