//! Vectors and dense matrices.

use crate::{Call, CallError, Scalar};
use quern_kernels::blas::{self, Diagonal};

endpoints! {
    "blas/dot" => dot;
    "blas/dot_compensated" => dot_compensated;
    "blas/axpy" => axpy;
    "blas/xpby" => xpby;
    "blas/scale" => scale;
    "blas/copy" => copy;
    "blas/swap" => swap;
    "blas/sum" => sum;
    "blas/norm1" => norm1;
    "blas/norm2" => norm2;
    "blas/norm_infinity" => norm_infinity;
    "blas/index_of_largest" => index_of_largest;
    "blas/matvec" => matvec;
    "blas/matvec_fixed" => matvec_fixed;
    "blas/gemv" => gemv;
    "blas/gemv_transposed" => gemv_transposed;
    "blas/symv" => symv;
    "blas/ger" => ger;
    "blas/gemm" => gemm;
    "blas/gemm_transposed_left" => gemm_transposed_left;
    "blas/gemm_transposed_right" => gemm_transposed_right;
    "blas/solve_lower" => solve_lower;
    "blas/solve_lower_transposed" => solve_lower_transposed;
    "blas/solve_upper" => solve_upper;
    "blas/solve_upper_transposed" => solve_upper_transposed;
}

/// x, y → xᵀy.
fn dot<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    let product = call.measure(|| blas::dot(x, y))?;
    call.answer_scalar(product)
}

/// x, y → xᵀy.
fn dot_compensated<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    let product = call.measure(|| blas::dot_compensated(x, y))?;
    call.answer_scalar(product)
}

/// a, x, y → y + ax.
fn axpy<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let a = call.scalar::<T>()?;
    let x = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    call.measure(|| blas::axpy(a, x, y))?;
    call.answer_vector(y)
}

/// x, b, y → x + by.
fn xpby<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let b = call.scalar::<T>()?;
    let y = call.vector::<T>()?;
    call.measure(|| blas::xpby(x, b, y))?;
    call.answer_vector(y)
}

/// a, x → ax.
fn scale<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let a = call.scalar::<T>()?;
    let x = call.vector::<T>()?;
    call.measure(|| blas::scale(a, x));
    call.answer_vector(x)
}

/// x, y → x in the place of y.
fn copy<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    call.measure(|| blas::copy(x, y))?;
    call.answer_vector(y)
}

/// x, y → y, x.
fn swap<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    call.measure(|| blas::swap(x, y))?;
    call.answer_vector(x)?;
    call.answer_vector(y)
}

/// x → Σxᵢ.
fn sum<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let sum = call.measure(|| blas::sum(x));
    call.answer_scalar(sum)
}

/// x → ‖x‖₁.
fn norm1<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let norm = call.measure(|| blas::norm1(x));
    call.answer_scalar(one_nan(norm))
}

/// x → ‖x‖₂.
fn norm2<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let norm = call.measure(|| blas::norm2(x));
    call.answer_scalar(one_nan(norm))
}

/// x → ‖x‖_∞.
fn norm_infinity<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let norm = call.measure(|| blas::norm_infinity(x));
    call.answer_scalar(one_nan(norm))
}

/// Sign and payload of a NaN that arithmetic made are the processor's own.
fn one_nan<T: Scalar>(value: T) -> T {
    if value.partial_cmp(&value).is_none() { T::from_f64(f64::NAN) } else { value }
}

/// x → the index of the entry of largest size, −1 for none.
fn index_of_largest<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    match call.measure(|| blas::index_of_largest(x)) {
        Some(index) => call.answer_size(index),
        None => call.answer(crate::link::Value::Integer(-1)),
    }
}

/// m, A, x → Ax.
fn matvec<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let m = call.size()?;
    let a = call.vector::<T>()?;
    let x = call.vector::<T>()?;
    let y = call.lend::<T>(m)?;
    call.measure(|| blas::matvec(a, x, y))?;
    call.answer_vector(y)
}

/// n, A, x → Ax, for the square shapes 3, 8 and 32; any other n is taken for 3.
fn matvec_fixed<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    match call.size()? {
        8 => matvec_of::<T, 8, 64>(call),
        32 => matvec_of::<T, 32, 1024>(call),
        _ => matvec_of::<T, 3, 9>(call),
    }
}

fn matvec_of<T: Scalar, const N: usize, const NN: usize>(call: &mut Call<'_>) -> Result<(), CallError> {
    let a = call.array::<T, NN>()?;
    let x = call.array::<T, N>()?;
    let y = call.lend::<T>(N)?;
    if let (Some(a), Some(y)) = (a.as_chunks::<N>().0.first_chunk::<N>(), y.first_chunk_mut::<N>()) {
        call.measure(|| blas::matvec_fixed(a, x, y));
    }
    call.answer_vector(y)
}

/// α, A, x, β, y → αAx + βy.
fn gemv<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let alpha = call.scalar::<T>()?;
    let a = call.vector::<T>()?;
    let x = call.vector::<T>()?;
    let beta = call.scalar::<T>()?;
    let y = call.vector::<T>()?;
    call.measure(|| blas::gemv(alpha, a, x, beta, y))?;
    call.answer_vector(y)
}

/// α, A, y, β, x → αAᵀy + βx.
fn gemv_transposed<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let alpha = call.scalar::<T>()?;
    let a = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    let beta = call.scalar::<T>()?;
    let x = call.vector::<T>()?;
    call.measure(|| blas::gemv_transposed(alpha, a, y, beta, x))?;
    call.answer_vector(x)
}

/// α, A, x, β, y → αAx + βy for the symmetric matrix whose lower triangle is that of A.
fn symv<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let alpha = call.scalar::<T>()?;
    let a = call.vector::<T>()?;
    let x = call.vector::<T>()?;
    let beta = call.scalar::<T>()?;
    let y = call.vector::<T>()?;
    call.measure(|| blas::symv(alpha, a, x, beta, y))?;
    call.answer_vector(y)
}

/// α, x, y, A → A + αxyᵀ.
fn ger<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let alpha = call.scalar::<T>()?;
    let x = call.vector::<T>()?;
    let y = call.vector::<T>()?;
    let a = call.vector::<T>()?;
    call.measure(|| blas::ger(alpha, x, y, a))?;
    call.answer_vector(a)
}

macro_rules! product {
    ($(#[$doc:meta] $name:ident;)*) => {
        $(#[$doc]
        fn $name<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
            let (m, k, n) = (call.size()?, call.size()?, call.size()?);
            let alpha = call.scalar::<T>()?;
            let a = call.vector::<T>()?;
            let b = call.vector::<T>()?;
            let beta = call.scalar::<T>()?;
            let c = call.vector::<T>()?;
            call.measure(|| blas::$name(m, k, n, alpha, a, b, beta, c))?;
            call.answer_vector(c)
        })*
    };
}

product! {
    /// m, k, n, α, A, B, β, C → αAB + βC.
    gemm;
    /// m, k, n, α, A, B, β, C → αAᵀB + βC.
    gemm_transposed_left;
    /// m, k, n, α, A, B, β, C → αABᵀ + βC.
    gemm_transposed_right;
}

macro_rules! triangular {
    ($(#[$doc:meta] $name:ident;)*) => {
        $(#[$doc]
        fn $name<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
            let n = call.size()?;
            let diagonal = if call.integer()? == 0 { Diagonal::Stored } else { Diagonal::Unit };
            let a = call.vector::<T>()?;
            let b = call.vector::<T>()?;
            call.measure(|| blas::$name(n, diagonal, a, b))?;
            call.answer_vector(b)
        })*
    };
}

triangular! {
    /// n, 0 for a stored diagonal or 1 for ones, L, B → L⁻¹B.
    solve_lower;
    /// n, 0 for a stored diagonal or 1 for ones, L, B → L⁻ᵀB.
    solve_lower_transposed;
    /// n, 0 for a stored diagonal or 1 for ones, U, B → U⁻¹B.
    solve_upper;
    /// n, 0 for a stored diagonal or 1 for ones, U, B → U⁻ᵀB.
    solve_upper_transposed;
}
