//! Layers of neural networks.

use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::nn::{Activation, Dense, Mlp};

endpoints! {
    "nn/dense_forward" => dense_forward;
    "nn/dense_backward_parameters" => dense_backward_parameters;
    "nn/dense_backward_inputs" => dense_backward_inputs;
    "nn/mlp_forward" => mlp_forward;
    "nn/mlp_backward" => mlp_backward;
}

/// An activation by its place in the list linear, ReLU, tanh.
fn activation(call: &mut Call<'_>) -> Result<Activation, CallError> {
    match call.integer()? {
        0 => Ok(Activation::Linear),
        1 => Ok(Activation::Relu),
        2 => Ok(Activation::Tanh),
        _ => Err(Error::Setting { name: "activation", expected: "0, 1 or 2" }.into()),
    }
}

/// Inputs, outputs, activation.
fn dense(call: &mut Call<'_>) -> Result<Dense, CallError> {
    Ok(Dense { inputs: call.size()?, outputs: call.size()?, activation: activation(call)? })
}

/// inputs, outputs, activation, W, b, X, samples → A.
fn dense_forward<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let layer = dense(call)?;
    let weights = call.vector::<T>()?;
    let bias = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    let samples = call.size()?;
    let outputs = call.lend::<T>(layer.outputs.saturating_mul(samples))?;
    call.measure(|| layer.forward(weights, bias, inputs, outputs))?;
    call.answer_vector(outputs)
}

/// inputs, outputs, activation, X, Δ → ∂W, ∂b.
fn dense_backward_parameters<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let layer = dense(call)?;
    let inputs = call.vector::<T>()?;
    let delta = call.vector::<T>()?;
    let weight_gradient = call.lend::<T>(layer.inputs.saturating_mul(layer.outputs))?;
    let bias_gradient = call.lend::<T>(layer.outputs)?;
    call.measure(|| layer.backward_parameters(inputs, delta, weight_gradient, bias_gradient))?;
    call.answer_vector(weight_gradient)?;
    call.answer_vector(bias_gradient)
}

/// inputs, outputs, activation of the layer before, W, Δ, X → ∂Z.
fn dense_backward_inputs<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let layer = dense(call)?;
    let weights = call.vector::<T>()?;
    let delta = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    call.measure(|| layer.backward_inputs(weights, delta, layer.activation, inputs))?;
    call.answer_vector(inputs)
}

/// The widths, as lent memory.
fn widths<'a>(call: &mut Call<'a>) -> Result<&'a [usize], CallError> {
    let indices = call.indices()?;
    let widths = call.lend::<usize>(indices.len())?;
    for (width, &index) in widths.iter_mut().zip(indices.iter()) {
        *width = index as usize;
    }
    Ok(widths)
}

/// widths, activation, parameters, X, samples → outputs.
fn mlp_forward<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = Mlp::new(widths(call)?, activation(call)?)?;
    let parameters = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    let samples = call.size()?;
    let activations = call.lend::<T>(net.activations(samples)?)?;
    call.measure(|| net.forward(parameters, inputs, activations))?;
    call.answer_vector(net.outputs(activations, samples))
}

/// widths, activation, parameters, X, ∂outputs, samples → gradient.
fn mlp_backward<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = Mlp::new(widths(call)?, activation(call)?)?;
    let parameters = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    let delta = call.vector::<T>()?;
    let samples = call.size()?;
    let activations = call.lend::<T>(net.activations(samples)?)?;
    let gradient = call.lend::<T>(net.parameters())?;
    call.measure(|| {
        net.forward(parameters, inputs, activations)?;
        for (output, &delta) in net.outputs_mut(activations, samples).iter_mut().zip(delta.iter()) {
            *output = delta;
        }
        net.backward(parameters, inputs, activations, gradient)
    })?;
    call.answer_vector(gradient)
}
