//! Projections and proximal maps: x comes first, the answer is x in its new place.

use crate::link::Value;
use crate::{Call, CallError, Scalar};
use quern_kernels::prox::{self, AffineSet};
use quern_kernels::{Error, check_length};

endpoints! {
    "prox/clip_box" => clip_box;
    "prox/clip_interval" => clip_interval;
    "prox/intersect_boxes" => intersect_boxes;
    "prox/l1_ball" => l1_ball;
    "prox/l2_ball" => l2_ball;
    "prox/linf_ball" => linf_ball;
    "prox/simplex" => simplex;
    "prox/topk_simplex" => topk_simplex;
    "prox/sparse_simplex" => sparse_simplex;
    "prox/second_order_cone" => second_order_cone;
    "prox/half_space" => half_space;
    "prox/hyperplane" => hyperplane;
    "prox/affine_set" => affine_set;
    "prox/soft_threshold" => soft_threshold;
    "prox/block_soft_threshold" => block_soft_threshold;
}

/// A map in place with one number beside x.
type Map<T> = fn(&mut [T], T) -> Result<(), Error>;

/// x, parameter → x.
fn with_number<T: Scalar>(call: &mut Call<'_>, map: Map<T>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let parameter = call.scalar::<T>()?;
    call.measure(|| map(x, parameter))?;
    call.answer_vector(x)
}

/// x, lower, upper → x.
fn clip_box<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let lower = call.vector::<T>()?;
    let upper = call.vector::<T>()?;
    call.measure(|| prox::clip_box(x, lower, upper))?;
    call.answer_vector(x)
}

/// x, lower, upper → x, with two numbers as bounds.
fn clip_interval<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let (lower, upper) = (call.scalar::<T>()?, call.scalar::<T>()?);
    call.measure(|| prox::clip_interval(x, lower, upper))?;
    call.answer_vector(x)
}

/// lower, upper, lower, upper → lower, upper.
fn intersect_boxes<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let lower = call.vector::<T>()?;
    let upper = call.vector::<T>()?;
    let other_lower = call.vector::<T>()?;
    let other_upper = call.vector::<T>()?;
    call.measure(|| prox::intersect_boxes(lower, upper, other_lower, other_upper))?;
    call.answer_vector(lower)?;
    call.answer_vector(upper)
}

/// x, radius → x.
fn l1_ball<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    with_number::<T>(call, prox::project_l1_ball)
}

/// x, radius → x.
fn l2_ball<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    with_number::<T>(call, prox::project_l2_ball)
}

/// x, radius → x.
fn linf_ball<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    with_number::<T>(call, prox::project_linf_ball)
}

/// x, total → x.
fn simplex<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    with_number::<T>(call, prox::project_simplex)
}

/// x, total, k → x.
fn topk_simplex<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let total = call.scalar::<T>()?;
    let k = call.size()?;
    let indices = call.lend::<u32>(k.min(x.len()))?;
    call.measure(|| prox::project_topk_simplex(x, k, total, indices))?;
    call.answer_vector(x)
}

/// v, total, k → the indices of the entries that may not be zero, the entries.
fn sparse_simplex<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let v = call.vector::<T>()?;
    let total = call.scalar::<T>()?;
    let k = call.size()?.min(v.len());
    let (indices, entries) = (call.lend::<u32>(k)?, call.lend::<T>(k)?);
    call.measure(|| prox::sparse_simplex(v, total, indices, entries))?;
    call.answer(Value::Indices(bytemuck::cast_slice(indices)))?;
    call.answer_vector(entries)
}

/// x → x.
fn second_order_cone<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    call.measure(|| prox::project_second_order_cone(x))?;
    call.answer_vector(x)
}

/// x, normal, offset → x.
fn half_space<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let normal = call.vector::<T>()?;
    let offset = call.scalar::<T>()?;
    call.measure(|| prox::project_half_space(x, normal, offset))?;
    call.answer_vector(x)
}

/// x, normal, offset → x.
fn hyperplane<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let normal = call.vector::<T>()?;
    let offset = call.scalar::<T>()?;
    call.measure(|| prox::project_hyperplane(x, normal, offset))?;
    call.answer_vector(x)
}

/// x, matrix, offset → x. What is measured factors and projects.
fn affine_set<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let matrix = call.vector::<T>()?;
    let offset = call.vector::<T>()?;
    let rows = offset.len();
    check_length("matrix", matrix.len(), rows.saturating_mul(x.len()))?;
    let memory = call.lend::<T>(rows.saturating_mul(rows))?;
    let work = call.lend::<T>(rows)?;
    call.measure(|| AffineSet::factor(matrix, offset, memory)?.project(x, work))?;
    call.answer_vector(x)
}

/// x, weight → x.
fn soft_threshold<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    with_number::<T>(call, prox::soft_threshold)
}

/// x, weight → x.
fn block_soft_threshold<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    with_number::<T>(call, prox::block_soft_threshold)
}
