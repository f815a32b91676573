//! Hessian operators, and the models of one output whose curvature they give.

use crate::{Call, CallError, Scalar};
use quern_kernels::ad::Dual;
use quern_kernels::linop::{GaussNewton, HessianDual, HessianFd};
use quern_kernels::loss::cross_entropy_gradient;
use quern_kernels::nn::{Activation, DiagonalLinear, Mlp, TwoLayerRelu};
use quern_kernels::{Error, Real, blas};

endpoints! {
    "linop/hessian_dual" => hessian_dual;
    "linop/hessian_fd" => hessian_fd;
    "linop/gauss_newton" => gauss_newton;
    "nn/diagonal_linear" => diagonal_linear;
    "nn/two_layer_relu" => two_layer_relu;
    "nn/two_layer_relu_hessian" => two_layer_relu_hessian;
}

/// Widths of the classifier whose Hessians are taken.
const WIDTHS: [usize; 3] = [3, 4, 3];
/// Largest number of samples.
const SAMPLES: usize = 6;
const PARAMETERS: usize = 3 * 4 + 4 * 3 + 4 + 3;
const ACTIVATIONS: usize = (4 + 3) * SAMPLES;

/// The gradient of the mean cross-entropy of the classifier, into `gradient`.
fn classifier<T: Real>(
    parameters: &[T],
    inputs: &[T],
    labels: &[u32],
    gradient: &mut [T],
) -> Result<(), Error> {
    let net = Mlp::new(&WIDTHS, Activation::Tanh)?;
    let mut activations = [T::ZERO; ACTIVATIONS];
    let samples = labels.len();
    let required = net.activations(samples)?;
    let activations = activations.get_mut(..required).ok_or(Error::Capacity {
        what: "samples",
        required: samples,
        available: SAMPLES,
    })?;
    net.forward(parameters, inputs, activations)?;
    cross_entropy_gradient(net.outputs_mut(activations, samples), labels)?;
    net.backward(parameters, inputs, activations, gradient)
}

/// θ, X, labels, v → Hv of a 3-4-3 classifier, by dual numbers.
fn hessian_dual<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let parameters = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    let labels = call.indices()?;
    let v = call.vector::<T>()?;
    let product = call.lend::<T>(PARAMETERS)?;
    let mut constants = [Dual::<T>::ZERO; WIDTHS[0] * SAMPLES];
    let available = constants.len();
    let constants = constants.get_mut(..inputs.len()).ok_or(Error::Capacity {
        what: "inputs",
        required: inputs.len(),
        available,
    })?;
    for (constant, &input) in constants.iter_mut().zip(inputs.iter()) {
        *constant = Dual::constant(input);
    }
    let gradient = |at: &[Dual<T>], out: &mut [Dual<T>]| classifier(at, constants, labels, out);
    let hessian = HessianDual::new(parameters, gradient, [Dual::ZERO; 2 * PARAMETERS])?;
    call.measure(|| hessian.product(v, product))?;
    call.answer_vector(product)
}

/// θ, X, labels, v → Hv of a 3-4-3 classifier, by differences.
fn hessian_fd<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let parameters = call.vector::<T>()?;
    let inputs = call.vector::<T>()?;
    let labels = call.indices()?;
    let v = call.vector::<T>()?;
    let product = call.lend::<T>(PARAMETERS)?;
    let gradient = |at: &[T], out: &mut [T]| classifier(at, inputs, labels, out);
    let hessian = HessianFd::new(parameters, gradient, [T::ZERO; 2 * PARAMETERS])?;
    call.measure(|| hessian.product(v, product))?;
    call.answer_vector(product)
}

/// samples, gradients one after the other, v → Gv.
fn gauss_newton<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let samples = call.size()?;
    let gradients = call.vector::<T>()?;
    let v = call.vector::<T>()?;
    let product = call.lend::<T>(v.len())?;
    let size = v.len();
    let gradient = |sample: usize, g: &mut [T]| {
        let start = sample.saturating_mul(size);
        let row = gradients.get(start..).and_then(|rest| rest.get(..size));
        let missing = Error::Dimension {
            what: "gradients",
            expected: start.saturating_add(size),
            found: gradients.len(),
        };
        blas::copy(row.ok_or(missing)?, g)
    };
    let operator = GaussNewton::new(size, samples, gradient, call.lend::<T>(size)?)?;
    call.measure(|| operator.product(v, product))?;
    call.answer_vector(product)
}

/// inputs, θ, x → f, q, g.
fn diagonal_linear<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = DiagonalLinear { inputs: call.size()? };
    let parameters = call.vector::<T>()?;
    let x = call.vector::<T>()?;
    let gradient = call.lend::<T>(net.parameters())?;
    let (output, squared_norm) = call.measure(|| net.grad_unit(parameters, x, gradient))?;
    call.answer_vector(&[output, bounded(squared_norm)])?;
    call.answer_vector(gradient)
}

/// inputs, units, θ, x → f, q, g.
fn two_layer_relu<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = TwoLayerRelu { inputs: call.size()?, units: call.size()? };
    let parameters = call.vector::<T>()?;
    let x = call.vector::<T>()?;
    let gradient = call.lend::<T>(net.parameters())?;
    let (output, squared_norm) = call.measure(|| net.grad_unit(parameters, x, gradient))?;
    call.answer_vector(&[output, bounded(squared_norm)])?;
    call.answer_vector(gradient)
}

/// q may overflow where f does not: then the largest number, with the same bits everywhere.
fn bounded<T: Scalar>(squared_norm: T) -> T {
    if squared_norm.is_finite() { squared_norm } else { T::MAX }
}

/// inputs, units, θ, x, r, c, v, z → z + c∇²ℓ v.
fn two_layer_relu_hessian<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = TwoLayerRelu { inputs: call.size()?, units: call.size()? };
    let parameters = call.vector::<T>()?;
    let x = call.vector::<T>()?;
    let (residual, factor) = (call.scalar()?, call.scalar()?);
    let v = call.vector::<T>()?;
    let z = call.vector::<T>()?;
    call.measure(|| net.add_hessian_product(parameters, x, residual, factor, v, z))?;
    call.answer_vector(z)
}
