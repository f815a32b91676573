//! Eigenvalues: a few of a large symmetric operator, or all of a small matrix.
//!
//! | task | kernel | lent scalars |
//! |---|---|---|
//! | extreme eigenvalues of an operator, with vectors | [`Lanczos`] with full reorthogonalisation | (m + 1)n + 2m |
//! | its extreme eigenvalues or its density, no vectors | [`Lanczos`] without | 3n + 2m |
//! | one eigenpair, warm-started | [`PowerIteration`] | 2n |
//! | a few of the largest size, with vectors, in less memory | [`power_deflated`] | 2n, and kn for the vectors |
//! | all of a symmetric tridiagonal matrix | [`tridiagonal_eigen`] | in place |
//! | all of a dense symmetric matrix, small | [`jacobi_eigen`] | in place, n² for vectors |
//! | the same, large, without vectors | [`householder_tridiagonal`], [`tridiagonal_eigen`] | in place |
//! | the norm of an operator, from below | [`operator_norm`] | m + 2n |
//! | singular values of a dense matrix, with vectors | [`jacobi_svd`] | in place, n² for the right ones |
//! | density of all eigenvalues of an operator | [`stochastic_quadrature`], [`gaussian_density`] | 4n + 3m |
//! | how many stand apart from the bulk | [`gap_count`], [`bulk_statistics`] | none |
//!
//! A Lanczos process turns an operator into a tridiagonal matrix; the eigenvalues of that, the *Ritz values*,
//! approximate those of the operator, the outermost ones first.

mod density;
mod householder;
mod jacobi;
mod lanczos;
mod operator_norm;
mod outliers;
mod power;
mod ritz;
mod singular;
mod tridiagonal;

pub use density::{gaussian_density, stochastic_quadrature, stochastic_quadrature_scalars};
pub use householder::householder_tridiagonal;
pub use jacobi::jacobi_eigen;
pub use lanczos::{Lanczos, Reorthogonalization};
pub use operator_norm::operator_norm;
pub use outliers::{Bulk, Gap, bulk_statistics, gap_count};
pub use power::{PowerIteration, PowerReport, PowerStatus, PowerStop, power_deflated};
pub use ritz::{gauss_quadrature, ritz_pairs, ritz_values};
pub use singular::jacobi_svd;
pub use tridiagonal::tridiagonal_eigen;

use crate::linop::LinearOperator;
use crate::space::Space;
use crate::{Error, Real, blas, check_finite, check_length};

/// What one step of a Lanczos process did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// The tridiagonal matrix has grown by a row.
    Advanced,
    /// The matrix has grown by its last row: the Krylov space is invariant to working precision, so that every
    /// Ritz value is an eigenvalue, or the lent memory is full. Or it had its last row before, and nothing
    /// was done.
    Finished,
    /// A number was not finite: the operator overflows. Nothing has grown.
    Breakdown,
}

/// n of a square operator.
fn check_square<T, A: LinearOperator<T> + ?Sized>(operator: &A) -> Result<usize, Error> {
    check_length("rows of the operator", operator.rows(), operator.columns())?;
    Ok(operator.columns())
}

/// q ← start/‖start‖.
fn normalized<T: Real>(space: &impl Space<T>, start: &[T], q: &mut [T]) -> Result<(), Error> {
    check_length("start vector", start.len(), q.len())?;
    check_finite("start vector", start)?;
    space.copy(start, q);
    // Two factors: the squares of entries of any size would over- or underflow.
    let largest = blas::norm_infinity(q);
    space.scale(T::ONE / largest, q);
    space.scale(T::ONE / space.norm2(q), q);
    if largest == T::ZERO || check_finite("start vector", q).is_err() {
        return Err(Error::Breakdown { what: "the start vector", index: 0 });
    }
    Ok(())
}

/// Entry i; zero where there is none, which does not happen.
#[inline(always)]
fn entry<T: Real>(x: &[T], i: usize) -> T {
    x.get(i).copied().unwrap_or(T::ZERO)
}

/// xᵢ ← value.
#[inline(always)]
fn set<T>(x: &mut [T], i: usize, value: T) {
    if let Some(x) = x.get_mut(i) {
        *x = value;
    }
}

/// Columns i < j of a matrix with this many rows.
#[inline(always)]
fn two_columns<T>(matrix: &mut [T], rows: usize, i: usize, j: usize) -> Option<(&mut [T], &mut [T])> {
    let (head, tail) = matrix.split_at_mut_checked(j.checked_mul(rows)?)?;
    let start = i.checked_mul(rows)?;
    Some((head.get_mut(start..start.checked_add(rows)?)?, tail.get_mut(..rows)?))
}

/// Sorts values, ascending: selection, at most n − 1 swaps, each told to `swapped`.
fn sort<T: Real>(values: &mut [T], mut swapped: impl FnMut(usize, usize)) {
    for i in 0..values.len() {
        let rest = values.get(i..).unwrap_or_default();
        let mut least = 0;
        for (at, &value) in rest.iter().enumerate() {
            if value < entry(rest, least) {
                least = at;
            }
        }
        if least > 0 {
            let j = i.wrapping_add(least);
            let (x, y) = (entry(values, i), entry(values, j));
            set(values, i, y);
            set(values, j, x);
            swapped(i, j);
        }
    }
}

/// Swaps columns i < j of a matrix with this many rows.
fn swap_columns<T: Real>(matrix: &mut [T], rows: usize, i: usize, j: usize) {
    if let Some((x, y)) = two_columns(matrix, rows, i, j) {
        // Of equal length.
        let _ = blas::swap(x, y);
    }
}
