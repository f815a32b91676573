//! The incomplete Cholesky factorization.

use crate::{Call, CallError, Scalar};
use quern_kernels::check_length;
use quern_kernels::factor::IncompleteCholesky;
use quern_kernels::linop::{LinearOperator, SymmetricCsr};

endpoints! {
    "factor/incomplete_cholesky" => factor;
    "factor/incomplete_cholesky_apply" => apply;
}

/// Row pointers, column indices, values of the lower triangle, shift → L.
fn factor<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let matrix = SymmetricCsr::new(call.indices()?, call.indices()?, call.vector::<T>()?)?;
    let shift = call.scalar()?;
    let memory = call.lend(matrix.values().len())?;
    let factor = call.measure(|| IncompleteCholesky::factor(&matrix, shift, memory))?;
    call.answer_vector(factor.values())
}

/// Row pointers, column indices, values of the lower triangle, shift, x → (LLᵀ)⁻¹x.
fn apply<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let matrix = SymmetricCsr::new(call.indices()?, call.indices()?, call.vector::<T>()?)?;
    let shift = call.scalar()?;
    let x = call.vector::<T>()?;
    check_length("x", x.len(), matrix.rows())?;
    let factor = IncompleteCholesky::factor(&matrix, shift, call.lend(matrix.values().len())?)?;
    let y = call.lend(x.len())?;
    call.measure(|| factor.apply(x, y));
    call.answer_vector(y)
}
