//! The empirical risk of a network with one output: gradient, curvature, and barriers between minima.

use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::linop::LinearOperator;
use quern_kernels::nn::{Activation, Curvature, EmpiricalRisk, ScalarLoss, ScalarNetwork};
use quern_kernels::stability;

endpoints! {
    "risk/jacobian_row" => jacobian_row;
    "risk/gradient" => gradient;
    "risk/hessian" => hessian;
    "risk/gauss_newton" => gauss_newton;
    "risk/line_barrier" => line_barrier;
}

/// d, h, activation by its place in the list linear, ReLU, tanh.
fn network(call: &mut Call<'_>) -> Result<ScalarNetwork, CallError> {
    let (inputs, units) = (call.size()?, call.size()?);
    let activation = match call.integer()? {
        0 => Activation::Linear,
        1 => Activation::Relu,
        2 => Activation::Tanh,
        _ => return Err(Error::Setting { name: "activation", expected: "0, 1 or 2" }.into()),
    };
    Ok(ScalarNetwork::new(inputs, units, activation)?)
}

/// Network, loss by its place in the list squared, logistic, X, y.
fn risk<'a, T: Scalar>(call: &mut Call<'a>) -> Result<EmpiricalRisk<'a, T>, CallError> {
    let network = network(call)?;
    let loss = match call.integer()? {
        0 => ScalarLoss::Squared,
        1 => ScalarLoss::Logistic,
        _ => return Err(Error::Setting { name: "loss", expected: "0 or 1" }.into()),
    };
    Ok(EmpiricalRisk::new(network, loss, call.vector()?, call.vector()?)?)
}

/// Network, w, x → f, ∇f.
fn jacobian_row<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let network = network(call)?;
    let (parameters, x) = (call.vector::<T>()?, call.vector()?);
    let row = call.lend(network.parameters())?;
    let output = call.measure(|| network.jacobian_row(parameters, x, row))?;
    call.answer_scalar(output)?;
    call.answer_vector(row)
}

/// Risk, w → L, ∇L.
fn gradient<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let risk = risk::<T>(call)?;
    let parameters = call.vector()?;
    let gradient = call.lend(risk.network().parameters())?;
    let memory = call.lend(risk.network().units())?;
    let value = call.measure(|| risk.gradient(parameters, gradient, memory))?;
    call.answer_scalar(value)?;
    call.answer_vector(gradient)
}

fn product<T: Scalar>(call: &mut Call<'_>, kind: Curvature) -> Result<(), CallError> {
    let risk = risk::<T>(call)?;
    let parameters = call.vector::<T>()?;
    let v = call.vector::<T>()?;
    let memory = call.lend::<T>(risk.network().units().saturating_mul(2))?;
    let operator = risk.curvature(parameters, kind, memory)?;
    quern_kernels::check_length("v", v.len(), operator.columns())?;
    quern_kernels::check_finite("v", v)?;
    let product = call.lend(operator.rows())?;
    call.measure(|| operator.apply(v, product));
    quern_kernels::check_finite("product", product)?;
    call.answer_vector(product)
}

/// Risk, w, v → Hv.
fn hessian<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    product::<T>(call, Curvature::Hessian)
}

/// Risk, w, v → Gv.
fn gauss_newton<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    product::<T>(call, Curvature::GaussNewton)
}

/// Risk, w, w′, number of points → height, place, losses at the ends.
fn line_barrier<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let risk = risk::<T>(call)?;
    let (from, to) = (call.vector()?, call.vector()?);
    let points = call.size()?;
    let memory = call.lend(from.len())?;
    let barrier = call.measure(|| stability::line_barrier(|w| risk.value(w), from, to, points, memory))?;
    call.answer_scalar(barrier.height)?;
    call.answer_scalar(barrier.at)?;
    call.answer_vector(&barrier.ends)
}
