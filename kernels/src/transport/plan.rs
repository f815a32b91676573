use super::semidual::Columns;
use super::{Problem, Regularizer};
use crate::{Error, Real, blas, check_finite, check_length};

/// What a plan costs, and how far it is from one that transports a to b.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlanReport<T> {
    /// ⟨T, C⟩.
    pub cost: T,
    /// ‖a − T1‖₁.
    pub row_error: T,
    /// ‖b − Tᵀ1‖₁.
    pub column_error: T,
    /// Entries above zero.
    pub nonzeros: usize,
    /// Of these, the most in a column.
    pub largest_column: usize,
}

/// The plan of a potential of the [`semidual`](super::semidual), column by column: k indices and entries each, the
/// largest entry first.
///
/// Shapes: α of m; `indices` and `entries` of n·k, k = min(nonzeros, m), column j at j·k; `memory` at least 2m +
/// k. Entries of zero may stand at any index. Guarantees: no more than k nonzeros a column, whose sum is b up to
/// 8kub; the report's errors are summed from the entries. Cost: that of the semi-dual, and n(m + 4k) flops.
/// Source: as the semi-dual.
///
/// # Errors
/// As [`semidual`](super::semidual).
///
/// ```
/// use quern_kernels::transport::{Problem, Regularizer, plan};
/// let problem = Problem::dense(&[0.5; 2], &[0.5; 2], &[0.0, 1.0, 1.0, 0.0])?;
/// let one = Regularizer { weight: 1.0, nonzeros: 1 };
/// let (mut indices, mut entries) = ([0; 2], [0.0; 2]);
/// let report = plan(&problem, &one, &[0.0; 2], &mut indices, &mut entries, &mut [0.0; 5])?;
/// assert_eq!((indices, entries), ([0, 1], [0.5; 2]));
/// assert_eq!((report.cost, report.row_error, report.nonzeros), (0.0, 0.0, 2));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn plan<T: Real, C: Fn(usize, &mut [T])>(
    problem: &Problem<'_, T, C>,
    regularizer: &Regularizer<T>,
    potential: &[T],
    indices: &mut [u32],
    entries: &mut [T],
    memory: &mut [T],
) -> Result<PlanReport<T>, Error> {
    regularizer.validate()?;
    let (m, n) = (problem.rows(), problem.columns());
    let k = regularizer.nonzeros_of(m);
    check_length("potential", potential.len(), m)?;
    check_length("indices", indices.len(), n.saturating_mul(k))?;
    check_length("entries", entries.len(), n.saturating_mul(k))?;
    check_finite("potential", potential)?;
    let required = m.saturating_mul(2).saturating_add(k);
    let missing = Error::Capacity { what: "memory", required, available: memory.len() };
    let (row_sums, memory) = memory.split_at_mut_checked(m).ok_or(missing)?;
    row_sums.fill(T::ZERO);
    let mut report = PlanReport::default();
    for (j, (indices, entries)) in
        indices.chunks_exact_mut(k.max(1)).zip(entries.chunks_exact_mut(k.max(1))).enumerate()
    {
        let mut columns = Columns::new(problem, regularizer, indices, memory)?;
        columns.solve(problem, potential, j)?;
        let all = columns.indices.is_empty();
        blas::copy(columns.entries, entries)?;
        if all {
            for (index, place) in indices.iter_mut().zip(0..) {
                *index = place;
            }
        }
        let (cost, _) = memory.split_at_mut_checked(m).ok_or(missing)?;
        (problem.cost)(j, cost);
        let mut nonzeros = 0;
        for (&index, &entry) in indices.iter().zip(entries.iter()) {
            let index = index as usize;
            if entry > T::ZERO {
                nonzeros += 1;
                report.cost += entry * cost.get(index).copied().unwrap_or(T::ZERO);
            }
            if let Some(sum) = row_sums.get_mut(index) {
                *sum += entry;
            }
        }
        report.nonzeros += nonzeros;
        report.largest_column = report.largest_column.max(nonzeros);
        let target = problem.targets.get(j).copied().unwrap_or(T::ZERO);
        report.column_error += (target - blas::sum(entries)).abs();
    }
    report.row_error = distance(problem.sources, row_sums);
    check_finite("cost", &[report.cost])?;
    Ok(report)
}

/// (‖a − T1‖₁, ‖b − Tᵀ1‖₁) of a plan by columns of k indices and entries.
///
/// Shapes: a of m, b of n, `indices` and `entries` of n·k, column j at j·k; `row_sums` of m, overwritten with
/// T1. Guarantee: off by at most γ‖T‖₁ with γ = ku/(1 − ku) or, in a row of r entries, ru/(1 − ru). Cost: 2nk +
/// m flops, m scalars lent.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Index`] for an index not below m; [`Error::NonFinite`].
///
/// ```
/// let errors = quern_kernels::transport::marginal_error(&[0.5; 2], &[1.0], &[1], &[1.0], &mut [0.0; 2])?;
/// assert_eq!(errors, (1.0, 0.0));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn marginal_error<T: Real>(
    sources: &[T],
    targets: &[T],
    indices: &[u32],
    entries: &[T],
    row_sums: &mut [T],
) -> Result<(T, T), Error> {
    let k = indices.len().checked_div(targets.len()).unwrap_or_default();
    check_length("indices", indices.len(), targets.len().saturating_mul(k))?;
    check_length("entries", entries.len(), indices.len())?;
    check_length("row sums", row_sums.len(), sources.len())?;
    for (what, values) in [("a", sources), ("b", targets), ("entries", entries)] {
        check_finite(what, values)?;
    }
    row_sums.fill(T::ZERO);
    let bound = sources.len();
    for (position, (&index, &entry)) in indices.iter().zip(entries).enumerate() {
        let sum =
            row_sums.get_mut(index as usize).ok_or(Error::Index { what: "indices", position, bound })?;
        *sum += entry;
    }
    let mut column_error = T::ZERO;
    let mut columns = entries.chunks(k.max(1));
    for &target in targets {
        column_error += (target - blas::sum(columns.next().unwrap_or_default())).abs();
    }
    let row_error = distance(sources, row_sums);
    check_finite("marginal error", &[row_error, column_error])?;
    Ok((row_error, column_error))
}

/// ‖x − y‖₁.
pub(super) fn distance<T: Real>(x: &[T], y: &[T]) -> T {
    x.iter().zip(y).fold(T::ZERO, |sum, (&x, &y)| sum + (x - y).abs())
}
