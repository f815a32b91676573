//! Dual numbers, entry by entry, and the check of a gradient.

use crate::{Call, CallError, Scalar};
use quern_kernels::ad::{Dual, check_gradient};
use quern_kernels::nn::TwoLayerRelu;
use quern_kernels::{Error, Real, check_length};

endpoints! {
    "ad/dual" => dual;
    "ad/check_gradient" => gradient;
}

/// A function by its place in the list + − × ÷, abs, √, exp, ln, sin, cos, tanh, power.
fn function<T: Scalar>(index: usize, x: Dual<T>, y: Dual<T>) -> Dual<T> {
    match index {
        0 => x + y,
        1 => x - y,
        2 => x * y,
        3 => x / y,
        4 => x.abs(),
        5 => x.sqrt(),
        6 => x.exp(),
        7 => x.ln(),
        8 => x.sin(),
        9 => x.cos(),
        10 => x.tanh(),
        _ => x.powf(y),
    }
}

/// function, x, ẋ, y, ẏ → values and tangents of f(x, y), entry by entry; 0 where they are not finite.
fn dual<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let index = call.size()?;
    if index >= 12 {
        return Err(Error::Setting { name: "function", expected: "below 12" }.into());
    }
    let (x, x_tangent) = (call.vector::<T>()?, call.vector::<T>()?);
    let (y, y_tangent) = (call.vector::<T>()?, call.vector::<T>()?);
    for other in [&*x_tangent, &*y, &*y_tangent] {
        check_length("entries", other.len(), x.len())?;
    }
    call.measure(|| {
        let pairs = x.iter_mut().zip(x_tangent.iter_mut());
        for ((x, x_tangent), (&y, &y_tangent)) in pairs.zip(y.iter().zip(y_tangent.iter())) {
            let result = function(index, Dual::new(*x, *x_tangent), Dual::new(y, y_tangent));
            let result = if result.is_finite() { result } else { Dual::ZERO };
            (*x, *x_tangent) = (result.value, result.tangent);
        }
    });
    call.answer_vector(x)?;
    call.answer_vector(x_tangent)
}

/// inputs, units, θ, x of a two-layer network → how far its gradient is from differences.
fn gradient<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = TwoLayerRelu { inputs: call.size()?, units: call.size()? };
    let parameters = call.vector::<T>()?;
    let x = call.vector::<T>()?;
    let gradient = call.lend::<T>(net.parameters())?;
    let scratch = call.lend::<T>(net.parameters())?;
    net.grad_unit(parameters, x, gradient)?;
    let off = call.measure(|| check_gradient(|at| net.forward(at, x), parameters, gradient, scratch))?;
    call.answer_scalar(off)
}
