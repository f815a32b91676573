//! Factorizations of dense and banded matrices.

use crate::{Call, CallError, Scalar};
use quern_kernels::factor::{BandedCholesky, Cholesky, Ldl, Qr, Tridiagonal, null_basis as span};

endpoints! {
    "factor/cholesky" => cholesky;
    "factor/cholesky_solve" => cholesky_solve;
    "factor/cholesky_inverse" => cholesky_inverse;
    "factor/ldl" => ldl;
    "factor/ldl_solve" => ldl_solve;
    "factor/ldl_inverse" => ldl_inverse;
    "factor/qr" => qr;
    "factor/qr_solve" => qr_solve;
    "factor/qr_apply" => qr_apply;
    "factor/null_basis" => null_basis;
    "factor/tridiagonal" => tridiagonal;
    "factor/tridiagonal_solve" => tridiagonal_solve;
    "factor/banded_cholesky" => banded_cholesky;
    "factor/banded_cholesky_solve" => banded_cholesky_solve;
}

/// n, A → A with L in its lower triangle, ln det A.
fn cholesky<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let a = call.vector::<T>()?;
    let factors = call.measure(|| Cholesky::factor(n, a))?;
    call.answer_vector(factors.lower())?;
    call.answer_scalar(factors.log_determinant())
}

/// n, A, B → A⁻¹B; the solve is measured.
fn cholesky_solve<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let factors = Cholesky::factor(n, call.vector::<T>()?)?;
    let b = call.vector::<T>()?;
    call.measure(|| factors.solve(b))?;
    call.answer_vector(b)
}

/// n, A → A⁻¹; the inversion is measured.
fn cholesky_inverse<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let a = call.vector::<T>()?;
    let inverse = call.lend::<T>(a.len())?;
    let factors = Cholesky::factor(n, a)?;
    call.measure(|| factors.inverse(inverse))?;
    call.answer_vector(inverse)
}

/// n, A → A with D on its diagonal and L below, the number of positive pivots, ln |det A|.
fn ldl<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let a = call.vector::<T>()?;
    let factors = call.measure(|| Ldl::factor(n, a))?;
    call.answer_vector(factors.factors())?;
    call.answer_size(factors.inertia().0)?;
    call.answer_scalar(factors.log_determinant())
}

/// n, A, B → A⁻¹B; the solve is measured.
fn ldl_solve<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let factors = Ldl::factor(n, call.vector::<T>()?)?;
    let b = call.vector::<T>()?;
    call.measure(|| factors.solve(b))?;
    call.answer_vector(b)
}

/// n, A → A⁻¹; the inversion is measured.
fn ldl_inverse<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let a = call.vector::<T>()?;
    let inverse = call.lend::<T>(a.len())?;
    let factors = Ldl::factor(n, a)?;
    call.measure(|| factors.inverse(inverse))?;
    call.answer_vector(inverse)
}

/// m, n, A → R and the reflectors in the place of A, their scales.
fn qr<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (m, n) = (call.size()?, call.size()?);
    let a = call.vector::<T>()?;
    let scales = call.lend::<T>(n)?;
    let factors = call.measure(|| Qr::factor(m, n, a, scales))?;
    let (a, scales) = factors.into_inner();
    call.answer_vector(a)?;
    call.answer_vector(scales)
}

/// m, n, A, B → the least-squares solutions over the rotated residuals; the solve is measured.
fn qr_solve<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (m, n) = (call.size()?, call.size()?);
    let a = call.vector::<T>()?;
    let b = call.vector::<T>()?;
    let scales = call.lend::<T>(n)?;
    let factors = Qr::factor(m, n, a, scales)?;
    call.measure(|| factors.solve(b))?;
    call.answer_vector(b)
}

/// m, n, A, B → QᵀB, Q(QᵀB); the second is measured.
fn qr_apply<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (m, n) = (call.size()?, call.size()?);
    let a = call.vector::<T>()?;
    let b = call.vector::<T>()?;
    let scales = call.lend::<T>(n)?;
    let factors = Qr::factor(m, n, a, scales)?;
    factors.apply_q_transposed(b)?;
    call.answer_vector(b)?;
    call.measure(|| factors.apply_q(b))?;
    call.answer_vector(b)
}

/// n, m, Gᵀ → R and the reflectors in the place of Gᵀ, Z.
fn null_basis<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (n, m) = (call.size()?, call.size()?);
    let transposed = call.vector::<T>()?;
    let scales = call.lend::<T>(m)?;
    let basis = call.lend::<T>(n.saturating_mul(n.saturating_sub(m)))?;
    call.measure(|| span(n, m, transposed, scales, basis))?;
    call.answer_vector(transposed)?;
    call.answer_vector(basis)
}

/// lower, diagonal, upper → multipliers, pivots, det A.
fn tridiagonal<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (lower, diagonal, upper) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let factors = call.measure(|| Tridiagonal::factor(lower, diagonal, upper))?;
    let determinant = factors.determinant();
    let (multipliers, pivots, _) = factors.into_inner();
    call.answer_vector(multipliers)?;
    call.answer_vector(pivots)?;
    call.answer_scalar(determinant)
}

/// lower, diagonal, upper, B → A⁻¹B; the solve is measured.
fn tridiagonal_solve<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (lower, diagonal, upper) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let factors = Tridiagonal::factor(lower, diagonal, upper)?;
    let b = call.vector::<T>()?;
    call.measure(|| factors.solve(b))?;
    call.answer_vector(b)
}

/// n, k, band → L in the place of the band, ln det A.
fn banded_cholesky<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (n, bandwidth) = (call.size()?, call.size()?);
    let band = call.vector::<T>()?;
    let factors = call.measure(|| BandedCholesky::factor(n, bandwidth, band))?;
    call.answer_vector(factors.lower())?;
    call.answer_scalar(factors.log_determinant())
}

/// n, k, band, B → A⁻¹B; the solve is measured.
fn banded_cholesky_solve<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (n, bandwidth) = (call.size()?, call.size()?);
    let band = call.vector::<T>()?;
    let b = call.vector::<T>()?;
    let factors = BandedCholesky::factor(n, bandwidth, band)?;
    call.measure(|| factors.solve(b))?;
    call.answer_vector(b)
}
