use super::{Problem, Regularizer, delta_k};
use crate::{Error, Real, blas, check_finite, check_length};

/// ⟨α, a⟩ + ⟨β, b⟩ − Σⱼ δ_k(α + βⱼ1 − cⱼ), and a supergradient (a − T1, b − Tᵀ1): concave, with the maximum of the
/// [`semidual`](super::semidual), which has it maximized over β.
///
/// Shapes: α and its gradient of m, β and its gradient of n; `memory` at least m + k, k = min(nonzeros, m); at
/// least k indices. Guarantee: T never exists as a whole. Cost: n(3m + 4k) flops, m comparisons a column and at
/// most 2m⌈log₂k⌉ more. Source: Liu, Puigcerver, Blondel (2023), section 4, equation (9).
///
/// # Errors
/// As [`semidual`](super::semidual).
///
/// ```
/// use quern_kernels::transport::{Problem, Regularizer, dual};
/// let problem = Problem::dense(&[0.5; 2], &[0.5; 2], &[0.0, 1.0, 1.0, 0.0])?;
/// let one = Regularizer { weight: 1.0, nonzeros: 1 };
/// let (mut rows, mut columns) = ([0.0; 2], [0.0; 2]);
/// let potentials = (&[0.0; 2][..], &[0.5; 2][..]);
/// let gradients = (&mut rows[..], &mut columns[..]);
/// let value = dual(&problem, &one, potentials, gradients, &mut [0; 1], &mut [0.0; 3])?;
/// assert_eq!((value, rows, columns), (0.25, [0.0; 2], [0.0; 2]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn dual<T: Real, C: Fn(usize, &mut [T])>(
    problem: &Problem<'_, T, C>,
    regularizer: &Regularizer<T>,
    (rows, columns): (&[T], &[T]),
    (row_gradient, column_gradient): (&mut [T], &mut [T]),
    indices: &mut [u32],
    memory: &mut [T],
) -> Result<T, Error> {
    regularizer.validate()?;
    check_length("row potential", rows.len(), problem.rows())?;
    check_length("column potential", columns.len(), problem.columns())?;
    check_length("row gradient", row_gradient.len(), problem.rows())?;
    check_length("column gradient", column_gradient.len(), problem.columns())?;
    check_finite("row potential", rows)?;
    check_finite("column potential", columns)?;
    let (m, available) = (problem.rows(), memory.len());
    let k = regularizer.nonzeros_of(m);
    let missing = Error::Capacity { what: "memory", required: m.saturating_add(k), available };
    let (reduced, rest) = memory.split_at_mut_checked(m).ok_or(missing)?;
    let entries = rest.get_mut(..k).ok_or(missing)?;
    let available = indices.len();
    let indices = indices.get_mut(..k).ok_or(Error::Capacity { what: "indices", required: k, available })?;

    let weighted = blas::dot(rows, problem.sources)? + blas::dot(columns, problem.targets)?;
    blas::copy(problem.sources, row_gradient)?;
    let mut shares = T::ZERO;
    let targets = problem.targets.iter().zip(columns).zip(column_gradient);
    for (j, ((&target, &potential), gradient)) in targets.enumerate() {
        problem.reduced(j, rows, reduced)?;
        for entry in reduced.iter_mut() {
            *entry += potential;
        }
        shares += delta_k(reduced, regularizer.weight, indices, entries)?;
        *gradient = target - blas::sum(entries);
        for (&index, &entry) in indices.iter().zip(entries.iter()) {
            if let Some(g) = row_gradient.get_mut(index as usize) {
                *g -= entry;
            }
        }
    }
    let value = weighted - shares;
    if value.is_finite() { Ok(value) } else { Err(Error::Breakdown { what: "a finite value", index: 0 }) }
}
