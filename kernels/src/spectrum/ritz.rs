use super::tridiagonal_eigen;
use crate::{Error, Real, check_length};

/// Ritz values θ₁ ≤ … ≤ θₖ of a [`Lanczos`](super::Lanczos) process, and their residuals βₖ|sₖᵢ|.
///
/// The residual is ‖Av − θv‖ of the Ritz vector v = Qs, without forming it: within that distance of θ lies an
/// eigenvalue of A.
///
/// Shapes: `diagonal` α₁ … αₖ and `off_diagonal` β₁ … βₖ as the process gives them; `values`, `residuals` and
/// the lent `memory` of k entries each. Guarantee: as [`tridiagonal_eigen`]; a residual below the rounding
/// error of the process, of the order of u‖A‖, means no more than that. Cost: ~40k² flops; k scalars lent.
/// Source: B. N. Parlett, The Symmetric Eigenvalue Problem, section 13.2.
///
/// # Errors
/// As [`tridiagonal_eigen`].
///
/// ```
/// // (0, 1; 1, 0), and β₂ = 1/2 beside it.
/// let (mut values, mut residuals) = ([0.0_f64; 2], [0.0; 2]);
/// quern_kernels::spectrum::ritz_values(&[0.0, 0.0], &[1.0, 0.5], &mut values, &mut residuals, &mut [0.0; 2])?;
/// assert!((values[1] - 1.0).abs() < 1e-15 && (residuals[1] - 0.5 * 0.5_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn ritz_values<T: Real>(
    diagonal: &[T],
    off_diagonal: &[T],
    values: &mut [T],
    residuals: &mut [T],
    memory: &mut [T],
) -> Result<(), Error> {
    copy_of(diagonal, off_diagonal, values, memory)?;
    check_length("residuals", residuals.len(), diagonal.len())?;
    residuals.fill(T::ZERO);
    if let Some(last) = residuals.last_mut() {
        *last = T::ONE;
    }
    tridiagonal_eigen(values, memory, 1, residuals)?;
    coupled(off_diagonal, residuals);
    Ok(())
}

/// [`ritz_values`], and the coefficients S of the Ritz vectors V = QS.
///
/// Shapes: as there; `coefficients` k×k, column i belongs to θᵢ and is what
/// [`Lanczos::ritz_vector`](super::Lanczos::ritz_vector) takes. Guarantee: as [`tridiagonal_eigen`]. Cost:
/// ~10k³ flops; k scalars lent. Source: as [`ritz_values`].
///
/// # Errors
/// As [`tridiagonal_eigen`].
///
/// ```
/// let (mut values, mut residuals, mut coefficients) = ([0.0_f64; 2], [0.0; 2], [0.0; 4]);
/// quern_kernels::spectrum::ritz_pairs(
///     &[0.0, 0.0], &[1.0, 0.5], &mut values, &mut residuals, &mut coefficients, &mut [0.0; 2],
/// )?;
/// assert!((coefficients[2] - coefficients[3]).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn ritz_pairs<T: Real>(
    diagonal: &[T],
    off_diagonal: &[T],
    values: &mut [T],
    residuals: &mut [T],
    coefficients: &mut [T],
    memory: &mut [T],
) -> Result<(), Error> {
    let k = diagonal.len();
    copy_of(diagonal, off_diagonal, values, memory)?;
    check_length("residuals", residuals.len(), k)?;
    check_length("coefficients", coefficients.len(), k.saturating_mul(k))?;
    coefficients.fill(T::ZERO);
    for one in coefficients.iter_mut().step_by(k.saturating_add(1)) {
        *one = T::ONE;
    }
    tridiagonal_eigen(values, memory, k, coefficients)?;
    for (residual, column) in residuals.iter_mut().zip(coefficients.chunks_exact(k.max(1))) {
        *residual = column.last().copied().unwrap_or(T::ZERO);
    }
    coupled(off_diagonal, residuals);
    Ok(())
}

/// Gauss quadrature for the spectral measure of the start vector q: qᵀf(A)q ≈ Σᵢ τᵢ²f(θᵢ), τᵢ the first
/// component of eigenvector i of the tridiagonal matrix T.
///
/// Shapes: as [`ritz_values`], with the weights τᵢ² in place of the residuals. Guarantees: the weights are not
/// negative, and their sum is 1 to rounding; exact for polynomials f up to degree 2k − 1. Cost: ~40k² flops; k
/// scalars lent. Source: G. H. Golub, J. H. Welsch, Calculation of Gauss Quadrature Rules, Mathematics of
/// Computation 23 (1969).
///
/// # Errors
/// As [`tridiagonal_eigen`].
///
/// ```
/// let (mut nodes, mut weights) = ([0.0_f64; 2], [0.0; 2]);
/// quern_kernels::spectrum::gauss_quadrature(&[1.0, 1.0], &[1.0, 0.0], &mut nodes, &mut weights, &mut [0.0; 2])?;
/// assert!((weights[0] - 0.5).abs() < 1e-15 && (nodes[1] - 2.0).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn gauss_quadrature<T: Real>(
    diagonal: &[T],
    off_diagonal: &[T],
    nodes: &mut [T],
    weights: &mut [T],
    memory: &mut [T],
) -> Result<(), Error> {
    copy_of(diagonal, off_diagonal, nodes, memory)?;
    check_length("weights", weights.len(), diagonal.len())?;
    weights.fill(T::ZERO);
    if let Some(first) = weights.first_mut() {
        *first = T::ONE;
    }
    tridiagonal_eigen(nodes, memory, 1, weights)?;
    for weight in weights {
        *weight *= *weight;
    }
    Ok(())
}

/// T, where it may be overwritten.
fn copy_of<T: Real>(
    diagonal: &[T],
    off_diagonal: &[T],
    values: &mut [T],
    memory: &mut [T],
) -> Result<(), Error> {
    let k = diagonal.len();
    check_length("off-diagonal", off_diagonal.len(), k)?;
    check_length("values", values.len(), k)?;
    check_length("memory", memory.len(), k)?;
    crate::blas::copy(diagonal, values)?;
    crate::blas::copy(off_diagonal, memory)
}

/// Last components of eigenvectors to residuals.
fn coupled<T: Real>(off_diagonal: &[T], components: &mut [T]) {
    let beta = off_diagonal.last().copied().unwrap_or(T::ZERO);
    for component in components {
        *component = (beta * *component).abs();
    }
}
