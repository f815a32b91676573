//! Sorting and selection.

use crate::link::Value;
use crate::{Call, CallError, Scalar};
use quern_kernels::sort as kernels;

endpoints! {
    "sort/sort" => sort;
    "sort/argsort" => argsort;
    "sort/largest" => largest;
}

/// x → x, rising.
fn sort<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    call.measure(|| kernels::sort(x))?;
    call.answer_vector(x)
}

/// x → the indices that make x rise.
fn argsort<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let order = call.lend::<u32>(x.len())?;
    call.measure(|| kernels::argsort(x, order))?;
    call.answer(Value::Indices(bytemuck::cast_slice(order)))
}

/// x, k → the indices of the k largest.
fn largest<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let count = call.size()?;
    let indices = call.lend::<u32>(count)?;
    call.measure(|| kernels::largest(x, indices))?;
    call.answer(Value::Indices(bytemuck::cast_slice(indices)))
}
