//! Scalars: elementary functions entry by entry, so that every target's bits are compared.

use crate::{Call, CallError, Scalar};
use quern_kernels::Real;
use quern_kernels::real::{Fast, Float};

endpoints! {
    "real/floor" => floor;
    "real/sqrt" => sqrt;
    "real/exp" => exp;
    "real/ln" => ln;
    "real/sin" => sin;
    "real/cos" => cos;
    "real/tanh" => tanh;
    "real/powf" => powf;
    "real/neighbours" => neighbours;
    "real/halfway" => halfway;
    "real/round_half_even" => round_half_even;
    "real/fast_sqrt" in F32 => fast_sqrt;
    "real/fast_exp" in F32 => fast_exp;
    "real/fast_ln" in F32 => fast_ln;
    "real/fast_sin" in F32 => fast_sin;
    "real/fast_cos" in F32 => fast_cos;
    "real/fast_tanh" in F32 => fast_tanh;
    "real/fast_powf" in F32 => fast_powf;
}

/// The value, or one and the same NaN: the sign of a NaN is the hardware's choice.
fn canonical<T: Real>(value: T) -> T {
    #[expect(clippy::eq_op, reason = "false of NaN alone")]
    if value == value { value } else { T::from_f64(f64::NAN) }
}

/// x → f(x_i).
fn map<T: Scalar>(call: &mut Call<'_>, function: impl Fn(T) -> T) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    call.measure(|| {
        for x in x.iter_mut() {
            *x = canonical(function(*x));
        }
    });
    call.answer_vector(x)
}

/// x, y → f(x_i, y_i), over the shorter of both.
fn map_pairs<T: Scalar>(call: &mut Call<'_>, function: impl Fn(T, T) -> T) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    call.measure(|| {
        for (x, y) in x.iter_mut().zip(y.iter()) {
            *x = canonical(function(*x, *y));
        }
    });
    let length = x.len().min(y.len());
    call.answer_vector(x.get(..length).unwrap_or_default())
}

/// x → ⌊x_i⌋.
fn floor<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, T::floor)
}

/// x → √x_i.
fn sqrt<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, T::sqrt)
}

/// x → exp x_i.
fn exp<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, T::exp)
}

/// x → ln x_i.
fn ln<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, T::ln)
}

/// x → sin x_i.
fn sin<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, T::sin)
}

/// x → cos x_i.
fn cos<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, T::cos)
}

/// x → tanh x_i.
fn tanh<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, T::tanh)
}

/// x, y → x_i to the power of y_i.
fn powf<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    map_pairs(call, T::powf)
}

/// x → the largest numbers below x_i, then the smallest ones above.
fn neighbours<T: Scalar + Float>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let above = call.lend::<T>(x.len())?;
    call.measure(|| {
        for (x, above) in x.iter_mut().zip(above.iter_mut()) {
            *above = canonical(x.next_above());
            *x = canonical(x.next_below());
        }
    });
    call.answer_vector(x)?;
    call.answer_vector(above)
}

/// x, y → the number halfway between x_i and y_i in the order of numbers.
fn halfway<T: Scalar + Float>(call: &mut Call<'_>) -> Result<(), CallError> {
    map_pairs(call, T::halfway)
}

/// x → x_i rounded to an integer, ties to even.
fn round_half_even<T: Scalar + Float>(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, T::round_half_even)
}

fn fast(function: impl Fn(Fast) -> Fast) -> impl Fn(f32) -> f32 {
    move |x| function(Fast(x)).0
}

/// x → √x_i, approximately.
fn fast_sqrt(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, fast(Fast::sqrt))
}

/// x → exp x_i, approximately.
fn fast_exp(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, fast(Fast::exp))
}

/// x → ln x_i, approximately.
fn fast_ln(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, fast(Fast::ln))
}

/// x → sin x_i, approximately.
fn fast_sin(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, fast(Fast::sin))
}

/// x → cos x_i, approximately.
fn fast_cos(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, fast(Fast::cos))
}

/// x → tanh x_i, approximately.
fn fast_tanh(call: &mut Call<'_>) -> Result<(), CallError> {
    map(call, fast(Fast::tanh))
}

/// x, y → x_i to the power of y_i, approximately.
fn fast_powf(call: &mut Call<'_>) -> Result<(), CallError> {
    map_pairs::<f32>(call, |x, y| Fast(x).powf(Fast(y)).0)
}
