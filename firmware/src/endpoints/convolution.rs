//! Layers of neural networks on grids.

use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::nn::{
    Activation, Convolution, DirectionUnet, Extent, Pointwise, average_pool2, upsample2,
};

endpoints! {
    "nn/convolution_forward" => convolution_forward;
    "nn/convolution_backward" => convolution_backward;
    "nn/pooling" => pooling;
    "nn/pointwise" => pointwise;
    "nn/direction_unet" => direction_unet;
    "nn/direction_unet_backward" => direction_unet_backward;
}

/// Width, height, depth; depth 0 for a plane.
fn extent(call: &mut Call<'_>) -> Result<Extent, CallError> {
    let [width, height, depth] = [call.size()?, call.size()?, call.size()?];
    Ok(if depth == 0 { Extent::Plane([width, height]) } else { Extent::Volume([width, height, depth]) })
}

/// Inputs, outputs, extent, with ReLU.
fn convolution(call: &mut Call<'_>) -> Result<Convolution, CallError> {
    let (inputs, outputs) = (call.size()?, call.size()?);
    Ok(Convolution { inputs, outputs, extent: extent(call)?, activation: Activation::Relu })
}

/// inputs, outputs, extent, W, b, S → A.
fn convolution_forward<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let layer = convolution(call)?;
    let weights = call.vector::<T>()?;
    let bias = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    let outputs = call.lend::<T>(layer.outputs.saturating_mul(layer.extent.cells()))?;
    call.measure(|| layer.forward(weights, bias, inputs, outputs))?;
    call.answer_vector(outputs)
}

/// inputs, outputs, extent, W, S, Δ → ∂W, ∂b, ∂S.
fn convolution_backward<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let layer = convolution(call)?;
    let weights = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    let delta = call.vector::<T>()?;
    let weight_gradient = call.lend::<T>(layer.weights())?;
    let bias_gradient = call.lend::<T>(layer.outputs)?;
    call.measure(|| {
        layer.backward_parameters(inputs, delta, weight_gradient, bias_gradient)?;
        layer.backward_inputs(weights, delta, inputs)
    })?;
    call.answer_vector(weight_gradient)?;
    call.answer_vector(bias_gradient)?;
    call.answer_vector(inputs)
}

/// extent, fine → the fine cells' means, and those copied back.
fn pooling<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let extent = extent(call)?;
    let fine = call.vector::<T>()?;
    let coarse = call.lend::<T>(fine.len() / extent.pooled())?;
    call.measure(|| {
        average_pool2(extent, fine, coarse)?;
        upsample2(extent, coarse, fine)
    })?;
    call.answer_vector(coarse)?;
    call.answer_vector(fine)
}

/// inputs, outputs, cells, W, b, S → A; then for Δ = A: ∂W, ∂b, ∂S.
fn pointwise<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let layer = Pointwise { inputs: call.size()?, outputs: call.size()?, cells: call.size()? };
    let weights = call.vector::<T>()?;
    let bias = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    let outputs = call.lend::<T>(layer.outputs.saturating_mul(layer.cells))?;
    let weight_gradient = call.lend::<T>(weights.len())?;
    call.measure(|| {
        layer.forward(weights, bias, inputs, outputs)?;
        layer.backward_parameters(inputs, outputs, weight_gradient, bias)?;
        layer.backward_inputs(weights, outputs, inputs)
    })?;
    call.answer_vector(outputs)?;
    call.answer_vector(weight_gradient)?;
    call.answer_vector(bias)?;
    call.answer_vector(inputs)
}

/// Extent, channels, n_A, n_P, n_U: a network of at most eight blocks of a kind.
fn network(call: &mut Call<'_>) -> Result<DirectionUnet, CallError> {
    let extent = extent(call)?;
    let channels = call.size()?;
    let blocks = [call.size()?, call.size()?, call.size()?];
    if blocks.iter().any(|&blocks| blocks > 8) {
        return Err(Error::Setting { name: "blocks", expected: "at most 8" }.into());
    }
    Ok(DirectionUnet::new(extent, channels, blocks)?)
}

/// network, parameters, r → q.
fn direction_unet<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = network(call)?;
    let parameters = call.vector::<T>()?;
    let residual = call.vector::<T>()?;
    let memory = call.lend::<T>(net.scalars())?;
    let direction = call.lend::<T>(net.cells())?;
    call.measure(|| net.infer(parameters, residual, memory, direction))?;
    call.answer_vector(direction)
}

/// network, parameters, r → q, the gradient of ‖q‖²/2.
fn direction_unet_backward<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = network(call)?;
    let parameters = call.vector::<T>()?;
    let residual = call.vector::<T>()?;
    let activations = call.lend::<T>(net.activations())?;
    let memory = call.lend::<T>(net.backward_scalars())?;
    let direction = call.lend::<T>(net.cells())?;
    let gradient = call.lend::<T>(net.parameters())?;
    call.measure(|| {
        net.forward(parameters, residual, activations, direction)?;
        net.backward(parameters, residual, activations, direction, memory, gradient)
    })?;
    call.answer_vector(direction)?;
    call.answer_vector(gradient)
}
