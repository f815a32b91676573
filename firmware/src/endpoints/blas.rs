//! Vectors and dense matrices.

use crate::{Call, CallError, Scalar};
use quern_kernels::blas;

endpoints! {
    "blas/dot" => dot;
}

/// x, y → xᵀy.
fn dot<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    let product = call.measure(|| blas::dot(x, y))?;
    call.answer_scalar(product)
}
