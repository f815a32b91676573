//! Factorizations of dense, banded and sparse matrices.
//!
//! | matrix | use |
//! |---|---|
//! | symmetric positive definite | [`Cholesky`] |
//! | symmetric positive definite and banded | [`BandedCholesky`] |
//! | symmetric quasi-definite (KKT systems with regularization) | [`Ldl`] |
//! | tridiagonal, diagonally dominant or positive definite | [`Tridiagonal`] |
//! | general square, or least squares | [`Qr`] |
//! | wide, and its null space is wanted | [`null_basis`] |
//! | sparse, symmetric quasi-definite, on a constant pattern | [`SparseLdl`] |
//! | sparse, symmetric positive definite, as a preconditioner | [`IncompleteCholesky`] |
//!
//! All have the same verbs: `factor` overwrites lent matrices with their factors and takes hold of them,
//! `solve` overwrites right-hand sides with solutions, `into_inner` gives the memory back; `inverse`,
//! `determinant` and `log_determinant` where they are natural. Factors over a borrowed buffer (`&mut [T]`)
//! leave the memory with the caller, also on errors.
//!
//! A pivot is accepted only if it is positive (or, where signs may differ, of positive size) and finite, so
//! that NaN fails as well; the error says which pivot it was.

mod banded;
mod cholesky;
mod incomplete_cholesky;
mod ldl;
mod null_basis;
mod qr;
mod sparse_ldl;
mod tridiagonal;

pub use banded::BandedCholesky;
pub use cholesky::Cholesky;
pub use ldl::Ldl;
pub use null_basis::null_basis;
pub use qr::Qr;
pub use sparse_ldl::{LdlPattern, SparseLdl};
pub use tridiagonal::Tridiagonal;

use crate::Real;

/// Whether a pivot of either sign can be divided by. NaN cannot.
#[inline(always)]
fn is_divisor<T: Real>(pivot: T) -> bool {
    pivot.abs() > T::ZERO && pivot.is_finite()
}

/// The diagonal of an n×n matrix.
#[inline(always)]
fn diagonal<T: Real>(n: usize, a: &[T]) -> impl Iterator<Item = T> {
    a.iter().step_by(n.saturating_add(1)).copied()
}

/// Overwrites an n×n matrix with the identity.
#[inline(always)]
fn identity<T: Real>(n: usize, a: &mut [T]) {
    for entry in a.iter_mut() {
        *entry = T::ZERO;
    }
    for entry in a.iter_mut().step_by(n.saturating_add(1)) {
        *entry = T::ONE;
    }
}
pub use incomplete_cholesky::IncompleteCholesky;
