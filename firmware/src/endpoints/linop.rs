//! Linear operators.

use crate::{Call, CallError, Scalar};
use quern_kernels::linop::{
    Adjoint, Csr, Dense, Diagonal, FixedDense, LinearOperator, Product, Scaled, Stencil5, Stencil7, Sum,
    SymmetricCsr, Transposed,
};
use quern_kernels::{Error, check_length};

endpoints! {
    "linop/dense" => dense;
    "linop/fixed_dense" => fixed_dense;
    "linop/csr" => csr;
    "linop/symmetric_csr" => symmetric_csr;
    "linop/stencil5" => stencil5;
    "linop/stencil7" => stencil7;
    "linop/jacobi" => jacobi;
    "linop/composed" => composed;
}

/// Applies an operator to x, which must fit it, under measurement; answers with Ax.
fn apply<'a, T: Scalar>(
    call: &mut Call<'a>,
    operator: &impl LinearOperator<T>,
    x: &[T],
) -> Result<&'a mut [T], CallError> {
    check_length("x", x.len(), operator.columns())?;
    let y = call.lend(operator.rows())?;
    call.measure(|| operator.apply(x, y));
    call.answer_vector(y)?;
    Ok(y)
}

/// As [`apply`], and with AᵀAx.
fn apply_both<T: Scalar>(
    call: &mut Call<'_>,
    operator: &impl Adjoint<T>,
    x: &mut [T],
) -> Result<(), CallError> {
    let y = apply(call, operator, x)?;
    operator.apply_adjoint(y, x);
    call.answer_vector(x)
}

/// m, n, A, x → Ax, AᵀAx.
fn dense<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (rows, columns) = (call.size()?, call.size()?);
    let operator = Dense::new(rows, columns, call.vector()?)?;
    let x = call.vector::<T>()?;
    apply_both(call, &operator, x)
}

/// A of 8×8, x → Ax, AᵀAx.
fn fixed_dense<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let entries = call.array::<T, 64>()?;
    let x = call.array::<T, 8>()?;
    let operator = FixedDense::new(columns(entries)?)?;
    apply_both(call, &operator, x)
}

/// The columns of an 8×8 matrix.
pub(super) fn columns<T>(entries: &[T]) -> Result<&[[T; 8]; 8], Error> {
    let (columns, _) = entries.as_chunks::<8>();
    columns.first_chunk().ok_or(Error::Dimension { what: "matrix", expected: 64, found: entries.len() })
}

/// n, row pointers, column indices, values, x → Ax, AᵀAx, the diagonal.
fn csr<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let columns = call.size()?;
    let operator = Csr::new(columns, call.indices()?, call.indices()?, call.vector()?)?;
    let x = call.vector::<T>()?;
    apply_both(call, &operator, x)?;
    let diagonal = call.lend(operator.rows().min(columns))?;
    operator.diagonal(diagonal)?;
    call.answer_vector(diagonal)
}

/// Row pointers, column indices, values, x → Ax, the diagonal.
fn symmetric_csr<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let operator = SymmetricCsr::new(call.indices()?, call.indices()?, call.vector::<T>()?)?;
    let x = call.vector::<T>()?;
    apply(call, &operator, x)?;
    let diagonal = call.lend(operator.rows())?;
    operator.diagonal(diagonal)?;
    call.answer_vector(diagonal)
}

/// nₓ, n_y, hₓ, h_y, x → −Δₕx.
fn stencil5<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let points = [call.size()?, call.size()?];
    let spacing = [call.scalar::<T>()?, call.scalar()?];
    let x = call.vector::<T>()?;
    apply(call, &Stencil5::new(points, spacing)?, x).map(drop)
}

/// nₓ, n_y, n_z, hₓ, h_y, h_z, x → −Δₕx.
fn stencil7<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let points = [call.size()?, call.size()?, call.size()?];
    let spacing = [call.scalar::<T>()?, call.scalar()?, call.scalar()?];
    let x = call.vector::<T>()?;
    apply(call, &Stencil7::new(points, spacing)?, x).map(drop)
}

/// d, x → the Jacobi preconditioner of a matrix with this diagonal, applied to x.
fn jacobi<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let diagonal = call.vector::<T>()?;
    let x = call.vector::<T>()?;
    let inverse = call.lend(diagonal.len())?;
    apply(call, &Diagonal::jacobi(diagonal, inverse)?, x).map(drop)
}

/// a, n, A, d, x → a(A + diag d)ᵀAx.
fn composed<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let factor = call.scalar::<T>()?;
    let size = call.size()?;
    let dense = Dense::new(size, size, call.vector()?)?;
    let diagonal = Diagonal::new(call.vector()?)?;
    let x = call.vector::<T>()?;
    let sum = Sum::new(&dense, diagonal, call.lend(size)?)?;
    let product = Product::new(Transposed::new(sum), &dense, call.lend(size)?)?;
    apply(call, &Scaled::new(factor, product)?, x).map(drop)
}
