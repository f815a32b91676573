//! Gradient methods.

use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::optim::{self, Adam, AdamSettings, Optimizer, Sgd, SgdSettings};

endpoints! {
    "optim/sgd" => sgd;
    "optim/adam" => adam;
    "optim/projected_step" => projected_step;
    "optim/stationarity" => stationarity;
}

/// A step a row of gradients.
fn steps<T: Scalar>(optimizer: &mut impl Optimizer<T>, w: &mut [T], gradients: &[T]) -> Result<(), Error> {
    gradients.chunks(w.len().max(1)).try_for_each(|gradient| optimizer.step(w, gradient))
}

/// η, μ, w, gradients, one after the other → w.
fn sgd<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let settings = SgdSettings { learning_rate: call.scalar::<T>()?, momentum: call.scalar()? };
    let w = call.vector::<T>()?;
    let gradients = call.vector::<T>()?;
    let mut sgd = Sgd::new(settings, call.lend::<T>(w.len())?)?;
    call.measure(|| steps(&mut sgd, w, gradients))?;
    call.answer_vector(w)
}

/// η, β₁, β₂, ε, λ, w, gradients, one after the other → w.
fn adam<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let settings = AdamSettings {
        learning_rate: call.scalar::<T>()?,
        beta1: call.scalar()?,
        beta2: call.scalar()?,
        epsilon: call.scalar()?,
        weight_decay: call.scalar()?,
    };
    let w = call.vector::<T>()?;
    let gradients = call.vector::<T>()?;
    let mut adam = Adam::new(settings, call.lend::<T>(w.len().saturating_mul(2))?)?;
    call.measure(|| steps(&mut adam, w, gradients))?;
    call.answer_vector(w)
}

/// η, w, g, l, u → w.
fn projected_step<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let settings = SgdSettings { learning_rate: call.scalar::<T>()?, momentum: T::ZERO };
    let w = call.vector::<T>()?;
    let gradient = call.vector::<T>()?;
    let lower = call.vector::<T>()?;
    let upper = call.vector::<T>()?;
    let mut sgd = Sgd::new(settings, [])?;
    call.measure(|| optim::projected_step(&mut sgd, w, gradient, lower, upper))?;
    call.answer_vector(w)
}

/// w, g, l, u → ρ.
fn stationarity<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let w = call.vector::<T>()?;
    let gradient = call.vector::<T>()?;
    let lower = call.vector::<T>()?;
    let upper = call.vector::<T>()?;
    let distance = call.measure(|| optim::stationarity(w, gradient, lower, upper))?;
    call.answer_scalar(distance)
}
