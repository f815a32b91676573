//! Losses and metrics.

use crate::{Call, CallError, Scalar};
use quern_kernels::linop::Dense;
use quern_kernels::loss;

endpoints! {
    "loss/squared" => squared;
    "loss/cross_entropy" => cross_entropy;
    "loss/accuracy" => accuracy;
    "loss/direction_residual" => direction_residual;
}

/// A, Y, samples → loss, gradient.
fn squared<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let outputs = call.vector::<T>()?;
    let targets = call.vector::<T>()?;
    let samples = call.size()?;
    let value = call.measure(|| loss::squared_gradient(outputs, targets, samples))?;
    call.answer_scalar(value)?;
    call.answer_vector(outputs)
}

/// logits, labels → loss, gradient.
fn cross_entropy<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let logits = call.vector::<T>()?;
    let labels = call.indices()?;
    let value = call.measure(|| loss::cross_entropy_gradient(logits, labels))?;
    call.answer_scalar(value)?;
    call.answer_vector(logits)
}

/// outputs, labels → accuracy.
fn accuracy<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let outputs = call.vector::<T>()?;
    let labels = call.indices()?;
    let share = call.measure(|| loss::accuracy(outputs, labels))?;
    call.answer_scalar(share)
}

/// n, A, q, b → loss, gradient.
fn direction_residual<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let operator = Dense::new(n, n, call.vector()?)?;
    let direction = call.vector::<T>()?;
    let right_hand_side = call.vector::<T>()?;
    let memory = call.lend::<T>(n.saturating_mul(2))?;
    let value =
        call.measure(|| loss::direction_residual_gradient(&operator, direction, right_hand_side, memory))?;
    call.answer_scalar(value)?;
    call.answer_vector(direction)
}
