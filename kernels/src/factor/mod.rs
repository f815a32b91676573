//! Factorizations of dense, banded and sparse matrices.
//!
//! | matrix | use |
//! |---|---|
//! | symmetric positive definite | [`Cholesky`] |
//! | symmetric quasi-definite (KKT systems with regularization) | [`Ldl`] |
//! | rectangular, or least squares | [`Qr`] |
//! | tridiagonal, diagonally dominant or positive definite | [`Tridiagonal`] |
//! | banded, symmetric positive definite | [`BandedCholesky`] |
//! | sparse, symmetric positive definite, as a preconditioner | [`IncompleteCholesky`] |
//!
//! All have the same verbs: `factor` overwrites a lent matrix with its factors and takes hold of it, `solve` overwrites
//! right-hand sides with solutions, `into_inner` gives the memory back; `inverse`, `determinant` and `log_determinant`
//! where they are natural. Factors over a borrowed buffer (`&mut [T]`) leave the memory with the caller, also on errors.
//!
//! A pivot is accepted only if it is positive (or, where signs may differ, of positive size) and finite, so that NaN
//! fails as well; the error says which pivot it was.

mod cholesky;
mod incomplete_cholesky;

pub use cholesky::Cholesky;
pub use incomplete_cholesky::IncompleteCholesky;
