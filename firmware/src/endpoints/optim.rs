//! Gradient methods.

use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::optim::{self, Adam, AdamSettings, Optimizer, Sgd, SgdSettings};

endpoints! {
    "optim/sgd" => sgd;
    "optim/adam" => adam;
    "optim/projected_step" => projected_step;
    "optim/stationarity" => stationarity;
    "optim/proximal_step" => proximal_step;
    "optim/clip_norm" => clip_norm;
    "optim/clip_values" => clip_values;
}

/// A step a row of gradients.
fn steps<T: Scalar>(optimizer: &mut impl Optimizer<T>, w: &mut [T], gradients: &[T]) -> Result<(), Error> {
    gradients.chunks(w.len().max(1)).try_for_each(|gradient| optimizer.step(w, gradient))
}

/// η, μ, whether Nesterov's (0 or 1), w, gradients, one after the other → w.
fn sgd<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (learning_rate, momentum) = (call.scalar::<T>()?, call.scalar()?);
    let settings = SgdSettings { learning_rate, momentum, nesterov: call.integer()? != 0 };
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
    let settings = SgdSettings { learning_rate: call.scalar::<T>()?, ..SgdSettings::default() };
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

/// η, λ, w, g → w.
fn proximal_step<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let settings = SgdSettings { learning_rate: call.scalar::<T>()?, ..SgdSettings::default() };
    let weight = call.scalar::<T>()?;
    let w = call.vector::<T>()?;
    let gradient = call.vector::<T>()?;
    let mut sgd = Sgd::new(settings, [])?;
    call.measure(|| optim::proximal_step(&mut sgd, w, gradient, weight))?;
    call.answer_vector(w)
}

/// g, c → g, the factor (1 where g was left as it was).
fn clip_norm<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let gradient = call.vector::<T>()?;
    let limit = call.scalar::<T>()?;
    let factor = call.measure(|| optim::clip_norm(gradient, limit))?;
    call.answer_vector(gradient)?;
    call.answer_scalar(factor.unwrap_or(T::ONE))
}

/// g, c → g, how many entries changed.
fn clip_values<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let gradient = call.vector::<T>()?;
    let limit = call.scalar::<T>()?;
    let changed = call.measure(|| optim::clip_values(gradient, limit))?;
    call.answer_vector(gradient)?;
    call.answer_size(changed)
}
